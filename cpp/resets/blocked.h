// The element order that ONNX Runtime's convolutions want on processors with vectors ("NCHWc"): weights
// [outputs, inputs, kernel] as [outputs / block][inputs / input_block][kernel][input_block][block], channels
// past the last one zero. The input block is `block`, or 1 where a convolution's input is not blocked itself.
// With one input and a kernel of one element it is a vector padded with zeros: a bias.
#pragma once

#include <cstddef>

namespace critmap {

struct Blocked {
  // Channels (inputs: of one group) and elements of one kernel; each at least 1, as the blocks are.
  size_t outputs, inputs, kernel;
  size_t block, input_block;

  size_t elements() const { return outputs * inputs * kernel; }
  // Padding included.
  size_t blocked_elements() const { return padded(outputs, block) * padded(inputs, input_block) * kernel; }

 private:
  static size_t padded(size_t count, size_t block) { return (count + block - 1) / block * block; }
};

// `from` has elements(), `to` blocked_elements(); they do not overlap.
void to_blocked(const float* from, float* to, const Blocked& order);

}  // namespace critmap
