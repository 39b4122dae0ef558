#ifndef LAVOISIER_BENCH_FRECHET_HPP
#define LAVOISIER_BENCH_FRECHET_HPP

#include <Eigen/Dense>

#include <algorithm>

namespace lavoisier::bench {

/// Mean and covariance (over N - 1) of N rows.
struct FeatureMoments {
  Eigen::VectorXd mean;
  Eigen::MatrixXd covariance;
  Eigen::Index count = 0;

  explicit FeatureMoments(const Eigen::Ref<const Eigen::Matrix<double, -1, -1, Eigen::RowMajor>>& rows)
      : mean(rows.colwise().mean().transpose()), count(rows.rows()) {
    const Eigen::MatrixXd centred = rows.rowwise() - mean.transpose();
    covariance = centred.transpose() * centred / static_cast<double>(count - 1);
  }
};

/// Root of a symmetric matrix without negative eigenvalues (those that rounding left count as 0).
inline Eigen::MatrixXd symmetric_root(const Eigen::MatrixXd& matrix) {
  const Eigen::SelfAdjointEigenSolver<Eigen::MatrixXd> solver(matrix);
  const Eigen::VectorXd roots = solver.eigenvalues().cwiseMax(0.0).cwiseSqrt();
  return solver.eigenvectors() * roots.asDiagonal() * solver.eigenvectors().transpose();
}

/// Squared Frechet (2-Wasserstein) distance of the Gaussians with these moments, |m1 - m2|^2 + tr(C1 + C2 - 2 (C1
/// C2)^1/2) (Dowson and Landau 1982; of features: Heusel et al. 2017, eq. 6). tr (C1 C2)^1/2 is taken as tr (R C2
/// R)^1/2, R^2 = C1, whose matrix is symmetric. Biased upwards for finite samples: compare equal counts only.
inline double frechet_distance(const FeatureMoments& a, const FeatureMoments& b) {
  const Eigen::MatrixXd root = symmetric_root(a.covariance);
  const Eigen::MatrixXd product = root * b.covariance * root;
  const Eigen::SelfAdjointEigenSolver<Eigen::MatrixXd> solver(0.5 * (product + product.transpose()),
                                                              Eigen::EigenvaluesOnly);
  const double cross = solver.eigenvalues().cwiseMax(0.0).cwiseSqrt().sum();
  return (a.mean - b.mean).squaredNorm() + a.covariance.trace() + b.covariance.trace() - 2.0 * cross;
}

}  // namespace lavoisier::bench

#endif
