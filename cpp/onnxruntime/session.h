// Owners of ONNX Runtime's objects: each frees what it holds, and failures are thrown as `Error` with ONNX
// Runtime's message. Values borrow the memory that they describe.
#pragma once

#include <functional>
#include <memory>
#include <span>
#include <stdexcept>
#include <string>
#include <vector>

#include "onnxruntime/cuda_options.h"
#include "onnxruntime/library.h"

namespace critmap::ort {

// A pointer that goes back through one of the API's release functions.
template <class T, auto release>
struct Release {
  const Library* library = nullptr;
  void operator()(T* pointer) const { (library->api.*release)(pointer); }
};
template <class T, auto release>
using Owned = std::unique_ptr<T, Release<T, release>>;

using Value = Owned<OrtValue, &Api::ReleaseValue>;
using Binding = Owned<OrtIoBinding, &Api::ReleaseIoBinding>;
using RunOptions = Owned<OrtRunOptions, &Api::ReleaseRunOptions>;
using PrepackedWeights = Owned<OrtPrepackedWeightsContainer, &Api::ReleasePrepackedWeightsContainer>;

// Kernels other than ONNX Runtime's own, on a device other than the processor; outlives its sessions.
class Provider {
 public:
  virtual ~Provider() = default;
  virtual void append(OrtSessionOptions* options, ConvolutionWeights weights) const = 0;
  virtual void configure(OrtRunOptions* options) const = 0;
  // Around each run of a session that has these kernels.
  virtual void run(const std::function<void()>& run) const { run(); }
};

// A tensor over `bytes` bytes at `data`, which outlive it, in memory of the given kind.
Value make_value(const Library& library, const OrtMemoryInfo* memory, void* data, size_t bytes,
                 std::span<const int64_t> dims, int type);
RunOptions make_run_options(const Library& library, const Provider* provider = nullptr);
PrepackedWeights make_prepacked_weights(const Library& library);

// What a session says of one input or output; a dimension that the graph leaves open is -1.
struct Port {
  std::string name;
  // ONNX TensorProto.DataType; 0 if it is not a tensor. Dims are empty for a scalar and for an unknown rank.
  int type = 0;
  std::vector<int64_t> dims;
};

// A tensor that the model keeps outside its file, by name.
struct Initializer {
  std::string name;
  const OrtValue* value;
};

enum class Optimise { no, yes };

class Session {
 public:
  // `model` is an ONNX file's content and is not needed afterwards; `initializers` are borrowed for good, as
  // is `prepacked`, which may be null. One thread, no spinning, the environment's arena. With a provider the
  // initializers, which are in the processor's memory, are copied to the device.
  Session(const Library& library, std::span<const uint8_t> model, Optimise optimise,
          std::span<const Initializer> initializers, OrtPrepackedWeightsContainer* prepacked,
          const Provider* provider = nullptr, ConvolutionWeights weights = ConvolutionWeights::given);

  std::span<const Port> inputs() const { return inputs_; }
  std::span<const Port> outputs() const { return outputs_; }

  // Values in the order of inputs() and outputs(); they outlive the binding.
  Binding bind(std::span<const OrtValue* const> inputs, std::span<const OrtValue* const> outputs) const;
  // From any thread.
  void run(const OrtRunOptions* options, const OrtIoBinding* binding) const;

 private:
  std::vector<Port> ports(bool inputs) const;

  const Library& library_;
  const Provider* provider_;
  Owned<OrtSession, &Api::ReleaseSession> session_;
  std::vector<Port> inputs_, outputs_;
};

// Optimises the model in the file `from` for this processor and writes it to the file `to` (both UTF-8):
// operators fused, weights in the order that its kernels want. A session of it, or of a part of it, needs no
// optimising. Throws Error for a model that ONNX Runtime refuses, FileError when one of the files was at
// fault.
void save_optimised(const Library& library, const std::string& from, const std::string& to);

class FileError : public std::runtime_error {
 public:
  using std::runtime_error::runtime_error;
};

}  // namespace critmap::ort
