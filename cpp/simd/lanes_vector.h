// Sixteen lanes in four 128-bit vectors: the names of lanes.h in the vector language of GCC and Clang, which
// fits SSE2 and NEON, the least that a 64-bit processor has. Included by one file only.
#pragma once

#include "simd/lanes.h"

#if defined(__SSE2__)
#include <emmintrin.h>
#elif defined(__aarch64__)
#include <arm_neon.h>
#endif

namespace critmap {
namespace {

struct VectorLanes {
  typedef float F __attribute__((vector_size(16)));
  typedef uint32_t U __attribute__((vector_size(16)));
  typedef int32_t I __attribute__((vector_size(16)));
  typedef uint64_t Q __attribute__((vector_size(16)));
  typedef double D __attribute__((vector_size(16)));

  struct Floats {
    F a, b, c, d;
  };
  struct Words {
    U a, b, c, d;
  };
  struct Mask {
    I a, b, c, d;
  };
  // Eight blocks, two in each vector.
  struct Wide {
    Q a, b, c, d;
  };
  struct Doubles {
    D v[8];
  };

  static constexpr int width = 16;
  static constexpr int blocks = 8;
  static constexpr int registers = 2;

#define CRITMAP_EACH(Result, f, x) \
  return Result { f(x.a), f(x.b), f(x.c), f(x.d) }
#define CRITMAP_BOTH(Result, f, x, y) \
  return Result { f(x.a, y.a), f(x.b, y.b), f(x.c, y.c), f(x.d, y.d) }
#define CRITMAP_OPERATOR(Result, Operand, op)                  \
  friend CRITMAP_HD Result operator op(Operand x, Operand y) { \
    return {x.a op y.a, x.b op y.b, x.c op y.c, x.d op y.d};   \
  }

  CRITMAP_HD static F splat(float x) { return F{x, x, x, x}; }
  CRITMAP_HD static U splat(uint32_t x) { return U{x, x, x, x}; }
  CRITMAP_HD static Floats set(float x) { return {splat(x), splat(x), splat(x), splat(x)}; }
  CRITMAP_HD static Words set(uint32_t x) { return {splat(x), splat(x), splat(x), splat(x)}; }
  CRITMAP_HD static Wide set_wide(uint64_t x) { return {Q{x, x}, Q{x, x}, Q{x, x}, Q{x, x}}; }
  template <class V, class T>
  CRITMAP_HD static V load_one(const T* from) {
    V v;
    memcpy(&v, from, 16);
    return v;
  }
  template <class V, class T>
  CRITMAP_HD static void store_one(T* to, V v) {
    memcpy(to, &v, 16);
  }
  CRITMAP_HD static Floats load(const float* from) {
    return {load_one<F>(from), load_one<F>(from + 4), load_one<F>(from + 8), load_one<F>(from + 12)};
  }
  template <class T, class V>
  CRITMAP_HD static void store(T* to, V x) {
    store_one(to, x.a);
    store_one(to + 4, x.b);
    store_one(to + 8, x.c);
    store_one(to + 12, x.d);
  }

  CRITMAP_OPERATOR(Floats, Floats, +)
  CRITMAP_OPERATOR(Floats, Floats, -)
  CRITMAP_OPERATOR(Floats, Floats, *)
  CRITMAP_OPERATOR(Floats, Floats, /)
  CRITMAP_OPERATOR(Mask, Floats, <)
  CRITMAP_OPERATOR(Mask, Floats, ==)
  CRITMAP_OPERATOR(Mask, Mask, |)
  CRITMAP_OPERATOR(Words, Words, &)
  CRITMAP_OPERATOR(Words, Words, |)
  CRITMAP_OPERATOR(Words, Words, ^)
  CRITMAP_OPERATOR(Words, Words, +)
  CRITMAP_OPERATOR(Words, Words, -)
  CRITMAP_OPERATOR(Wide, Wide, ^)

  CRITMAP_HD static F root_one(F x) { return F{sqrtf(x[0]), sqrtf(x[1]), sqrtf(x[2]), sqrtf(x[3])}; }
  CRITMAP_HD static Floats root(Floats x) { CRITMAP_EACH(Floats, root_one, x); }
  CRITMAP_HD static F choose_one(I mask, F yes, F no) { return F((mask & I(yes)) | (~mask & I(no))); }
  CRITMAP_HD static F larger_one(F x, F y) { return choose_one(x > y, x, y); }
  CRITMAP_HD static F smaller_one(F x, F y) { return choose_one(x < y, x, y); }
  CRITMAP_HD static Floats larger(Floats x, Floats y) { CRITMAP_BOTH(Floats, larger_one, x, y); }
  CRITMAP_HD static Floats smaller(Floats x, Floats y) { CRITMAP_BOTH(Floats, smaller_one, x, y); }
  CRITMAP_HD static Floats choose(Mask m, Floats x, Floats y) {
    return {choose_one(m.a, x.a, y.a), choose_one(m.b, x.b, y.b), choose_one(m.c, x.c, y.c),
            choose_one(m.d, x.d, y.d)};
  }
  CRITMAP_HD static bool any(Mask m) {
    const Q all = Q(m.a | m.b | m.c | m.d);
    return (all[0] | all[1]) != 0;
  }
  CRITMAP_HD static uint32_t lane_bits_one(I m) {
#if defined(__SSE2__)
    return uint32_t(_mm_movemask_ps(__m128(m)));
#else
    const I bit = m & I{1, 2, 4, 8};
    return uint32_t(bit[0] | bit[1] | bit[2] | bit[3]);
#endif
  }
  CRITMAP_HD static uint32_t lane_bits(Mask m) {
    return lane_bits_one(m.a) | lane_bits_one(m.b) << 4 | lane_bits_one(m.c) << 8 | lane_bits_one(m.d) << 12;
  }

