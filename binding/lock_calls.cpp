// A lock on a file that lasts until it is released or its environment ends; src/native/addon.ts says what the
// call gives.
#include <memory>
#include <system_error>

#include "arguments.h"
#include "calls.h"
#include "system/lock_file.h"

namespace critmap::binding {
namespace {

// Kept by the function that releases it: of the environment, which frees it when a worker thread ends.
using Held = std::unique_ptr<LockFile>;

[[noreturn]] void throw_system(Napi::Env env, const std::system_error& error) {
  const Napi::Error thrown = Napi::Error::New(env, error.code().message());
  thrown.Set("errno", Napi::Number::New(env, error.code().value()));
  throw thrown;
}

Napi::Value release_of(Napi::Env env, LockFile lock) {
  auto held = std::make_shared<Held>(std::make_unique<LockFile>(std::move(lock)));
  return Napi::Function::New(env, [held](const Napi::CallbackInfo&) { held->reset(); });
}

}  // namespace

Napi::Value lock_file(const Napi::CallbackInfo& info) {
  const Napi::Env env = info.Env();
  const std::string path = text(argument(info, 0), "path");
  try {
    LockFile::Attempt attempt = LockFile::take(path);
    if (attempt.lock) return release_of(env, std::move(*attempt.lock));
    const bool in_use = attempt.outcome == LockFile::Outcome::in_use;
    return Napi::String::New(env, in_use ? "in use" : "unsupported");
  } catch (const std::system_error& error) {
    throw_system(env, error);
  }
}

}  // namespace critmap::binding
