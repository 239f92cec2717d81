// Orders elements by random keys. Keys are evenly spread, so sorting by as many leading bits as there are
// elements leaves next to nothing to do: two stable radix passes, then one insertion pass over what is almost
// in order.
#include <algorithm>
#include <bit>
#include <memory>
#include <utility>
#include <vector>

#include "resets/reset.h"
#include "simd/kernels.h"

namespace critmap {
namespace {

// Stable passes keep equal keys in the order of their elements, so the index need not be stored.
struct Entry {
  uint32_t key_low, key_high;
  float value;

  uint64_t key() const { return uint64_t(key_high) << 32 | key_low; }
};

constexpr size_t tile_length = 1024;
// More streams than this at a time would miss the cache on every write.
constexpr int most_digit_bits = 12;

// Bits [from, from + bits) of a key, counted from the top; 0 for no bits.
struct Digit {
  int from, bits;

  size_t operator()(uint64_t key) const { return size_t(key << from >> 1 >> (63 - bits)); }
  size_t count() const { return size_t(1) << bits; }
};

// Calls each(element, key) for all elements in order.
template <class Each>
void for_each_key(const Kernels& kernels, uint64_t key, size_t count, const Each& each) {
  uint32_t words[2 * tile_length];
  for (size_t begin = 0; begin < count; begin += tile_length) {
    const size_t part = std::min(tile_length, count - begin);
    kernels.random(key, 2 * uint64_t(begin), words, 2 * part);
    for (size_t i = 0; i < part; i++) {
      each(begin + i, uint64_t(words[2 * i]) | uint64_t(words[2 * i + 1]) << 32);
    }
  }
}

// Where each digit's entries begin, from how many there are.
void accumulate(std::vector<size_t>& counts) {
  size_t begin = 0;
  for (size_t& count : counts) begin += std::exchange(count, begin);
}

}  // namespace

void shuffle(const Kernels& kernels, std::span<float> target, uint64_t key, const ResetLayout& layout) {
  const size_t count = target.size();
  if (count < 2) return;
  const size_t rest = layout.transposed ? count / layout.channels : count;
  const auto stored_at = [&](size_t logical) {
    return layout.transposed ? logical % rest * layout.channels + logical / rest : logical;
  };

  const int bits = std::min(int(std::bit_width(count)), 2 * most_digit_bits);
  const Digit high{0, bits - bits / 2}, low{high.bits, bits / 2};
  std::vector<size_t> low_begins(low.count()), high_begins(high.count());
  for_each_key(kernels, key, count, [&](size_t, uint64_t k) {
    low_begins[low(k)]++;
    high_begins[high(k)]++;
  });
  accumulate(low_begins);
  accumulate(high_begins);

  const std::unique_ptr<Entry[]> dealt(new Entry[count]), sorted(new Entry[count]);
  for_each_key(kernels, key, count, [&](size_t element, uint64_t k) {
    dealt[low_begins[low(k)]++] = {uint32_t(k), uint32_t(k >> 32), target[stored_at(element)]};
  });
  for (size_t i = 0; i < count; i++) sorted[high_begins[high(dealt[i].key())]++] = dealt[i];
  for (size_t i = 1; i < count; i++) {
    const Entry entry = sorted[i];
    size_t to = i;
    for (; to > 0 && sorted[to - 1].key() > entry.key(); to--) sorted[to] = sorted[to - 1];
    sorted[to] = entry;
  }
  for (size_t i = 0; i < count; i++) target[stored_at(i)] = sorted[i].value;
}

}  // namespace critmap
