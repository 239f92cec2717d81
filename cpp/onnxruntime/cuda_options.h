// How ONNX Runtime's CUDA kernels compute, beyond which card they compute on.
#pragma once

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
};

}  // namespace critmap::ort
