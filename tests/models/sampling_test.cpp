// The sampling loop with exact predictions: mixtures of Gaussians whose data do not obey the law, asked for their law given it.

#include "mixture.hpp"

#include <lavoisier/random.hpp>

#include <gtest/gtest.h>

#include <algorithm>
#include <cmath>
#include <functional>
#include <numbers>

namespace lavoisier::detail {
namespace {

double normal_cdf(double z) { return 0.5 * std::erfc(-z / std::numbers::sqrt2); }

/// Largest distance between the samples' and the law's distribution functions, over the coordinates.
double kolmogorov(const RowMatrix& u, const Mixture& law) {
  double worst = 0.0;
  const Index count = u.rows();
  for (Index j = 0; j < u.cols(); ++j) {
    std::vector<double> sorted(static_cast<std::size_t>(count));
    for (Index i = 0; i < count; ++i) sorted[static_cast<std::size_t>(i)] = u(i, j);
    std::sort(sorted.begin(), sorted.end());
    for (Index i = 0; i < count; ++i) {
      double cdf = 0.0;
      for (Index k = 0; k < law.size(); ++k) {
        const auto at = static_cast<std::size_t>(k);
        cdf += law.weight[k] * normal_cdf((sorted[static_cast<std::size_t>(i)] - law.mean[at][j]) / std::sqrt(law.covariance[at](j, j)));
      }
      worst = std::max({worst, std::abs(cdf - static_cast<double>(i) / static_cast<double>(count)),
                        std::abs(cdf - static_cast<double>(i + 1) / static_cast<double>(count))});
    }
  }
  return worst;
}

struct Problem {
  explicit Problem(Index n) : data(mixture(n)), a(n) {
    for (Index i = 0; i < n; ++i) a[i] = 1.0 + 0.5 * static_cast<double>(i % 2);
    d = 0.4 * a.dot(data.mean[0]) + 0.6 * a.dot(data.mean[1]);
    // Householder: the columns behind the first are orthonormal and orthogonal to a.
    const MatrixXd Q = Eigen::HouseholderQR<MatrixXd>(a).householderQ() * MatrixXd::Identity(n, n);
    N = Q.rightCols(n - 1);
    law = given(data, a, d, N);
    foot = a * (d / a.squaredNorm());
  }
  Mixture data, law;
  VectorXd a, foot;
  double d = 0.0;
  MatrixXd N;
};

constexpr Index draws = 4000;

Noise noise(Index n) {
  return [n](std::int64_t k) {
    RowMatrix e(draws, n);
    for (Index i = 0; i < draws; ++i)
      for (Index j = 0; j < n; ++j)
        e(i, j) = random::normal({11, 3}, {.column = static_cast<std::uint64_t>(i), .site = static_cast<std::uint64_t>(k),
                                           .element = static_cast<std::uint64_t>(j)});
    return e;
  };
}

RowMatrix by_row(const RowMatrix& x, const std::function<VectorXd(const VectorXd&)>& map) {
  RowMatrix y(x.rows(), x.cols());
  for (Index i = 0; i < x.rows(); ++i) y.row(i) = map(x.row(i).transpose()).transpose();
  return y;
}

/// What a network that knows the conditional law says inside the null space.
Prediction exact(const Problem& problem, const std::string& method, const std::string& prediction) {
  return [&problem, method, prediction](const RowMatrix& x, double t) {
    const ProcessPoint at = method == "flow" ? straight_process(t) : cosine_process(t);
    const Denoised law(problem.law, at);
    return by_row(x, [&](const VectorXd& row) -> VectorXd {
      const VectorXd x0 = problem.N * law(problem.N.transpose() * row);
      if (method == "flow") return (x0 - row) / at.noise;
      const VectorXd e = (row - at.data * x0) / at.noise;
      if (prediction == "noise") return e;
      if (prediction == "data") return x0;
      return at.data * e - at.noise * x0;
    });
  };
}

RowMatrix laws_of(const Problem& problem) { return problem.a.transpose(); }
RowMatrix values_of(const Problem& problem) { return RowMatrix::Constant(draws, 1, problem.d); }

double largest_residual(const Problem& problem, const RowMatrix& y) { return (y * problem.a - VectorXd::Constant(y.rows(), problem.d)).cwiseAbs().maxCoeff(); }

RowMatrix draw(const Problem& problem, const std::string& method, const std::string& prediction, std::int64_t steps) {
  return run_sampling(sampling_table(method, prediction, "null_space", steps), laws_of(problem), values_of(problem),
                      noise(problem.a.size()), exact(problem, method, prediction));
}

class ExactPrediction : public testing::TestWithParam<std::pair<Index, const char*>> {};

/// The process in the null space samples the law given a'y = d as steps grow.
TEST_P(ExactPrediction, NullSpaceSamplesTheConditionalLaw) {
  const auto [n, method] = GetParam();
  const Problem problem(n);
  double before = 1.0;
  for (const auto& [steps, bar] : {std::pair{10, 0.11}, {50, 0.045}, {250, 0.03}}) {
    const RowMatrix y = draw(problem, method, "velocity", steps);
    EXPECT_LT(largest_residual(problem, y), 1e-13);
    const double found = kolmogorov((y.rowwise() - problem.foot.transpose()) * problem.N, problem.law);
    EXPECT_LT(found, bar) << steps << " steps";
    EXPECT_LT(found, before + 0.01) << steps << " steps";
    before = found;
    RecordProperty("kolmogorov_" + std::to_string(steps), std::to_string(found));
  }
}
INSTANTIATE_TEST_SUITE_P(Methods, ExactPrediction,
                         testing::Values(std::pair<Index, const char*>{2, "ddpm"}, std::pair<Index, const char*>{2, "ddim"},
                                         std::pair<Index, const char*>{2, "flow"}, std::pair<Index, const char*>{5, "ddpm"},
                                         std::pair<Index, const char*>{5, "ddim"}, std::pair<Index, const char*>{5, "flow"}),
                         [](const auto& one) { return std::string(one.param.second) + std::to_string(one.param.first); });

/// What post_hoc does, with an exact prediction too: it does not, however many steps are taken.
TEST(Sampling, ProjectingAnUnconditionalProcessSamplesAnotherLaw) {
  for (const Index n : {Index{2}, Index{5}}) {
    const Problem problem(n);
    for (const std::int64_t steps : {10, 50, 250}) {
      RowMatrix y = run_sampling(sampling_table("ddpm", "data", "none", steps), RowMatrix(0, n), RowMatrix(draws, 0), noise(n),
                                 [&](const RowMatrix& x, double t) {
                                   return by_row(x, Denoised(problem.data, cosine_process(t)));
                                 });
      const VectorXd rest = (y * problem.a - VectorXd::Constant(draws, problem.d)) / problem.a.squaredNorm();
      y -= rest * problem.a.transpose();
      EXPECT_GT(kolmogorov((y.rowwise() - problem.foot.transpose()) * problem.N, problem.law), 0.1) << n << " " << steps;
    }
  }
}

/// Projecting each step's prediction of an unconditional model does not either.
TEST(Sampling, ProjectingEachStepOfAnUnconditionalProcessSamplesAnotherLaw) {
  for (const Index n : {Index{2}, Index{5}}) {
    const Problem problem(n);
    for (const std::int64_t steps : {50, 250}) {
      const RowMatrix y = run_sampling(sampling_table("ddpm", "data", "ambient", steps), laws_of(problem), values_of(problem), noise(n),
                                       [&](const RowMatrix& x, double t) {
                                         return by_row(x, Denoised(problem.data, cosine_process(t)));
                                       });
      EXPECT_GT(kolmogorov((y.rowwise() - problem.foot.transpose()) * problem.N, problem.law), 0.045) << n << " " << steps;
    }
  }
}

/// With the conditional law's prediction in ambient coordinates the option "ambient" is right too.
TEST(Sampling, AmbientWithTheConditionalPredictionSamplesTheConditionalLaw) {
  const Problem problem(5);
  const auto predict = [&](const RowMatrix& x, double t) {
    const Denoised law(problem.law, cosine_process(t));
    return by_row(x, [&](const VectorXd& row) -> VectorXd { return problem.foot + problem.N * law(problem.N.transpose() * row); });
  };
  const RowMatrix y = run_sampling(sampling_table("ddpm", "data", "ambient", 250), laws_of(problem), values_of(problem), noise(5), predict);
  EXPECT_LT(kolmogorov((y.rowwise() - problem.foot.transpose()) * problem.N, problem.law), 0.03);
  // The last step has no noise: what it makes is on the laws.
  EXPECT_LT(largest_residual(problem, y), 1e-12);
}

/// What the network says of x_t is a matter of words: the same samples.
TEST(Sampling, PredictionsAreEquivalent) {
  const Problem problem(5);
  const RowMatrix data = draw(problem, "ddpm", "data", 20), velocity = draw(problem, "ddpm", "velocity", 20);
  EXPECT_LT((data - velocity).cwiseAbs().maxCoeff(), 1e-9);
  // "noise" starts a little later, where it still tells the data.
  EXPECT_LT(kolmogorov((draw(problem, "ddpm", "noise", 250).rowwise() - problem.foot.transpose()) * problem.N, problem.law), 0.04);
}

/// Ancestral steps: the coefficients are those of q(x_s | x_t, x0), so its mean and variance compose to the process at s.
TEST(Sampling, AncestralStepsComposeToTheProcess) {
  const SamplingTable table = sampling_table("ddpm", "data", "none", 7);
  for (Index k = 0; k + 1 < table.schedule.rows(); ++k) {
    const ProcessPoint at = cosine_process(table.schedule(k, 0)), next = cosine_process(table.schedule(k + 1, 0));
    const double r = table.schedule(k, 3), u = table.schedule(k, 4), v = table.schedule(k, 5);
    EXPECT_NEAR(r * at.data + u, next.data, 1e-14) << k;
    EXPECT_NEAR(std::sqrt(r * r * at.noise * at.noise + v * v), next.noise, 1e-14) << k;
  }
  EXPECT_NEAR(cosine_process(0.0).data, 1.0, 1e-15);
  EXPECT_EQ(cosine_process(1.0).noise, 1.0);
}

}  // namespace
}  // namespace lavoisier::detail
