// What a random reset draws for an element: uniform, normal, or a normal conditioned on an interval. Element
// e takes word e of its key's stream 0 (philox.h); a normal outside the interval is drawn again from stream
// 1, 2, ...
#pragma once

#include "random/normal.h"
#include "random/philox.h"

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

// One value per lane; `words(stream)` gives the lanes' random words of a stream.
template <class L, DrawKind kind, class Source>
CRITMAP_HD typename L::Floats draw_value(const Draw& draw, const Source& words) {
  if constexpr (kind == DrawKind::uniform) return uniform<L>(words(0), draw);
  typename L::Floats value = scaled_normal<L>(words(0), draw);
  if constexpr (kind == DrawKind::truncated) {
    const auto low = L::set(draw.low), high = L::set(draw.high);
    // A lane that has its value keeps it while others try again.
    for (uint32_t attempt = 1; attempt < most_attempts; attempt++) {
      const auto outside = (value < low) | (high < value);
      if (!L::any(outside)) return value;
      value = L::choose(outside, scaled_normal<L>(words(attempt), draw), value);
    }
    value = L::smaller(L::larger(value, low), high);
  }
  return value;
}

}  // namespace critmap
