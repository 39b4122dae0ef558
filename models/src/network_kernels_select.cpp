#include "network_kernels.hpp"

#include <lavoisier/instruction_set.hpp>

namespace lavoisier::detail {

int runnable_network_kernels(const KernelTable* (&tables)[3]) noexcept {
#if defined(LAVOISIER_HAVE_X86_64_LEVELS)
  return runnable_tables(&network_kernels_baseline, &network_kernels_avx2, &network_kernels_avx512, tables);
#else
  return runnable_tables<KernelTable>(&network_kernels_baseline, nullptr, nullptr, tables);
#endif
}

const KernelTable& network_kernels() {
  const KernelTable* tables[3] = {};
  const int count = runnable_network_kernels(tables);
  return chosen_table(tables, count);
}

}  // namespace lavoisier::detail
