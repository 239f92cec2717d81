// What NVIDIA's libraries (cuBLAS, cuDNN) read of the process's environment, once: they must be told before
// ONNX Runtime loads them, and one process cannot be told twice.
#pragma once

#include <optional>
#include <string>

#include "onnxruntime/cuda_options.h"

namespace critmap::ort {

// What to do about TF32 before a card is opened.
struct Tf32Decision {
  // NVIDIA_TF32_OVERRIDE=0 is to be set. What ONNX Runtime's `use_tf32` says does not do: where cuDNN has no
  // plan without tensor cores, its convolution takes one with them, and float16 needs them while what stays
  // float32 beside it must not use TF32.
  bool forbid;
  // Why the card is not to be opened; empty if it may be.
  std::string refusal;
};

// `fixed`: the precision that this process was opened a card for before. `variable`: what
// NVIDIA_TF32_OVERRIDE is, null where it is not set.
Tf32Decision decide_tf32(Precision asked, std::optional<Precision> fixed, const char* variable);

// Tells them what the precision needs, from any thread, for good. Throws Error where they have been told
// otherwise.
void tell_nvidia(Precision precision);

}  // namespace critmap::ort
