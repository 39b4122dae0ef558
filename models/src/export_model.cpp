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

namespace {

/// From a draw and its deviations to the outputs, by strategy.
void append_strategy(ModelFile& model, const GeneratorContext& context, const std::string& draw,
                     const std::string& deviation) {
  const TrainingOptions& options = context.options;
  const TrainingData& data = context.data;
  std::vector<GraphOperation>& graph = model.description.graph;
  const auto constrain = [&](const std::string& metric, const std::string& scale) {
    std::map<std::string, std::string> tensors;
    if (!scale.empty()) tensors["scale"] = scale;
    graph.push_back({"constrain", {draw, deviation}, {"outputs"}, tensors, {{"metric", metric}}});
  };
  switch (context.has_laws() ? options.strategy : Strategy::none) {
    case Strategy::none:
    case Strategy::penalty:
      graph.push_back({"identity", {draw}, {"outputs"}, {}, {}});
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

}  // namespace

void append_gaussian_head(ModelFile& model, const GeneratorContext& context, const std::string& raw, std::size_t site,
                          const std::string& count) {
  const TrainingOptions& options = context.options;
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
  append_strategy(model, context, "draw", "standard_deviation");
}

namespace {

/// Gaussian outputs, then the draw of the positive ones in their place, which the laws leave as it is.
void append_mixed_head(ModelFile& model, const GeneratorContext& context, const std::string& raw) {
  const TrainingOptions& options = context.options;
  std::vector<GraphOperation>& graph = model.description.graph;
  const Eigen::Index n = context.outputs, count = static_cast<Eigen::Index>(context.head.positive.size());
  Eigen::VectorXd mean = context.data.output_mean, scale = context.data.output_scale, unit(count);
  std::vector<std::int64_t> elements;
  std::string laws;
  for (const PositiveOutput& one : context.head.positive) {
    unit[static_cast<Eigen::Index>(elements.size())] = scale[one.element];
    mean[one.element] = scale[one.element] = 0.0;
    elements.push_back(one.element);
    laws += (laws.empty() ? "" : ",") + std::string(to_string(one.law));
  }
  add_vector(model, "head.floor", Eigen::VectorXd::Constant(1, options.network.floor));
  add_vector(model, "positive.scale", unit);
  model.add(Tensor::from("positive.elements", {count}, std::span<const std::int64_t>(elements)));
  const std::map<std::string, std::string> tensors = {
      {"elements", "positive.elements"}, {"scale", "positive.scale"}, {"floor", "head.floor"}};
  const std::map<std::string, std::string> attributes = {
      {"laws", laws}, {"parametrization", options.network.parametrization}, {"site", "1"}};
  if (count == n) {
    graph.push_back({"positive_draw", {raw}, {"outputs"}, tensors, attributes});
    return;
  }
  add_vector(model, "signed.mean", mean);
  add_vector(model, "signed.scale", scale);
  graph.push_back({"slice", {raw}, {"head.signed"}, {}, {{"begin", "0"}, {"length", std::to_string(2 * n)}}});
  graph.push_back({"gaussian_head",
                   {"head.signed"},
                   {"mean", "standard_deviation"},
                   {{"output_mean", "signed.mean"}, {"output_scale", "signed.scale"}, {"floor", "head.floor"}},
                   {{"parametrization", options.network.parametrization}}});
  graph.push_back({"normal_noise", {}, {"noise"}, {}, {{"site", "0"}}});
  graph.push_back({"gaussian_draw", {"mean", "standard_deviation", "noise"}, {"draw.signed"}, {}, {}});
  graph.push_back(
      {"positive_draw", {raw, "draw.signed", "standard_deviation"}, {"draw", "deviation"}, tensors, attributes});
  append_strategy(model, context, "draw", "deviation");
}

const char* family_of(const GeneratorContext& context) {
  const std::string& name = context.options.generator.name;
  if (name == "ddpm" || name == "flow_matching") return "sampled";
  switch (context.head.family) {
    case HeadFamily::gaussian: break;
    case HeadFamily::mixed: return "positive_signed";
    case HeadFamily::gamma: return "gamma";
    case HeadFamily::poisson: return "poisson";
  }
  return "gaussian_diagonal";
}

}  // namespace

void append_head(ModelFile& model, const GeneratorContext& context, const std::string& raw) {
  const OutputHead& head = context.head;
  std::vector<GraphOperation>& graph = model.description.graph;
  if (head.family == HeadFamily::gaussian) {
    append_gaussian_head(model, context, raw, 0);
  } else if (head.family == HeadFamily::poisson) {
    add_vector(model, "head.scale", head.scale);
    const char* const op = head.given_sums ? "multinomial_draw" : "poisson_draw";
    graph.push_back({op, {raw}, {"outputs"}, {{"scale", "head.scale"}}, {{"site", "0"}}});
  } else if (head.given_sums) {
    add_vector(model, "head.floor", Eigen::VectorXd::Constant(1, context.options.network.floor));
    graph.push_back({"dirichlet_draw", {raw}, {"outputs"}, {{"floor", "head.floor"}},
                     {{"parametrization", context.options.network.parametrization}, {"site", "0"}}});
  } else {
    append_mixed_head(model, context, raw);
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
  Head head{"outputs", family_of(context), {}, to_string(context.options.strategy)};
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
