#include "resets/smallest.h"

#include <algorithm>
#include <vector>

#include "simd/lanes.h"

namespace critmap {

Smallest smallest(std::span<const float> values, const ResetLayout& layout, size_t count) {
  if (count == 0) return {0, 0};
  // Without their sign, the bits of floats are in the order of their sizes.
  const auto size_bits = [&](size_t i) { return float_bits(values[i]) & 0x7fffffffu; };
  std::vector<uint32_t> sizes(values.size());
  for (size_t i = 0; i < values.size(); i++) sizes[i] = size_bits(i);
  std::nth_element(sizes.begin(), sizes.begin() + ptrdiff_t(count - 1), sizes.end());
  const uint32_t threshold = sizes[count - 1];
  size_t left = count;
  for (size_t i = 0; i < count; i++) left -= sizes[i] < threshold;
  const size_t channels = layout.transposed ? layout.channels : 1, rest = values.size() / channels;
  for (size_t c = 0; c < channels; c++) {
    for (size_t r = 0; r < rest; r++) {
      if (size_bits(r * channels + c) == threshold && --left == 0) {
        return {bits_float(threshold), c * rest + r + 1};
      }
    }
  }
  return {bits_float(threshold), values.size()};
}

}  // namespace critmap
