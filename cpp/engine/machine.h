// Runs a program on one thread: owns that thread's workspace and its bindings to the sessions, all made once
// when a program is first seen. In the steady state a cell allocates nothing here (ONNX Runtime takes
// intermediate tensors from the arena). Equal jobs give equal bits on any machine.
#pragma once

#include <memory>
#include <vector>

#include "engine/counters.h"
#include "engine/workspace.h"

namespace critmap {

class Machine {
 public:
  // `index`: of the device among the engine's. `counters` are shared with other machines.
  Machine(const ort::Library& library, Device& device, size_t index, Counters& counters);

  // Takes a job through its program, or on a card queues that. False if the job ended with it, its outcome
  // filled in; otherwise `finish` must follow, before other jobs' in the order of `begin`. Throws nothing.
  bool begin(Job& job);
  // Waits for the job's rows and fills in its outcome; throws nothing.
  void finish(Job& job);
  // Fills in that a job failed, and why.
  static void fail(Job& job, Device& device, const std::exception& error);
  // How many jobs may have begun and not finished.
  size_t depth() const { return workspace_->depth(); }

  // Stopping a run from another thread; see RunOptionsSetTerminate.
  OrtRunOptions* run_options() const { return run_options_.get(); }

 private:
  void prepare(std::shared_ptr<const Program> program);
  ort::Binding bind(const Program& program, const Step& step) const;
  void run_program(Job& job);
  void run_step(Job& job, const Step& step, size_t index);
  std::string describe(const Step& step) const;

  const ort::Library& library_;
  Device& device_;
  size_t index_;
  Counters& counters_;
  ort::RunOptions run_options_;
  std::shared_ptr<const Program> program_;
  std::unique_ptr<Workspace> workspace_;
  // By slot.
  std::vector<ort::Value> values_;
  // By step, null for those that run no session, and for those of a slice. Freed first.
  std::vector<ort::Binding> bindings_;
  bool original_compared_ = false;
};

}  // namespace critmap
