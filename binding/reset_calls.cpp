// reset and resetAsync: from JavaScript's rule and options to cpp/reset.h.
#include <cmath>
#include <cstdio>
#include <optional>
#include <vector>

#include "arguments.h"
#include "calls.h"
#include "environment.h"
#include "promise_worker.h"
#include "reset.h"

namespace critmap::binding {
namespace {

// All that the objects say, read before any pointer is taken.
struct Request {
  Napi::Value target;
  ResetRule rule{};
  std::optional<Napi::Value> donor, factor;
  std::optional<ResetLayout> layout;
};

// Borrowed for the rest of the call.
struct Arrays {
  std::span<float> target, donor, factor;
  ResetLayout layout{1, 1, false};
};

float not_negative(Napi::Object rule, const char* property, const char* name) {
  const float value = finite_float(rule, property, name);
  if (value < 0) throw_range(rule.Env(), std::string(name) + " must not be negative");
  return value;
}

void read_uniform(Napi::Object rule, ResetRule& out) {
  const float low = finite_float(rule, "low", "rule.low"), high = finite_float(rule, "high", "rule.high");
  if (low > high) throw_range(rule.Env(), "rule.low must not be greater than rule.high");
  if (!std::isfinite(high - low))
    throw_range(rule.Env(), "rule.high - rule.low must be finite as a 32-bit float");
  out.draw = draw_uniform(key_bits(rule), low, high);
}

void read_truncated(Napi::Object rule, ResetRule& out) {
  const float mean = finite_float(rule, "mean", "rule.mean"), std = not_negative(rule, "std", "rule.std");
  const float low = finite_float(rule, "low", "rule.low"), high = finite_float(rule, "high", "rule.high");
  if (low > high) throw_range(rule.Env(), "rule.low must not be greater than rule.high");
  const double share = acceptance(mean, std, low, high);
  if (!(share >= least_acceptance)) {
    char message[160];
    std::snprintf(
        message, sizeof(message),
        "rule: only %.3g %% of the normal draws fall into [rule.low, rule.high]; at least %g %% must",
        share * 100, least_acceptance * 100);
    throw_range(rule.Env(), message);
  }
  out.draw = draw_truncated(key_bits(rule), mean, std, low, high);
}

void read_rule(Napi::Object rule, Request& request) {
  ResetRule& out = request.rule;
  const std::string kind = short_string(rule.Get("kind"), "rule.kind");
  out.kind = ResetKind::draw;
  if (kind == "uniform") {
    read_uniform(rule, out);
  } else if (kind == "normal") {
    const float mean = finite_float(rule, "mean", "rule.mean"), std = not_negative(rule, "std", "rule.std");
    out.draw = draw_normal(key_bits(rule), mean, std);
  } else if (kind == "trunc-normal") {
    read_truncated(rule, out);
  } else if (kind == "noise") {
    out.kind = ResetKind::noise;
    const float std = not_negative(rule, "std", "rule.std");
    out.draw = draw_normal(key_bits(rule), 0, std);
  } else if (kind == "constant") {
    out.kind = ResetKind::constant;
    out.value = finite_float(rule, "value", "rule.value");
  } else if (kind == "shuffle") {
    out.kind = ResetKind::shuffle;
    out.key = key_bits(rule);
  } else if (kind == "interpolate") {
    out.kind = ResetKind::interpolate;
    out.value = finite_float(rule, "alpha", "rule.alpha");
    out.donor_share = 1.0f - out.value;
    request.donor = rule.Get("donor");
  } else {
    throw_range(rule.Env(),
                "rule.kind must be uniform, normal, trunc-normal, constant, shuffle, interpolate or noise");
  }
}

void read_options(Napi::Value value, Request& request) {
  if (value.IsUndefined()) return;
  const Napi::Object options = object(value, "options");
  const Napi::Value layout = options.Get("layout"), factor = options.Get("factor");
  if (!factor.IsUndefined()) request.factor = factor;
  if (layout.IsUndefined()) {
    if (request.factor) throw_type(value.Env(), "options.layout must be given with options.factor");
    return;
  }
  const Napi::Object fields = object(layout, "options.layout");
  const size_t channels = positive_integer(fields.Get("channels"), "options.layout.channels");
  const size_t inner = positive_integer(fields.Get("inner"), "options.layout.inner");
  const Napi::Value transposed = fields.Get("transposed");
  if (!transposed.IsUndefined() && !transposed.IsBoolean()) {
    throw_type(value.Env(), "options.layout.transposed must be a boolean");
  }
  request.layout = {channels, inner, transposed.IsBoolean() && transposed.As<Napi::Boolean>().Value()};
  if (request.layout->transposed && inner != 1) {
    throw_range(value.Env(), "options.layout.inner must be 1 when options.layout.transposed is set");
  }
}

Request read_request(const Napi::CallbackInfo& info) {
  Request request;
  request.target = argument(info, 0);
  elements<float>(request.target, "target");
  read_rule(object(argument(info, 1), "rule"), request);
  read_options(argument(info, 2), request);
  return request;
}

Arrays take_arrays(Napi::Env env, const Request& request) {
  Arrays arrays;
  arrays.target = elements<float>(request.target, "target");
  const size_t length = arrays.target.size();
  if (request.layout) {
    arrays.layout = *request.layout;
    const size_t channels = arrays.layout.channels, inner = arrays.layout.inner;
    if (length && (channels > length || inner > length / channels || length % (channels * inner))) {
      throw_range(env,
                  "target's length must be a multiple of options.layout.channels * options.layout.inner");
    }
  }
  if (request.donor) {
    arrays.donor = elements<float>(*request.donor, "rule.donor");
    if (arrays.donor.size() != length) throw_range(env, "rule.donor must have the length of target");
  }
  if (request.factor) {
    arrays.factor = elements<float>(*request.factor, "options.factor");
    if (arrays.factor.size() != arrays.layout.channels) {
      throw_range(env, "options.factor must have options.layout.channels elements");
    }
    for (const float factor : arrays.factor) {
      if (!std::isfinite(factor)) throw_range(env, "options.factor must be finite");
    }
  }
  return arrays;
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
        rule_(request.rule),
        layout_(arrays.layout),
        values_(arrays.target.begin(), arrays.target.end()),
        donor_(arrays.donor.begin(), arrays.donor.end()),
        factor_(arrays.factor.begin(), arrays.factor.end()),
        has_factor_(request.factor.has_value()),
        target_(Napi::Reference<Napi::Value>::New(request.target, 1)) {}

 protected:
  void execute() override {
    rule_.donor = donor_.data();
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
  std::vector<float> values_, donor_, factor_;
  bool has_factor_;
  Napi::Reference<Napi::Value> target_;
};

}  // namespace

Napi::Value reset_now(const Napi::CallbackInfo& info) {
  Request request = read_request(info);
  const Arrays arrays = take_arrays(info.Env(), request);
  std::vector<float> donor_copy, factor_copy;
  if (request.donor) {
    // The same elements in the same places may be overwritten one by one.
    request.rule.donor = arrays.donor.data() == arrays.target.data()
                             ? arrays.donor.data()
                             : apart(arrays.donor, arrays.target, donor_copy).data();
  }
  const std::span<float> factor = apart(arrays.factor, arrays.target, factor_copy);
  reset(*Environment::of(info.Env()).kernels, arrays.target, request.rule, arrays.layout,
        request.factor ? factor.data() : nullptr);
  return info.Env().Undefined();
}

Napi::Value reset_async(const Napi::CallbackInfo& info) {
  const Request request = read_request(info);
  const Arrays arrays = take_arrays(info.Env(), request);
  return PromiseWorker::start(info.Env(), std::make_unique<ResetWorker>(info.Env(), request, arrays));
}

}  // namespace critmap::binding
