// How a kernel walks its items and moves four elements at a time. A grid of any size takes all items: a
// thread takes every stride-th.
#pragma once

#include <cuda_runtime.h>
#include <stdint.h>

#include "simd/lanes.h"

namespace critmap::cuda {

using Four = PortableLanes<4, 1>;

__device__ __forceinline__ uint64_t first_item() { return uint64_t(blockIdx.x) * blockDim.x + threadIdx.x; }
__device__ __forceinline__ uint64_t item_stride() { return uint64_t(gridDim.x) * blockDim.x; }

// A 64-bit division costs as much as a draw.
__device__ __forceinline__ uint64_t quotient(uint64_t a, uint64_t b) {
  return (a | b) >> 32 ? a / b : uint32_t(a) / uint32_t(b);
}

__device__ __forceinline__ bool in_whole_lines(const float* at) {
  return (reinterpret_cast<uintptr_t>(at) & 15) == 0;
}

__device__ __forceinline__ void store_four(float* to, uint64_t at, uint32_t part, Four::Floats values) {
  to += at;
  if (part == 4 && in_whole_lines(to)) {
    *reinterpret_cast<float4*>(to) = make_float4(values.v[0], values.v[1], values.v[2], values.v[3]);
    return;
  }
  for (uint32_t i = 0; i < 4; i++) {
    if (i < part) to[i] = values.v[i];
  }
}

}  // namespace critmap::cuda
