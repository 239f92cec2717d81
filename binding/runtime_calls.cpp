// Questions to ONNX Runtime about a model, asked while a sweep is planned: what it becomes when it is
// optimised for this processor, and the types and shapes of its inputs and outputs. What each does is said in
// src/native/engine.ts. The library, which takes tens of milliseconds to load, is loaded by the pool's
// thread.
#include "arguments.h"
#include "calls.h"
#include "engine_program.h"
#include "onnxruntime/session.h"
#include "promise_worker.h"

namespace critmap::binding {
namespace {

class OptimiseWorker : public PromiseWorker {
 public:
  OptimiseWorker(std::string library, std::string from, std::string to)
      : library_(std::move(library)), from_(std::move(from)), to_(std::move(to)) {}

 protected:
  void execute() override { ort::save_optimised(ort::Library::load(library_), from_, to_); }
  napi_value finish(napi_env env) override {
    napi_value undefined;
    return napi_get_undefined(env, &undefined) == napi_ok ? undefined : nullptr;
  }

 private:
  std::string library_, from_, to_;
};

// { name, type, dims }, or null when the environment ends.
napi_value make_port(napi_env env, const ort::Port& port) {
  napi_value result, name, type, dims;
  if (napi_create_object(env, &result) != napi_ok ||
      napi_create_string_utf8(env, port.name.data(), port.name.size(), &name) != napi_ok ||
      napi_create_int32(env, port.type, &type) != napi_ok ||
      napi_create_array_with_length(env, port.dims.size(), &dims) != napi_ok) {
    return nullptr;
  }
  for (size_t i = 0; i < port.dims.size(); i++) {
    napi_value dim;
    if (napi_create_double(env, double(port.dims[i]), &dim) != napi_ok ||
        napi_set_element(env, dims, uint32_t(i), dim) != napi_ok) {
      return nullptr;
    }
  }
  if (napi_set_named_property(env, result, "name", name) != napi_ok ||
      napi_set_named_property(env, result, "type", type) != napi_ok ||
      napi_set_named_property(env, result, "dims", dims) != napi_ok) {
    return nullptr;
  }
  return result;
}

class PortsWorker : public PromiseWorker {
 public:
  PortsWorker(std::string library, std::span<const uint8_t> model)
      : library_(std::move(library)), model_(model.begin(), model.end()) {}

 protected:
  void execute() override {
    const ort::Session session(ort::Library::load(library_), model_, ort::Optimise::no, {}, nullptr);
    outputs_.assign(session.outputs().begin(), session.outputs().end());
    model_ = {};
  }
  napi_value finish(napi_env env) override {
    napi_value list;
    if (napi_create_array_with_length(env, outputs_.size(), &list) != napi_ok) return nullptr;
    for (size_t i = 0; i < outputs_.size(); i++) {
      const napi_value port = make_port(env, outputs_[i]);
      if (!port || napi_set_element(env, list, uint32_t(i), port) != napi_ok) return nullptr;
    }
    return list;
  }

 private:
  std::string library_;
  std::vector<uint8_t> model_;
  std::vector<ort::Port> outputs_;
};

}  // namespace

Napi::Value runtime_optimise(const Napi::CallbackInfo& info) {
  const std::string library = text(argument(info, 0), "library");
  const std::string from = text(argument(info, 1), "from"), to = text(argument(info, 2), "to");
  return PromiseWorker::start(info.Env(), std::make_unique<OptimiseWorker>(library, from, to));
}

Napi::Value runtime_ports(const Napi::CallbackInfo& info) {
  const std::string library = text(argument(info, 0), "library");
  const std::span<uint8_t> model = elements<uint8_t>(argument(info, 1), "model");
  return PromiseWorker::start(info.Env(), std::make_unique<PortsWorker>(library, model));
}

}  // namespace critmap::binding
