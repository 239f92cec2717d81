// Runs a program on one thread: owns that thread's tensors and its bindings to the sessions, all made once
// when a program is first seen. In the steady state a cell allocates nothing here (ONNX Runtime takes
// intermediate tensors from the arena). Equal jobs give equal bits on any machine.
#pragma once

#include <cstdlib>
#include <memory>
#include <vector>

#include "job.h"
#include "metrics.h"

namespace critmap {

// Zeroed memory that starts at a multiple of 64 bytes, where vector loads and ONNX Runtime want it. Pages
// come from the system when they are first touched.
class AlignedBuffer {
 public:
  explicit AlignedBuffer(size_t bytes);
  std::byte* data() const { return data_; }

 private:
  struct Free {
    void operator()(void* memory) const { std::free(memory); }
  };
  std::unique_ptr<void, Free> memory_;
  std::byte* data_;
};

class Machine {
 public:
  // `computed` counts images of cells that have their logits.
  Machine(const ort::Library& library, std::atomic<uint64_t>& computed);

  // Fills in the job's outcome; throws nothing.
  void run(Job& job);

  // Stopping a run from another thread; see RunOptionsSetTerminate.
  OrtRunOptions* run_options() const { return run_options_.get(); }

 private:
  void prepare(std::shared_ptr<const Program> program);
  void run_program(Job& job);
  void run_step(Job& job, const Step& step, size_t index);
  void reset_slot(const Job& job, const Step& step);
  void load_images(const Job& job);
  // Row 0 is the original's.
  void compare(Job& job, size_t row, const float* changed);
  std::string describe(const Step& step) const;
  float* floats(size_t slot) const;

  const ort::Library& library_;
  std::atomic<uint64_t>& computed_;
  ort::RunOptions run_options_;
  std::shared_ptr<const Program> program_;
  std::vector<AlignedBuffer> buffers_;
  // By slot.
  std::vector<ort::Value> values_;
  // By step, null for those that run no session. Freed first.
  std::vector<ort::Binding> bindings_;
  std::vector<float> scratch_;
  // A parameter in its own order, on its way to one that the slot stores it in.
  std::vector<float> reordered_;
  std::vector<double> numbers_;
  std::vector<uint8_t> flags_;
  bool original_compared_ = false;
};

}  // namespace critmap
