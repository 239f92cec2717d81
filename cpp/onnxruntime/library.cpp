#include "onnxruntime/library.h"

#include <cstdlib>
#include <memory>
#include <mutex>

#if defined(_WIN32)
#define WIN32_LEAN_AND_MEAN
#include <windows.h>
#endif

#include "onnxruntime/shared_library.h"

namespace critmap::ort {
namespace {

using GetApiBase = const ApiBase* (*)();

const ApiBase& entry(void* handle, const std::string& path) {
  const auto get_base = reinterpret_cast<GetApiBase>(find_symbol(handle, "OrtGetApiBase"));
  const ApiBase* const base = get_base ? get_base() : nullptr;
  if (!base) throw Error(path + " is not ONNX Runtime: it has no OrtGetApiBase", 0);
  return *base;
}

const void* table(const ApiBase& base, const std::string& path) {
  // A library older than the version asked for says so with null, and on stderr.
  const void* const found = base.get_api(api_version);
  if (!found) {
    throw Error(path + " is ONNX Runtime " + base.get_version() + "; critmap needs 1." +
                    std::to_string(api_version) + " or newer",
                0);
  }
  return found;
}

}  // namespace

std::basic_string<PathChar> system_path(const std::string& path) {
#if defined(_WIN32)
  std::wstring wide(size_t(MultiByteToWideChar(CP_UTF8, 0, path.data(), int(path.size()), nullptr, 0)), L' ');
  MultiByteToWideChar(CP_UTF8, 0, path.data(), int(path.size()), wide.data(), int(wide.size()));
  return wide;
#else
  return path;
#endif
}

void refuse_telemetry() {
#if defined(_WIN32)
  _putenv_s("ORT_DISABLE_TELEMETRY", "1");
#else
  setenv("ORT_DISABLE_TELEMETRY", "1", 1);
#endif
}

const Library& Library::load(const std::string& path) {
  static std::mutex mutex;
  static void* loaded_handle = nullptr;
  static Library* loaded = nullptr;
  const std::lock_guard lock(mutex);
  void* const handle = open_library(path);
  if (!handle) throw Error("cannot load ONNX Runtime: " + open_failure(), 0);
  if (loaded) {
    if (handle == loaded_handle) return *loaded;
    throw Error("cannot load " + path + ": this process already uses " + loaded->path, 0);
  }
  std::unique_ptr<Library> library(new Library(path, entry(handle, path)));
  self_test(*library);
  loaded_handle = handle;
  loaded = library.release();
  return *loaded;
}

Library::Library(const std::string& path, const ApiBase& base)
    : api{table(base, path)}, path(path), version(base.get_version()) {
  check(api.CreateEnv(log_warning, "critmap", &env));
  // Windows' hands events to the system, whatever the environment says.
  check(api.DisableTelemetryEvents(env));
  check(api.CreateCpuMemoryInfo(arena_allocator, default_memory, &memory));
  check(api.GetAllocatorWithDefaultOptions(&allocator));
  register_arena();
}

void Library::check(OrtStatus* status, const std::string& context) const {
  if (!status) return;
  const Error error((context.empty() ? "" : context + ": ") + api.GetErrorMessage(status),
                    api.GetErrorCode(status));
  api.ReleaseStatus(status);
  throw error;
}

// By what is asked for (strategy 1) instead of doubling: on a ResNet-50 sweep of 2 workers 0.1 GB less.
OrtArenaCfg* Library::make_arena() const {
  const char* const keys[] = {"arena_extend_strategy"};
  const size_t values[] = {1};
  OrtArenaCfg* arena = nullptr;
  check(api.CreateArenaCfgV2(keys, values, 1, &arena));
  return arena;
}

// One arena for the intermediate tensors of all sessions and threads: peak memory is what runs at the same
// time needs, not the sum over sessions.
void Library::register_arena() const {
  OrtArenaCfg* const arena = make_arena();
  OrtStatus* const status = api.CreateAndRegisterAllocator(env, memory, arena);
  api.ReleaseArenaCfg(arena);
  // Refused if someone registered one before us, which serves as well.
  if (status) api.ReleaseStatus(status);
}

}  // namespace critmap::ort
