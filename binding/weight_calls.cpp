// smallest, singularVectors and keepRank: what rules need to know of all weights of a parameter at once.
#include <algorithm>
#include <cmath>
#include <vector>

#include "arguments.h"
#include "calls.h"
#include "promise_worker.h"
#include "reset_rule.h"
#include "resets/low_rank.h"
#include "resets/smallest.h"

namespace critmap::binding {
namespace {

// A parameter's values, copied, and how they are stored.
struct Parameter {
  std::vector<float> values;
  ResetLayout layout;
};

Parameter read_parameter(const Napi::CallbackInfo& info) {
  const ResetLayout layout = read_layout(argument(info, 1), "layout");
  const std::span<float> values = elements<float>(argument(info, 0), "values");
  const size_t length = values.size();
  if (layout.channels > length || layout.inner > length / layout.channels ||
      length % (layout.channels * layout.inner)) {
    throw_range(info.Env(), "values' length must be a multiple of layout.channels * layout.inner, above 0");
  }
  return {{values.begin(), values.end()}, layout};
}

template <class T>
napi_value typed_array(napi_env env, napi_typedarray_type type, std::span<const T> values) {
  napi_value buffer, out;
  void* data = nullptr;
  if (napi_create_arraybuffer(env, values.size_bytes(), &data, &buffer) != napi_ok) return nullptr;
  if (!values.empty()) std::copy(values.begin(), values.end(), static_cast<T*>(data));
  return napi_create_typedarray(env, type, values.size(), buffer, 0, &out) == napi_ok ? out : nullptr;
}

class SmallestWorker : public PromiseWorker {
 public:
  SmallestWorker(Parameter parameter, size_t count) : parameter_(std::move(parameter)), count_(count) {}

 protected:
  void execute() override { found_ = critmap::smallest(parameter_.values, parameter_.layout, count_); }

  napi_value finish(napi_env env) override {
    napi_value out, threshold, ties;
    const bool made = napi_create_object(env, &out) == napi_ok &&
                      napi_create_double(env, found_.threshold, &threshold) == napi_ok &&
                      napi_create_double(env, double(found_.ties), &ties) == napi_ok &&
                      napi_set_named_property(env, out, "threshold", threshold) == napi_ok &&
                      napi_set_named_property(env, out, "ties", ties) == napi_ok;
    return made ? out : nullptr;
  }

 private:
  Parameter parameter_;
  size_t count_;
  Smallest found_{};
};

class VectorsWorker : public PromiseWorker {
 public:
  explicit VectorsWorker(Parameter parameter) : parameter_(std::move(parameter)) {}

 protected:
  void execute() override { vectors_ = critmap::singular_vectors(parameter_.values, parameter_.layout); }

  napi_value finish(napi_env env) override { return typed_array<double>(env, napi_float64_array, vectors_); }

 private:
  Parameter parameter_;
  std::vector<double> vectors_;
};

class RankWorker : public PromiseWorker {
 public:
  RankWorker(Parameter parameter, std::span<const double> vectors, size_t rank)
      : parameter_(std::move(parameter)), vectors_(vectors.begin(), vectors.end()), rank_(rank) {}

 protected:
  void execute() override { critmap::keep_rank(parameter_.values, parameter_.layout, vectors_, rank_); }

  napi_value finish(napi_env env) override {
    return typed_array<float>(env, napi_float32_array, parameter_.values);
  }

 private:
  Parameter parameter_;
  std::vector<double> vectors_;
  size_t rank_;
};

}  // namespace

Napi::Value smallest(const Napi::CallbackInfo& info) {
  Parameter parameter = read_parameter(info);
  const size_t count = index_number(argument(info, 2), "count");
  if (count > parameter.values.size()) throw_range(info.Env(), "count must be at most the number of values");
  return PromiseWorker::start(info.Env(), std::make_unique<SmallestWorker>(std::move(parameter), count));
}

Napi::Value singular_vectors(const Napi::CallbackInfo& info) {
  Parameter parameter = read_parameter(info);
  for (const float value : parameter.values) {
    if (!std::isfinite(value)) throw_range(info.Env(), "values must be finite");
  }
  return PromiseWorker::start(info.Env(), std::make_unique<VectorsWorker>(std::move(parameter)));
}

Napi::Value keep_rank(const Napi::CallbackInfo& info) {
  const size_t rank = index_number(argument(info, 3), "rank");
  Parameter parameter = read_parameter(info);
  const size_t most = full_rank(parameter.values.size(), parameter.layout);
  const std::span<double> vectors = elements<double>(argument(info, 2), "vectors");
  if (vectors.size() != most * most) throw_range(info.Env(), "vectors must be those of the values");
  if (rank > most) throw_range(info.Env(), "rank must be at most " + std::to_string(most));
  return PromiseWorker::start(info.Env(), std::make_unique<RankWorker>(std::move(parameter), vectors, rank));
}

}  // namespace critmap::binding
