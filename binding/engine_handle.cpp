#include "engine_handle.h"

#include <algorithm>

#include "arguments.h"
#include "environment.h"
#include "guard.h"

namespace critmap::binding {
namespace {

constexpr napi_type_tag engine_tag = {0x6372'6974'6d61'7031, 0x656e'6769'6e65'0003};

// A Float64Array with these values, or null.
napi_value make_array(napi_env env, const Environment& environment, const std::vector<double>& values) {
  napi_value constructor, length, array;
  void* data = nullptr;
  size_t actual = 0;
  if (napi_get_reference_value(env, environment.float64_array, &constructor) != napi_ok ||
      napi_create_double(env, double(values.size()), &length) != napi_ok ||
      napi_new_instance(env, constructor, 1, &length, &array) != napi_ok ||
      !try_elements(env, array, napi_float64_array, &data, &actual) || actual != values.size()) {
    return nullptr;
  }
  std::copy(values.begin(), values.end(), static_cast<double*>(data));
  return array;
}

}  // namespace

// What a finished job needs to come home. Made and freed on the environment's thread.
struct EngineHandle::Call {
  EngineHandle* handle;
  Environment& environment;
  Deferred deferred;
  // Keeps the handle from being collected.
  napi_ref self = nullptr;
  std::unique_ptr<Job> job;
};

Napi::Object EngineHandle::wrap(Napi::Env env, std::shared_ptr<Engine> engine) {
  const Napi::Object object = Napi::Object::New(env);
  std::unique_ptr<EngineHandle> handle(new EngineHandle(std::move(engine)));
  const Napi::String name = Napi::String::New(env, "critmap engine");
  check(env, napi_create_threadsafe_function(env, nullptr, nullptr, name, 0, 1, nullptr, nullptr, nullptr,
                                             settle, &handle->completions_));
  try {
    check(env, napi_unref_threadsafe_function(env, handle->completions_));
    // After the thread-safe function: hooks run last to first, and this one must come before its own.
    check(env, napi_add_env_cleanup_hook(env, end_environment, handle.get()));
    check(env, napi_type_tag_object(env, object, &engine_tag));
    check(env, napi_wrap(env, object, handle.get(), finalize, nullptr, nullptr));
  } catch (...) {
    napi_remove_env_cleanup_hook(env, end_environment, handle.get());
    handle->release_completions();
    throw;
  }
  handle.release();
  return object;
}

EngineHandle& EngineHandle::of(Napi::Value value) {
  const Napi::Env env = value.Env();
  bool ours = false;
  void* handle = nullptr;
  if (value.Type() != napi_object || napi_check_object_type_tag(env, value, &engine_tag, &ours) != napi_ok ||
      !ours || napi_unwrap(env, value, &handle) != napi_ok) {
    throw_type(env, "engine must be a handle that engine.open returned");
  }
  return *static_cast<EngineHandle*>(handle);
}

Napi::Value EngineHandle::submit(Napi::Value self, std::unique_ptr<Job> job) {
  const Napi::Env env = self.Env();
  auto call = std::make_unique<Call>(Call{this, Environment::of(env), {}, nullptr, nullptr});
  const napi_value promise = call->deferred.start(env);
  try {
    check(env, napi_create_reference(env, self, 1, &call->self));
    // Owned by the job from here; it runs exactly once.
    job->done = [completions = completions_, waiting = call.get()](std::unique_ptr<Job> finished) {
      waiting->job = std::move(finished);
      // The queue is not bounded, so this does not wait; it fails only while the environment ends.
      if (napi_call_threadsafe_function(completions, waiting, napi_tsfn_nonblocking) != napi_ok) {
        delete waiting;
      }
    };
    if (outstanding_ == 0) check(env, napi_ref_threadsafe_function(env, completions_));
    outstanding_++;
    engine_->submit(std::move(job));
  } catch (const std::exception& error) {
    if (outstanding_ > 0 && --outstanding_ == 0) napi_unref_threadsafe_function(env, completions_);
    if (call->self) napi_delete_reference(env, call->self);
    call->deferred.reject(env, Failure::other, error.what(), nullptr);
    return Napi::Value(env, promise);
  }
  call.release();
  return Napi::Value(env, promise);
}

void EngineHandle::settle(napi_env env, napi_value, void*, void* data) {
  const std::unique_ptr<Call> call(static_cast<Call*>(data));
  if (!env) return;
  EngineHandle& handle = *call->handle;
  if (--handle.outstanding_ == 0) napi_unref_threadsafe_function(env, handle.completions_);
  const Job& job = *call->job;
  const napi_value result =
      job.outcome == Job::Outcome::rows ? make_array(env, call->environment, job.rows) : nullptr;
  if (result) {
    call->deferred.resolve(env, result);
  } else if (job.outcome == Job::Outcome::cancelled) {
    call->deferred.reject(env, Failure::other, "the batch was cancelled", "ERR_CANCELLED");
  } else {
    call->deferred.reject(env, Failure::other, job.error,
                          job.fault == Job::Fault::lost   ? device_lost_code
                          : job.fault == Job::Fault::full ? device_full_code
                                                          : "ERR_ONNXRUNTIME");
  }
  // Last: the handle may go with it.
  napi_delete_reference(env, call->self);
}

// The thread-safe function may be freed once its environment ends, so it is let go before that.
void EngineHandle::release_completions() {
  if (!completions_) return;
  napi_release_threadsafe_function(completions_, napi_tsfn_release);
  completions_ = nullptr;
}

void EngineHandle::end_environment(void* data) {
  auto& handle = *static_cast<EngineHandle*>(data);
  handle.engine_->close();
  handle.release_completions();
}

void EngineHandle::finalize(napi_env env, void* data, void*) {
  const std::unique_ptr<EngineHandle> handle(static_cast<EngineHandle*>(data));
  napi_remove_env_cleanup_hook(env, end_environment, handle.get());
  handle->engine_->close();
  handle->release_completions();
}

}  // namespace critmap::binding
