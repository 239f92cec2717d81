// Pillow's conversions between colour modes, in place on interleaved 8-bit pixels.
#pragma once

#include <stddef.h>
#include <stdint.h>

namespace critmap {

// How CMYK is stored: 255 all ink, or none.
enum class CmykInks { plain, inverted };

// Four bytes a pixel to three, without any colour profile.
inline void cmyk_to_rgb(uint8_t* pixels, size_t count, CmykInks inks) {
  const uint8_t flip = inks == CmykInks::inverted ? 255 : 0;
  for (size_t i = 0; i < count; i++) {
    const uint8_t* const from = pixels + i * 4;
    const int light = 255 - (from[3] ^ flip);
    uint8_t rgb[3];
    for (int c = 0; c < 3; c++) {
      // light - round(ink * light / 255)
      const int product = (from[c] ^ flip) * light + 128;
      rgb[c] = uint8_t(light - (((product >> 8) + product) >> 8));
    }
    for (int c = 0; c < 3; c++) pixels[i * 3 + size_t(c)] = rgb[c];
  }
}

// ITU-R 601 luma in 16-bit fixed point, of the gamma-encoded values.
inline void rgb_to_grey(uint8_t* pixels, size_t count) {
  for (size_t i = 0; i < count; i++) {
    const uint8_t* const from = pixels + i * 3;
    pixels[i] = uint8_t((from[0] * 19595 + from[1] * 38470 + from[2] * 7471 + 0x8000) >> 16);
  }
}

// One byte a pixel to three; there is room for them.
inline void repeat_grey(uint8_t* pixels, size_t count) {
  for (size_t i = count; i-- > 0;) {
    const uint8_t grey = pixels[i];
    pixels[i * 3] = pixels[i * 3 + 1] = pixels[i * 3 + 2] = grey;
  }
}

}  // namespace critmap
