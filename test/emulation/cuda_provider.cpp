// Instead of onnxruntime/cuda_provider.cpp: the runtime's own kernels, which read and write the emulated
// card's memory as their own, in the order of the card's stream.
#include "onnxruntime/cuda_provider.h"

#include <cstdlib>
#include <fstream>
#include <map>
#include <mutex>

#include "cuda/runtime.h"
#include "emulation.h"

namespace critmap::ort {
namespace {

OrtMemoryInfo* make_memory(const Library& library) {
  OrtMemoryInfo* made = nullptr;
  library.check(library.api.CreateCpuMemoryInfo(arena_allocator, default_memory, &made));
  return made;
}

// A number on its card, kept for good: other engines' runs on that card have others. An engine on another
// card may later have the address of one that was closed.
int* scratch_of(const CudaProvider* provider, int device) {
  static std::mutex mutex;
  static auto& made = *new std::map<std::pair<const CudaProvider*, int>, int*>;
  const std::lock_guard lock(mutex);
  int*& found = made[{provider, device}];
  if (!found) {
    void* data = nullptr;
    cuda::check(cudaMalloc(&data, sizeof(int)), "taking device memory");
    found = static_cast<int*>(data);
  }
  return found;
}

}  // namespace

void CudaProvider::require(const Library&, int) {}

CudaProvider::CudaProvider(const Library& library, int device, CUstream_st* stream,
                           const CudaOptions& options)
    : library_(library),
      device_(device),
      stream_(stream),
      options_(options),
      memory_(make_memory(library), {&library}) {}

// Into the file CRITMAP_EMULATED_OPTIONS, a line for each session: what the real one would be told.
void CudaProvider::append(OrtSessionOptions*, ConvolutionWeights weights) const {
  const char* const path = getenv("CRITMAP_EMULATED_OPTIONS");
  if (!path) return;
  std::string line;
  for (const auto& [key, value] : provider_options(device_, options_, weights))
    line += key + "=" + value + " ";
  std::ofstream(path, std::ios::app) << line << std::endl;
}
void CudaProvider::configure(OrtRunOptions*) const {}

// ONNX Runtime's convolutions may clear on the legacy default stream what their kernels on this one then
// read.
void CudaProvider::run(const std::function<void()>& run) const {
  int* const scratch = scratch_of(this, device_);
  cudaError_t status = cudaMemset(scratch, 0, sizeof(int));
  if (status == cudaSuccess) {
    status = run_on(stream_, [&] {
      if (*scratch != 0) misuse("what the legacy stream clears is read before");
      *scratch = 1;
      run();
    });
  }
  // As ONNX Runtime says it.
  if (status != cudaSuccess)
    throw Error("CUDA failure " + std::to_string(status) + ": " + cudaGetErrorString(status), 1);
}

}  // namespace critmap::ort
