#ifndef LAVOISIER_TESTS_FIT_AT_SIZE_HPP
#define LAVOISIER_TESTS_FIT_AT_SIZE_HPP

// Draws of a Gaussian family with many outputs and laws, several right-hand sides of one A, against the exact law.

#include "correlated_problem.hpp"
#include "directional_fit.hpp"

#include <lavoisier/tolerances.hpp>

#include <gtest/gtest.h>

#include <ostream>
#include <vector>

namespace lavoisier::tests {

constexpr double level = 1e-4;
constexpr Eigen::Index members = 100000, right_hand_sides = 5, each = members / right_hand_sides;

enum class GaussianFamily { diagonal, low_rank, full };

struct FitCase {
  GaussianFamily family;
  int n, m;
  unsigned seed;
};
inline std::ostream& operator<<(std::ostream& out, const FitCase& c) {
  static const char* const names[] = {"diagonal", "low_rank", "full"};
  return out << names[static_cast<int>(c.family)] << "_n" << c.n << "_m" << c.m << "_seed" << c.seed;
}

/// One A and one covariance; mean and right-hand side of each of the five samples.
struct FitFixture {
  GaussianFamily family;
  CorrelatedProblem problem;

  explicit FitFixture(const FitCase& c) : family(c.family), problem(c.n, c.m, 8, right_hand_sides, c.seed) {
    for (Eigen::Index g = 1; g < right_hand_sides; ++g) {
      problem.s.row(g) = problem.s.row(0);
      problem.U.row(g) = problem.U.row(0);
    }
  }
  Matrix covariance() const {
    if (family == GaussianFamily::low_rank) return problem.low_rank_covariance(0);
    if (family == GaussianFamily::full) return problem.full_covariance();
    return Matrix(problem.s.row(0).array().square().matrix().asDiagonal());
  }
  std::vector<NullSpaceLaw> laws() const {
    std::vector<NullSpaceLaw> result;
    for (Eigen::Index g = 0; g < right_hand_sides; ++g)
      result.push_back(
          NullSpaceLaw::of_covariance(problem.A, problem.mean.row(g), covariance(), problem.d.row(g)));
    return result;
  }
  RowMatrix normals(unsigned seed) const {
    return tests::normals(members, family == GaussianFamily::low_rank ? problem.n + problem.r : problem.n, seed);
  }
  /// Draws of a problem that may be another than the one tested against.
  RowMatrix draw(const CorrelatedProblem& from, const RowMatrix& e) const {
    if (family == GaussianFamily::low_rank) return conditional_draw(from.A, from.low_rank(), from.d, e).value;
    if (family == GaussianFamily::full) return conditional_draw(from.A, from.full(), from.d, e).value;
    RowMatrix y(members, from.n);
    for (Eigen::Index g = 0; g < right_hand_sides; ++g)
      y.middleRows(g * each, each) =
          conditional_draw(from.A, from.mean.row(g).replicate(each, 1), from.s.row(g),
                           from.d.row(g).replicate(each, 1), e.middleRows(g * each, each));
    return y;
  }
  DirectionalFit test(const RowMatrix& y) const { return directional_fit(y, problem.A, laws(), problem.d); }
  /// The output whose own deviation the laws leave most freedom.
  Eigen::Index freest() const {
    const NullSpaceLaw law = laws().front();
    const Matrix L = law.factor.matrixL();
    const Vector variance = (law.N * L).rowwise().squaredNorm();
    Eigen::Index j = 0;
    (variance.array() / covariance().diagonal().array()).maxCoeff(&j);
    return j;
  }
  /// One deviation (a row of L) times `factor`.
  CorrelatedProblem with_deviation(double factor) const {
    CorrelatedProblem other = problem;
    const Eigen::Index j = freest();
    other.s.col(j) *= factor;
    if (family == GaussianFamily::full) other.L.row(j) *= factor;
    return other;
  }
};


inline void expect_fit(const DirectionalFit& fit) {
  EXPECT_GT(fit.p, level) << fit.text();
  EXPECT_LE(fit.largest_relative_residual, tolerances::identity::relative_fp64);
}
/// On the laws, but another law.
inline void expect_no_fit(const DirectionalFit& fit) {
  EXPECT_LT(fit.p, level) << fit.text();
  EXPECT_LE(fit.largest_relative_residual, tolerances::identity::relative_fp64);
}

}  // namespace lavoisier::tests

#endif
