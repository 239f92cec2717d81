// The AVX2 code path. Compiled with -mavx2: no standard-library templates here, whose copies the linker would
// share.
#include "images/resample_kernel.h"
#include "metrics/metrics_kernel.h"
#include "random/draw_kernel.h"
#include "simd/kernels.h"
#include "simd/lanes_avx2.h"

namespace critmap {
namespace {

using L = Avx2Lanes;
// Registers that are worked on at a time: as many as pay (bench/README.md).
using Draws = Pair<L>;
using Rows = L;

}  // namespace

extern const Kernels avx2_kernels = {
    "avx2",         draw_kernel<Draws>,    random_kernel<Draws>, compare_row_kernel<L, Rows>,
    rank_kernel<L>, square_sums_kernel<L>, resample_row_kernel,  blend_rows_kernel,
};

}  // namespace critmap
