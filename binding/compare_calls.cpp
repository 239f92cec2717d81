// compare, compareAsync and norms: from JavaScript's arrays to cpp/metrics/metrics.h and back.
#include <array>
#include <memory>
#include <optional>
#include <vector>

#include "arguments.h"
#include "calls.h"
#include "environment.h"
#include "metrics/metrics.h"
#include "promise_worker.h"

namespace critmap::binding {
namespace {

struct Blocks {
  std::span<float> original, changed;
  std::span<int32_t> labels;
  bool labelled = false;
  size_t classes = 0, rows = 0;
};

Blocks take_blocks(const Napi::CallbackInfo& info) {
  const Napi::Env env = info.Env();
  Blocks blocks;
  blocks.original = elements<float>(argument(info, 0), "original");
  blocks.changed = elements<float>(argument(info, 1), "changed");
  blocks.classes = positive_integer(argument(info, 2), "classes");
  if (blocks.original.size() != blocks.changed.size()) {
    throw_range(env, "changed must have the length of original");
  }
  if (blocks.original.size() % blocks.classes) {
    throw_range(env, "original's length must be a multiple of classes");
  }
  blocks.rows = blocks.original.size() / blocks.classes;
  if (const Napi::Value labels = argument(info, 3); !labels.IsUndefined()) {
    blocks.labelled = true;
    blocks.labels = elements<int32_t>(labels, "labels");
    if (blocks.labels.size() != blocks.rows) throw_range(env, "labels must have one element per row");
    for (size_t row = 0; row < blocks.rows; row++) {
      const int32_t label = blocks.labels[row];
      if (label < -1 || (label >= 0 && size_t(label) >= blocks.classes)) {
        throw_range(env, "labels[" + std::to_string(row) + "] must be -1 or a class below " +
                             std::to_string(blocks.classes));
      }
    }
  }
  return blocks;
}

// The result's arrays by name; the last of each list are there with labels only.
constexpr std::array number_names = {"cosine", "l1", "l2", "kl", "js", "publishedCrossEntropy", "loss"};
constexpr std::array flag_names = {"agree", "invalidRows", "top1", "top5"};
constexpr size_t numbers_unlabelled = 6, flags_unlabelled = 2;

struct Results {
  std::array<double*, number_names.size()> numbers{};
  std::array<uint8_t*, flag_names.size()> flags{};

  ComparisonOut out() const {
    const auto& n = numbers;
    const auto& f = flags;
    return {n[0], n[1], n[2], n[3], n[4], n[5], f[0], f[1], f[2], f[3], n[6]};
  }
};

ComparisonCounts compare_blocks(const Kernels& kernels, const Blocks& blocks, const Results& results) {
  if (!blocks.rows) return {0, 0};
  const std::unique_ptr<float[]> scratch(new float[row_scratch(blocks.classes)]);
  return compare_rows(kernels, blocks.original.data(), blocks.changed.data(), blocks.rows, blocks.classes,
                      blocks.labelled ? blocks.labels.data() : nullptr, scratch.get(), results.out());
}

// Makes `new constructor(rows)`, checks it and stores it under `name`.
bool add_array(napi_env env, napi_value result, const char* name, napi_value constructor,
               napi_typedarray_type type, size_t rows, void** data) {
  napi_value length, array;
  size_t actual = 0;
  return napi_create_double(env, double(rows), &length) == napi_ok &&
         napi_new_instance(env, constructor, 1, &length, &array) == napi_ok &&
         try_elements(env, array, type, data, &actual) && actual == rows &&
         napi_set_named_property(env, result, name, array) == napi_ok;
}

// The result object with its arrays. Null, perhaps with an exception pending, if it cannot be made.
napi_value make_result(napi_env env, napi_value float64_array, napi_value uint8_array, const Blocks& blocks,
                       Results& results) {
  napi_value result;
  if (napi_create_object(env, &result) != napi_ok) return nullptr;
  for (size_t i = 0; i < (blocks.labelled ? number_names.size() : numbers_unlabelled); i++) {
    void* data = nullptr;
    if (!add_array(env, result, number_names[i], float64_array, napi_float64_array, blocks.rows, &data)) {
      return nullptr;
    }
    results.numbers[i] = static_cast<double*>(data);
  }
  for (size_t i = 0; i < (blocks.labelled ? flag_names.size() : flags_unlabelled); i++) {
    void* data = nullptr;
    if (!add_array(env, result, flag_names[i], uint8_array, napi_uint8_array, blocks.rows, &data)) {
      return nullptr;
    }
    results.flags[i] = static_cast<uint8_t*>(data);
  }
  return result;
}

bool add_counts(napi_env env, napi_value result, size_t rows, const ComparisonCounts& counts) {
  const std::array<std::pair<const char*, size_t>, 3> all = {
      {{"images", rows}, {"agreement", counts.agreement}, {"invalid", counts.invalid}}};
  for (const auto& [name, count] : all) {
    napi_value value;
    if (napi_create_double(env, double(count), &value) != napi_ok ||
        napi_set_named_property(env, result, name, value) != napi_ok) {
      return false;
    }
  }
  return true;
}

class CompareWorker : public PromiseWorker {
 public:
  CompareWorker(Napi::Env env, const Blocks& blocks)
      : environment_(Environment::of(env)),
        kernels_(*environment_.kernels),
        original_(blocks.original.begin(), blocks.original.end()),
        changed_(blocks.changed.begin(), blocks.changed.end()),
        labels_(blocks.labels.begin(), blocks.labels.end()),
        blocks_(blocks) {
    blocks_.original = original_;
    blocks_.changed = changed_;
    blocks_.labels = labels_;
  }

