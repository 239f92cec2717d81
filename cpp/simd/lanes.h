// A rule (Philox, a uniform, a normal, a comparison) is written once, as a template over "lanes": how many
// values it works on at a time, and with which instructions. This file holds the portable lanes: any width,
// plain loops that a compiler may vectorise, and width 1 for a CUDA thread. lanes_avx2.h and lanes_avx512.h
// hold the same names with 16 lanes in registers. Only IEEE + - * / and square root appear, each rounded
// once, so every kind of lanes gives the same bits. Build without contraction and without fast-math; on a GPU
// the intrinsics below see to it.
#pragma once

#include <math.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

// Always inlined: a file compiled for AVX-512 must not leave an out-of-line copy for the linker to share.
#if defined(__CUDACC__)
#define CRITMAP_HD __host__ __device__ __forceinline__
#elif defined(__GNUC__)
#define CRITMAP_HD inline __attribute__((always_inline))
#elif defined(_MSC_VER)
#define CRITMAP_HD __forceinline
#else
#define CRITMAP_HD inline
#endif

// The same for a lambda.
#if defined(__GNUC__) && !defined(__CUDACC__)
#define CRITMAP_INLINE_LAMBDA __attribute__((always_inline))
#else
#define CRITMAP_INLINE_LAMBDA
#endif

namespace critmap {

CRITMAP_HD uint32_t float_bits(float x) {
  uint32_t bits;
  memcpy(&bits, &x, 4);
  return bits;
}

CRITMAP_HD float bits_float(uint32_t bits) {
  float x;
  memcpy(&x, &bits, 4);
  return x;
}

// Asks for the cache line `elements` after `from`; it need not exist.
CRITMAP_HD void prefetch(const void* from, size_t elements) {
#if defined(__GNUC__) && !defined(__CUDACC__)
  __builtin_prefetch(reinterpret_cast<const void*>(reinterpret_cast<uintptr_t>(from) + 4 * elements));
#else
  (void)from;
  (void)elements;
#endif
}

// Tests compile the card's branch for the processor too, with intrinsics of the same meaning.
#if defined(__CUDA_ARCH__) || defined(CRITMAP_EMULATED_ARITHMETIC)
CRITMAP_HD float round_add(float a, float b) { return __fadd_rn(a, b); }
CRITMAP_HD float round_subtract(float a, float b) { return __fsub_rn(a, b); }
CRITMAP_HD float round_multiply(float a, float b) { return __fmul_rn(a, b); }
CRITMAP_HD float round_divide(float a, float b) { return __fdiv_rn(a, b); }
CRITMAP_HD float round_sqrt(float a) { return __fsqrt_rn(a); }
#else
CRITMAP_HD float round_add(float a, float b) { return a + b; }
CRITMAP_HD float round_subtract(float a, float b) { return a - b; }
CRITMAP_HD float round_multiply(float a, float b) { return a * b; }
CRITMAP_HD float round_divide(float a, float b) { return a / b; }
CRITMAP_HD float round_sqrt(float a) { return sqrtf(a); }
#endif

// N lanes; B Philox blocks at a time, which is 4 B / N registers of words.
template <int N, int B>
struct PortableLanes {
  struct Floats {
    float v[N];
  };
  // Unsigned 32-bit words, two's complement where a sign matters.
  struct Words {
    uint32_t v[N];
  };
  // All ones or all zeros in each lane.
  struct Mask {
    uint32_t v[N];
  };
  // Philox counters in 64-bit lanes: the low half counts, the high half may hold anything.
  struct Wide {
    uint64_t v[B];
  };
  struct Doubles {
    double v[N];
  };

  static constexpr int width = N;
  static constexpr int blocks = B;
  static constexpr int registers = 4 * B / N;

#define CRITMAP_REPEAT(Result, count, expression) \
  Result result;                                  \
  for (int i = 0; i < count; i++) {               \
    result.v[i] = expression;                     \
  }                                               \
  return result
#define CRITMAP_LANES(Result, expression) CRITMAP_REPEAT(Result, N, expression)
#define CRITMAP_WIDE(expression) CRITMAP_REPEAT(Wide, B, expression)

  CRITMAP_HD static Floats set(float x) { CRITMAP_LANES(Floats, x); }
  CRITMAP_HD static Words set(uint32_t x) { CRITMAP_LANES(Words, x); }
  CRITMAP_HD static Wide set_wide(uint64_t x) { CRITMAP_WIDE(x); }
  CRITMAP_HD static Floats load(const float* from) { CRITMAP_LANES(Floats, from[i]); }
  CRITMAP_HD static void store(float* to, Floats a) {
    for (int i = 0; i < N; i++) to[i] = a.v[i];
  }
  CRITMAP_HD static void store(uint32_t* to, Words a) {
    for (int i = 0; i < N; i++) to[i] = a.v[i];
  }
  friend CRITMAP_HD Floats operator+(Floats a, Floats b) { CRITMAP_LANES(Floats, round_add(a.v[i], b.v[i])); }
  friend CRITMAP_HD Floats operator-(Floats a, Floats b) {
    CRITMAP_LANES(Floats, round_subtract(a.v[i], b.v[i]));
  }
  friend CRITMAP_HD Floats operator*(Floats a, Floats b) {
    CRITMAP_LANES(Floats, round_multiply(a.v[i], b.v[i]));
  }
  friend CRITMAP_HD Floats operator/(Floats a, Floats b) {
    CRITMAP_LANES(Floats, round_divide(a.v[i], b.v[i]));
  }
  CRITMAP_HD static Floats root(Floats a) { CRITMAP_LANES(Floats, round_sqrt(a.v[i])); }

