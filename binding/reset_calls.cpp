// reset and resetAsync: from JavaScript's rule and options to cpp/resets/reset.h.
#include <vector>

#include "arguments.h"
#include "calls.h"
#include "environment.h"
#include "metrics/metrics.h"
#include "promise_worker.h"
#include "reset_request.h"

namespace critmap::binding {
namespace {

// The target beside what read_request reads.
struct Request : ResetRequest {
  Napi::Value target;
};

struct Arrays : ResetArrays {
  std::span<float> target;
};

Request read_request(const Napi::CallbackInfo& info) {
  const Napi::Value target = argument(info, 0);
  elements<float>(target, "target");
  return {read_reset(argument(info, 1), argument(info, 2)), target};
}

Arrays take_arrays(Napi::Env env, const Request& request) {
  const size_t length = elements<float>(request.target, "target").size();
  return {take_reset_arrays(env, request, length), elements<float>(request.target, "target")};
}

// A private copy where `read` would change while `written` does.
std::span<float> apart(std::span<float> read, std::span<float> written, std::vector<float>& copy) {
  const bool overlap = !read.empty() && !written.empty() && read.data() < written.data() + written.size() &&
                       written.data() < read.data() + read.size();
  if (!overlap) return read;
  copy.assign(read.begin(), read.end());
  return copy;
}

class ResetWorker : public PromiseWorker {
 public:
  ResetWorker(Napi::Env env, const Request& request, const Arrays& arrays)
      : kernels_(*Environment::of(env).kernels),
        rule_(request.rule.rule),
        layout_(arrays.layout),
        values_(arrays.target.begin(), arrays.target.end()),
        donor_(arrays.donor.begin(), arrays.donor.end()),
        factor_(arrays.factor.begin(), arrays.factor.end()),
        scales_(arrays.scales.begin(), arrays.scales.end()),
        has_factor_(request.factor.has_value()),
        target_(Napi::Reference<Napi::Value>::New(request.target, 1)) {}

 protected:
  void execute() override {
    rule_.donor = donor_.data();
    rule_.scales = scales_.data();
    reset(kernels_, values_, rule_, layout_, has_factor_ ? factor_.data() : nullptr);
  }

  napi_value finish(napi_env env) override {
    napi_value target, undefined;
    void* data;
    size_t length;
    if (napi_get_reference_value(env, target_, &target) != napi_ok || !target ||
        !try_elements(env, target, napi_float32_array, &data, &length) || length != values_.size()) {
      fail_type("target was detached or resized before the reset had finished");
      return nullptr;
    }
    if (length) std::copy(values_.begin(), values_.end(), static_cast<float*>(data));
    return napi_get_undefined(env, &undefined) == napi_ok ? undefined : nullptr;
  }

 private:
  const Kernels& kernels_;
  ResetRule rule_;
  ResetLayout layout_;
  std::vector<float> values_, donor_, factor_, scales_;
  bool has_factor_;
  Napi::Reference<Napi::Value> target_;
};

// How far each of several draws moves the values, without writing them anywhere.
class DistancesWorker : public PromiseWorker {
 public:
  DistancesWorker(Napi::Env env, const Request& request, const Arrays& arrays, std::span<const uint64_t> keys)
      : kernels_(*Environment::of(env).kernels),
        rule_(request.rule.rule),
        layout_(arrays.layout),
        values_(arrays.target.begin(), arrays.target.end()),
        donor_(arrays.donor.begin(), arrays.donor.end()),
        factor_(arrays.factor.begin(), arrays.factor.end()),
        has_factor_(request.factor.has_value()),
        keys_(keys.begin(), keys.end()) {}

 protected:
  void execute() override {
    std::vector<float> drawn(values_.size());
    for (const uint64_t key : keys_) {
      ResetRule rule = rule_;
      set_key(rule, key);
      rule.donor = donor_.data();
      if (rule.kind != ResetKind::draw) std::copy(values_.begin(), values_.end(), drawn.begin());
      reset(kernels_, drawn, rule, layout_, has_factor_ ? factor_.data() : nullptr);
      distances_.push_back(norms(kernels_, values_.data(), drawn.data(), values_.size()).difference);
    }
  }

  napi_value finish(napi_env env) override {
    napi_value buffer, out;
    void* data = nullptr;
    const size_t count = distances_.size();
    if (napi_create_arraybuffer(env, count * sizeof(double), &data, &buffer) != napi_ok) return nullptr;
    std::copy(distances_.begin(), distances_.end(), static_cast<double*>(data));
    return napi_create_typedarray(env, napi_float64_array, count, buffer, 0, &out) == napi_ok ? out : nullptr;
  }

 private:
  const Kernels& kernels_;
  ResetRule rule_;
  ResetLayout layout_;
  std::vector<float> values_, donor_, factor_;
  bool has_factor_;
  std::vector<uint64_t> keys_;
  std::vector<double> distances_;
};

}  // namespace

Napi::Value reset_now(const Napi::CallbackInfo& info) {
  Request request = read_request(info);
  const Arrays arrays = take_arrays(info.Env(), request);
  std::vector<float> donor_copy, factor_copy, scales_copy;
  if (request.rule.donor) {
    // The same elements in the same places may be overwritten one by one.
    request.rule.rule.donor = arrays.donor.data() == arrays.target.data()
                                  ? arrays.donor.data()
                                  : apart(arrays.donor, arrays.target, donor_copy).data();
  }
  if (request.rule.scales) {
    request.rule.rule.scales = apart(arrays.scales, arrays.target, scales_copy).data();
  }
  const std::span<float> factor = apart(arrays.factor, arrays.target, factor_copy);
  reset(*Environment::of(info.Env()).kernels, arrays.target, request.rule.rule, arrays.layout,
        request.factor ? factor.data() : nullptr);
  return info.Env().Undefined();
}

Napi::Value reset_async(const Napi::CallbackInfo& info) {
  const Request request = read_request(info);
  const Arrays arrays = take_arrays(info.Env(), request);
  return PromiseWorker::start(info.Env(), std::make_unique<ResetWorker>(info.Env(), request, arrays));
}

Napi::Value draw_distances(const Napi::CallbackInfo& info) {
  const Request request = read_request(info);
  if (!is_random(request.rule.rule.kind)) throw_range(info.Env(), "rule.kind must be a random one");
  const Arrays arrays = take_arrays(info.Env(), request);
  const std::span<uint64_t> keys = elements<uint64_t>(argument(info, 3), "keys");
  return PromiseWorker::start(info.Env(),
                              std::make_unique<DistancesWorker>(info.Env(), request, arrays, keys));
}

Napi::Value to_blocked_now(const Napi::CallbackInfo& info) {
  const Napi::Env env = info.Env();
  const Blocked order = read_blocked(argument(info, 2), "order");
  const std::span<float> from = elements<float>(argument(info, 0), "from");
  const std::span<float> to = elements<float>(argument(info, 1), "to");
  if (from.size() != order.elements()) throw_range(env, "from must have the elements that order gives");
  if (to.size() != order.blocked_elements()) {
    throw_range(env, "to must have the elements that order gives, padding included");
  }
  std::vector<float> copy;
  to_blocked(apart(from, to, copy).data(), to.data(), order);
  return env.Undefined();
}

}  // namespace critmap::binding
