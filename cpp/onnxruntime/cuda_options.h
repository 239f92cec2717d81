// How ONNX Runtime's CUDA kernels compute, beyond which card they compute on.
#pragma once

namespace critmap::ort {

struct CudaOptions {
  // Products of float32 with 10 bits of fraction (TF32) on cards that can; sums stay float32.
  bool tf32 = false;
  // How cuDNN's algorithm for a convolution is chosen, in ONNX Runtime's words: HEURISTIC, EXHAUSTIVE (all
  // are tried and timed, so that two runs may choose otherwise) or DEFAULT.
  const char* cudnn_search = "HEURISTIC";
};

}  // namespace critmap::ort
