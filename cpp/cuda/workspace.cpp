// A card's workspace. Everything of a batch is queued on the card's one stream, ONNX Runtime's kernels too,
// but for the upload of its images, which has a stream of its own (image_loader.h). The host waits once, for
// the rows, when the next batch is already queued.
#include "engine/workspace.h"

#include <algorithm>
#include <cstring>
#include <deque>
#include <map>
#include <mutex>

#include "cuda/faults.h"
#include "cuda/image_loader.h"
#include "cuda/kernels.h"
#include "onnxruntime/cuda_provider.h"
#include "onnxruntime/nvidia_environment.h"

namespace critmap {
namespace {

using cuda::DeviceMemory;
using cuda::PinnedMemory;

// One computes while the next is queued.
constexpr size_t batches = 2;

// Where a batch's labels and rows are, from `load_images` to `finish`.
struct Batch {
  Batch(size_t label_bytes, size_t row_bytes)
      : labels(label_bytes), rows(row_bytes), device_rows(row_bytes) {}

  PinnedMemory labels, rows;
  // Of a job that asks for them, or keeps them beside its rows.
  std::unique_ptr<PinnedMemory> logits;
  DeviceMemory device_rows;
  // By row block: whether it was asked for.
  std::vector<bool> compared;
  cuda::Event rows_sent;
};

class CudaWorkspace : public Workspace {
 public:
  CudaWorkspace(cuda::Stream& stream, int index) : stream_(stream) {
    cuda::use_device(index);
    images_ = std::make_unique<cuda::ImageLoader>(stream);
  }
  ~CudaWorkspace() override { drain(); }

  void load_images(const Job& job) override {
    // One that was abandoned is used again.
    if (!batch_) {
      batch_ = std::move(free_.back());
      free_.pop_back();
    }
    float* const input = floats(program_->input);
    const size_t most = program_->slots[program_->input].elements;
    if (job.pixels.empty()) {
      images_->load(job.images, input, most);
    } else {
      images_->load(job.pixels, job.count, job.table, input, most);
    }
    const size_t elements = job.count * program_->image_elements();
    stream_.fill(input + elements, 0, (program_->slots[program_->input].elements - elements) * sizeof(float));
    if (job.labelled) {
      const size_t bytes = job.labels.size() * sizeof(int32_t);
      memcpy(batch_->labels.data(), job.labels.data(), bytes);
      stream_.upload(device_labels_->data(), batch_->labels.data(), bytes);
    }
    batch_->compared.assign(program_->cells.size() + 1, false);
    batch_->logits =
        job.keeps_logits ? std::make_unique<PinnedMemory>(job.kept_logits() * sizeof(float)) : nullptr;
  }

  void reset(const Job& job, const Step& step) override {
    if (step.blocked) throw std::logic_error("a card's parameters are stored in their own order");
    const size_t count = program_->slots[step.slot].elements;
    const ResetLayout layout = step.layout.value_or(ResetLayout{1, 1, false});
    ResetRule rule = step.rule;
    if (step.key) set_key(rule, job.keys[program_->key_index(step)]);
    cuda::reset(stream_, floats(step.slot), count, rule, layout,
                {constant(step.source), constant(step.factor), constant(step.shift), constant(step.donor),
                 constant(step.scales), shuffled_.get()});
  }

  void clear(size_t slot) override { stream_.fill(address(slot), 0, program_->slots[slot].bytes); }

  void compare(Job& job, size_t row, size_t slot) override {
    cuda::compare_rows(stream_, floats(program_->logits), floats(slot), job.count, program_->classes,
                       job.labelled ? device_labels_->as<int32_t>() : nullptr,
                       batch_->device_rows.as<double>() + row * job.count * columns);
    batch_->compared[row] = true;
    if (!job.keeps_logits) return;
    // In the stream's order: later steps may use the slot's buffer for something else.
    const size_t block = job.count * program_->classes;
    stream_.download(batch_->logits->as<float>() + row * block, address(slot), block * sizeof(float));
  }

  void read_logits(Job& job, size_t slot) override {
    const size_t bytes = job.count * program_->classes * sizeof(float);
    batch_->logits = std::make_unique<PinnedMemory>(bytes);
    stream_.download(batch_->logits->data(), address(slot), bytes);
  }

  void send_rows(Job& job) override {
    stream_.download(batch_->rows.data(), batch_->device_rows.data(),
                     batch_->compared.size() * job.count * columns * sizeof(double));
    batch_->rows_sent.record(stream_);
    underway_.push_back(std::move(batch_));
  }

  void finish(Job& job) override {
    // Nobody takes it before this is done.
    Batch& batch = *free_.emplace_back(std::move(underway_.front()));
    underway_.pop_front();
    batch.rows_sent.synchronize();
    const size_t block = job.count * columns;
    if (job.wants_logits) {
      const float* const from = batch.logits->as<float>();
      job.rows.assign(from, from + job.count * program_->classes);
      batch.logits = nullptr;
      return;
    }
    // The rest is NaN already.
    for (size_t row = 0; row < batch.compared.size(); row++) {
      if (!batch.compared[row]) continue;
      std::copy_n(batch.rows.as<double>() + row * block, block, job.rows.data() + row * block);
      if (!job.keeps_logits) continue;
      const size_t kept = job.count * program_->classes;
      std::copy_n(batch.logits->as<float>() + row * kept, kept,
                  job.rows.data() + job.row_numbers() + row * kept);
    }
    batch.logits = nullptr;
  }

