#include "machine.h"

#include <algorithm>
#include <cstring>
#include <limits>
#include <new>

#if defined(__GLIBC__)
#include <malloc.h>
#endif

namespace critmap {
namespace {

constexpr double nan = std::numeric_limits<double>::quiet_NaN();
constexpr size_t alignment = 64;

struct Cancelled {};

bool is_active(const Step& step, const Job& job) {
  return step.cells.empty() ||
         std::any_of(step.cells.begin(), step.cells.end(), [&](size_t cell) { return job.active[cell]; });
}

}  // namespace

AlignedBuffer::AlignedBuffer(size_t bytes) : memory_(std::calloc(bytes + alignment, 1)) {
  if (!memory_) throw std::bad_alloc();
  const auto address = reinterpret_cast<uintptr_t>(memory_.get());
  data_ = static_cast<std::byte*>(memory_.get()) + (alignment - address % alignment);
}

Machine::Machine(const ort::Library& library, std::atomic<uint64_t>& computed)
    : library_(library), computed_(computed), run_options_(ort::make_run_options(library)) {}

float* Machine::floats(size_t slot) const {
  const TensorSlot& found = program_->slots[slot];
  return reinterpret_cast<float*>(buffers_[found.storage].data() + found.offset);
}

void Machine::prepare(std::shared_ptr<const Program> program) {
  if (program_ == program) return;
  program_ = nullptr;
  bindings_.clear();
  values_.clear();
  buffers_.clear();
#if defined(__GLIBC__)
  // Building sessions leaves much freed memory with the C library; here it goes back.
  malloc_trim(0);
#endif
  for (const size_t bytes : program->storage_bytes) buffers_.emplace_back(bytes);
  for (const TensorSlot& slot : program->slots) {
    values_.push_back(ort::make_value(library_, buffers_[slot.storage].data() + slot.offset, slot.bytes,
                                      slot.dims, slot.type));
  }
  for (const Step& step : program->steps) {
    ort::Binding& binding = bindings_.emplace_back(nullptr, ort::Binding::deleter_type{&library_});
    if (step.kind != StepKind::run) continue;
    std::vector<const OrtValue*> inputs, outputs;
    for (const size_t slot : step.inputs) inputs.push_back(values_[slot].get());
    for (const size_t slot : step.outputs) outputs.push_back(values_[slot].get());
    binding = program->sessions[step.session]->session->bind(inputs, outputs);
  }
  scratch_.resize(row_scratch(program->classes));
  reordered_ = std::vector<float>(program->reordered_elements);
  numbers_.resize(7 * program->batch);
  flags_.resize(4 * program->batch);
  program_ = std::move(program);
}

void Machine::run(Job& job) {
  try {
    prepare(job.program);
    run_program(job);
    job.outcome = Job::Outcome::rows;
  } catch (const Cancelled&) {
    job.outcome = Job::Outcome::cancelled;
  } catch (const std::bad_alloc&) {
    job.outcome = Job::Outcome::failed;
    job.error = "not enough memory for this program";
  } catch (const std::exception& error) {
    // A session that was stopped from outside fails too.
    job.outcome = job.cancelled ? Job::Outcome::cancelled : Job::Outcome::failed;
    job.error = error.what();
  }
}

void Machine::run_program(Job& job) {
  job.rows.assign((program_->cells.size() + 1) * job.count * columns, nan);
  load_images(job);
  original_compared_ = false;
  for (size_t i = 0; i < program_->steps.size(); i++) {
    const Step& step = program_->steps[i];
    if (job.cancelled) throw Cancelled();
    if (is_active(step, job)) run_step(job, step, i);
  }
  if (!original_compared_) compare(job, 0, floats(program_->logits));
}

void Machine::run_step(Job& job, const Step& step, size_t index) {
  switch (step.kind) {
    case StepKind::run:
      try {
        program_->sessions[step.session]->session->run(run_options_.get(), bindings_[index].get());
      } catch (const ort::Error& error) {
        throw ort::Error(describe(step) + ": " + error.what(), error.code);
      }
      for (const size_t cell : step.completes)
        if (job.active[cell]) computed_ += job.count;
      break;
    case StepKind::reset:
      reset_slot(job, step);
      break;
    case StepKind::compare:
      // While the logits are there: their buffer may be used for something else later.
      if (!original_compared_) compare(job, 0, floats(program_->logits));
      original_compared_ = true;
      compare(job, step.cells[0] + 1, floats(step.slot));
      break;
  }
}

void Machine::reset_slot(const Job& job, const Step& step) {
  const std::span<float> stored(floats(step.slot), program_->slots[step.slot].elements);
  const std::span<float> target =
      step.blocked ? std::span(reordered_).first(step.blocked->elements()) : stored;
  const auto constant = [&](size_t index) { return program_->constants[index]->values.data(); };
  if (step.source) std::copy_n(constant(*step.source), target.size(), target.data());
  ResetRule rule = step.rule;
  if (step.donor) rule.donor = constant(*step.donor);
  reset(*job.kernels, target, rule, step.layout.value_or(ResetLayout{1, 1, false}),
        step.factor ? constant(*step.factor) : nullptr);
  if (step.shift) {
    const float* const shift = constant(*step.shift);
    for (size_t i = 0; i < target.size(); i++) target[i] += shift[i];
  }
  if (step.blocked) to_blocked(target.data(), stored.data(), *step.blocked);
}

void Machine::load_images(const Job& job) {
  float* const input = floats(program_->input);
  std::copy(job.images.begin(), job.images.end(), input);
  // The last batch may be short; rows that nobody looks at should not be slow ones either (NaN, denormals).
  std::fill(input + job.images.size(), input + program_->slots[program_->input].elements, 0.0f);
}

void Machine::compare(Job& job, size_t row, const float* changed) {
  const size_t batch = program_->batch;
  double* const n = numbers_.data();
  uint8_t* const f = flags_.data();
  const ComparisonOut out{n,
                          n + batch,
                          n + 2 * batch,
                          n + 3 * batch,
                          n + 4 * batch,
                          n + 5 * batch,
                          f,
                          f + batch,
                          job.labelled ? f + 2 * batch : nullptr,
                          job.labelled ? f + 3 * batch : nullptr,
                          job.labelled ? n + 6 * batch : nullptr};
  compare_rows(*job.kernels, floats(program_->logits), changed, job.count, program_->classes,
               job.labelled ? job.labels.data() : nullptr, scratch_.data(), out);
  double* to = job.rows.data() + row * job.count * columns;
  for (size_t i = 0; i < job.count; i++, to += columns) {
    to[col_cosine] = out.cosine[i];
    to[col_l1] = out.l1[i];
    to[col_l2] = out.l2[i];
    to[col_kl] = out.kl[i];
    to[col_js] = out.js[i];
    to[col_agree] = out.agree[i];
    to[col_invalid] = out.invalid[i];
    to[col_published_cross_entropy] = out.published_cross_entropy[i];
    if (!job.labelled) continue;
    to[col_top1] = out.top1[i];
    to[col_top5] = out.top5[i];
    to[col_loss] = out.loss[i];
  }
}

std::string Machine::describe(const Step& step) const {
  std::string text = "session " + program_->sessions[step.session]->name;
  if (!step.cells.empty()) text = "cell " + program_->cells[step.cells[0]] + ", " + text;
  return text;
}

}  // namespace critmap
