#include "program_compiler.hpp"

#include <algorithm>

namespace lavoisier::detail {

void Compiler::single(const GraphOperation& node, Operation& made) {
  operands(node, 1, 1, {}, {});
  made.input[0] = value(node.inputs[0], true);
  made.n = length(made.input[0]);
  made.output[0] = make(node.outputs[0], false, made.n);
}

void Compiler::select(const GraphOperation& node, Operation& made) {
  const bool f64 = made.kind == OperationKind::select;
  operands(node, 1, 1, {}, {"begin", "length"});
  made.input[0] = value(node.inputs[0], f64);
  const std::int64_t whole = length(made.input[0]);
  made.begin = integer(node, "begin", 0, whole - 1);
  made.n = integer(node, "length", 1, whole - made.begin);
  made.output[0] = make(node.outputs[0], f64, made.n);
}

void Compiler::slice(const GraphOperation& node, Operation& made) { select(node, made); }

void Compiler::concat(const GraphOperation& node, Operation& made) {
  if (node.inputs.empty()) fail(Status::invalid_format, "expected one input or more, found none");
  operands(node, node.inputs.size(), 1, {}, {});
  for (const auto& name : node.inputs) {
    made.inputs.push_back(value(name, false));
    made.n += length(made.inputs.back());
  }
  made.output[0] = make(node.outputs[0], false, made.n);
}

std::int64_t Compiler::field_elements(std::int64_t channels, const Field2d& field) const {
  const std::int64_t pixels =
      field.out[1] > most_elements / field.out[0] ? most_elements + 1 : field.out[0] * field.out[1];
  if (channels > most_elements / pixels)
    fail(Status::unsupported, "more elements a column than this library can address");
  return channels * pixels;
}

void Compiler::conv2d(const GraphOperation& node, Operation& made) {
  operands(node, 1, 1, {"weight", "bias"}, {"height", "width", "stride", "padding"});
  made.input[0] = value(node.inputs[0], false);
  Field2d& field = made.field;
  field.height = integer(node, "height", 1, length(made.input[0]));
  field.width = integer(node, "width", 1, length(made.input[0]));
  field.channels = parts(made.input[0], field.height * field.width, "height times width");
  field.stride = pair(node, "stride", 1);
  field.padding = pair(node, "padding", 0);
  const Tensor& weight = tensor(node.tensors.at("weight"));
  if (weight.shape.size() != 4 || weight.shape[0] < 1 || weight.shape[1] != field.channels || weight.shape[2] < 1 ||
      weight.shape[3] < 1)
    fail(Status::invalid_format, "tensor '" + weight.name + "': expected shape [n, " + std::to_string(field.channels) +
                                     ", y, x], found " + list(weight.shape));
  const std::int64_t channels = weight.shape[0];
  const std::int64_t extent[2] = {field.height, field.width};
  for (std::size_t axis = 0; axis < 2; ++axis) {
    field.kernel[axis] = weight.shape[axis + 2];
    const std::int64_t room = extent[axis] + 2 * field.padding[axis] - field.kernel[axis];
    if (room < 0)
      fail(Status::invalid_format, "tensor '" + weight.name + "': a kernel of " + std::to_string(field.kernel[axis]) +
                                       " elements over " + std::to_string(extent[axis]) + " and a padding of " +
                                       std::to_string(field.padding[axis]));
    field.out[axis] = room / field.stride[axis] + 1;
  }
  made.k = field.channels * field.kernel[0] * field.kernel[1];
  pack(floats(weight.name, weight.shape), floats(node.tensors.at("bias"), {channels}), made.k, made.weight, made.bias);
  made.groups = channels;
  made.n = field_elements(channels, field);
  made.output[0] = make(node.outputs[0], false, made.n);
}

void Compiler::upsample2d(const GraphOperation& node, Operation& made) {
  operands(node, 1, 1, {}, {"channels", "height", "width", "factor"});
  Field2d& field = made.field;
  field.channels = integer(node, "channels", 1, 1 << 20);
  field.height = integer(node, "height", 1, 1 << 20);
  field.width = integer(node, "width", 1, 1 << 20);
  made.input[0] = value(node.inputs[0], false, field.channels * field.height * field.width);
  field.stride = pair(node, "factor", 1);
  field.out = {field.height * field.stride[0], field.width * field.stride[1]};
  made.n = field_elements(field.channels, field);
  made.output[0] = make(node.outputs[0], false, made.n);
}

void Compiler::transpose(const GraphOperation& node, Operation& made) {
  operands(node, 1, 1, {}, {"rows", "columns"});
  made.groups = integer(node, "rows", 1, 1 << 20);
  made.size = integer(node, "columns", 1, 1 << 20);
  made.n = made.groups * made.size;
  made.input[0] = value(node.inputs[0], false, made.n);
  made.output[0] = make(node.outputs[0], false, made.n);
}

void Compiler::add_channel(const GraphOperation& node, Operation& made) {
  operands(node, 2, 1, {}, {});
  made.input[0] = value(node.inputs[0], false);
  made.input[1] = value(node.inputs[1], false);
  made.n = length(made.input[0]);
  made.groups = length(made.input[1]);
  made.size = parts(made.input[0], made.groups, "one number a channel in the second input");
  made.output[0] = make(node.outputs[0], false, made.n);
}

void Compiler::group_norm(const GraphOperation& node, Operation& made) {
  operands(node, 1, 1, {"weight", "bias"}, {"groups", "epsilon"});
  made.input[0] = value(node.inputs[0], false);
  made.n = length(made.input[0]);
  const Tensor& weight = tensor(node.tensors.at("weight"));
  if (weight.shape.size() != 1 || weight.shape[0] < 1)
    fail(Status::invalid_format,
         "tensor '" + weight.name + "': expected shape [channels], found " + list(weight.shape));
  const std::int64_t channels = weight.shape[0];
  made.size = parts(made.input[0], channels, "the channels of its tensors");
  norm_tensors(node, channels, made);
  made.groups = integer(node, "groups", 1, channels);
  if (channels % made.groups != 0)
    fail(Status::invalid_format, std::to_string(channels) + " channels in " + std::to_string(made.groups) + " groups");
  made.output[0] = make(node.outputs[0], false, made.n);
}

void Compiler::time_embedding(const GraphOperation& node, Operation& made) {
  operands(node, 1, 1, {"frequencies"}, {});
  made.input[0] = value(node.inputs[0], true, 1);
  const Tensor& frequencies = tensor(node.tensors.at("frequencies"));
  made.k = frequencies.shape.size() == 1 ? frequencies.shape[0] : 0;
  if (made.k < 1)
    fail(Status::invalid_format,
         "tensor '" + frequencies.name + "': expected shape [k], found " + list(frequencies.shape));
  made.first = doubles(frequencies.name, made.k);
  made.n = 2 * made.k;
  made.output[0] = make(node.outputs[0], false, made.n);
}

void Compiler::gru(const GraphOperation& node, Operation& made) {
  made.size = rows(node);
  operands(node, 2, 1, {"weight_input", "weight_hidden", "bias_input", "bias_hidden"}, row_attributes(node));
  made.input[0] = value(node.inputs[0], false);
  made.input[1] = value(node.inputs[1], false);
  made.k = parts(made.input[0], made.size, "rows");
  made.n = length(made.input[1]);
  const std::int64_t hidden = parts(made.input[1], made.size, "rows"), gates = 3 * hidden;
  pack(floats(node.tensors.at("weight_input"), {gates, made.k}), floats(node.tensors.at("bias_input"), {gates}), made.k,
       made.weight, made.bias);
  pack(floats(node.tensors.at("weight_hidden"), {gates, hidden}), floats(node.tensors.at("bias_hidden"), {gates}),
       hidden, made.weight_hidden, made.bias_hidden);
  made.output[0] = make(node.outputs[0], false, made.n);
  made.output[1] = make_hidden(false, gates);
  made.output[2] = make_hidden(false, gates);
}

void Compiler::gather(const GraphOperation& node, Operation& made) {
  operands(node, 2, 1, {}, {"features"});
  made.input[0] = value(node.inputs[0], false);
  made.input[1] = value(node.inputs[1], true);
  made.groups = integer(node, "features", 1, length(made.input[0]));
  made.k = parts(made.input[0], made.groups, "features");  // nodes
  made.size = length(made.input[1]);
  made.n = made.size * made.groups;
  made.output[0] = make(node.outputs[0], false, made.n);
}

void Compiler::scatter_add(const GraphOperation& node, Operation& made) {
  operands(node, 2, 1, {}, {"features", "nodes"});
  made.input[0] = value(node.inputs[0], false);
  made.input[1] = value(node.inputs[1], true);
  made.groups = integer(node, "features", 1, length(made.input[0]));
  made.size = parts(made.input[0], made.groups, "features");  // edges
  if (length(made.input[1]) != made.size)
    fail(Status::invalid_format, "the value '" + node.inputs[1] + "' has length " +
                                     std::to_string(length(made.input[1])) +
                                     ", expected one index an edge: " + std::to_string(made.size));
  made.k = integer(node, "nodes", 1, most_elements);
  made.n = made.k * made.groups;
  made.output[0] = make(node.outputs[0], false, made.n);
}

void Compiler::embedding(const GraphOperation& node, Operation& made) {
  operands(node, 1, 1, {"weight"}, {});
  made.input[0] = value(node.inputs[0], true);
  made.size = length(made.input[0]);
  const Tensor& table = tensor(node.tensors.at("weight"));
  if (table.shape.size() != 2 || table.shape[0] < 1 || table.shape[1] < 1)
    fail(Status::invalid_format, "tensor '" + table.name + "': expected shape [k, n], found " + list(table.shape));
  made.k = table.shape[0];
  made.groups = table.shape[1];
  if (made.groups > most_elements / made.size)
    fail(Status::unsupported, "more elements a column than this library can address");
  made.n = made.size * made.groups;
  const auto numbers = floats(table.name, table.shape);
  made.weight = SharedBuffer<float>(numbers.size());
  std::copy(numbers.begin(), numbers.end(), made.weight.data());
  made.output[0] = make(node.outputs[0], false, made.n);
}

void Compiler::mask(const GraphOperation& node, Operation& made) {
  operands(node, 2, 1, {}, {"features"});
  made.input[0] = value(node.inputs[0], true);
  made.input[1] = value(node.inputs[1], true, 1);
  made.n = length(made.input[0]);
  made.groups = integer(node, "features", 1, made.n);
  made.size = parts(made.input[0], made.groups, "features");
  made.output[0] = make(node.outputs[0], true, made.n);
}

}  // namespace lavoisier::detail