  void abandon(Job&) override { drain(); }

  size_t depth() const override { return batches; }

 protected:
  std::vector<std::byte*> take(const Program& program) override {
    std::vector<std::byte*> storages;
    for (const size_t bytes : program.storage_bytes) {
      const DeviceMemory& memory = memories_.emplace_back(bytes);
      stream_.fill(memory.data(), 0, bytes);
      storages.push_back(memory.data());
    }
    constants_.resize(program.constants.size());
    size_t most_shuffled = 0;
    for (const Step& step : program.steps) {
      if (step.kind != StepKind::reset) continue;
      if (step.rule.kind == ResetKind::shuffle) {
        most_shuffled = std::max(most_shuffled, program.slots[step.slot].elements);
      }
      for (const std::optional<size_t>& index :
           {step.source, step.factor, step.shift, step.donor, step.scales}) {
        if (!index || constants_[*index]) continue;
        const std::vector<float>& values = program.constants[*index]->values;
        constants_[*index] = std::make_unique<DeviceMemory>(values.size() * sizeof(float));
        stream_.upload(constants_[*index]->data(), values.data(), values.size() * sizeof(float));
      }
    }
    const size_t row_bytes = (program.cells.size() + 1) * program.batch * columns * sizeof(double);
    const size_t label_bytes = program.batch * sizeof(int32_t);
    for (size_t i = 0; i < batches; i++) free_.push_back(std::make_unique<Batch>(label_bytes, row_bytes));
    device_labels_ = std::make_unique<DeviceMemory>(label_bytes);
    if (most_shuffled) shuffled_ = std::make_unique<DeviceMemory>(cuda::shuffle_bytes(most_shuffled));
    stream_.synchronize();
    return storages;
  }

  void release() override {
    drain();
    memories_.clear();
    constants_.clear();
    shuffled_ = nullptr;
    batch_ = nullptr;
    underway_.clear();
    free_.clear();
  }

 private:
  const float* constant(std::optional<size_t> index) const {
    return index ? constants_[*index]->as<float>() : nullptr;
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
  std::unique_ptr<cuda::ImageLoader> images_;
  // What shuffles sort in, one after the other; null for a program without any.
  std::unique_ptr<DeviceMemory> shuffled_;
  std::unique_ptr<DeviceMemory> device_labels_;
  // The one that is being queued, those that wait for their rows, oldest first, and the others.
  std::unique_ptr<Batch> batch_;
  std::deque<std::unique_ptr<Batch>> underway_;
  std::vector<std::unique_ptr<Batch>> free_;
};

std::string name_of(int index) { return "cuda:" + std::to_string(index); }

class CudaDevice : public Device {
 public:
  CudaDevice(const ort::Library& library, int index, const ort::CudaOptions& options)
      : index_(use(library, index, options)),
        stream_(stream_of(index)),
        provider_(library, index, stream_->handle(), options) {}

  std::string name() const override { return name_of(index_); }
  std::string lost() const override { return cuda::lost_reason(index_); }
  void failed(const std::exception& error) override {
    if (cuda::note_failure(index_, error)) return;
    try {
      stream_->synchronize();
    } catch (const cuda::Error& found) {
      cuda::note_failure(index_, error, found);
    }
  }
  bool is_full(const std::exception& error) const override { return cuda::is_of_memory(error); }
  std::unique_ptr<Workspace> make_workspace() override {
    return std::make_unique<CudaWorkspace>(*stream_, index_);
  }
  const ort::Provider* provider() const override { return &provider_; }
  const OrtMemoryInfo* memory() const override { return provider_.memory(); }
  // All work goes in order through one stream.
  size_t most_workers() const override { return 1; }

 private:
  static int use(const ort::Library& library, int index, const ort::CudaOptions& options) {
    const std::string lost = cuda::lost_reason(index);
    if (!lost.empty()) throw DeviceLost(lost);
    ort::tell_nvidia(options.precision);
    ort::CudaProvider::require(library, index);
    cuda::use_device(index);
    return index;
  }

  // The one on which this process computes on a card, as long as an engine does: all sessions take their
  // tensors from one arena, where only its order keeps them apart.
  static std::shared_ptr<cuda::Stream> stream_of(int index) {
    static std::mutex mutex;
    static std::map<int, std::weak_ptr<cuda::Stream>> streams;
    const std::lock_guard lock(mutex);
    std::shared_ptr<cuda::Stream> found = streams[index].lock();
    if (!found) streams[index] = found = std::make_shared<cuda::Stream>();
    return found;
  }

  int index_;
  std::shared_ptr<cuda::Stream> stream_;
  ort::CudaProvider provider_;
};

}  // namespace

std::unique_ptr<Device> make_cuda_device(const ort::Library& library, int index,
                                         const ort::CudaOptions& options) {
  const std::string context = name_of(index) + ": ";
  // What fails now may fail for good.
  const auto noted = [&](const std::exception& error) {
    cuda::note_failure(index, error);
    const std::string lost = cuda::lost_reason(index);
    if (!lost.empty()) throw DeviceLost(context + lost);
  };
  try {
    return std::make_unique<CudaDevice>(library, index, options);
  } catch (const DeviceLost& error) {
    throw DeviceLost(context + error.what());
  } catch (const ort::Error& error) {
    noted(error);
    throw ort::Error(context + error.what(), error.code);
  } catch (const cuda::Error& error) {
    noted(error);
    throw cuda::Error(context + error.what(), error.code);
  }
}

}  // namespace critmap
