// The terms that metrics.h sums over a row and what follows from the sums: one definition for every code path
// and for CUDA. How a row is walked is the caller's: metrics_kernel.h on a processor, metrics.cu on a card.
#pragma once

#include "metrics/exponential.h"
#include "metrics/metrics.h"
#include "simd/lanes_pair.h"

namespace critmap {

template <class L>
CRITMAP_HD typename L::Floats magnitude(typename L::Floats x) {
  return L::from_bits(L::bits(x) & L::set(0x7fffffffu));
}

struct RowMaxima {
  float original, changed;
  // Bits of the largest magnitude in either row, which are those of a number if all logits are finite.
  uint32_t magnitude;
};

CRITMAP_HD bool is_finite(const RowMaxima& top) { return top.magnitude < 0x7f800000u; }

// With raw logits of 2^64 and more scaled down, products stay finite.
CRITMAP_HD float raw_scale(const RowMaxima& top) { return top.magnitude < 0x5f800000u ? 1.0f : 0x1p-64f; }

// An element's weights in the two softmaxes, before they are divided by their sums.
template <class M>
struct Weighed {
  typename M::Floats original, changed;
  // The original logit below its maximum, and how much less the changed one is below its own.
  typename M::Floats below, gap;
};

template <class M>
CRITMAP_HD Weighed<M> weigh(typename M::Floats z, typename M::Floats y, const RowMaxima& top) {
  // A difference of finite logits may overflow: beyond 1e18 it counts as 1e18.
  const auto floor = M::set(-1e18f);
  const auto a = M::larger(z - M::set(top.original), floor), b = M::larger(y - M::set(top.changed), floor);
  const auto both = exponential<Pair<M>>({a, b});
  return {both.a, both.b, a, a - b};
}

// `own` is the changed logit times `raw_scale`.
template <class M, class Sums>
CRITMAP_HD void add_weights(Sums& sums, const Weighed<M>& element, typename M::Floats own) {
  sums.add(0, element.original);
  sums.add(1, element.changed);
  sums.add(2, own);
  sums.add(3, own * element.below);
}

// What the second pass over a row needs of the first one's sums.
struct RowScales {
  // p and q times 2^40, which keeps squares of small differences out of the denormal numbers.
  float p, q;
  float shift;
};

CRITMAP_HD RowScales row_scales(double weight_original, double weight_changed, double log_weight_original,
                                double log_weight_changed) {
  return {float(0x1p40 / weight_original), float(0x1p40 / weight_changed),
          float(log_weight_original - log_weight_changed)};
}

template <class M, class Sums>
CRITMAP_HD void add_distances(Sums& sums, typename M::Floats weight_original,
                              typename M::Floats weight_changed, typename M::Floats gap,
                              const RowScales& scales) {
  const auto p = weight_original * M::set(scales.p), q = weight_changed * M::set(scales.q);
  const auto difference = p - q, sum = p + q, distance = magnitude<M>(difference);
  // ln(p / q) from the logits, so it is finite where q has vanished.
  const auto ratio = gap - M::set(scales.shift);
  // With s = |p - q| / (p + q), the element's part of JS is (p + q) / 4 times
  // (1 + s) ln(1 + s) + (1 - s) ln(1 - s) = 2 ln(1 + s) - (1 - s) |ln(p / q)|.
  const auto s = distance / M::larger(sum, M::set(1e-30f));
  const auto bend = twice_logarithm_1p<M>(s) - (M::set(1.0f) - s) * magnitude<M>(ratio);
  sums.add(0, distance);
  sums.add(1, difference * difference);
  sums.add(2, p * ratio);
  sums.add(3, sum * bend);
  sums.add(4, p * p);
  sums.add(5, q * q);
  sums.add(6, p * q);
}

// How many sums `add_weights` and `add_distances` make.
constexpr int weight_sums = 4, distance_sums = 7;

CRITMAP_HD void take_distances(const double (&sums)[distance_sums], RowSums& out) {
  out.l1 = sums[0] * 0x1p-40;
  out.l2_square = sums[1] * 0x1p-80;
  out.kl = sums[2] * 0x1p-40;
  out.js = sums[3] * 0x1p-42;
  out.square_p = sums[4] * 0x1p-80;
  out.square_q = sums[5] * 0x1p-80;
  out.product = sums[6] * 0x1p-80;
}

// K running sums of one lane or several: float32 over at most eight terms, then float64.
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

// A row's metrics from its sums; NaN if it is not finite. Cosine, L1 and JS are kept within their bounds.
struct RowMetrics {
  double cosine, l1, l2, kl, js, published_cross_entropy;
};

CRITMAP_HD double limit(double value, double low, double high) {
  return value < low ? low : value > high ? high : value;
}

CRITMAP_HD RowMetrics row_metrics(const RowSums& sums) {
  if (!sums.finite) return {double(NAN), double(NAN), double(NAN), double(NAN), double(NAN), double(NAN)};
  return {limit(sums.product / sqrt(sums.square_p * sums.square_q), 0, 1),
          limit(sums.l1, 0, 2),
          sqrt(sums.l2_square),
          sums.kl > 0 ? sums.kl : 0,
          limit(sums.js / 0.69314718055994530942, 0, 1),
          sums.log_weight_original * sums.changed - sums.changed_times_original};
}

// Cross-entropy of the changed logits with a label whose logit is `own`.
CRITMAP_HD double label_loss(const RowSums& sums, float own) {
  return sums.log_weight_changed + (sums.top_changed - double(own));
}

}  // namespace critmap
