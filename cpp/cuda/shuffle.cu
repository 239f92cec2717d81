// Shuffles on a card: a kernel gives every element its key, and CUB's radix sort, which keeps equal keys in
// their order, puts the elements in that of their keys. What it sorts in, 24 bytes an element and some more,
// is the caller's; a sort of pairs reads one half of it and writes the other, in turn.
#include <cub/device/device_radix_sort.cuh>

#include "cuda/items.h"
#include "cuda/launch.h"
#include "cuda/shuffle.h"
#include "random/philox.h"

namespace critmap::cuda {
namespace {

constexpr unsigned block_threads = 256;
constexpr int key_bits = 64;

// Device memory is aligned to that.
constexpr size_t whole_lines(size_t bytes) { return (bytes + 255) / 256 * 256; }

// Where the parts of the scratch memory begin.
struct Parts {
  explicit Parts(size_t count)
      : keys{0, whole_lines(count * sizeof(uint64_t))},
        values{2 * keys[1], 2 * keys[1] + whole_lines(count * sizeof(float))},
        rest(2 * keys[1] + 2 * (values[1] - values[0])) {}

  size_t keys[2], values[2], rest;
};

using Keys = cub::DoubleBuffer<uint64_t>;
using Values = cub::DoubleBuffer<float>;

// A sort's own memory, if `memory` is null: how much it needs.
cudaError_t sort(void* memory, size_t& bytes, Keys& keys, Values& values, size_t count, cudaStream_t stream) {
  return cub::DeviceRadixSort::SortPairs(memory, bytes, keys, values, uint64_t(count), 0, key_bits, stream);
}

// A thread makes the keys of two elements, which are the words of one Philox block.
__global__ void __launch_bounds__(block_threads)
    pair_up(const float* own, uint64_t count, uint64_t key, uint64_t channels, bool transposed,
            uint64_t* keys, float* values) {
  const uint64_t rest = transposed ? count / channels : count;
  for (uint64_t block = first_item(); block < (count + 1) / 2; block += item_stride()) {
    OneLane::Wide words[4];
    philox_blocks<OneLane>(words, block, 0, key);
    for (uint32_t i = 0; i < 2 && 2 * block + i < count; i++) {
      const uint64_t element = 2 * block + i;
      uint64_t stored = element;
      if (transposed) {
        const uint64_t channel = quotient(element, rest);
        stored = (element - channel * rest) * channels + channel;
      }
      keys[element] = uint64_t(uint32_t(words[2 * i].v[0])) | uint64_t(uint32_t(words[2 * i + 1].v[0])) << 32;
      values[element] = own[stored];
    }
  }
}

}  // namespace

size_t shuffle_bytes(size_t count) {
  Keys keys;
  Values values;
  size_t bytes = 0;
  check(sort(nullptr, bytes, keys, values, count, nullptr), "preparing a sort");
  return Parts(count).rest + bytes;
}

cudaError_t shuffled(Stream& stream, const float* own, size_t count, uint64_t key, const ResetLayout& layout,
                     const DeviceMemory& scratch, const float*& sorted) {
  const Parts parts(count);
  const auto at = [&](size_t part) { return scratch.data() + part; };
  Keys keys(reinterpret_cast<uint64_t*>(at(parts.keys[0])), reinterpret_cast<uint64_t*>(at(parts.keys[1])));
  Values values(reinterpret_cast<float*>(at(parts.values[0])), reinterpret_cast<float*>(at(parts.values[1])));
  const cudaError_t status = launch(pair_up, blocks_for((count + 1) / 2, block_threads), block_threads,
                                    stream.handle(), own, uint64_t(count), key, uint64_t(layout.channels),
                                    layout.transposed, keys.Current(), values.Current());
  if (status != cudaSuccess) return status;
  size_t bytes = scratch.bytes() - parts.rest;
  const cudaError_t sorting = sort(at(parts.rest), bytes, keys, values, count, stream.handle());
  sorted = values.Current();
  return sorting;
}

}  // namespace critmap::cuda
