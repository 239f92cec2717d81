#include "onnxruntime/cuda_provider.h"

#include <mutex>
#include <set>
#include <string>

#include "onnxruntime/cudnn.h"

namespace critmap::ort {
namespace {

using ProviderOptions = Owned<OrtCUDAProviderOptionsV2, &Api::ReleaseCUDAProviderOptions>;
using SessionOptions = Owned<OrtSessionOptions, &Api::ReleaseSessionOptions>;
using ArenaConfig = Owned<OrtArenaCfg, &Api::ReleaseArenaCfg>;

constexpr const char* provider_name = "CUDAExecutionProvider";

[[noreturn]] void refuse(const Library& library, const std::string& why, int code) {
  throw Error(
      "ONNX Runtime " + library.version + " in " + library.path + " cannot use a GPU: " + why +
          ". On Linux x64 `npm run setup:cuda` in critmap's folder fetches the provider of "
          "onnxruntime-node's version (since 1.27 for CUDA 13, though the installer calls it cuda12); else "
          "let CRITMAP_ONNXRUNTIME name the folder of an ONNX Runtime "
          "for GPUs, with its libonnxruntime_providers_shared and libonnxruntime_providers_cuda. The "
          "CUDA and cuDNN that it was built for must be where the system finds them (LD_LIBRARY_PATH); "
          "see docs/gpu.md",
      code);
}

OrtMemoryInfo* make_memory(const Library& library, int device) {
  OrtMemoryInfo* made = nullptr;
  library.check(library.api.CreateMemoryInfo("Cuda", device_allocator, device, default_memory, &made));
  return made;
}

// One arena on each card for the intermediate tensors of all sessions, once in the process: without it every
// one of some sixty sessions keeps what its own largest run took. A session gives its tensors back when it
// has queued its run, and the next one's kernels write there: they come later, since all sessions of a card
// are on one stream.
void share_arena(const Library& library, int device) {
  static std::mutex mutex;
  static std::set<int> shared;
  const std::lock_guard lock(mutex);
  if (shared.count(device)) return;
  const Owned<OrtMemoryInfo, &Api::ReleaseMemoryInfo> memory(make_memory(library, device), {&library});
  const ArenaConfig arena(library.make_arena(), {&library});
  const std::string number = std::to_string(device);
  const char *const key = "device_id", *const value = number.c_str();
  try {
    library.check(library.api.CreateAndRegisterAllocatorV2(library.env, provider_name, memory.get(),
                                                           arena.get(), &key, &value, 1),
                  "making an arena");
  } catch (const Error& error) {
    // Someone registered one before us, which serves as well.
    const bool is_there = std::string(error.what()).find("already been registered") != std::string::npos;
    if (error.code != invalid_argument || !is_there) throw;
  }
  shared.insert(device);
}

}  // namespace

void CudaProvider::require(const Library& library, int device) {
  OrtSessionOptions* made = nullptr;
  library.check(library.api.CreateSessionOptions(&made));
  const SessionOptions trial(made, {&library});
  // ONNX Runtime looks for it when the first convolution is computed.
  const std::string lacking = why_no_cudnn(library);
  try {
    CudaProvider(library, device, nullptr, {}).append(made, ConvolutionWeights::given);
    if (lacking.empty()) return share_arena(library, device);
  } catch (const Error& error) {
    refuse(library, error.what() + (lacking.empty() ? "" : "; and " + lacking), error.code);
  }
  refuse(library, lacking, 0);
}

CudaProvider::CudaProvider(const Library& library, int device, CUstream_st* stream,
                           const CudaOptions& options)
    : library_(library),
      device_(device),
      stream_(stream),
      options_(options),
      memory_(make_memory(library, device), {&library}) {}

void CudaProvider::append(OrtSessionOptions* options, ConvolutionWeights weights) const {
  const Api& api = library_.api;
  OrtCUDAProviderOptionsV2* made = nullptr;
  library_.check(api.CreateCUDAProviderOptions(&made));
  const ProviderOptions cuda(made, {&library_});
  std::vector<const char*> keys, values;
  const auto named = provider_options(device_, options_, weights);
  for (const auto& [key, value] : named) {
    keys.push_back(key.c_str());
    values.push_back(value.c_str());
  }
  library_.check(api.UpdateCUDAProviderOptions(made, keys.data(), values.data(), keys.size()));
  if (stream_) library_.check(api.UpdateCUDAProviderOptionsWithValue(made, "user_compute_stream", stream_));
  // Weights go back to the card with their session, instead of into the arena that all share.
  library_.check(api.AddSessionConfigEntry(options, "session.use_device_allocator_for_initializers", "1"));
  library_.check(api.SessionOptionsAppendExecutionProvider_CUDA_V2(options, made));
}

void CudaProvider::configure(OrtRunOptions* options) const {
  library_.check(library_.api.AddRunConfigEntry(options, "disable_synchronize_execution_providers", "1"));
}

void CudaProvider::run(const std::function<void()>& run) const { run(); }

}  // namespace critmap::ort
