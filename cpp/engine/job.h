// One batch on its way through the program. The caller makes it and gets it back through `done`, on a
// worker's thread (or on the thread that cancels it while it waits), with either rows or an error.
#pragma once

#include <atomic>
#include <functional>
#include <memory>
#include <string>
#include <vector>

#include "engine/program.h"
#include "metrics/metrics.h"
#include "simd/kernels.h"

namespace critmap {

struct Job {
  enum class Outcome { rows, cancelled, failed };

  virtual ~Job() = default;

  // `count` images, at most a batch: as the program's input takes them, or else pixels and the table that
  // normalises them (normalize.h).
  std::vector<float> images;
  std::vector<uint8_t> pixels;
  std::vector<float> table;
  size_t count = 0;
  bool labelled = false;
  std::vector<int32_t> labels;
  // One per cell.
  std::vector<uint8_t> active;
  // As many as the program has for each slice, slice by slice.
  std::vector<uint64_t> keys;
  // The logits are asked for: of the one cell that is active, else the original's.
  bool wants_logits = false;
  // Logits are asked for beside the rows.
  bool keeps_logits = false;
  const Kernels* kernels = nullptr;
  std::shared_ptr<const Program> program;
  std::function<void(std::unique_ptr<Job>)> done;

  std::atomic<bool> cancelled = false;

  size_t row_numbers() const { return (program->cells.size() + 1) * count * columns; }
  size_t kept_logits() const {
    return keeps_logits ? (program->cells.size() + 1) * count * program->classes : 0;
  }

  Outcome outcome = Outcome::failed;
  // (cells + 1) x count x columns; the first block is the original compared with itself. NaN where a cell is
  // not active, and for the label's columns without labels. Of a job that keeps them, behind that the logits,
  // (cells + 1) x count x classes, likewise. Of a job that wants them, the logits instead, count x classes.
  std::vector<double> rows;
  std::string error;
  // Failed because of the device: it has not enough memory, or this process can compute nothing on it any
  // more.
  enum class Fault { none, full, lost };
  Fault fault = Fault::none;
};

}  // namespace critmap
