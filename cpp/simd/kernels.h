// The loops that a processor's vector instructions speed up, once per code path. All paths give the same
// bits; the caller picks one (`kernel_paths`) and passes it down, so nothing here is global state.
#pragma once

#include <stddef.h>
#include <stdint.h>

namespace critmap {

struct Draw;
struct RowSums;
struct Taps;

struct Kernels {
  const char* name;
  // out[i] = the value of element first + i, wherever `out` starts.
  void (*draw)(const Draw& draw, uint64_t first, float* out, size_t count);
  // out[i] = word first + i of the key's stream 0.
  void (*random)(uint64_t key, uint64_t first, uint32_t* out, size_t count);
  // See metrics.h; scratch holds `row_scratch(classes)` floats.
  void (*compare_row)(const float* original, const float* changed, size_t classes, float* scratch,
                      RowSums& sums);
  // Logits above the label's, and equal ones before it: its rank.
  size_t (*rank)(const float* logits, size_t classes, size_t label);
  // Sums of original^2 and (changed - original)^2.
  void (*square_sums)(const float* original, const float* changed, size_t count, double (&sums)[2]);
  // See resample.h. One row of 1 or 3 channels to the outputs that the taps describe; reads and writes up to
  // `row_padding` bytes further.
  void (*resample_row)(const uint8_t* row, const Taps& taps, size_t channels, uint8_t* out);
  // out[i] = the sum of weights[t] * rows[t * pitch + i], for `width` bytes.
  void (*blend_rows)(const uint8_t* rows, size_t pitch, const int32_t* weights, size_t count, size_t width,
                     uint8_t* out);
};

extern const Kernels baseline_kernels;
#if defined(CRITMAP_X86_VECTORS)
extern const Kernels avx2_kernels;
extern const Kernels avx512_kernels;
#endif

// The paths that this processor can run, best first; `count` is at least 1 and the last is the baseline.
struct KernelPaths {
  const Kernels* paths[3];
  size_t count;
};
const KernelPaths& kernel_paths();

}  // namespace critmap
