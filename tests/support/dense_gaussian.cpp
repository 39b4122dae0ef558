#include "dense_gaussian.hpp"

#include <Eigen/LU>
#include <Eigen/QR>
#include <Eigen/SVD>

#include <algorithm>
#include <cmath>
#include <random>

namespace lavoisier::tests {

Matrix null_basis(const Matrix& A) {
  if (A.rows() == 0) return Matrix::Identity(A.cols(), A.cols());
  const Matrix Q = Eigen::HouseholderQR<Matrix>(A.transpose()).householderQ();
  return Q.rightCols(A.cols() - A.rows());
}

Vector solve(const Matrix& M, const Vector& b) { return inverse(M) * b; }

Matrix inverse(const Matrix& M) {
  if (M.size() == 0) return M;
  return Eigen::FullPivLU<Matrix>(M).inverse();
}

double log_abs_det(const Matrix& M) {
  if (M.size() == 0) return 0.0;
  return Matrix(Eigen::FullPivLU<Matrix>(M).matrixLU()).diagonal().array().abs().log().sum();
}

double log_normal_density(const Vector& x, const Vector& mean, const Matrix& covariance) {
  if (x.size() == 0) return 0.0;
  const Vector e = x - mean;
  return -0.5 * (static_cast<double>(x.size()) * std::log(2.0 * M_PI) + e.dot(solve(covariance, e)) +
                 log_abs_det(covariance));
}

Matrix with_condition(const Matrix& M, double condition) {
  const Eigen::JacobiSVD<Matrix> svd(M, Eigen::ComputeThinU | Eigen::ComputeThinV);
  Vector values(M.rows());
  for (Eigen::Index k = 0; k < M.rows(); ++k)
    values[k] = std::pow(condition, -static_cast<double>(k) / static_cast<double>(M.rows() - 1));
  return svd.matrixU() * values.asDiagonal() * svd.matrixV().transpose();
}

DenseConditional::DenseConditional(const Matrix& A, const Vector& mu, const Vector& s, const Vector& d)
    : N(null_basis(A)) {
  const Eigen::Index n = A.cols(), m = A.rows(), k = n - m;
  const Matrix S = s.array().square().matrix().asDiagonal();
  Matrix T(n, n);
  T.topRows(k) = N.transpose();
  T.bottomRows(m) = A;
  const Matrix joint = T * S * T.transpose();
  const Vector centre = T * mu;
  const Matrix gain = joint.topRightCorner(k, m) * inverse(joint.bottomRightCorner(m, m));
  Vector whole(n);
  whole.head(k) = centre.head(k) + gain * (d - centre.tail(m));
  whole.tail(m) = d;
  mean = solve(T, whole);
  covariance = N * (joint.topLeftCorner(k, k) - gain * joint.bottomLeftCorner(m, k)) * N.transpose();
}

double DenseConditional::log_density(const Vector& y) const {
  return log_normal_density(N.transpose() * y, N.transpose() * mean, N.transpose() * covariance * N);
}

double relative_residual_of(const Matrix& A, const Vector& y, const Vector& d) {
  double worst = 0.0;
  for (Eigen::Index k = 0; k < A.rows(); ++k) {
    double residual = 0.0, magnitude = std::abs(d[k]);
    for (Eigen::Index j = 0; j < A.cols(); ++j) {
      residual += A(k, j) * y[j];
      magnitude += std::abs(A(k, j) * y[j]);
    }
    worst = std::max(worst, relative_residual(residual - d[k], magnitude));
  }
  return worst;
}

RandomProblem::RandomProblem(Eigen::Index n, Eigen::Index m, Eigen::Index samples, unsigned seed, double log_spread)
    : A(m, n), mean(samples, n), standard_deviation(samples, n), d(samples, m), e(samples, n), y(samples, n) {
  std::mt19937_64 engine(seed);
  std::normal_distribution<double> normal;
  const auto fill = [&](RowMatrix& matrix) {
    for (Eigen::Index i = 0; i < matrix.size(); ++i) matrix.data()[i] = normal(engine);
  };
  fill(A);
  fill(mean);
  fill(e);
  fill(standard_deviation);
  fill(y);
  standard_deviation = (log_spread * standard_deviation.array() - 0.3).exp();
  y = mean + y.cwiseProduct(standard_deviation);
  d = y * A.transpose();
}

}  // namespace lavoisier::tests
