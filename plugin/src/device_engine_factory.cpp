#include "device_engine_factory.hpp"

#include "device_engine.hpp"

#include <lavoisier/status.hpp>

namespace lavoisier::detail {

#if defined(KOKKOS_ENABLE_CUDA)
std::string device_backend() { return "cuda"; }
std::unique_ptr<Engine> make_device_engine(const Program& program, std::int64_t max_columns,
                                           std::int32_t global_rows) {
  return std::make_unique<DeviceEngine<Kokkos::Cuda>>(program, max_columns, global_rows);
}
#elif defined(KOKKOS_ENABLE_HIP)
std::string device_backend() { return "hip"; }
std::unique_ptr<Engine> make_device_engine(const Program& program, std::int64_t max_columns,
                                           std::int32_t global_rows) {
  return std::make_unique<DeviceEngine<Kokkos::HIP>>(program, max_columns, global_rows);
}
#else
std::string device_backend() { return {}; }
std::unique_ptr<Engine> make_device_engine(const Program&, std::int64_t, std::int32_t) {
  throw Error(Status::unsupported, "this library's Kokkos was built without CUDA and HIP");
}
#endif

}  // namespace lavoisier::detail
