// The sums of resample.h over one row, and over rows. Included by the kernels_*.cpp files, whose instructions
// decide how wide the vectors are. Integers throughout, so every code path gives the same bits.
#pragma once

#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include "images/resample_taps.h"
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

#if defined(__AVX2__)

// The sums of one output, in two halves: of the first and the last two of every four taps.
inline __m256i colour_sums(const uint8_t* from, const PairedWeights* weights, size_t groups) {
  // Two neighbours side by side for every colour.
  const __m256i pairs = _mm256_setr_epi8(0, -1, 3, -1, 1, -1, 4, -1, 2, -1, 5, -1, -1, -1, -1, -1,  //
                                         6, -1, 9, -1, 7, -1, 10, -1, 8, -1, 11, -1, -1, -1, -1, -1);
  const auto load = [](const void* at) { return _mm256_loadu_si256(static_cast<const __m256i*>(at)); };
  __m256i low = _mm256_setzero_si256(), high = low;
  for (size_t g = 0; g < groups; g++, weights++, from += PairedWeights::taps * 3) {
    const __m128i bytes = _mm_loadu_si128(reinterpret_cast<const __m128i*>(from));
    const __m256i pixels = _mm256_shuffle_epi8(_mm256_broadcastsi128_si256(bytes), pairs);
    low = _mm256_add_epi32(low, _mm256_madd_epi16(pixels, load(weights->low)));
    high = _mm256_add_epi32(high, _mm256_madd_epi16(pixels, load(weights->high)));
  }
  return _mm256_add_epi32(low, _mm256_slli_epi32(high, PairedWeights::low_bits));
}

// Two outputs at once. A pixel is stored as four bytes; the fourth is overwritten by the next pixel.
inline void resample_colours(const uint8_t* row, const Taps& taps, size_t groups, uint8_t* out) {
  const uint32_t* const starts = taps.starts;
  const PairedWeights* const weights = taps.paired;
  const size_t outputs = taps.outputs;
  const auto sums_of = [&](size_t i) {
    return colour_sums(row + size_t(starts[i]) * 3, weights + i * groups, groups);
  };
  for (size_t i = 0; i < outputs; i += 2, out += 6) {
    const bool both = i + 1 < outputs;
    const __m256i first = sums_of(i), second = both ? sums_of(i + 1) : first;
    const __m256i sums = _mm256_add_epi32(_mm256_permute2x128_si256(first, second, 0x20),
                                          _mm256_permute2x128_si256(first, second, 0x31));
    const __m256i values =
        _mm256_srai_epi32(_mm256_add_epi32(sums, _mm256_set1_epi32(weight_half)), weight_bits);
    const __m256i words = _mm256_packs_epi32(values, values);
    const __m256i bytes = _mm256_packus_epi16(words, words);
    const int32_t pixels[2] = {_mm256_extract_epi32(bytes, 0), _mm256_extract_epi32(bytes, 4)};
    memcpy(out, &pixels[0], 4);
    if (both) memcpy(out + 3, &pixels[1], 4);
  }
}

inline void resample_colours(const uint8_t* row, const Taps& taps, uint8_t* out) {
  // What is known when it is compiled is not counted in a loop; this is what photographs mostly have.
  if (taps.groups == 1) return resample_colours(row, taps, 1, out);
  resample_colours(row, taps, taps.groups, out);
}

#else

// A pixel of three channels is a vector of four; the fourth is overwritten by the next pixel.
inline void resample_colours(const uint8_t* row, const Taps& taps, uint8_t* out) {
  const int32_t* weights = taps.weights;
  for (size_t i = 0; i < taps.outputs; i++, weights += taps.count) {
    const uint8_t* const from = row + size_t(taps.starts[i]) * 3;
    FourLanes::Sums sums = FourLanes::start();
    for (size_t t = 0; t < taps.count; t++) sums = FourLanes::add(sums, from + t * 3, weights[t]);
    FourLanes::store(sums, out + i * 3);
  }
}

#endif

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
                            taps.weights + pixel * taps.count, taps.count);
  }
}

inline size_t blend_whole(const uint8_t*, size_t, const int32_t*, size_t, size_t, uint8_t*) { return 0; }

#endif

inline void resample_row_kernel(const uint8_t* row, const Taps& taps, size_t channels, uint8_t* out) {
  if (channels == 3) return resample_colours(row, taps, out);
  for (size_t i = 0; i < taps.outputs; i++) {
    out[i] = weighted_pixel(row + taps.starts[i], 1, taps.weights + i * taps.count, taps.count);
  }
}

inline void blend_rows_kernel(const uint8_t* rows, size_t pitch, const int32_t* weights, size_t count,
                              size_t width, uint8_t* out) {
  size_t at = blend_whole(rows, pitch, weights, count, width, out);
  for (; at < width; at++) out[at] = weighted_pixel(rows + at, pitch, weights, count);
}

}  // namespace
}  // namespace critmap
