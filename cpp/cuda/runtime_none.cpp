// Instead of device.cpp in a build without a CUDA compiler.
#include "cuda/runtime.h"

namespace critmap::cuda {

Inventory inventory() {
  Inventory none{};
  none.reason = "this build of critmap has no CUDA code: no CUDA compiler (nvcc) was found when it was built";
  return none;
}

std::optional<uint64_t> free_memory(int) { return std::nullopt; }

}  // namespace critmap::cuda
