#ifndef LAVOISIER_TESTS_MODELS_PROBLEMS_LINEAR_GAUSSIAN_HPP
#define LAVOISIER_TESTS_MODELS_PROBLEMS_LINEAR_GAUSSIAN_HPP

#include "mixture.hpp"
#include "samples.hpp"

namespace lavoisier::test {

/// y = B x + C z + s e with orthogonal columns of C: the exact posterior has a diagonal covariance, so an evidence
/// bound can be the likelihood itself.
struct LatentProblem {
  explicit LatentProblem(bool with_law, Eigen::Index count = 20000) : n(5) {
    using Eigen::MatrixXd, Eigen::VectorXd;
    MatrixXd C(n, 2), B(n, 2);
    C << 1.0, 0.5, -0.8, 0.6, 0.9, -0.4, 0.3, 0.9, 0.1, 0.2;
    C = Eigen::HouseholderQR<MatrixXd>(C).householderQ() * MatrixXd::Identity(n, 2) *
        Eigen::Vector2d(2.0, 1.2).asDiagonal();
    B << 0.5, -0.2, 0.1, 0.4, -0.3, 0.2, 0.6, 0.1, -0.1, 0.3;
    RowMatrix x(count, 2), y(count, n);
    const MatrixXd S = C * C.transpose() + 0.16 * MatrixXd::Identity(n, n);
    const MatrixXd root = S.llt().matrixL();
    VectorXd a = VectorXd::Ones(n);
    const VectorXd G = S * a / a.dot(S * a);
    MatrixXd N = MatrixXd::Identity(n, n);
    MatrixXd V = S;
    if (with_law) {
      N = (Eigen::HouseholderQR<MatrixXd>(a).householderQ() * MatrixXd::Identity(n, n)).rightCols(n - 1);
      V = N.transpose() * (S - G * a.transpose() * S) * N;
    }
    double sum = 0.0;
    Eigen::Index judged = 0;
    for (Eigen::Index i = 0; i < count; ++i) {
      const auto row = static_cast<std::uint64_t>(i);
      VectorXd e(n);
      for (Eigen::Index j = 0; j < n; ++j) e[j] = normal_of_row(row, static_cast<std::uint64_t>(j));
      x(i, 0) = 2.0 * normal_of_row(row, 100);
      x(i, 1) = normal_of_row(row, 101);
      VectorXd mean = B * x.row(i).transpose();
      VectorXd draw = mean + root * e;
      if (with_law) {
        mean -= G * (a.dot(mean) - x(i, 0));
        draw -= G * (a.dot(draw) - x(i, 0));
        draw -= G * (a.dot(draw) - x(i, 0));
      }
      y.row(i) = draw.transpose();
      if (i % 5 != 4) continue;
      sum -= detail::log_normal(N.transpose() * draw, N.transpose() * mean, V);
      ++judged;
    }
    likelihood = sum / static_cast<double>(judged);
    samples = samples_of(layout_of(2, n), x, y);
    if (with_law) laws = sum_law(n);
  }
  LinearConstraints constraints() const { return {samples.layout, laws, {}}; }
  /// The mean exact -log p(y | x) of the validation samples in the trainer's units.
  double expected(const ModelFile& model) const {
    const auto scale = model.tensor("output.scale").f64();
    double value = likelihood;
    for (const double s : scale) value -= std::log(s);
    if (laws.empty()) return value;
    // The surface of the standardised laws: log p_physical = log p_standardised - sum log s + log |A s| - log |A|.
    double scaled = 0.0;
    for (const double s : scale) scaled += s * s;
    return value + 0.5 * std::log(scaled / static_cast<double>(n));
  }
  /// Minus the evidence bound of the validation samples, one draw each, beside minus their log likelihood.
  Figure bound(const TrainingResult& result) const {
    return {result.history.back().best_validation_loss, expected(result.model)};
  }
  Eigen::Index n;
  double likelihood = 0.0;
  SampleSet samples;
  std::vector<Law> laws;
};

/// `vae` or `ladder_vae`.
inline TrainingOptions linear_gaussian_options(const std::string& generator, bool with_law) {
  TrainingOptions options = options_for(generator);
  options.network.hidden = {16};
  options.network.initial_deviation = 1.0;
  options.generator.kl_warm_up = 10;
  options.generator.latents = generator == "vae" ? std::vector<std::int64_t>{2} : std::vector<std::int64_t>{2, 2};
  options.strategy = strategy_of(with_law);
  return options;
}

}  // namespace lavoisier::test

#endif
