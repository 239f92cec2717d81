#include "guard.h"

#include <new>
#include <stdexcept>

namespace critmap::binding {
namespace {

using Create = napi_status (*)(napi_env, napi_value, napi_value, napi_value*);

napi_value make_error(napi_env env, Create create, const char* text) {
  napi_value message, error;
  if (napi_create_string_utf8(env, text, NAPI_AUTO_LENGTH, &message) != napi_ok) return nullptr;
  return create(env, nullptr, message, &error) == napi_ok ? error : nullptr;
}

}  // namespace

napi_value current_error(napi_env env) noexcept {
  try {
    try {
      throw;
    } catch (const Napi::Error& error) {
      return error.Value();
    } catch (const std::bad_alloc&) {
      return make_error(env, napi_create_range_error, "not enough memory for this call");
    } catch (const std::out_of_range& error) {
      return make_error(env, napi_create_range_error, error.what());
    } catch (const std::exception& error) {
      return make_error(env, napi_create_error, error.what());
    }
  } catch (...) {
    return nullptr;
  }
}

napi_value rejected(napi_env env, napi_value error) noexcept {
  napi_deferred deferred;
  napi_value promise;
  if (napi_create_promise(env, &deferred, &promise) != napi_ok) return nullptr;
  napi_reject_deferred(env, deferred, error);
  return promise;
}

}  // namespace critmap::binding
