#ifndef LAVOISIER_TESTS_MODELS_PROBLEMS_HEADS_HPP
#define LAVOISIER_TESTS_MODELS_PROBLEMS_HEADS_HPP

// Outputs that are not Gaussian and whose law given two inputs is known.

#include "samples.hpp"

#include <lavoisier/conditional_counts.hpp>
#include <lavoisier/conditional_gamma.hpp>
#include <lavoisier/positive_signed.hpp>
#include <lavoisier/predicted_law.hpp>

#include <cmath>
#include <string>
#include <vector>

namespace lavoisier::test {

constexpr std::uint64_t heads_seed = 5;

inline double normal_of_head(std::int64_t row, std::uint64_t element) {
  return random::normal({heads_seed, 1}, {.column = static_cast<std::uint64_t>(row), .element = element});
}

/// Inputs x0 and x1 of `count` samples, which have outputs later.
inline SampleSet head_inputs(const StateLayout& layout, std::int64_t count, bool whole = false) {
  SampleSet samples;
  samples.layout = layout;
  samples.samples = count;
  samples.source = "synthetic heads";
  for (std::int64_t row = 0; row < count; ++row) {
    for (std::uint64_t j = 0; j < 2; ++j) {
      const double x = normal_of_head(row, j);
      samples.inputs.push_back(whole ? std::floor(40.0 + 6.0 * x) : x);
    }
    samples.subset.push_back(row % 4 == 3 ? Subset::validation : Subset::training);
    samples.column.push_back(static_cast<std::uint64_t>(row));
    samples.step.push_back(0);
  }
  return samples;
}

inline void set_outputs(SampleSet& samples, const RowMatrix& y) {
  samples.outputs.assign(y.data(), y.data() + y.size());
}

template <class Matrix>
RowMatrix validation_rows(const SampleSet& samples, const Matrix& all) {
  std::vector<Eigen::Index> rows;
  for (std::int64_t row = 0; row < samples.samples; ++row)
    if (samples.subset[static_cast<std::size_t>(row)] == Subset::validation) rows.push_back(row);
  return all(rows, Eigen::all);
}

/// rain (hurdle of gammas), cloud (log-normal) and three signed outputs: q0 + q1 + q2 = x0 + rain - 2 cloud; all
/// parameters follow the inputs. Order: q0, rain, q1, cloud, q2.
struct MixedProblem {
  StateLayout layout{
      {},
      {scalar("x0", Role::input), scalar("x1", Role::input), scalar("q0", Role::output), scalar("rain", Role::output),
       scalar("q1", Role::output), scalar("cloud", Role::output), scalar("q2", Role::output)}};
  std::vector<Law> laws = {linear_law("water", {{"q0", 1.0}, {"q1", 1.0}, {"q2", 1.0}, {"rain", -1.0}, {"cloud", 2.0}},
                                      Expression::symbol("x0"))};
  SampleSet samples;
  PositiveSigned law;

