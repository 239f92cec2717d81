// Decodes JPEG files with libjpeg-turbo, the library that Pillow decodes with and with Pillow's settings
// (exact integer transform, interpolated chroma), row by row into a resampler, so that the whole picture is
// never in memory. As Pillow does, takes files whose data has errors that the format can skip and refuses
// files that end early, ignores orientation and colour profiles, and inverts the inks of CMYK files. What is
// compiled without libjpeg-turbo has no decoder here.
#pragma once

#include <stddef.h>
#include <stdint.h>

#include <span>
#include <stdexcept>

#include "images/fit.h"

namespace critmap {

// The file cannot be decoded; the message is the reason.
struct JpegError : std::runtime_error {
  using std::runtime_error::runtime_error;
};

// The decoder and its version, or null if there is none.
const char* jpeg_library();

// Decodes a whole JPEG file to grey (`resize.channels` 1) or RGB (3) and writes the window, height x width x
// channels, to `out`. Throws JpegError for what cannot be decoded, is not of the size that `resize` expects,
// or has other than 1, 3 or 4 components.
void resample_jpeg(const Kernels& kernels, std::span<const uint8_t> file, const Resize& resize, uint8_t* out);

// The same of a file that comes in one scan and has at most so many pixels, as `crop`, crop_height x
// crop_width x channels. False, with anything in `crop`, for every other file and for those that
// resample_jpeg refuses.
bool fit_jpeg(const Kernels& kernels, std::span<const uint8_t> file, const Fit& fit, size_t most_pixels,
              uint8_t* crop);

}  // namespace critmap
