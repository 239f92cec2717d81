#include "images/file.h"

#include <filesystem>
#include <fstream>

namespace critmap {
namespace {

constexpr std::streamoff most_bytes = (std::streamoff(1) << 31) - 1;

}  // namespace

bool read_file(const std::string& path, std::vector<uint8_t>& bytes) {
  std::ifstream file(std::filesystem::path(std::u8string(path.begin(), path.end())),
                     std::ios::binary | std::ios::ate);
  const std::streamoff length = file ? std::streamoff(file.tellg()) : -1;
  if (length < 0 || length > most_bytes) return false;
  bytes.resize(size_t(length));
  file.seekg(0);
  file.read(reinterpret_cast<char*>(bytes.data()), length);
  // Neither shorter than it was a moment ago nor longer.
  return file.gcount() == length && file.peek() == std::ifstream::traits_type::eof();
}

}  // namespace critmap
