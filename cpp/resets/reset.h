// Re-initialises a layer's parameter in place. Random values belong to an element's logical index (PyTorch's
// order, output channel first), whatever the storage order; they depend on the key and that index only, so a
// reset is the same on every code path and device and in any order. The caller owns all memory; only
// `shuffle` allocates (24 bytes per element, freed on return).
#pragma once

#include <span>

#include "resets/reset_kinds.h"

namespace critmap {

struct Kernels;

Draw draw_uniform(uint64_t key, float low, float high);
Draw draw_normal(uint64_t key, float mean, float std);
Draw draw_truncated(uint64_t key, float mean, float std, float low, float high);

// Share of draws that fall into [low, high]; below `least_acceptance` a truncated normal is not drawn by
// redrawing.
double acceptance(double mean, double std, double low, double high);
constexpr double least_acceptance = 0.02;

// Whether numbers can scale a grid: normal floats whose inverses are.
bool are_scales(std::span<const float> scales);

// `factor` is null or one factor per channel, multiplied into every new value.
// channels * inner divides the target's length.
void reset(const Kernels& kernels, std::span<float> target, const ResetRule& rule, const ResetLayout& layout,
           const float* factor);

// Fisher-Yates' distribution without its order: every element gets a random 64-bit key (words 2e and 2e + 1
// of Philox stream 0) and the elements are ordered by (key, index). Every permutation is equally likely for
// any length, unlike a keyed bijection of few rounds, and a GPU's radix sort gives the same one.
void shuffle(const Kernels& kernels, std::span<float> target, uint64_t key, const ResetLayout& layout);

}  // namespace critmap
