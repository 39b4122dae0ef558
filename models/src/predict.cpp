#include "head_loss.hpp"
#include "network.hpp"
#include "predict.hpp"
#include "reference_run.hpp"
#include "training_data.hpp"

#include <lavoisier/metric_projection.hpp>
#include <lavoisier/status.hpp>

#include <algorithm>
#include <numeric>

namespace lavoisier {

namespace detail {

Eigen::VectorXd vector_of(const ModelFile& model, const std::string& name) {
  const auto values = model.tensor(name).f64();
  return Eigen::Map<const Eigen::VectorXd>(values.data(), static_cast<Eigen::Index>(values.size()));
}

void require_same_inputs(const ModelFile& model, const SampleSet& samples) {
  const auto expected = model.description.layout.with_role(Role::input), found = samples.layout.with_role(Role::input);
  const auto same = [](const Variable& a, const Variable& b) { return a.name == b.name && a.units == b.units; };
  if (!std::equal(expected.begin(), expected.end(), found.begin(), found.end(), same) ||
      model.description.layout.elements(Role::input) != samples.input_elements()) {
    const auto list = [](const std::vector<Variable>& variables) {
      std::string text;
      for (const Variable& variable : variables) text += (text.empty() ? "" : ", ") + variable.name + " (" + variable.units + ")";
      return text;
    };
    throw Error(Status::shape_mismatch, "the model expects the inputs " + list(expected) + "; found " + list(found));
  }
}

}  // namespace detail

namespace {

using detail::require_same_inputs;
using detail::vector_of;

const GraphOperation& operation_of(const ModelFile& model, const std::string& op) {
  for (const GraphOperation& operation : model.description.graph)
    if (operation.op == op) return operation;
  throw Error(Status::invalid_format, "model file: the graph has no '" + op + "'");
}

void require_finite(const RowMatrix& mean, const RowMatrix& variance, const SampleSet& samples) {
  for (Eigen::Index row = 0; row < mean.rows(); ++row)
    if (!mean.row(row).allFinite() || !variance.row(row).allFinite())
      throw Error(Status::non_finite,
                  "the model's distribution is not finite for " + detail::sample_name(samples, row));
}

/// A model of graphs, in pieces: at capacity a graph's values take room.
PredictedMarginals predict_graphs(const ModelFile& model, const SampleSet& samples) {
  const ModelDescription& description = model.description;
  const LinearConstraints constraints(description.layout, description.laws, description.constants);
  const GraphOperation& last = description.graph.back();
  const Eigen::Index n = description.layout.elements(Role::output);
  PredictedMarginals marginals;
  for (RowMatrix* one :
       {&marginals.network_mean, &marginals.network_standard_deviation, &marginals.mean, &marginals.variance})
    one->resize(samples.samples, n);
  constexpr std::int64_t piece = 16;
  for (std::int64_t first = 0; first < samples.samples; first += piece) {
    std::vector<std::int64_t> rows(static_cast<std::size_t>(std::min(piece, samples.samples - first)));
    std::iota(rows.begin(), rows.end(), first);
    const SampleSet some = select(samples, rows);
    const detail::HeadMoments head = detail::reference_head(model, some);
    const RowMatrix d = constraints.right_hand_side(
        Eigen::Map<const RowMatrix>(some.inputs.data(), some.samples, some.input_elements()));
    detail::Marginals law;
    if (last.op == "constrain" && last.attributes.at("metric") == "scale") {
      // Nodes that are not there have deviation 0 and stay.
      const RowMatrix metric =
          (head.standard_deviation.array() == 0.0)
              .select(RowMatrix::Zero(some.samples, n),
                      vector_of(model, last.tensors.at("scale")).transpose().replicate(some.samples, 1));
      ProjectedMoments moments = projected_moments(constraints.A(), metric, head.mean, head.standard_deviation, d,
                                                   {detail::training_threads()});
      law = {std::move(moments.mean), std::move(moments.variance)};
    } else {
      law = detail::constrained_marginals(last.op == "constrain" ? Strategy::conditional : Strategy::none,
                                          constraints.rows() > 0 ? constraints.A() : RowMatrix(0, n), {}, head.mean,
                                          head.standard_deviation, d, detail::training_threads());
    }
    marginals.network_mean.middleRows(first, some.samples) = head.mean;
    marginals.network_standard_deviation.middleRows(first, some.samples) = head.standard_deviation;
    marginals.mean.middleRows(first, some.samples) = law.mean;
    marginals.variance.middleRows(first, some.samples) = law.variance;
  }
  return marginals;
}

}  // namespace

PredictedMarginals predict(const ModelFile& model, const SampleSet& samples) {
  require_same_inputs(model, samples);
  const ModelDescription& description = model.description;
  detail::require_family_of_draw(model);
  if (description.heads.size() != 1 || description.heads[0].family != "gaussian_diagonal")
    throw Error(Status::unsupported,
                "model file: expected one head of the family 'gaussian_diagonal', which has Gaussian marginals; found " +
                    (description.heads.size() == 1 ? "'" + description.heads[0].family + "'"
                                                   : std::to_string(description.heads.size()) + " heads"));
  const auto masked = [](const GraphOperation& operation) { return operation.op == "mask"; };
  if (std::any_of(description.graph.begin(), description.graph.end(), masked)) {
    PredictedMarginals found = predict_graphs(model, samples);
    require_finite(found.mean, found.variance, samples);
    return found;
  }
  Strategy strategy = strategy_from(description.heads[0].strategy);

  std::vector<float> weights;
  detail::Network<float> network(detail::plan_of(model, weights));
  std::copy(weights.begin(), weights.end(), network.weights().begin());
  const detail::NetworkPlan& plan = network.plan();
  const GraphOperation& standardize = operation_of(model, "standardize");
  const GraphOperation& gaussian = operation_of(model, "gaussian_head");
  const Eigen::VectorXd mean = vector_of(model, standardize.tensors.at("mean"));
  const Eigen::VectorXd scale = vector_of(model, standardize.tensors.at("scale"));
  const Eigen::VectorXd output_mean = vector_of(model, gaussian.tensors.at("output_mean"));
  const Eigen::VectorXd output_scale = vector_of(model, gaussian.tensors.at("output_scale"));
  if (plan.inputs != samples.input_elements() || plan.outputs != 2 * description.layout.elements(Role::output) ||
      scale.size() != mean.size() || output_scale.size() != output_mean.size())
    throw Error(Status::invalid_format, "model file: the graph's widths differ from the layout's");

  const std::vector<float> x =
      detail::standardise(samples.inputs.data(), samples.samples, mean.data(), scale.data(), plan.inputs);
  Eigen::Matrix<float, Eigen::Dynamic, Eigen::Dynamic, Eigen::RowMajor> h(samples.samples, plan.outputs);
  network.evaluate(x.data(), samples.samples, h.data());

  MlpOptions head;
  head.parametrization = gaussian.attributes.at("parametrization");
  head.floor = vector_of(model, gaussian.tensors.at("floor"))[0];
  std::vector<Eigen::Index> all(static_cast<std::size_t>(output_mean.size()));
  std::iota(all.begin(), all.end(), Eigen::Index{0});
  detail::HeadValues values = detail::head_values(h.cast<double>(), all, head);

  PredictedMarginals marginals;
  marginals.network_mean = (values.mean * output_scale.asDiagonal()).rowwise() + output_mean.transpose();
  marginals.network_standard_deviation = values.standard_deviation * output_scale.asDiagonal();
  const LinearConstraints constraints(description.layout, description.laws, description.constants);
  RowMatrix A(0, output_mean.size()), d(samples.samples, 0);
  if (constraints.rows() > 0) {
    const Eigen::Index laws = constraints.rows(), inputs = samples.input_elements();
    if (constraints.shared()) {
      A = constraints.A();
    } else {
      A.resize(samples.samples * laws, output_mean.size());
      for (Eigen::Index row = 0; row < samples.samples; ++row)
        A.middleRows(row * laws, laws) =
            constraints.A({samples.inputs.data() + row * inputs, static_cast<std::size_t>(inputs)});
    }
    d = constraints.right_hand_side(
        Eigen::Map<const RowMatrix>(samples.inputs.data(), samples.samples, samples.input_elements()));
  }
  // The metric by which the laws are kept, as the graph has it; an l1_layer of one law is a completion there.
  Eigen::VectorXd metric = output_scale;
  if (const GraphOperation& last = description.graph.back(); last.op == "constrain") {
    if (last.tensors.count("scale") > 0) metric = vector_of(model, last.tensors.at("scale"));
    if (metric.size() != output_mean.size())
      throw Error(Status::invalid_format, "model file: 'constrain' has a scale of another width than the outputs");
    const auto word = last.attributes.find("metric");
    if (strategy == Strategy::l1_layer && word != last.attributes.end() && word->second == "scale") strategy = Strategy::completion;
  }
  detail::Marginals law =
      detail::constrained_marginals(strategy, A, metric, marginals.network_mean,
                                    marginals.network_standard_deviation, d, detail::training_threads());
  require_finite(law.mean, law.variance, samples);
  marginals.mean = std::move(law.mean);
  marginals.variance = std::move(law.variance);
  return marginals;
}

}  // namespace lavoisier
