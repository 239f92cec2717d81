// Rules that make an element's new value of its old one alone: rounding to a grid of few numbers, and setting
// the smallest to zero. Only IEEE + - * / and comparisons, so that every code path and device gives the same
// bits. NaN stays NaN.
#pragma once

#include "resets/reset_kinds.h"
#include "simd/lanes.h"

namespace critmap {

// Ties to even, as nearbyint; for |x| < 2^22. Zero comes out as +0.
CRITMAP_HD float nearest_whole(float x) {
  constexpr float magic = 0x1.8p23f;
  return round_subtract(round_add(x, magic), magic);
}

// The nearest float of 4 exponent and 3 mantissa bits, ties to even, without a limit upwards. Below 2^-6 its
// spacing stays 2^-9.
CRITMAP_HD float nearest_e4m3(float x) {
  constexpr float magic = 0x1.8p14f;
  const float small = round_subtract(round_add(x, magic), magic);
  const uint32_t bits = float_bits(x), size = bits & 0x7fffffffu;
  const uint32_t rounded = (bits + 0x7ffffu + (bits >> 20 & 1u)) & ~0xfffffu;
  // Infinity and NaN would be rounded to others of their kind, or past the end.
  const float large = bits_float(size < 0x7f800000u ? rounded : bits);
  return size < float_bits(0x1p-6f) ? small : large;
}

// x / scale rounded to the grid, times scale: what is left of x when it is stored so.
CRITMAP_HD float quantized(float x, float scale, Grid grid, float largest) {
  const float scaled = round_multiply(x, round_divide(1.0f, scale));
  float nearest = grid == Grid::whole ? nearest_whole(scaled) : nearest_e4m3(scaled);
  if (nearest > largest) nearest = largest;
  if (nearest < -largest) nearest = -largest;
  return round_multiply(nearest, scale);
}

// Zero below the threshold; at the threshold, for the elements before `ties`.
CRITMAP_HD float pruned(float x, uint64_t element, float threshold, uint64_t ties) {
  const float size = x < 0 ? -x : x;
  return size < threshold || (size == threshold && element < ties) ? 0.0f : x;
}

}  // namespace critmap
