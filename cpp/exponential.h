// e^x for x <= 0 and ln x, without libm, so that every compiler and device gives the same bits.
// Coefficients: test/oracle/fit_normal.py.
#pragma once

#include "normal.h"

namespace critmap {

// e^a in float32 for a <= 0: relative error below 2e-7, exactly 1 at 0. Below -43 it is 0: such a class has less than
// 3e-19 of the weight of the best one, and squares of what is left stay clear of slow denormal numbers.
template <class L>
CRITMAP_HD typename L::Floats exponential(typename L::Floats a) {
  constexpr float terms[] = {/* exp, degree 5 */ 0.0082976548f, 0.0419153832f, 0.166675746f,
                             0.499988943f, 0.999999702f, 1.0f};
  // a = n ln 2 + f; adding 1.5 * 2^23 rounds to an integer and leaves it in the low bits.
  const auto shifter = L::set(12582912.0f);
  const auto limited = L::larger(a, L::set(-44.0f));
  const auto shifted = limited * L::set(1.44269504f) + shifter;
  const auto n = shifted - shifter;
  const auto f = (limited - n * L::set(0.693359375f)) - n * L::set(-2.12194440e-4f);
  const auto e = polynomial<L>(terms, f);
  const auto scaled = L::from_bits(L::bits(e) + L::template shift_left<23>(L::bits(shifted)));
  return L::choose(L::set(-43.0f) < a, scaled, L::set(0.0f));
}

// ln(1 + s) for s in [0, 1], absolute error below 1e-7, exactly 0 at 0.
template <class L>
CRITMAP_HD typename L::Floats logarithm_1p(typename L::Floats s) {
  constexpr float terms[] = {/* log1p, degree 7 */ -0.00645261817f, 0.0360845402f, -0.095322527f, 0.167647883f,
                             -0.240730762f, 0.331798255f, -0.499874055f, 0.999996424f};
  return s * polynomial<L>(terms, s);
}

// ln x in float64 for a normal positive x, error below 1e-15 of the larger of 1 and the result: the odd series of
// 2 artanh((m - 1) / (m + 1)), x = m 2^k with m in [sqrt(1/2), sqrt(2)).
CRITMAP_HD double logarithm(double x) {
  uint64_t bits;
  memcpy(&bits, &x, 8);
  const uint64_t offset = 0x3fe6a09e667f3bcdull;
  const int64_t k = int64_t(bits - offset) >> 52;
  bits -= uint64_t(k) << 52;
  double m;
  memcpy(&m, &bits, 8);
  const double s = (m - 1) / (m + 1), square = s * s;
  double sum = 0;
  for (int i = 21; i >= 1; i -= 2) sum = sum * square + 1.0 / i;
  return double(k) * 0.6931471805599453094 + 2 * s * sum;
}

}  // namespace critmap