  // b where the comparison is false, so a NaN in either gives b.
  CRITMAP_HD static Floats larger(Floats a, Floats b) {
    CRITMAP_LANES(Floats, a.v[i] > b.v[i] ? a.v[i] : b.v[i]);
  }
  CRITMAP_HD static Floats smaller(Floats a, Floats b) {
    CRITMAP_LANES(Floats, a.v[i] < b.v[i] ? a.v[i] : b.v[i]);
  }
  friend CRITMAP_HD Mask operator<(Floats a, Floats b) { CRITMAP_LANES(Mask, a.v[i] < b.v[i] ? ~0u : 0u); }
  friend CRITMAP_HD Mask operator==(Floats a, Floats b) { CRITMAP_LANES(Mask, a.v[i] == b.v[i] ? ~0u : 0u); }
  friend CRITMAP_HD Mask operator|(Mask a, Mask b) { CRITMAP_LANES(Mask, a.v[i] | b.v[i]); }
  CRITMAP_HD static Floats choose(Mask mask, Floats yes, Floats no) {
    CRITMAP_LANES(Floats, mask.v[i] ? yes.v[i] : no.v[i]);
  }
  CRITMAP_HD static bool any(Mask mask) {
    uint32_t found = 0;
    for (int i = 0; i < N; i++) found |= mask.v[i];
    return found != 0;
  }
  // Bit i is lane i.
  CRITMAP_HD static uint32_t lane_bits(Mask mask) {
    uint32_t bits = 0;
    for (int i = 0; i < N; i++) bits |= (mask.v[i] & 1u) << i;
    return bits;
  }
  friend CRITMAP_HD Words operator&(Words a, Words b) { CRITMAP_LANES(Words, a.v[i] & b.v[i]); }
  friend CRITMAP_HD Words operator|(Words a, Words b) { CRITMAP_LANES(Words, a.v[i] | b.v[i]); }
  friend CRITMAP_HD Words operator^(Words a, Words b) { CRITMAP_LANES(Words, a.v[i] ^ b.v[i]); }
  friend CRITMAP_HD Words operator+(Words a, Words b) { CRITMAP_LANES(Words, a.v[i] + b.v[i]); }
  friend CRITMAP_HD Words operator-(Words a, Words b) { CRITMAP_LANES(Words, a.v[i] - b.v[i]); }

  template <int K>
  CRITMAP_HD static Words shift_left(Words a) {
    CRITMAP_LANES(Words, a.v[i] << K);
  }

  template <int K>
  CRITMAP_HD static Words shift_right(Words a) {
    CRITMAP_LANES(Words, a.v[i] >> K);
  }
  CRITMAP_HD static Words larger_signed(Words a, Words b) {
    CRITMAP_LANES(Words, int32_t(a.v[i]) > int32_t(b.v[i]) ? a.v[i] : b.v[i]);
  }
  CRITMAP_HD static Words bits(Floats a) { CRITMAP_LANES(Words, float_bits(a.v[i])); }
  CRITMAP_HD static Floats from_bits(Words a) { CRITMAP_LANES(Floats, bits_float(a.v[i])); }

  // The words as signed integers, rounded to the nearest float.
  CRITMAP_HD static Floats to_floats(Words a) { CRITMAP_LANES(Floats, float(int32_t(a.v[i]))); }
  friend CRITMAP_HD Wide operator^(Wide a, Wide b) { CRITMAP_WIDE(a.v[i] ^ b.v[i]); }

  // 64-bit product of the low half and a constant.
  CRITMAP_HD static Wide product(Wide a, uint32_t b) { CRITMAP_WIDE(uint64_t(uint32_t(a.v[i])) * b); }
  CRITMAP_HD static Wide high(Wide a) { CRITMAP_WIDE(a.v[i] >> 32); }
  CRITMAP_HD static Wide count_from(uint64_t first) { CRITMAP_WIDE(first + uint64_t(i)); }

  // The words of B blocks in the order of the elements they belong to.
  CRITMAP_HD static void pack(const Wide (&c)[4], Words (&out)[registers]) {
    for (int i = 0; i < 4 * B; i++) out[i / N].v[i % N] = uint32_t(c[i % 4].v[i / 4]);
  }

  CRITMAP_HD static Doubles zero() { CRITMAP_LANES(Doubles, 0.0); }
  CRITMAP_HD static Doubles widen(Floats a) { CRITMAP_LANES(Doubles, double(a.v[i])); }
  friend CRITMAP_HD Doubles operator+(Doubles a, Doubles b) { CRITMAP_LANES(Doubles, a.v[i] + b.v[i]); }
  friend CRITMAP_HD Doubles operator-(Doubles a, Doubles b) { CRITMAP_LANES(Doubles, a.v[i] - b.v[i]); }
  friend CRITMAP_HD Doubles operator*(Doubles a, Doubles b) { CRITMAP_LANES(Doubles, a.v[i] * b.v[i]); }
  // Lane i plus lane i + N / 2, and so on: the order is part of the result.
  CRITMAP_HD static double sum(Doubles a) {
    for (int half = N / 2; half >= 1; half /= 2) {
      for (int i = 0; i < half; i++) a.v[i] += a.v[i + half];
    }
    return a.v[0];
  }
#undef CRITMAP_LANES
#undef CRITMAP_WIDE
#undef CRITMAP_REPEAT
};

// One element at a time: what a CUDA thread computes, and the plainest reading of every rule.
using OneLane = PortableLanes<1, 1>;

}  // namespace critmap
