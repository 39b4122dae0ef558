#ifndef LAVOISIER_PLUGIN_DEVICE_OPERATIONS_HPP
#define LAVOISIER_PLUGIN_DEVICE_OPERATIONS_HPP

#include "program.hpp"

#include <lavoisier/status.hpp>

#include <string>

namespace lavoisier::detail {

/// Whether DeviceEngine has a kernel for it.
inline bool runs_on_device(OperationKind kind) noexcept {
  switch (kind) {
    case OperationKind::standardize:
    case OperationKind::dense:
    case OperationKind::silu:
    case OperationKind::add:
    case OperationKind::layer_norm:
    case OperationKind::gaussian_head:
    case OperationKind::normal_noise:
    case OperationKind::gaussian_draw:
    case OperationKind::constrain:
    case OperationKind::identity:
      return true;
    default:
      return false;
  }
}

/// Error(unsupported) names the first operation that `device` cannot run.
inline void require_device_operations(const Program& program, const std::string& device) {
  for (std::size_t i = 0; i < program.operations.size(); ++i)
    if (!runs_on_device(program.operations[i].kind))
      throw Error(Status::unsupported, "operation " + std::to_string(i) + " (" + to_string(program.operations[i].kind) +
                                           "): this release does not run it on " + device +
                                           "; the backends serial and openmp do");
}

}  // namespace lavoisier::detail

#endif
