#ifndef LAVOISIER_TESTS_DENSE_GAUSSIAN_HPP
#define LAVOISIER_TESTS_DENSE_GAUSSIAN_HPP

// The oracle: one sample, dense matrices, FP64, written as the textbook says and as slowly.

#include <lavoisier/linear_constraints.hpp>

#include <Eigen/Core>

namespace lavoisier::tests {

using Matrix = Eigen::MatrixXd;
using Vector = Eigen::VectorXd;

/// Orthonormal columns that span the null space of A.
Matrix null_basis(const Matrix& A);
/// M^-1 b and M^-1 B, by LU with full pivoting; log |det M|.
Vector solve(const Matrix& M, const Vector& b);
Matrix inverse(const Matrix& M);
double log_abs_det(const Matrix& M);
double log_normal_density(const Vector& x, const Vector& mean, const Matrix& covariance);
/// M with singular values 1 ... 1/condition, spaced evenly in their logarithm, and its own singular vectors.
Matrix with_condition(const Matrix& M, double condition);

/// N(mu, diag(s^2)) given A y = d, by conditioning in the coordinates (N'y, A y): no formula of the library is used.
struct DenseConditional {
  Matrix N, covariance;
  Vector mean;
  DenseConditional(const Matrix& A, const Vector& mu, const Vector& s, const Vector& d);
  double log_density(const Vector& y) const;
};

/// Largest |A y - d| relative to the law's own terms.
double relative_residual_of(const Matrix& A, const Vector& y, const Vector& d);

/// A batch of random problems: y is on the laws.
struct RandomProblem {
  RowMatrix A, mean, standard_deviation, d, e, y;

  RandomProblem(Eigen::Index n, Eigen::Index m, Eigen::Index samples, unsigned seed, double log_spread = 0.5);
};

}  // namespace lavoisier::tests

#endif
