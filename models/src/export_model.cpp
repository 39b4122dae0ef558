#include "export_model.hpp"

#include "options.hpp"

namespace lavoisier::detail {

ModelFile export_model(const SampleSet& samples, const LinearConstraints& constraints, const TrainingOptions& options,
                       const TrainingData& data, const std::vector<Eigen::Index>& dependent, const NetworkPlan& plan,
                       std::span<const float> weights,
                       std::map<std::string, std::string> provenance) {
  ModelFile model;
  ModelDescription& description = model.description;
  description.layout = samples.layout;
  description.constants = constraints.constants();
  description.laws = constraints.laws();
  Head head{"outputs", "gaussian_diagonal", {}, to_string(options.strategy)};
  for (const Variable& variable : samples.layout.with_role(Role::output)) head.variables.push_back(variable.name);
  description.heads = {head};
  description.provenance = std::move(provenance);

  const auto add = [&](const std::string& name, const Eigen::VectorXd& values) {
    model.add(Tensor::from(name, {values.size()}, std::span<const double>(values.data(), values.size())));
  };
  add("input.minimum", data.input_minimum);
  add("input.maximum", data.input_maximum);
  add("input.mean", data.input_mean);
  add("input.scale", data.input_scale);
  add("output.mean", data.output_mean);
  add("output.scale", data.output_scale);
  add("head.floor", Eigen::VectorXd::Constant(1, options.network.floor));
  for (const Parameter& parameter : plan.parameters)
    model.add(Tensor::from(parameter.name, parameter.shape, weights.subspan(parameter.offset, parameter.elements())));

  std::vector<GraphOperation>& graph = description.graph;
  graph.push_back({"standardize", {"inputs"}, {plan.input}, {{"mean", "input.mean"}, {"scale", "input.scale"}}, {}});
  graph.insert(graph.end(), plan.operations.begin(), plan.operations.end());
  graph.push_back({"gaussian_head",
                   {plan.output},
                   {"mean", "standard_deviation"},
                   {{"output_mean", "output.mean"}, {"output_scale", "output.scale"}, {"floor", "head.floor"}},
                   {{"parametrization", options.network.parametrization}}});
  graph.push_back({"normal_noise", {}, {"noise"}, {}, {{"site", "0"}}});
  graph.push_back({"gaussian_draw", {"mean", "standard_deviation", "noise"}, {"draw"}, {}, {}});
  const auto constrain = [&](const std::string& metric, const std::string& scale) {
    std::map<std::string, std::string> tensors;
    if (!scale.empty()) tensors["scale"] = scale;
    graph.push_back({"constrain", {"draw", "standard_deviation"}, {"outputs"}, tensors, {{"metric", metric}}});
  };
  const Strategy strategy = constraints.rows() == 0 ? Strategy::none : options.strategy;
  switch (strategy) {
    case Strategy::none:
    case Strategy::penalty:
      graph.push_back({"identity", {"draw"}, {"outputs"}, {}, {}});
      break;
    case Strategy::projection:
      constrain("scale", "output.scale");
      break;
    case Strategy::completion:
    case Strategy::l1_layer:
      if (dependent.empty()) {
        constrain("l1", "output.scale");  // several laws, each draw its own basis
        break;
      } else {
        // The dependent outputs alone move; with as many of them as laws, how far each may is no choice.
        Eigen::VectorXd scale = Eigen::VectorXd::Zero(data.output_scale.size());
        for (const Eigen::Index j : dependent) {
          const Eigen::Index i = data.active[static_cast<std::size_t>(j)];
          scale[i] = data.output_scale[i];
        }
        add("constrain.scale", scale);
        constrain("scale", "constrain.scale");
      }
      break;
    case Strategy::variance_projection:  // of a diagonal Gaussian: the conditional law
    case Strategy::post_hoc:
    case Strategy::conditional:
      constrain("covariance", "");
      break;
  }
  return model;
}

}  // namespace lavoisier::detail
