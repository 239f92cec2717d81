// What a random reset draws for an element: uniform, normal, or a normal conditioned on an interval. Element
// e takes word e of its key's stream 0 (philox.h); a normal outside the interval is drawn again from stream
// 1, 2, ...
#pragma once

#include "normal.h"
#include "philox.h"

namespace critmap {

enum class DrawKind { uniform, normal, truncated };

struct Draw {
  DrawKind kind;
  uint64_t key;
  // uniform: `offset` + u * `scale`, kept below `high` (see `uniform_below`); else mean and standard
  // deviation.
  float offset, scale;
  // truncated: the interval, both ends included. uniform: `high` is the largest value.
  float low, high;
};

// With a rule that accepts 2 % (less is refused), the chance to need more is 1e-36; the value is then
// clamped.
constexpr uint32_t most_attempts = 4096;

// Uniform on [low, high): 24 bits, so the float is exact and 1 is never reached. Rounding of low + u * (high
// - low) may reach `high`, so the result is limited to the float below it.
template <class L>
CRITMAP_HD typename L::Floats uniform(typename L::Words random, const Draw& draw) {
  const auto u = L::to_floats(L::template shift_right<8>(random)) * L::set(0x1p-24f);
  return L::smaller(L::set(draw.offset) + u * L::set(draw.scale), L::set(draw.high));
}

template <class L>
CRITMAP_HD typename L::Floats scaled_normal(typename L::Words random, const Draw& draw) {
  return L::set(draw.offset) + L::set(draw.scale) * normal<L>(random);
}

template <class L>
CRITMAP_HD void random_words(typename L::Words (&words)[L::registers], uint64_t block, uint64_t stream,
                             uint64_t key) {
  typename L::Wide c[4];
  philox_blocks<L>(c, block, stream, key);
  L::pack(c, words);
}

// The values of all elements of L::blocks blocks.
template <class L, DrawKind kind>
CRITMAP_HD void draw_blocks(typename L::Floats (&values)[L::registers], uint64_t block, const Draw& draw) {
  typename L::Words words[L::registers];
  random_words<L>(words, block, 0, draw.key);
  for (int i = 0; i < L::registers; i++) {
    values[i] = kind == DrawKind::uniform ? uniform<L>(words[i], draw) : scaled_normal<L>(words[i], draw);
  }
  if constexpr (kind == DrawKind::truncated) {
    const auto low = L::set(draw.low), high = L::set(draw.high);
    // A lane that has its value keeps it while others try again.
    for (uint32_t attempt = 1; attempt < most_attempts; attempt++) {
      uint32_t outside = 0;
      for (int i = 0; i < L::registers; i++) {
        outside |= L::lane_bits(values[i] < low) | L::lane_bits(high < values[i]);
      }
      if (!outside) break;
      random_words<L>(words, block, attempt, draw.key);
      for (int i = 0; i < L::registers; i++) {
        const auto again = scaled_normal<L>(words[i], draw);
        values[i] = L::choose((values[i] < low) | (high < values[i]), again, values[i]);
      }
    }
    for (int i = 0; i < L::registers; i++) values[i] = L::smaller(L::larger(values[i], low), high);
  }
}

}  // namespace critmap
