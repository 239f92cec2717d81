#include "resets/symmetric.h"

#include <algorithm>
#include <cmath>
#include <limits>
#include <numeric>
#include <stdexcept>

namespace critmap {
namespace {

constexpr int most_steps = 100;

// Column j of the accumulated transformation is at `vectors + j * n`, so that every inner loop walks memory
// in order. `d` is the diagonal, `e` what is below it, from element 1 on.
struct Tridiagonal {
  size_t n;
  double* vectors;
  std::vector<double> d, e;

  double* column(size_t j) const { return vectors + j * n; }

  void reduce();
  void accumulate();
  void diagonalise();

 private:
  void reflect(size_t i, double scale);
  size_t negligible_from(size_t l) const;
  void step(size_t l, size_t m, double& shift);
};

double product(const double* a, const double* b, size_t count) {
  double sums[4] = {};
  size_t i = 0;
  for (; i + 4 <= count; i += 4) {
    for (size_t k = 0; k < 4; k++) sums[k] += a[i + k] * b[i + k];
  }
  for (; i < count; i++) sums[0] += a[i] * b[i];
  return (sums[0] + sums[2]) + (sums[1] + sums[3]);
}

void Tridiagonal::reduce() {
  for (size_t j = 0; j < n; j++) d[j] = column(j)[n - 1];
  for (size_t i = n - 1; i > 0; i--) {
    double scale = 0;
    for (size_t k = 0; k < i; k++) scale += std::fabs(d[k]);
    if (scale == 0) {
      e[i] = d[i - 1];
      for (size_t j = 0; j < i; j++) {
        d[j] = column(j)[i - 1];
        column(j)[i] = 0;
        column(i)[j] = 0;
      }
      d[i] = 0;
    } else {
      reflect(i, scale);
    }
  }
}

// One Householder reflection, which leaves of row i its element below the diagonal.
void Tridiagonal::reflect(size_t i, double scale) {
  double h = 0;
  for (size_t k = 0; k < i; k++) {
    d[k] /= scale;
    h += d[k] * d[k];
  }
  double f = d[i - 1];
  double g = f > 0 ? -std::sqrt(h) : std::sqrt(h);
  e[i] = scale * g;
  h -= f * g;
  d[i - 1] = f - g;
  std::fill(e.begin(), e.begin() + ptrdiff_t(i), 0.0);
  for (size_t j = 0; j < i; j++) {
    f = d[j];
    column(i)[j] = f;
    const double* const v = column(j);
    g = e[j] + v[j] * f + product(v + j + 1, d.data() + j + 1, i - j - 1);
    for (size_t k = j + 1; k < i; k++) e[k] += v[k] * f;
    e[j] = g;
  }
  f = 0;
  for (size_t j = 0; j < i; j++) {
    e[j] /= h;
    f += e[j] * d[j];
  }
  const double half = f / (h + h);
  for (size_t j = 0; j < i; j++) e[j] -= half * d[j];
  for (size_t j = 0; j < i; j++) {
    double* const v = column(j);
    for (size_t k = j; k < i; k++) v[k] -= d[j] * e[k] + e[j] * d[k];
    d[j] = v[i - 1];
    v[i] = 0;
  }
  d[i] = h;
}

// The product of all reflections.
void Tridiagonal::accumulate() {
  for (size_t i = 0; i + 1 < n; i++) {
    column(i)[n - 1] = column(i)[i];
    column(i)[i] = 1;
    double* const next = column(i + 1);
    if (d[i + 1] != 0) {
      for (size_t k = 0; k <= i; k++) d[k] = next[k] / d[i + 1];
      for (size_t j = 0; j <= i; j++) {
        double* const v = column(j);
        const double g = product(next, v, i + 1);
        for (size_t k = 0; k <= i; k++) v[k] -= g * d[k];
      }
    }
    std::fill(next, next + i + 1, 0.0);
  }
  for (size_t j = 0; j < n; j++) {
    d[j] = column(j)[n - 1];
    column(j)[n - 1] = 0;
  }
  column(n - 1)[n - 1] = 1;
  e[0] = 0;
}

void Tridiagonal::diagonalise() {
  std::rotate(e.begin(), e.begin() + 1, e.end());
  e[n - 1] = 0;
  double shift = 0, largest = 0;
  for (size_t l = 0; l < n; l++) {
    largest = std::max(largest, std::fabs(d[l]) + std::fabs(e[l]));
    const double small = std::numeric_limits<double>::epsilon() * largest;
    size_t m = l;
    while (m < n - 1 && std::fabs(e[m]) > small) m++;
    for (int steps = 0; m > l && std::fabs(e[l]) > small; steps++) {
      if (steps == most_steps) throw std::runtime_error("its singular vectors do not converge");
      step(l, m, shift);
    }
    d[l] += shift;
    e[l] = 0;
  }
}

// One implicit QL step over the elements l to m.
void Tridiagonal::step(size_t l, size_t m, double& shift) {
  double g = d[l];
  double p = (d[l + 1] - g) / (2 * e[l]);
  double r = std::sqrt(p * p + 1);
  if (p < 0) r = -r;
  d[l] = e[l] / (p + r);
  d[l + 1] = e[l] * (p + r);
  const double ahead = d[l + 1], below = e[l + 1];
  const double h = g - d[l];
  for (size_t i = l + 2; i < n; i++) d[i] -= h;
  shift += h;

  p = d[m];
  double c = 1, c2 = 1, c3 = 1, s = 0, s2 = 0;
  for (size_t i = m; i-- > l;) {
    c3 = c2;
    c2 = c;
    s2 = s;
    g = c * e[i];
    const double hi = c * p;
    r = std::sqrt(p * p + e[i] * e[i]);
    e[i + 1] = s * r;
    s = e[i] / r;
    c = p / r;
    p = c * d[i] - s * g;
    d[i + 1] = hi + s * (c * g + s * d[i]);
    double *const a = column(i), *const b = column(i + 1);
    for (size_t k = 0; k < n; k++) {
      const double old = b[k];
      b[k] = s * a[k] + c * old;
      a[k] = c * a[k] - s * old;
    }
  }
  p = -s * s2 * c3 * below * e[l] / ahead;
  e[l] = s * p;
  d[l] = c * p;
}

}  // namespace

void eigenvectors(std::vector<double>& matrix, size_t size) {
  if (size == 0) return;
  Tridiagonal work{size, matrix.data(), std::vector<double>(size), std::vector<double>(size)};
  work.reduce();
  work.accumulate();
  work.diagonalise();
  std::vector<size_t> order(size);
  std::iota(order.begin(), order.end(), size_t(0));
  std::stable_sort(order.begin(), order.end(), [&](size_t a, size_t b) { return work.d[a] > work.d[b]; });
  std::vector<double> sorted;
  sorted.reserve(matrix.size());
  for (const size_t j : order) sorted.insert(sorted.end(), work.column(j), work.column(j) + size);
  matrix = std::move(sorted);
}

}  // namespace critmap
