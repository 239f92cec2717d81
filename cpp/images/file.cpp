#include "images/file.h"

#include <filesystem>
#include <fstream>

namespace critmap {
namespace {

constexpr std::streamoff most_bytes = (std::streamoff(1) << 31) - 1;

}  // namespace

bool read_file(const std::string& path, std::vector<uint8_t>& bytes) {
  const std::filesystem::path name(std::u8string(path.begin(), path.end()));
  // Opening a named pipe would wait for whoever writes to it.
  std::error_code unknown;
  if (!std::filesystem::is_regular_file(name, unknown)) return false;
  std::ifstream file(name, std::ios::binary | std::ios::ate);
  const std::streamoff length = file ? std::streamoff(file.tellg()) : -1;
  if (length < 0 || length > most_bytes) return false;
  bytes.resize(size_t(length));
  file.seekg(0);
  file.read(reinterpret_cast<char*>(bytes.data()), length);
  // Neither shorter than it was a moment ago nor longer.
  return file.gcount() == length && file.peek() == std::ifstream::traits_type::eof();
}

}  // namespace critmap
