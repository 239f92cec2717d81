// Which inputs an output of a resampled axis is made of, for the kernels: no standard-library templates here.
#pragma once

#include <stddef.h>
#include <stdint.h>

namespace critmap {

// Bits after the point of a weight; 8 more are the pixel's and 2 room for sums beyond its range.
constexpr int weight_bits = 32 - 8 - 2;

// Four taps of one output: the low 12 bits of their weights, then the rest. Each has two halves, of the first
// and the last two taps, and each half these two weights over and over, for red, green, blue and nothing.
struct PairedWeights {
  static constexpr size_t taps = 4, low_bits = 12;
  alignas(32) int16_t low[16], high[16];
};

// Output i is the sum of `count` inputs from starts[i] on times the weights from weights[i * count] on. All
// of these inputs exist; where the filter reaches fewer, weights are 0.
struct Taps {
  const uint32_t* starts;
  const int32_t* weights;
  // The same weights for colours, or null: those of output i from paired[i * groups] on, in `groups` of four
  // taps.
  const PairedWeights* paired;
  size_t count, groups, outputs;
};

}  // namespace critmap
