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
  // What rule.donor is, for the caller to read; only `interpolate` and `blend` have one.
  std::optional<Napi::Value> donor;
  // The same of rule.scales, for `quantize`.
  std::optional<Napi::Value> scales;
  // Where the key is among those that come with each batch; only if it was read so, and of a random rule.
  std::optional<size_t> key_index;
};

// A rule's key: 64 bits, or the place of one among keys that are given later.
enum class KeyAs { bits, index };

RuleRequest read_rule(Napi::Value value, const std::string& name, KeyAs key = KeyAs::bits);
ResetLayout read_layout(Napi::Value value, const std::string& name);
Blocked read_blocked(Napi::Value value, const std::string& name);

}  // namespace critmap::binding
