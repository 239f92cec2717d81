// The nearest matrix of a lower rank (truncated SVD) of a parameter unfolded as channels x rest. The singular
// vectors of the shorter side are the eigenvectors of the matrix times its transpose, in float64: directions
// whose singular values are below 1e-8 of the largest are not told apart, and make no difference that float32
// shows. Where two singular values are equal at the cut, which of the two stays is arbitrary, but always the
// same.
#pragma once

#include <span>
#include <vector>

#include "resets/reset_kinds.h"

namespace critmap {

// The shorter side of the unfolded parameter: its largest rank.
size_t full_rank(size_t elements, const ResetLayout& layout);

// full_rank x full_rank: the singular vectors, one after the other, by falling singular value. The values
// must be finite.
std::vector<double> singular_vectors(std::span<const float> values, const ResetLayout& layout);

// Leaves of the values what lies along the first `rank` of these vectors. With the full rank they stay as
// they are.
void keep_rank(std::span<float> values, const ResetLayout& layout, std::span<const double> vectors,
               size_t rank);

}  // namespace critmap
