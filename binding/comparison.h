// A comparison as JavaScript sees it (`Comparison` in src/native/addon.ts): an object with an array of each
// metric, and counts.
#pragma once

#include <napi.h>

#include <array>
#include <span>
#include <vector>

#include "environment.h"
#include "metrics/metrics.h"

namespace critmap::binding {

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

// The labels of `rows` rows, each -1 or a class below `classes`.
std::span<int32_t> take_labels(Napi::Value value, size_t rows, size_t classes);

// The result object with its arrays. Null, perhaps with an exception pending, if it cannot be made.
napi_value make_result(napi_env env, napi_value float64_array, napi_value uint8_array, size_t rows,
                       bool labelled, Results& results);
bool add_counts(napi_env env, napi_value result, size_t rows, const ComparisonCounts& counts);

// One that is computed off the main thread, in memory of its own.
class OwnedComparison {
 public:
  OwnedComparison(const Environment& environment, size_t rows, bool labelled)
      : environment_(environment), rows_(rows), labelled_(labelled) {}

  // Takes the memory.
  Results room();
  ComparisonCounts counts{0, 0};
  // As make_result; on the environment's thread.
  napi_value result(napi_env env) const;

 private:
  const Environment& environment_;
  size_t rows_;
  bool labelled_;
  std::vector<double> numbers_;
  std::vector<uint8_t> flags_;
};

}  // namespace critmap::binding
