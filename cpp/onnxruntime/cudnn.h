// cuDNN, which ONNX Runtime's CUDA provider does not name among the libraries that it needs: it loads where
// cuDNN is missing, and fails when it computes.
#pragma once

#include <string>

#include "onnxruntime/library.h"

namespace critmap::ort {

// Loads the cuDNN that this version's provider takes, from beside ONNX Runtime's library or from where the
// system finds it, for good. Why that failed; empty if it did not.
std::string why_no_cudnn(const Library& library);

}  // namespace critmap::ort