 protected:
  void execute() override {
    const size_t rows = blocks_.rows;
    numbers_.resize(rows * number_names.size());
    flags_.resize(rows * flag_names.size());
    Results results;
    for (size_t i = 0; i < number_names.size(); i++) results.numbers[i] = numbers_.data() + i * rows;
    for (size_t i = 0; i < flag_names.size(); i++) results.flags[i] = flags_.data() + i * rows;
    counts_ = compare_blocks(kernels_, blocks_, results);
  }

  napi_value finish(napi_env env) override {
    napi_value float64_array, uint8_array;
    if (napi_get_reference_value(env, environment_.float64_array, &float64_array) != napi_ok ||
        napi_get_reference_value(env, environment_.uint8_array, &uint8_array) != napi_ok) {
      return nullptr;
    }
    Results results;
    const napi_value result = make_result(env, float64_array, uint8_array, blocks_, results);
    if (!result || !add_counts(env, result, blocks_.rows, counts_)) return nullptr;
    const size_t rows = blocks_.rows;
    for (size_t i = 0; i < number_names.size(); i++) {
      if (results.numbers[i]) std::copy_n(numbers_.data() + i * rows, rows, results.numbers[i]);
    }
    for (size_t i = 0; i < flag_names.size(); i++) {
      if (results.flags[i]) std::copy_n(flags_.data() + i * rows, rows, results.flags[i]);
    }
    return result;
  }

 private:
  Environment& environment_;
  const Kernels& kernels_;
  std::vector<float> original_, changed_;
  std::vector<int32_t> labels_;
  Blocks blocks_;
  std::vector<double> numbers_;
  std::vector<uint8_t> flags_;
  ComparisonCounts counts_{0, 0};
};

}  // namespace

Napi::Value compare_now(const Napi::CallbackInfo& info) {
  const Napi::Env env = info.Env();
  Environment& environment = Environment::of(env);
  const Blocks asked = take_blocks(info);
  Results results;
  const napi_value result =
      make_result(env, environment.float64_array.Value(), environment.uint8_array.Value(), asked, results);
  if (!result) {
    if (env.IsExceptionPending()) throw env.GetAndClearPendingException();
    throw_range(env, "not enough memory for the result");
  }
  // Making arrays ran JavaScript's constructors; take the inputs again.
  const Blocks blocks = take_blocks(info);
  if (blocks.rows != asked.rows) throw_type(env, "original changed while it was read");
  const ComparisonCounts counts = compare_blocks(*environment.kernels, blocks, results);
  add_counts(env, result, blocks.rows, counts);
  return Napi::Value(env, result);
}

Napi::Value compare_async(const Napi::CallbackInfo& info) {
  const Blocks blocks = take_blocks(info);
  return PromiseWorker::start(info.Env(), std::make_unique<CompareWorker>(info.Env(), blocks));
}

Napi::Value norms_now(const Napi::CallbackInfo& info) {
  const Napi::Env env = info.Env();
  const std::span<float> original = elements<float>(argument(info, 0), "original");
  const std::span<float> changed = elements<float>(argument(info, 1), "changed");
  if (original.size() != changed.size()) throw_range(env, "changed must have the length of original");
  const Norms found = norms(*Environment::of(env).kernels, original.data(), changed.data(), original.size());
  const Napi::Object result = Napi::Object::New(env);
  result.Set("original", found.original);
  result.Set("difference", found.difference);
  return result;
}

}  // namespace critmap::binding
