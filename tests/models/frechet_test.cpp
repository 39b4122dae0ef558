// The Frechet distance of the image benchmark on Gaussians whose distance is known.

#include "../../bench/images/frechet.hpp"

#include <lavoisier/random.hpp>

#include <gtest/gtest.h>

#include <cmath>

namespace lavoisier::bench {
namespace {

using Rows = Eigen::Matrix<double, -1, -1, Eigen::RowMajor>;
using Eigen::MatrixXd;
using Eigen::VectorXd;

Rows normals(Eigen::Index rows, Eigen::Index columns, std::uint64_t seed) {
  Rows values(rows, columns);
  for (Eigen::Index i = 0; i < values.size(); ++i)
    values.data()[i] = random::normal({seed, 0}, {.element = static_cast<std::uint64_t>(i)});
  return values;
}

FeatureMoments moments(const VectorXd& mean, const MatrixXd& covariance) {
  FeatureMoments made(normals(3, mean.size(), 1));
  made.mean = mean;
  made.covariance = covariance;
  return made;
}

TEST(Frechet, OfGaussiansWithOneBasisIsThatOfTheirDeviations) {
  // Covariances that commute: |m1 - m2|^2 + sum (s1 - s2)^2.
  const Eigen::Index n = 7;
  const MatrixXd Q = Eigen::HouseholderQR<MatrixXd>(MatrixXd(normals(n, n, 2))).householderQ();
  const VectorXd s1 = VectorXd::LinSpaced(n, 0.0, 3.0), s2 = VectorXd::LinSpaced(n, 2.0, 0.1);
  const VectorXd m1 = normals(n, 1, 3), m2 = normals(n, 1, 4);
  const auto covariance = [&](const VectorXd& s) { return MatrixXd(Q * s.cwiseAbs2().asDiagonal() * Q.transpose()); };
  const double expected = (m1 - m2).squaredNorm() + (s1 - s2).squaredNorm();
  const FeatureMoments a = moments(m1, covariance(s1)), b = moments(m2, covariance(s2));
  // One of them is singular: rounding of a zero eigenvalue comes back under a root.
  EXPECT_NEAR(frechet_distance(a, b), expected, 1e-7 * expected);
  EXPECT_NEAR(frechet_distance(b, a), expected, 1e-7 * expected);
  EXPECT_NEAR(frechet_distance(a, a), 0.0, 1e-7 * expected);
  // Wrong twin: without the root, tr C1 + tr C2 - 2 tr(C1 C2).
  const double wrong =
      (m1 - m2).squaredNorm() + (a.covariance + b.covariance - 2.0 * a.covariance * b.covariance).trace();
  EXPECT_GT(std::abs(wrong - expected), 0.1 * expected);
}

TEST(Frechet, OfGaussiansThatDoNotCommuteIsTheLeastOverCouplings) {
  // max tr K over cross covariances K with [C1 K; K' C2] >= 0 is tr (C1 C2)^1/2; for 2 x 2 matrices of determinant D
  // and trace T, tr M^1/2 = (T + 2 D^1/2)^1/2.
  Eigen::Matrix2d C1, C2;
  C1 << 2.0, 0.7, 0.7, 1.0;
  C2 << 0.5, -0.3, -0.3, 1.5;
  const double trace = (C1 * C2).trace(), determinant = (C1 * C2).determinant();
  const double expected = C1.trace() + C2.trace() - 2.0 * std::sqrt(trace + 2.0 * std::sqrt(determinant));
  const VectorXd zero = VectorXd::Zero(2);
  EXPECT_NEAR(frechet_distance(moments(zero, C1), moments(zero, C2)), expected, 1e-12);
  // Wrong twin: the product of the roots, as if they commuted.
  const double wrong = C1.trace() + C2.trace() - 2.0 * (symmetric_root(C1) * symmetric_root(C2)).trace();
  EXPECT_GT(std::abs(wrong - expected), 1e-3);
}

TEST(Frechet, OfSamplesApproachesThatOfTheirLaws) {
  const Rows a = normals(40000, 3, 5);
  Rows b = normals(40000, 3, 6) * 2.0;
  b.rowwise() += Eigen::RowVector3d(1.0, 0.0, -1.0);
  EXPECT_NEAR(frechet_distance(FeatureMoments(a), FeatureMoments(b)), 2.0 + 3.0, 0.1);
}

}  // namespace
}  // namespace lavoisier::bench
