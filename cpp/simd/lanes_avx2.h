// Sixteen lanes in two 256-bit registers: the names of lanes.h for AVX2. Included by one file only.
#pragma once

#include <immintrin.h>

#include "simd/lanes.h"

namespace critmap {
namespace {

struct Avx2Lanes {
  struct Floats {
    __m256 a, b;
  };
  struct Words {
    __m256i a, b;
  };
  struct Mask {
    __m256 a, b;
  };
  // Eight blocks; lane order 0 2 1 3 in each register, which makes `pack` free of cross-lane moves.
  struct Wide {
    __m256i a, b;
  };
  struct Doubles {
    __m256d a, b, c, d;
  };

  static constexpr int width = 16;
  static constexpr int blocks = 8;
  static constexpr int registers = 2;

#define CRITMAP_BOTH(Result, f, x, y) \
  return Result { f(x.a, y.a), f(x.b, y.b) }
#define CRITMAP_EACH(Result, f, x) \
  return Result { f(x.a), f(x.b) }

  CRITMAP_HD static Floats set(float x) { return {_mm256_set1_ps(x), _mm256_set1_ps(x)}; }
  CRITMAP_HD static Words set(uint32_t x) { return {_mm256_set1_epi32(int(x)), _mm256_set1_epi32(int(x))}; }
  CRITMAP_HD static Wide set_wide(uint64_t x) {
    return {_mm256_set1_epi64x(int64_t(x)), _mm256_set1_epi64x(int64_t(x))};
  }
  CRITMAP_HD static Floats load(const float* from) {
    return {_mm256_loadu_ps(from), _mm256_loadu_ps(from + 8)};
  }
  CRITMAP_HD static void store(float* to, Floats x) {
    _mm256_storeu_ps(to, x.a);
    _mm256_storeu_ps(to + 8, x.b);
  }
  CRITMAP_HD static void store(uint32_t* to, Words x) {
    _mm256_storeu_si256(reinterpret_cast<__m256i*>(to), x.a);
    _mm256_storeu_si256(reinterpret_cast<__m256i*>(to + 8), x.b);
  }
  friend CRITMAP_HD Floats operator+(Floats x, Floats y) { CRITMAP_BOTH(Floats, _mm256_add_ps, x, y); }
  friend CRITMAP_HD Floats operator-(Floats x, Floats y) { CRITMAP_BOTH(Floats, _mm256_sub_ps, x, y); }
  friend CRITMAP_HD Floats operator*(Floats x, Floats y) { CRITMAP_BOTH(Floats, _mm256_mul_ps, x, y); }
  friend CRITMAP_HD Floats operator/(Floats x, Floats y) { CRITMAP_BOTH(Floats, _mm256_div_ps, x, y); }
  CRITMAP_HD static Floats root(Floats x) { CRITMAP_EACH(Floats, _mm256_sqrt_ps, x); }
  CRITMAP_HD static Floats larger(Floats x, Floats y) { CRITMAP_BOTH(Floats, _mm256_max_ps, x, y); }
  CRITMAP_HD static Floats smaller(Floats x, Floats y) { CRITMAP_BOTH(Floats, _mm256_min_ps, x, y); }
  friend CRITMAP_HD Mask operator<(Floats x, Floats y) {
    return {_mm256_cmp_ps(x.a, y.a, _CMP_LT_OQ), _mm256_cmp_ps(x.b, y.b, _CMP_LT_OQ)};
  }
  friend CRITMAP_HD Mask operator==(Floats x, Floats y) {
    return {_mm256_cmp_ps(x.a, y.a, _CMP_EQ_OQ), _mm256_cmp_ps(x.b, y.b, _CMP_EQ_OQ)};
  }
  friend CRITMAP_HD Mask operator|(Mask x, Mask y) { CRITMAP_BOTH(Mask, _mm256_or_ps, x, y); }
  CRITMAP_HD static Floats choose(Mask mask, Floats yes, Floats no) {
    return {_mm256_blendv_ps(no.a, yes.a, mask.a), _mm256_blendv_ps(no.b, yes.b, mask.b)};
  }
  CRITMAP_HD static bool any(Mask mask) { return lane_bits(mask) != 0; }
  CRITMAP_HD static uint32_t lane_bits(Mask mask) {
    return uint32_t(_mm256_movemask_ps(mask.a)) | uint32_t(_mm256_movemask_ps(mask.b)) << 8;
  }
  friend CRITMAP_HD Words operator&(Words x, Words y) { CRITMAP_BOTH(Words, _mm256_and_si256, x, y); }
  friend CRITMAP_HD Words operator|(Words x, Words y) { CRITMAP_BOTH(Words, _mm256_or_si256, x, y); }
  friend CRITMAP_HD Words operator^(Words x, Words y) { CRITMAP_BOTH(Words, _mm256_xor_si256, x, y); }
  friend CRITMAP_HD Words operator+(Words x, Words y) { CRITMAP_BOTH(Words, _mm256_add_epi32, x, y); }
  friend CRITMAP_HD Words operator-(Words x, Words y) { CRITMAP_BOTH(Words, _mm256_sub_epi32, x, y); }

