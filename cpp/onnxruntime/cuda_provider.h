// ONNX Runtime's CUDA kernels, which are in a library of their own beside the runtime's
// (libonnxruntime_providers_cuda.so) and need cuDNN and cuBLAS. Sessions that are made with the provider
// queue their work on the given stream and do not wait for it.
#pragma once

#include "onnxruntime/cuda_options.h"
#include "onnxruntime/session.h"

struct CUstream_st;

namespace critmap::ort {

class CudaProvider : public Provider {
 public:
  // Throws Error that says what to install when this runtime has no CUDA kernels or they do not load.
  static void require(const Library& library, int device);
  CudaProvider(const Library& library, int device, CUstream_st* stream, const CudaOptions& options);

  void append(OrtSessionOptions* options, ConvolutionWeights weights) const override;
  void configure(OrtRunOptions* options) const override;
  // Queues it on the stream.
  void run(const std::function<void()>& run) const override;
  // Of the card.
  const OrtMemoryInfo* memory() const { return memory_.get(); }

 private:
  const Library& library_;
  int device_;
  CUstream_st* stream_;
  CudaOptions options_;
  Owned<OrtMemoryInfo, &Api::ReleaseMemoryInfo> memory_;
};

}  // namespace critmap::ort
