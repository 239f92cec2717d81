#include "deferred.h"

#include <vector>

namespace critmap::binding {

void check(napi_env env, napi_status status) {
  if (status != napi_ok) throw Napi::Error::New(env);
}

napi_value Deferred::start(napi_env env) {
  napi_value promise, message, origin;
  check(env, napi_create_string_utf8(env, "", 0, &message));
  check(env, napi_create_error(env, nullptr, message, &origin));
  check(env, napi_create_reference(env, origin, 1, &origin_));
  check(env, napi_create_promise(env, &deferred_, &promise));
  return promise;
}

void Deferred::resolve(napi_env env, napi_value value) {
  napi_resolve_deferred(env, deferred_, value);
  napi_delete_reference(env, origin_);
}

void Deferred::reject(napi_env env, Failure failure, const std::string& message, const char* code) {
  napi_value error = nullptr;
  bool pending = false;
  if (napi_is_exception_pending(env, &pending) == napi_ok && pending) {
    napi_get_and_clear_last_exception(env, &error);
  } else {
    error = late_error(env, failure, message, code);
  }
  if (error) napi_reject_deferred(env, deferred_, error);
  napi_delete_reference(env, origin_);
}

// The error with the frames of the call that started the work; null if the environment refuses.
napi_value Deferred::late_error(napi_env env, Failure failure, const std::string& text,
                                const char* code) const {
  napi_value message, error, origin, stack, code_text = nullptr;
  if (napi_create_string_utf8(env, text.data(), text.size(), &message) != napi_ok) return nullptr;
  if (code && napi_create_string_utf8(env, code, NAPI_AUTO_LENGTH, &code_text) != napi_ok) return nullptr;
  const auto create = failure == Failure::type    ? napi_create_type_error
                      : failure == Failure::range ? napi_create_range_error
                                                  : napi_create_error;
  if (create(env, code_text, message, &error) != napi_ok) return nullptr;
  size_t length = 0;
  if (napi_get_reference_value(env, origin_, &origin) == napi_ok &&
      napi_get_named_property(env, origin, "stack", &stack) == napi_ok &&
      napi_get_value_string_utf8(env, stack, nullptr, 0, &length) == napi_ok) {
    std::vector<char> frames(length + 1);
    napi_get_value_string_utf8(env, stack, frames.data(), frames.size(), &length);
    const std::string all(frames.data(), length);
    const size_t first = all.find("\n    at ");
    const char* const kind = failure == Failure::type    ? "TypeError: "
                             : failure == Failure::range ? "RangeError: "
                                                         : "Error: ";
    const std::string whole = kind + text + (first == std::string::npos ? "" : all.substr(first));
    if (napi_create_string_utf8(env, whole.data(), whole.size(), &stack) == napi_ok) {
      napi_set_named_property(env, error, "stack", stack);
    }
  }
  return error;
}

}  // namespace critmap::binding
