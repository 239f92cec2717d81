// How ONNX Runtime's CUDA kernels compute, beyond which card they compute on.
#pragma once

#include <string>
#include <utility>
#include <vector>

namespace critmap::ort {

// What products are computed in: float32; float32 with 10 bits of fraction (TF32) on cards that can, where
// sums stay float32; or float16, which is the graph's, with float32 for the rest.
enum class Precision { fp32, tf32, fp16 };

const char* name_of(Precision precision);

struct CudaOptions {
  Precision precision = Precision::fp32;
  // How cuDNN's algorithm for a convolution is chosen, in ONNX Runtime's words: HEURISTIC, EXHAUSTIVE (all
  // are tried and timed, so that two runs may choose otherwise) or DEFAULT.
  const char* cudnn_search = "HEURISTIC";
  // Channels last (NHWC) inside of sessions that take it, instead of first.
  bool channels_last = false;
};

// Of a session's convolutions: whether all their weights are the graph's own constants. ONNX Runtime brings
// such weights into the channels' order once; one that a graph gets as an input it would take as it lies, for
// which cuDNN has no fast plan.
enum class ConvolutionWeights { constant, given };

// The provider's options for a session on a card, as ONNX Runtime names them.
std::vector<std::pair<std::string, std::string>> provider_options(int device, const CudaOptions& options,
                                                                  ConvolutionWeights weights);

}  // namespace critmap::ort
