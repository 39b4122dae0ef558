#include "operation_shapes.hpp"

#include <lavoisier/status.hpp>

#include <algorithm>
#include <charconv>
#include <cmath>
#include <map>
#include <numeric>

namespace lavoisier::detail {
namespace {

[[noreturn]] void refuse(const GraphOperation& operation, const std::string& message) {
  throw Error(Status::invalid_format, "model file: operation '" + operation.op + "' " + message);
}

const std::string& attribute(const GraphOperation& operation, const std::string& name) {
  const auto found = operation.attributes.find(name);
  if (found == operation.attributes.end()) refuse(operation, "lacks its attribute '" + name + "'");
  return found->second;
}

std::int64_t integer_of(const GraphOperation& operation, const std::string& name, std::string_view text, std::int64_t least) {
  std::int64_t value = 0;
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), value);
  if (error != std::errc() || end != text.data() + text.size() || value < least || value > (std::int64_t{1} << 31))
    refuse(operation, "has '" + std::string(text) + "' as its " + name + "; expected an integer of at least " +
                          std::to_string(least));
  return value;
}

std::string text_of(const std::vector<std::int64_t>& shape) {
  std::string text = "[";
  for (const std::int64_t extent : shape) text += (text.size() > 1 ? ", " : "") + std::to_string(extent);
  return text + "]";
}

}  // namespace

std::int64_t integer_attribute(const GraphOperation& operation, const std::string& name, std::int64_t least) {
  return integer_of(operation, name, attribute(operation, name), least);
}

std::pair<std::int64_t, std::int64_t> pair_attribute(const GraphOperation& operation, const std::string& name,
                                                     std::int64_t least) {
  const std::string_view text = attribute(operation, name);
  const std::size_t comma = text.find(',');
  if (comma == std::string_view::npos) refuse(operation, "has '" + std::string(text) + "' as its " + name + "; expected 'y,x'");
  return {integer_of(operation, name, text.substr(0, comma), least), integer_of(operation, name, text.substr(comma + 1), least)};
}

double number_attribute(const GraphOperation& operation, const std::string& name) {
  const std::string& text = attribute(operation, name);
  double value = 0.0;
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), value);
  if (error != std::errc() || end != text.data() + text.size() || !std::isfinite(value))
    refuse(operation, "has '" + text + "' as its " + name + "; expected a number");
  return value;
}

std::int64_t rows_attribute(const GraphOperation& operation) {
  return operation.attributes.count("rows") ? integer_attribute(operation, "rows", 1) : 1;
}

std::vector<std::string> trained_operands(const std::string& op) {
  if (op == "dense" || op == "layer_norm" || op == "conv2d" || op == "group_norm") return {"weight", "bias"};
  if (op == "embedding") return {"weight"};
  if (op == "gru") return {"weight_input", "weight_hidden", "bias_input", "bias_hidden"};
  return {};
}

