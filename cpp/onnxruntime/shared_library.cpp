#include "onnxruntime/shared_library.h"

#if defined(_WIN32)
#define WIN32_LEAN_AND_MEAN
#include <windows.h>
#else
#include <dlfcn.h>
#endif

namespace critmap::ort {

#if defined(_WIN32)
void* open_library(const std::string& path) {
  std::wstring wide(size_t(MultiByteToWideChar(CP_UTF8, 0, path.data(), int(path.size()), nullptr, 0)), L' ');
  MultiByteToWideChar(CP_UTF8, 0, path.data(), int(path.size()), wide.data(), int(wide.size()));
  // Only a path has neighbours.
  const bool is_path = wide.find_first_of(L"/\\") != std::wstring::npos;
  return LoadLibraryExW(wide.c_str(), nullptr, is_path ? LOAD_WITH_ALTERED_SEARCH_PATH : 0);
}
std::string open_failure() { return "error " + std::to_string(GetLastError()); }
void* find_symbol(void* library, const char* name) {
  return reinterpret_cast<void*>(GetProcAddress(static_cast<HMODULE>(library), name));
}
#else
void* open_library(const std::string& path) { return dlopen(path.c_str(), RTLD_NOW | RTLD_LOCAL); }
std::string open_failure() {
  const char* const text = dlerror();
  return text ? text : "unknown reason";
}
void* find_symbol(void* library, const char* name) { return dlsym(library, name); }
#endif

}  // namespace critmap::ort
