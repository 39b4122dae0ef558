#include "graph_scores.hpp"

#include "plugin_draw.hpp"
#include "scores.hpp"

#include <lavoisier/projected_losses.hpp>
#include <lavoisier/training.hpp>

#include <algorithm>
#include <cmath>
#include <limits>

namespace lavoisier::cli {
namespace {

using Eigen::Index;
constexpr double z90 = 1.6448536269514722;  // 0.95 quantile of the standard normal

double finite_or_zero(double value) { return std::isfinite(value) ? value : 0.0; }

/// Sums over nodes.
struct Totals {
  double square = 0.0, absolute = 0.0, crps = 0.0, inside = 0.0, nodes = 0.0;
  void add(double error, double crps_of_node, double share_inside) {
    square += error * error;
    absolute += std::abs(error);
    crps += crps_of_node;
    inside += share_inside;
    nodes += 1.0;
  }
};

/// Minus the log density of one graph's targets, which are moved onto its laws; NaN where the strategy has none.
double negative_log_density(const ModelFile& model, const RowMatrix& A, const RowMatrix& d, const RowMatrix& mean,
                            const RowMatrix& deviation, RowMatrix y, double& distance) {
  if (A.rows() > 0) distance = std::max(distance, project_onto_laws(A, d, y));
  const std::string strategy = model.description.heads.empty() ? std::string() : model.description.heads.front().strategy;
  const GraphOperation& last = model.description.graph.back();
  if (strategy == "none" || strategy == "penalty" || A.rows() == 0)
    return -null_space_log_density(A, mean, deviation, y, {}, A.rows())[0];
  if (last.op != "constrain") return std::numeric_limits<double>::quiet_NaN();
  if (last.tensors.count("scale") > 0 && last.attributes.at("metric") == "scale") {
    const auto scale = model.tensor(last.tensors.at("scale")).f64();
    const RowMatrix metric = Eigen::Map<const RowMatrix>(scale.data(), 1, static_cast<Index>(scale.size())).leftCols(y.cols());
    return projected_likelihood_loss(A, metric, mean, deviation, d, y).value[0];
  }
  if (last.attributes.at("metric") == "covariance") return -conditional_log_density(A, mean, deviation, d, y, false).value[0];
  return std::numeric_limits<double>::quiet_NaN();
}

Totals of_marginals(const ModelFile& model, const LinearConstraints& constraints, const SampleSet& samples,
                    const std::vector<std::int64_t>& nodes, MarginalScores& scores) {
  const PredictedMarginals p = predict(model, samples);
  const Eigen::Map<const RowMatrix> outputs(samples.outputs.data(), samples.samples, samples.output_elements());
  const Eigen::Map<const RowMatrix> inputs(samples.inputs.data(), samples.samples, samples.input_elements());
  const RowMatrix d = constraints.right_hand_side(inputs);
  Totals totals;
  double nll = 0.0;
  for (Index s = 0; s < outputs.rows(); ++s) {
    const Index n = nodes[static_cast<std::size_t>(s)];
    const RowMatrix y = outputs.row(s).leftCols(n), mean = p.mean.row(s).leftCols(n), variance = p.variance.row(s).leftCols(n);
    const GaussianCrps crps = gaussian_crps(mean, variance, y);
    for (Index i = 0; i < n; ++i) {
      const double error = mean(0, i) - y(0, i), deviation = std::sqrt(variance(0, i));
      const bool known = determined(variance(0, i), p.network_standard_deviation(s, i));
      totals.add(error, crps.value(0, i), known || std::abs(error) <= z90 * deviation ? 1.0 : 0.0);
    }
    const RowMatrix A = constraints.A().leftCols(n);
    nll += negative_log_density(model, A, d.row(s), p.network_mean.row(s).leftCols(n),
                                p.network_standard_deviation.row(s).leftCols(n), y, scores.target_distance);
  }
  scores.nll = nll / static_cast<double>(samples.samples);
  return totals;
}

Totals of_members(const ModelFile& model, const SampleSet& samples, const std::vector<std::int64_t>& nodes) {
  const std::vector<std::vector<double>> draws = draws_of(model, samples, members_scored);
  const auto n = static_cast<std::size_t>(samples.output_elements());
  std::vector<double> members(draws.size());
  Totals totals;
  for (std::size_t s = 0; s < nodes.size(); ++s)
    for (std::size_t i = 0; i < static_cast<std::size_t>(nodes[s]); ++i) {
      for (std::size_t k = 0; k < draws.size(); ++k) members[k] = draws[k][s * n + i];
      const MemberScore score = score_of_members(members, samples.outputs[s * n + i]);
      totals.add(score.error, score.crps, score.inside90);
    }
  return totals;
}

template <class Take>
void each_node(const Graphs& graphs, const SampleSet& samples, const Take& take) {
  const std::vector<std::int64_t> nodes = node_counts(graphs, samples);
  for (std::size_t s = 0; s < nodes.size(); ++s)
    for (std::int64_t i = 0; i < nodes[s]; ++i)
      take(samples.outputs[s * static_cast<std::size_t>(samples.output_elements()) + static_cast<std::size_t>(i)]);
}

}  // namespace

bool determined(double variance, double network_deviation) {
  constexpr double rounding = 1e-7;
  return std::sqrt(variance) <= rounding * network_deviation;
}

std::vector<std::int64_t> node_counts(const Graphs& graphs, const SampleSet& samples) {
  const auto at = static_cast<std::size_t>(samples.layout.offset(graphs.count()));
  const auto width = static_cast<std::size_t>(samples.input_elements());
  std::vector<std::int64_t> nodes;
  for (std::size_t s = 0; s < static_cast<std::size_t>(samples.samples); ++s)
    nodes.push_back(static_cast<std::int64_t>(samples.inputs[s * width + at]));
  return nodes;
}

double node_deviation(const Graphs& graphs, const SampleSet& samples) {
  double count = 0.0, sum = 0.0, square = 0.0;
  each_node(graphs, samples, [&](double y) {
    sum += y;
    count += 1.0;
  });
  const double mean = sum / count;
  each_node(graphs, samples, [&](double y) { square += (y - mean) * (y - mean); });
  return std::sqrt(square / count);
}

double node_magnitude(const Graphs& graphs, const SampleSet& samples) {
  double largest = 0.0;
  each_node(graphs, samples, [&](double y) { largest = std::max(largest, std::abs(y)); });
  return largest > 0.0 ? largest : 1.0;
}

MarginalScores score_graphs(const ModelFile& model, const Graphs& graphs, const LinearConstraints& constraints,
                            const SampleSet& samples, double output_scale) {
  const std::vector<std::int64_t> nodes = node_counts(graphs, samples);
  MarginalScores scores;
  scores.variables = {samples.layout.with_role(Role::output).front().name};
  scores.nll = std::numeric_limits<double>::quiet_NaN();
  const bool closed = has_marginals(model);
  scores.members = closed ? 0 : members_scored;
  const Totals totals = closed ? of_marginals(model, constraints, samples, nodes, scores) : of_members(model, samples, nodes);
  const double mse = totals.square / totals.nodes, deviation = node_deviation(graphs, samples);
  scores.rmse = {std::sqrt(mse)};
  scores.mae = {totals.absolute / totals.nodes};
  scores.crps = {totals.crps / totals.nodes};
  scores.coverage90 = {totals.inside / totals.nodes};
  scores.mse_scaled = {finite_or_zero(mse / (output_scale * output_scale))};
  scores.crps_scaled = {finite_or_zero(scores.crps[0] / output_scale)};
  scores.r2 = {deviation > 0.0 ? 1.0 - mse / (deviation * deviation) : std::numeric_limits<double>::quiet_NaN()};
  return scores;
}

}  // namespace lavoisier::cli