std::int64_t output_width(const GraphOperation& operation, const std::vector<std::int64_t>& widths, const ShapeOf& shape_of) {
  static const std::map<std::string, std::size_t> operands = {
      {"dense", 1},      {"silu", 1},       {"relu", 1},        {"tanh", 1},        {"sigmoid", 1},
      {"layer_norm", 1}, {"add", 2},        {"multiply", 2},    {"concat", 0},      {"slice", 1},
      {"conv2d", 1},     {"upsample2d", 1}, {"group_norm", 1},  {"add_channel", 2}, {"time_embedding", 1},
      {"gru", 2},        {"gather", 2},     {"scatter_add", 2}, {"single", 1},      {"embedding", 1},
      {"transpose", 1}};
  const std::string& op = operation.op;
  const auto known = operands.find(op);
  if (known == operands.end()) throw Error(Status::invalid_format, "model file: unknown operation '" + op + "'");
  if ((known->second > 0 && widths.size() != known->second) || widths.empty() || operation.outputs.size() != 1)
    refuse(operation, "has the wrong number of operands or results");
  const auto shape = [&](const std::string& operand) {
    const auto found = operation.tensors.find(operand);
    if (found == operation.tensors.end()) refuse(operation, "lacks its tensor '" + operand + "'");
    return shape_of(found->second);
  };
  const auto require = [&](const std::string& operand, const std::vector<std::int64_t>& expected) {
    if (const auto found = shape(operand); found != expected)
      refuse(operation, "needs '" + operand + "' of the shape " + text_of(expected) + ", found " + text_of(found));
  };
  const auto require_multiple = [&](std::int64_t width, std::int64_t of) {
    if (of <= 0 || width % of != 0)
      refuse(operation, "reads " + std::to_string(width) + " numbers, no multiple of " + std::to_string(of));
  };
  const std::int64_t from = widths[0];
  if (op == "dense") {
    const auto weight = shape("weight");
    const std::int64_t rows = rows_attribute(operation);
    require_multiple(from, rows);
    if (weight.size() != 2 || weight[1] != from / rows)
      refuse(operation, "needs a matrix with " + std::to_string(from / rows) + " columns as its 'weight', found " +
                            text_of(weight));
    require("bias", {weight[0]});
    return rows * weight[0];
  }
  if (op == "layer_norm") {
    require("weight", {from});
    require("bias", {from});
    return from;
  }
  if (op == "add" || op == "multiply") {
    if (widths[1] != from) refuse(operation, "reads two values of different widths");
    return from;
  }
  if (op == "concat") return std::accumulate(widths.begin(), widths.end(), std::int64_t{0});
  if (op == "slice") {
    const std::int64_t begin = integer_attribute(operation, "begin"), length = integer_attribute(operation, "length", 1);
    if (begin + length > from) refuse(operation, "ends at " + std::to_string(begin + length) + " of " + std::to_string(from));
    return length;
  }
  if (op == "conv2d") {
    const auto weight = shape("weight");
    const std::int64_t height = integer_attribute(operation, "height", 1), width = integer_attribute(operation, "width", 1);
    const auto stride = pair_attribute(operation, "stride", 1), padding = pair_attribute(operation, "padding");
    if (weight.size() != 4 || weight[1] * height * width != from)
      refuse(operation, "of a field of " + std::to_string(height) + " x " + std::to_string(width) + " and weights " +
                            text_of(weight) + " can't read " + std::to_string(from) + " numbers");
    require("bias", {weight[0]});
    const std::int64_t rows = height + 2 * padding.first - weight[2], columns = width + 2 * padding.second - weight[3];
    if (rows < 0 || columns < 0) refuse(operation, "has a kernel larger than its padded field");
    return weight[0] * (rows / stride.first + 1) * (columns / stride.second + 1);
  }
  if (op == "transpose") {
    if (integer_attribute(operation, "rows", 1) * integer_attribute(operation, "columns", 1) != from)
      refuse(operation, "reads " + std::to_string(from) + " numbers, another matrix");
    return from;
  }
  if (op == "upsample2d") {
    const std::int64_t channels = integer_attribute(operation, "channels", 1), height = integer_attribute(operation, "height", 1),
                       width = integer_attribute(operation, "width", 1);
    const auto factor = pair_attribute(operation, "factor", 1);
    if (channels * height * width != from) refuse(operation, "reads " + std::to_string(from) + " numbers, another field");
    return from * factor.first * factor.second;
  }
  if (op == "group_norm") {
    const auto weight = shape("weight");
    if (weight.size() != 1) refuse(operation, "needs a vector as its 'weight', found " + text_of(weight));
    require("bias", weight);
    require_multiple(from, weight[0]);
    require_multiple(weight[0], integer_attribute(operation, "groups", 1));
    number_attribute(operation, "epsilon");
    return from;
  }
  if (op == "add_channel") {
    require_multiple(from, widths[1]);
    return from;
  }
  if (op == "time_embedding") {
    if (from != 1) refuse(operation, "reads one number, found " + std::to_string(from));
    const auto frequencies = shape("frequencies");
    if (frequencies.size() != 1) refuse(operation, "needs a vector as its 'frequencies'");
    return 2 * frequencies[0];
  }
  if (op == "gru") {
    const std::int64_t rows = rows_attribute(operation);
    require_multiple(from, rows);
    require_multiple(widths[1], rows);
    const std::int64_t hidden = widths[1] / rows;
    require("weight_input", {3 * hidden, from / rows});
    require("weight_hidden", {3 * hidden, hidden});
    require("bias_input", {3 * hidden});
    require("bias_hidden", {3 * hidden});
    return widths[1];
  }
  if (op == "gather") {
    const std::int64_t features = integer_attribute(operation, "features", 1);
    require_multiple(from, features);
    return widths[1] * features;
  }
  if (op == "scatter_add") {
    const std::int64_t features = integer_attribute(operation, "features", 1);
    if (widths[1] * features != from) refuse(operation, "reads another number of edges than indices");
    return integer_attribute(operation, "nodes", 1) * features;
  }
  if (op == "embedding") {
    const auto weight = shape("weight");
    if (weight.size() != 2) refuse(operation, "needs a matrix as its 'weight', found " + text_of(weight));
    return from * weight[1];
  }
  return from;  // silu, relu, tanh, sigmoid, single
}

}  // namespace lavoisier::detail
