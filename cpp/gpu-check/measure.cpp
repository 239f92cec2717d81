#include <algorithm>
#include <cstdio>
#include <functional>

#include "check.h"
#include "cuda/image_loader.h"
#include "resets/reset.h"

namespace critmap::gpu_check {
namespace {

constexpr size_t elements = size_t(1) << 28;
constexpr int rounds = 10;

// Of the fastest round, in seconds.
double seconds(cuda::Stream& stream, const std::function<void()>& work) {
  cuda::TimedEvent begin, end;
  float best = 0;
  for (int round = 0; round <= rounds; round++) {
    begin.record(stream);
    work();
    end.record(stream);
    end.synchronize();
    const float elapsed = end.milliseconds_since(begin);
    // The first one warms up.
    if (round == 1 || (round > 1 && elapsed < best)) best = elapsed;
  }
  return double(best) / 1000;
}

// Batches that nothing computes with, so as fast as they can come.
void measure_loading(cuda::Stream& stream, uint64_t seed, float* input) {
  constexpr size_t images = 64, image = 3 * 224 * 224, batches = 16;
  const std::vector<uint8_t> pixels = random_pixels(seed, images * image);
  const std::vector<float> table = random_values(seed, 3 * 256), tensors(images * image);
  cuda::ImageLoader loader(stream);
  const auto rate = [&](const char* name, const auto& load) {
    const double time = seconds(stream, [&] {
      for (size_t i = 0; i < batches; i++) load();
    });
    std::printf("%-28s %8.0f images/s  (224 x 224, batches of %zu)\n", name, batches * images / time, images);
  };
  rate("loading pixels", [&] { loader.load(pixels, images, table, input); });
  rate("loading tensors", [&] { loader.load(tensors, input); });
}

}  // namespace

void measure(cuda::Stream& stream, uint64_t seed) {
  cuda::DeviceMemory a(elements * sizeof(float)), b(elements * sizeof(float));
  float *const x = a.as<float>(), *const y = b.as<float>();
  const double copy = 2 * double(a.bytes()) / seconds(stream, [&] { stream.copy(y, x, a.bytes()); });
  const auto line = [&](const char* name, double bytes, double items, const char* unit, double time) {
    std::printf("%-28s %8.1f GB/s  %5.1f %% of a copy  %9.2f G %s/s\n", name, bytes / time / 1e9,
                100 * bytes / time / copy, items / time / 1e9, unit);
  };
  std::printf("%-28s %8.1f GB/s  (reads and writes counted; fastest of %d)\n", "copy on the device",
              copy / 1e9, rounds);
  const double written = double(a.bytes());
  ResetRule uniform{}, normal{}, truncated{}, noise{}, constant{};
  uniform.draw = draw_uniform(seed, -1, 1);
  normal.draw = draw_normal(seed, 0, 1);
  truncated.draw = draw_truncated(seed, 0, 1, -2, 2);
  noise.kind = ResetKind::noise;
  noise.draw = normal.draw;
  constant.kind = ResetKind::constant;
  const auto run = [&](const char* name, const ResetRule& rule, ResetLayout layout, double bytes) {
    const double time = seconds(stream, [&] {
      cuda::reset(stream, x, elements, rule, layout, {x, y, nullptr, nullptr, nullptr});
    });
    line(name, bytes, double(elements), "values", time);
  };
  stream.fill(y, 0, b.bytes());
  const ResetLayout plain{1, 1, false}, transposed{4096, 1, true}, rows{4096, elements / 4096, false};
  run("reset uniform", uniform, plain, written);
  run("reset normal", normal, plain, written);
  run("reset trunc-normal", truncated, plain, written);
  run("reset noise", noise, plain, 2 * written);
  run("reset constant", constant, plain, written);
  run("reset normal, factors", normal, rows, written);
  run("reset normal, transposed", normal, transposed, written);
  {
    // What it sorts in takes six times as much memory as they do.
    constexpr size_t shuffled = elements / 8;
    const cuda::DeviceMemory scratch(cuda::shuffle_bytes(shuffled));
    ResetRule shuffle{};
    shuffle.kind = ResetKind::shuffle;
    shuffle.key = seed;
    const double time = seconds(stream, [&] {
      cuda::reset(stream, x, shuffled, shuffle, plain, {x, nullptr, nullptr, nullptr, nullptr, &scratch});
    });
    line("reset shuffle", 2 * double(shuffled) * sizeof(float), double(shuffled), "values", time);
  }

  for (const size_t classes : {10, 100, 1000, 21'841}) {
    const size_t count = elements / 4 / classes;
    cuda::reset(stream, x, elements / 4, normal, plain, {});
    ResetRule other = normal;
    other.draw.key++;
    cuda::reset(stream, y, elements / 4, other, plain, {});
    cuda::DeviceMemory out(count * columns * sizeof(double));
    const double time =
        seconds(stream, [&] { cuda::compare_rows(stream, x, y, count, classes, nullptr, out.as<double>()); });
    const double bytes = double(count) * (2 * sizeof(float) * double(classes) + columns * sizeof(double));
    line(("metrics, " + std::to_string(classes) + " classes").c_str(), bytes, double(count), "rows", time);
  }

  for (const size_t channels : {1, 3, 4}) {
    constexpr size_t side = 224;
    const size_t count = elements / channels / side / side;
    const double values = double(count * channels * side * side);
    const auto work = [&] {
      cuda::normalize(stream, b.as<uint8_t>(), count, side * side, channels, y + elements / 2, x);
    };
    line(("normalise, " + std::to_string(channels) + " channels").c_str(), values * (1 + sizeof(float)),
         double(count), "images", seconds(stream, work));
  }
  measure_loading(stream, seed, x);
}

}  // namespace critmap::gpu_check
