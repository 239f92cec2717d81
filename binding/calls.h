// The functions that addon.cpp exports, by the file that implements them.
#pragma once

#include <napi.h>

namespace critmap::binding {

// reset_calls.cpp
Napi::Value reset_now(const Napi::CallbackInfo& info);
Napi::Value reset_async(const Napi::CallbackInfo& info);
Napi::Value draw_distances(const Napi::CallbackInfo& info);
Napi::Value to_blocked_now(const Napi::CallbackInfo& info);

// weight_calls.cpp
Napi::Value smallest(const Napi::CallbackInfo& info);
Napi::Value singular_vectors(const Napi::CallbackInfo& info);
Napi::Value keep_rank(const Napi::CallbackInfo& info);

// compare_calls.cpp
Napi::Value compare_now(const Napi::CallbackInfo& info);
Napi::Value compare_async(const Napi::CallbackInfo& info);
Napi::Value norms_now(const Napi::CallbackInfo& info);

// device_calls.cpp
Napi::Value cuda_inventory(const Napi::CallbackInfo& info);

// card_calls.cpp
Napi::Value card_open(const Napi::CallbackInfo& info);
Napi::Value card_take(const Napi::CallbackInfo& info);
Napi::Value card_write(const Napi::CallbackInfo& info);
Napi::Value card_read(const Napi::CallbackInfo& info);
Napi::Value card_reset(const Napi::CallbackInfo& info);
Napi::Value card_compare(const Napi::CallbackInfo& info);
Napi::Value card_release(const Napi::CallbackInfo& info);
Napi::Value card_synchronize(const Napi::CallbackInfo& info);
Napi::Value card_close(const Napi::CallbackInfo& info);

// resample_calls.cpp
Napi::Value resample_async(const Napi::CallbackInfo& info);
Napi::Value resample_jpeg_async(const Napi::CallbackInfo& info);
Napi::Value normalize_now(const Napi::CallbackInfo& info);

// fit_calls.cpp
Napi::Value place(const Napi::CallbackInfo& info);
Napi::Value fit_jpeg_async(const Napi::CallbackInfo& info);

// engine_calls.cpp
Napi::Value engine_open(const Napi::CallbackInfo& info);
Napi::Value engine_add_constant(const Napi::CallbackInfo& info);
Napi::Value engine_add_session(const Napi::CallbackInfo& info);
Napi::Value engine_load(const Napi::CallbackInfo& info);
Napi::Value engine_execute(const Napi::CallbackInfo& info);
Napi::Value engine_logits(const Napi::CallbackInfo& info);
Napi::Value engine_cancel(const Napi::CallbackInfo& info);
Napi::Value engine_close(const Napi::CallbackInfo& info);
Napi::Value engine_stats(const Napi::CallbackInfo& info);

// engine_devices.cpp
Napi::Value decide_tf32(const Napi::CallbackInfo& info);

// lock_calls.cpp
Napi::Value lock_file(const Napi::CallbackInfo& info);

// runtime_calls.cpp
Napi::Value runtime_optimise(const Napi::CallbackInfo& info);
Napi::Value runtime_ports(const Napi::CallbackInfo& info);
Napi::Value runtime_version(const Napi::CallbackInfo& info);
Napi::Value nameless_file(const Napi::CallbackInfo& info);

}  // namespace critmap::binding
