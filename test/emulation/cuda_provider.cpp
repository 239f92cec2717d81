// Instead of onnxruntime/cuda_provider.cpp: the runtime's own kernels, which read and write the emulated
// card's memory as their own.
#include "onnxruntime/cuda_provider.h"

#include "emulation.h"

namespace critmap::ort {
namespace {

OrtMemoryInfo* make_memory(const Library& library) {
  OrtMemoryInfo* made = nullptr;
  library.check(library.api.CreateCpuMemoryInfo(arena_allocator, default_memory, &made));
  return made;
}

}  // namespace

void CudaProvider::require(const Library&, int) {}

CudaProvider::CudaProvider(const Library& library, int device, CUstream_st* stream,
                           const CudaOptions& options)
    : library_(library),
      device_(device),
      stream_(stream),
      options_(options),
      memory_(make_memory(library), {&library}) {
  work_at_once();
}

void CudaProvider::append(OrtSessionOptions*) const {}
void CudaProvider::configure(OrtRunOptions*) const {}

}  // namespace critmap::ort
