// Shared libraries that are loaded at run time, for good.
#pragma once

#include <string>

namespace critmap::ort {

// Loads the library in that file, or of that name where the system looks for libraries; its neighbours are
// looked for beside it where the system does so at all. Null where that fails.
void* open_library(const std::string& path);
// Why the last of this thread's failed.
std::string open_failure();
// A function that the library exports; null if it does not.
void* find_symbol(void* library, const char* name);

}  // namespace critmap::ort
