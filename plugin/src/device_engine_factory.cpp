#include "device_engine_factory.hpp"

#include <lavoisier/status.hpp>

namespace lavoisier::detail {

std::string device_backend() { return {}; }

std::unique_ptr<Engine> make_device_engine(const Program&, std::int64_t) {
  throw Error(Status::unsupported, "this library's Kokkos was built without CUDA and HIP");
}

}  // namespace lavoisier::detail
