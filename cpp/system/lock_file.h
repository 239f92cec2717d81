// A file that one process at a time holds, by a lock of the operating system: it ends with its holder,
// however that ends, and taking it over from a dead one needs no look at who it was. Two holds in one process
// exclude each other as well.
#pragma once

#include <optional>
#include <string>

namespace critmap {

class LockFile {
 public:
  enum class Outcome { held, in_use, unsupported };
  struct Attempt;

  // Tries, without waiting, to hold the file `path` (UTF-8), which is made where it is missing and must be a
  // regular one. `unsupported`: the file system knows no locks, and nothing is held. Throws
  // std::system_error.
  static Attempt take(const std::string& path);

  LockFile(LockFile&& other) noexcept;
  LockFile(const LockFile&) = delete;
  ~LockFile();

 private:
  explicit LockFile(long long handle) : handle_(handle) {}
  long long handle_;
};

struct LockFile::Attempt {
  Outcome outcome;
  // When it is held.
  std::optional<LockFile> lock;
};

}  // namespace critmap
