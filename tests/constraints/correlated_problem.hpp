#ifndef LAVOISIER_TESTS_CORRELATED_PROBLEM_HPP
#define LAVOISIER_TESTS_CORRELATED_PROBLEM_HPP

#include "dense_gaussian.hpp"

#include <lavoisier/correlated_gaussian.hpp>

#include <cmath>
#include <random>

namespace lavoisier::tests {

inline RowMatrix normals(Eigen::Index rows, Eigen::Index columns, unsigned seed) {
  std::mt19937_64 engine(seed);
  std::normal_distribution<double> normal;
  RowMatrix e(rows, columns);
  for (Eigen::Index i = 0; i < e.size(); ++i) e.data()[i] = normal(engine);
  return e;
}

/// N(mu, S) given A y = d for a dense S, in the coordinates (N'y, A y).
struct DenseCorrelated {
  Matrix N, covariance;
  Vector mean;

  DenseCorrelated(const Matrix& A, const Vector& mu, const Matrix& S, const Vector& d) : N(null_basis(A)) {
    const Eigen::Index n = A.cols(), m = A.rows(), k = n - m;
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
  Matrix in_null_space() const { return N.transpose() * covariance * N; }
  double log_density(const Vector& y) const {
    return log_normal_density(N.transpose() * y, N.transpose() * mean, in_null_space());
  }
  double entropy() const {
    const double k = static_cast<double>(N.cols());
    return 0.5 * (k * (1.0 + std::log(2.0 * M_PI)) + log_abs_det(in_null_space()));
  }
};

/// A batch of random problems of both families; y is on the laws. One A, or one a sample.
struct CorrelatedProblem {
  Eigen::Index n, m, r, samples;
  RowMatrix A, mean, s, U, L, d, y;

  CorrelatedProblem(Eigen::Index outputs, Eigen::Index rows, Eigen::Index rank, Eigen::Index count, unsigned seed,
                    bool own_laws = false)
      : n(outputs),
        m(rows),
        r(rank),
        samples(count),
        A(normals(own_laws ? count * rows : rows, outputs, seed)),
        mean(normals(count, outputs, seed + 1)),
        s((0.5 * normals(count, outputs, seed + 2).array() - 0.3).exp()),
        U(normals(count, outputs * rank, seed + 3)),
        L(normals(outputs, outputs, seed + 4) / std::sqrt(static_cast<double>(outputs))),
        d(count, rows),
        y(mean + normals(count, outputs, seed + 5)) {
    L.triangularView<Eigen::StrictlyUpper>().setZero();
    L.diagonal() = (0.3 * normals(1, outputs, seed + 6).row(0).array()).exp();
    for (Eigen::Index i = 0; i < count; ++i) d.row(i) = (laws(i) * y.row(i).transpose()).transpose();
  }
  /// Makes output j of a single sample known: no variance, and y there at its mean.
  void make_known(Eigen::Index j) {
    s(0, j) = 0.0;
    U.middleCols(j * r, r).setZero();
    L.row(j).setZero();
    L.col(j).setZero();
    y(0, j) = mean(0, j);
    d = y * A.transpose();
  }
  Matrix laws(Eigen::Index i) const { return A.middleRows(A.rows() == m ? 0 : i * m, m); }
  Matrix factor(Eigen::Index i) const { return Eigen::Map<const RowMatrix>(U.data() + i * n * r, n, r); }
  LowRankGaussian low_rank() const { return {mean, s, U}; }
  FullGaussian full() const { return {mean, L}; }
  Matrix low_rank_covariance(Eigen::Index i) const {
    const Matrix own = s.row(i).array().square().matrix().asDiagonal();
    return own + factor(i) * factor(i).transpose();
  }
  Matrix full_covariance() const { return Matrix(L) * Matrix(L).transpose(); }
  DenseCorrelated dense_low_rank(Eigen::Index i) const {
    return {laws(i), mean.row(i), low_rank_covariance(i), d.row(i)};
  }
  DenseCorrelated dense_full(Eigen::Index i) const { return {laws(i), mean.row(i), full_covariance(), d.row(i)}; }
};

}  // namespace lavoisier::tests

#endif
