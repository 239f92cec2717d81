// Sixteen lanes in one 512-bit register: the names of lanes.h for AVX-512 (F, DQ, BW, VL). Included by one
// file only.
#pragma once

#include <immintrin.h>

#include "simd/lanes.h"

namespace critmap {
namespace {

struct Avx512Lanes {
  struct Floats {
    __m512 v;
  };
  struct Words {
    __m512i v;
  };
  struct Mask {
    __mmask16 v;
  };
  // Eight blocks; lane order 0 4 1 5 2 6 3 7, which makes `pack` free of cross-lane moves.
  struct Wide {
    __m512i v;
  };
  struct Doubles {
    __m512d low, high;
  };

  static constexpr int width = 16;
  static constexpr int blocks = 8;
  static constexpr int registers = 2;

  CRITMAP_HD static Floats set(float x) { return {_mm512_set1_ps(x)}; }
  CRITMAP_HD static Words set(uint32_t x) { return {_mm512_set1_epi32(int(x))}; }
  CRITMAP_HD static Wide set_wide(uint64_t x) { return {_mm512_set1_epi64(int64_t(x))}; }
  CRITMAP_HD static Floats load(const float* from) { return {_mm512_loadu_ps(from)}; }
  CRITMAP_HD static void store(float* to, Floats a) { _mm512_storeu_ps(to, a.v); }
  CRITMAP_HD static void store(uint32_t* to, Words a) { _mm512_storeu_si512(to, a.v); }

  friend CRITMAP_HD Floats operator+(Floats a, Floats b) { return {_mm512_add_ps(a.v, b.v)}; }
  friend CRITMAP_HD Floats operator-(Floats a, Floats b) { return {_mm512_sub_ps(a.v, b.v)}; }
  friend CRITMAP_HD Floats operator*(Floats a, Floats b) { return {_mm512_mul_ps(a.v, b.v)}; }
  friend CRITMAP_HD Floats operator/(Floats a, Floats b) { return {_mm512_div_ps(a.v, b.v)}; }
  CRITMAP_HD static Floats root(Floats a) { return {_mm512_sqrt_ps(a.v)}; }
  CRITMAP_HD static Floats larger(Floats a, Floats b) { return {_mm512_max_ps(a.v, b.v)}; }
  CRITMAP_HD static Floats smaller(Floats a, Floats b) { return {_mm512_min_ps(a.v, b.v)}; }
  friend CRITMAP_HD Mask operator<(Floats a, Floats b) { return {_mm512_cmp_ps_mask(a.v, b.v, _CMP_LT_OQ)}; }
  friend CRITMAP_HD Mask operator==(Floats a, Floats b) { return {_mm512_cmp_ps_mask(a.v, b.v, _CMP_EQ_OQ)}; }
  friend CRITMAP_HD Mask operator|(Mask a, Mask b) { return {__mmask16(a.v | b.v)}; }
  CRITMAP_HD static Floats choose(Mask mask, Floats yes, Floats no) {
    return {_mm512_mask_blend_ps(mask.v, no.v, yes.v)};
  }
  CRITMAP_HD static bool any(Mask mask) { return lane_bits(mask) != 0; }
  CRITMAP_HD static uint32_t lane_bits(Mask mask) { return mask.v; }

  friend CRITMAP_HD Words operator&(Words a, Words b) { return {_mm512_and_si512(a.v, b.v)}; }
  friend CRITMAP_HD Words operator|(Words a, Words b) { return {_mm512_or_si512(a.v, b.v)}; }
  friend CRITMAP_HD Words operator^(Words a, Words b) { return {_mm512_xor_si512(a.v, b.v)}; }
  friend CRITMAP_HD Words operator+(Words a, Words b) { return {_mm512_add_epi32(a.v, b.v)}; }
  friend CRITMAP_HD Words operator-(Words a, Words b) { return {_mm512_sub_epi32(a.v, b.v)}; }
  template <int K>
  CRITMAP_HD static Words shift_left(Words a) {
    return {_mm512_slli_epi32(a.v, K)};
  }
  template <int K>
  CRITMAP_HD static Words shift_right(Words a) {
    return {_mm512_srli_epi32(a.v, K)};
  }
  CRITMAP_HD static Words larger_signed(Words a, Words b) { return {_mm512_max_epi32(a.v, b.v)}; }
  CRITMAP_HD static Words bits(Floats a) { return {_mm512_castps_si512(a.v)}; }
  CRITMAP_HD static Floats from_bits(Words a) { return {_mm512_castsi512_ps(a.v)}; }
  CRITMAP_HD static Floats to_floats(Words a) { return {_mm512_cvtepi32_ps(a.v)}; }

  friend CRITMAP_HD Wide operator^(Wide a, Wide b) { return {_mm512_xor_si512(a.v, b.v)}; }
  CRITMAP_HD static Wide product(Wide a, uint32_t b) { return {_mm512_mul_epu32(a.v, _mm512_set1_epi64(b))}; }
  // A shuffle rather than a shift: it runs on a port that the products leave free.
  CRITMAP_HD static Wide high(Wide a) { return {_mm512_shuffle_epi32(a.v, _MM_PERM_DDBB)}; }
  CRITMAP_HD static Wide count_from(uint64_t first) {
    return {_mm512_add_epi64(_mm512_set1_epi64(int64_t(first)), _mm512_setr_epi64(0, 4, 1, 5, 2, 6, 3, 7))};
  }
  // The words of eight blocks in the order of the elements they belong to.
  CRITMAP_HD static void pack(const Wide (&c)[4], Words (&out)[2]) {
    const __m512i a = _mm512_mask_shuffle_epi32(c[0].v, 0xAAAA, c[1].v, _MM_PERM_CCAA);
    const __m512i b = _mm512_mask_shuffle_epi32(c[2].v, 0xAAAA, c[3].v, _MM_PERM_CCAA);
    out[0] = {_mm512_unpacklo_epi64(a, b)};
    out[1] = {_mm512_unpackhi_epi64(a, b)};
  }

  CRITMAP_HD static Doubles zero() { return {_mm512_setzero_pd(), _mm512_setzero_pd()}; }
  CRITMAP_HD static Doubles widen(Floats a) {
    return {_mm512_cvtps_pd(_mm512_castps512_ps256(a.v)), _mm512_cvtps_pd(_mm512_extractf32x8_ps(a.v, 1))};
  }
  friend CRITMAP_HD Doubles operator+(Doubles a, Doubles b) {
    return {_mm512_add_pd(a.low, b.low), _mm512_add_pd(a.high, b.high)};
  }
  friend CRITMAP_HD Doubles operator-(Doubles a, Doubles b) {
    return {_mm512_sub_pd(a.low, b.low), _mm512_sub_pd(a.high, b.high)};
  }
  friend CRITMAP_HD Doubles operator*(Doubles a, Doubles b) {
    return {_mm512_mul_pd(a.low, b.low), _mm512_mul_pd(a.high, b.high)};
  }
  CRITMAP_HD static double sum(Doubles x) {
    const __m512d eight = _mm512_add_pd(x.low, x.high);
    const __m256d four = _mm256_add_pd(_mm512_castpd512_pd256(eight), _mm512_extractf64x4_pd(eight, 1));
    const __m128d two = _mm_add_pd(_mm256_castpd256_pd128(four), _mm256_extractf128_pd(four, 1));
    return _mm_cvtsd_f64(_mm_add_sd(two, _mm_unpackhi_pd(two, two)));
  }
};

}  // namespace
}  // namespace critmap
