// Starting a kernel, and the sizes of grids. A thread takes every stride-th item, so any grid computes the
// same; the sizes only have to fill a card. Without a CUDA compiler a test's own cuda_runtime.h runs the same
// kernels, thread by thread, on the host.
#pragma once

#include <cuda_runtime.h>
#include <stdint.h>

#include "simd/lanes.h"

namespace critmap::cuda {

// Enough blocks of `threads` for `items`, but not more than any card can hold at once.
constexpr unsigned blocks_for(uint64_t items, unsigned threads) {
  constexpr uint64_t most = 4096;
  const uint64_t wanted = (items + threads - 1) / threads;
  return unsigned(wanted < most ? wanted : most);
}

// Launches on `stream`; the arguments are converted to the kernel's parameters here.
template <class... Parameters>
cudaError_t launch(void (*kernel)(Parameters...), unsigned blocks, unsigned threads, cudaStream_t stream,
                   Parameters... arguments) {
#if defined(__CUDACC__)
  // What the runtime's kernels left on this thread is not this one's failure; what lasts comes again.
  cudaGetLastError();
  kernel<<<blocks, threads, 0, stream>>>(arguments...);
  return cudaGetLastError();
#else
  return emulate(blocks, threads, stream, [=] { kernel(arguments...); });
#endif
}

}  // namespace critmap::cuda
