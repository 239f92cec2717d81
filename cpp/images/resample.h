// Resizes 8-bit pictures as Pillow's `Image.resize` does, to the bit, and only the window of the result that
// is asked for. Each axis by itself, columns before rows, with 8 bits between the two: an output is a
// weighted mean of the inputs that the filter reaches, its reach stretched by the ratio where the picture
// shrinks, the weights rounded to 22 bits after the point and summed in 32-bit integers. Every code path
// gives the same bits.
#pragma once

#include <stddef.h>
#include <stdint.h>

#include <memory>
#include <vector>

#include "images/resample_taps.h"

namespace critmap {

struct Kernels;

// What a row's kernel may read past the row's end, and write past the end of what it makes.
constexpr size_t row_padding = 16;

enum class Filter { nearest, box, bilinear, hamming, bicubic, lanczos };

struct Resize {
  size_t channels;  // 1 or 3, interleaved
  size_t from_height, from_width;
  size_t to_height, to_width;       // of the whole result
  size_t top, left, height, width;  // the window of the result; within it
  Filter filter;
};

// The weights of one axis for outputs [begin, begin + outputs) of `to`; sizes are above 0 and below 2^31.
class Axis {
 public:
  Axis(Filter filter, size_t from, size_t to, size_t begin, size_t outputs);
  // The taps point into this.
  Axis(const Axis&) = delete;
  Axis& operator=(const Axis&) = delete;
  const Taps& taps() const { return taps_; }
  // The inputs that are needed.
  size_t first() const { return first_; }
  size_t end() const { return end_; }
  // Counts inputs from `first()` on.
  void rebase();
  // Gives the taps their `paired` weights.
  void pair();

 private:
  void take_nearest(size_t from, size_t to, size_t begin);
  void weigh(Filter filter, size_t from, size_t to, size_t begin);

  std::vector<uint32_t> starts_;
  std::vector<int32_t> weights_;
  std::vector<PairedWeights> paired_;
  Taps taps_;
  size_t first_, end_;
};

// One picture's resizing; rows come in as they are decoded. Keeps the window's columns of the needed rows.
class Resampler {
 public:
  Resampler(const Kernels& kernels, const Resize& resize);
  // The rows of the input that are needed.
  size_t first_row() const { return rows_.first(); }
  size_t end_row() const { return rows_.end(); }
  // Takes the next needed row, from first_row() on; `row_padding` bytes after it must be readable.
  void add(const uint8_t* row);
  // Writes the window, height x width x channels, when all needed rows are there.
  void finish(uint8_t* out) const;

 private:
  const Kernels& kernels_;
  const size_t channels_, row_bytes_, pitch_;
  Axis columns_, rows_;
  // Not set to anything before it is written.
  std::unique_ptr<uint8_t[]> between_;
  size_t added_ = 0;
};

// All of it for a picture in memory. Writes height x width x channels.
void resample(const Kernels& kernels, const uint8_t* pixels, const Resize& resize, uint8_t* out);

}  // namespace critmap
