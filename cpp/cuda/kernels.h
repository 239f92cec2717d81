// The work of reset.h, metrics.h and normalize.h on a card. All pointers are to device memory, of any
// alignment of their type (16 bytes is fastest); work is queued on the caller's stream and done in its order.
// Throws cuda::Error when a kernel does not start. Bits are those of every other code path.
#pragma once

#include <stddef.h>
#include <stdint.h>

#include "cuda/runtime.h"
#include "metrics/metrics.h"
#include "resets/reset_kinds.h"

namespace critmap::cuda {

struct ResetInputs {
  // What all rules but draws and constants start from, in the target's storage order; may be the target.
  const float* own;
  // Null, or as in reset.h; added to each new value after that; interpolate's and blend's other half.
  const float *factor, *shift, *donor;
  // quantize: one scale per channel.
  const float* scales;
  // shuffle: shuffle_bytes(count) at least, which nothing else uses before the reset is done.
  const DeviceMemory* scratch = nullptr;
};

// `rule.donor` and `rule.scales` are not used.
void reset(Stream& stream, float* target, size_t count, const ResetRule& rule, const ResetLayout& layout,
           const ResetInputs& inputs);

// Device memory that a shuffle of so many elements takes, and so does one of fewer.
size_t shuffle_bytes(size_t count);

// Writes rows x `columns` numbers (metrics.h). `labels` may be null; then the label's columns are NaN.
void compare_rows(Stream& stream, const float* original, const float* changed, size_t rows, size_t classes,
                  const int32_t* labels, double* out);

// Interleaved pixels, `images` x `count` x `channels`, to planes, `images` x `channels` x `count`, each
// channel through its 256 values of `table`.
void normalize(Stream& stream, const uint8_t* pixels, size_t images, size_t count, size_t channels,
               const float* table, float* out);

}  // namespace critmap::cuda
