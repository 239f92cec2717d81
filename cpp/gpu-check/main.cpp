// gpu-check: tries every kernel on a card against the processor's code path, and measures them. Needs no Node
// and no network.
//
//   gpu-check [--device N] [--seed S] [--small]
//
// Ends with a line PASS or FAIL and exit code 0 or 1; 2 for wrong usage; 77 with the reason where there is no
// GPU.
#include <cstdio>
#include <cstdlib>
#include <cstring>

#include "check.h"
#include "resets/reset.h"

namespace critmap::gpu_check {

void Report::expect(bool so, const std::string& what) {
  checked_++;
  if (so) return;
  if (++failed_ <= 20) std::printf("wrong: %s\n", what.c_str());
}

void Report::end_part(const std::string& name) {
  const Clock::time_point now = Clock::now();
  std::printf("%-28s %5zu checks, %zu failed, %.1f s\n", name.c_str(), checked_ - checked_before_,
              failed_ - failed_before_, std::chrono::duration<double>(now - began_).count());
  checked_before_ = checked_;
  failed_before_ = failed_;
  began_ = now;
}

std::vector<float> random_values(uint64_t key, size_t count, float std) {
  std::vector<float> values(count);
  ResetRule rule{};
  rule.draw = draw_normal(key, 0, std);
  reset(*kernel_paths().paths[0], values, rule, {1, 1, false}, nullptr);
  return values;
}

namespace {

constexpr int no_gpu = 77;

void check_refusals(cuda::Stream& stream, Report& report) {
  const auto refused = [&](const auto& work, const char* what) {
    try {
      work();
      report.expect(false, std::string(what) + " is not refused");
    } catch (const std::exception& error) {
      report.expect(std::strlen(error.what()) > 0, what);
    }
  };
  ResetRule shuffle{};
  shuffle.kind = ResetKind::shuffle;
  refused([&] { cuda::reset(stream, nullptr, 4, shuffle, {1, 1, false}, {}); }, "a shuffle");
  refused([&] { cuda::compare_rows(stream, nullptr, nullptr, 1, 0, nullptr, nullptr); },
          "a row of no classes");
  refused([&] { cuda::DeviceMemory(size_t(1) << 60); }, "more memory than there is");
  refused([&] { cuda::use_device(1 << 20); }, "a device that is not there");
}

int run(int device, const Options& options) {
  const cuda::Inventory found = cuda::inventory();
  if (device >= int(found.devices.size())) {
    std::printf("no GPU: %s\n",
                found.reason.empty() ? "there are fewer devices than that" : found.reason.c_str());
    return no_gpu;
  }
  const cuda::DeviceInfo& card = found.devices[size_t(device)];
  std::printf(
      "%s, %.1f GiB, compute capability %d.%d, driver for CUDA %d.%d, built with CUDA %d.%d, seed %llu\n",
      card.name.c_str(), double(card.memory_bytes) / (1 << 30), card.major, card.minor,
      found.driver_version / 1000, found.driver_version % 1000 / 10, found.runtime_version / 1000,
      found.runtime_version % 1000 / 10, static_cast<unsigned long long>(options.seed));
  cuda::use_device(device);
  Report report;
  cuda::Stream stream;
  check_refusals(stream, report);
  // First, since it takes seconds and what follows minutes.
  if (options.large) measure(stream, options.seed);
  report.end_part(options.large ? "refusals and speeds" : "refusals");
  check_resets(stream, options, report);
  check_metrics(stream, options, report);
  check_images(stream, options, report);
  std::printf("%s: %zu checks, %zu failed\n", report.failed() ? "FAIL" : "PASS", report.checked(),
              report.failed());
  return report.failed() ? 1 : 0;
}

}  // namespace
}  // namespace critmap::gpu_check

int main(int count, char** arguments) {
  critmap::gpu_check::Options options{true, 1};
  int device = 0;
  for (int i = 1; i < count; i++) {
    const std::string name = arguments[i];
    char* end = nullptr;
    const unsigned long long value = i + 1 < count ? std::strtoull(arguments[i + 1], &end, 10) : 0;
    const bool has_value = end && end != arguments[i + 1] && *end == 0;
    if (name == "--small") {
      options.large = false;
    } else if (name == "--seed" && has_value) {
      options.seed = value;
      i++;
    } else if (name == "--device" && has_value && value < 1024) {
      device = int(value);
      i++;
    } else {
      std::fprintf(stderr, "usage: gpu-check [--device N] [--seed S] [--small]\n");
      return 2;
    }
  }
  // Each line as it comes, also into a file.
  std::setvbuf(stdout, nullptr, _IOLBF, BUFSIZ);
  try {
    return critmap::gpu_check::run(device, options);
  } catch (const std::exception& error) {
    std::printf("FAIL: %s\n", error.what());
    return 1;
  }
}
