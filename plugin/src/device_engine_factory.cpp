#include "device_engine_factory.hpp"

#include "device_engine.hpp"

#include <lavoisier/status.hpp>

namespace lavoisier::detail {

#if defined(KOKKOS_ENABLE_CUDA)
std::string device_backend() { return "cuda"; }
std::unique_ptr<Engine> make_device_engine(const Program& program, std::int64_t max_columns,
                                           std::int32_t global_rows, void* stream) {
  const Kokkos::Cuda space = stream == nullptr ? Kokkos::Cuda() : Kokkos::Cuda(static_cast<cudaStream_t>(stream));
  return std::make_unique<DeviceEngine<Kokkos::Cuda>>(program, max_columns, global_rows, space);
}
#elif defined(KOKKOS_ENABLE_HIP)
std::string device_backend() { return "hip"; }
std::unique_ptr<Engine> make_device_engine(const Program& program, std::int64_t max_columns,
                                           std::int32_t global_rows, void* stream) {
  const Kokkos::HIP space = stream == nullptr ? Kokkos::HIP() : Kokkos::HIP(static_cast<hipStream_t>(stream));
  return std::make_unique<DeviceEngine<Kokkos::HIP>>(program, max_columns, global_rows, space);
}
#else
std::string device_backend() { return {}; }
std::unique_ptr<Engine> make_device_engine(const Program&, std::int64_t, std::int32_t, void*) {
  throw Error(Status::unsupported, "this library's Kokkos was built without CUDA and HIP");
}
#endif

}  // namespace lavoisier::detail
