// Coupled laws over outputs whose deviations differ by many decades, and laws that are nearly dependent: FP64 loses the
// small ones, double-double does not.

#include <lavoisier/training_losses.hpp>

#include "dense_gaussian.hpp"
#include "quad_gaussian.hpp"

#include <gtest/gtest.h>

#include <cmath>
#include <cstdio>
#include <random>
#include <tuple>
#include <utility>

namespace lavoisier {
namespace {

using tests::Quad;
using tests::QuadConditional;
using tests::RandomProblem;

/// Deviations 10^u, u uniform in (-decades, decades); y drawn from the conditional law.
RandomProblem wide_problem(Eigen::Index n, Eigen::Index m, Eigen::Index samples, unsigned seed, double decades) {
  RandomProblem problem(n, m, samples, seed);
  std::mt19937_64 engine(seed + 1);
  std::uniform_real_distribution<double> exponent(-decades, decades);
  for (Eigen::Index i = 0; i < samples * n; ++i)
    problem.standard_deviation.data()[i] = std::pow(10.0, exponent(engine));
  problem.y = problem.mean + problem.e.cwiseProduct(problem.standard_deviation);
  problem.d = problem.y * problem.A.transpose();
  problem.y = conditional_draw(problem.A, problem.mean, problem.standard_deviation, problem.d, problem.e);
  return problem;
}

class WideDeviations : public testing::TestWithParam<std::tuple<int, int, double>> {
 protected:
  Eigen::Index n = std::get<0>(GetParam()), m = std::get<1>(GetParam());
  double decades = std::get<2>(GetParam());
};
INSTANTIATE_TEST_SUITE_P(Problems, WideDeviations,
                         testing::Values(std::tuple(5, 2, 1.0), std::tuple(5, 2, 2.0), std::tuple(7, 3, 3.0),
                                         std::tuple(7, 3, 4.0), std::tuple(13, 4, 4.0), std::tuple(11, 9, 4.0),
                                         std::tuple(23, 7, 4.0), std::tuple(7, 3, 6.0)));

TEST_P(WideDeviations, LoseNoDigits) {
  const Eigen::Index samples = 20;
  const RandomProblem p = wide_problem(n, m, samples, 501, decades);
  const ConditionalMoments moments = conditional_moments(p.A, p.mean, p.standard_deviation, p.d);
  const RowMatrix draw = conditional_draw(p.A, p.mean, p.standard_deviation, p.d, p.e);
  RowMatrix m_bar(samples, n), v_bar(samples, n);
  for (Eigen::Index s = 0; s < samples; ++s) {
    ASSERT_EQ(moments.status[static_cast<std::size_t>(s)], Status::ok);
    m_bar.row(s) = moments.variance.row(s).cwiseSqrt().cwiseInverse();
    v_bar.row(s) = moments.variance.row(s).cwiseInverse();
  }
  const GaussianGradient gradient =
      conditional_moments_adjoint(p.A, p.mean, p.standard_deviation, p.d, m_bar, v_bar);
  const LogDensity density = conditional_log_density(p.A, p.mean, p.standard_deviation, p.d, p.y, true);
  const ConditionalEntropy entropy = conditional_entropy(p.A, p.standard_deviation, true);
  double mean_error = 0.0, variance_error = 0.0, residual = 0.0, density_error = 0.0, gradient_error = 0.0;
  for (Eigen::Index s = 0; s < samples; ++s) {
    const QuadConditional oracle(p.A, p.mean.row(s), p.standard_deviation.row(s), p.d.row(s));
    residual = std::max(residual, tests::relative_residual_of(p.A, moments.mean.row(s), p.d.row(s)));
    residual = std::max(residual, tests::relative_residual_of(p.A, draw.row(s), p.d.row(s)));
    const double expected = oracle.log_density(p.y.row(s));
    density_error = std::max(density_error, std::abs(density.value[s] - expected) / std::max(1.0, std::abs(expected)));
    EXPECT_NEAR(entropy.value[s], oracle.entropy(), 1e-11 * std::max(1.0, std::abs(oracle.entropy())));
    for (Eigen::Index j = 0; j < n; ++j) {
      const double v = oracle.variance_of(j), deviation = p.standard_deviation(s, j);
      variance_error = std::max(variance_error, std::abs(moments.variance(s, j) - v) / v);
      mean_error = std::max(mean_error, std::abs(moments.mean(s, j) - oracle.mean_of(j)) /
                                            (std::sqrt(v) + std::abs(oracle.mean_of(j))));
      EXPECT_NEAR(entropy.standard_deviation(s, j) * deviation, v / (deviation * deviation), 1e-9);
      // Sum over i of v_bar_i P_ij^2 and of m_bar_i P_ij with P = V S^-1, and S A' lambda = mu - m.
      const Quad S = static_cast<Quad>(deviation) * static_cast<Quad>(deviation);
      Quad of_variances = 0, of_mean = 0, size = 0;
      for (Eigen::Index i = 0; i < n; ++i) {
        const Quad P = oracle.covariance[static_cast<std::size_t>(i)][static_cast<std::size_t>(j)] / S;
        of_variances += static_cast<Quad>(v_bar(s, i)) * P * P;
        of_mean += static_cast<Quad>(m_bar(s, i)) * P;
        size += static_cast<Quad>(m_bar(s, i)) * (P < 0 ? -P : P);
      }
      const Quad pull = (static_cast<Quad>(p.mean(s, j)) - oracle.mean[static_cast<std::size_t>(j)]) / S;
      const Quad mean_part = of_mean * pull;
      const double of_deviation = static_cast<double>(2 * static_cast<Quad>(deviation) * (of_variances - mean_part));
      const double deviation_size =
          static_cast<double>(2 * static_cast<Quad>(deviation) *
                              (of_variances + (mean_part < 0 ? -mean_part : mean_part) +
                               size * (pull < 0 ? -pull : pull)));
      gradient_error = std::max(gradient_error, std::abs(gradient.mean(s, j) - static_cast<double>(of_mean)) /
                                                    static_cast<double>(size));
      gradient_error =
          std::max(gradient_error, std::abs(gradient.standard_deviation(s, j) - of_deviation) / deviation_size);
    }
  }
  std::printf("n %ld, m %ld, 1e+-%.0f: mean %.1e, variance %.1e, residual %.1e, log density %.1e, adjoint %.1e\n", n,
              m, decades, mean_error, variance_error, residual, density_error, gradient_error);
  EXPECT_LE(mean_error, 1e-9);
  EXPECT_LE(variance_error, 1e-9);
  EXPECT_LE(residual, 1e-14);
  EXPECT_LE(density_error, 1e-10);
  EXPECT_LE(gradient_error, 1e-9);
}

TEST_P(WideDeviations, NullSpaceDensityIsTheDenseOne) {
  const RandomProblem p = wide_problem(n, m, 20, 503, decades);
  const Eigen::VectorXd value = null_space_log_density(p.A, p.mean, p.standard_deviation, p.y);
  for (Eigen::Index s = 0; s < 20; ++s) {
    const QuadConditional oracle(p.A, p.mean.row(s), p.standard_deviation.row(s), p.d.row(s));
    const double expected = oracle.null_space_log_density(p.y.row(s), p.mean.row(s), p.standard_deviation.row(s));
    EXPECT_NEAR(value[s], expected, 1e-10 * std::max(1.0, std::abs(expected)));
  }
}

TEST(NearlyDependentLaws, AreHeldToTheLastBit) {
  for (const double condition_of_W : {1.0, 1e4, 1e8, 1e12, 1e16, 1e20, 1e24}) {
    RandomProblem p(41, 15, 3, 37, 0.0);
    p.A = tests::with_condition(p.A, std::sqrt(condition_of_W));
    p.d = p.y * p.A.transpose();
    const ConditionalMoments moments = conditional_moments(p.A, p.mean, p.standard_deviation, p.d);
    const RowMatrix draw = conditional_draw(p.A, p.mean, p.standard_deviation, p.d, p.e);
    double residual = 0.0, variance_error = 0.0;
    for (Eigen::Index s = 0; s < 3; ++s) {
      ASSERT_EQ(moments.status[static_cast<std::size_t>(s)], Status::ok) << condition_of_W;
      residual = std::max(residual, tests::relative_residual_of(p.A, draw.row(s), p.d.row(s)));
      residual = std::max(residual, tests::relative_residual_of(p.A, moments.mean.row(s), p.d.row(s)));
      if (s > 0) continue;
      const QuadConditional oracle(p.A, p.mean.row(s), p.standard_deviation.row(s), p.d.row(s));
      for (Eigen::Index j = 0; j < 41; ++j)
        variance_error = std::max(variance_error,
                                  std::abs(moments.variance(s, j) - oracle.variance_of(j)) / oracle.variance_of(j));
    }
    std::printf("cond(W) %.0e: residual %.1e, variance %.1e\n", condition_of_W, residual, variance_error);
    EXPECT_LE(residual, 1e-14) << condition_of_W;
    EXPECT_LE(variance_error, condition_of_W > 1e20 ? 1e-8 : 1e-10) << condition_of_W;
  }
}

TEST(NearlyDependentLaws, SingularBeyondDoubleDoubleIsAStatus) {
  RandomProblem p(5, 2, 1, 41);
  p.A.row(1) = 2.0 * p.A.row(0);
  EXPECT_EQ(conditional_moments(p.A, p.mean, p.standard_deviation, p.d).status[0], Status::rank_deficient);
  p.A(1, 3) += 1e-13 * p.A(1, 3);
  EXPECT_EQ(conditional_moments(p.A, p.mean, p.standard_deviation, p.d).status[0], Status::ok);
}

}  // namespace
}  // namespace lavoisier
