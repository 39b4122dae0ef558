#include "plan_builder.hpp"

#include <algorithm>
#include <utility>

namespace lavoisier::detail {
namespace {

std::map<std::string, std::string> rows_of(std::int64_t rows) {
  if (rows == 1) return {};
  return {{"rows", std::to_string(rows)}};
}

}  // namespace

PlanBuilder::PlanBuilder(std::string prefix, const std::vector<Port>& ports) : prefix_(std::move(prefix)) {
  plan_.input = ports.at(0).name;
  plan_.inputs = ports.at(0).width;
  plan_.more.assign(ports.begin() + 1, ports.end());
  for (const Port& port : ports) widths_[port.name] = port.width;
}

std::string PlanBuilder::append(const std::string& op, std::vector<std::string> inputs, std::int64_t width,
                                std::map<std::string, std::string> tensors,
                                std::map<std::string, std::string> attributes) {
  const std::string name = prefix_ + "x" + std::to_string(++values_);
  plan_.operations.push_back({op, std::move(inputs), {name}, std::move(tensors), std::move(attributes)});
  widths_[name] = width;
  return name;
}

std::string PlanBuilder::parameter(const std::string& layer, const std::string& operand, std::vector<std::int64_t> shape,
                                   std::int64_t fan_in, bool decays, std::vector<double> fixed) {
  Parameter added{layer + "." + operand, std::move(shape), plan_.size, fan_in, decays, std::move(fixed)};
  plan_.size += added.elements();
  plan_.parameters.push_back(added);
  return added.name;
}

PlanBuilder::Layer PlanBuilder::dense_layer(std::int64_t from, std::int64_t to) {
  const std::string name = layer("dense");
  const std::string weight = parameter(name, "weight", {to, from}, from, true);
  return {{"weight", weight}, {"bias", parameter(name, "bias", {to}, from, false)}};
}

std::string PlanBuilder::dense(const std::string& from, std::int64_t to, const Layer& layer, std::int64_t rows) {
  return append("dense", {from}, to * rows, layer, rows_of(rows));
}

std::string PlanBuilder::dense(const std::string& from, std::int64_t to, std::int64_t rows) {
  return dense(from, to, dense_layer(width(from) / rows, to), rows);
}

std::string PlanBuilder::embedding(const std::string& index, std::int64_t categories, std::int64_t features) {
  const std::string table = parameter(layer("embedding"), "weight", {categories, features}, 2, true);
  return append("embedding", {index}, width(index) * features, {{"weight", table}});
}

std::string PlanBuilder::gather(const std::string& nodes, const std::string& index, std::int64_t features) {
  return append("gather", {nodes, index}, width(index) * features, {}, {{"features", std::to_string(features)}});
}

std::string PlanBuilder::scatter_add(const std::string& edges, const std::string& index, std::int64_t features,
                                     std::int64_t nodes) {
  return append("scatter_add", {edges, index}, nodes * features, {},
                {{"features", std::to_string(features)}, {"nodes", std::to_string(nodes)}});
}

std::string PlanBuilder::gru(const std::string& from, const std::string& hidden, std::int64_t rows) {
  const std::string name = layer("gru");
  const std::int64_t k = width(from) / rows, n = width(hidden) / rows;
  Layer tensors;
  tensors["weight_input"] = parameter(name, "weight_input", {3 * n, k}, k, true);
  tensors["weight_hidden"] = parameter(name, "weight_hidden", {3 * n, n}, n, true);
  tensors["bias_input"] = parameter(name, "bias_input", {3 * n}, k, false);
  tensors["bias_hidden"] = parameter(name, "bias_hidden", {3 * n}, n, false);
  return append("gru", {from, hidden}, n * rows, std::move(tensors), rows_of(rows));
}

std::string PlanBuilder::mlp(const MlpOptions& options, std::string value, std::int64_t outputs) {
  for (std::size_t at = 0; at < options.hidden.size(); ++at) {
    const std::string skipped = value;
    const std::int64_t to = options.hidden[at];
    value = dense(value, to);
    if (options.layer_norm) {
      const std::string name = layer("norm");
      const std::string weight = parameter(name, "weight", {to}, 0, false);
      value = append("layer_norm", {value}, to, {{"weight", weight}, {"bias", parameter(name, "bias", {to}, 0, false)}},
                     {{"epsilon", "1e-05"}});
    }
    value = append(options.activation, {value}, to);
    if (options.residual && at > 0 && width(skipped) == to) value = append("add", {skipped, value}, to);
  }
  return dense(value, outputs);
}

std::string PlanBuilder::concat(const std::vector<std::string>& values) {
  if (values.size() == 1) return values[0];
  std::int64_t sum = 0;
  for (const std::string& value : values) sum += width(value);
  return append("concat", values, sum);
}

std::string PlanBuilder::time_embedding(const std::string& time, const std::vector<double>& frequencies) {
  const std::string name = layer("time") + ".frequencies";
  plan_.constants[name] = frequencies;
  return append("time_embedding", {time}, 2 * static_cast<std::int64_t>(frequencies.size()), {{"frequencies", name}});
}

FieldValue PlanBuilder::conv2d(const FieldValue& from, std::int64_t channels, std::array<std::int64_t, 2> radius,
                               std::array<std::int64_t, 2> stride, const std::string& weight, const std::string& bias) {
  FieldValue to{"", channels, (from.height - 1) / stride[0] + 1, (from.width - 1) / stride[1] + 1};
  const auto pair = [](const std::array<std::int64_t, 2>& of) { return std::to_string(of[0]) + "," + std::to_string(of[1]); };
  to.name = append("conv2d", {from.name}, channels * to.places(), {{"weight", weight}, {"bias", bias}},
                   {{"height", std::to_string(from.height)},
                    {"width", std::to_string(from.width)},
                    {"stride", pair(stride)},
                    {"padding", pair(radius)}});
  return to;
}

FieldValue PlanBuilder::convolution(const FieldValue& from, std::int64_t channels, std::int64_t radius, std::int64_t stride) {
  const std::int64_t ry = from.height > 1 ? radius : 0, rx = from.width > 1 ? radius : 0;
  const std::int64_t sy = from.height > 1 ? stride : 1, sx = from.width > 1 ? stride : 1;
  const std::int64_t ky = 2 * ry + 1, kx = 2 * rx + 1, terms = from.channels * ky * kx;
  const std::string name = layer("convolution");
  const std::string weight = parameter(name, "weight", {channels, from.channels, ky, kx}, terms, true);
  return conv2d(from, channels, {ry, rx}, {sy, sx}, weight, parameter(name, "bias", {channels}, terms, false));
}

FieldValue PlanBuilder::fixed_map(const FieldValue& from, std::int64_t rows, std::vector<double> matrix) {
  const std::string name = layer("map");
  const std::string weight = parameter(name, "weight", {rows, from.channels, 1, 1}, from.channels, false, std::move(matrix));
  const std::vector<double> zeros(static_cast<std::size_t>(rows), 0.0);
  return conv2d(from, rows, {0, 0}, {1, 1}, weight, parameter(name, "bias", {rows}, from.channels, false, zeros));
}

std::string PlanBuilder::transpose(const std::string& from, std::int64_t rows) {
  const std::int64_t all = width(from);
  return append("transpose", {from}, all, {}, {{"rows", std::to_string(rows)}, {"columns", std::to_string(all / rows)}});
}

FieldValue PlanBuilder::multiply(const FieldValue& a, const FieldValue& b) {
  return {append("multiply", {a.name, b.name}, width(a.name)), a.channels, a.height, a.width};
}

FieldValue PlanBuilder::group_norm(const FieldValue& from, std::int64_t groups) {
  // Two channels a group or more: of one channel a norm would take out what is added to it as a whole.
  groups = std::max<std::int64_t>(1, std::min(groups, from.channels / 2));
  while (from.channels % groups != 0) --groups;
  const std::string name = layer("norm");
  const std::string weight = parameter(name, "weight", {from.channels}, 0, false);
  const std::string bias = parameter(name, "bias", {from.channels}, 0, false);
  FieldValue to = from;
  to.name = append("group_norm", {from.name}, from.channels * from.places(), {{"weight", weight}, {"bias", bias}},
                   {{"groups", std::to_string(groups)}, {"epsilon", "1e-05"}});
  return to;
}

FieldValue PlanBuilder::upsampled(const FieldValue& from) {
  const std::int64_t fy = from.height > 1 ? 2 : 1, fx = from.width > 1 ? 2 : 1;
  FieldValue to{"", from.channels, from.height * fy, from.width * fx};
  to.name = append("upsample2d", {from.name}, to.channels * to.places(), {},
                   {{"channels", std::to_string(from.channels)},
                    {"height", std::to_string(from.height)},
                    {"width", std::to_string(from.width)},
                    {"factor", std::to_string(fy) + "," + std::to_string(fx)}});
  return to;
}

FieldValue PlanBuilder::add(const FieldValue& a, const FieldValue& b) {
  return {append("add", {a.name, b.name}, width(a.name)), a.channels, a.height, a.width};
}

FieldValue PlanBuilder::add_channel(const FieldValue& from, const std::string& vector) {
  return {append("add_channel", {from.name, vector}, width(from.name)), from.channels, from.height, from.width};
}

FieldValue PlanBuilder::concat(const FieldValue& a, const FieldValue& b) {
  return {concat(std::vector<std::string>{a.name, b.name}), a.channels + b.channels, a.height, a.width};
}

NetworkPlan PlanBuilder::finish(const std::string& output) && {
  const std::string last = plan_.operations.back().outputs[0];
  plan_.operations.back().outputs = {output};
  plan_.output = output;
  plan_.outputs = width(last);
  return std::move(plan_);
}

}  // namespace lavoisier::detail
