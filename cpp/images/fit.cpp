#include "images/fit.h"

#include <string.h>

#include <algorithm>
#include <stdexcept>
#include <string>

namespace critmap {
namespace {

// Beyond any picture that has a centre worth seeing, and what Pillow would run out of memory at.
constexpr size_t most_resized = size_t(1) << 26;

struct Span {
  size_t from, length;  // of the picture
  size_t at;            // in the crop
};

Span along(size_t size, size_t crop) {
  if (size < crop) return {0, size, (crop - size) / 2};
  const size_t half = (size - crop) / 2;
  // Python's `round` takes halves to the even neighbour.
  return {half + ((size - crop) & half & 1), crop, 0};
}

std::string text_of(size_t height, size_t width) {
  return std::to_string(height) + "x" + std::to_string(width);
}

}  // namespace

Placement placement(size_t height, size_t width, const Fit& fit) {
  size_t to_height = height, to_width = width;
  if (fit.short_side) {
    // The long side is truncated.
    to_height = height < width ? fit.short_side : fit.short_side * height / width;
    to_width = height < width ? fit.short_side * width / height : fit.short_side;
  }
  if (std::max(to_height, to_width) > most_resized) {
    throw std::out_of_range(text_of(height, width) + " pixels resize to " + text_of(to_height, to_width) +
                            ", too large");
  }
  const Span rows = along(to_height, fit.crop_height), columns = along(to_width, fit.crop_width);
  return {{fit.channels, height, width, to_height, to_width, rows.from, columns.from, rows.length,
           columns.length, fit.filter},
          rows.at,
          columns.at};
}

void place_in_crop(const uint8_t* window, const Placement& place, const Fit& fit, uint8_t* crop) {
  const size_t row_bytes = place.resize.width * fit.channels;
  memset(crop, 0, fit.crop_height * fit.crop_width * fit.channels);
  for (size_t row = 0; row < place.resize.height; row++) {
    memcpy(crop + ((place.top + row) * fit.crop_width + place.left) * fit.channels, window + row * row_bytes,
           row_bytes);
  }
}

}  // namespace critmap
