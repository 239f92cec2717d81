// Where the pixels of a model's input come from in a picture of any size: torchvision's `Resize` of the short
// side and `CenterCrop`, with its rounding. A picture smaller than the crop is surrounded by black, the odd
// pixel below and to the right.
#pragma once

#include <stddef.h>
#include <stdint.h>

#include "images/resample.h"

namespace critmap {

struct Fit {
  size_t channels;                 // 1 or 3, interleaved
  size_t short_side;               // 0 leaves the size
  size_t crop_height, crop_width;  // of the result
  Filter filter;
};

struct Placement {
  Resize resize;     // what is taken of the resized picture
  size_t top, left;  // where that lies in the crop
};

// Sizes are above 0 and below 2^31. Throws std::out_of_range for a picture that is too elongated to be
// resized.
Placement placement(size_t height, size_t width, const Fit& fit);

// The crop, zeros where `window` does not reach.
void place_in_crop(const uint8_t* window, const Placement& place, const Fit& fit, uint8_t* crop);

}  // namespace critmap
