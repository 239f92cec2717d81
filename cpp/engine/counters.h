// What an engine's workers have done so far, for whoever asks meanwhile. Each counter is a number of its own;
// nothing is read or ordered by them.
#pragma once

#include <array>
#include <atomic>
#include <chrono>
#include <cstdint>

namespace critmap {

// What a worker's time goes to: images on their way into the program's input, new weights, sessions (on a
// card also waiting for its results), the comparison of logits.
enum class Stage { upload, reset, inference, metrics };
inline constexpr std::array stages = {Stage::upload, Stage::reset, Stage::inference, Stage::metrics};

struct Counters {
  // Images of cells that have got their logits; on a card, that will without more ado.
  std::atomic<uint64_t> computed = 0;
  // By stage, over all workers.
  std::array<std::atomic<uint64_t>, stages.size()> nanoseconds = {};
};

// Divides a thread's time among stages: each lap lasts from the end of the one before it.
class Laps {
 public:
  explicit Laps(Counters& counters) : counters_(counters) {}

  void end(Stage stage) {
    const Clock::time_point now = Clock::now();
    const auto took = std::chrono::duration_cast<std::chrono::nanoseconds>(now - last_);
    counters_.nanoseconds[size_t(stage)].fetch_add(uint64_t(took.count()), std::memory_order_relaxed);
    last_ = now;
  }

 private:
  using Clock = std::chrono::steady_clock;

  Counters& counters_;
  Clock::time_point last_ = Clock::now();
};

}  // namespace critmap
