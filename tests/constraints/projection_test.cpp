#include <lavoisier/conditional_gaussian.hpp>
#include <lavoisier/tolerances.hpp>

#include "dense_gaussian.hpp"

#include <gtest/gtest.h>

#include <algorithm>
#include <cmath>
#include <string>
#include <utility>

namespace lavoisier {
namespace {

using tests::Matrix;
using tests::RandomProblem;
using tests::Vector;

class Projections : public testing::TestWithParam<std::pair<int, int>> {
 protected:
  Eigen::Index n = GetParam().first, m = GetParam().second;
  RandomProblem problem{n, m, 5, 201};
  Vector scale = problem.standard_deviation.row(1).transpose();

  /// P of the metric, dense.
  Matrix dense() const {
    const Matrix A = problem.A, D2 = scale.array().square().matrix().asDiagonal();
    return Matrix::Identity(n, n) - D2 * A.transpose() * tests::inverse(A * D2 * A.transpose()) * A;
  }
};

INSTANTIATE_TEST_SUITE_P(Problems, Projections,
                         testing::Values(std::pair(1, 1), std::pair(2, 1), std::pair(5, 0), std::pair(6, 2),
                                         std::pair(7, 7), std::pair(13, 4), std::pair(31, 9)));

TEST_P(Projections, AreTheDenseOnesAndHoldTheLaws) {
  const RowMatrix result = orthogonal_projection(problem.A, scale, problem.mean, problem.d);
  const Matrix P = dense();
  for (Eigen::Index s = 0; s < 5; ++s) {
    // y is on the laws, so P (mean - y) + y is the projection of the mean.
    const Vector expected =
        problem.y.row(s).transpose() + P * (problem.mean.row(s) - problem.y.row(s)).transpose();
    EXPECT_LE((result.row(s).transpose() - expected).norm(), 1e-11 * (1.0 + expected.norm()));
    EXPECT_LE(tests::relative_residual_of(problem.A, result.row(s), problem.d.row(s)),
              tolerances::identity::relative_fp64);
  }
}

TEST_P(Projections, VarianceIsTheDiagonalOfTheDenseOne) {
  const RowMatrix variance = projected_variance(problem.A, scale, problem.standard_deviation);
  const Matrix P = dense();
  for (Eigen::Index s = 0; s < 5; ++s) {
    const Vector expected =
        (P * problem.standard_deviation.row(s).array().square().matrix().asDiagonal() * P.transpose()).diagonal();
    EXPECT_LE((variance.row(s).transpose() - expected).norm(),
              1e-11 * problem.standard_deviation.row(s).squaredNorm());
  }
}

TEST(OrthogonalProjection, HoldsIllConditionedLaws) {
  // One pass, by the book, does not.
  RandomProblem problem(100, 20, 20, 203);
  problem.A = tests::with_condition(problem.A, 1e4);
  problem.d = problem.y * problem.A.transpose();
  const RowMatrix y = orthogonal_projection(problem.A, Vector::Ones(100), problem.mean, problem.d);
  const Matrix A = problem.A, inverse = tests::inverse(A * A.transpose());
  double worst_one_pass = 0.0;
  for (Eigen::Index s = 0; s < 20; ++s) {
    EXPECT_LE(tests::relative_residual_of(problem.A, y.row(s), problem.d.row(s)),
              tolerances::identity::relative_fp64);
    const Vector mean = problem.mean.row(s), d = problem.d.row(s);
    const Vector once = mean - A.transpose() * (inverse * (A * mean - d));
    worst_one_pass = std::max(worst_one_pass, tests::relative_residual_of(problem.A, once, d));
  }
  EXPECT_GT(worst_one_pass, tolerances::identity::relative_fp64);
}

TEST(ProjectedVariance, DoesNotCancel) {
  // In the metric (1e4, 1e-4), output 1 is moved onto 3 - y2: its variance is output 2's.
  RowMatrix A(1, 2), s(1, 2);
  A << 1.0, 1.0;
  s << 1e4, 1e-3;
  const RowMatrix variance = projected_variance(A, Eigen::Vector2d(1e4, 1e-4), s);
  const double g = 1e8 / (1e8 + 1e-8), rest = 1e-8 / (1e8 + 1e-8);
  const double truth = g * g * 1e-6 + rest * rest * 1e8;
  EXPECT_NEAR(variance(0, 0), truth, 1e-13 * truth);
  EXPECT_NEAR(variance(0, 1), truth, 1e-13 * truth);
}

TEST(ProjectOntoLaws, TellsTheLargestDistance) {
  RowMatrix A(1, 2), d(3, 1), y(3, 2);
  A << 3.0, 4.0;
  d << 0.0, 5.0, 10.0;
  y << 0.0, 0.0, 0.6, 0.8, 0.6, 0.8;
  EXPECT_DOUBLE_EQ(project_onto_laws(A, d, y), 1.0);
  EXPECT_NEAR(y(2, 0), 1.2, 1e-15);
  EXPECT_NEAR(y(2, 1), 1.6, 1e-15);
  EXPECT_EQ(y(0, 0), 0.0);
  y(1, 1) = std::nan("");
  try {
    project_onto_laws(A, d, y);
    FAIL() << "a NaN was projected";
  } catch (const Error& error) {
    EXPECT_EQ(error.status(), Status::non_finite);
    EXPECT_NE(std::string(error.what()).find("sample 1"), std::string::npos);
  }
}

TEST(ProjectOntoLaws, DependentRowsAreRefused) {
  RowMatrix A(2, 3), d = RowMatrix::Zero(1, 2), y = RowMatrix::Zero(1, 3);
  A << 1.0, 2.0, 3.0, 2.0, 4.0, 6.0;
  try {
    project_onto_laws(A, d, y);
    FAIL() << "dependent rows were accepted";
  } catch (const Error& error) {
    EXPECT_EQ(error.status(), Status::rank_deficient);
  }
}

TEST(ProjectionMetric, MustNotBeNegative) {
  RowMatrix A(1, 2), y = RowMatrix::Zero(1, 2), d = RowMatrix::Zero(1, 1);
  A << 1.0, 1.0;
  EXPECT_THROW(orthogonal_projection(A, Eigen::Vector2d(1.0, -1.0), y, d), Error);
  EXPECT_THROW(orthogonal_projection(A, Eigen::VectorXd::Ones(3), y, d), Error);
}

}  // namespace
}  // namespace lavoisier
