// Instead of cuda_workspace.cpp in a build without a CUDA compiler.
#include "cuda/runtime.h"
#include "engine/workspace.h"

namespace critmap {

std::unique_ptr<Device> make_cuda_device(const ort::Library&, int, const ort::CudaOptions&) {
  throw ort::Error(cuda::inventory().reason, 0);
}

}  // namespace critmap
