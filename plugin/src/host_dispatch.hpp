#ifndef LAVOISIER_PLUGIN_HOST_DISPATCH_HPP
#define LAVOISIER_PLUGIN_HOST_DISPATCH_HPP

#include <cstdint>

namespace lavoisier::detail {

/// Work in independent pieces: function(context, piece, worker); `worker` < the number of workers, never shared by two
/// pieces at once.
struct Pieces {
  void (*function)(void* context, std::int64_t piece, int worker) noexcept = nullptr;
  void* context = nullptr;
  std::int64_t count = 0;
};

/// Plain loops on the calling thread: safe in any thread of any host, Kokkos or not.
inline void run_serially(const Pieces& pieces) noexcept {
  for (std::int64_t piece = 0; piece < pieces.count; ++piece) pieces.function(pieces.context, piece, 0);
}

// Kokkos' threads. Without OpenMP in the Kokkos that this library was built with: one worker, plain loops.
bool have_threads() noexcept;
int thread_workers() noexcept;  ///< Kokkos' concurrency
/// Serially instead, to the same bits, inside a host's own parallel region and while another thread of the process
/// dispatches.
void run_threaded(const Pieces& pieces, int workers) noexcept;

}  // namespace lavoisier::detail

#endif
