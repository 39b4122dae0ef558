// Networks read back from a model file.

#include "network_plan.hpp"
#include "operation_shapes.hpp"

#include <lavoisier/status.hpp>

#include <algorithm>

namespace lavoisier::detail {
namespace {

[[noreturn]] void refuse(const std::string& message) { throw Error(Status::invalid_format, "model file: " + message); }

const std::string& tensor_name(const GraphOperation& operation, const std::string& operand) {
  const auto found = operation.tensors.find(operand);
  if (found == operation.tensors.end()) refuse("operation '" + operation.op + "' lacks its tensor '" + operand + "'");
  return found->second;
}

}  // namespace

NetworkPlan plan_of(std::span<const GraphOperation> nodes, const std::vector<Port>& ports, const std::string& output,
                    const ModelFile& model, std::vector<float>& weights) {
  NetworkPlan plan;
  plan.input = ports.at(0).name;
  plan.inputs = ports.at(0).width;
  plan.more.assign(ports.begin() + 1, ports.end());
  plan.output = output;
  std::map<std::string, std::int64_t> width;
  for (const Port& port : ports) width[port.name] = port.width;
  const ShapeOf shape_of = [&](const std::string& name) { return model.tensor(name).shape; };
  for (const GraphOperation& operation : nodes) {
    std::vector<std::int64_t> widths;
    for (const std::string& name : operation.inputs) {
      if (!width.count(name)) refuse("operation '" + operation.op + "' reads '" + name + "', which nothing has made");
      widths.push_back(width.at(name));
    }
    const std::int64_t to = output_width(operation, widths, shape_of);
    for (const std::string& operand : trained_operands(operation.op)) {
      const Tensor& tensor = model.tensor(tensor_name(operation, operand));
      const auto values = tensor.f32();
      weights.insert(weights.end(), values.begin(), values.end());
      plan.parameters.push_back({tensor.name, tensor.shape, plan.size, 0, false});
      plan.size += tensor.elements();
    }
    if (operation.op == "time_embedding") {
      const Tensor& tensor = model.tensor(tensor_name(operation, "frequencies"));
      const auto values = tensor.f64();
      plan.constants[tensor.name].assign(values.begin(), values.end());
    }
    width[operation.outputs[0]] = to;
    plan.operations.push_back(operation);
  }
  if (!width.count(output)) refuse("nothing makes '" + output + "'");
  plan.outputs = width.at(output);
  return plan;
}

NetworkPlan plan_of(const ModelFile& model, std::vector<float>& weights) {
  weights.clear();
  const std::vector<GraphOperation>& graph = model.description.graph;
  const auto is = [](const char* op) { return [op](const GraphOperation& operation) { return operation.op == op; }; };
  const auto first = std::find_if(graph.begin(), graph.end(), is("standardize"));
  const auto last = std::find_if(graph.begin(), graph.end(), is("gaussian_head"));
  if (first != graph.begin() || first == graph.end() || last == graph.end())
    refuse("the graph must begin with 'standardize' and have a 'gaussian_head'");
  if (first->outputs.size() != 1 || last->inputs.size() != 1) refuse("'standardize' makes and 'gaussian_head' takes one value");
  const std::int64_t inputs = model.tensor(tensor_name(*first, "mean")).elements();
  const std::int64_t outputs = 2 * model.tensor(tensor_name(*last, "output_mean")).elements();
  NetworkPlan plan = plan_of({first + 1, last}, {{first->outputs[0], inputs}}, last->inputs[0], model, weights);
  if (plan.outputs != outputs)
    refuse("'gaussian_head' reads '" + plan.output + "', which must hold " + std::to_string(outputs) + " numbers");
  return plan;
}

}  // namespace lavoisier::detail
