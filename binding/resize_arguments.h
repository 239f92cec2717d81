// Reads from JavaScript how pictures are resized and cropped. Sizes are from 1 to 2^31 - 1 a side, results at
// most 2^30 bytes.
#pragma once

#include <napi.h>

#include <string>

#include "images/fit.h"

namespace critmap::binding {

struct Size {
  size_t height, width;
};

// `Resampling` of src/native/addon.ts.
Resize read_resize(Napi::Value value);
// 1 or 3.
size_t read_channels(Napi::Value value);
Size read_size(Napi::Value value, const std::string& name);
// `Fit` of src/images/fit.ts.
Fit read_fit(Napi::Value value, size_t channels);

}  // namespace critmap::binding
