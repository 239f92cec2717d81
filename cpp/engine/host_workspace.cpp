// The processor's workspace.
#include <algorithm>
#include <cstdlib>
#include <new>

#include "engine/workspace.h"
#include "images/normalize.h"
#include "metrics/metrics.h"

namespace critmap {
namespace {

constexpr size_t alignment = 64;

// Zeroed memory that starts at a multiple of 64 bytes, where vector loads and ONNX Runtime want it. Pages
// come from the system when they are first touched.
class AlignedBuffer {
 public:
  explicit AlignedBuffer(size_t bytes) : memory_(std::calloc(bytes + alignment, 1)) {
    if (!memory_) throw std::bad_alloc();
    const auto address = reinterpret_cast<uintptr_t>(memory_.get());
    data_ = static_cast<std::byte*>(memory_.get()) + (alignment - address % alignment);
  }
  std::byte* data() const { return data_; }

 private:
  struct Free {
    void operator()(void* memory) const { std::free(memory); }
  };
  std::unique_ptr<void, Free> memory_;
  std::byte* data_;
};

class HostWorkspace : public Workspace {
 public:
  void load_images(const Job& job) override {
    float* const input = floats(program_->input);
    std::copy(job.images.begin(), job.images.end(), input);
    const size_t elements = program_->image_elements(), channels = program_->channels();
    for (size_t at = 0; at < job.pixels.size(); at += elements) {
      normalize(job.pixels.data() + at, elements / channels, channels, job.table.data(), input + at);
    }
    // Rows that nobody looks at should not be slow ones either (NaN, denormals).
    std::fill(input + job.count * elements, input + program_->slots[program_->input].elements, 0.0f);
  }

  void reset(const Job& job, const Step& step) override {
    const std::span<float> stored(floats(step.slot), program_->slots[step.slot].elements);
    const std::span<float> target =
        step.blocked ? std::span(reordered_).first(step.blocked->elements()) : stored;
    const auto constant = [&](size_t index) { return program_->constants[index]->values.data(); };
    if (step.source) std::copy_n(constant(*step.source), target.size(), target.data());
    ResetRule rule = step.rule;
    if (step.key) set_key(rule, job.keys[program_->key_index(step)]);
    if (step.donor) rule.donor = constant(*step.donor);
    if (step.scales) rule.scales = constant(*step.scales);
    critmap::reset(*job.kernels, target, rule, step.layout.value_or(ResetLayout{1, 1, false}),
                   step.factor ? constant(*step.factor) : nullptr);
    if (step.shift) {
      const float* const shift = constant(*step.shift);
      for (size_t i = 0; i < target.size(); i++) target[i] += shift[i];
    }
    if (step.blocked) to_blocked(target.data(), stored.data(), *step.blocked);
  }

  void clear(size_t slot) override { std::fill_n(address(slot), program_->slots[slot].bytes, std::byte(0)); }

  void compare(Job& job, size_t row, size_t slot) override {
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
    compare_rows(*job.kernels, floats(program_->logits), floats(slot), job.count, program_->classes,
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
    if (!job.keeps_logits) return;
    const size_t block = job.count * program_->classes;
    std::copy_n(floats(slot), block, job.rows.data() + job.row_numbers() + row * block);
  }

  void read_logits(Job& job, size_t slot) override {
    const float* const from = floats(slot);
    job.rows.assign(from, from + job.count * program_->classes);
  }
  void send_rows(Job&) override {}
  void finish(Job&) override {}
  void abandon(Job&) override {}
  size_t depth() const override { return 1; }

 protected:
  std::vector<std::byte*> take(const Program& program) override {
    std::vector<std::byte*> storages;
    for (const size_t bytes : program.storage_bytes) {
      storages.push_back(buffers_.emplace_back(bytes).data());
    }
    scratch_.resize(row_scratch(program.classes));
    reordered_ = std::vector<float>(program.reordered_elements);
    numbers_.resize(7 * program.batch);
    flags_.resize(4 * program.batch);
    return storages;
  }
  void release() override { buffers_.clear(); }

 private:
  std::vector<AlignedBuffer> buffers_;
  std::vector<float> scratch_;
  // A parameter in its own order, on its way to one that the slot stores it in.
  std::vector<float> reordered_;
  std::vector<double> numbers_;
  std::vector<uint8_t> flags_;
};

class HostDevice : public Device {
 public:
  explicit HostDevice(const ort::Library& library) : library_(library) {}
  std::unique_ptr<Workspace> make_workspace() override { return std::make_unique<HostWorkspace>(); }
  const OrtMemoryInfo* memory() const override { return library_.memory; }

 private:
  const ort::Library& library_;
};

}  // namespace

std::unique_ptr<Device> make_host_device(const ort::Library& library) {
  return std::make_unique<HostDevice>(library);
}

}  // namespace critmap
