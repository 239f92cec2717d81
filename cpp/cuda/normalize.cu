// Pixels normalised on a card: a thread takes four pixels of one image, whose values go to each plane as one
// store of 16 bytes where that is aligned. The tables of one and of three channels are kept in shared memory,
// where 32 threads read 32 values at once.
#include "cuda/items.h"
#include "cuda/kernels.h"
#include "cuda/launch.h"

namespace critmap::cuda {
namespace {

constexpr unsigned block_threads = 256;
// About what a card holds at once: a block reads the table once, so more of them would read it more often.
constexpr unsigned most_blocks = 1024;

struct Images {
  const uint8_t* pixels;
  // Images, pixels of one, channels of one.
  uint64_t images, count, channels;
  const float* table;
  float* out;
};

// The bytes of `part` of four pixels.
template <int channels>
__device__ __forceinline__ void load_pixels(const uint8_t* from, uint32_t part,
                                            uint8_t (&bytes)[4 * channels]) {
  if (part == 4 && (reinterpret_cast<uintptr_t>(from) & 3) == 0) {
    for (int i = 0; i < channels; i++) {
      const uint32_t word = reinterpret_cast<const uint32_t*>(from)[i];
      for (int b = 0; b < 4; b++) bytes[4 * i + b] = uint8_t(word >> (8 * b));
    }
    return;
  }
  for (uint32_t i = 0; i < 4 * channels; i++) bytes[i] = i < part * channels ? from[i] : uint8_t(0);
}

template <int channels>
__global__ void __launch_bounds__(block_threads) normalize_few(Images all) {
  __shared__ float table[256 * channels];
  for (unsigned i = threadIdx.x; i < 256 * channels; i += blockDim.x) table[i] = all.table[i];
  __syncthreads();
  const uint64_t fours = (all.count + 3) / 4;
  for (uint64_t item = first_item(); item < all.images * fours; item += item_stride()) {
    const uint64_t image = quotient(item, fours), at = 4 * (item - image * fours), left = all.count - at;
    const uint32_t part = left < 4 ? uint32_t(left) : 4;
    uint8_t bytes[4 * channels];
    load_pixels<channels>(all.pixels + (image * all.count + at) * channels, part, bytes);
    for (int channel = 0; channel < channels; channel++) {
      Four::Floats values;
      for (int i = 0; i < 4; i++) values.v[i] = table[256 * channel + bytes[i * channels + channel]];
      store_four(all.out + (image * channels + channel) * all.count, at, part, values);
    }
  }
}

// Any number of channels, value by value.
__global__ void __launch_bounds__(block_threads) normalize_many(Images all) {
  const uint64_t values = all.count * all.channels;
  for (uint64_t item = first_item(); item < all.images * values; item += item_stride()) {
    const uint64_t image = quotient(item, values), within = item - image * values;
    const uint64_t channel = quotient(within, all.count), at = within - channel * all.count;
    all.out[item] = all.table[256 * channel + all.pixels[image * values + at * all.channels + channel]];
  }
}

cudaError_t run(void (*kernel)(Images), uint64_t items, Stream& stream, const Images& all) {
  const unsigned blocks = blocks_for(items, block_threads);
  return launch(kernel, blocks < most_blocks ? blocks : most_blocks, block_threads, stream.handle(), all);
}

}  // namespace

void normalize(Stream& stream, const uint8_t* pixels, size_t images, size_t count, size_t channels,
               const float* table, float* out) {
  if (images == 0 || count == 0 || channels == 0) return;
  const Images all{pixels, images, count, channels, table, out};
  const uint64_t fours = images * ((count + 3) / 4);
  const cudaError_t status = channels == 1   ? run(normalize_few<1>, fours, stream, all)
                             : channels == 3 ? run(normalize_few<3>, fours, stream, all)
                                             : run(normalize_many, images * count * channels, stream, all);
  check(status, "normalising pixels");
}

}  // namespace critmap::cuda
