// Philox4x32-10, the counter-based generator of Salmon, Moraes, Dror and Shaw ("Parallel random numbers: as
// easy as 1, 2, 3", 2011); equals Random123's known answers. Word e % 4 of block e / 4 belongs to element e,
// so a value depends on the key, the stream and the element's index, never on how the work was split.
#pragma once

#include "simd/lanes.h"

namespace critmap {

// Ten rounds in place. c[0] and c[1] hold the low and high words of the block number, c[2] and c[3] those of
// the stream; only the low half of each 64-bit lane counts, which spares the masking: a product of two low
// halves carries the high word in its upper half and the low word, with garbage above it, in its lower half.
template <class L>
CRITMAP_HD void philox(typename L::Wide (&c)[4], uint64_t key) {
  uint32_t key0 = uint32_t(key), key1 = uint32_t(key >> 32);
  for (int round = 0; round < 10; round++) {
    typename L::Wide p0 = L::product(c[0], 0xD2511F53u), p1 = L::product(c[2], 0xCD9E8D57u);
    c[0] = L::high(p1) ^ (c[1] ^ L::set_wide(key0));
    c[1] = p1;
    c[2] = L::high(p0) ^ (c[3] ^ L::set_wide(key1));
    c[3] = p0;
    key0 += 0x9E3779B9u;
    key1 += 0xBB67AE85u;
  }
}

// The four words of each of the blocks `first`, `first` + 1, ... in one stream.
template <class L>
CRITMAP_HD void philox_blocks(typename L::Wide (&c)[4], uint64_t first, uint64_t stream, uint64_t key) {
  c[0] = L::count_from(first);
  c[1] = L::high(c[0]);
  c[2] = L::set_wide(stream);
  c[3] = L::set_wide(stream >> 32);
  philox<L>(c, key);
}

}  // namespace critmap
