#include <lavoisier/projected_losses.hpp>
#include <lavoisier/training_losses.hpp>

#include "differences.hpp"

#include <gtest/gtest.h>

#include <utility>

namespace lavoisier {
namespace {

using tests::Matrix;
using tests::numerical_gradient;
using tests::RandomProblem;
using tests::relative_difference;
using tests::Vector;

class Losses : public testing::TestWithParam<std::pair<int, int>> {
 protected:
  Eigen::Index n = GetParam().first, m = GetParam().second;
  RandomProblem problem{n, m, 4, 401};
  Vector scale = RandomProblem(n, 0, 1, 402).standard_deviation.row(0).transpose();
  Vector metric = RandomProblem(n, 0, 1, 403).standard_deviation.row(0).transpose();

  template <class Loss>
  void check_gradient(const Loss& loss) {
    const BatchLoss result = loss(problem.mean, problem.standard_deviation);
    for (const Status status : result.status) ASSERT_EQ(status, Status::ok);
    EXPECT_LE(relative_difference(result.gradient.mean,
                                  numerical_gradient(
                                      [&](const RowMatrix& x) {
                                        return loss(x, problem.standard_deviation).value.sum();
                                      },
                                      problem.mean)),
              1e-7);
    EXPECT_LE(relative_difference(
                  result.gradient.standard_deviation,
                  numerical_gradient([&](const RowMatrix& x) { return loss(problem.mean, x).value.sum(); },
                                     problem.standard_deviation)),
              1e-7);
  }
};

INSTANTIATE_TEST_SUITE_P(Problems, Losses,
                         testing::Values(std::pair(2, 1), std::pair(6, 2), std::pair(5, 0), std::pair(13, 4),
                                         std::pair(12, 9)));

TEST_P(Losses, ConditionalCrps) {
  const BatchLoss loss = conditional_crps_loss(problem.A, problem.mean, problem.standard_deviation, problem.d,
                                               problem.y, scale);
  const ConditionalMoments moments =
      conditional_moments(problem.A, problem.mean, problem.standard_deviation, problem.d);
  const RowMatrix crps = gaussian_crps(moments.mean, moments.variance, problem.y).value;
  for (Eigen::Index s = 0; s < 4; ++s)
    EXPECT_NEAR(loss.value[s], crps.row(s).transpose().cwiseQuotient(scale).mean(), 1e-13 * loss.value[s]);
  EXPECT_NEAR(loss.mean(), loss.value.mean(), 1e-14 * loss.mean());
  check_gradient([&](const RowMatrix& mean, const RowMatrix& s) {
    return conditional_crps_loss(problem.A, mean, s, problem.d, problem.y, scale);
  });
}

TEST_P(Losses, ProjectedCrps) {
  const BatchLoss loss = projected_crps_loss(problem.A, metric.transpose(), problem.mean, problem.standard_deviation, problem.d,
                                             problem.y, scale);
  const RowMatrix crps = gaussian_crps(orthogonal_projection(problem.A, metric, problem.mean, problem.d),
                                       projected_variance(problem.A, metric, problem.standard_deviation), problem.y)
                             .value;
  for (Eigen::Index s = 0; s < 4; ++s)
    EXPECT_NEAR(loss.value[s], crps.row(s).transpose().cwiseQuotient(scale).mean(), 1e-13 * loss.value[s]);
  check_gradient([&](const RowMatrix& mean, const RowMatrix& s) {
    return projected_crps_loss(problem.A, metric.transpose(), mean, s, problem.d, problem.y, scale);
  });
}

TEST_P(Losses, GaussianCrps) {
  const RowMatrix variance = problem.standard_deviation.array().square();
  const RowMatrix crps = gaussian_crps(problem.mean, variance, problem.y).value;
  const BatchLoss loss = gaussian_crps_loss(problem.mean, problem.standard_deviation, problem.y, scale);
  for (Eigen::Index s = 0; s < 4; ++s)
    EXPECT_NEAR(loss.value[s], crps.row(s).transpose().cwiseQuotient(scale).mean(), 1e-13 * loss.value[s]);
  check_gradient([&](const RowMatrix& mean, const RowMatrix& s) {
    return gaussian_crps_loss(mean, s, problem.y, scale);
  });
}

TEST_P(Losses, ConditionalLikelihood) {
  const LogDensity density =
      conditional_log_density(problem.A, problem.mean, problem.standard_deviation, problem.d, problem.y, false);
  EXPECT_EQ(conditional_likelihood_loss(problem.A, problem.mean, problem.standard_deviation, problem.d, problem.y)
                .value,
            -density.value);
  check_gradient([&](const RowMatrix& mean, const RowMatrix& s) {
    return conditional_likelihood_loss(problem.A, mean, s, problem.d, problem.y);
  });
}

TEST_P(Losses, ProjectedLikelihood) {
  // The projected Gaussian's density in orthonormal coordinates of the laws' surface, dense.
  const BatchLoss loss =
      projected_likelihood_loss(problem.A, metric.transpose(), problem.mean, problem.standard_deviation, problem.d,
                                problem.y);
  const Matrix A = problem.A, D2 = metric.array().square().matrix().asDiagonal();
  const Matrix P = Matrix::Identity(n, n) - D2 * A.transpose() * tests::inverse(A * D2 * A.transpose()) * A;
  const Matrix N = tests::null_basis(A);
  for (Eigen::Index s = 0; s < 4; ++s) {
    const Vector y = problem.y.row(s), mu = problem.mean.row(s);
    const Matrix S = problem.standard_deviation.row(s).array().square().matrix().asDiagonal();
    const double expected = -tests::log_normal_density(N.transpose() * y, N.transpose() * (y + P * (mu - y)),
                                                       N.transpose() * P * S * P.transpose() * N);
    EXPECT_NEAR(loss.value[s], expected, 1e-10 * std::max(1.0, std::abs(expected)));
  }
  check_gradient([&](const RowMatrix& mean, const RowMatrix& s) {
    return projected_likelihood_loss(problem.A, metric.transpose(), mean, s, problem.d, problem.y);
  });
}

TEST_P(Losses, ProjectedLikelihoodInUnitMetricIsTheNullSpaceDensity) {
  const Vector expected =
      null_space_log_density(problem.A, problem.mean, problem.standard_deviation, problem.y);
  const BatchLoss loss = projected_likelihood_loss(problem.A, RowMatrix::Ones(1, n), problem.mean,
                                                   problem.standard_deviation, problem.d, problem.y);
  EXPECT_LE((loss.value + expected).norm(), 1e-12 * (1.0 + expected.norm()));
}

TEST_P(Losses, GaussianLikelihood) {
  const BatchLoss loss = gaussian_likelihood_loss(problem.mean, problem.standard_deviation, problem.y);
  for (Eigen::Index s = 0; s < 4; ++s) {
    const Matrix S = problem.standard_deviation.row(s).array().square().matrix().asDiagonal();
    const double expected = -tests::log_normal_density(problem.y.row(s), problem.mean.row(s), S);
    EXPECT_NEAR(loss.value[s], expected, 1e-12 * std::max(1.0, std::abs(expected)));
  }
  check_gradient([&](const RowMatrix& mean, const RowMatrix& s) {
    return gaussian_likelihood_loss(mean, s, problem.y);
  });
}

TEST(LossArguments, AreChecked) {
  const RandomProblem problem(3, 1, 2, 405);
  const Vector ones = Vector::Ones(3);
  EXPECT_THROW(gaussian_crps_loss(problem.mean, problem.standard_deviation, problem.y, Vector::Zero(3)), Error);
  EXPECT_THROW(gaussian_crps_loss(problem.mean, problem.standard_deviation, problem.y, Vector::Ones(2)), Error);
  EXPECT_THROW(projected_crps_loss(problem.A, -ones.transpose(), problem.mean, problem.standard_deviation, problem.d, problem.y,
                                   ones),
               Error);
  RowMatrix s = problem.standard_deviation;
  s(1, 2) = 0.0;
  EXPECT_EQ(gaussian_likelihood_loss(problem.mean, s, problem.y).status[1], Status::invalid_argument);
  EXPECT_EQ(gaussian_likelihood_loss(problem.mean, s, problem.y).status[0], Status::ok);
}

}  // namespace
}  // namespace lavoisier
