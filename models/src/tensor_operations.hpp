#ifndef LAVOISIER_MODELS_TENSOR_OPERATIONS_HPP
#define LAVOISIER_MODELS_TENSOR_OPERATIONS_HPP

#include <lavoisier/model_file.hpp>

#include <ATen/core/Tensor.h>

#include <functional>
#include <string>
#include <vector>

namespace lavoisier::detail {

/// One operation of a network by LibTorch; operands and result are rows x width. `tensor_of` gives weights and constants
/// by name. Error(invalid_argument) for an index that names no node, Error(unsupported) for an operation it doesn't know.
at::Tensor run_operation(const GraphOperation& operation, const std::vector<at::Tensor>& operands,
                         const std::function<at::Tensor(const std::string&)>& tensor_of);

}  // namespace lavoisier::detail

#endif
