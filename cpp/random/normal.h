// A standard normal from 32 random bits: the inverse of the cumulative distribution by polynomials in
// float32. Bit 31 is the sign, the other 31 bits r give p = (r + 1/2) / 2^32 in (0, 1/2), so |z| reaches 6.3.
// Against the exact quantile the relative error is at most 5.1e-7 over all 2^31 values of r (measured
// exhaustively). Coefficients: test/oracle/fit_normal.py.
#pragma once

#include "simd/lanes.h"

namespace critmap {

// c[0] x^(N-1) + ... + c[N-1].
template <class L, int N>
CRITMAP_HD typename L::Floats polynomial(const float (&c)[N], typename L::Floats x) {
  typename L::Floats sum = L::set(c[0]);
  for (int i = 1; i < N; i++) sum = sum * x + L::set(c[i]);
  return sum;
}

// With x = 1/2 - p and t = 4 p (1 - p) = 1 - 4 x^2, the quantile is x times a smooth function of w = -log2 t.
// p and x are both taken from the bits, so neither end loses digits.
template <class L>
CRITMAP_HD typename L::Floats normal(typename L::Words random) {
  using F = typename L::Floats;
  using U = typename L::Words;
  // log2, degree 6
  constexpr float log_terms[] = {-0.257091135f, 0.284250826f, -0.283652872f, 0.357728899f,
                                 -0.481066793f, 0.721402705f, -1.44269359f};
  // central, w < 7.25, degree 7
  constexpr float centre[] = {6.89686601e-08f, -2.73949559e-06f, 3.85848798e-05f, -0.000132649962f,
                              -0.00212519453f, 0.015639754f,     0.454881847f,    2.50662756f};
  // sqrt(w) - 4, degree 7
  constexpr float tail[] = {-0.000133602502f, 0.000723095553f, -0.00164143066f, 0.00261851563f,
                            -0.00486170966f,  0.00891500339f,  2.36905384f,     8.9507246f};
  const U r = random & L::set(0x7fffffffu);
  // In units of 2^-32.
  const F p = L::to_floats(r) + L::set(0.5f);
  const F x = L::to_floats(r ^ L::set(0x7fffffffu)) + L::set(0.5f);
  // t * 2^62 = 2^k * (1 + f), 1 + f in [2/3, 4/3).
  const F t = p * (x + L::set(2147483648.0f));
  constexpr uint32_t two_thirds = 0x3f2aaaabu;
  const U d = L::bits(t) - L::set(two_thirds + (62u << 23));
  const F f = L::from_bits((d & L::set(0x007fffffu)) + L::set(two_thirds)) - L::set(1.0f);
  const F k = L::to_floats(d & L::set(0xff800000u));
  const F w = k * L::set(-0x1p-23f) + f * polynomial<L>(log_terms, f);
  F ratio = polynomial<L>(centre, w);
  const auto far = L::set(7.25f) < w;
  if (L::any(far)) {
    // One draw in 300. Clamped where the square root would not be needed, or not be real.
    const F s = L::root(L::larger(w, L::set(7.25f))) - L::set(4.0f);
    ratio = L::choose(far, polynomial<L>(tail, s), ratio);
  }
  const F size = x * L::set(0x1p-32f) * ratio;
  return L::from_bits(L::bits(size) | (random & L::set(0x80000000u)));
}

}  // namespace critmap
