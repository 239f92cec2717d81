// A whole file in memory.
#pragma once

#include <stdint.h>

#include <string>
#include <vector>

namespace critmap {

// Reads `path` (UTF-8) into `bytes`; false for whatever reason it cannot be read, or if it is 2 GiB or
// larger.
bool read_file(const std::string& path, std::vector<uint8_t>& bytes);

}  // namespace critmap
