#include "resets/low_rank.h"

#include <algorithm>

#include "resets/symmetric.h"

namespace critmap {
namespace {

// Columns that are projected at a time.
constexpr size_t tile = 256;

// The parameter as a matrix whose rows are its shorter side.
class Unfolded {
 public:
  Unfolded(size_t elements, const ResetLayout& layout)
      : layout_(layout),
        rest_(elements / layout.channels),
        turned_(layout.channels > rest_),
        rows(turned_ ? rest_ : layout.channels),
        columns(elements / rows) {}

  // Calls each(stored, row * columns + column).
  template <class Each>
  void for_each(const Each& each) const {
    size_t at = 0;
    for (size_t block = 0; block < rest_; block += layout_.inner) {
      for (size_t channel = 0; channel < layout_.channels; channel++) {
        for (size_t i = block; i < block + layout_.inner; i++, at++) {
          each(at, turned_ ? i * columns + channel : channel * columns + i);
        }
      }
    }
  }

 private:
  ResetLayout layout_;
  size_t rest_;
  bool turned_;

 public:
  const size_t rows, columns;
};

// In a fixed order, of four sums, so that it is fast and the same everywhere.
double product(const float* a, const float* b, size_t count) {
  double sums[4] = {};
  size_t i = 0;
  for (; i + 4 <= count; i += 4) {
    for (size_t k = 0; k < 4; k++) sums[k] += double(a[i + k]) * double(b[i + k]);
  }
  for (; i < count; i++) sums[0] += double(a[i]) * double(b[i]);
  return (sums[0] + sums[2]) + (sums[1] + sums[3]);
}

std::vector<float> gather(std::span<const float> values, const Unfolded& shape) {
  std::vector<float> matrix(values.size());
  shape.for_each([&](size_t stored, size_t at) { matrix[at] = values[stored]; });
  return matrix;
}

}  // namespace

size_t full_rank(size_t elements, const ResetLayout& layout) {
  return std::min(layout.channels, elements / layout.channels);
}

std::vector<double> singular_vectors(std::span<const float> values, const ResetLayout& layout) {
  if (values.empty()) return {};
  const Unfolded shape(values.size(), layout);
  const std::vector<float> matrix = gather(values, shape);
  const size_t rows = shape.rows, columns = shape.columns;
  std::vector<double> squares(rows * rows);
  for (size_t a = 0; a < rows; a++) {
    for (size_t b = 0; b <= a; b++) {
      const double sum = product(&matrix[a * columns], &matrix[b * columns], columns);
      squares[a * rows + b] = squares[b * rows + a] = sum;
    }
  }
  eigenvectors(squares, rows);
  return squares;
}

void keep_rank(std::span<float> values, const ResetLayout& layout, std::span<const double> vectors,
               size_t rank) {
  const size_t most = full_rank(values.size(), layout);
  if (rank >= most) return;
  const Unfolded shape(values.size(), layout);
  std::vector<float> matrix = gather(values, shape);
  // What is kept, or what is taken away, whichever has fewer directions.
  const bool takes = rank > most / 2;
  const size_t first = takes ? rank : 0, last = takes ? most : rank;
  std::vector<double> along(tile), projected(most * tile);
  for (size_t begin = 0; begin < shape.columns; begin += tile) {
    const size_t width = std::min(tile, shape.columns - begin);
    float* const corner = matrix.data() + begin;
    std::fill(projected.begin(), projected.end(), 0.0);
    for (size_t v = first; v < last; v++) {
      const double* const vector = &vectors[v * most];
      std::fill(along.begin(), along.end(), 0.0);
      for (size_t r = 0; r < most; r++) {
        const float* const row = corner + r * shape.columns;
        for (size_t i = 0; i < width; i++) along[i] += vector[r] * double(row[i]);
      }
      for (size_t r = 0; r < most; r++) {
        double* const row = &projected[r * tile];
        for (size_t i = 0; i < width; i++) row[i] += vector[r] * along[i];
      }
    }
    for (size_t r = 0; r < most; r++) {
      float* const row = corner + r * shape.columns;
      const double* const part = &projected[r * tile];
      for (size_t i = 0; i < width; i++) row[i] = float(takes ? double(row[i]) - part[i] : part[i]);
    }
  }
  shape.for_each([&](size_t stored, size_t at) { values[stored] = matrix[at]; });
}

}  // namespace critmap
