// The part of ONNX Runtime's C ABI that critmap calls. ONNX Runtime publishes a table of function pointers to
// which releases only append, so a function's position in it (its slot) never changes. Each member below is
// one slot: its number, its signature, what it does. test/cpp/onnxruntime/abi.test.ts compares numbers and
// signatures with the official header; `self_test` (library.h) tries them before anything else does.
// Unless a comment says otherwise a function returns null, or a status that the caller releases.
#pragma once

#include <stddef.h>
#include <stdint.h>

// Opaque to us; made and released by the functions below.
struct OrtStatus;
struct OrtEnv;
struct OrtMemoryInfo;
struct OrtCUDAProviderOptionsV2;
struct OrtArenaCfg;
struct OrtAllocator;
struct OrtSessionOptions;
struct OrtPrepackedWeightsContainer;
struct OrtSession;
struct OrtTypeInfo;
struct OrtTensorTypeAndShapeInfo;
struct OrtRunOptions;
struct OrtIoBinding;
struct OrtValue;

namespace critmap::ort {

// What the library's one exported function, OrtGetApiBase, returns.
struct ApiBase {
  // The table for an API version, or null if the library is older than that.
  const void* (*get_api)(uint32_t version);
  // Such as "1.30.0"; static.
  const char* (*get_version)();
};

// The version whose table has every slot below; it came with release 1.17.
constexpr uint32_t api_version = 17;

// Of file names.
#if defined(_WIN32)
using PathChar = wchar_t;
#else
using PathChar = char;
#endif

// Values of the ABI's enumerations, which are passed as int.
constexpr int log_warning = 2, log_fatal = 4, execution_sequential = 0;
constexpr int optimization_none = 0, optimization_extended = 2, optimization_all = 99;
// What an error's code says when an argument is refused.
constexpr int invalid_argument = 2;
constexpr int device_allocator = 0, arena_allocator = 1, default_memory = 0;

template <size_t slot, class Function>
class Slot;

template <size_t slot, class Result, class... Arguments>
class Slot<slot, Result(Arguments...)> {
 public:
  using Pointer = Result (*)(Arguments...);
  static constexpr size_t number = slot;
  explicit Slot(const void* table) : call_(static_cast<const Pointer*>(table)[slot]) {}
  Result operator()(Arguments... arguments) const { return call_(arguments...); }

 private:
  Pointer call_;
};

struct Api {
  const void* table;

  // Errors. The message lives as long as its status.
  Slot<1, int(const OrtStatus*)> GetErrorCode{table};
  Slot<2, const char*(const OrtStatus*)> GetErrorMessage{table};
  Slot<93, void(OrtStatus*)> ReleaseStatus{table};

  // The process has one environment: the first call makes it, later ones count. (log level, log name, result)
  Slot<3, OrtStatus*(int, const char*, OrtEnv**)> CreateEnv{table};
  Slot<6, OrtStatus*(const OrtEnv*)> DisableTelemetryEvents{table};

  // Memory. A description of CPU memory: (kind of allocator, kind of memory, result).
  Slot<69, OrtStatus*(int, int, OrtMemoryInfo**)> CreateCpuMemoryInfo{table};
  // The same of a device's: (its kind's name, kind of allocator, its number, kind of memory, result).
  Slot<68, OrtStatus*(const char*, int, int, int, OrtMemoryInfo**)> CreateMemoryInfo{table};
  Slot<94, void(OrtMemoryInfo*)> ReleaseMemoryInfo{table};
  // Belongs to the library.
  Slot<78, OrtStatus*(OrtAllocator**)> GetAllocatorWithDefaultOptions{table};
  Slot<76, OrtStatus*(OrtAllocator*, void*)> AllocatorFree{table};
  // (keys, values, how many, result)
  Slot<164, OrtStatus*(const char* const*, const size_t*, size_t, OrtArenaCfg**)> CreateArenaCfgV2{table};
  Slot<157, void(OrtArenaCfg*)> ReleaseArenaCfg{table};
  // An arena for all sessions that ask for the environment's allocators; refused if there is one already.
  Slot<144, OrtStatus*(OrtEnv*, const OrtMemoryInfo*, const OrtArenaCfg*)> CreateAndRegisterAllocator{table};

  // The same of a provider's device, on which the arena's memory then is: (environment, the provider's name,
  // memory, arena, keys and values of the provider's options, how many).
  Slot<259, OrtStatus*(OrtEnv*, const char*, const OrtMemoryInfo*, const OrtArenaCfg*, const char* const*,
                       const char* const*, size_t)>
      CreateAndRegisterAllocatorV2{table};

  // Tensors over the caller's memory: (memory, data, bytes, dims, number of dims, ONNX type, result).
  Slot<49, OrtStatus*(const OrtMemoryInfo*, void*, size_t, const int64_t*, size_t, int, OrtValue**)>
      CreateTensorWithDataAsOrtValue{table};
  Slot<96, void(OrtValue*)> ReleaseValue{table};

