#include "system/lock_file.h"

#include <system_error>
#include <utility>

#if defined(_WIN32)
#define WIN32_LEAN_AND_MEAN
#include <windows.h>

#include <filesystem>
#else
#include <fcntl.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cerrno>
#endif

namespace critmap {
namespace {

constexpr long long none = -1;

}  // namespace

LockFile::LockFile(LockFile&& other) noexcept : handle_(std::exchange(other.handle_, none)) {}

#if defined(_WIN32)
LockFile::~LockFile() {
  if (handle_ != none) CloseHandle(reinterpret_cast<HANDLE>(handle_));
}

LockFile::Attempt LockFile::take(const std::string& path) {
  const std::filesystem::path name(std::u8string(path.begin(), path.end()));
  const HANDLE file = CreateFileW(name.c_str(), GENERIC_READ | GENERIC_WRITE,
                                  FILE_SHARE_READ | FILE_SHARE_WRITE | FILE_SHARE_DELETE, nullptr,
                                  OPEN_ALWAYS, FILE_ATTRIBUTE_NORMAL, nullptr);
  if (file == INVALID_HANDLE_VALUE) throw std::system_error(int(GetLastError()), std::system_category());
  LockFile lock(reinterpret_cast<long long>(file));
  // One byte far behind the content, which others may read.
  OVERLAPPED place = {};
  place.OffsetHigh = 1;
  if (LockFileEx(file, LOCKFILE_EXCLUSIVE_LOCK | LOCKFILE_FAIL_IMMEDIATELY, 0, 1, 0, &place)) {
    return {Outcome::held, std::move(lock)};
  }
  const DWORD error = GetLastError();
  if (error == ERROR_LOCK_VIOLATION) return {Outcome::in_use, std::nullopt};
  if (error == ERROR_NOT_SUPPORTED || error == ERROR_INVALID_FUNCTION) {
    return {Outcome::unsupported, std::nullopt};
  }
  throw std::system_error(int(error), std::system_category());
}
#else
LockFile::~LockFile() {
  if (handle_ != none) close(int(handle_));
}

LockFile::Attempt LockFile::take(const std::string& path) {
  for (;;) {
    // Neither through a link nor waiting for a pipe's other end.
    const int file = open(path.c_str(), O_RDWR | O_CREAT | O_CLOEXEC | O_NOFOLLOW | O_NONBLOCK, 0666);
    if (file < 0) throw std::system_error(errno, std::generic_category());
    LockFile lock(file);
    struct stat held, named;
    if (fstat(file, &held) != 0) throw std::system_error(errno, std::generic_category());
    if (!S_ISREG(held.st_mode)) throw std::system_error(EEXIST, std::generic_category());
    if (flock(file, LOCK_EX | LOCK_NB) != 0) {
      if (errno == EINTR) continue;
      if (errno == EWOULDBLOCK) return {Outcome::in_use, std::nullopt};
      if (errno == EOPNOTSUPP || errno == ENOSYS || errno == ENOLCK || errno == EINVAL) {
        return {Outcome::unsupported, std::nullopt};
      }
      throw std::system_error(errno, std::generic_category());
    }
    // An earlier holder removes the file before it lets go: then this is not the file of that name any more.
    if (lstat(path.c_str(), &named) == 0) {
      if (named.st_ino == held.st_ino && named.st_dev == held.st_dev) {
        return {Outcome::held, std::move(lock)};
      }
    } else if (errno != ENOENT) {
      throw std::system_error(errno, std::generic_category());
    }
  }
}
#endif

}  // namespace critmap
