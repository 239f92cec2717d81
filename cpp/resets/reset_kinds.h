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
};

enum class ResetKind { draw, noise, constant, shuffle, interpolate };

struct ResetRule {
  ResetKind kind;
  // draw: the new value. noise: what is added (its mean is 0).
  Draw draw;
  // constant: the new value. interpolate: the share that stays.
  float value;
  // interpolate: 1 - value, and as many elements as the target, in the target's storage order.
  float donor_share;
  const float* donor;
  // shuffle; a draw has its own.
  uint64_t key;
};

constexpr bool is_random(ResetKind kind) {
  return kind == ResetKind::draw || kind == ResetKind::noise || kind == ResetKind::shuffle;
}

// Another draw of the same rule.
inline void set_key(ResetRule& rule, uint64_t key) { rule.key = rule.draw.key = key; }

}  // namespace critmap
