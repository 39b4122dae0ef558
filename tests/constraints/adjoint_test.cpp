#include <lavoisier/conditional_gaussian.hpp>

#include "differences.hpp"

#include <gtest/gtest.h>

#include <utility>

namespace lavoisier {
namespace {

using tests::numerical_gradient;
using tests::RandomProblem;
using tests::relative_difference;

constexpr double tolerance = 1e-7;

class Adjoints : public testing::TestWithParam<std::pair<int, int>> {
 protected:
  Eigen::Index n = GetParam().first, m = GetParam().second;
  RandomProblem problem{n, m, 3, 101};
  RowMatrix weight = RandomProblem(n, 0, 3, 102).mean, other_weight = RandomProblem(n, 0, 3, 103).mean;
};

INSTANTIATE_TEST_SUITE_P(Problems, Adjoints,
                         testing::Values(std::pair(1, 0), std::pair(2, 1), std::pair(3, 2), std::pair(5, 0),
                                         std::pair(6, 2), std::pair(7, 5), std::pair(13, 4), std::pair(11, 8),
                                         std::pair(12, 9), std::pair(17, 1)));

TEST_P(Adjoints, OfMoments) {
  const auto value = [&](const RowMatrix& mean, const RowMatrix& s) {
    const ConditionalMoments moments = conditional_moments(problem.A, mean, s, problem.d);
    return moments.mean.cwiseProduct(weight).sum() + moments.variance.cwiseProduct(other_weight).sum();
  };
  const GaussianGradient gradient = conditional_moments_adjoint(
      problem.A, problem.mean, problem.standard_deviation, problem.d, weight, other_weight);
  EXPECT_LE(relative_difference(gradient.mean, numerical_gradient(
                                                   [&](const RowMatrix& x) {
                                                     return value(x, problem.standard_deviation);
                                                   },
                                                   problem.mean)),
            tolerance);
  EXPECT_LE(relative_difference(
                gradient.standard_deviation,
                numerical_gradient([&](const RowMatrix& x) { return value(problem.mean, x); },
                                   problem.standard_deviation)),
            tolerance);
}

TEST_P(Adjoints, OfMomentsWithLargeLeverages) {
  // One output carries nearly all of its laws' variance: the adjoint that subtracts its own share would lose digits.
  problem.standard_deviation.col(0) *= 1e3;
  const auto value = [&](const RowMatrix& log_s) {
    const ConditionalMoments moments =
        conditional_moments(problem.A, problem.mean, log_s.array().exp().matrix(), problem.d);
    return moments.mean.cwiseProduct(weight).sum() + moments.variance.cwiseProduct(other_weight).sum();
  };
  const RowMatrix log_s = problem.standard_deviation.array().log();
  const GaussianGradient gradient = conditional_moments_adjoint(
      problem.A, problem.mean, problem.standard_deviation, problem.d, weight, other_weight);
  const RowMatrix with_respect_to_log = gradient.standard_deviation.cwiseProduct(problem.standard_deviation);
  EXPECT_LE(relative_difference(with_respect_to_log, numerical_gradient(value, log_s, 0.02)), tolerance);
}

TEST(AdjointOfMoments, DoesNotCancel) {
  // v = S1 S2/(S1 + S2) for both outputs; d v / d s1 = 2 s1 (S2/(S1 + S2))^2, 2e-28 here.
  RowMatrix A(1, 2), mean(1, 2), s(1, 2), d(1, 1), none(1, 2), one(1, 2);
  A << 1.0, 1.0;
  mean << 1.0, 2.0;
  s << 1e4, 1e-4;
  d << 3.0;
  none.setZero();
  one << 1.0, 0.0;
  const GaussianGradient gradient = conditional_moments_adjoint(A, mean, s, d, none, one);
  const double S1 = 1e4 * 1e4, S2 = 1e-4 * 1e-4;
  const double truth1 = 2.0 * 1e4 * std::pow(S2 / (S1 + S2), 2), truth2 = 2.0 * 1e-4 * std::pow(S1 / (S1 + S2), 2);
  EXPECT_NEAR(gradient.standard_deviation(0, 0), truth1, 1e-13 * truth1);
  EXPECT_NEAR(gradient.standard_deviation(0, 1), truth2, 1e-13 * truth2);
}

TEST_P(Adjoints, OfDraws) {
  const auto value = [&](const RowMatrix& mean, const RowMatrix& s) {
    return conditional_draw(problem.A, mean, s, problem.d, problem.e).cwiseProduct(weight).sum();
  };
  const GaussianGradient gradient =
      conditional_draw_adjoint(problem.A, problem.mean, problem.standard_deviation, problem.d, problem.e, weight);
  EXPECT_LE(relative_difference(gradient.mean, numerical_gradient(
                                                   [&](const RowMatrix& x) {
                                                     return value(x, problem.standard_deviation);
                                                   },
                                                   problem.mean)),
            tolerance);
  EXPECT_LE(relative_difference(
                gradient.standard_deviation,
                numerical_gradient([&](const RowMatrix& x) { return value(problem.mean, x); },
                                   problem.standard_deviation)),
            tolerance);
}

TEST_P(Adjoints, OfLogDensity) {
  const auto value = [&](const RowMatrix& mean, const RowMatrix& s) {
    return conditional_log_density(problem.A, mean, s, problem.d, problem.y, false).value.sum();
  };
  const LogDensity density =
      conditional_log_density(problem.A, problem.mean, problem.standard_deviation, problem.d, problem.y, true);
  EXPECT_LE(relative_difference(density.gradient.mean, numerical_gradient(
                                                           [&](const RowMatrix& x) {
                                                             return value(x, problem.standard_deviation);
                                                           },
                                                           problem.mean)),
            tolerance);
  EXPECT_LE(relative_difference(
                density.gradient.standard_deviation,
                numerical_gradient([&](const RowMatrix& x) { return value(problem.mean, x); },
                                   problem.standard_deviation)),
            tolerance);
}

TEST_P(Adjoints, OfCrps) {
  const RowMatrix variance = problem.standard_deviation.array().square();
  const GaussianCrps crps = gaussian_crps(problem.mean, variance, problem.y);
  EXPECT_LE(relative_difference(crps.mean_bar,
                                numerical_gradient(
                                    [&](const RowMatrix& x) {
                                      return gaussian_crps(x, variance, problem.y).value.sum();
                                    },
                                    problem.mean)),
            tolerance);
  EXPECT_LE(relative_difference(crps.variance_bar,
                                numerical_gradient(
                                    [&](const RowMatrix& x) {
                                      return gaussian_crps(problem.mean, x, problem.y).value.sum();
                                    },
                                    variance)),
            tolerance);
}

TEST_P(Adjoints, OfProjection) {
  const Eigen::VectorXd scale = problem.standard_deviation.row(0).transpose();
  EXPECT_LE(relative_difference(orthogonal_projection_adjoint(problem.A, scale, weight),
                                numerical_gradient(
                                    [&](const RowMatrix& x) {
                                      return orthogonal_projection(problem.A, scale, x, problem.d)
                                          .cwiseProduct(weight)
                                          .sum();
                                    },
                                    problem.mean)),
            tolerance);
  EXPECT_LE(relative_difference(
                projected_variance_adjoint(problem.A, scale, problem.standard_deviation, other_weight),
                numerical_gradient(
                    [&](const RowMatrix& x) {
                      return projected_variance(problem.A, scale, x).cwiseProduct(other_weight).sum();
                    },
                    problem.standard_deviation)),
            tolerance);
}

}  // namespace
}  // namespace lavoisier
