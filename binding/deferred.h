// A promise that is settled later, from its environment's thread. The environment may be shutting down by
// then, so settling uses the plain C API, takes no for an answer and throws nothing.
#pragma once

#include <napi.h>

#include <string>

namespace critmap::binding {

enum class Failure { none, type, range, other };

class Deferred {
 public:
  // Makes the promise and keeps the stack of the call that is running now.
  napi_value start(napi_env env);
  // Exactly one of these, once, after `start`.
  void resolve(napi_env env, napi_value value);
  // Rejects with the pending JavaScript exception, else with an error of this kind; `code` may be null.
  void reject(napi_env env, Failure failure, const std::string& message, const char* code);

 private:
  napi_value late_error(napi_env env, Failure failure, const std::string& message, const char* code) const;

  napi_deferred deferred_ = nullptr;
  // An Error made by the call: its stack shows the caller, which a late error would not know.
  napi_ref origin_ = nullptr;
};

// Throws the JavaScript error of a refused C API call.
void check(napi_env env, napi_status status);

}  // namespace critmap::binding