  // Sessions.
  Slot<10, OrtStatus*(OrtSessionOptions**)> CreateSessionOptions{table};
  Slot<100, void(OrtSessionOptions*)> ReleaseSessionOptions{table};
  // Writes the model as the session optimised it to a file of that name, when the session is made.
  Slot<11, OrtStatus*(OrtSessionOptions*, const PathChar*)> SetOptimizedModelFilePath{table};
  Slot<13, OrtStatus*(OrtSessionOptions*, int)> SetSessionExecutionMode{table};
  // Without a plan of the run's memory made in its first run.
  Slot<17, OrtStatus*(OrtSessionOptions*)> DisableMemPattern{table};
  Slot<22, OrtStatus*(OrtSessionOptions*, int)> SetSessionLogSeverityLevel{table};
  Slot<23, OrtStatus*(OrtSessionOptions*, int)> SetSessionGraphOptimizationLevel{table};
  Slot<24, OrtStatus*(OrtSessionOptions*, int)> SetIntraOpNumThreads{table};
  Slot<25, OrtStatus*(OrtSessionOptions*, int)> SetInterOpNumThreads{table};
  Slot<130, OrtStatus*(OrtSessionOptions*, const char*, const char*)> AddSessionConfigEntry{table};
  // The session uses the tensor itself, which outlives it, instead of a copy. (name, tensor)
  Slot<150, OrtStatus*(OrtSessionOptions*, const char*, const OrtValue*)> AddInitializer{table};
  // Values instead of those that the model would read from other files: (names, tensors, how many).
  Slot<210, OrtStatus*(OrtSessionOptions*, const char* const*, const OrtValue* const*, size_t)>
      AddExternalInitializers{table};
  // Weights that kernels repack, kept once for several sessions; outlives them.
  Slot<166, OrtStatus*(OrtPrepackedWeightsContainer**)> CreatePrepackedWeightsContainer{table};
  Slot<167, void(OrtPrepackedWeightsContainer*)> ReleasePrepackedWeightsContainer{table};
  // (environment, model file's bytes, how many, options, container, result)
  Slot<169, OrtStatus*(const OrtEnv*, const void*, size_t, const OrtSessionOptions*,
                       OrtPrepackedWeightsContainer*, OrtSession**)>
      CreateSessionFromArrayWithPrepackedWeightsContainer{table};
  // (environment, model file, options, result)
  Slot<7, OrtStatus*(const OrtEnv*, const PathChar*, const OrtSessionOptions*, OrtSession**)> CreateSession{
      table};
  Slot<95, void(OrtSession*)> ReleaseSession{table};

  // CUDA's kernels, for the sessions of these options; fails where the runtime has none. Options by (keys,
  // values, how many), which start from the defaults, then those that are pointers.
  Slot<205, OrtStatus*(OrtCUDAProviderOptionsV2**)> CreateCUDAProviderOptions{table};
  Slot<206, OrtStatus*(OrtCUDAProviderOptionsV2*, const char* const*, const char* const*, size_t)>
      UpdateCUDAProviderOptions{table};
  Slot<263, OrtStatus*(OrtCUDAProviderOptionsV2*, const char*, void*)> UpdateCUDAProviderOptionsWithValue{
      table};
  Slot<208, void(OrtCUDAProviderOptionsV2*)> ReleaseCUDAProviderOptions{table};
  Slot<204, OrtStatus*(OrtSessionOptions*, const OrtCUDAProviderOptionsV2*)>
      SessionOptionsAppendExecutionProvider_CUDA_V2{table};

  // A session's inputs and outputs, in the graph's order. Names are freed with the allocator passed.
  Slot<30, OrtStatus*(const OrtSession*, size_t*)> SessionGetInputCount{table};
  Slot<31, OrtStatus*(const OrtSession*, size_t*)> SessionGetOutputCount{table};
  Slot<33, OrtStatus*(const OrtSession*, size_t, OrtTypeInfo**)> SessionGetInputTypeInfo{table};
  Slot<34, OrtStatus*(const OrtSession*, size_t, OrtTypeInfo**)> SessionGetOutputTypeInfo{table};
  Slot<36, OrtStatus*(const OrtSession*, size_t, OrtAllocator*, char**)> SessionGetInputName{table};
  Slot<37, OrtStatus*(const OrtSession*, size_t, OrtAllocator*, char**)> SessionGetOutputName{table};
  // Null if it is not a tensor; belongs to the type.
  Slot<55, OrtStatus*(const OrtTypeInfo*, const OrtTensorTypeAndShapeInfo**)> CastTypeInfoToTensorInfo{table};
  Slot<98, void(OrtTypeInfo*)> ReleaseTypeInfo{table};
  Slot<60, OrtStatus*(const OrtTensorTypeAndShapeInfo*, int*)> GetTensorElementType{table};
  Slot<61, OrtStatus*(const OrtTensorTypeAndShapeInfo*, size_t*)> GetDimensionsCount{table};
  // -1 where the graph leaves a dimension open: (shape, dims, how many).
  Slot<62, OrtStatus*(const OrtTensorTypeAndShapeInfo*, int64_t*, size_t)> GetDimensions{table};

  // Runs. Bindings name the tensor of each input and output; outputs are written in place.
  Slot<134, OrtStatus*(OrtSession*, OrtIoBinding**)> CreateIoBinding{table};
  Slot<135, void(OrtIoBinding*)> ReleaseIoBinding{table};
  Slot<136, OrtStatus*(OrtIoBinding*, const char*, const OrtValue*)> BindInput{table};
  Slot<137, OrtStatus*(OrtIoBinding*, const char*, const OrtValue*)> BindOutput{table};
  Slot<39, OrtStatus*(OrtRunOptions**)> CreateRunOptions{table};
  Slot<97, void(OrtRunOptions*)> ReleaseRunOptions{table};
  Slot<41, OrtStatus*(OrtRunOptions*, int)> RunOptionsSetRunLogSeverityLevel{table};
  Slot<165, OrtStatus*(OrtRunOptions*, const char*, const char*)> AddRunConfigEntry{table};
  // From any thread: runs with these options fail before their next node, until it is unset.
  Slot<46, OrtStatus*(OrtRunOptions*)> RunOptionsSetTerminate{table};
  Slot<47, OrtStatus*(OrtRunOptions*)> RunOptionsUnsetTerminate{table};
  // Safe from several threads at once on one session.
  Slot<133, OrtStatus*(OrtSession*, const OrtRunOptions*, const OrtIoBinding*)> RunWithBinding{table};
};

}  // namespace critmap::ort
