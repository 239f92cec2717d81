// Orders elements by random keys: one pass deals them into buckets by the key's top bits, then each bucket,
// small enough for the cache, is sorted.
#include <algorithm>
#include <bit>
#include <memory>

#include "kernels.h"
#include "reset.h"

namespace critmap {
namespace {

struct Entry {
  uint64_t key;
  uint32_t from;
  float value;
};

constexpr size_t tile_length = 1024;
// Elements of a bucket, on average, until there would be too many buckets.
constexpr int bucket_bits = 9, most_bucket_bits = 14;

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

}  // namespace

void shuffle(const Kernels& kernels, std::span<float> target, uint64_t key, const ResetLayout& layout) {
  const size_t count = target.size();
  if (count < 2) return;
  const size_t rest = layout.transposed ? count / layout.channels : count;
  const auto stored_at = [&](size_t logical) {
    return layout.transposed ? logical % rest * layout.channels + logical / rest : logical;
  };

  const int bits = std::clamp(int(std::bit_width(count)) - bucket_bits, 0, most_bucket_bits);
  // A shift by 64 is undefined; half of it twice is 0.
  const auto bucket_of = [bits](uint64_t k) { return size_t(k >> 1 >> (63 - bits)); };
  const size_t buckets = size_t(1) << bits;
  const auto ends = std::make_unique<size_t[]>(buckets + 1);
  for_each_key(kernels, key, count, [&](size_t, uint64_t k) { ends[bucket_of(k) + 1]++; });
  for (size_t b = 0; b < buckets; b++) ends[b + 1] += ends[b];

  // ends[b] starts as the bucket's beginning and moves to its end while entries are dealt.
  const std::unique_ptr<Entry[]> entries(new Entry[count]);
  for_each_key(kernels, key, count, [&](size_t element, uint64_t k) {
    entries[ends[bucket_of(k)]++] = {k, uint32_t(element), target[stored_at(element)]};
  });
  for (size_t b = 0, begin = 0; b < buckets; begin = ends[b++]) {
    std::sort(entries.get() + begin, entries.get() + ends[b], [](const Entry& x, const Entry& y) {
      return x.key != y.key ? x.key < y.key : x.from < y.from;
    });
    for (size_t i = begin; i < ends[b]; i++) target[stored_at(i)] = entries[i].value;
  }
}

}  // namespace critmap
