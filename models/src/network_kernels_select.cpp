#include "network_kernels.hpp"

#include <lavoisier/status.hpp>

#include <cstdlib>
#include <cstring>
#include <string>

namespace lavoisier::detail {

int runnable_network_kernels(const KernelTable* (&tables)[3]) noexcept {
  int count = 0;
#if defined(LAVOISIER_HAVE_X86_64_LEVELS)
  __builtin_cpu_init();
  const bool avx2 = __builtin_cpu_supports("avx2") && __builtin_cpu_supports("fma");
  if (avx2 && __builtin_cpu_supports("avx512f") && __builtin_cpu_supports("avx512dq") &&
      __builtin_cpu_supports("avx512vl") && __builtin_cpu_supports("avx512bw"))
    tables[count++] = &network_kernels_avx512;
  if (avx2) tables[count++] = &network_kernels_avx2;
#endif
  tables[count++] = &network_kernels_baseline;
  return count;
}

const KernelTable& network_kernels() {
  const KernelTable* tables[3];
  const int count = runnable_network_kernels(tables);
  const char* asked = std::getenv("LAVOISIER_INSTRUCTION_SET");
  if (asked == nullptr || *asked == '\0') return *tables[0];
  std::string runnable;
  for (int i = 0; i < count; ++i) {
    if (std::strcmp(asked, tables[i]->name) == 0) return *tables[i];
    runnable += std::string(i ? ", " : "") + tables[i]->name;
  }
  throw Error(Status::invalid_argument, std::string("LAVOISIER_INSTRUCTION_SET is '") + asked +
                                            "'; this processor runs " + runnable);
}

}  // namespace lavoisier::detail
