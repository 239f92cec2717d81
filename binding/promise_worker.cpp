#include "promise_worker.h"

#include <new>

#include "engine/workspace.h"
#include "guard.h"

namespace critmap::binding {

Napi::Value PromiseWorker::start(Napi::Env env, std::unique_ptr<PromiseWorker> worker) {
  napi_value name;
  check(env, napi_create_string_utf8(env, "critmap", NAPI_AUTO_LENGTH, &name));
  const napi_value promise = worker->deferred_.start(env);
  check(env, napi_create_async_work(env, nullptr, name, run, settle, worker.get(), &worker->work_));
  check(env, napi_queue_async_work(env, worker->work_));
  // From here `settle` owns it; it is called exactly once.
  worker.release();
  return Napi::Value(env, promise);
}

void PromiseWorker::fail_type(std::string message) {
  failure_ = Failure::type;
  message_ = std::move(message);
}

void PromiseWorker::fail_coded(const char* code, std::string message) {
  failure_ = Failure::other;
  message_ = std::move(message);
  code_ = code;
}

void PromiseWorker::run(napi_env, void* data) {
  auto* const self = static_cast<PromiseWorker*>(data);
  try {
    self->execute();
  } catch (const std::bad_alloc&) {
    self->failure_ = Failure::range;
    self->message_ = no_memory_text;
    self->code_ = no_memory_code;
  } catch (const DeviceLost& error) {
    self->fail_coded(device_lost_code, error.what());
  } catch (const DeviceFull& error) {
    self->fail_coded(device_full_code, error.what());
  } catch (const std::exception& error) {
    self->failure_ = Failure::other;
    self->message_ = error.what();
  }
}

void PromiseWorker::settle(napi_env env, napi_status status, void* data) {
  const std::unique_ptr<PromiseWorker> self(static_cast<PromiseWorker*>(data));
  napi_value value = nullptr;
  if (status == napi_ok && self->failure_ == Failure::none) value = self->finish(env);
  if (value) {
    self->deferred_.resolve(env, value);
  } else {
    const bool cancelled = self->failure_ == Failure::none;
    self->deferred_.reject(env, cancelled ? Failure::other : self->failure_,
                           cancelled ? "the work was cancelled" : self->message_, self->code_);
  }
  napi_delete_async_work(env, self->work_);
}

}  // namespace critmap::binding
