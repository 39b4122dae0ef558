#ifndef LAVOISIER_PLUGIN_DEVICE_OPERATIONS_HPP
#define LAVOISIER_PLUGIN_DEVICE_OPERATIONS_HPP

#include "program.hpp"

#include <lavoisier/status.hpp>

#include <string>

namespace lavoisier::detail {

/// Whether DeviceEngine has a kernel for it.
inline bool runs_on_device(const Operation& operation) noexcept {
  switch (operation.kind) {
    case OperationKind::dense:
      return operation.size == 1;
    case OperationKind::gru:
    case OperationKind::gather:
    case OperationKind::scatter_add:
    case OperationKind::embedding:
    case OperationKind::mask:
    case OperationKind::positive_draw:
    case OperationKind::dirichlet_draw:
    case OperationKind::poisson_draw:
    case OperationKind::multinomial_draw:
    case OperationKind::sample:
      return false;
    default:
      return true;
  }
}

/// Error(unsupported) names the first operation that `device` cannot run.
inline void require_device_operations(const Program& program, const std::string& device) {
  for (std::size_t i = 0; i < program.operations.size(); ++i)
    if (!runs_on_device(program.operations[i]))
      throw Error(Status::unsupported, "operation " + std::to_string(i) + " (" + to_string(program.operations[i].kind) +
                                           (program.operations[i].kind == OperationKind::dense ? " with rows" : "") +
                                           "): this release does not run it on " + device +
                                           "; the backends serial and openmp do");
}

}  // namespace lavoisier::detail

#endif
