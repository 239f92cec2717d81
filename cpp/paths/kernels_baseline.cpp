// The code path that every processor can run; always built, the fallback of the others.
#include "images/resample_kernel.h"
#include "metrics/metrics_kernel.h"
#include "random/draw_kernel.h"
#include "simd/kernels.h"
#if defined(__GNUC__)
#include "simd/lanes_vector.h"
#endif

namespace critmap {
namespace {

#if defined(__GNUC__)
using L = VectorLanes;
#else
using L = PortableLanes<16, 8>;
#endif

}  // namespace

extern const Kernels baseline_kernels = {
    "baseline",     draw_kernel<L>,        random_kernel<L>,    compare_row_kernel<L, L>,
    rank_kernel<L>, square_sums_kernel<L>, resample_row_kernel, blend_rows_kernel,
};

}  // namespace critmap
