#ifndef LAVOISIER_PLUGIN_DEVICE_ENGINE_FACTORY_HPP
#define LAVOISIER_PLUGIN_DEVICE_ENGINE_FACTORY_HPP

#include "run_work.hpp"

#include <memory>
#include <string>

namespace lavoisier::detail {

/// "cuda" or "hip", as this library's Kokkos was built; empty without a device.
std::string device_backend();
/// `global_rows`: of global laws. `stream`: the host's, or null.
std::unique_ptr<Engine> make_device_engine(const Program& program, std::int64_t max_columns, std::int32_t global_rows,
                                           void* stream);

}  // namespace lavoisier::detail

#endif
