#include "host_dispatch.hpp"

#include <Kokkos_Core.hpp>

#if defined(KOKKOS_ENABLE_OPENMP)
#include <omp.h>

#include <atomic>
#endif

namespace lavoisier::detail {

#if defined(KOKKOS_ENABLE_OPENMP)
namespace {

/// Kokkos' OpenMP instance takes one kernel at a time.
std::atomic_flag dispatching = ATOMIC_FLAG_INIT;

template <class ExecutionSpace>
void dispatch(const Pieces& pieces, int workers) {
  const Pieces work = pieces;
  Kokkos::parallel_for(
      "lavoisier::run",
      Kokkos::RangePolicy<ExecutionSpace, Kokkos::Schedule<Kokkos::Static>, Kokkos::IndexType<int>>(0, workers),
      [=](const int worker) {
        for (std::int64_t piece = worker; piece < work.count; piece += workers)
          work.function(work.context, piece, worker);
      });
  ExecutionSpace().fence();
}

}  // namespace

bool have_threads() noexcept { return true; }
int thread_workers() noexcept { return Kokkos::OpenMP().concurrency(); }

void run_threaded(const Pieces& pieces, int workers) noexcept {
  if (workers < 2 || pieces.count < 2 || omp_in_parallel() || dispatching.test_and_set(std::memory_order_acquire))
    return run_serially(pieces);
  dispatch<Kokkos::OpenMP>(pieces, workers);
  dispatching.clear(std::memory_order_release);
}
#else
bool have_threads() noexcept { return false; }
int thread_workers() noexcept { return 1; }
void run_threaded(const Pieces& pieces, int) noexcept { run_serially(pieces); }
#endif

}  // namespace lavoisier::detail
