#include "onnxruntime/cudnn.h"

#include <cstdlib>
#include <filesystem>
#include <vector>

#if defined(_WIN32)
#define WIN32_LEAN_AND_MEAN
#include <windows.h>
#else
#include <dlfcn.h>
#endif

namespace critmap::ort {
namespace {

#if defined(_WIN32)
std::string file_of(int major) { return "cudnn64_" + std::to_string(major) + ".dll"; }
bool opens(const std::filesystem::path& path, std::string& why) {
  if (LoadLibraryW(path.c_str())) return true;
  why = "error " + std::to_string(GetLastError());
  return false;
}
#else
std::string file_of(int major) { return "libcudnn.so." + std::to_string(major); }
bool opens(const std::filesystem::path& path, std::string& why) {
  if (dlopen(path.c_str(), RTLD_NOW | RTLD_LOCAL)) return true;
  const char* const text = dlerror();
  why = text ? text : "unknown reason";
  return false;
}
#endif

// ONNX Runtime's providers are built with cuDNN 9 since 1.19; those before with 8 or 9.
std::vector<int> majors_of(const std::string& version) {
  const size_t dot = version.find('.');
  const bool old = version.rfind("1.", 0) == 0 && std::atoi(version.c_str() + dot + 1) < 19;
  return old ? std::vector{9, 8} : std::vector{9};
}

}  // namespace

std::string why_no_cudnn(const Library& library) {
  const std::filesystem::path folder = std::filesystem::path(system_path(library.path)).parent_path();
  std::string first;
  for (const int major : majors_of(library.version)) {
    const std::string name = file_of(major);
    std::string why;
    const std::filesystem::path beside = folder / name;
    std::error_code none;
    if (std::filesystem::exists(beside, none) && opens(beside, why)) return {};
    if (opens(name, why)) return {};
    if (first.empty())
      first = "cuDNN " + std::to_string(major) + ", which its convolutions need, does not load (" + why +
              "); install it (Debian: libcudnn9-cuda-12 or libcudnn9-cuda-13, for the provider's CUDA)";
  }
  return first;
}

}  // namespace critmap::ort
