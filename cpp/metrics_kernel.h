// The sums of metrics.h over one row, for 16 lanes. Element c belongs to lane c % 16. Terms are float32;
// eight at a time are added per lane in float32, those sums in float64, and the 16 lanes in a fixed tree, so
// every code path gives the same bits. Included by the kernels_*.cpp files.
#pragma once

#include "exponential.h"
#include "lanes_pair.h"
#include "metrics.h"

namespace critmap {

// 16 elements from `at`; where the row ends before that (not `whole`), `fill` for the missing ones.
template <class L, bool whole>
CRITMAP_HD typename L::Floats load_part(const float* row, size_t at, size_t count, float fill) {
  if constexpr (whole) {
    return L::load(row + at);
  } else {
    float buffer[16];
    for (int i = 0; i < 16; i++) buffer[i] = fill;
    memcpy(buffer, row + at, (count - at) * sizeof(float));
    return L::load(buffer);
  }
}

// Calls step<whole>(at) for each 16 elements of a row; only the last may not be whole.
template <class Step>
CRITMAP_HD void walk_row(size_t count, const Step& step) {
  size_t at = 0;
  for (; at + 16 <= count; at += 16) step.template operator()<true>(at);
  if (at < count) step.template operator()<false>(at);
}

template <class L>
CRITMAP_HD typename L::Floats magnitude(typename L::Floats x) {
  return L::from_bits(L::bits(x) & L::set(0x7fffffffu));
}

// K running sums: float32 over at most eight terms, then float64.
template <class L, int K>
struct Sums {
  typename L::Doubles wide[K];
  typename L::Floats narrow[K];

