#include "tile_kernels.hpp"

#include <lavoisier/instruction_set.hpp>

namespace lavoisier::detail {

int runnable_tile_kernels(const TileKernels* (&tables)[3]) noexcept {
#if defined(LAVOISIER_HAVE_X86_64_LEVELS)
  return runnable_tables(&tile_kernels_baseline, &tile_kernels_avx2, &tile_kernels_avx512, tables);
#else
  return runnable_tables<TileKernels>(&tile_kernels_baseline, nullptr, nullptr, tables);
#endif
}

const TileKernels& tile_kernels() {
  const TileKernels* tables[3] = {};
  const int count = runnable_tile_kernels(tables);
  return chosen_table(tables, count);
}

}  // namespace lavoisier::detail
