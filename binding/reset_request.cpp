#include "reset_request.h"

#include <cmath>

#include "arguments.h"

namespace critmap::binding {
namespace {

void read_options(Napi::Value value, ResetRequest& request) {
  if (value.IsUndefined()) return;
  const Napi::Object options = object(value, "options");
  const Napi::Value layout = options.Get("layout"), factor = options.Get("factor");
  if (!factor.IsUndefined()) request.factor = factor;
  if (layout.IsUndefined()) {
    if (request.factor) throw_type(value.Env(), "options.layout must be given with options.factor");
    return;
  }
  request.layout = read_layout(layout, "options.layout");
}

}  // namespace

ResetRequest read_reset(Napi::Value rule, Napi::Value options) {
  ResetRequest request;
  request.rule = read_rule(rule, "rule");
  read_options(options, request);
  return request;
}

ResetArrays take_reset_arrays(Napi::Env env, const ResetRequest& request, size_t length) {
  ResetArrays arrays;
  if (request.layout) {
    arrays.layout = *request.layout;
    const size_t channels = arrays.layout.channels, inner = arrays.layout.inner;
    if (length && (channels > length || inner > length / channels || length % (channels * inner))) {
      throw_range(env,
                  "target's length must be a multiple of options.layout.channels * options.layout.inner");
    }
  }
  if (request.rule.donor) {
    arrays.donor = elements<float>(*request.rule.donor, "rule.donor");
    if (arrays.donor.size() != length) throw_range(env, "rule.donor must have the length of target");
  }
  if (request.rule.scales) {
    if (!request.layout) throw_type(env, "options.layout must be given with rule.scales");
    arrays.scales = elements<float>(*request.rule.scales, "rule.scales");
    if (arrays.scales.size() != arrays.layout.channels) {
      throw_range(env, "rule.scales must have options.layout.channels elements");
    }
    if (!are_scales(arrays.scales)) throw_range(env, "rule.scales must be from 2 ** -126 to 2 ** 126");
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

}  // namespace critmap::binding
