// What one Node environment (the main thread or a worker thread) keeps: created with the addon's exports,
// freed with the environment. Nothing is shared between environments.
#pragma once

#include <napi.h>

#include <memory>

#include "simd/kernels.h"

namespace critmap::binding {

struct Environment {
  const Kernels* kernels = kernel_paths().paths[0];
  // Taken when the addon loads. `new Float64Array(n)` throws a RangeError where the C API would abort the
  // process.
  Napi::FunctionReference float32_array, float64_array, uint8_array;

  static Environment& of(Napi::Env env) { return *env.GetInstanceData<Environment>(); }
};

}  // namespace critmap::binding