  template <int K>
  CRITMAP_HD static Words shift_left(Words x) {
    return {_mm256_slli_epi32(x.a, K), _mm256_slli_epi32(x.b, K)};
  }
  template <int K>
  CRITMAP_HD static Words shift_right(Words x) {
    return {_mm256_srli_epi32(x.a, K), _mm256_srli_epi32(x.b, K)};
  }
  CRITMAP_HD static Words larger_signed(Words x, Words y) { CRITMAP_BOTH(Words, _mm256_max_epi32, x, y); }
  CRITMAP_HD static Words bits(Floats x) { CRITMAP_EACH(Words, _mm256_castps_si256, x); }
  CRITMAP_HD static Floats from_bits(Words x) { CRITMAP_EACH(Floats, _mm256_castsi256_ps, x); }
  CRITMAP_HD static Floats to_floats(Words x) { CRITMAP_EACH(Floats, _mm256_cvtepi32_ps, x); }
  friend CRITMAP_HD Wide operator^(Wide x, Wide y) { CRITMAP_BOTH(Wide, _mm256_xor_si256, x, y); }
  CRITMAP_HD static Wide product(Wide x, uint32_t y) {
    const __m256i factor = _mm256_set1_epi64x(y);
    return {_mm256_mul_epu32(x.a, factor), _mm256_mul_epu32(x.b, factor)};
  }
  CRITMAP_HD static Wide high(Wide x) { return {_mm256_srli_epi64(x.a, 32), _mm256_srli_epi64(x.b, 32)}; }
  CRITMAP_HD static Wide count_from(uint64_t first) {
    const __m256i start = _mm256_set1_epi64x(int64_t(first));
    return {_mm256_add_epi64(start, _mm256_setr_epi64x(0, 2, 1, 3)),
            _mm256_add_epi64(start, _mm256_setr_epi64x(4, 6, 5, 7))};
  }
  // The words of eight blocks in the order of the elements they belong to.
  CRITMAP_HD static void pack(const Wide (&c)[4], Words (&out)[2]) {
    out[0] = pack_four(c[0].a, c[1].a, c[2].a, c[3].a);
    out[1] = pack_four(c[0].b, c[1].b, c[2].b, c[3].b);
  }
  CRITMAP_HD static Words pack_four(__m256i w0, __m256i w1, __m256i w2, __m256i w3) {
    const __m256i a = _mm256_blend_epi32(w0, _mm256_slli_epi64(w1, 32), 0xAA);
    const __m256i b = _mm256_blend_epi32(w2, _mm256_slli_epi64(w3, 32), 0xAA);
    return {_mm256_unpacklo_epi64(a, b), _mm256_unpackhi_epi64(a, b)};
  }

  CRITMAP_HD static Doubles zero() {
    const __m256d z = _mm256_setzero_pd();
    return {z, z, z, z};
  }
  CRITMAP_HD static Doubles widen(Floats x) {
    return {_mm256_cvtps_pd(_mm256_castps256_ps128(x.a)), _mm256_cvtps_pd(_mm256_extractf128_ps(x.a, 1)),
            _mm256_cvtps_pd(_mm256_castps256_ps128(x.b)), _mm256_cvtps_pd(_mm256_extractf128_ps(x.b, 1))};
  }
#define CRITMAP_FOUR(f, x, y) \
  return Doubles { f(x.a, y.a), f(x.b, y.b), f(x.c, y.c), f(x.d, y.d) }
  friend CRITMAP_HD Doubles operator+(Doubles x, Doubles y) { CRITMAP_FOUR(_mm256_add_pd, x, y); }
  friend CRITMAP_HD Doubles operator-(Doubles x, Doubles y) { CRITMAP_FOUR(_mm256_sub_pd, x, y); }
  friend CRITMAP_HD Doubles operator*(Doubles x, Doubles y) { CRITMAP_FOUR(_mm256_mul_pd, x, y); }
  CRITMAP_HD static double sum(Doubles x) {
    const __m256d four = _mm256_add_pd(_mm256_add_pd(x.a, x.c), _mm256_add_pd(x.b, x.d));
    const __m128d two = _mm_add_pd(_mm256_castpd256_pd128(four), _mm256_extractf128_pd(four, 1));
    return _mm_cvtsd_f64(_mm_add_sd(two, _mm_unpackhi_pd(two, two)));
  }
#undef CRITMAP_BOTH
#undef CRITMAP_EACH
#undef CRITMAP_FOUR
};

}  // namespace
}  // namespace critmap
