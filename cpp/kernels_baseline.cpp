// The portable code path: plain loops, always built, the oracle for the others.
#include "draw_kernel.h"
#include "kernels.h"
#include "lanes.h"
#include "metrics_kernel.h"

namespace critmap {
namespace {

using L = PortableLanes<16, 8>;

}  // namespace

extern const Kernels baseline_kernels = {
    "baseline",     draw_kernel<L>,        random_kernel<L>, compare_row_kernel<L, L>,
    rank_kernel<L>, square_sums_kernel<L>,
};

}  // namespace critmap
