#include "fused_kernels.hpp"

#include <lavoisier/instruction_set.hpp>

namespace lavoisier::detail {

int runnable_fused_kernels([[maybe_unused]] const FusedKernels* (&tables)[3]) noexcept {
#if defined(LAVOISIER_HAVE_X86_64_LEVELS)
  return runnable_tables(&fused_kernels_baseline, &fused_kernels_avx2, &fused_kernels_avx512, tables);
#elif defined(__GNUC__)
  return runnable_tables<FusedKernels>(&fused_kernels_baseline, nullptr, nullptr, tables);
#else
  return 0;
#endif
}

const FusedKernels* fused_kernels() {
  static const FusedKernels* const chosen = [] {
    const FusedKernels* tables[3] = {};
    const int count = runnable_fused_kernels(tables);
    return count == 0 ? nullptr : &chosen_table(tables, count);
  }();
  return chosen;
}

}  // namespace lavoisier::detail
