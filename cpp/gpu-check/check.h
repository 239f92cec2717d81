// What gpu-check tries, each against the processor's code path on random inputs, bit by bit. Device memory is
// filled with a poison first, and what a kernel must not touch must still hold it afterwards.
#pragma once

#include <chrono>
#include <string>

#include "cuda/kernels.h"
#include "simd/kernels.h"

namespace critmap::gpu_check {

struct Options {
  // Arrays of more than 2^31 bytes too, and speeds.
  bool large;
  uint64_t seed;
};

class Report {
 public:
  // Says so when something is wrong; the first few in full.
  void expect(bool so, const std::string& what);
  // A line about the checks since the last one, so that a run that is cut short has said how far it came.
  void end_part(const std::string& name);
  size_t checked() const { return checked_; }
  size_t failed() const { return failed_; }

 private:
  using Clock = std::chrono::steady_clock;

  size_t checked_ = 0, failed_ = 0, checked_before_ = 0, failed_before_ = 0;
  Clock::time_point began_ = Clock::now();
};

// Device memory, all poison, of `count` elements that start `offset` elements after an aligned address.
constexpr uint8_t poison = 0xa9;
template <class T>
class Poisoned {
 public:
  Poisoned(cuda::Stream& stream, size_t count, size_t offset)
      : count_(count), offset_(offset), memory_((count + offset + margin) * sizeof(T)) {
    stream.fill(memory_.data(), poison, memory_.bytes());
  }
  T* data() const { return memory_.template as<T>() + offset_; }

  // `values` stay until the stream is synchronised.
  void set(cuda::Stream& stream, const std::vector<T>& values) {
    stream.upload(data(), values.data(), values.size() * sizeof(T));
  }
  // Waits for the stream. `intact`: whether everything around the elements is as it was.
  std::vector<T> get(cuda::Stream& stream, bool& intact) const {
    std::vector<T> values(count_);
    std::vector<uint8_t> before(offset_ * sizeof(T)), after(margin * sizeof(T));
    stream.download(values.data(), data(), count_ * sizeof(T));
    stream.download(before.data(), memory_.data(), before.size());
    stream.download(after.data(), data() + count_, after.size());
    stream.synchronize();
    intact = true;
    for (const uint8_t byte : before) intact = intact && byte == poison;
    for (const uint8_t byte : after) intact = intact && byte == poison;
    return values;
  }

 private:
  static constexpr size_t margin = 64;

  size_t count_, offset_;
  cuda::DeviceMemory memory_;
};

// Normal values, as the processor draws them.
std::vector<float> random_values(uint64_t key, size_t count, float std = 1);
std::vector<uint8_t> random_pixels(uint64_t key, size_t count);

void check_resets(cuda::Stream& stream, const Options& options, Report& report);
void check_metrics(cuda::Stream& stream, const Options& options, Report& report);
void check_images(cuda::Stream& stream, const Options& options, Report& report);
// Rates, as shares of a copy on the device, to stdout.
void measure(cuda::Stream& stream, uint64_t seed);

}  // namespace critmap::gpu_check
