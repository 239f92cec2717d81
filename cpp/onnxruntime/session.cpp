#include "onnxruntime/session.h"

#include <filesystem>
#include <fstream>

namespace critmap::ort {
namespace {

using SessionOptions = Owned<OrtSessionOptions, &Api::ReleaseSessionOptions>;
using TypeInfo = Owned<OrtTypeInfo, &Api::ReleaseTypeInfo>;

template <class T, auto release>
Owned<T, release> owned(const Library& library, T* pointer) {
  return Owned<T, release>(pointer, Release<T, release>{&library});
}

// Optimisers that change what a model computes, by ONNX Runtime's names and separated by semicolons; the same
// as src/native/wrong-optimisers.ts gives the sessions of onnxruntime-node. Pad_Fusion makes padding of its
// own kind of a MaxPool's, minus infinity, of the zeros that a Pad puts in front of it.
constexpr const char* wrong_optimisers = "Pad_Fusion";

// Not the layouts of the processor's kernels: where a convolution's output is also an output of the graph,
// ONNX Runtime 1.30 may add the next sum into that output in place (a part of BiT's graph gave wrong values,
// or ended the process). A whole model has only its logits.
int level_of(Optimise optimise) {
  return optimise == Optimise::yes ? optimization_extended : optimization_none;
}

SessionOptions make_options(const Library& library, int level) {
  const Api& api = library.api;
  OrtSessionOptions* made = nullptr;
  library.check(api.CreateSessionOptions(&made));
  SessionOptions options(made, {&library});
  library.check(api.SetIntraOpNumThreads(made, 1));
  library.check(api.SetInterOpNumThreads(made, 1));
  library.check(api.SetSessionExecutionMode(made, execution_sequential));
  library.check(api.SetSessionGraphOptimizationLevel(made, level));
  // A pattern takes one block for a whole run, another size for every session: in one arena that many
  // sessions share, those blocks leave holes (0.7 GB more on a ResNet-50 sweep of 2 workers, no faster).
  library.check(api.DisableMemPattern(made));
  // Errors come back as statuses; they need not be printed as well.
  library.check(api.SetSessionLogSeverityLevel(made, log_fatal));
  for (const auto& [key, value] :
       {std::pair{"session.use_env_allocators", "1"}, std::pair{"session.intra_op.allow_spinning", "0"},
        std::pair{"session.inter_op.allow_spinning", "0"},
        std::pair{"optimization.disable_specified_optimizers", wrong_optimisers}}) {
    library.check(api.AddSessionConfigEntry(made, key, value));
  }
  return options;
}

Port describe(const Library& library, std::string name, const OrtTypeInfo* type) {
  const Api& api = library.api;
  Port port;
  port.name = std::move(name);
  const OrtTensorTypeAndShapeInfo* shape = nullptr;
  library.check(api.CastTypeInfoToTensorInfo(type, &shape));
  if (!shape) return port;
  size_t rank = 0;
  library.check(api.GetTensorElementType(shape, &port.type));
  library.check(api.GetDimensionsCount(shape, &rank));
  port.dims.resize(rank);
  if (rank) library.check(api.GetDimensions(shape, port.dims.data(), rank));
  return port;
}

}  // namespace

Value make_value(const Library& library, const OrtMemoryInfo* memory, void* data, size_t bytes,
                 std::span<const int64_t> dims, int type) {
  OrtValue* made = nullptr;
  library.check(
      library.api.CreateTensorWithDataAsOrtValue(memory, data, bytes, dims.data(), dims.size(), type, &made));
  return Value(made, {&library});
}

RunOptions make_run_options(const Library& library, const Provider* provider) {
  OrtRunOptions* made = nullptr;
  library.check(library.api.CreateRunOptions(&made));
  RunOptions options(made, {&library});
  library.check(library.api.RunOptionsSetRunLogSeverityLevel(made, log_fatal));
  if (provider) provider->configure(made);
  return options;
}

PrepackedWeights make_prepacked_weights(const Library& library) {
  OrtPrepackedWeightsContainer* made = nullptr;
  library.check(library.api.CreatePrepackedWeightsContainer(&made));
  return PrepackedWeights(made, {&library});
}

Session::Session(const Library& library, std::span<const uint8_t> model, Optimise optimise,
                 std::span<const Initializer> initializers, OrtPrepackedWeightsContainer* prepacked,
                 const Provider* provider, ConvolutionWeights weights)
    : library_(library), provider_(provider), session_(nullptr, {&library}) {
  const SessionOptions options = make_options(library, level_of(optimise));
  if (provider) provider->append(options.get(), weights);
  std::vector<const char*> names;
  std::vector<const OrtValue*> values;
  for (const Initializer& initializer : initializers) {
    names.push_back(initializer.name.c_str());
    values.push_back(initializer.value);
    // The tensor itself would have to be where the kernels are.
    if (!provider) library.check(library.api.AddInitializer(options.get(), names.back(), values.back()));
  }
  if (!names.empty()) {
    library.check(
        library.api.AddExternalInitializers(options.get(), names.data(), values.data(), names.size()));
  }
  OrtSession* made = nullptr;
  library.check(library.api.CreateSessionFromArrayWithPrepackedWeightsContainer(
      library.env, model.data(), model.size(), options.get(), prepacked, &made));
  session_.reset(made);
  inputs_ = ports(true);
  outputs_ = ports(false);
}

void save_optimised(const Library& library, const std::string& from, const std::string& to) {
  const SessionOptions options = make_options(library, optimization_all);
  library.check(library.api.SetOptimizedModelFilePath(options.get(), system_path(to).c_str()));
  OrtSession* made = nullptr;
  try {
    library.check(library.api.CreateSession(library.env, system_path(from).c_str(), options.get(), &made));
  } catch (const Error& error) {
    // ONNX Runtime does not say which of the two was at fault: the model, if it fails without being written
    // too.
    const SessionOptions unwritten = make_options(library, optimization_all);
    library.check(library.api.CreateSession(library.env, system_path(from).c_str(), unwritten.get(), &made));
    library.api.ReleaseSession(made);
    throw FileError(error.what());
  }
  library.api.ReleaseSession(made);
}

std::vector<Port> Session::ports(bool inputs) const {
  const Api& api = library_.api;
  OrtSession* const session = session_.get();
  size_t count = 0;
  library_.check(inputs ? api.SessionGetInputCount(session, &count)
                        : api.SessionGetOutputCount(session, &count));
  std::vector<Port> found;
  for (size_t i = 0; i < count; i++) {
    char* text = nullptr;
    library_.check(inputs ? api.SessionGetInputName(session, i, library_.allocator, &text)
                          : api.SessionGetOutputName(session, i, library_.allocator, &text));
    std::string name(text);
    library_.check(api.AllocatorFree(library_.allocator, text));
    OrtTypeInfo* type = nullptr;
    library_.check(inputs ? api.SessionGetInputTypeInfo(session, i, &type)
                          : api.SessionGetOutputTypeInfo(session, i, &type));
    const TypeInfo owner(type, {&library_});
    found.push_back(describe(library_, std::move(name), type));
  }
  return found;
}

Binding Session::bind(std::span<const OrtValue* const> inputs,
                      std::span<const OrtValue* const> outputs) const {
  OrtIoBinding* made = nullptr;
  library_.check(library_.api.CreateIoBinding(session_.get(), &made));
  Binding binding(made, {&library_});
  for (size_t i = 0; i < inputs.size(); i++) {
    library_.check(library_.api.BindInput(made, inputs_[i].name.c_str(), inputs[i]));
  }
  for (size_t i = 0; i < outputs.size(); i++) {
    library_.check(library_.api.BindOutput(made, outputs_[i].name.c_str(), outputs[i]));
  }
  return binding;
}

void Session::run(const OrtRunOptions* options, const OrtIoBinding* binding) const {
  const auto run = [&] { library_.check(library_.api.RunWithBinding(session_.get(), options, binding)); };
  if (provider_) return provider_->run(run);
  run();
}

}  // namespace critmap::ort
