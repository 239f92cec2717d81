// Work off the main thread that settles a promise. A subclass copies what it needs from JavaScript when it is
// made, computes in `execute` and hands over in `finish`. The environment may shut down (a worker thread that
// is terminated) while the work runs; Node then waits for `execute` and calls `finish` in an environment that
// refuses everything. So completion uses the plain C API, takes no for an answer and throws nothing.
#pragma once

#include <napi.h>

#include <memory>
#include <string>

#include "deferred.h"

namespace critmap::binding {

class PromiseWorker {
 public:
  virtual ~PromiseWorker() = default;
  PromiseWorker() = default;
  PromiseWorker(const PromiseWorker&) = delete;
  PromiseWorker& operator=(const PromiseWorker&) = delete;

  // Queues the work and returns its promise.
  static Napi::Value start(Napi::Env env, std::unique_ptr<PromiseWorker> worker);

 protected:
  // On a thread of the pool; no JavaScript values here. Exceptions reject the promise.
  virtual void execute() = 0;
  // On the environment's thread: the value to resolve with, or null after `fail` or with an exception
  // pending.
  virtual napi_value finish(napi_env env) = 0;
  void fail_type(std::string message);
  // An Error whose `code`, which is static, tells it from others.
  void fail_coded(const char* code, std::string message);

 private:
  static void run(napi_env env, void* data);
  static void settle(napi_env env, napi_status status, void* data);

  Failure failure_ = Failure::none;
  std::string message_;
  // The error's `code`; null for none.
  const char* code_ = nullptr;
  napi_async_work work_ = nullptr;
  Deferred deferred_;
};

}  // namespace critmap::binding
