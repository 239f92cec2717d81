// Which inputs an output of a resampled axis is made of, for the kernels: no standard-library templates here.
#pragma once

#include <stddef.h>
#include <stdint.h>

namespace critmap {

// Bits after the point of a weight; 8 more are the pixel's and 2 room for sums beyond its range.
constexpr int weight_bits = 32 - 8 - 2;

// Output i is the sum of counts[i] inputs from starts[i] on times the weights from weights[i * stride] on.
struct Taps {
  const uint32_t *starts, *counts;
  const int32_t* weights;
  size_t stride, outputs;
};

}  // namespace critmap
