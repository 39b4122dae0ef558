#include "marginal_scores.hpp"

#include "plugin_draw.hpp"
#include "scores.hpp"

#include <lavoisier/predicted_law.hpp>
#include <lavoisier/projected_losses.hpp>
#include <lavoisier/tolerances.hpp>
#include <lavoisier/training.hpp>

#include <algorithm>
#include <cmath>
#include <limits>
#include <numeric>

namespace lavoisier::cli {
namespace {

using Eigen::Index;

double mean_of(const std::vector<double>& values) {
  return values.empty() ? std::numeric_limits<double>::quiet_NaN()
                        : std::accumulate(values.begin(), values.end(), 0.0) / static_cast<double>(values.size());
}

/// Moves onto the laws what is off them by more than rounding; the others stay: where all terms of a law vanish (radiation
/// at night), the rounding of a move would be all that there is. Returns the largest distance.
double move_onto_laws(const LinearConstraints& constraints, const StateLayout& layout, const RowMatrix& A,
                      const RowMatrix& d, const RowMatrix& inputs, RowMatrix& y) {
  std::vector<Index> off;
  std::vector<Closure> closures;
  for (const Law& law : constraints.independent_laws())
    closures.push_back(closure(law, layout, constraints.constants(), inputs, y));
  for (Index s = 0; s < y.rows(); ++s) {
    const bool on = std::all_of(closures.begin(), closures.end(), [&](const Closure& c) {
      return relative_residual(c.residual(s), c.term_magnitude(s)) <= tolerances::identity::relative_fp64;
    });
    if (!on) off.push_back(s);
  }
  if (off.empty()) return 0.0;
  const Index m = constraints.rows();
  RowMatrix A_off = A, d_off(off.size(), m), y_off(off.size(), y.cols());
  if (!constraints.shared()) A_off.resize(static_cast<Index>(off.size()) * m, A.cols());
  for (std::size_t k = 0; k < off.size(); ++k) {
    const auto at = static_cast<Index>(k);
    d_off.row(at) = d.row(off[k]);
    y_off.row(at) = y.row(off[k]);
    if (!constraints.shared()) A_off.middleRows(at * m, m) = A.middleRows(off[k] * m, m);
  }
  const double distance = project_onto_laws(A_off, d_off, y_off);
  for (std::size_t k = 0; k < off.size(); ++k) y.row(off[k]) = y_off.row(static_cast<Index>(k));
  return distance;
}

double mean_negative_log_density(const ModelFile& model, const LinearConstraints& constraints,
                                 const PredictedMarginals& p, const RowMatrix& inputs, RowMatrix y,
                                 double* distance) {
  const RowMatrix A = constraints.shared() ? constraints.A() : constraints.stacked_A(inputs);
  const RowMatrix d = constraints.right_hand_side(inputs);
  *distance = move_onto_laws(constraints, model.description.layout, A, d, inputs, y);
  const std::string strategy = model.description.heads.empty() ? std::string() : model.description.heads.front().strategy;
  Eigen::VectorXd value;
  const GraphOperation& last = model.description.graph.back();
  if (strategy == "none" || strategy == "penalty" || constraints.rows() == 0) {
    value = null_space_log_density(A, p.network_mean, p.network_standard_deviation, y, {}, constraints.rows());
  } else if (last.op == "constrain" && last.tensors.count("scale") > 0 && last.attributes.at("metric") == "scale") {
    const auto scale = model.tensor(last.tensors.at("scale")).f64();
    const Eigen::Map<const RowMatrix> metric(scale.data(), 1, static_cast<Index>(scale.size()));
    value = -projected_likelihood_loss(A, metric, p.network_mean, p.network_standard_deviation, d, y).value;
  } else if (last.op == "constrain" && last.attributes.at("metric") == "covariance") {
    value = conditional_log_density(A, p.network_mean, p.network_standard_deviation, d, y, false).value;
  }
  return value.size() == 0 ? std::numeric_limits<double>::quiet_NaN() : -value.mean();
}

}  // namespace

double MarginalScores::mean_rmse() const { return mean_of(rmse); }
double MarginalScores::mean_crps() const { return mean_of(crps); }
double MarginalScores::mean_coverage90() const { return mean_of(coverage90); }
double MarginalScores::mean_mse_scaled() const { return mean_of(mse_scaled); }
double MarginalScores::mean_crps_scaled() const { return mean_of(crps_scaled); }
double MarginalScores::mean_r2() const { return mean_of(r2); }
double MarginalScores::mean_mae() const { return mean_of(mae); }

std::vector<double> output_deviations(const SampleSet& samples) {
  const auto n = static_cast<std::size_t>(samples.output_elements());
  const auto count = static_cast<double>(samples.samples);
  std::vector<double> mean(n, 0.0), square(n, 0.0);
  for (std::size_t s = 0; s < static_cast<std::size_t>(samples.samples); ++s) {
    for (std::size_t i = 0; i < n; ++i) mean[i] += samples.outputs[s * n + i] / count;
  }
  for (std::size_t s = 0; s < static_cast<std::size_t>(samples.samples); ++s) {
    for (std::size_t i = 0; i < n; ++i) {
      const double e = samples.outputs[s * n + i] - mean[i];
      square[i] += e * e / count;
    }
  }
  for (double& v : square) v = std::sqrt(v);
  return square;
}

namespace {

std::vector<std::string> element_names(const SampleSet& samples) {
  std::vector<std::string> names;
  for (const Variable& variable : samples.layout.with_role(Role::output)) {
    const std::int64_t elements = samples.layout.elements(variable);
    for (std::int64_t e = 0; e < elements; ++e)
      names.push_back(elements == 1 ? variable.name : variable.name + "[" + std::to_string(e) + "]");
  }
  return names;
}

/// What follows from the mean squared errors and the CRPS of the elements.
void complete(MarginalScores& scores, const std::vector<double>& output_scale, const SampleSet& samples) {
  const std::vector<double> deviation = output_deviations(samples);
  for (std::size_t i = 0; i < scores.crps.size(); ++i) {
    const double mse = scores.rmse[i] * scores.rmse[i], scale = output_scale[i];
    scores.mse_scaled.push_back(scale > 0.0 ? mse / (scale * scale) : 0.0);
    scores.crps_scaled.push_back(scale > 0.0 ? scores.crps[i] / scale : 0.0);
    scores.r2.push_back(deviation[i] > 0.0 ? 1.0 - mse / (deviation[i] * deviation[i])
                                           : std::numeric_limits<double>::quiet_NaN());
  }
}

/// Of members drawn by the plugin: fair CRPS, randomised PIT.
MarginalScores score_members(const ModelFile& model, const SampleSet& samples, const std::vector<double>& output_scale) {
  const std::vector<std::vector<double>> draws = draws_of(model, samples, members_scored);
  const auto n = static_cast<std::size_t>(samples.output_elements()), rows = static_cast<std::size_t>(samples.samples);
  MarginalScores scores;
  scores.variables = element_names(samples);
  scores.nll = std::numeric_limits<double>::quiet_NaN();
  scores.members = members_scored;
  std::vector<double> members(draws.size());
  for (std::size_t i = 0; i < n; ++i) {
    double square = 0.0, absolute = 0.0, crps = 0.0, inside = 0.0;
    for (std::size_t s = 0; s < rows; ++s) {
      for (std::size_t k = 0; k < draws.size(); ++k) members[k] = draws[k][s * n + i];
      const MemberScore score = score_of_members(members, samples.outputs[s * n + i]);
      square += score.error * score.error;
      absolute += std::abs(score.error);
      crps += score.crps;
      inside += score.inside90;
    }
    scores.rmse.push_back(std::sqrt(square / static_cast<double>(rows)));
    scores.mae.push_back(absolute / static_cast<double>(rows));
    scores.crps.push_back(crps / static_cast<double>(rows));
    scores.coverage90.push_back(inside / static_cast<double>(rows));
  }
  complete(scores, output_scale, samples);
  return scores;
}

}  // namespace

bool has_marginals(const ModelFile& model) {
  const std::vector<GraphOperation>& graph = model.description.graph;
  const auto count = [&](const char* op) {
    return std::count_if(graph.begin(), graph.end(), [&](const GraphOperation& one) { return one.op == op; });
  };
  return count("sample") == 0 && count("normal_noise") == 1 && !has_predicted_law(model);
}

MarginalScores score_marginals(const ModelFile& model, const LinearConstraints& constraints, const SampleSet& samples,
                               const std::vector<double>& output_scale) {
  if (!has_marginals(model)) {
    MarginalScores scores = score_members(model, samples, output_scale);
    if (has_predicted_law(model) && constraints.shared()) {
      const Eigen::VectorXd nll = negative_log_density(model, constraints, samples, &scores.target_distance);
      if (nll.size() > 0) scores.nll = nll.mean();
    }
    return scores;
  }
  const PredictedMarginals p = predict(model, samples);
  const Index rows = samples.samples, n = samples.output_elements();
  const RowMatrix y = Eigen::Map<const RowMatrix>(samples.outputs.data(), rows, n);
  const RowMatrix inputs = Eigen::Map<const RowMatrix>(samples.inputs.data(), rows, samples.input_elements());
  const GaussianCrps crps = gaussian_crps(p.mean, p.variance, y);

  MarginalScores scores;
  scores.variables = element_names(samples);
  constexpr double z90 = 1.6448536269514722;  // 0.95 quantile of the standard normal
  for (Index i = 0; i < n; ++i) {
    const double mse = (p.mean.col(i) - y.col(i)).squaredNorm() / static_cast<double>(rows);
    Index inside = 0;
    for (Index s = 0; s < rows; ++s) {
      inside += std::abs(y(s, i) - p.mean(s, i)) <= z90 * std::sqrt(p.variance(s, i)) ? 1 : 0;
    }
    scores.rmse.push_back(std::sqrt(mse));
    scores.mae.push_back((p.mean.col(i) - y.col(i)).cwiseAbs().mean());
    scores.crps.push_back(crps.value.col(i).mean());
    scores.coverage90.push_back(static_cast<double>(inside) / static_cast<double>(rows));
  }
  complete(scores, output_scale, samples);
  scores.nll = mean_negative_log_density(model, constraints, p, inputs, y, &scores.target_distance);
  return scores;
}

MarginalScores score_validation(const ModelFile& model, const LinearConstraints& constraints,
                                const SampleSource& samples) {
  const auto n = static_cast<std::size_t>(samples.layout().elements(Role::output));
  const std::vector<double> physical(n, 1.0);
  MarginalScores all;
  for (std::vector<double>* values : {&all.rmse, &all.crps, &all.coverage90, &all.mse_scaled}) values->assign(n, 0.0);
  const auto count = static_cast<double>(samples.count(Subset::validation));
  for_each_piece(samples, Subset::validation, [&](const SampleSet& piece, const std::vector<std::int64_t>&) {
    const MarginalScores some = score_marginals(model, constraints, piece, physical);
    const double share = static_cast<double>(piece.samples) / count;
    for (std::size_t i = 0; i < n; ++i) {
      all.crps[i] += share * some.crps[i];
      all.coverage90[i] += share * some.coverage90[i];
      all.mse_scaled[i] += share * some.mse_scaled[i];
    }
    all.nll += share * some.nll;
    all.target_distance = std::max(all.target_distance, some.target_distance);
    all.variables = some.variables;
    all.members = some.members;
  });
  for (std::size_t i = 0; i < n; ++i) all.rmse[i] = std::sqrt(all.mse_scaled[i]);
  return all;
}

std::vector<double> output_magnitudes(const SampleSet& samples) {
  const auto n = static_cast<std::size_t>(samples.output_elements());
  std::vector<double> largest(n, 0.0);
  for (std::size_t k = 0; k < samples.outputs.size(); ++k) largest[k % n] = std::max(largest[k % n], std::abs(samples.outputs[k]));
  for (double& value : largest) value = value > 0.0 ? value : 1.0;
  return largest;
}

}  // namespace lavoisier::cli
