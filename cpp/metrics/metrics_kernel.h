// The sums of metrics.h over one row, for 16 lanes. Element c belongs to lane c % 16. Terms are float32;
// eight at a time are added per lane in float32, those sums in float64, and the 16 lanes in a fixed tree, so
// every code path gives the same bits. Included by the kernels_*.cpp files.
#pragma once

#include "metrics/metrics_terms.h"

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
  const RowMaxima top = row_maxima<L>(original, changed, classes);
  out.finite = is_finite(top);
  if (!out.finite) return;
  // Equal maxima go to the lowest index, in either row.
  const size_t best = first_equal<L>(original, classes, top.original);
  out.agree = changed[best] == top.changed && first_equal<L>(changed, classes, top.changed) == best;

  const size_t padded = row_padding(classes);
  // On a cache line, so that no vector store crosses two.
  float* const exp_z = scratch + (64 - (reinterpret_cast<uintptr_t>(scratch) & 63)) / sizeof(float);
  float* const exp_y = exp_z + padded;
  float* const gap = exp_y + padded;
  const float scale = raw_scale(top);

  Sums<L, weight_sums> sums;
  sum_row<L, Main>(classes, sums, [&]<class M, bool whole>(size_t at) CRITMAP_INLINE_LAMBDA {
    // Elements beyond the row: no weight, however low the maximum is, and a raw logit of 0.
    const auto z = load_part<M, whole>(original, at, classes, -INFINITY);
    const auto y = load_part<M, whole>(changed, at, classes, -INFINITY);
    const Weighed<M> element = weigh<M>(z, y, top);
    M::store(exp_z + at, element.original);
    M::store(exp_y + at, element.changed);
    M::store(gap + at, element.gap);
    const auto own = (whole ? y : load_part<M, whole>(changed, at, classes, 0.0f)) * M::set(scale);
    add_weights<M>(sums, element, own);
  });
  const double weight_z = sums.total(0), weight_y = sums.total(1);
  out.changed = sums.total(2) / scale;
  out.changed_times_original = sums.total(3) / scale;
  out.log_weight_original = logarithm(weight_z);
  out.log_weight_changed = logarithm(weight_y);
  out.top_changed = double(top.changed);

  const RowScales scales = row_scales(weight_z, weight_y, out.log_weight_original, out.log_weight_changed);
  Sums<L, distance_sums> last;
  sum_row<L, Main>(classes, last, [&]<class M, bool>(size_t at) CRITMAP_INLINE_LAMBDA {
    // The next rows, while there is computing to do.
    for (int i = 0; i < M::width; i += 16) {
      prefetch(original, classes + at + size_t(i));
      prefetch(changed, classes + at + size_t(i));
    }
    add_distances<M>(last, M::load(exp_z + at), M::load(exp_y + at), M::load(gap + at), scales);
  });
  double totals[distance_sums];
  for (int k = 0; k < distance_sums; k++) totals[k] = last.total(k);
  take_distances(totals, out);
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
