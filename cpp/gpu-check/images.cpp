#include <algorithm>
#include <cstring>

#include "check.h"
#include "cuda/image_loader.h"
#include "images/normalize.h"
#include "resets/reset.h"

namespace critmap::gpu_check {
namespace {

struct Shape {
  // Images, pixels of one, channels of one.
  size_t images, count, channels;
  size_t image() const { return count * channels; }
  size_t values() const { return images * image(); }
};

std::vector<float> expected(const Shape& shape, const std::vector<uint8_t>& pixels,
                            const std::vector<float>& table) {
  std::vector<float> values(shape.values());
  for (size_t i = 0; i < shape.images; i++) {
    normalize(pixels.data() + i * shape.image(), shape.count, shape.channels, table.data(),
              values.data() + i * shape.image());
  }
  return values;
}

bool same(const std::vector<float>& a, const std::vector<float>& b) {
  return a.size() == b.size() && (a.empty() || memcmp(a.data(), b.data(), a.size() * sizeof(float)) == 0);
}

// Offsets are elements past an aligned address.
void check(cuda::Stream& stream, const Shape& shape, size_t pixel_offset, size_t out_offset, uint64_t seed,
           Report& report) {
  const std::vector<uint8_t> pixels = random_pixels(seed, shape.values());
  const std::vector<float> table = random_values(seed + 1, 256 * shape.channels);
  Poisoned<uint8_t> from(stream, pixels.size(), pixel_offset);
  Poisoned<float> values(stream, table.size(), out_offset % 3), out(stream, shape.values(), out_offset);
  from.set(stream, pixels);
  values.set(stream, table);
  cuda::normalize(stream, from.data(), shape.images, shape.count, shape.channels, values.data(), out.data());
  bool intact = false;
  const std::vector<float> found = out.get(stream, intact);
  const std::string what = std::to_string(shape.images) + " images of " + std::to_string(shape.count) +
                           " pixels, " + std::to_string(shape.channels) + " channels, at offsets " +
                           std::to_string(pixel_offset) + " and " + std::to_string(out_offset);
  report.expect(same(found, expected(shape, pixels, table)), what + ": other bits than the processor's");
  report.expect(intact, what + ": written outside the images");
}

// Batches as an engine loads them, each into the one input as soon as the last is queued, pixels and tensors
// in turn, and memory that is changed when `load` is back.
void check_loader(cuda::Stream& stream, const Options& options, uint64_t seed, Report& report) {
  constexpr size_t batches = 24, most_images = 5;
  const Shape most{most_images, options.large ? size_t(50'176) : 75, 3};
  // Before anything that the loader is for: its memory goes last.
  const cuda::DeviceMemory input(most.values() * sizeof(float)), busy(options.large ? size_t(1) << 28 : 1024);
  cuda::DeviceMemory results(batches * input.bytes());
  ResetRule slow{};
  slow.draw = draw_normal(seed, 0, 1);
  std::vector<std::vector<float>> wanted;
  cuda::ImageLoader loader(stream);
  for (size_t i = 0; i < batches; i++) {
    const Shape shape{1 + (i * 7 + seed) % most_images, most.count, most.channels};
    std::vector<uint8_t> pixels = random_pixels(seed + i, shape.values());
    std::vector<float> table = random_values(seed + i, 256 * shape.channels);
    wanted.push_back(expected(shape, pixels, table));
    if (i % 5 == 3) {
      std::vector<float> tensors = wanted.back();
      loader.load(tensors, input.as<float>());
      std::fill(tensors.begin(), tensors.end(), -1.0f);
    } else {
      loader.load(pixels, shape.images, table, input.as<float>());
      std::fill(pixels.begin(), pixels.end(), uint8_t(0));
      std::fill(table.begin(), table.end(), -1.0f);
    }
    // What is computed takes longer than an upload.
    cuda::reset(stream, busy.as<float>(), busy.bytes() / sizeof(float), slow, {1, 1, false}, {});
    stream.copy(results.data() + i * input.bytes(), input.data(), shape.values() * sizeof(float));
  }
  for (size_t i = 0; i < batches; i++) {
    std::vector<float> found(wanted[i].size());
    stream.download(found.data(), results.data() + i * input.bytes(), found.size() * sizeof(float));
    stream.synchronize();
    report.expect(same(found, wanted[i]),
                  "batch " + std::to_string(i) + " of those that are loaded one after the other is another");
  }
}

}  // namespace

std::vector<uint8_t> random_pixels(uint64_t key, size_t count) {
  std::vector<uint32_t> words((count + 3) / 4);
  kernel_paths().paths[0]->random(key, 0, words.data(), words.size());
  std::vector<uint8_t> pixels(count);
  if (count) memcpy(pixels.data(), words.data(), count);
  return pixels;
}

void check_images(cuda::Stream& stream, const Options& options, Report& report) {
  uint64_t seed = options.seed + 2000;
  for (const size_t channels : {1, 3, 2, 4}) {
    for (const size_t images : {0, 1, 3}) {
      for (const size_t count : {0, 1, 2, 3, 4, 5, 63, 64, 1023, 28 * 28}) {
        const size_t offset = (seed += 10) / 10;
        check(stream, {images, count, channels}, offset % 4, offset / 4 % 4, seed, report);
      }
    }
    // Every alignment of the bytes and of the floats.
    for (size_t offset = 0; offset < 16; offset++) {
      check(stream, {2, 36, channels}, offset % 4, offset / 4, seed += 10, report);
    }
  }
  // More than a grid takes at once.
  check(stream, {3, 400'003, 1}, 0, 0, seed += 10, report);
  check(stream, {5, 262'144, 3}, 0, 0, seed += 10, report);
  check(stream, {2, 300'001, 2}, 1, 1, seed += 10, report);
  for (int round = 0; round < 8; round++) check_loader(stream, options, seed += 100, report);
  if (options.large) {
    // More than 2^31 bytes of floats.
    check(stream, {3700, 50'176, 3}, 0, 0, seed += 10, report);
    check(stream, {1, (size_t(1) << 29) + 5, 1}, 1, 1, seed += 10, report);
    check(stream, {700, 200'003, 4}, 0, 0, seed += 10, report);
  }
  report.end_part("images");
}

}  // namespace critmap::gpu_check
