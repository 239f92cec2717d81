#include "guard.h"

#include <new>
#include <stdexcept>

#include "engine/workspace.h"

namespace critmap::binding {
namespace {

using Create = napi_status (*)(napi_env, napi_value, napi_value, napi_value*);

napi_value make_error(napi_env env, Create create, const char* text, const char* code = nullptr) {
  napi_value message, error, code_text = nullptr;
  if (napi_create_string_utf8(env, text, NAPI_AUTO_LENGTH, &message) != napi_ok) return nullptr;
  if (code && napi_create_string_utf8(env, code, NAPI_AUTO_LENGTH, &code_text) != napi_ok) return nullptr;
  return create(env, code_text, message, &error) == napi_ok ? error : nullptr;
}

}  // namespace

napi_value current_error(napi_env env) noexcept {
  try {
    try {
      throw;
    } catch (const Napi::Error& error) {
      return error.Value();
    } catch (const std::bad_alloc&) {
      return make_error(env, napi_create_range_error, no_memory_text, no_memory_code);
    } catch (const DeviceLost& error) {
      return make_error(env, napi_create_error, error.what(), device_lost_code);
    } catch (const DeviceFull& error) {
      return make_error(env, napi_create_error, error.what(), device_full_code);
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
