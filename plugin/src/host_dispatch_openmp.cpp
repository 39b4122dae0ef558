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

/// Each worker takes the next piece that nobody has taken. Never a fixed share: a host that lowers what OpenMP may use
/// after Kokkos started (omp_set_dynamic, a limit of active levels) gets a team that lacks some of Kokkos' threads, and
/// what was theirs would be left undone without a word.
void take(const Pieces& work, std::atomic<std::int64_t>& next, int worker) noexcept {
  for (;;) {
    const std::int64_t piece = next.fetch_add(1, std::memory_order_relaxed);
    if (piece >= work.count) return;
    work.function(work.context, piece, worker);
  }
}

template <class ExecutionSpace>
void dispatch(const Pieces& work, int workers, std::atomic<std::int64_t>& next) {
  Kokkos::parallel_for(
      "lavoisier::run",
      Kokkos::RangePolicy<ExecutionSpace, Kokkos::Schedule<Kokkos::Static>, Kokkos::IndexType<int>>(0, workers),
      [&work, &next](const int worker) { take(work, next, worker); });
  ExecutionSpace().fence();
}

}  // namespace

bool have_threads() noexcept { return true; }
int thread_workers() noexcept { return Kokkos::OpenMP().concurrency(); }

void run_threaded(const Pieces& pieces, int workers) noexcept {
  if (workers < 2 || pieces.count < 2 || omp_in_parallel() || dispatching.test_and_set(std::memory_order_acquire))
    return run_serially(pieces);
  std::atomic<std::int64_t> next{0};
  try {
    dispatch<Kokkos::OpenMP>(pieces, workers, next);
  } catch (...) {
    // Kokkos refused before it began: the calling thread does the work.
  }
  take(pieces, next, 0);
  dispatching.clear(std::memory_order_release);
}
#else
bool have_threads() noexcept { return false; }
int thread_workers() noexcept { return 1; }
void run_threaded(const Pieces& pieces, int) noexcept { run_serially(pieces); }
#endif

}  // namespace lavoisier::detail
