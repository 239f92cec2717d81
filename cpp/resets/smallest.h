// Which elements are the smallest in size: what a pruning rule (element_rules.h) needs to know of all of
// them.
#pragma once

#include <span>

#include "resets/reset_kinds.h"

namespace critmap {

// Elements smaller than the threshold, and those as large whose logical index is below `ties`.
struct Smallest {
  float threshold;
  size_t ties;
};

// The `count` smallest of the values; of equal ones those that come first in logical order. NaN counts as the
// largest. count is at most the number of values. Takes 4 bytes per value while it runs.
Smallest smallest(std::span<const float> values, const ResetLayout& layout, size_t count);

}  // namespace critmap
