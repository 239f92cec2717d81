// The sums of resample.h over one row, and over rows. Included by the kernels_*.cpp files, whose instructions
// decide how wide the vectors are. Integers throughout, so every code path gives the same bits.
#pragma once

#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include "resample_taps.h"

namespace critmap {
namespace {

constexpr int32_t weight_half = int32_t(1) << (weight_bits - 1);

// One sum at a time: ends of rows, grey, and compilers without vectors.
inline uint8_t weighted_pixel(const uint8_t* from, size_t step, const int32_t* weights, size_t count) {
  int32_t sum = weight_half;
  for (size_t t = 0; t < count; t++) sum += from[t * step] * weights[t];
  const int32_t value = sum >> weight_bits;
  return uint8_t(value < 0 ? 0 : value > 255 ? 255 : value);
}

#if defined(__GNUC__)

// The names of one vector width; types that depend on a template parameter are no vectors to GCC.
#define CRITMAP_INTEGER_LANES(Name, lanes)                                    \
  struct Name {                                                               \
    static constexpr size_t width = lanes;                                    \
    typedef int32_t Sums __attribute__((vector_size(lanes * 4)));             \
    typedef uint8_t Pixels __attribute__((vector_size(lanes)));               \
    static inline void add(Sums& sums, const uint8_t* from, int32_t weight) { \
      Pixels pixels;                                                          \
      memcpy(&pixels, from, sizeof(pixels));                                  \
      sums += __builtin_convertvector(pixels, Sums) * weight;                 \
    }                                                                         \
    static inline void store(Sums& sums, uint8_t* to) {                       \
      sums >>= weight_bits;                                                   \
      sums = sums < 0 ? 0 : sums;                                             \
      sums = sums > 255 ? 255 : sums;                                         \
      const Pixels pixels = __builtin_convertvector(sums, Pixels);            \
      memcpy(to, &pixels, sizeof(pixels));                                    \
    }                                                                         \
  }
CRITMAP_INTEGER_LANES(FourLanes, 4);
#if defined(__AVX512BW__)
CRITMAP_INTEGER_LANES(BlendLanes, 16);
#elif defined(__AVX2__)
CRITMAP_INTEGER_LANES(BlendLanes, 8);
#else
using BlendLanes = FourLanes;
#endif
#undef CRITMAP_INTEGER_LANES

// A pixel of three channels is a vector of four; the fourth is overwritten by the next pixel.
inline void resample_colours(const uint8_t* row, const Taps& taps, uint8_t* out) {
  const int32_t* weights = taps.weights;
  for (size_t i = 0; i < taps.outputs; i++, weights += taps.stride) {
    const uint8_t* const from = row + size_t(taps.starts[i]) * 3;
    FourLanes::Sums sums = FourLanes::Sums{} + weight_half;
    for (size_t t = 0; t < taps.counts[i]; t++) FourLanes::add(sums, from + t * 3, weights[t]);
    FourLanes::store(sums, out + i * 3);
  }
}

// As many bytes as fill whole vectors; returns how many.
inline size_t blend_whole(const uint8_t* rows, size_t pitch, const int32_t* weights, size_t count,
                          size_t width, uint8_t* out) {
  size_t at = 0;
  for (; at + BlendLanes::width <= width; at += BlendLanes::width) {
    BlendLanes::Sums sums = BlendLanes::Sums{} + weight_half;
    for (size_t t = 0; t < count; t++) BlendLanes::add(sums, rows + t * pitch + at, weights[t]);
    BlendLanes::store(sums, out + at);
  }
  return at;
}

#else

inline void resample_colours(const uint8_t* row, const Taps& taps, uint8_t* out) {
  for (size_t i = 0; i < taps.outputs * 3; i++) {
    const size_t pixel = i / 3;
    out[i] = weighted_pixel(row + size_t(taps.starts[pixel]) * 3 + i % 3, 3,
                            taps.weights + pixel * taps.stride, taps.counts[pixel]);
  }
}

inline size_t blend_whole(const uint8_t*, size_t, const int32_t*, size_t, size_t, uint8_t*) { return 0; }

#endif

inline void resample_row_kernel(const uint8_t* row, const Taps& taps, size_t channels, uint8_t* out) {
  if (channels == 3) return resample_colours(row, taps, out);
  for (size_t i = 0; i < taps.outputs; i++) {
    out[i] = weighted_pixel(row + taps.starts[i], 1, taps.weights + i * taps.stride, taps.counts[i]);
  }
}

inline void blend_rows_kernel(const uint8_t* rows, size_t pitch, const int32_t* weights, size_t count,
                              size_t width, uint8_t* out) {
  size_t at = blend_whole(rows, pitch, weights, count, width, out);
  for (; at < width; at++) out[at] = weighted_pixel(rows + at, pitch, weights, count);
}

}  // namespace
}  // namespace critmap
