// What a reset does and how the parameter is stored, in words that the processor's code (reset.h) and the
// kernels (reset.cu) share.
#pragma once

#include "random/draw.h"

namespace critmap {

struct ResetLayout {
  size_t channels;
  // Stored elements between two neighbouring channels: element j belongs to channel (j / inner) % channels.
  size_t inner;
  // Stored [rest, channels] (inner is 1); logical order is [channels, rest].
  bool transposed;
  // Draws begin with this element of their key: of a part of a larger parameter, the part's first there. A
  // multiple of 4.
  size_t first = 0;
};

enum class ResetKind { draw, noise, constant, shuffle, interpolate, blend, quantize, prune };

// Numbers that quantized values are multiples of their channel's scale by: integers, or floats of 4 exponent
// and 3 mantissa bits.
enum class Grid { whole, e4m3 };

struct ResetRule {
  ResetKind kind;
  // draw: the new value. noise, blend: what is added (its mean is 0).
  Draw draw;
  // constant: the new value. interpolate, blend: the share that stays. quantize: the grid's largest number.
  // prune: the size below which an element becomes zero.
  float value;
  // interpolate, blend: 1 - value, and as many elements as the target, in the target's storage order.
  float donor_share;
  const float* donor;
  // shuffle; a draw has its own.
  uint64_t key;
  // quantize: one scale per channel.
  Grid grid;
  const float* scales;
  // prune: elements as large as the threshold become zero too if their logical index is below this.
  uint64_t ties;
};

constexpr bool is_random(ResetKind kind) {
  return kind == ResetKind::draw || kind == ResetKind::noise || kind == ResetKind::shuffle ||
         kind == ResetKind::blend;
}

// Another draw of the same rule.
inline void set_key(ResetRule& rule, uint64_t key) { rule.key = rule.draw.key = key; }

}  // namespace critmap
