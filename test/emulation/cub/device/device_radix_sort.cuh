// The sort of CUDA's toolkit that cpp/cuda/shuffle.cu calls, under the same name, as queued work of the
// stream. Which of the two buffers the result is in is CUB's to choose, so here it changes from one call to
// the next; the other one and the sort's own memory hold nothing of use afterwards.
#pragma once

#include <algorithm>
#include <numeric>
#include <vector>

#include "cuda_runtime.h"

namespace cub {

template <class T>
struct DoubleBuffer {
  T* d_buffers[2] = {nullptr, nullptr};
  int selector = 0;

  DoubleBuffer() = default;
  DoubleBuffer(T* current, T* alternate) : d_buffers{current, alternate} {}
  T* Current() const { return d_buffers[selector]; }
  T* Alternate() const { return d_buffers[selector ^ 1]; }
};

struct DeviceRadixSort {
  // By bits [begin, end) of the keys; equal ones stay in their order.
  template <class Key, class Value>
  static cudaError_t SortPairs(void* memory, size_t& bytes, DoubleBuffer<Key>& keys,
                               DoubleBuffer<Value>& values, uint64_t count, int begin, int end,
                               cudaStream_t stream) {
    const size_t needed = 1000 + size_t(count / 64);
    if (!memory) return bytes = needed, cudaSuccess;
    if (bytes < needed || begin < 0 || end > int(8 * sizeof(Key))) return cudaErrorInvalidValue;
    static bool changes = false;
    changes = !changes;
    const DoubleBuffer<Key> key_buffers = keys;
    const DoubleBuffer<Value> value_buffers = values;
    const bool to_other = changes;
    if (to_other) keys.selector ^= 1, values.selector ^= 1;
    return emulate(1, 1, stream, [=] {
      constexpr int junk = 0x5a;
      const std::vector<Key> old_keys(key_buffers.Current(), key_buffers.Current() + count);
      const std::vector<Value> old_values(value_buffers.Current(), value_buffers.Current() + count);
      const auto digits = [&](size_t i) { return Key(old_keys[i] << (64 - end)) >> (64 - end + begin); };
      std::vector<size_t> order(count);
      std::iota(order.begin(), order.end(), size_t(0));
      std::stable_sort(order.begin(), order.end(), [&](size_t a, size_t b) { return digits(a) < digits(b); });
      memset(memory, junk, needed);
      for (Key* const at : key_buffers.d_buffers) memset(at, junk, count * sizeof(Key));
      for (Value* const at : value_buffers.d_buffers) memset(at, junk, count * sizeof(Value));
      Key* const to_keys = to_other ? key_buffers.Alternate() : key_buffers.Current();
      Value* const to_values = to_other ? value_buffers.Alternate() : value_buffers.Current();
      for (size_t i = 0; i < count; i++) {
        to_keys[i] = old_keys[order[i]];
        to_values[i] = old_values[order[i]];
      }
    });
  }
};

}  // namespace cub
