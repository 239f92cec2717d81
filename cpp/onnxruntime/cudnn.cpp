#include "onnxruntime/cudnn.h"

#include <cstdlib>
#include <filesystem>
#include <vector>

#include "onnxruntime/shared_library.h"

namespace critmap::ort {
namespace {

std::string file_of(int major) {
#if defined(_WIN32)
  return "cudnn64_" + std::to_string(major) + ".dll";
#else
  return "libcudnn.so." + std::to_string(major);
#endif
}

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
    const std::filesystem::path beside = folder / name;
    std::error_code none;
    const std::u8string text = beside.u8string();
    if (std::filesystem::exists(beside, none) && open_library({text.begin(), text.end()})) return {};
    if (open_library(name)) return {};
    const std::string why = open_failure();
    if (first.empty())
      first = "cuDNN " + std::to_string(major) + ", which its convolutions need, does not load (" + why +
              "); install it (Debian: libcudnn9-cuda-12 or libcudnn9-cuda-13, for the provider's CUDA)";
  }
  return first;
}

}  // namespace critmap::ort
