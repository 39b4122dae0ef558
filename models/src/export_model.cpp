#include "export_model.hpp"

#include "options.hpp"

namespace lavoisier::detail {

void add_vector(ModelFile& model, const std::string& name, const Eigen::VectorXd& values) {
  model.add(Tensor::from(name, {values.size()}, std::span<const double>(values.data(), static_cast<std::size_t>(values.size()))));
}

void append_plan(ModelFile& model, std::vector<GraphOperation>& nodes, const NetworkPlan& plan,
                 std::span<const float> weights) {
  for (const auto& [name, values] : plan.constants)
    model.add(Tensor::from(name, {static_cast<std::int64_t>(values.size())}, std::span<const double>(values)));
  for (const Parameter& parameter : plan.parameters)
    model.add(Tensor::from(parameter.name, parameter.shape, weights.subspan(parameter.offset, parameter.elements())));
  nodes.insert(nodes.end(), plan.operations.begin(), plan.operations.end());
}

void append_gaussian_head(ModelFile& model, const GeneratorContext& context, const std::string& raw, std::size_t site,
                          const std::string& count) {
  const TrainingOptions& options = context.options;
  const TrainingData& data = context.data;
  std::vector<GraphOperation>& graph = model.description.graph;
  add_vector(model, "head.floor", Eigen::VectorXd::Constant(1, options.network.floor));
  graph.push_back({"gaussian_head",
                   {raw},
                   count.empty() ? std::vector<std::string>{"mean", "standard_deviation"}
                                 : std::vector<std::string>{"mean.all", "standard_deviation.all"},
                   {{"output_mean", "output.mean"}, {"output_scale", "output.scale"}, {"floor", "head.floor"}},
                   {{"parametrization", options.network.parametrization}}});
  if (!count.empty())
    for (const char* name : {"mean", "standard_deviation"})
      graph.push_back({"mask", {std::string(name) + ".all", count}, {name}, {}, {{"features", "1"}}});
  graph.push_back({"normal_noise", {}, {"noise"}, {}, {{"site", std::to_string(site)}}});
  graph.push_back({"gaussian_draw", {"mean", "standard_deviation", "noise"}, {"draw"}, {}, {}});
  const auto constrain = [&](const std::string& metric, const std::string& scale) {
    std::map<std::string, std::string> tensors;
    if (!scale.empty()) tensors["scale"] = scale;
    graph.push_back({"constrain", {"draw", "standard_deviation"}, {"outputs"}, tensors, {{"metric", metric}}});
  };
  switch (context.has_laws() ? options.strategy : Strategy::none) {
    case Strategy::none:
    case Strategy::penalty:
      graph.push_back({"identity", {"draw"}, {"outputs"}, {}, {}});
      break;
    case Strategy::projection:
      constrain("scale", "output.scale");
      break;
    case Strategy::completion:
    case Strategy::l1_layer:
      if (context.dependent.empty()) {
        constrain("l1", "output.scale");  // several laws, each draw its own basis
        break;
      } else {
        // The dependent outputs alone move; with as many of them as laws, how far each may is no choice.
        Eigen::VectorXd scale = Eigen::VectorXd::Zero(data.output_scale.size());
        for (const Eigen::Index j : context.dependent) {
          const Eigen::Index i = data.active[static_cast<std::size_t>(j)];
          scale[i] = data.output_scale[i];
        }
        add_vector(model, "constrain.scale", scale);
        constrain("scale", "constrain.scale");
      }
      break;
    case Strategy::variance_projection:  // of a diagonal Gaussian: the conditional law
    case Strategy::post_hoc:
    case Strategy::conditional:
      constrain("covariance", "");
      break;
  }
}

ModelFile export_model(const StateLayout& layout, const LinearConstraints& constraints, const GeneratorContext& context,
                       const Generator& generator, std::span<const float> weights,
                       std::map<std::string, std::string> provenance) {
  const TrainingData& data = context.data;
  ModelFile model;
  ModelDescription& description = model.description;
  description.layout = layout;
  description.constants = constraints.constants();
  description.laws = constraints.laws();
  const std::string& name = context.options.generator.name;
  const bool sampled = name == "ddpm" || name == "flow_matching";
  Head head{"outputs", sampled ? "sampled" : "gaussian_diagonal", {}, to_string(context.options.strategy)};
  for (const Variable& variable : layout.with_role(Role::output)) head.variables.push_back(variable.name);
  description.heads = {head};
  description.provenance = std::move(provenance);
  add_vector(model, "input.minimum", data.input_minimum);
  add_vector(model, "input.maximum", data.input_maximum);
  add_vector(model, "input.mean", data.input_mean);
  add_vector(model, "input.scale", data.input_scale);
  add_vector(model, "output.mean", data.output_mean);
  add_vector(model, "output.scale", data.output_scale);
  description.graph.push_back(
      {"standardize", {"inputs"}, {"x0"}, {{"mean", "input.mean"}, {"scale", "input.scale"}}, {}});
  generator.append_to(model, weights);
  return model;
}

}  // namespace lavoisier::detail
