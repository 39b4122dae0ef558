// 1e5 draws follow the exact conditional law, not just the laws; and each way to get it wrong is caught.

#include <lavoisier/conditional_gaussian.hpp>
#include <lavoisier/tolerances.hpp>

#include "dense_gaussian.hpp"
#include "goodness_of_fit.hpp"

#include <gtest/gtest.h>

#include <cmath>
#include <random>
#include <utility>

namespace lavoisier {
namespace {

using tests::goodness_of_fit;
using tests::GoodnessOfFit;
using tests::Matrix;
using tests::RandomProblem;
using tests::Vector;

constexpr Eigen::Index members = 100000;
constexpr double level = 1e-4;

RowMatrix normals(Eigen::Index rows, Eigen::Index columns, unsigned seed) {
  std::mt19937_64 engine(seed);
  std::normal_distribution<double> normal;
  RowMatrix e(rows, columns);
  for (Eigen::Index i = 0; i < e.size(); ++i) e.data()[i] = normal(engine);
  return e;
}

struct Draws {
  RandomProblem problem;
  RowMatrix e;

  Draws(Eigen::Index n, Eigen::Index m, unsigned seed) : problem(n, m, 1, seed), e(normals(members, n, seed + 1)) {}

  RowMatrix draw(const RowMatrix& mean, const RowMatrix& s) const {
    return conditional_draw(problem.A, mean.replicate(members, 1), s.replicate(members, 1),
                            problem.d.replicate(members, 1), e);
  }
  GoodnessOfFit test(const RowMatrix& draws) const {
    return goodness_of_fit(draws, problem.A, problem.mean.row(0), problem.standard_deviation.row(0),
                           problem.d.row(0));
  }
};

class Fit : public testing::TestWithParam<std::pair<int, int>> {
 protected:
  Draws draws{GetParam().first, GetParam().second, 501};
};

class FitWithLaws : public Fit {};
class FitWithCorrelations : public Fit {};  // two free coordinates or more

INSTANTIATE_TEST_SUITE_P(Problems, Fit,
                         testing::Values(std::pair(2, 1), std::pair(6, 2), std::pair(5, 0), std::pair(7, 6),
                                         std::pair(12, 9)));
INSTANTIATE_TEST_SUITE_P(Problems, FitWithLaws,
                         testing::Values(std::pair(2, 1), std::pair(6, 2), std::pair(7, 6), std::pair(12, 9)));
INSTANTIATE_TEST_SUITE_P(Problems, FitWithCorrelations,
                         testing::Values(std::pair(6, 2), std::pair(5, 0), std::pair(12, 9)));

TEST_P(Fit, DrawsFollowTheConditionalLaw) {
  const GoodnessOfFit fit = draws.test(draws.draw(draws.problem.mean, draws.problem.standard_deviation));
  EXPECT_GT(fit.p, level) << fit.text();
  EXPECT_LE(fit.largest_relative_residual, tolerances::identity::relative_fp64);
}

TEST_P(Fit, AWrongCovarianceFails) {
  // One standard deviation of the network 10 % too large where the laws leave it most freedom.
  const ConditionalMoments moments = conditional_moments(draws.problem.A, draws.problem.mean,
                                                         draws.problem.standard_deviation, draws.problem.d);
  Eigen::Index freest = 0;
  moments.variance.cwiseQuotient(draws.problem.standard_deviation.cwiseAbs2()).row(0).maxCoeff(&freest);
  RowMatrix s = draws.problem.standard_deviation;
  s(0, freest) *= 1.1;
  const GoodnessOfFit fit = draws.test(draws.draw(draws.problem.mean, s));
  EXPECT_LT(fit.p, level) << fit.text();
  EXPECT_LE(fit.largest_relative_residual, tolerances::identity::relative_fp64);
}

TEST_P(Fit, AWrongMeanFails) {
  const Matrix N = tests::null_basis(draws.problem.A);
  RowMatrix mean = draws.problem.mean;
  mean += 0.05 * draws.problem.standard_deviation.row(0).norm() * N.col(0).transpose();
  const GoodnessOfFit fit = draws.test(draws.draw(mean, draws.problem.standard_deviation));
  EXPECT_LT(fit.p, level) << fit.text();
}

TEST_P(FitWithLaws, TheOrthogonalProjectionIsAnotherLaw) {
  const RandomProblem& problem = draws.problem;
  RowMatrix z = draws.e;
  for (Eigen::Index i = 0; i < members; ++i)
    z.row(i) = problem.mean.row(0) + z.row(i).cwiseProduct(problem.standard_deviation.row(0));
  const RowMatrix y = orthogonal_projection(problem.A, Vector::Ones(problem.A.cols()), z,
                                            problem.d.replicate(members, 1));
  const GoodnessOfFit fit = draws.test(y);
  EXPECT_LT(fit.p, level) << fit.text();
  EXPECT_LE(fit.largest_relative_residual, tolerances::identity::relative_fp64);
}

TEST_P(FitWithCorrelations, CorrelatedNoiseFails) {
  // Null coordinates of the right variance each, correlated by 3 %.
  const RandomProblem& problem = draws.problem;
  const tests::NullSpaceLaw law(problem.A, problem.mean.row(0), problem.standard_deviation.row(0), problem.d.row(0));
  Matrix u = law.whiten(draws.draw(problem.mean, problem.standard_deviation));
  u.col(1) = 0.03 * u.col(0) + std::sqrt(1.0 - 0.03 * 0.03) * u.col(1);
  const Matrix L = law.factor.matrixL();
  const Matrix y = (u * L.transpose() * law.N.transpose()).rowwise() + law.mean.transpose();
  const GoodnessOfFit fit = draws.test(y);
  EXPECT_LT(fit.p, level) << fit.text();
  EXPECT_GT(fit.coordinates, level);
}

TEST(FitOfTheWholeLaw, VariancesOverManyDecades) {
  Draws draws(6, 2, 503);
  draws.problem.standard_deviation.row(0) << 1e4, 1.0, 1e-3, 30.0, 1e-4, 1.0;
  const GoodnessOfFit fit = draws.test(draws.draw(draws.problem.mean, draws.problem.standard_deviation));
  EXPECT_GT(fit.p, level) << fit.text();
  EXPECT_LE(fit.largest_relative_residual, tolerances::identity::relative_fp64);
}

TEST(FitOfMoments, SampleMeanAndVarianceAgree) {
  const Draws draws(6, 2, 505);
  const RowMatrix y = draws.draw(draws.problem.mean, draws.problem.standard_deviation);
  const ConditionalMoments moments = conditional_moments(draws.problem.A, draws.problem.mean,
                                                         draws.problem.standard_deviation, draws.problem.d);
  for (Eigen::Index j = 0; j < 6; ++j) {
    const double mean = y.col(j).mean(), variance = (y.col(j).array() - mean).square().mean();
    const double v = moments.variance(0, j);
    EXPECT_NEAR(mean, moments.mean(0, j), 5.0 * std::sqrt(v / static_cast<double>(members)));
    EXPECT_NEAR(variance, v, 5.0 * v * std::sqrt(2.0 / static_cast<double>(members)));
  }
}

TEST(PValues, AreThoseOfTheTables) {
  // Abramowitz and Stegun, table 26.8: 5 % and 0.1 % points.
  EXPECT_NEAR(tests::chi_square_p_value(3.841459, 1), 0.05, 1e-7);
  EXPECT_NEAR(tests::chi_square_p_value(11.07050, 5), 0.05, 1e-7);
  EXPECT_NEAR(tests::chi_square_p_value(59.70306, 30), 0.001, 1e-8);
  EXPECT_NEAR(tests::chi_square_p_value(1.386294361119891, 2), 0.5, 1e-14);  // exp(-x/2)
  EXPECT_NEAR(tests::chi_square_p_value(10001.0, 10001.0), tests::upper_gamma(5000.5, 5000.5), 1e-6);
  EXPECT_EQ(tests::chi_square_p_value(0.0, 3), 1.0);
  // Kolmogorov's distribution: 1.3581 is its 5 % point.
  std::vector<double> uniform;
  const int count = 100000;
  const double shift = 1.3581 / std::sqrt(static_cast<double>(count));
  for (int i = 0; i < count; ++i)
    uniform.push_back(std::min(1.0, (i + 0.5) / static_cast<double>(count) + shift));
  EXPECT_NEAR(tests::kolmogorov_p_value(uniform), 0.05, 1e-3);
  uniform[7] = std::nan("");
  EXPECT_EQ(tests::kolmogorov_p_value(uniform), 0.0);
}

TEST(PValues, AreUniformUnderTheLaw) {
  // 400 small data sets that follow the law: their p-values are at most as often small as they should be.
  int below = 0;
  for (unsigned seed = 0; seed < 400; ++seed) {
    const RandomProblem problem(4, 1, 1, 507);
    const RowMatrix y = conditional_draw(problem.A, problem.mean.replicate(300, 1),
                                         problem.standard_deviation.replicate(300, 1), problem.d.replicate(300, 1),
                                         normals(300, 4, 9000 + seed));
    below += goodness_of_fit(y, problem.A, problem.mean.row(0), problem.standard_deviation.row(0), problem.d.row(0)).p <
             0.1;
  }
  EXPECT_LE(below, 60);  // 40 expected at most, standard deviation 6
  EXPECT_GE(below, 10);  // four tests with Bonferroni's bound are no more than this conservative
}

}  // namespace
}  // namespace lavoisier
