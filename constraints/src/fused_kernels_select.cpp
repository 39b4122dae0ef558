#include "fused_kernels.hpp"


namespace lavoisier::detail {

int runnable_fused_kernels([[maybe_unused]] const FusedKernels* (&tables)[3]) noexcept {
  int count = 0;
#if defined(__GNUC__)
#if defined(__x86_64__)
  __builtin_cpu_init();
  const bool avx2 = __builtin_cpu_supports("avx2") && __builtin_cpu_supports("fma");
  if (avx2 && __builtin_cpu_supports("avx512f") && __builtin_cpu_supports("avx512dq") &&
      __builtin_cpu_supports("avx512vl") && __builtin_cpu_supports("avx512bw"))
    tables[count++] = &fused_kernels_avx512;
  if (avx2) tables[count++] = &fused_kernels_avx2;
#endif
  tables[count++] = &fused_kernels_baseline;
#endif
  return count;
}

const FusedKernels* fused_kernels() noexcept {
  static const FusedKernels* const best = [] {
    const FusedKernels* tables[3] = {};
    runnable_fused_kernels(tables);
    return tables[0];
  }();
  return best;
}

}  // namespace lavoisier::detail
