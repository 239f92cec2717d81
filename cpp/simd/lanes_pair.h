// Two registers of lanes used as one. A rule is a long chain of dependent steps; working on several registers
// at a time gives the processor independent steps to overlap. Every value is what L alone would give.
#pragma once

#include "simd/lanes.h"

namespace critmap {

template <class L>
struct Pair {
  struct Floats {
    typename L::Floats a, b;
  };
  struct Words {
    typename L::Words a, b;
  };
  struct Mask {
    typename L::Mask a, b;
  };
  struct Wide {
    typename L::Wide a, b;
  };

  static constexpr int width = 2 * L::width;
  static constexpr int blocks = 2 * L::blocks;
  static constexpr int registers = 2;

  CRITMAP_HD static Floats set(float x) { return {L::set(x), L::set(x)}; }
  CRITMAP_HD static Words set(uint32_t x) { return {L::set(x), L::set(x)}; }
  CRITMAP_HD static Wide set_wide(uint64_t x) { return {L::set_wide(x), L::set_wide(x)}; }
  CRITMAP_HD static Floats load(const float* from) { return {L::load(from), L::load(from + L::width)}; }
  template <class T, class V>
  CRITMAP_HD static void store(T* to, V x) {
    L::store(to, x.a);
    L::store(to + L::width, x.b);
  }

#define CRITMAP_PAIR_OPERATOR(Result, Operand, op) \
  friend CRITMAP_HD Result operator op(Operand x, Operand y) { return {x.a op y.a, x.b op y.b}; }
  CRITMAP_PAIR_OPERATOR(Floats, Floats, +)
  CRITMAP_PAIR_OPERATOR(Floats, Floats, -)
  CRITMAP_PAIR_OPERATOR(Floats, Floats, *)
  CRITMAP_PAIR_OPERATOR(Floats, Floats, /)
  CRITMAP_PAIR_OPERATOR(Mask, Floats, <)
  CRITMAP_PAIR_OPERATOR(Mask, Mask, |)
  CRITMAP_PAIR_OPERATOR(Words, Words, &)
  CRITMAP_PAIR_OPERATOR(Words, Words, |)
  CRITMAP_PAIR_OPERATOR(Words, Words, ^)
  CRITMAP_PAIR_OPERATOR(Words, Words, +)
  CRITMAP_PAIR_OPERATOR(Words, Words, -)
  CRITMAP_PAIR_OPERATOR(Wide, Wide, ^)
#undef CRITMAP_PAIR_OPERATOR

  CRITMAP_HD static Floats root(Floats x) { return {L::root(x.a), L::root(x.b)}; }
  CRITMAP_HD static Floats larger(Floats x, Floats y) { return {L::larger(x.a, y.a), L::larger(x.b, y.b)}; }
  CRITMAP_HD static Floats smaller(Floats x, Floats y) {
    return {L::smaller(x.a, y.a), L::smaller(x.b, y.b)};
  }
  CRITMAP_HD static Floats choose(Mask mask, Floats yes, Floats no) {
    return {L::choose(mask.a, yes.a, no.a), L::choose(mask.b, yes.b, no.b)};
  }
  CRITMAP_HD static bool any(Mask mask) { return L::any(mask.a | mask.b); }

  template <int K>
  CRITMAP_HD static Words shift_left(Words x) {
    return {L::template shift_left<K>(x.a), L::template shift_left<K>(x.b)};
  }
  template <int K>
  CRITMAP_HD static Words shift_right(Words x) {
    return {L::template shift_right<K>(x.a), L::template shift_right<K>(x.b)};
  }
  CRITMAP_HD static Words bits(Floats x) { return {L::bits(x.a), L::bits(x.b)}; }
  CRITMAP_HD static Floats from_bits(Words x) { return {L::from_bits(x.a), L::from_bits(x.b)}; }
  CRITMAP_HD static Floats to_floats(Words x) { return {L::to_floats(x.a), L::to_floats(x.b)}; }

  CRITMAP_HD static Wide product(Wide x, uint32_t y) { return {L::product(x.a, y), L::product(x.b, y)}; }
  CRITMAP_HD static Wide high(Wide x) { return {L::high(x.a), L::high(x.b)}; }
  CRITMAP_HD static Wide count_from(uint64_t first) {
    return {L::count_from(first), L::count_from(first + L::blocks)};
  }
  CRITMAP_HD static void pack(const Wide (&c)[4], Words (&out)[registers]) {
    static_assert(L::registers == 2);
    const typename L::Wide a[4] = {c[0].a, c[1].a, c[2].a, c[3].a};
    const typename L::Wide b[4] = {c[0].b, c[1].b, c[2].b, c[3].b};
    typename L::Words first[2], second[2];
    L::pack(a, first);
    L::pack(b, second);
    out[0] = {first[0], first[1]};
    out[1] = {second[0], second[1]};
  }
};

}  // namespace critmap
