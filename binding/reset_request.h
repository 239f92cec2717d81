// What the reset calls are asked for besides the target, which is an array or a buffer on a card: first all
// that the objects say, then, when no JavaScript runs any more, the arrays.
#pragma once

#include <napi.h>

#include <optional>
#include <span>

#include "reset_rule.h"

namespace critmap::binding {

struct ResetRequest {
  RuleRequest rule;
  std::optional<Napi::Value> factor;
  std::optional<ResetLayout> layout;
};

// Borrowed for the rest of the call.
struct ResetArrays {
  std::span<float> donor, factor, scales;
  ResetLayout layout{1, 1, false};
};

ResetRequest read_reset(Napi::Value rule, Napi::Value options);
// `length`: the target's.
ResetArrays take_reset_arrays(Napi::Env env, const ResetRequest& request, size_t length);

}  // namespace critmap::binding
