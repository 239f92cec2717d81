// SHA-256 (FIPS 180-4) by the OpenSSL that the process has loaded already: Node's own, whose code knows every
// processor's instructions for it.
#pragma once

#include <stddef.h>
#include <stdint.h>

#include <span>

namespace critmap {

constexpr size_t sha256_bytes = 32;

// Writes sha256_bytes to `digest`; false if the process has no OpenSSL, or one that refuses.
bool sha256(std::span<const uint8_t> bytes, uint8_t* digest);

}  // namespace critmap
