#include "promise_worker.h"

#include <new>
#include <vector>

namespace critmap::binding {
namespace {

void check(napi_env env, napi_status status) {
  if (status != napi_ok) throw Napi::Error::New(env);
}

}  // namespace

Napi::Value PromiseWorker::start(Napi::Env env, std::unique_ptr<PromiseWorker> worker) {
  napi_value promise, name, message, origin;
  check(env, napi_create_string_utf8(env, "critmap", NAPI_AUTO_LENGTH, &name));
  check(env, napi_create_string_utf8(env, "", 0, &message));
  check(env, napi_create_error(env, nullptr, message, &origin));
  check(env, napi_create_reference(env, origin, 1, &worker->origin_));
  check(env, napi_create_promise(env, &worker->deferred_, &promise));
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

void PromiseWorker::run(napi_env, void* data) {
  auto* const self = static_cast<PromiseWorker*>(data);
  try {
    self->execute();
  } catch (const std::bad_alloc&) {
    self->failure_ = Failure::range;
    self->message_ = "not enough memory for this call";
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
    napi_resolve_deferred(env, self->deferred_, value);
  } else {
    napi_value error = nullptr;
    bool pending = false;
    if (napi_is_exception_pending(env, &pending) == napi_ok && pending) {
      napi_get_and_clear_last_exception(env, &error);
    } else {
      error = self->late_error(env);
    }
    if (error) napi_reject_deferred(env, self->deferred_, error);
  }
  napi_delete_reference(env, self->origin_);
  napi_delete_async_work(env, self->work_);
}

// The error with the frames of the call that started the work; null if the environment refuses.
napi_value PromiseWorker::late_error(napi_env env) const {
  napi_value message, error, origin, stack;
  const char* const text = failure_ == Failure::none ? "the work was cancelled" : message_.c_str();
  if (napi_create_string_utf8(env, text, NAPI_AUTO_LENGTH, &message) != napi_ok) return nullptr;
  const auto create = failure_ == Failure::type    ? napi_create_type_error
                      : failure_ == Failure::range ? napi_create_range_error
                                                   : napi_create_error;
  if (create(env, nullptr, message, &error) != napi_ok) return nullptr;
  size_t length = 0;
  if (napi_get_reference_value(env, origin_, &origin) == napi_ok &&
      napi_get_named_property(env, origin, "stack", &stack) == napi_ok &&
      napi_get_value_string_utf8(env, stack, nullptr, 0, &length) == napi_ok) {
    std::vector<char> frames(length + 1);
    napi_get_value_string_utf8(env, stack, frames.data(), frames.size(), &length);
    const std::string all(frames.data(), length);
    const size_t first = all.find("\n    at ");
    const char* const kind = failure_ == Failure::type    ? "TypeError: "
                             : failure_ == Failure::range ? "RangeError: "
                                                          : "Error: ";
    const std::string whole =
        kind + std::string(text) + (first == std::string::npos ? "" : all.substr(first));
    if (napi_create_string_utf8(env, whole.data(), whole.size(), &stack) == napi_ok) {
      napi_set_named_property(env, error, "stack", stack);
    }
  }
  return error;
}

}  // namespace critmap::binding
