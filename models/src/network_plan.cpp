#include "network_plan.hpp"

#include <lavoisier/random.hpp>
#include <lavoisier/status.hpp>

#include <algorithm>
#include <cmath>
#include <numeric>

namespace lavoisier::detail {
namespace {

void add_parameter(NetworkPlan& plan, Parameter parameter) {
  parameter.offset = plan.size;
  plan.size += parameter.elements();
  plan.parameters.push_back(std::move(parameter));
}

random::Key key_of(std::uint64_t seed, TrainingStream stream) { return {seed, static_cast<std::uint64_t>(stream)}; }

[[noreturn]] void refuse(const std::string& message) { throw Error(Status::invalid_format, "model file: " + message); }

const std::string& tensor_name(const GraphOperation& operation, const std::string& operand) {
  const auto found = operation.tensors.find(operand);
  if (found == operation.tensors.end()) refuse("operation '" + operation.op + "' lacks its tensor '" + operand + "'");
  return found->second;
}

}  // namespace

std::int64_t Parameter::elements() const {
  return std::accumulate(shape.begin(), shape.end(), std::int64_t{1}, std::multiplies<>());
}

NetworkPlan plan_mlp(const MlpOptions& options, std::int64_t inputs, std::int64_t outputs) {
  NetworkPlan plan;
  plan.inputs = inputs;
  plan.outputs = outputs;
  std::string value = plan.input;
  std::int64_t width = inputs;
  int values = 0;
  const auto append = [&](const std::string& op, std::vector<std::string> operands,
                          std::map<std::string, std::string> tensors = {},
                          std::map<std::string, std::string> attributes = {}) {
    value = "x" + std::to_string(++values);
    plan.operations.push_back({op, std::move(operands), {value}, std::move(tensors), std::move(attributes)});
  };
  const auto append_dense = [&](std::int64_t to, std::size_t layer) {
    const std::string name = "dense" + std::to_string(layer);
    append("dense", {value}, {{"weight", name + ".weight"}, {"bias", name + ".bias"}});
    add_parameter(plan, {name + ".weight", {to, width}, 0, width, true});
    add_parameter(plan, {name + ".bias", {to}, 0, width, false});
    width = to;
  };
  for (std::size_t layer = 0; layer < options.hidden.size(); ++layer) {
    const std::string skipped = value;
    const bool residual = options.residual && layer > 0 && options.hidden[layer] == width;
    append_dense(options.hidden[layer], layer);
    if (options.layer_norm) {
      const std::string name = "norm" + std::to_string(layer);
      append("layer_norm", {value}, {{"weight", name + ".weight"}, {"bias", name + ".bias"}}, {{"epsilon", "1e-05"}});
      add_parameter(plan, {name + ".weight", {width}, 0, 0, false});
      add_parameter(plan, {name + ".bias", {width}, 0, 0, false});
    }
    append(options.activation, {value});
    if (residual) append("add", {skipped, value});
  }
  append_dense(outputs, options.hidden.size());
  plan.operations.back().outputs = {plan.output};
  return plan;
}

NetworkPlan plan_of(const ModelFile& model, std::vector<float>& weights) {
  NetworkPlan plan;
  weights.clear();
  const std::vector<GraphOperation>& graph = model.description.graph;
  const auto is = [](const char* op) { return [op](const GraphOperation& operation) { return operation.op == op; }; };
  const auto first = std::find_if(graph.begin(), graph.end(), is("standardize"));
  const auto last = std::find_if(graph.begin(), graph.end(), is("gaussian_head"));
  if (first != graph.begin() || first == graph.end() || last == graph.end())
    refuse("the graph must begin with 'standardize' and have a 'gaussian_head'");
  if (first->outputs.size() != 1 || last->inputs.size() != 1) refuse("'standardize' makes and 'gaussian_head' takes one value");
  plan.input = first->outputs[0];
  plan.output = last->inputs[0];
  plan.inputs = model.tensor(tensor_name(*first, "mean")).elements();
  plan.outputs = 2 * model.tensor(tensor_name(*last, "output_mean")).elements();

  std::map<std::string, std::int64_t> width{{plan.input, plan.inputs}};
  const auto take = [&](const GraphOperation& operation, const std::string& operand, std::vector<std::int64_t> shape) {
    const Tensor& tensor = model.tensor(tensor_name(operation, operand));
    if (tensor.shape != shape) refuse("tensor '" + tensor.name + "' has another shape than its operation needs");
    const auto values = tensor.f32();
    weights.insert(weights.end(), values.begin(), values.end());
    add_parameter(plan, {tensor.name, std::move(shape), 0, 0, false});
  };
  for (auto operation = first + 1; operation != last; ++operation) {
    const std::size_t operands = operation->op == "add" ? 2 : 1;
    if (operation->inputs.size() != operands || operation->outputs.size() != 1)
      refuse("operation '" + operation->op + "' has the wrong number of operands or results");
    for (const std::string& name : operation->inputs)
      if (!width.count(name)) refuse("operation '" + operation->op + "' reads '" + name + "', which nothing has made");
    const std::int64_t from = width.at(operation->inputs[0]);
    std::int64_t to = from;
    if (operation->op == "dense") {
      const Tensor& weight = model.tensor(tensor_name(*operation, "weight"));
      if (weight.shape.size() != 2) refuse("tensor '" + weight.name + "' must be a matrix");
      to = weight.shape[0];
      take(*operation, "weight", {to, from});
      take(*operation, "bias", {to});
    } else if (operation->op == "layer_norm") {
      take(*operation, "weight", {from});
      take(*operation, "bias", {from});
    } else if (operation->op == "add") {
      if (width.at(operation->inputs[1]) != from) refuse("'add' of two values of different widths");
    } else if (operation->op != "silu") {
      refuse("unknown operation '" + operation->op + "'");
    }
    width[operation->outputs[0]] = to;
    plan.operations.push_back(*operation);
  }
  const auto found = width.find(plan.output);
  if (found == width.end() || found->second != plan.outputs)
    refuse("'gaussian_head' reads '" + plan.output + "', which must hold " + std::to_string(plan.outputs) + " numbers");
  return plan;
}

std::vector<double> initial_weights(const NetworkPlan& plan, const MlpOptions& options, std::uint64_t seed) {
  std::vector<double> weights(static_cast<std::size_t>(plan.size), 0.0);
  const random::Key key = key_of(seed, TrainingStream::weights);
  const bool torch = options.initialization == "torch";
  for (std::size_t index = 0; index < plan.parameters.size(); ++index) {
    const Parameter& parameter = plan.parameters[index];
    double* values = weights.data() + parameter.offset;
    const bool weight = parameter.name.ends_with(".weight");
    if (parameter.fan_in == 0) {
      std::fill_n(values, parameter.elements(), weight ? 1.0 : 0.0);  // layer_norm
      continue;
    }
    if (!weight && !torch) continue;
    const bool last = index + 2 >= plan.parameters.size();
    const double gain = torch ? 1.0 / 3.0 : options.initialization == "he" && !last ? 2.0 : 1.0;
    const double bound = std::sqrt(3.0 * gain / static_cast<double>(parameter.fan_in));
    for (std::int64_t element = 0; element < parameter.elements(); ++element) {
      const auto words = random::words(key, {.column = index, .element = static_cast<std::uint64_t>(element)});
      values[element] = bound * (2.0 * random::uniform_open_right(words[0]) - 1.0);
    }
  }
  if (!torch) {
    const double above = options.initial_deviation - options.floor;
    const double raw = options.parametrization == "exp" ? std::log(above) : std::log(std::expm1(above));
    const Parameter& bias = plan.parameters.back();
    std::fill_n(weights.begin() + bias.offset + plan.outputs / 2, plan.outputs / 2, raw);
  }
  return weights;
}

std::vector<std::int64_t> permutation(std::int64_t count, std::uint64_t seed, std::int64_t epoch) {
  std::vector<std::int64_t> order(static_cast<std::size_t>(count));
  std::iota(order.begin(), order.end(), std::int64_t{0});
  const random::Key key = key_of(seed, TrainingStream::shuffle);
  for (std::int64_t at = count - 1; at > 0; --at) {
    const auto words = random::words(
        key, {.column = static_cast<std::uint64_t>(epoch), .element = static_cast<std::uint64_t>(at)});
    // The high word of a product: uniform on 0..at up to 2^-64 * count.
    __extension__ using Wide = unsigned __int128;
    const auto other = static_cast<std::size_t>((static_cast<Wide>(words[0]) * static_cast<Wide>(at + 1)) >> 64);
    std::swap(order[static_cast<std::size_t>(at)], order[other]);
  }
  return order;
}

void dropout_factors(std::span<float> factors, double share, std::uint64_t seed, std::int64_t step, std::int64_t layer) {
  // 16 bits decide about one element, so that one Philox call serves sixteen.
  const auto threshold = static_cast<std::uint64_t>(std::lround(share * 65536.0));
  const float kept = static_cast<float>(65536.0 / (65536.0 - static_cast<double>(threshold)));
  const random::Key key = key_of(seed, TrainingStream::dropout);
  for (std::size_t first = 0; first < factors.size(); first += 16) {
    const auto words = random::words(key, {.column = static_cast<std::uint64_t>(step),
                                           .step = static_cast<std::uint64_t>(layer),
                                           .element = first / 16});
    const std::size_t count = std::min<std::size_t>(16, factors.size() - first);
    for (std::size_t i = 0; i < count; ++i)
      factors[first + i] = ((words[i / 4] >> (16 * (i % 4))) & 0xffffU) < threshold ? 0.0F : kept;
  }
}

void add_input_noise(std::span<float> inputs, double deviation, std::uint64_t seed, std::int64_t step) {
  const random::Key key = key_of(seed, TrainingStream::input_noise);
  for (std::size_t i = 0; i < inputs.size(); ++i)
    inputs[i] += static_cast<float>(deviation * random::normal(key, {.column = static_cast<std::uint64_t>(step), .element = i}));
}

}  // namespace lavoisier::detail
