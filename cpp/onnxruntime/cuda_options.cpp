#include "onnxruntime/cuda_options.h"

namespace critmap::ort {

std::vector<std::pair<std::string, std::string>> provider_options(int device, const CudaOptions& options,
                                                                  ConvolutionWeights weights) {
  // Without `use_tf32` ONNX Runtime takes no plan of cuDNN's that uses tensor cores, whatever its type:
  // float16 is slow then. What stays float32 beside it is kept from TF32 by the environment
  // (nvidia_environment.h).
  const bool tensor_cores = options.precision != Precision::fp32;
  // A bias joins its convolution with channels last only: with channels first ONNX Runtime would clear the
  // output on the legacy stream and add it to itself.
  const bool channels_last = options.channels_last && weights == ConvolutionWeights::constant;
  // Memory by what is asked for, since many sessions share a card.
  std::vector<std::pair<std::string, std::string>> named = {{"device_id", std::to_string(device)},
                                                            {"use_tf32", tensor_cores ? "1" : "0"},
                                                            {"arena_extend_strategy", "kSameAsRequested"},
                                                            {"cudnn_conv_algo_search", options.cudnn_search}};
  // Older versions refuse what they do not know.
  if (channels_last) named.insert(named.end(), {{"prefer_nhwc", "1"}, {"fuse_conv_bias", "1"}});
  return named;
}

}  // namespace critmap::ort
