// e^x for x <= 0 and ln x, without libm, so that every compiler and device gives the same bits.
// Coefficients: test/oracle/fit_normal.py.
#pragma once

#include "random/normal.h"

namespace critmap {

// e^a in float32 for a <= 0, exactly 1 at 0; relative error below 1.5e-7 + 6e-8 |a|. Below -43 it is 0: such
// a class has less than 3e-19 of the weight of the best one.
template <class L>
CRITMAP_HD typename L::Floats exponential(typename L::Floats a) {
  // exp2, degree 5
  constexpr float terms[] = {0.00132647273f, 0.00967151299f, 0.0555073358f, 0.240222424f, 0.693147004f, 1.0f};
  // a log2(e) = n + f; adding 1.5 * 2^23 rounds to an integer and leaves it in the low bits.
  const auto shifter = L::set(12582912.0f);
  const auto exponent = a * L::set(1.44269504f);
  const auto shifted = exponent + shifter;
  const auto power = polynomial<L>(terms, exponent - (shifted - shifter));
  const auto scaled = L::from_bits(L::bits(power) + L::template shift_left<23>(L::bits(shifted)));
  // Far below, `scaled` is garbage that is not chosen.
  return L::choose(L::set(-43.0f) < a, scaled, L::set(0.0f));
}

// 2 ln(1 + s) for s in [0, 1], absolute error below 2e-7, exactly 0 at 0.
template <class L>
CRITMAP_HD typename L::Floats twice_logarithm_1p(typename L::Floats s) {
  // 2 log1p, degree 7
  constexpr float terms[] = {-0.0129052363f, 0.0721690804f, -0.190645054f, 0.335295767f,
                             -0.481461525f,  0.663596511f,  -0.999748111f, 1.99999285f};
  return s * polynomial<L>(terms, s);
}

// ln x in float64 for a normal positive x, error below 1e-15 of the larger of 1 and the result: the odd
// series of 2 artanh((m - 1) / (m + 1)), x = m 2^k with m in [sqrt(1/2), sqrt(2)).
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
