#ifndef LAVOISIER_TESTS_MODELS_PROBLEMS_SERIES_HPP
#define LAVOISIER_TESTS_MODELS_PROBLEMS_SERIES_HPP

#include "samples.hpp"

#include <lavoisier/projected_losses.hpp>

namespace lavoisier::test {

/// Series that answer their own lags and one another's: y = sum over lags of B_lag x_lag + s e, with a law given
/// sum(y) = d; its CRPS is known.
struct SeriesProblem {
  static constexpr Eigen::Index series = 4, lags = 6, count = 24000, inputs = series * lags + 1;

  explicit SeriesProblem(bool with_law) : means(count / 5, series), judged(count / 5, series) {
    using Eigen::MatrixXd, Eigen::VectorXd;
    RowMatrix x(count, inputs), y(count, series);
    MatrixXd B(series, series * lags);
    for (Eigen::Index i = 0; i < B.size(); ++i) B.data()[i] = 0.35 * std::sin(1.9 * static_cast<double>(i));
    const VectorXd s = VectorXd::LinSpaced(series, 0.3, 0.6), a = VectorXd::Ones(series);
    const VectorXd S = s.cwiseAbs2(), G = S / S.sum();
    variance = with_law ? VectorXd(S - G.cwiseProduct(S)) : S;
    for (Eigen::Index i = 0; i < count; ++i) {
      const auto row = static_cast<std::uint64_t>(i);
      for (Eigen::Index j = 0; j < inputs; ++j) x(i, j) = normal_of_row(row, static_cast<std::uint64_t>(j));
      VectorXd mean = B * x.row(i).head(series * lags).transpose(), draw(series);
      for (Eigen::Index j = 0; j < series; ++j)
        draw[j] = mean[j] + s[j] * normal_of_row(row, static_cast<std::uint64_t>(200 + j));
      if (with_law) {
        mean -= G * (a.dot(mean) - x(i, inputs - 1));
        draw -= G * (a.dot(draw) - x(i, inputs - 1));
        draw -= G * (a.dot(draw) - x(i, inputs - 1));
      }
      y.row(i) = draw.transpose();
      if (i % 5 != 4) continue;
      means.row(i / 5) = mean.transpose();
      judged.row(i / 5) = draw.transpose();
    }
    samples = samples_of(layout_of(inputs, series), x, y);
    if (with_law) laws = sum_law(series, "x" + std::to_string(inputs - 1));
  }
  LinearConstraints constraints() const { return {samples.layout, laws, {}}; }
  /// CRPS of the validation samples in the trainer's units.
  Figure crps(const TrainingResult& result) const {
    const auto scale = result.model.tensor("output.scale").f64();
    const RowMatrix value = gaussian_crps(means, variance.transpose().replicate(count / 5, 1), judged).value;
    const Eigen::VectorXd weight = Eigen::Map<const Eigen::VectorXd>(scale.data(), series).cwiseInverse();
    return {result.history.back().best_validation_loss, (value * weight).mean() / static_cast<double>(series)};
  }
  RowMatrix means, judged;   ///< of the validation samples: exact means, targets
  Eigen::VectorXd variance;  ///< of the marginals
  SampleSet samples;
  std::vector<Law> laws;
};

inline TrainingOptions series_options(bool with_law) {
  TrainingOptions options = options_for("spectral_temporal");
  options.loss = Loss::crps;
  options.strategy = strategy_of(with_law);
  options.generator.series = SeriesProblem::series;
  options.generator.window = SeriesProblem::lags;
  options.generator.fields.widths = {8};
  options.generator.fields.blocks = 2;
  options.epochs = 16;
  options.weight_decay = 0.02;
  return options;
}

}  // namespace lavoisier::test

#endif
