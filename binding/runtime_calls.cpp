// Questions to ONNX Runtime about a model, asked while a sweep is planned: what it becomes when it is
// optimised for this processor, and the types and shapes of its inputs and outputs. What each does is said in
// src/native/engine.ts. The library, which takes tens of milliseconds to load, is loaded by the pool's
// thread.
#include <climits>
#include <utility>

#include "arguments.h"
#include "calls.h"
#include "engine_program.h"
#include "onnxruntime/session.h"
#include "promise_worker.h"
#include "system/nameless_file.h"

namespace critmap::binding {
namespace {

// A file that JavaScript names, or has open: then by a descriptor of our own, since its number may be another
// file's by the time that a pool's thread comes to it (an environment that is shut down closes its files).
class FileArgument {
 public:
  FileArgument(const Napi::Value& value, const char* name) {
    if (!value.IsNumber()) {
      path_ = text(value, name);
      return;
    }
    const size_t number = index_number(value, name);
    descriptor_ = number <= size_t(INT_MAX) ? duplicate_descriptor(int(number)) : -1;
    if (descriptor_ < 0) throw_range(value.Env(), std::string(name) + " must be an open file's");
    path_ = name_of_descriptor(descriptor_);
  }
  FileArgument(FileArgument&& other) noexcept
      : path_(std::move(other.path_)), descriptor_(std::exchange(other.descriptor_, -1)) {}
  ~FileArgument() {
    if (descriptor_ >= 0) close_descriptor(descriptor_);
  }
  const std::string& path() const { return path_; }

 private:
  std::string path_;
  int descriptor_ = -1;
};

class OptimiseWorker : public PromiseWorker {
 public:
  OptimiseWorker(std::string library, FileArgument from, FileArgument to)
      : library_(std::move(library)), from_(std::move(from)), to_(std::move(to)) {}

 protected:
  void execute() override {
    try {
      ort::save_optimised(ort::Library::load(library_), from_.path(), to_.path());
    } catch (const ort::FileError& error) {
      fail_coded("ERR_FILE", error.what());
    }
  }
  napi_value finish(napi_env env) override {
    napi_value undefined;
    return napi_get_undefined(env, &undefined) == napi_ok ? undefined : nullptr;
  }

 private:
  std::string library_;
  FileArgument from_, to_;
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

class VersionWorker : public PromiseWorker {
 public:
  explicit VersionWorker(std::string library) : library_(std::move(library)) {}

 protected:
  void execute() override { version_ = ort::Library::load(library_).version; }
  napi_value finish(napi_env env) override {
    napi_value version;
    return napi_create_string_utf8(env, version_.data(), version_.size(), &version) == napi_ok ? version
                                                                                               : nullptr;
  }

 private:
  std::string library_, version_;
};

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
  FileArgument from(argument(info, 1), "from"), to(argument(info, 2), "to");
  return PromiseWorker::start(info.Env(),
                              std::make_unique<OptimiseWorker>(library, std::move(from), std::move(to)));
}

Napi::Value nameless_file(const Napi::CallbackInfo& info) {
  const int made = open_nameless_file();
  return made < 0 ? info.Env().Null() : Napi::Number::New(info.Env(), made);
}

Napi::Value runtime_version(const Napi::CallbackInfo& info) {
  return PromiseWorker::start(info.Env(),
                              std::make_unique<VersionWorker>(text(argument(info, 0), "library")));
}

Napi::Value runtime_ports(const Napi::CallbackInfo& info) {
  const std::string library = text(argument(info, 0), "library");
  const std::span<uint8_t> model = elements<uint8_t>(argument(info, 1), "model");
  return PromiseWorker::start(info.Env(), std::make_unique<PortsWorker>(library, model));
}

}  // namespace critmap::binding
