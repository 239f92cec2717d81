// The AVX-512 code path. Compiled with -mavx512*: no standard-library templates here, whose copies the linker
// would share.
#include "draw_kernel.h"
#include "kernels.h"
#include "lanes_avx512.h"
#include "metrics_kernel.h"

namespace critmap {
namespace {

using L = Avx512Lanes;

}  // namespace

extern const Kernels avx512_kernels = {
    "avx512",       draw_kernel<Pair<L>>,  random_kernel<Pair<L>>, compare_row_kernel<L, Pair<L>>,
    rank_kernel<L>, square_sums_kernel<L>,
};

}  // namespace critmap
