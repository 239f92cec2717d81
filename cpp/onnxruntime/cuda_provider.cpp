#include "onnxruntime/cuda_provider.h"

#include <string>

namespace critmap::ort {
namespace {

using ProviderOptions = Owned<OrtCUDAProviderOptionsV2, &Api::ReleaseCUDAProviderOptions>;
using SessionOptions = Owned<OrtSessionOptions, &Api::ReleaseSessionOptions>;

[[noreturn]] void refuse(const Library& library, const std::string& why, int code) {
  throw Error("ONNX Runtime " + library.version + " in " + library.path + " cannot use a GPU: " + why +
                  ". On Linux x64 `npm run setup:cuda` in critmap's folder fetches the provider for CUDA 12; "
                  "else let "
                  "CRITMAP_ONNXRUNTIME name the folder of an ONNX Runtime for GPUs, with its "
                  "libonnxruntime_providers_shared and libonnxruntime_providers_cuda. Install the CUDA and "
                  "cuDNN that "
                  "it was built for; see docs/gpu.md",
              code);
}

OrtMemoryInfo* make_memory(const Library& library, int device) {
  OrtMemoryInfo* made = nullptr;
  library.check(library.api.CreateMemoryInfo("Cuda", device_allocator, device, default_memory, &made));
  return made;
}

}  // namespace

void CudaProvider::require(const Library& library, int device) {
  OrtSessionOptions* made = nullptr;
  library.check(library.api.CreateSessionOptions(&made));
  const SessionOptions trial(made, {&library});
  try {
    CudaProvider(library, device, nullptr, {}).append(made);
  } catch (const Error& error) {
    refuse(library, error.what(), error.code);
  }
}

CudaProvider::CudaProvider(const Library& library, int device, CUstream_st* stream,
                           const CudaOptions& options)
    : library_(library),
      device_(device),
      stream_(stream),
      options_(options),
      memory_(make_memory(library, device), {&library}) {}

void CudaProvider::append(OrtSessionOptions* options) const {
  const Api& api = library_.api;
  OrtCUDAProviderOptionsV2* made = nullptr;
  library_.check(api.CreateCUDAProviderOptions(&made));
  const ProviderOptions cuda(made, {&library_});
  const std::string device = std::to_string(device_);
  // Memory by what is asked for, since many sessions share a card.
  const char* const keys[] = {"device_id", "use_tf32", "arena_extend_strategy", "cudnn_conv_algo_search"};
  const char* const values[] = {device.c_str(), options_.tf32 ? "1" : "0", "kSameAsRequested",
                                options_.cudnn_search};
  library_.check(api.UpdateCUDAProviderOptions(made, keys, values, std::size(keys)));
  if (stream_) library_.check(api.UpdateCUDAProviderOptionsWithValue(made, "user_compute_stream", stream_));
  library_.check(api.SessionOptionsAppendExecutionProvider_CUDA_V2(options, made));
}

void CudaProvider::configure(OrtRunOptions* options) const {
  library_.check(library_.api.AddRunConfigEntry(options, "disable_synchronize_execution_providers", "1"));
}

void CudaProvider::run(const std::function<void()>& run) const { run(); }

}  // namespace critmap::ort
