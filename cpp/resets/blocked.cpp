#include "resets/blocked.h"

#include <algorithm>

namespace critmap {

void to_blocked(const float* from, float* to, const Blocked& order) {
  const auto [outputs, inputs, kernel, block, input_block] = order;
  const size_t row = inputs * kernel;
  for (size_t o = 0; o < outputs; o += block) {
    const size_t rows = std::min(block, outputs - o);
    for (size_t i = 0; i < inputs; i += input_block) {
      const size_t columns = std::min(input_block, inputs - i);
      // A block of rows of one input block fits the first-level cache; it is read kernel by kernel.
      const float* const corner = from + o * row + i * kernel;
      for (size_t k = 0; k < kernel; k++) {
        for (size_t bi = 0; bi < columns; bi++, to += block) {
          const float* const first = corner + bi * kernel + k;
          for (size_t bo = 0; bo < rows; bo++) to[bo] = first[bo * row];
          std::fill(to + rows, to + block, 0.0f);
        }
        std::fill(to, to + (input_block - columns) * block, 0.0f);
        to += (input_block - columns) * block;
      }
    }
  }
}

}  // namespace critmap
