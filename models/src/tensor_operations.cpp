#include "tensor_operations.hpp"

#include "operation_shapes.hpp"

#include <lavoisier/status.hpp>

#include <ATen/ATen.h>

#include <cmath>
#include <numbers>

namespace lavoisier::detail {
namespace {

using at::Tensor;

/// x as rows x channels x height x width.
Tensor field(const Tensor& x, std::int64_t channels, std::int64_t height, std::int64_t width) {
  return x.reshape({x.size(0), channels, height, width});
}

struct Edges {
  Tensor index;    // rows x E, absent edges at 0
  Tensor present;  // rows x E x 1, 0 or 1 in the values' type
};

/// Indices as the graph holds them: -1 or NaN is an absent edge (or category).
Edges edges_of(const GraphOperation& operation, const Tensor& index, std::int64_t nodes, at::ScalarType type) {
  const Tensor given = index.detach().to(at::kDouble);
  const Tensor absent = at::isnan(given) | (given == -1.0);
  const Tensor whole = at::where(absent, at::zeros_like(given), given);
  const Tensor bad = (whole != at::floor(whole)) | (whole < 0.0) | (whole >= static_cast<double>(nodes));
  if (bad.any().item<bool>()) {
    const Tensor first = bad.nonzero()[0];
    const std::int64_t row = first[0].item<std::int64_t>(), edge = first[1].item<std::int64_t>();
    throw Error(Status::invalid_argument, "operation '" + operation.op + "': index " + std::to_string(edge) +
                                              " of row " + std::to_string(row) + " names the row " +
                                              std::to_string(given[row][edge].item<double>()) +
                                              "; expected -1 or 0 to " + std::to_string(nodes - 1));
  }
  return {whole.to(at::kLong), at::logical_not(absent).to(type).unsqueeze(-1)};
}

}  // namespace

Tensor run_operation(const GraphOperation& operation, const std::vector<Tensor>& operands,
                     const std::function<Tensor(const std::string&)>& tensor_of) {
  const std::string& op = operation.op;
  const Tensor& x = operands[0];
  const std::int64_t rows = x.size(0);
  const auto tensor = [&](const char* operand) { return tensor_of(operation.tensors.at(operand)); };
  const auto each_row = [](const Tensor& value, std::int64_t count) {
    return value.reshape({value.size(0) * count, -1});
  };
  if (op == "dense")
    return at::linear(each_row(x, rows_attribute(operation)), tensor("weight"), tensor("bias")).reshape({rows, -1});
  if (op == "silu") return at::silu(x);
  if (op == "relu") return at::relu(x);
  if (op == "tanh") return at::tanh(x);
  if (op == "sigmoid") return at::sigmoid(x);
  if (op == "single") return x;
  if (op == "add") return x + operands[1];
  if (op == "multiply") return x * operands[1];
  if (op == "concat") return at::cat(operands, 1);
  if (op == "slice") return x.narrow(1, integer_attribute(operation, "begin"), integer_attribute(operation, "length"));
  if (op == "layer_norm")
    return at::layer_norm(x, {x.size(1)}, tensor("weight"), tensor("bias"), number_attribute(operation, "epsilon"));
  if (op == "group_norm") {
    const Tensor weight = tensor("weight");
    return at::group_norm(x.reshape({rows, weight.size(0), -1}), integer_attribute(operation, "groups"), weight,
                          tensor("bias"), number_attribute(operation, "epsilon"))
        .reshape({rows, -1});
  }
  if (op == "conv2d") {
    const Tensor weight = tensor("weight");
    const auto stride = pair_attribute(operation, "stride"), padding = pair_attribute(operation, "padding");
    const Tensor in = field(x, weight.size(1), integer_attribute(operation, "height"), integer_attribute(operation, "width"));
    return at::conv2d(in, weight, tensor("bias"), {stride.first, stride.second}, {padding.first, padding.second})
        .reshape({rows, -1});
  }
  if (op == "transpose")
    return field(x, 1, integer_attribute(operation, "rows", 1), integer_attribute(operation, "columns", 1)).transpose(2, 3).reshape({rows, -1});
  if (op == "upsample2d") {
    const std::int64_t height = integer_attribute(operation, "height"), width = integer_attribute(operation, "width");
    const auto factor = pair_attribute(operation, "factor");
    const Tensor in = field(x, integer_attribute(operation, "channels"), height, width);
    return at::upsample_nearest2d(in, {height * factor.first, width * factor.second}).reshape({rows, -1});
  }
  if (op == "add_channel") {
    const Tensor& b = operands[1];
    return (x.reshape({rows, b.size(1), -1}) + b.unsqueeze(-1)).reshape({rows, -1});
  }
  if (op == "time_embedding") {
    // Turns, reduced before the cosine, so that large frequencies keep their digits.
    const Tensor turns = x.to(at::kDouble) * tensor("frequencies").unsqueeze(0);
    const auto cosine = [](const Tensor& t) { return at::cos((t - at::round(t)) * (2.0 * std::numbers::pi)); };
    return at::cat({cosine(turns), cosine(turns - 0.25)}, 1).to(x.scalar_type());
  }
  if (op == "gru")
    return at::gru_cell(each_row(x, rows_attribute(operation)), each_row(operands[1], rows_attribute(operation)),
                        tensor("weight_input"), tensor("weight_hidden"), tensor("bias_input"), tensor("bias_hidden"))
        .reshape({rows, -1});
  if (op == "embedding") {
    const Tensor table = tensor("weight");
    const Edges categories = edges_of(operation, x, table.size(0), table.scalar_type());
    return (table.index_select(0, categories.index.reshape({-1})).reshape({rows, -1, table.size(1)}) *
            categories.present)
        .reshape({rows, -1});
  }
  if (op == "gather") {
    const std::int64_t features = integer_attribute(operation, "features");
    const Tensor nodes = x.reshape({rows, -1, features});
    const Edges edges = edges_of(operation, operands[1], nodes.size(1), x.scalar_type());
    return (nodes.gather(1, edges.index.unsqueeze(-1).expand({-1, -1, features})) * edges.present).reshape({rows, -1});
  }
  if (op == "scatter_add") {
    const std::int64_t features = integer_attribute(operation, "features"), nodes = integer_attribute(operation, "nodes");
    const Edges edges = edges_of(operation, operands[1], nodes, x.scalar_type());
    // An absent edge may carry anything, NaN too.
    const Tensor values = at::where(edges.present > 0, x.reshape({rows, -1, features}), at::zeros({1}, x.options()));
    return at::zeros({rows, nodes, features}, x.options())
        .scatter_add(1, edges.index.unsqueeze(-1).expand({-1, -1, features}), values)
        .reshape({rows, -1});
  }
  throw Error(Status::unsupported, "operation '" + op + "' can't be run by LibTorch in this release");
}

}  // namespace lavoisier::detail
