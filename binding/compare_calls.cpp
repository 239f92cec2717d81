// compare, compareAsync and norms: from JavaScript's arrays to cpp/metrics/metrics.h and back.
#include <memory>
#include <vector>

#include "arguments.h"
#include "calls.h"
#include "comparison.h"
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
    blocks.labels = take_labels(labels, blocks.rows, blocks.classes);
  }
  return blocks;
}

ComparisonCounts compare_blocks(const Kernels& kernels, const Blocks& blocks, const Results& results) {
  if (!blocks.rows) return {0, 0};
  const std::unique_ptr<float[]> scratch(new float[row_scratch(blocks.classes)]);
  return compare_rows(kernels, blocks.original.data(), blocks.changed.data(), blocks.rows, blocks.classes,
                      blocks.labelled ? blocks.labels.data() : nullptr, scratch.get(), results.out());
}

class CompareWorker : public PromiseWorker {
 public:
  CompareWorker(Napi::Env env, const Blocks& blocks)
      : kernels_(*Environment::of(env).kernels),
        original_(blocks.original.begin(), blocks.original.end()),
        changed_(blocks.changed.begin(), blocks.changed.end()),
        labels_(blocks.labels.begin(), blocks.labels.end()),
        blocks_(blocks),
        comparison_(Environment::of(env), blocks.rows, blocks.labelled) {
    blocks_.original = original_;
    blocks_.changed = changed_;
    blocks_.labels = labels_;
  }

 protected:
  void execute() override { comparison_.counts = compare_blocks(kernels_, blocks_, comparison_.room()); }
  napi_value finish(napi_env env) override { return comparison_.result(env); }

 private:
  const Kernels& kernels_;
  std::vector<float> original_, changed_;
  std::vector<int32_t> labels_;
  Blocks blocks_;
  OwnedComparison comparison_;
};

}  // namespace

Napi::Value compare_now(const Napi::CallbackInfo& info) {
  const Napi::Env env = info.Env();
  Environment& environment = Environment::of(env);
  const Blocks asked = take_blocks(info);
  Results results;
  const napi_value result = make_result(env, environment.float64_array.Value(),
                                        environment.uint8_array.Value(), asked.rows, asked.labelled, results);
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