  CRITMAP_HD Sums() {
    for (int k = 0; k < K; k++) wide[k] = L::zero();
  }
  CRITMAP_HD void begin() {
    for (int k = 0; k < K; k++) narrow[k] = L::set(0.0f);
  }
  CRITMAP_HD void add(int k, typename L::Floats terms) { narrow[k] = narrow[k] + terms; }
  CRITMAP_HD void add(int k, typename Pair<L>::Floats terms) {
    narrow[k] = narrow[k] + terms.a;
    narrow[k] = narrow[k] + terms.b;
  }
  CRITMAP_HD void end() {
    for (int k = 0; k < K; k++) wide[k] = wide[k] + L::widen(narrow[k]);
  }
  CRITMAP_HD double total(int k) const { return L::sum(wide[k]); }
};

// The same for sums: step<M, whole>(at) adds the terms of M::width elements, M being L or, where there are as
// many, Main (L or a pair of L, which changes no sum). begin() and end() of the sums stand around every 128
// elements.
template <class L, class Main, class Terms, class Step>
CRITMAP_HD void sum_row(size_t count, Terms& sums, const Step& step) {
  for (size_t at = 0; at < count;) {
    const size_t stop = at + 128 < count ? at + 128 : count;
    sums.begin();
    for (; at + Main::width <= stop; at += Main::width) step.template operator()<Main, true>(at);
    for (; at + 16 <= stop; at += 16) step.template operator()<L, true>(at);
    if (at < stop) step.template operator()<L, false>(at);
    at = stop;
    sums.end();
  }
}

struct RowMaxima {
  float original, changed;
  // Bits of the largest magnitude in either row, which are those of a number if all logits are finite.
  uint32_t magnitude;
};

template <class L>
CRITMAP_HD RowMaxima row_maxima(const float* original, const float* changed, size_t count) {
  // Even and odd steps apart: one after the other they would wait for each other.
  typename L::Floats best_z[2], best_y[2];
  typename L::Words largest[2];
  for (int i = 0; i < 2; i++) {
    best_z[i] = best_y[i] = L::set(-INFINITY);
    largest[i] = L::set(0u);
  }
  const auto step = [&]<bool whole>(int i, size_t at) CRITMAP_INLINE_LAMBDA {
    const auto z = load_part<L, whole>(original, at, count, original[0]);
    const auto y = load_part<L, whole>(changed, at, count, changed[0]);
    best_z[i] = L::larger(z, best_z[i]);
    best_y[i] = L::larger(y, best_y[i]);
    const auto larger = L::larger_signed(L::bits(magnitude<L>(z)), L::bits(magnitude<L>(y)));
    largest[i] = L::larger_signed(largest[i], larger);
  };
  size_t at = 0;
  for (; at + 32 <= count; at += 32) {
    step.template operator()<true>(0, at);
    step.template operator()<true>(1, at + 16);
  }
  for (; at + 16 <= count; at += 16) step.template operator()<true>(0, at);
  if (at < count) step.template operator()<false>(0, at);

  float z[16], y[16];
  uint32_t bits[16];
  L::store(z, L::larger(best_z[0], best_z[1]));
  L::store(y, L::larger(best_y[0], best_y[1]));
  L::store(bits, L::larger_signed(largest[0], largest[1]));
  for (int i = 1; i < 16; i++) {
    z[0] = z[i] > z[0] ? z[i] : z[0];
    y[0] = y[i] > y[0] ? y[i] : y[0];
    bits[0] = bits[i] > bits[0] ? bits[i] : bits[0];
  }
  return {z[0], y[0], bits[0]};
}

template <class L>
CRITMAP_HD size_t first_equal(const float* row, size_t count, float wanted) {
  size_t at = 0;
  uint32_t found = 0;
  for (; at + 16 <= count; at += 16) {
    found = L::lane_bits(L::load(row + at) == L::set(wanted));
    if (found) break;
  }
  if (!found) found = L::lane_bits(load_part<L, false>(row, at, count, wanted) == L::set(wanted));
  for (; !(found & 1); found >>= 1) at++;
  return at;
}

template <class L, class Main>
void compare_row_kernel(const float* original, const float* changed, size_t classes, float* scratch,
                        RowSums& out) {
  constexpr uint32_t infinity = 0x7f800000u, two_to_64 = 0x5f800000u;
  const RowMaxima top = row_maxima<L>(original, changed, classes);
  out.finite = top.magnitude < infinity;
  if (!out.finite) return;
  // Equal maxima go to the lowest index, in either row.
  const size_t best = first_equal<L>(original, classes, top.original);
  out.agree = changed[best] == top.changed && first_equal<L>(changed, classes, top.changed) == best;

  const size_t padded = row_padding(classes);
  // On a cache line, so that no vector store crosses two.
  float* const exp_z = scratch + (64 - (reinterpret_cast<uintptr_t>(scratch) & 63)) / sizeof(float);
  float* const exp_y = exp_z + padded;
  float* const gap = exp_y + padded;
  // A difference of finite logits may overflow: beyond 1e18 it counts as 1e18. With raw logits of 2^64 and
  // more scaled down, products stay finite too.
  constexpr float floor = -1e18f;
  const float raw_scale = top.magnitude < two_to_64 ? 1.0f : 0x1p-64f;

  Sums<L, 4> sums;
  sum_row<L, Main>(classes, sums, [&]<class M, bool whole>(size_t at) CRITMAP_INLINE_LAMBDA {
    // Elements beyond the row: no weight, and a raw logit of 0.
    const auto z = load_part<M, whole>(original, at, classes, -3e38f);
    const auto y = load_part<M, whole>(changed, at, classes, -3e38f);
    const auto a = M::larger(z - M::set(top.original), M::set(floor)),
               b = M::larger(y - M::set(top.changed), M::set(floor));
    const auto both = exponential<Pair<M>>({a, b});
    M::store(exp_z + at, both.a);
    M::store(exp_y + at, both.b);
    M::store(gap + at, a - b);
    const auto own = (whole ? y : load_part<M, whole>(changed, at, classes, 0.0f)) * M::set(raw_scale);
    sums.add(0, both.a);
    sums.add(1, both.b);
    sums.add(2, own);
    sums.add(3, own * a);
  });
  const double weight_z = sums.total(0), weight_y = sums.total(1);
  out.changed = sums.total(2) / raw_scale;
  out.changed_times_original = sums.total(3) / raw_scale;
  out.log_weight_original = logarithm(weight_z);
  out.log_weight_changed = logarithm(weight_y);
  out.top_changed = double(top.changed);

  // p and q times 2^40, which keeps squares of small differences out of the denormal numbers.
  const float scale_p = float(0x1p40 / weight_z), scale_q = float(0x1p40 / weight_y);
  const float shift = float(out.log_weight_original - out.log_weight_changed);
  Sums<L, 7> last;
  sum_row<L, Main>(classes, last, [&]<class M, bool>(size_t at) CRITMAP_INLINE_LAMBDA {
    // The next rows, while there is computing to do.
    for (int i = 0; i < M::width; i += 16) {
      prefetch(original, classes + at + size_t(i));
      prefetch(changed, classes + at + size_t(i));
    }
    const auto p = M::load(exp_z + at) * M::set(scale_p), q = M::load(exp_y + at) * M::set(scale_q);
    const auto difference = p - q, sum = p + q, distance = magnitude<M>(difference);
    // ln(p / q) from the logits, so it is finite where q has vanished.
    const auto ratio = M::load(gap + at) - M::set(shift);
    // With s = |p - q| / (p + q), the element's part of JS is (p + q) / 4 times
    // (1 + s) ln(1 + s) + (1 - s) ln(1 - s) = 2 ln(1 + s) - (1 - s) |ln(p / q)|.
    const auto s = distance / M::larger(sum, M::set(1e-30f));
    const auto bend = twice_logarithm_1p<M>(s) - (M::set(1.0f) - s) * magnitude<M>(ratio);
    last.add(0, distance);
    last.add(1, difference * difference);
    last.add(2, p * ratio);
    last.add(3, sum * bend);
    last.add(4, p * p);
    last.add(5, q * q);
    last.add(6, p * q);
  });
  out.l1 = last.total(0) * 0x1p-40;
  out.l2_square = last.total(1) * 0x1p-80;
  out.kl = last.total(2) * 0x1p-40;
  out.js = last.total(3) * 0x1p-42;
  out.square_p = last.total(4) * 0x1p-80;
  out.square_q = last.total(5) * 0x1p-80;
  out.product = last.total(6) * 0x1p-80;
}

template <class L>
size_t rank_kernel(const float* logits, size_t classes, size_t label) {
  const auto own = L::set(logits[label]);
  size_t above = 0;
  walk_row(classes, [&]<bool whole>(size_t at) CRITMAP_INLINE_LAMBDA {
    const auto x = load_part<L, whole>(logits, at, classes, -INFINITY);
    uint32_t counted = L::lane_bits(own < x);
    if (at < label) {
      const uint32_t before = label - at >= 16 ? 0xffffu : (1u << (label - at)) - 1u;
      counted |= L::lane_bits(x == own) & before;
    }
    for (; counted; counted &= counted - 1) above++;
  });
  return above;
}

template <class L>
void square_sums_kernel(const float* original, const float* changed, size_t count, double (&sums)[2]) {
  auto own = L::zero(), difference = L::zero();
  walk_row(count, [&]<bool whole>(size_t at) CRITMAP_INLINE_LAMBDA {
    const auto a = L::widen(load_part<L, whole>(original, at, count, 0.0f));
    const auto d = L::widen(load_part<L, whole>(changed, at, count, 0.0f)) - a;
    own = own + a * a;
    difference = difference + d * d;
  });
  sums[0] = L::sum(own);
  sums[1] = L::sum(difference);
}

}  // namespace critmap
