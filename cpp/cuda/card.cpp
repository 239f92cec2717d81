#include "cuda/card.h"

#include <algorithm>
#include <cstring>
#include <unordered_map>
#include <vector>

#include "cuda/faults.h"
#include "cuda/kernels.h"
#include "cuda/staging.h"

namespace critmap::cuda {
namespace {

// Device memory that grows with what is asked of it. What is queued may use the old piece, so that goes when
// all is done.
class Scratch {
 public:
  const DeviceMemory& of(Stream& stream, size_t bytes) {
    if (memory_ && memory_->bytes() >= bytes) return *memory_;
    stream.synchronize();
    memory_ = nullptr;
    memory_ = std::make_unique<DeviceMemory>(bytes);
    return *memory_;
  }
  void clear() { memory_ = nullptr; }

 private:
  std::unique_ptr<DeviceMemory> memory_;
};

// Floats that begin where those before them end, aligned.
constexpr size_t aligned_floats(size_t count) { return (count + 63) / 64 * 64; }

class CudaCard : public Card {
 public:
  explicit CudaCard(int index) : index_(index), stream_((use_device(index), Stream())) {}
  ~CudaCard() override { drain(); }

  void take(uint64_t array, size_t count) override {
    const auto [at, _] = arrays_.insert_or_assign(array, Array{DeviceMemory(count * sizeof(float)), count});
    stream_.fill(at->second.memory.data(), 0, count * sizeof(float));
  }

  void release(uint64_t array) override {
    const auto found = arrays_.find(array);
    if (found == arrays_.end()) return;
    drain();
    arrays_.erase(found);
  }

  void clear() override {
    drain();
    arrays_.clear();
    for (Scratch* const scratch : {&shuffled_, &inputs_, &labels_, &rows_}) scratch->clear();
  }

  void write(uint64_t array, size_t first, std::span<const float> values) override {
    staging_.upload(stream_, floats(array) + first, values.data(), values.size_bytes());
  }

  void read(uint64_t array, std::span<float> values) override {
    staging_.download(stream_, values.data(), floats(array), values.size_bytes());
  }

  void reset(uint64_t array, const ResetRule& rule, const ResetLayout& layout, const float* factor) override {
    const size_t count = arrays_.at(array).count;
    ResetInputs inputs{};
    float* at = inputs_of((rule.donor ? aligned_floats(count) : 0) + 2 * aligned_floats(layout.channels));
    const auto put = [&](const float* values, size_t many) -> const float* {
      if (!values) return nullptr;
      float* const to = at;
      staging_.upload(stream_, to, values, many * sizeof(float));
      at += aligned_floats(many);
      return to;
    };
    inputs.donor = put(rule.donor, count);
    inputs.factor = put(factor, layout.channels);
    inputs.scales = put(rule.scales, layout.channels);
    if (rule.kind == ResetKind::shuffle) inputs.scratch = &shuffled_.of(stream_, shuffle_bytes(count));
    cuda::reset(stream_, floats(array), count, rule, layout, inputs);
  }

  ComparisonCounts compare(uint64_t original, uint64_t changed, size_t rows, size_t classes,
                           const int32_t* labels, const ComparisonOut& out) override {
    if (!rows) return {0, 0};
    int32_t* on_card = nullptr;
    if (labels) {
      on_card = labels_.of(stream_, rows * sizeof(int32_t)).as<int32_t>();
      staging_.upload(stream_, on_card, labels, rows * sizeof(int32_t));
    }
    std::vector<double> found(rows * columns);
    const size_t bytes = found.size() * sizeof(double);
    double* const into = rows_.of(stream_, bytes).as<double>();
    compare_rows(stream_, floats(original), floats(changed), rows, classes, on_card, into);
    staging_.download(stream_, found.data(), into, bytes);
    return spread(found, labels != nullptr, out);
  }

  void synchronize() override { stream_.synchronize(); }

  std::string lost(const std::exception& error) override {
    note_failure(index_, error);
    return lost_reason(index_);
  }

 private:
  struct Array {
    DeviceMemory memory;
    size_t count;
  };

  float* floats(uint64_t array) const { return arrays_.at(array).memory.as<float>(); }
  float* inputs_of(size_t count) { return inputs_.of(stream_, count * sizeof(float)).as<float>(); }

  static ComparisonCounts spread(const std::vector<double>& rows, bool labelled, const ComparisonOut& out) {
    ComparisonCounts counts{0, 0};
    for (size_t i = 0; i < rows.size() / columns; i++) {
      const double* const row = rows.data() + i * columns;
      out.cosine[i] = row[col_cosine];
      out.l1[i] = row[col_l1];
      out.l2[i] = row[col_l2];
      out.kl[i] = row[col_kl];
      out.js[i] = row[col_js];
      out.published_cross_entropy[i] = row[col_published_cross_entropy];
      counts.agreement += out.agree[i] = row[col_agree] != 0;
      counts.invalid += out.invalid[i] = row[col_invalid] != 0;
      if (!labelled) continue;
      out.top1[i] = row[col_top1] != 0;
      out.top5[i] = row[col_top5] != 0;
      out.loss[i] = row[col_loss];
    }
    return counts;
  }

  // Memory goes when nothing uses it any more; what failed before is reported elsewhere.
  void drain() {
    try {
      stream_.synchronize();
    } catch (const Error&) {
    }
  }

  int index_;
  Stream stream_;
  Staging staging_;
  std::unordered_map<uint64_t, Array> arrays_;
  // Used by one reset or comparison after the other.
  Scratch shuffled_, inputs_, labels_, rows_;
};

}  // namespace

std::unique_ptr<Card> open_card(int index) {
  const std::string lost = lost_reason(index);
  if (!lost.empty()) throw CardLost(lost);
  try {
    return std::make_unique<CudaCard>(index);
  } catch (const Error& error) {
    if (note_failure(index, error)) throw CardLost(lost_reason(index));
    throw;
  }
}

}  // namespace critmap::cuda
