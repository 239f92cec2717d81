// A card for those who compute on it without an engine: arrays of floats in its memory, which the caller
// numbers, reset and compared there. Work is queued on one stream and done in order; only what gives
// something back waits for it. All calls come from one thread (card_thread.h), which has the card to itself.
#pragma once

#include <stddef.h>
#include <stdint.h>

#include <exception>
#include <memory>
#include <span>
#include <stdexcept>
#include <string>

#include "metrics/metrics.h"
#include "resets/reset_kinds.h"

namespace critmap::cuda {

// Throws cuda::Error, also for what failed on the card before.
class Card {
 public:
  // Waits for what is queued.
  virtual ~Card() = default;

  // A new array, of zeros.
  virtual void take(uint64_t array, size_t count) = 0;
  // Frees one, if it is there.
  virtual void release(uint64_t array) = 0;
  // Frees all memory.
  virtual void clear() = 0;
  virtual void write(uint64_t array, size_t first, std::span<const float> values) = 0;
  // All of it; waits.
  virtual void read(uint64_t array, std::span<float> values) = 0;
  // As critmap::reset, with what `rule` and `factor` point to in the host's memory.
  virtual void reset(uint64_t array, const ResetRule& rule, const ResetLayout& layout,
                     const float* factor) = 0;
  // As critmap::compare_rows of two arrays; waits.
  virtual ComparisonCounts compare(uint64_t original, uint64_t changed, size_t rows, size_t classes,
                                   const int32_t* labels, const ComparisonOut& out) = 0;
  virtual void synchronize() = 0;

  // Why this process can compute nothing on the card any more, from what failed on it now or before; empty
  // while it can.
  virtual std::string lost(const std::exception& error) = 0;
};

// What is asked of a card on which this process can compute nothing any more.
class CardLost : public std::runtime_error {
 public:
  using std::runtime_error::runtime_error;
};

// `index`: CUDA's number of the card. Throws CardLost or cuda::Error; always in a build without CUDA code.
std::unique_ptr<Card> open_card(int index);

}  // namespace critmap::cuda
