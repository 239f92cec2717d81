// Everything that JavaScript can call, and nothing else. The surface as TypeScript: src/native/addon.ts.
#include <napi.h>

#include <algorithm>

#include "arguments.h"
#include "calls.h"
#include "environment.h"
#include "guard.h"
#include "images/jpeg.h"
#include "interface.h"
#include "onnxruntime/library.h"
#include "random/normal.h"
#include "random/philox.h"

namespace critmap::binding {
namespace {

Napi::Value info(const Napi::CallbackInfo& info) {
  const Napi::Env env = info.Env();
  const KernelPaths& known = kernel_paths();
  const Napi::Array paths = Napi::Array::New(env, known.count);
  for (size_t i = 0; i < known.count; i++) paths.Set(uint32_t(i), known.paths[i]->name);
  const Napi::Object result = Napi::Object::New(env);
  result.Set("version", CRITMAP_VERSION);
  result.Set("interface", interface_number);
  result.Set("path", Environment::of(env).kernels->name);
  result.Set("paths", paths);
  result.Set("jpeg", jpeg_library() ? Napi::Value(Napi::String::New(env, jpeg_library())) : env.Null());
  return result;
}

Napi::Value use_path(const Napi::CallbackInfo& info) {
  const std::string name = short_string(argument(info, 0), "path");
  const KernelPaths& known = kernel_paths();
  std::string names;
  for (size_t i = 0; i < known.count; i++) {
    if (name == known.paths[i]->name) {
      Environment::of(info.Env()).kernels = known.paths[i];
      return info.Env().Undefined();
    }
    names += (i ? ", " : "") + std::string(known.paths[i]->name);
  }
  throw_range(info.Env(), "path must be one that this processor can run: " + names);
}

// For tests against published values only: one block, counter[4] and key[2] to four words.
Napi::Value philox_block(const Napi::CallbackInfo& info) {
  const std::span<uint32_t> counter = elements<uint32_t>(argument(info, 0), "counter");
  const std::span<uint32_t> key = elements<uint32_t>(argument(info, 1), "key");
  if (counter.size() != 4) throw_range(info.Env(), "counter must have 4 elements");
  if (key.size() != 2) throw_range(info.Env(), "key must have 2 elements");
  OneLane::Wide c[4];
  for (size_t i = 0; i < 4; i++) c[i] = OneLane::set_wide(counter[i]);
  philox<OneLane>(c, uint64_t(key[0]) | uint64_t(key[1]) << 32);
  Napi::Uint32Array words = Napi::Uint32Array::New(info.Env(), 4);
  for (size_t i = 0; i < 4; i++) words[i] = uint32_t(c[i].v[0]);
  return words;
}

// For tests of the rare words: the standard normal of each word, one at a time.
Napi::Value normal_words(const Napi::CallbackInfo& info) {
  const Napi::Value words = argument(info, 0);
  Napi::Float32Array result = Napi::Float32Array::New(
      info.Env(), std::min<size_t>(elements<uint32_t>(words, "words").size(), 1 << 20));
  const std::span<uint32_t> from = elements<uint32_t>(words, "words");
  if (from.size() != result.ElementLength())
    throw_range(info.Env(), "words must have at most 2 ** 20 elements");
  for (size_t i = 0; i < from.size(); i++) {
    result[i] = normal<OneLane>(OneLane::Words{{from[i]}}).v[0];
  }
  return result;
}

template <Call call, bool returns_promise = false>
void add(Napi::Object to, const char* name) {
  napi_value function;
  if (napi_create_function(to.Env(), name, NAPI_AUTO_LENGTH, guarded<call, returns_promise>, nullptr,
                           &function) != napi_ok) {
    throw Napi::Error::New(to.Env());
  }
  to.Set(name, function);
}

Napi::Object load(Napi::Env env, Napi::Object exports) {
  auto state = std::make_unique<Environment>();
  state->float32_array = Napi::Persistent(env.Global().Get("Float32Array").As<Napi::Function>());
  state->float64_array = Napi::Persistent(env.Global().Get("Float64Array").As<Napi::Function>());
  state->uint8_array = Napi::Persistent(env.Global().Get("Uint8Array").As<Napi::Function>());
  env.SetInstanceData<Environment>(state.release());
  // Here and not in JavaScript: what a worker thread writes to its process.env stays there.
  ort::refuse_telemetry();

  add<info>(exports, "info");
  add<use_path>(exports, "usePath");
  add<reset_now>(exports, "reset");
  add<reset_async, true>(exports, "resetAsync");
  add<draw_distances, true>(exports, "drawDistances");
  add<smallest, true>(exports, "smallest");
  add<singular_vectors, true>(exports, "singularVectors");
  add<keep_rank, true>(exports, "keepRank");
  add<to_blocked_now>(exports, "toBlocked");
  add<compare_now>(exports, "compare");
  add<compare_async, true>(exports, "compareAsync");
  add<norms_now>(exports, "norms");
  add<cuda_inventory>(exports, "cuda");
  add<resample_async, true>(exports, "resample");
  add<resample_jpeg_async, true>(exports, "resampleJpeg");
  add<place>(exports, "placement");
  add<fit_jpeg_async, true>(exports, "fitJpeg");
  add<normalize_now>(exports, "normalize");
  add<lock_file>(exports, "lockFile");
  const Napi::Object engine = Napi::Object::New(env);
  add<engine_open>(engine, "open");
  add<engine_add_constant>(engine, "addConstant");
  add<engine_add_session, true>(engine, "addSession");
  add<engine_load>(engine, "load");
  add<engine_execute, true>(engine, "execute");
  add<engine_logits, true>(engine, "logits");
  add<engine_cancel>(engine, "cancel");
  add<engine_close, true>(engine, "close");
  add<engine_stats>(engine, "stats");
  exports.Set("engine", engine);
  const Napi::Object card = Napi::Object::New(env);
  add<card_open, true>(card, "open");
  add<card_take, true>(card, "take");
  add<card_write, true>(card, "write");
  add<card_read, true>(card, "read");
  add<card_reset, true>(card, "reset");
  add<card_compare, true>(card, "compare");
  add<card_release>(card, "release");
  add<card_synchronize, true>(card, "synchronize");
  add<card_close, true>(card, "close");
  exports.Set("card", card);
  const Napi::Object runtime = Napi::Object::New(env);
  add<runtime_optimise, true>(runtime, "optimise");
  add<runtime_ports, true>(runtime, "ports");
  add<runtime_version, true>(runtime, "version");
  add<nameless_file>(runtime, "namelessFile");
  exports.Set("runtime", runtime);
  const Napi::Object internal = Napi::Object::New(env);
  add<philox_block>(internal, "philox");
  add<normal_words>(internal, "normal");
  add<decide_tf32>(internal, "decideTf32");
  exports.Set("internal", internal);
  return exports;
}

}  // namespace
}  // namespace critmap::binding

static Napi::Object load(Napi::Env env, Napi::Object exports) { return critmap::binding::load(env, exports); }

NODE_API_MODULE(critmap, load)
