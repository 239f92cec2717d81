// The outermost frame of every call from JavaScript: whatever is thrown below becomes a JavaScript error. An
// environment that shuts down (a terminated worker thread) refuses most of the C API, even to throw, so this
// uses it directly and takes no for an answer; node-addon-api's own wrapper would end the process.
#pragma once

#include <napi.h>

namespace critmap::binding {

using Call = Napi::Value (*)(const Napi::CallbackInfo&);

// Inside a catch block: the exception as a JavaScript error, or null if the environment refuses.
napi_value current_error(napi_env env) noexcept;
// What JavaScript reads when memory ran out, for it is nobody's mistake.
inline constexpr const char* no_memory_code = "ERR_MEMORY";
inline constexpr const char* no_memory_text = "not enough memory for this call";
// Of a card that this process cannot use any more.
inline constexpr const char* device_lost_code = "ERR_DEVICE_LOST";
inline constexpr const char* device_full_code = "ERR_DEVICE_FULL";
// A promise that is rejected with `error`, or null.
napi_value rejected(napi_env env, napi_value error) noexcept;

// The call as a JavaScript function. Errors are thrown or, for functions that return a promise, reject it.
template <Call call, bool returns_promise>
napi_value guarded(napi_env env, napi_callback_info info) noexcept {
  try {
    return call(Napi::CallbackInfo(env, info));
  } catch (...) {
    const napi_value error = current_error(env);
    if (error && returns_promise) return rejected(env, error);
    if (error) napi_throw(env, error);
    return nullptr;
  }
}

}  // namespace critmap::binding
