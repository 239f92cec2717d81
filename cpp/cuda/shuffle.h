// The order of a shuffle, on a card: that of resets/shuffle.cpp. Queued like all work here, without a wait.
#pragma once

#include <cuda_runtime.h>

#include "cuda/kernels.h"

namespace critmap::cuda {

// The elements of `own`, which is stored as `layout` says, by their random keys: the new elements in logical
// order. They lie in `scratch`, which holds shuffle_bytes(count), and `sorted` points to them.
cudaError_t shuffled(Stream& stream, const float* own, size_t count, uint64_t key, const ResetLayout& layout,
                     const DeviceMemory& scratch, const float*& sorted);

}  // namespace critmap::cuda
