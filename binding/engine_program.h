// Reads an engine program from JavaScript. Only kinds of values are checked here; that indices and shapes fit
// is checked in cpp/engine/program.h.
#pragma once

#include <napi.h>

#include "engine/program.h"

namespace critmap::binding {

// Without sessions and constants. `name` is what messages call the value.
Program read_program(Napi::Value value);

// An array's length and elements; TypeError unless it is one.
Napi::Array array(Napi::Value value, const std::string& name);
std::vector<int64_t> dimensions(Napi::Value value, const std::string& name);

}  // namespace critmap::binding
