// The sums of resample.h over one row, and over rows. Included by the kernels_*.cpp files, whose instructions
// decide how wide the vectors are. Integers throughout, so every code path gives the same bits.
#pragma once

#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include "resample_taps.h"
#if defined(__SSE2__)
#include <immintrin.h>
#endif

namespace critmap {
namespace {

constexpr int32_t weight_half = int32_t(1) << (weight_bits - 1);

// One sum at a time: ends of rows, grey, and other processors.
inline uint8_t weighted_pixel(const uint8_t* from, size_t step, const int32_t* weights, size_t count) {
  int32_t sum = weight_half;
  for (size_t t = 0; t < count; t++) sum += from[t * step] * weights[t];
  const int32_t value = sum >> weight_bits;
  return uint8_t(value < 0 ? 0 : value > 255 ? 255 : value);
}

#if defined(__SSE2__)

// Four sums; the lanes' names are those of every width.
struct FourLanes {
  using Sums = __m128i;
  static constexpr size_t width = 4;
  static Sums start() { return _mm_set1_epi32(weight_half); }
  static Sums add(Sums sums, const uint8_t* from, int32_t weight) {
    int32_t bytes;
    memcpy(&bytes, from, sizeof(bytes));
    const __m128i pixels = _mm_cvtsi32_si128(bytes);
#if defined(__SSE4_1__)
    return _mm_add_epi32(sums, _mm_mullo_epi32(_mm_cvtepu8_epi32(pixels), _mm_set1_epi32(weight)));
#else
    // Two 16-bit factors; a pixel is in both halves of its lane.
    const __m128i pairs = _mm_unpacklo_epi8(_mm_unpacklo_epi8(pixels, pixels), _mm_setzero_si128());
    const __m128i low = _mm_madd_epi16(pairs, _mm_set1_epi32(weight & 0xfff));
    const __m128i high = _mm_madd_epi16(pairs, _mm_set1_epi32((weight >> 12) & 0xffff));
    return _mm_add_epi32(sums, _mm_add_epi32(low, _mm_slli_epi32(high, 12)));
#endif
  }
  static void store(Sums sums, uint8_t* to) {
    const __m128i words = _mm_packs_epi32(_mm_srai_epi32(sums, weight_bits), _mm_setzero_si128());
    const int32_t bytes = _mm_cvtsi128_si32(_mm_packus_epi16(words, words));
    memcpy(to, &bytes, sizeof(bytes));
  }
};

#if defined(__AVX512BW__)
struct WideLanes {
  using Sums = __m512i;
  static constexpr size_t width = 16;
  static Sums start() { return _mm512_set1_epi32(weight_half); }
  static Sums add(Sums sums, const uint8_t* from, int32_t weight) {
    const __m128i bytes = _mm_loadu_si128(reinterpret_cast<const __m128i*>(from));
    const __m512i pixels = _mm512_cvtepu8_epi32(bytes);
    return _mm512_add_epi32(sums, _mm512_mullo_epi32(pixels, _mm512_set1_epi32(weight)));
  }
  static void store(Sums sums, uint8_t* to) {
    const __m512i values = _mm512_max_epi32(_mm512_srai_epi32(sums, weight_bits), _mm512_setzero_si512());
    _mm_storeu_si128(reinterpret_cast<__m128i*>(to), _mm512_cvtusepi32_epi8(values));
  }
};
#elif defined(__AVX2__)
struct WideLanes {
  using Sums = __m256i;
  static constexpr size_t width = 8;
  static Sums start() { return _mm256_set1_epi32(weight_half); }
  static Sums add(Sums sums, const uint8_t* from, int32_t weight) {
    const __m128i bytes = _mm_loadl_epi64(reinterpret_cast<const __m128i*>(from));
    const __m256i pixels = _mm256_cvtepu8_epi32(bytes);
    return _mm256_add_epi32(sums, _mm256_mullo_epi32(pixels, _mm256_set1_epi32(weight)));
  }
  static void store(Sums sums, uint8_t* to) {
    const __m256i values = _mm256_srai_epi32(sums, weight_bits);
    const __m128i words =
        _mm_packs_epi32(_mm256_castsi256_si128(values), _mm256_extracti128_si256(values, 1));
    _mm_storel_epi64(reinterpret_cast<__m128i*>(to), _mm_packus_epi16(words, words));
  }
};
#else
using WideLanes = FourLanes;
#endif

// A pixel of three channels is a vector of four; the fourth is overwritten by the next pixel.
inline void resample_colours(const uint8_t* row, const Taps& taps, uint8_t* out) {
  const int32_t* weights = taps.weights;
  for (size_t i = 0; i < taps.outputs; i++, weights += taps.stride) {
    const uint8_t* const from = row + size_t(taps.starts[i]) * 3;
    FourLanes::Sums sums = FourLanes::start();
    for (size_t t = 0; t < taps.counts[i]; t++) sums = FourLanes::add(sums, from + t * 3, weights[t]);
    FourLanes::store(sums, out + i * 3);
  }
}

// As many bytes as fill whole vectors; returns how many.
inline size_t blend_whole(const uint8_t* rows, size_t pitch, const int32_t* weights, size_t count,
                          size_t width, uint8_t* out) {
  size_t at = 0;
  for (; at + WideLanes::width <= width; at += WideLanes::width) {
    WideLanes::Sums sums = WideLanes::start();
    for (size_t t = 0; t < count; t++) sums = WideLanes::add(sums, rows + t * pitch + at, weights[t]);
    WideLanes::store(sums, out + at);
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
