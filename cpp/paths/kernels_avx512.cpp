// The AVX-512 code path. Compiled with -mavx512*: no standard-library templates here, whose copies the linker
// would share.
#include "images/resample_kernel.h"
#include "metrics/metrics_kernel.h"
#include "random/draw_kernel.h"
#include "simd/kernels.h"
#include "simd/lanes_avx512.h"

namespace critmap {
namespace {

using L = Avx512Lanes;
// Registers that are worked on at a time: as many as pay (bench/README.md).
using Draws = Pair<Pair<L>>;
using Rows = Pair<L>;

}  // namespace

extern const Kernels avx512_kernels = {
    "avx512",       draw_kernel<Draws>,    random_kernel<Draws>, compare_row_kernel<L, Rows>,
    rank_kernel<L>, square_sums_kernel<L>, resample_row_kernel,  blend_rows_kernel,
};

}  // namespace critmap