  template <int K>
  CRITMAP_HD static Words shift_left(Words x) {
    return {x.a << K, x.b << K, x.c << K, x.d << K};
  }
  template <int K>
  CRITMAP_HD static Words shift_right(Words x) {
    return {x.a >> K, x.b >> K, x.c >> K, x.d >> K};
  }
  CRITMAP_HD static U larger_signed_one(U x, U y) {
    const U mask = U(I(x) > I(y));
    return (mask & x) | (~mask & y);
  }
  CRITMAP_HD static Words larger_signed(Words x, Words y) { CRITMAP_BOTH(Words, larger_signed_one, x, y); }
  CRITMAP_HD static Words bits(Floats x) { CRITMAP_EACH(Words, U, x); }
  CRITMAP_HD static Floats from_bits(Words x) { CRITMAP_EACH(Floats, F, x); }
  CRITMAP_HD static F to_floats_one(U x) { return __builtin_convertvector(I(x), F); }
  CRITMAP_HD static Floats to_floats(Words x) { CRITMAP_EACH(Floats, to_floats_one, x); }

  CRITMAP_HD static Q product_one(Q x, uint32_t y) {
#if defined(__SSE2__)
    return Q(_mm_mul_epu32(__m128i(x), _mm_set1_epi64x(y)));
#elif defined(__aarch64__)
    return Q(vmull_n_u32(vmovn_u64(uint64x2_t(x)), y));
#else
    return (x & 0xffffffffu) * uint64_t(y);
#endif
  }
  CRITMAP_HD static Wide product(Wide x, uint32_t y) {
    return {product_one(x.a, y), product_one(x.b, y), product_one(x.c, y), product_one(x.d, y)};
  }
  CRITMAP_HD static Wide high(Wide x) { return {x.a >> 32, x.b >> 32, x.c >> 32, x.d >> 32}; }
  CRITMAP_HD static Wide count_from(uint64_t n) {
    return {Q{n, n + 1}, Q{n + 2, n + 3}, Q{n + 4, n + 5}, Q{n + 6, n + 7}};
  }
  // The words of eight blocks in the order of the elements they belong to.
  CRITMAP_HD static void pack(const Wide (&w)[4], Words (&out)[registers]) {
    pack_two(w[0].a, w[1].a, w[2].a, w[3].a, out[0].a, out[0].b);
    pack_two(w[0].b, w[1].b, w[2].b, w[3].b, out[0].c, out[0].d);
    pack_two(w[0].c, w[1].c, w[2].c, w[3].c, out[1].a, out[1].b);
    pack_two(w[0].d, w[1].d, w[2].d, w[3].d, out[1].c, out[1].d);
  }
  CRITMAP_HD static void pack_two(Q w0, Q w1, Q w2, Q w3, U& first, U& second) {
    const Q a = (w0 & 0xffffffffu) | w1 << 32, b = (w2 & 0xffffffffu) | w3 << 32;
    first = U(Q{a[0], b[0]});
    second = U(Q{a[1], b[1]});
  }

  CRITMAP_HD static Doubles zero() { return {}; }
  CRITMAP_HD static Doubles widen(Floats x) {
    return {{low(x.a), high(x.a), low(x.b), high(x.b), low(x.c), high(x.c), low(x.d), high(x.d)}};
  }
  CRITMAP_HD static D low(F x) { return D{double(x[0]), double(x[1])}; }
  CRITMAP_HD static D high(F x) { return D{double(x[2]), double(x[3])}; }
#define CRITMAP_EIGHT(op)                                \
  Doubles z;                                             \
  for (int i = 0; i < 8; i++) z.v[i] = x.v[i] op y.v[i]; \
  return z
  friend CRITMAP_HD Doubles operator+(Doubles x, Doubles y) { CRITMAP_EIGHT(+); }
  friend CRITMAP_HD Doubles operator-(Doubles x, Doubles y) { CRITMAP_EIGHT(-); }
  friend CRITMAP_HD Doubles operator*(Doubles x, Doubles y) { CRITMAP_EIGHT(*); }
  CRITMAP_HD static double sum(Doubles x) {
    for (int half = 4; half >= 1; half /= 2) {
      for (int i = 0; i < half; i++) x.v[i] += x.v[i + half];
    }
    return x.v[0][0] + x.v[0][1];
  }
#undef CRITMAP_EACH
#undef CRITMAP_BOTH
#undef CRITMAP_OPERATOR
#undef CRITMAP_EIGHT
};

}  // namespace
}  // namespace critmap
