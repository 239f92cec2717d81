#include "system/nameless_file.h"

#if defined(__linux__)
#include <fcntl.h>
#include <sys/mman.h>
#include <unistd.h>
#endif

namespace critmap {

std::string name_of_descriptor(int descriptor) { return "/proc/self/fd/" + std::to_string(descriptor); }

#if defined(__linux__)
int open_nameless_file() {
  const int made = memfd_create("critmap", MFD_CLOEXEC);
  // Without /proc there is no way to hand it to others.
  if (made >= 0 && access(name_of_descriptor(made).c_str(), R_OK | W_OK) != 0) {
    close(made);
    return -1;
  }
  return made;
}

int duplicate_descriptor(int descriptor) { return fcntl(descriptor, F_DUPFD_CLOEXEC, 0); }
void close_descriptor(int descriptor) { close(descriptor); }
#else
int open_nameless_file() { return -1; }
int duplicate_descriptor(int) { return -1; }
void close_descriptor(int) {}
#endif

}  // namespace critmap
