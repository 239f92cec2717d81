#include "engine/machine.h"

#include <algorithm>
#include <limits>
#include <new>

#if defined(__GLIBC__)
#include <malloc.h>
#endif

namespace critmap {
namespace {

constexpr double nan = std::numeric_limits<double>::quiet_NaN();
struct Cancelled {};

Stage stage_of(StepKind kind) {
  switch (kind) {
    case StepKind::reset:
      return Stage::reset;
    case StepKind::compare:
      return Stage::metrics;
    case StepKind::run:
      break;
  }
  return Stage::inference;
}

bool is_active(const Step& step, const Job& job) {
  return step.cells.empty() ||
         std::any_of(step.cells.begin(), step.cells.end(), [&](size_t cell) { return job.active[cell]; });
}

}  // namespace

Machine::Machine(const ort::Library& library, Device& device, size_t index, Counters& counters)
    : library_(library),
      device_(device),
      index_(index),
      counters_(counters),
      run_options_(ort::make_run_options(library, device.provider())),
      workspace_(device.make_workspace()) {}

void Machine::prepare(std::shared_ptr<const Program> program) {
  if (program_ == program) return;
  program_ = nullptr;
  bindings_.clear();
  values_.clear();
#if defined(__GLIBC__)
  // Building sessions leaves much freed memory with the C library; here it goes back.
  malloc_trim(0);
#endif
  workspace_->prepare(*program);
  for (size_t i = 0; i < program->slots.size(); i++) {
    const TensorSlot& slot = program->slots[i];
    values_.push_back(ort::make_value(library_, device_.memory(), workspace_->address(i), slot.bytes,
                                      slot.dims, slot.type));
  }
  for (const Step& step : program->steps) {
    ort::Binding& binding = bindings_.emplace_back(nullptr, ort::Binding::deleter_type{&library_});
    if (step.kind == StepKind::run && !step.slice) binding = bind(*program, step);
  }
  program_ = std::move(program);
}

ort::Binding Machine::bind(const Program& program, const Step& step) const {
  std::vector<const OrtValue*> inputs, outputs;
  for (const size_t slot : step.inputs) inputs.push_back(values_[slot].get());
  for (const size_t slot : step.outputs) outputs.push_back(values_[slot].get());
  return program.sessions[step.session]->on(index_).bind(inputs, outputs);
}

bool Machine::begin(Job& job) {
  try {
    prepare(job.program);
    run_program(job);
    return true;
  } catch (const Cancelled&) {
    job.outcome = Job::Outcome::cancelled;
  } catch (const std::bad_alloc&) {
    job.outcome = Job::Outcome::failed;
    job.error = "not enough memory for this program";
  } catch (const std::exception& error) {
    fail(job, device_, error);
  }
  workspace_->abandon(job);
  return false;
}

void Machine::finish(Job& job) {
  Laps laps(counters_);
  try {
    workspace_->finish(job);
    laps.end(Stage::inference);
    job.outcome = job.cancelled ? Job::Outcome::cancelled : Job::Outcome::rows;
  } catch (const std::exception& error) {
    fail(job, device_, error);
    workspace_->abandon(job);
  }
}

// A session that was stopped from outside fails too.
void Machine::fail(Job& job, Device& device, const std::exception& error) {
  device.failed(error);
  const std::string lost = device.lost();
  job.outcome = job.cancelled ? Job::Outcome::cancelled : Job::Outcome::failed;
  job.fault = !lost.empty() ? Job::Fault::lost : device.is_full(error) ? Job::Fault::full : Job::Fault::none;
  job.error = lost.empty() ? error.what() : lost;
}

void Machine::run_program(Job& job) {
  job.rows.assign(job.row_numbers() + job.kept_logits(), nan);
  Laps laps(counters_);
  workspace_->load_images(job);
  laps.end(Stage::upload);
  original_compared_ = false;
  for (size_t i = 0; i < program_->steps.size(); i++) {
    const Step& step = program_->steps[i];
    if (job.cancelled) throw Cancelled();
    if (!is_active(step, job)) continue;
    if (program_->has_slice(step, job.count)) {
      run_step(job, step, i);
    } else {
      // What is computed of all slices together should not read what was there before.
      for (const size_t slot : step.outputs) workspace_->clear(slot);
    }
    laps.end(stage_of(step.kind));
  }
  if (!job.wants_logits) {
    if (!original_compared_) workspace_->compare(job, 0, program_->logits);
  } else if (std::none_of(job.active.begin(), job.active.end(), [](uint8_t active) { return active; })) {
    workspace_->read_logits(job, program_->logits);
  }
  workspace_->send_rows(job);
  laps.end(Stage::metrics);
}

void Machine::run_step(Job& job, const Step& step, size_t index) {
  switch (step.kind) {
    case StepKind::run:
      try {
        // Of slices there may be tens of thousands, which would take 24 kB each.
        const ort::Binding own =
            step.slice ? bind(*program_, step) : ort::Binding(nullptr, ort::Binding::deleter_type{&library_});
        program_->sessions[step.session]->on(index_).run(run_options_.get(),
                                                         step.slice ? own.get() : bindings_[index].get());
      } catch (const ort::Error& error) {
        throw ort::Error(describe(step) + ": " + error.what(), error.code);
      }
      for (const size_t cell : step.completes)
        if (job.active[cell]) counters_.computed += job.count;
      break;
    case StepKind::reset:
      workspace_->reset(job, step);
      break;
    case StepKind::compare:
      // While the logits are there: their buffer may be used for something else later.
      if (job.wants_logits) {
        workspace_->read_logits(job, step.slot);
        break;
      }
      if (!original_compared_) workspace_->compare(job, 0, program_->logits);
      original_compared_ = true;
      workspace_->compare(job, step.cells[0] + 1, step.slot);
      break;
  }
}

std::string Machine::describe(const Step& step) const {
  std::string text = "session " + program_->sessions[step.session]->name;
  if (!step.cells.empty()) text = "cell " + program_->cells[step.cells[0]] + ", " + text;
  return text;
}

}  // namespace critmap
