#include "simd/kernels.h"

namespace critmap {

// __builtin_cpu_supports also asks whether the operating system saves the registers.
const KernelPaths& kernel_paths() {
  static const KernelPaths found = [] {
    KernelPaths all{};
#if defined(CRITMAP_X86_VECTORS)
    __builtin_cpu_init();
    if (__builtin_cpu_supports("avx512f") && __builtin_cpu_supports("avx512dq") &&
        __builtin_cpu_supports("avx512bw") && __builtin_cpu_supports("avx512vl")) {
      all.paths[all.count++] = &avx512_kernels;
    }
    if (__builtin_cpu_supports("avx2")) all.paths[all.count++] = &avx2_kernels;
#endif
    all.paths[all.count++] = &baseline_kernels;
    return all;
  }();
  return found;
}

}  // namespace critmap
