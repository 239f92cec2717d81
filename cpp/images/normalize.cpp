#include "images/normalize.h"

namespace critmap {
namespace {

// Three planes side by side, so that every pixel is read once.
void normalize_colours(const uint8_t* pixels, size_t count, const float* table, float* out) {
  for (size_t i = 0; i < count; i++, pixels += 3) {
    out[i] = table[pixels[0]];
    out[count + i] = table[256 + pixels[1]];
    out[2 * count + i] = table[512 + pixels[2]];
  }
}

}  // namespace

void normalize(const uint8_t* pixels, size_t count, size_t channels, const float* table, float* out) {
  if (channels == 3) return normalize_colours(pixels, count, table, out);
  for (size_t channel = 0; channel < channels; channel++, table += 256, out += count) {
    for (size_t i = 0; i < count; i++) out[i] = table[pixels[i * channels + channel]];
  }
}

}  // namespace critmap
