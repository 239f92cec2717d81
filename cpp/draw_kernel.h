// Walks draw.h's rules over an array, for any kind of lanes. Included by the kernels_*.cpp files.
#pragma once

#include "draw.h"

namespace critmap {

// Calls make(block, out) for each run of 4 * L::blocks elements; runs at the ends that are not whole go
// through a buffer, so that any first element and any length give the same values.
template <class L, class T, class Make>
CRITMAP_HD void walk_blocks(uint64_t first, T* out, size_t count, const Make& make) {
  constexpr size_t step = 4 * L::blocks;
  uint64_t block = first / 4;
  size_t skip = size_t(first % 4);
  T buffer[step];
  for (; count > 0; block += L::blocks) {
    const bool whole = skip == 0 && count >= step;
    make(block, whole ? out : buffer);
    const size_t part = count < step - skip ? count : step - skip;
    if (!whole) memcpy(out, buffer + skip, part * sizeof(T));
    out += part;
    count -= part;
    skip = 0;
  }
}

template <class L, DrawKind kind>
CRITMAP_HD void draw_kind(const Draw& draw, uint64_t first, float* out, size_t count) {
  // A local copy: stores through `out` cannot be taken to change it.
  const Draw rule = draw;
  walk_blocks<L>(first, out, count, [rule](uint64_t block, float* to) CRITMAP_INLINE_LAMBDA {
    typename L::Floats values[L::registers];
    draw_blocks<L, kind>(values, block, rule);
    for (int i = 0; i < L::registers; i++) L::store(to + i * L::width, values[i]);
  });
}

template <class L>
void draw_kernel(const Draw& draw, uint64_t first, float* out, size_t count) {
  switch (draw.kind) {
    case DrawKind::uniform:
      return draw_kind<L, DrawKind::uniform>(draw, first, out, count);
    case DrawKind::normal:
      return draw_kind<L, DrawKind::normal>(draw, first, out, count);
    case DrawKind::truncated:
      return draw_kind<L, DrawKind::truncated>(draw, first, out, count);
  }
}

template <class L>
void random_kernel(uint64_t key, uint64_t first, uint32_t* out, size_t count) {
  walk_blocks<L>(first, out, count, [key](uint64_t block, uint32_t* to) CRITMAP_INLINE_LAMBDA {
    typename L::Words words[L::registers];
    random_words<L>(words, block, 0, key);
    for (int i = 0; i < L::registers; i++) L::store(to + i * L::width, words[i]);
  });
}

}  // namespace critmap
