// A card's workspace. Everything of a batch is queued on the engine's one stream, ONNX Runtime's kernels too;
// the host waits once, for the rows. Only a shuffle, which the host does, waits for the one before it.
#include <algorithm>
#include <cstring>

#include "cuda_kernels.h"
#include "onnxruntime/cuda_provider.h"
#include "reset.h"
#include "workspace.h"

namespace critmap {
namespace {

using cuda::DeviceMemory;
using cuda::PinnedMemory;

class CudaWorkspace : public Workspace {
 public:
  CudaWorkspace(cuda::Stream& stream, int index) : stream_(stream) { cuda::use_device(index); }
  ~CudaWorkspace() override { drain(); }

  void load_images(const Job& job) override {
    const TensorSlot& input = program_->slots[program_->input];
    const size_t bytes = job.images.size() * sizeof(float);
    // Idle, unless the last batch was stopped: its copies may still read what is overwritten here.
    stream_.synchronize();
    memcpy(images_->data(), job.images.data(), bytes);
    stream_.upload(address(program_->input), images_->data(), bytes);
    stream_.fill(address(program_->input) + bytes, 0, input.bytes - bytes);
    if (job.labelled) {
      memcpy(labels_->data(), job.labels.data(), job.labels.size() * sizeof(int32_t));
      stream_.upload(device_labels_->data(), labels_->data(), job.labels.size() * sizeof(int32_t));
    }
    compared_.assign(program_->cells.size() + 1, false);
  }

  void reset(const Job& job, const Step& step) override {
    if (step.blocked) throw std::logic_error("a card's parameters are stored in their own order");
    const size_t count = program_->slots[step.slot].elements;
    const ResetLayout layout = step.layout.value_or(ResetLayout{1, 1, false});
    if (step.rule.kind == ResetKind::shuffle) return shuffle(job, step, layout);
    cuda::reset(stream_, floats(step.slot), count, step.rule, layout,
                {constant(step.source), constant(step.factor), constant(step.shift), constant(step.donor)});
  }

  void compare(Job& job, size_t row, size_t slot) override {
    cuda::compare_rows(stream_, floats(program_->logits), floats(slot), job.count, program_->classes,
                       job.labelled ? device_labels_->as<int32_t>() : nullptr,
                       device_rows_->as<double>() + row * job.count * columns);
    compared_[row] = true;
  }

  void finish(Job& job) override {
    const size_t block = job.count * columns;
    stream_.download(rows_->data(), device_rows_->data(), compared_.size() * block * sizeof(double));
    stream_.synchronize();
    // The rest is NaN already.
    for (size_t row = 0; row < compared_.size(); row++) {
      if (compared_[row])
        std::copy_n(rows_->as<double>() + row * block, block, job.rows.data() + row * block);
    }
  }

 protected:
  std::vector<std::byte*> take(const Program& program) override {
    std::vector<std::byte*> storages;
    for (const size_t bytes : program.storage_bytes) {
      const DeviceMemory& memory = memories_.emplace_back(bytes);
      stream_.fill(memory.data(), 0, bytes);
      storages.push_back(memory.data());
    }
    constants_.resize(program.constants.size());
    for (const Step& step : program.steps) {
      if (step.kind != StepKind::reset) continue;
      for (const std::optional<size_t>& index : {step.source, step.factor, step.shift, step.donor}) {
        if (!index || constants_[*index]) continue;
        const std::vector<float>& values = program.constants[*index]->values;
        constants_[*index] = std::make_unique<DeviceMemory>(values.size() * sizeof(float));
        stream_.upload(constants_[*index]->data(), values.data(), values.size() * sizeof(float));
      }
    }
    const size_t row_bytes = (program.cells.size() + 1) * program.batch * columns * sizeof(double);
    const size_t label_bytes = program.batch * sizeof(int32_t);
    images_ = std::make_unique<PinnedMemory>(program.slots[program.input].bytes);
    labels_ = std::make_unique<PinnedMemory>(label_bytes);
    rows_ = std::make_unique<PinnedMemory>(row_bytes);
    device_labels_ = std::make_unique<DeviceMemory>(label_bytes);
    device_rows_ = std::make_unique<DeviceMemory>(row_bytes);
    stream_.synchronize();
    return storages;
  }

  void release() override {
    drain();
    memories_.clear();
    constants_.clear();
  }

 private:
  const float* constant(std::optional<size_t> index) const {
    return index ? constants_[*index]->as<float>() : nullptr;
  }

  void shuffle(const Job& job, const Step& step, const ResetLayout& layout) {
    const size_t count = program_->slots[step.slot].elements, bytes = count * sizeof(float);
    const auto values_of = [&](std::optional<size_t> index) {
      return index ? program_->constants[*index]->values.data() : nullptr;
    };
    // The last shuffle's copy may still read what is about to be overwritten.
    stream_.synchronize();
    if (!staging_ || staging_->bytes() < bytes) staging_ = std::make_unique<PinnedMemory>(bytes);
    const std::span<float> values(staging_->as<float>(), count);
    if (step.source) {
      std::copy_n(values_of(step.source), count, values.data());
    } else {
      stream_.download(values.data(), address(step.slot), bytes);
      stream_.synchronize();
    }
    critmap::reset(*job.kernels, values, step.rule, layout, values_of(step.factor));
    if (const float* const shift = values_of(step.shift)) {
      for (size_t i = 0; i < count; i++) values[i] += shift[i];
    }
    stream_.upload(address(step.slot), values.data(), bytes);
  }

  // Memory goes when nothing uses it any more; what failed before is reported elsewhere.
  void drain() {
    try {
      stream_.synchronize();
    } catch (const cuda::Error&) {
    }
  }

  cuda::Stream& stream_;
  std::vector<DeviceMemory> memories_;
  // By the program's constants; null for those that no reset reads.
  std::vector<std::unique_ptr<DeviceMemory>> constants_;
  std::unique_ptr<PinnedMemory> images_, labels_, rows_, staging_;
  std::unique_ptr<DeviceMemory> device_labels_, device_rows_;
  std::vector<bool> compared_;
};

std::string name_of(int index) { return "cuda:" + std::to_string(index); }

class CudaDevice : public Device {
 public:
  CudaDevice(const ort::Library& library, int index, const ort::CudaOptions& options)
      : index_(use(library, index)), provider_(library, index, stream_.handle(), options) {}

  std::string name() const override { return name_of(index_); }
  std::unique_ptr<Workspace> make_workspace() override {
    return std::make_unique<CudaWorkspace>(stream_, index_);
  }
  const ort::Provider* provider() const override { return &provider_; }
  const OrtMemoryInfo* memory() const override { return provider_.memory(); }
  // All work goes in order through one stream.
  size_t most_workers() const override { return 1; }

 private:
  static int use(const ort::Library& library, int index) {
    ort::CudaProvider::require(library, index);
    cuda::use_device(index);
    return index;
  }

  int index_;
  cuda::Stream stream_;
  ort::CudaProvider provider_;
};

}  // namespace

std::unique_ptr<Device> make_cuda_device(const ort::Library& library, int index,
                                         const ort::CudaOptions& options) {
  const std::string context = name_of(index) + ": ";
  try {
    return std::make_unique<CudaDevice>(library, index, options);
  } catch (const ort::Error& error) {
    throw ort::Error(context + error.what(), error.code);
  } catch (const cuda::Error& error) {
    throw cuda::Error(context + error.what(), error.code);
  }
}

}  // namespace critmap