  explicit MixedProblem(std::int64_t count, bool without_atom = false) : samples(head_inputs(layout, count)) {
    law.families = {without_atom ? PositiveFamily::log_normal : PositiveFamily::hurdle_gamma,
                    PositiveFamily::log_normal};
    law.a = law.b = law.zero = RowMatrix::Constant(count, 2, 0.5);
    law.mean = law.standard_deviation = RowMatrix(count, 3);
    law.A = RowMatrix(1, 5);
    law.A << -1.0, 2.0, 1.0, 1.0, 1.0;
    law.d = RowMatrix(count, 1);
    for (Eigen::Index row = 0; row < count; ++row) {
      const double x0 = samples.inputs[static_cast<std::size_t>(2 * row)],
                   x1 = samples.inputs[static_cast<std::size_t>(2 * row + 1)];
      const double s = std::exp(-0.6 + 0.2 * x1);
      law.a(row, 0) = without_atom ? 0.3 * x0 : 1.0 / (s * s);
      law.b(row, 0) = without_atom ? s : std::exp(-1.5 - 0.4 * x0) / (s * s);
      law.zero(row, 0) = 1.0 / (1.0 + std::exp(0.5 - 0.8 * x1));
      law.a(row, 1) = -0.3 + 0.5 * x1;
      law.b(row, 1) = 0.4;
      law.mean.row(row) << 3.0 + x0, 2.0 * x1, -1.0 + 0.5 * x0 - x1;
      law.standard_deviation.row(row) << 0.6, 1.2 * std::exp(0.2 * x0), 0.9;
      law.d(row, 0) = x0;
    }
    DrawOptions options;
    options.key = {heads_seed, 2};
    const PositiveSignedDraw draw = positive_signed_draw(law, options);
    RowMatrix y(count, 5);
    for (Eigen::Index row = 0; row < count; ++row)
      y.row(row) << draw.q(row, 0), draw.p(row, 0), draw.q(row, 1), draw.p(row, 1), draw.q(row, 2);
    set_outputs(samples, y);
  }
  LinearConstraints constraints() const { return {layout, laws, {}}; }
  PositiveSigned validation_law() const {
    PositiveSigned one = law;
    for (RowMatrix* part : {&one.a, &one.b, &one.zero, &one.mean, &one.standard_deviation, &one.d})
      *part = validation_rows(samples, *part);
    return one;
  }
  /// Minus the log density of the validation samples under a law of theirs, a sample.
  double loss(const PositiveSigned& one) const {
    const RowMatrix y = validation_rows(samples, outputs_of(samples));
    const std::vector<Eigen::Index> positive = {1, 3}, others = {0, 2, 4};
    return -positive_signed_log_density(one, y(Eigen::all, positive), y(Eigen::all, others),
                                        PositiveSignedMeasure::product, false)
                .value.mean();
  }
};

inline TrainingOptions mixed_options(const std::string& rain = "hurdle_gamma") {
  TrainingOptions options;
  options.head.family = "mixed";
  options.head.positive = {"rain=" + rain, "cloud=log_normal"};
  options.loss = Loss::likelihood;
  options.network.hidden = {16};
  options.threads = 1;
  return options;
}

/// Shares of x0^2 + 1 (weights 1, 2) and of x1^2 + 2 (weights .5, 1, 1).
struct SharesProblem {
  StateLayout layout{
      {},
      {scalar("x0", Role::input), scalar("x1", Role::input), scalar("u", Role::output, "W m-2"),
       scalar("v", Role::output), scalar("r", Role::output), scalar("s", Role::output), scalar("t", Role::output)}};
  std::vector<Law> laws = {linear_law("first", {{"u", 1.0}, {"v", 2.0}},
                                      Expression::symbol("x0") * Expression::symbol("x0") + Expression(1.0)),
                           linear_law("second", {{"r", 0.5}, {"s", 1.0}, {"t", 1.0}},
                                      Expression::symbol("x1") * Expression::symbol("x1") + Expression(2.0))};
  SampleSet samples;
  GammaGivenSum law;

