#include <lavoisier/emulator.hpp>

#include <Kokkos_Core.hpp>

#include "device_engine_factory.hpp"

#if defined(KOKKOS_ENABLE_OPENMP)
#include <omp.h>
#endif

#include <cstdlib>
#include <exception>
#include <mutex>

namespace lavoisier {
namespace {

std::mutex mutex;  // of the three below
bool ours = false;
bool finalized = false;

/// Kokkos' OpenMP keeps a table of this many threads and writes behind its end where there are more.
constexpr long most_threads = 512;

void check_threads(long asked) {
#if defined(KOKKOS_ENABLE_OPENMP)
  const char* source = "threads";
  long found = asked;
  if (asked <= 0) {
    source = "OMP_NUM_THREADS, or the processors there are";
    found = omp_get_max_threads();
  }
  if (const char* text = std::getenv("KOKKOS_NUM_THREADS"); text != nullptr && std::atol(text) > most_threads) {
    source = "KOKKOS_NUM_THREADS";
    found = std::atol(text);
  }
  if (const int limit = omp_get_thread_limit(); found > limit)
    throw Error(Status::unsupported, std::string(source) + ": expected at most OMP_THREAD_LIMIT (" +
                                         std::to_string(limit) + ") threads, found " + std::to_string(found));
  if (found > most_threads)
    throw Error(Status::unsupported, std::string(source) + ": Kokkos' OpenMP has at most " +
                                         std::to_string(most_threads) + " threads, found " + std::to_string(found));
#else
  static_cast<void>(asked);
#endif
}

/// Kokkos sets OpenMP's number of threads for the whole process when it starts; the host's own regions keep theirs.
/// Kokkos' regions ask for their number themselves.
class KeptThreads {
 public:
#if defined(KOKKOS_ENABLE_OPENMP)
  /// While Kokkos starts, its team must be whole: neither made smaller at will, nor one thread by a limit of levels.
  KeptThreads() {
    omp_set_dynamic(0);
    if (levels_ < 1) omp_set_max_active_levels(1);
  }
#else
  KeptThreads() = default;
#endif
  KeptThreads(const KeptThreads&) = delete;
  KeptThreads& operator=(const KeptThreads&) = delete;
#if defined(KOKKOS_ENABLE_OPENMP)
  ~KeptThreads() {
    omp_set_num_threads(threads_);
    omp_set_dynamic(dynamic_);
    omp_set_max_active_levels(levels_);
  }

 private:
  int threads_ = omp_get_max_threads(), dynamic_ = omp_get_dynamic(), levels_ = omp_get_max_active_levels();
#else
  ~KeptThreads() {}
#endif
};

}  // namespace

void initialize(const InitializeOptions& options) {
  const std::lock_guard<std::mutex> lock(mutex);
  if (Kokkos::is_initialized()) return;
  if (finalized)
    throw Error(Status::not_initialized, "Kokkos was finalised by lavoisier::finalize() and cannot start twice");
  if (options.threads < 0)
    throw Error(Status::invalid_argument, "threads: expected 0 (all) or more, found " + std::to_string(options.threads));
  if (options.device < -1)
    throw Error(Status::invalid_argument, "device: expected -1 (any) or more, found " + std::to_string(options.device));
  if (options.device >= 0 && detail::device_backend().empty())
    throw Error(Status::unsupported, "device " + std::to_string(options.device) +
                                         ": this library's Kokkos was built without CUDA and HIP");
  check_threads(options.threads);
#if KOKKOS_VERSION >= 30700
  if (Kokkos::is_finalized())
    throw Error(Status::not_initialized, "Kokkos was finalised by the host and cannot start twice");
#endif
  const KeptThreads kept;
  try {
#if KOKKOS_VERSION >= 30700
    Kokkos::InitializationSettings settings;
    if (options.threads > 0) settings.set_num_threads(options.threads);
    if (options.device >= 0) settings.set_device_id(options.device);
    settings.set_disable_warnings(true);
    Kokkos::initialize(settings);
#else
    Kokkos::InitArguments settings;
    if (options.threads > 0) settings.num_threads = options.threads;
    if (options.device >= 0) settings.device_id = options.device;
    settings.disable_warnings = true;
    Kokkos::initialize(settings);
#endif
  } catch (const std::exception& error) {
    throw Error(Status::unsupported, std::string("Kokkos could not start: ") + error.what());
  }
  ours = true;
}

void finalize() {
  const std::lock_guard<std::mutex> lock(mutex);
  if (!ours) return;
  ours = false;
  finalized = true;
  const KeptThreads kept;
  if (Kokkos::is_initialized()) Kokkos::finalize();
}

bool is_initialized() noexcept { return Kokkos::is_initialized(); }

}  // namespace lavoisier
