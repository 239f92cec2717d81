#include "reset_rule.h"

#include <cmath>
#include <cstdio>

#include "arguments.h"

namespace critmap::binding {
namespace {

float number(Napi::Object rule, const char* property, const std::string& name) {
  return finite_float(rule, property, (name + "." + property).c_str());
}

float not_negative(Napi::Object rule, const char* property, const std::string& name) {
  const float value = number(rule, property, name);
  if (value < 0) throw_range(rule.Env(), name + "." + property + " must not be negative");
  return value;
}

void read_uniform(Napi::Object rule, const std::string& name, ResetRule& out) {
  const float low = number(rule, "low", name), high = number(rule, "high", name);
  if (low > high) throw_range(rule.Env(), name + ".low must not be greater than " + name + ".high");
  if (!std::isfinite(high - low))
    throw_range(rule.Env(), name + ".high - " + name + ".low must be finite as a 32-bit float");
  out.draw = draw_uniform(0, low, high);
}

void read_truncated(Napi::Object rule, const std::string& name, ResetRule& out) {
  const float mean = number(rule, "mean", name), std = not_negative(rule, "std", name);
  const float low = number(rule, "low", name), high = number(rule, "high", name);
  if (low > high) throw_range(rule.Env(), name + ".low must not be greater than " + name + ".high");
  const double share = acceptance(mean, std, low, high);
  if (!(share >= least_acceptance)) {
    char message[200];
    std::snprintf(message, sizeof(message),
                  "only %.3g %% of the normal draws fall into [%s.low, %s.high]; at least %g %% must",
                  share * 100, name.c_str(), name.c_str(), least_acceptance * 100);
    throw_range(rule.Env(), name + ": " + message);
  }
  out.draw = draw_truncated(0, mean, std, low, high);
}

void read_mixture(Napi::Object rule, const std::string& name, RuleRequest& request) {
  request.rule.value = number(rule, "alpha", name);
  request.rule.donor_share = 1.0f - request.rule.value;
  request.donor = rule.Get("donor");
}

void read_quantize(Napi::Object rule, const std::string& name, RuleRequest& request) {
  const std::string grid = short_string(rule.Get("grid"), (name + ".grid").c_str());
  if (grid == "int8" || grid == "int4") {
    request.rule.grid = Grid::whole;
    request.rule.value = grid == "int8" ? 127 : 7;
  } else if (grid == "fp8") {
    request.rule.grid = Grid::e4m3;
    request.rule.value = 448;
  } else {
    throw_range(rule.Env(), name + ".grid must be int8, int4 or fp8");
  }
  request.scales = rule.Get("scales");
}

}  // namespace

RuleRequest read_rule(Napi::Value value, const std::string& name, KeyAs key) {
  const Napi::Object rule = object(value, name.c_str());
  RuleRequest request;
  ResetRule& out = request.rule;
  const std::string kind = short_string(rule.Get("kind"), (name + ".kind").c_str());
  out.kind = ResetKind::draw;
  if (kind == "uniform") {
    read_uniform(rule, name, out);
  } else if (kind == "normal") {
    const float mean = number(rule, "mean", name), std = not_negative(rule, "std", name);
    out.draw = draw_normal(0, mean, std);
  } else if (kind == "trunc-normal") {
    read_truncated(rule, name, out);
  } else if (kind == "noise") {
    out.kind = ResetKind::noise;
    const float std = not_negative(rule, "std", name);
    out.draw = draw_normal(0, 0, std);
  } else if (kind == "constant") {
    out.kind = ResetKind::constant;
    out.value = number(rule, "value", name);
  } else if (kind == "shuffle") {
    out.kind = ResetKind::shuffle;
  } else if (kind == "interpolate") {
    out.kind = ResetKind::interpolate;
    read_mixture(rule, name, request);
  } else if (kind == "blend") {
    out.kind = ResetKind::blend;
    read_mixture(rule, name, request);
    out.draw = draw_normal(0, 0, not_negative(rule, "std", name));
  } else if (kind == "quantize") {
    out.kind = ResetKind::quantize;
    read_quantize(rule, name, request);
  } else if (kind == "prune") {
    out.kind = ResetKind::prune;
    out.value = not_negative(rule, "threshold", name);
    out.ties = index_number(rule.Get("ties"), name + ".ties");
  } else {
    throw_range(rule.Env(),
                name +
                    ".kind must be uniform, normal, trunc-normal, constant, shuffle, interpolate, "
                    "noise, blend, quantize or prune");
  }
  if (is_random(out.kind)) {
    if (key == KeyAs::bits) set_key(out, key_bits(rule, name));
    if (key == KeyAs::index) request.key_index = index_number(rule.Get("key"), name + ".key");
  }
  return request;
}

ResetLayout read_layout(Napi::Value value, const std::string& name) {
  const Napi::Object fields = object(value, name.c_str());
  const size_t channels = positive_integer(fields.Get("channels"), (name + ".channels").c_str());
  const size_t inner = positive_integer(fields.Get("inner"), (name + ".inner").c_str());
  const Napi::Value transposed = fields.Get("transposed");
  if (!transposed.IsUndefined() && !transposed.IsBoolean()) {
    throw_type(value.Env(), name + ".transposed must be a boolean");
  }
  ResetLayout layout{channels, inner, transposed.IsBoolean() && transposed.As<Napi::Boolean>().Value()};
  const Napi::Value first = fields.Get("first");
  if (!first.IsUndefined()) layout.first = index_number(first, name + ".first");
  if (layout.first % 4 != 0) throw_range(value.Env(), name + ".first must be a multiple of 4");
  if (layout.transposed && inner != 1) {
    throw_range(value.Env(), name + ".inner must be 1 when " + name + ".transposed is set");
  }
  return layout;
}

Blocked read_blocked(Napi::Value value, const std::string& name) {
  const Napi::Object fields = object(value, name.c_str());
  const auto size = [&](const char* property) {
    const std::string of = name + "." + property;
    const size_t found = positive_integer(fields.Get(property), of.c_str());
    // So that no product of three overflows.
    if (found > size_t(1) << 20) throw_range(value.Env(), of + " must be at most 2 ** 20");
    return found;
  };
  Blocked order{};
  order.outputs = size("outputs");
  order.inputs = size("inputs");
  order.kernel = size("kernel");
  order.block = size("block");
  order.input_block = size("inputBlock");
  return order;
}

}  // namespace critmap::binding