  explicit SharesProblem(std::int64_t count) : samples(head_inputs(layout, count)) {
    law.A = RowMatrix(2, 5);
    law.A << 1.0, 2.0, 0.0, 0.0, 0.0, 0.0, 0.0, 0.5, 1.0, 1.0;
    law.d = RowMatrix(count, 2);
    law.concentration = RowMatrix(count, 5);
    for (Eigen::Index row = 0; row < count; ++row) {
      const double x0 = samples.inputs[static_cast<std::size_t>(2 * row)],
                   x1 = samples.inputs[static_cast<std::size_t>(2 * row + 1)];
      law.d.row(row) << x0 * x0 + 1.0, x1 * x1 + 2.0;
      law.concentration.row(row) << std::exp(0.5 + 0.5 * x1), std::exp(0.8), std::exp(0.3 - 0.4 * x0), std::exp(1.0),
          std::exp(0.6 + 0.3 * x1);
    }
    DrawOptions options;
    options.key = {heads_seed, 3};
    set_outputs(samples, gamma_given_sum_draw(law, options).y);
  }
  LinearConstraints constraints() const { return {layout, laws, {}}; }
  GammaGivenSum validation_law() const {
    GammaGivenSum one = law;
    one.concentration = validation_rows(samples, law.concentration);
    one.d = validation_rows(samples, law.d);
    return one;
  }
  double loss(const GammaGivenSum& one) const {
    const RowMatrix y = validation_rows(samples, outputs_of(samples));
    return -gamma_given_sum_log_density(one, y, GammaGivenSumMeasure::surface, false).value.mean();
  }
};

/// Counts with sums x0 (weight 1) and 2 x1 (weight 2).
struct CountsProblem {
  StateLayout layout{
      {},
      {scalar("x0", Role::input), scalar("x1", Role::input), scalar("a", Role::output), scalar("b", Role::output),
       scalar("c", Role::output), scalar("e", Role::output), scalar("f", Role::output)}};
  std::vector<Law> laws = {
      linear_law("first", {{"a", 1.0}, {"b", 1.0}}, Expression::symbol("x0")),
      linear_law("second", {{"c", 2.0}, {"e", 2.0}, {"f", 2.0}}, Expression(2.0) * Expression::symbol("x1"))};
  SampleSet samples;
  RowMatrix A{{1.0, 1.0, 0.0, 0.0, 0.0}, {0.0, 0.0, 2.0, 2.0, 2.0}}, log_rate, d;

  explicit CountsProblem(std::int64_t count)
      : samples(head_inputs(layout, count, true)), log_rate(count, 5), d(count, 2) {
    for (Eigen::Index row = 0; row < count; ++row) {
      const double x0 = samples.inputs[static_cast<std::size_t>(2 * row)],
                   x1 = samples.inputs[static_cast<std::size_t>(2 * row + 1)];
      d.row(row) << x0, 2.0 * x1;
      const double u0 = (x0 - 40.0) / 6.0, u1 = (x1 - 40.0) / 6.0;
      log_rate.row(row) << 2.0 + 0.5 * u1, 2.5, 1.0 + 0.4 * u0, 2.0, 2.2 - 0.3 * u1;
    }
    DrawOptions options;
    options.key = {heads_seed, 4};
    set_outputs(samples, poisson_given_sum_draw(A, log_rate, d, options).y);
  }
  LinearConstraints constraints() const { return {layout, laws, {}}; }
  RowMatrix validation_law() const { return validation_rows(samples, log_rate); }
  double loss(const RowMatrix& rate) const {
    const RowMatrix y = validation_rows(samples, outputs_of(samples));
    return -poisson_given_sum_log_density(A, rate, validation_rows(samples, d), y, false).value.mean();
  }
};

inline TrainingOptions family_options(const std::string& family, Strategy strategy = Strategy::conditional) {
  TrainingOptions options;
  options.head.family = family;
  options.loss = Loss::likelihood;
  options.strategy = strategy;
  options.network.hidden = {16};
  options.threads = 1;
  return options;
}

/// A training that reaches the exact likelihood.
inline TrainingOptions thorough(TrainingOptions options) {
  options.epochs = options.head.family == "mixed" ? 80 : 60;
  options.batch = 100;
  options.learning_rate = 4e-3;
  return options;
}

/// Minus the log density of the validation samples in physical units, a sample.
template <class Problem>
Figure head_likelihood(const Problem& problem, const ModelFile& model) {
  const SampleSet validation = select(problem.samples, Subset::validation);
  return {negative_log_density(model, problem.constraints(), validation).mean(),
          problem.loss(problem.validation_law())};
}

}  // namespace lavoisier::test

#endif
