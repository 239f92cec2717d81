#include "random/sha256.h"

#if defined(_WIN32)
#include <windows.h>
#else
#include <dlfcn.h>
#endif

namespace critmap {
namespace {

// <openssl/sha.h>, in every version.
using OneShot = unsigned char* (*)(const unsigned char*, size_t, unsigned char*);

OneShot find() {
#if defined(_WIN32)
  return reinterpret_cast<OneShot>(GetProcAddress(GetModuleHandleW(nullptr), "SHA256"));
#else
  return reinterpret_cast<OneShot>(dlsym(RTLD_DEFAULT, "SHA256"));
#endif
}

}  // namespace

bool sha256(std::span<const uint8_t> bytes, uint8_t* digest) {
  static const OneShot one_shot = find();
  return one_shot && one_shot(bytes.data(), bytes.size(), digest);
}

}  // namespace critmap
