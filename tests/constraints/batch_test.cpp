// One bad sample, or another number of threads, never changes a bit of the others.

#include <lavoisier/projected_losses.hpp>

#include "dense_gaussian.hpp"

#include <gtest/gtest.h>

#include <cmath>
#include <cstring>
#include <limits>
#include <utility>
#include <vector>

namespace lavoisier {
namespace {

using tests::RandomProblem;

/// Everything that the module computes of a batch, a row a sample.
RowMatrix everything(const RandomProblem& p, const BatchOptions& options, std::vector<Status>* status = nullptr) {
  const Eigen::Index samples = p.mean.rows(), n = p.mean.cols();
  const Eigen::VectorXd ones = Eigen::VectorXd::Ones(n);
  const ConditionalMoments moments = conditional_moments(p.A, p.mean, p.standard_deviation, p.d, options);
  const GaussianGradient adjoint =
      conditional_moments_adjoint(p.A, p.mean, p.standard_deviation, p.d, p.e, p.e, options);
  const RowMatrix draw = conditional_draw(p.A, p.mean, p.standard_deviation, p.d, p.e, options);
  const GaussianGradient draw_adjoint =
      conditional_draw_adjoint(p.A, p.mean, p.standard_deviation, p.d, p.e, p.e, options);
  const LogDensity density = conditional_log_density(p.A, p.mean, p.standard_deviation, p.d, p.y, true, options);
  const Eigen::VectorXd null_density = null_space_log_density(p.A, p.mean, p.standard_deviation, p.y, options);
  const BatchLoss crps = conditional_crps_loss(p.A, p.mean, p.standard_deviation, p.d, p.y, ones, options);
  const BatchLoss projected = projected_crps_loss(p.A, ones.transpose(), p.mean, p.standard_deviation, p.d, p.y, ones, options);
  const BatchLoss likelihood = projected_likelihood_loss(p.A, ones.transpose(), p.mean, p.standard_deviation, p.d, p.y, options);
  const BatchLoss plain = gaussian_crps_loss(p.mean, p.standard_deviation, p.y, ones, options);
  const BatchLoss plain_likelihood = gaussian_likelihood_loss(p.mean, p.standard_deviation, p.y, options);
  if (status != nullptr) *status = moments.status;
  RowMatrix all(samples, 19 * n + 7);
  all << moments.mean, moments.variance, adjoint.mean, adjoint.standard_deviation, draw, draw_adjoint.mean,
      draw_adjoint.standard_deviation, density.value, density.gradient.mean, density.gradient.standard_deviation,
      null_density, crps.value, crps.gradient.mean, crps.gradient.standard_deviation, projected.value,
      projected.gradient.mean, projected.gradient.standard_deviation, likelihood.value, likelihood.gradient.mean,
      likelihood.gradient.standard_deviation, plain.value, plain.gradient.mean, plain.gradient.standard_deviation,
      plain_likelihood.value, plain_likelihood.gradient.mean, plain_likelihood.gradient.standard_deviation;
  return all;
}

bool same_bits(const RowMatrix& a, const RowMatrix& b, Eigen::Index s) {
  return std::memcmp(a.row(s).data(), b.row(s).data(), static_cast<std::size_t>(a.cols()) * sizeof(double)) == 0;
}

class Batches : public testing::TestWithParam<std::pair<int, int>> {
 protected:
  Eigen::Index n = GetParam().first, m = GetParam().second;
};

INSTANTIATE_TEST_SUITE_P(Problems, Batches,
                         testing::Values(std::pair(3, 1), std::pair(6, 2), std::pair(7, 3), std::pair(5, 0),
                                         std::pair(23, 9)));

TEST_P(Batches, ThreadsDoNotChangeABit) {
  const RandomProblem problem(n, m, 4099, 301);
  const RowMatrix one = everything(problem, {1});
  for (const int threads : {2, 3, 7}) {
    const RowMatrix several = everything(problem, {threads});
    for (Eigen::Index s = 0; s < one.rows(); ++s) ASSERT_TRUE(same_bits(one, several, s)) << threads << ", " << s;
  }
}

TEST_P(Batches, PlaceInTheBatchDoesNotChangeABit) {
  const RandomProblem problem(n, m, 61, 303);
  const RowMatrix whole = everything(problem, {1});
  for (const Eigen::Index s : {0, 1, 30, 60}) {
    RandomProblem single(n, m, 1, 303);
    single.A = problem.A;
    single.mean = problem.mean.row(s);
    single.standard_deviation = problem.standard_deviation.row(s);
    single.d = problem.d.row(s);
    single.e = problem.e.row(s);
    single.y = problem.y.row(s);
    const RowMatrix alone = everything(single, {1});
    EXPECT_EQ(std::memcmp(alone.data(), whole.row(s).data(), static_cast<std::size_t>(alone.cols()) * sizeof(double)),
              0);
  }
}

TEST_P(Batches, BadSamplesLeaveTheirNeighboursAlone) {
  const RandomProblem good(n, m, 53, 307);
  const RowMatrix expected = everything(good, {2});
  RandomProblem bad = good;
  bad.mean(3, 0) = std::nan("");
  bad.standard_deviation(17, n - 1) = -0.5;
  bad.standard_deviation(18, 0) = std::numeric_limits<double>::infinity();
  bad.mean(52, n - 1) = -std::numeric_limits<double>::infinity();
  if (m > 0) bad.d(40, m - 1) = std::nan("");
  if (m > 0) bad.standard_deviation.row(41).setZero();
  std::vector<Status> status;
  const RowMatrix result = everything(bad, {2}, &status);
  EXPECT_EQ(status[3], Status::non_finite);
  EXPECT_EQ(status[17], Status::invalid_argument);
  EXPECT_EQ(status[18], Status::non_finite);
  EXPECT_EQ(status[52], Status::non_finite);
  if (m > 0) {
    EXPECT_EQ(status[40], Status::non_finite);
    EXPECT_EQ(status[41], Status::rank_deficient);
  }
  for (Eigen::Index s = 0; s < 53; ++s) {
    const bool is_bad = s == 3 || s == 17 || s == 18 || s == 52 || (m > 0 && (s == 40 || s == 41));
    if (is_bad) {
      // Its own row says so: moments, their adjoint, the draw and its adjoint.
      EXPECT_TRUE(result.row(s).head(7 * n).array().isNaN().all()) << s;
    } else {
      EXPECT_TRUE(same_bits(result, expected, s)) << s;
      EXPECT_EQ(status[static_cast<std::size_t>(s)], Status::ok);
      EXPECT_TRUE(result.row(s).allFinite());
    }
  }
}

TEST_P(Batches, MayBeEmpty) {
  const RandomProblem problem(n, m, 0, 311);
  EXPECT_EQ(everything(problem, {}).rows(), 0);
}

}  // namespace
}  // namespace lavoisier
