// Interleaved 8-bit pixels to float32 planes through a table of 256 values per channel.
#pragma once

#include <stddef.h>
#include <stdint.h>

namespace critmap {

// out[c * count + i] = table[c * 256 + pixels[i * channels + c]], for `count` pixels.
void normalize(const uint8_t* pixels, size_t count, size_t channels, const float* table, float* out);

}  // namespace critmap
