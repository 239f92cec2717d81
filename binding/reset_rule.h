// Reading a reset's rule and layout from JavaScript, for the reset calls and for the engine's programs.
// `name` is what messages call the object.
#pragma once

#include <napi.h>

#include <optional>
#include <string>

#include "resets/blocked.h"
#include "resets/reset.h"

namespace critmap::binding {

struct RuleRequest {
  ResetRule rule{};
  // What rule.donor is, for the caller to read; only `interpolate` has one.
  std::optional<Napi::Value> donor;
};

RuleRequest read_rule(Napi::Value value, const std::string& name);
ResetLayout read_layout(Napi::Value value, const std::string& name);
Blocked read_blocked(Napi::Value value, const std::string& name);

}  // namespace critmap::binding
