// The L1 projection: optimal by enumeration of bases (small) and by linear programming duality (large).

#include <lavoisier/l1_projection.hpp>
#include <lavoisier/tolerances.hpp>

#include "differences.hpp"

#include <gtest/gtest.h>

#include <cmath>
#include <cstring>
#include <limits>

namespace lavoisier {
namespace {

using Eigen::Index;
using tests::Matrix;
using tests::RandomProblem;
using tests::Vector;

double objective(const Vector& y, const Vector& z, const Vector& scale) {
  double sum = 0.0;
  for (Index j = 0; j < y.size(); ++j) sum += y[j] == z[j] ? 0.0 : std::abs(y[j] - z[j]) / scale[j];
  return sum;
}

/// The least objective over all bases of m columns.
double least_over_bases(const Matrix& A, const Vector& scale, const Vector& b) {
  const Index n = A.cols(), m = A.rows();
  double least = std::numeric_limits<double>::infinity();
  for (unsigned mask = 0; mask < (1u << n); ++mask) {
    if (__builtin_popcount(mask) != m) continue;
    std::vector<Index> basis;
    for (Index j = 0; j < n; ++j)
      if (mask >> j & 1u) basis.push_back(j);
    const Matrix B = A(Eigen::all, basis) * Vector(scale(basis)).asDiagonal();
    if (!(tests::log_abs_det(B) > -28.0)) continue;
    least = std::min(least, tests::solve(B, b).cwiseAbs().sum());
  }
  return least;
}

TEST(L1Projection, IsTheBestOfAllBases) {
  for (const auto& [n, m] : {std::pair(1, 1), std::pair(3, 1), std::pair(5, 2), std::pair(9, 3), std::pair(10, 4), std::pair(7, 7)}) {
    const RandomProblem problem(n, m, 20, 901);
    const Vector scale = RandomProblem(n, 0, 1, 902).standard_deviation.row(0).transpose();
    const L1Projection found = l1_projection(problem.A, scale, problem.mean, problem.d);
    for (Index s = 0; s < 20; ++s) {
      ASSERT_EQ(found.status[static_cast<std::size_t>(s)], Status::ok);
      const Vector z = problem.mean.row(s), y = found.y.row(s), b = problem.d.row(s).transpose() - problem.A * z;
      const double expected = least_over_bases(problem.A, scale, b);
      EXPECT_NEAR(objective(y, z, scale), expected, 1e-10 * expected) << n << " " << m << " " << s;
      EXPECT_LE(tests::relative_residual_of(problem.A, y, problem.d.row(s)), tolerances::identity::relative_fp64);
      Index moved = 0;
      for (Index j = 0; j < n; ++j) moved += found.scale(s, j) > 0.0 ? 1 : 0;
      EXPECT_EQ(moved, m);
    }
  }
}

TEST(L1Projection, IsOptimalByDuality) {
  // max b'l subject to |B'l| <= 1 has the same value: l from the basis proves it, and proves a wrong basis wrong.
  for (const auto& [n, m] : {std::pair(100, 10), std::pair(200, 50), std::pair(31, 13)}) {
    const RandomProblem problem(n, m, 10, 903);
    const Vector scale = RandomProblem(n, 0, 1, 904).standard_deviation.row(0).transpose();
    const L1Projection found = l1_projection(problem.A, scale, problem.mean, problem.d);
    for (Index s = 0; s < 10; ++s) {
      ASSERT_EQ(found.status[static_cast<std::size_t>(s)], Status::ok);
      const Vector z = problem.mean.row(s), y = found.y.row(s), b = problem.d.row(s).transpose() - problem.A * z;
      std::vector<Index> basis;
      Vector sign(m);
      for (Index j = 0; j < n; ++j) {
        if (!(found.scale(s, j) > 0.0)) continue;
        sign[static_cast<Index>(basis.size())] = y[j] > z[j] ? 1.0 : -1.0;
        basis.push_back(j);
      }
      const Matrix B = problem.A * scale.asDiagonal();
      const Vector l = tests::solve(Matrix(B(Eigen::all, basis)).transpose(), sign);
      EXPECT_LE((B.transpose() * l).cwiseAbs().maxCoeff(), 1.0 + 1e-9);
      EXPECT_NEAR(b.dot(l), objective(y, z, scale), 1e-9 * objective(y, z, scale));
    }
  }
}

TEST(L1Projection, OneLawMovesTheOutputOfTheLargestCoefficient) {
  RowMatrix A(1, 4), z(2, 4), d(2, 1);
  A << 1.0, -3.0, 3.0, 0.5;
  z << 1.0, 2.0, 3.0, 4.0, -1.0, 0.0, 0.5, 2.0;
  d << 1.0, 2.0;
  const L1Projection found = l1_projection(A, Vector::Ones(4), z, d);
  for (Index s = 0; s < 2; ++s) {  // output 1 before output 2: a tie goes to the first
    for (const Index j : {0, 2, 3}) EXPECT_EQ(found.y(s, j), z(s, j));
    EXPECT_NEAR(found.y(s, 1), z(s, 1) + (d(s, 0) - A.row(0).dot(z.row(s))) / -3.0, 1e-15);
  }
  Vector scale = Vector::Ones(4);
  scale[3] = 100.0;
  EXPECT_GT(l1_projection(A, scale, z, d).scale(0, 3), 0.0) << "in units of the scale, output 3 has the largest";
  scale.head(3).setZero();
  EXPECT_GT(l1_projection(A, scale, z, d).scale(0, 3), 0.0) << "the others may not move";
}

TEST(L1Projection, TiesAndDegenerateResidualsEnd) {
  // Equal coefficients, residuals that many bases explain with zeros, and none at all.
  RowMatrix A(3, 9);
  for (Index j = 0; j < 9; ++j) {
    A(0, j) = 1.0;
    A(1, j) = j % 2 == 0 ? 1.0 : -1.0;
    A(2, j) = j % 3 == 0 ? 1.0 : 0.0;
  }
  RowMatrix z = RowMatrix::Zero(4, 9), d(4, 3);
  d << 0.0, 0.0, 0.0, 1.0, 1.0, 0.0, 2.0, 0.0, 1.0, 1.0, 1.0, 1.0;
  const L1Projection found = l1_projection(A, Vector::Ones(9), z, d);
  for (Index s = 0; s < 4; ++s) {
    ASSERT_EQ(found.status[static_cast<std::size_t>(s)], Status::ok);
    EXPECT_NEAR(found.y.row(s).cwiseAbs().sum(), s == 0 ? 0.0 : least_over_bases(A, Vector::Ones(9), d.row(s).transpose()), 1e-13);
  }
}

TEST(L1Projection, AdjointIsTheDerivativeOfItsPiece) {
  for (const bool stacked : {false, true}) {
    const RandomProblem problem(8, 3, 4, 905);
    RowMatrix A = problem.A, d = problem.d;
    if (stacked) {
      A.resize(12, 8);
      for (Index s = 0; s < 4; ++s) {
        A.middleRows(3 * s, 3) = RandomProblem(8, 3, 1, 930 + static_cast<unsigned>(s)).A;
        d.row(s) = (A.middleRows(3 * s, 3) * problem.y.row(s).transpose()).transpose();
      }
    }
    const Vector scale = Vector::LinSpaced(8, 0.5, 2.0);
    const L1Projection at = l1_projection(A, scale, problem.mean, d);
    const RowMatrix found = metric_projection_adjoint(A, at.scale, problem.mean, d, problem.e).z;
    const RowMatrix expected = tests::numerical_gradient(
        [&](const RowMatrix& z) { return l1_projection(A, scale, z, d).y.cwiseProduct(problem.e).sum(); }, problem.mean, 1e-4);
    EXPECT_LE(tests::relative_difference(found, expected), 1e-7);
    EXPECT_EQ(metric_projection(A, at.scale, problem.mean, d).y, at.y);
  }
}

TEST(L1Projection, DependsOnNothingButItsOwnSample) {
  const RandomProblem problem(12, 4, 41, 907);
  const Vector scale = Vector::Ones(12);
  const L1Projection whole = l1_projection(problem.A, scale, problem.mean, problem.d, {1});
  EXPECT_EQ(l1_projection(problem.A, scale, problem.mean, problem.d, {3}).y, whole.y);
  for (const Index s : {0, 17, 40}) {
    const RowMatrix z = problem.mean.row(s), d = problem.d.row(s);
    EXPECT_EQ(l1_projection(problem.A, scale, z, d).y, whole.y.row(s));
  }
  RowMatrix z = problem.mean, d = problem.d;
  z(3, 2) = std::nan("");
  d(9, 1) = std::numeric_limits<double>::infinity();
  const L1Projection bad = l1_projection(problem.A, scale, z, d);
  for (Index s = 0; s < 41; ++s) {
    const bool is_bad = s == 3 || s == 9;
    EXPECT_EQ(bad.status[static_cast<std::size_t>(s)], is_bad ? Status::non_finite : Status::ok);
    if (is_bad)
      EXPECT_TRUE(bad.y.row(s).array().isNaN().all());
    else
      EXPECT_EQ(bad.y.row(s), whole.y.row(s));
  }
  const RowMatrix one = z.row(3), its = d.row(3);
  EXPECT_EQ(l1_projection(problem.A, scale, one, its).status[0], Status::non_finite) << "alone, too";
}

TEST(L1Projection, RefusesDependentLaws) {
  RowMatrix A(2, 3), z = RowMatrix::Zero(2, 3), d = RowMatrix::Ones(2, 2);
  A << 1.0, 2.0, 3.0, 2.0, 4.0, 6.0;
  EXPECT_THROW(l1_projection(A, Vector::Ones(3), z, d), Error);
  RowMatrix stack(4, 3);
  stack << A, 1.0, 2.0, 3.0, 1.0, 0.0, 1.0;
  const L1Projection found = l1_projection(stack, Vector::Ones(3), z, d);
  EXPECT_EQ(found.status[0], Status::rank_deficient);
  EXPECT_EQ(found.status[1], Status::ok);
  EXPECT_THROW(l1_projection(A, Vector::Ones(2), z, d), Error);
  EXPECT_THROW(l1_projection(A, -Vector::Ones(3), z, d), Error);
}

}  // namespace
}  // namespace lavoisier
