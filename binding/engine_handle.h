// An engine as JavaScript holds it: an object tagged as ours whose finalizer closes the engine. Results come
// back over a thread-safe function. When the environment ends first (process.exit, a terminated worker
// thread) a cleanup hook stops and joins the engine's threads, so that none outlives it; what they finished
// is dropped. An execute keeps its handle alive, and the event loop only while one is outstanding.
#pragma once

#include <napi.h>

#include <memory>

#include "deferred.h"
#include "engine/engine.h"

namespace critmap::binding {

class EngineHandle {
 public:
  // A new object that owns `engine`.
  static Napi::Object wrap(Napi::Env env, std::shared_ptr<Engine> engine);
  // TypeError unless `value` came from `wrap`.
  static EngineHandle& of(Napi::Value value);

  const std::shared_ptr<Engine>& engine() const { return engine_; }

  // Runs `job` (all but `done` filled in) and settles the promise returned. `self` is the handle's object.
  Napi::Value submit(Napi::Value self, std::unique_ptr<Job> job);

 private:
  struct Call;
  explicit EngineHandle(std::shared_ptr<Engine> engine) : engine_(std::move(engine)) {}
  static void settle(napi_env env, napi_value, void* context, void* data);
  static void finalize(napi_env env, void* data, void*);
  static void end_environment(void* data);
  void release_completions();

  std::shared_ptr<Engine> engine_;
  napi_threadsafe_function completions_ = nullptr;
  size_t outstanding_ = 0;
};

}  // namespace critmap::binding
