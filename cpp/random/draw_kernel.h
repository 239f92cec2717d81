// Walks draw.h's rules over an array, for any kind of lanes. Included by the kernels_*.cpp files.
#pragma once

#include "random/draw.h"
#include "simd/lanes_pair.h"

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
    // Lines to write, early: worth a fifth of the time of the fastest rules on arrays beyond the cache.
    for (size_t i = 0; i < step; i += 16) prefetch(out, i + 512);
    make(block, whole ? out : buffer);
    const size_t part = count < step - skip ? count : step - skip;
    if (!whole) memcpy(out, buffer + skip, part * sizeof(T));
    out += part;
    count -= part;
    skip = 0;
  }
}

// The random words of L::blocks blocks in one stream.
template <class L>
CRITMAP_HD typename Pair<L>::Words random_words(uint64_t block, uint64_t stream, uint64_t key) {
  static_assert(L::registers == 2);
  typename L::Wide c[4];
  philox_blocks<L>(c, block, stream, key);
  typename L::Words words[2];
  L::pack(c, words);
  return {words[0], words[1]};
}

template <class L, DrawKind kind>
CRITMAP_HD void draw_kind(const Draw& draw, uint64_t first, float* out, size_t count) {
  // A local copy: stores through `out` cannot be taken to change it.
  const Draw rule = draw;
  walk_blocks<L>(first, out, count, [rule](uint64_t block, float* to) CRITMAP_INLINE_LAMBDA {
    const auto words = [&](uint64_t stream)
                           CRITMAP_INLINE_LAMBDA { return random_words<L>(block, stream, rule.key); };
    Pair<L>::store(to, draw_value<Pair<L>, kind>(rule, words));
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
    Pair<L>::store(to, random_words<L>(block, 0, key));
  });
}

}  // namespace critmap
