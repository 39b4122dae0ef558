#include <lavoisier/emulator.hpp>

#include <Kokkos_Core.hpp>

#include <exception>
#include <mutex>

namespace lavoisier {
namespace {

std::mutex mutex;  // of the three below
bool ours = false;
bool finalized = false;

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
  if (Kokkos::is_initialized()) Kokkos::finalize();
}

bool is_initialized() noexcept { return Kokkos::is_initialized(); }

}  // namespace lavoisier
