#ifndef LAVOISIER_TESTS_GOODNESS_OF_FIT_HPP
#define LAVOISIER_TESTS_GOODNESS_OF_FIT_HPP

// Do draws follow the exact conditional law of a Gaussian (diagonal or dense) given A y = d? Eigen only: usable beside Kokkos.
//
//   const auto fit = goodness_of_fit(draws, A, mu, s, d);      // draws: members x n
//   EXPECT_GT(fit.p, 1e-4) << fit.text();
//   EXPECT_LE(fit.largest_relative_residual, 1e-14);
//
// The draws are whitened along the laws' null space: u = L^-1 N'(y - m) with N'VN = L L'. Under the law u is n - m
// independent standard normals, which is tested four ways: each coordinate (Kolmogorov-Smirnov), the length |u|^2
// (Kolmogorov-Smirnov against chi-square), the scale (sum of all |u|^2, two-sided) and the correlations (chi-square).
// `p` is the least of the four p-values times four: a p-value itself. How often it is below any level is known, so a
// fixed seed and 1e-4 make a test that a right sampler passes and a wrong one does not.

#include <Eigen/Cholesky>
#include <Eigen/QR>

#include <algorithm>
#include <cmath>
#include <sstream>
#include <stdexcept>
#include <string>
#include <vector>

namespace lavoisier::tests {

inline double normal_cdf(double x) { return 0.5 * std::erfc(-x * 0.70710678118654752440); }

/// Q(a, x), the regularised upper incomplete gamma function: series below a + 1, Lentz's continued fraction above
/// (DLMF 8.11.4, 8.9.2).
inline double upper_gamma(double a, double x) {
  if (x <= 0.0) return 1.0;
  const double front = std::exp(a * std::log(x) - x - std::lgamma(a));
  if (x < a + 1.0) {
    double term = 1.0 / a, sum = term;
    for (double k = a + 1.0; term > 1e-17 * sum; k += 1.0) {
      term *= x / k;
      sum += term;
    }
    return 1.0 - front * sum;
  }
  double b = x + 1.0 - a, c = 1e300, d = 1.0 / b, fraction = d;
  for (double k = 1.0; k < 1e7; k += 1.0) {
    const double numerator = -k * (k - a);
    b += 2.0;
    d = numerator * d + b;
    d = 1.0 / (d == 0.0 ? 1e-300 : d);
    c = b + numerator / c;
    if (c == 0.0) c = 1e-300;
    fraction *= d * c;
    if (std::abs(d * c - 1.0) < 1e-16) break;
  }
  return front * fraction;
}

/// P(chi-square with `degrees` > x). Beyond 1e4 degrees by Wilson and Hilferty's cube root, which is then better than
/// the sums.
inline double chi_square_p_value(double x, double degrees) {
  if (degrees > 1e4) {
    const double c = 2.0 / (9.0 * degrees);
    return 1.0 - normal_cdf((std::cbrt(x / degrees) - (1.0 - c)) / std::sqrt(c));
  }
  return upper_gamma(0.5 * degrees, 0.5 * x);
}

/// Kolmogorov-Smirnov p-value of values that should be uniform on (0, 1); Stephens' correction for a finite sample.
inline double kolmogorov_p_value(std::vector<double> uniform) {
  std::sort(uniform.begin(), uniform.end());
  const double count = static_cast<double>(uniform.size());
  double distance = 0.0;
  for (std::size_t i = 0; i < uniform.size(); ++i) {
    if (!(uniform[i] >= 0.0 && uniform[i] <= 1.0)) return 0.0;  // NaN included
    distance = std::max({distance, (static_cast<double>(i) + 1.0) / count - uniform[i],
                         uniform[i] - static_cast<double>(i) / count});
  }
  const double t = (std::sqrt(count) + 0.12 + 0.11 / std::sqrt(count)) * distance;
  if (t < 0.2) return 1.0;
  double sum = 0.0, sign = 1.0;
  for (int k = 1; k <= 100; ++k, sign = -sign) sum += sign * std::exp(-2.0 * k * k * t * t);
  return std::clamp(2.0 * sum, 0.0, 1.0);
}

/// The exact conditional law of N(mu, S) given A y = d in orthonormal null coordinates, dense.
struct NullSpaceLaw {
  Eigen::MatrixXd N;     ///< n x (n - m), orthonormal
  Eigen::VectorXd mean;  ///< n
  Eigen::LLT<Eigen::MatrixXd> factor;  ///< of N'VN

  /// S = diag(s^2)
  NullSpaceLaw(const Eigen::MatrixXd& A, const Eigen::VectorXd& mu, const Eigen::VectorXd& s,
               const Eigen::VectorXd& d)
      : NullSpaceLaw(A, mu, Eigen::MatrixXd(s.array().square().matrix().asDiagonal()),
                     Eigen::MatrixXd(s.array().square().inverse().matrix().asDiagonal()), d) {}
  static NullSpaceLaw of_covariance(const Eigen::MatrixXd& A, const Eigen::VectorXd& mu, const Eigen::MatrixXd& S,
                                    const Eigen::VectorXd& d) {
    return {A, mu, S, S.llt().solve(Eigen::MatrixXd::Identity(S.rows(), S.cols())), d};
  }
  NullSpaceLaw(const Eigen::MatrixXd& A, const Eigen::VectorXd& mu, const Eigen::MatrixXd& S,
               const Eigen::MatrixXd& inverse_of_S, const Eigen::VectorXd& d) {
    const Eigen::Index n = A.cols(), m = A.rows();
    if (m == 0) {
      N = Eigen::MatrixXd::Identity(n, n);
      mean = mu;
    } else {
      const Eigen::MatrixXd Q = Eigen::HouseholderQR<Eigen::MatrixXd>(A.transpose()).householderQ();
      N = Q.rightCols(n - m);
      const Eigen::LLT<Eigen::MatrixXd> W(A * S * A.transpose());
      mean = mu - S * (A.transpose() * W.solve(A * mu - d));
    }
    // N'VN is the inverse of N'S^-1 N: nothing is subtracted.
    const Eigen::MatrixXd precision = N.transpose() * inverse_of_S * N;
    factor.compute(precision.llt().solve(Eigen::MatrixXd::Identity(N.cols(), N.cols())));
    if (factor.info() != Eigen::Success)
      throw std::runtime_error("the conditional covariance is not positive definite");
  }

  /// members x (n - m), independent standard normals if the rows of `draws` follow the law.
  Eigen::MatrixXd whiten(const Eigen::MatrixXd& draws) const {
    const Eigen::MatrixXd centred = draws.rowwise() - mean.transpose();
    return factor.matrixL().solve((centred * N).transpose()).transpose();
  }
};

struct GoodnessOfFit {
  double coordinates = 0.0;   ///< least p of a coordinate, times their number
  double mahalanobis = 0.0;   ///< |u|^2 against chi-square
  double scale = 0.0;         ///< sum of |u|^2, two-sided
  double correlations = 0.0;  ///< 1 if there is one coordinate
  double p = 0.0;
  double largest_relative_residual = 0.0;  ///< of the laws, over draws

  std::string text() const {
    std::ostringstream out;
    out << "p-values: coordinates " << coordinates << ", Mahalanobis " << mahalanobis << ", scale " << scale
        << ", correlations " << correlations << "; largest relative residual " << largest_relative_residual;
    return out.str();
  }
};

inline GoodnessOfFit goodness_of_fit(const Eigen::MatrixXd& draws, const Eigen::MatrixXd& A, const NullSpaceLaw& law,
                                     const Eigen::VectorXd& d) {
  const Eigen::MatrixXd u = law.whiten(draws);
  const Eigen::Index members = u.rows(), k = u.cols();
  const double count = static_cast<double>(members), degrees = static_cast<double>(k);
  GoodnessOfFit fit;
  fit.coordinates = 1.0;
  std::vector<double> uniform(static_cast<std::size_t>(members));
  for (Eigen::Index q = 0; q < k; ++q) {
    for (Eigen::Index i = 0; i < members; ++i) uniform[static_cast<std::size_t>(i)] = normal_cdf(u(i, q));
    fit.coordinates = std::min(fit.coordinates, degrees * kolmogorov_p_value(uniform));
  }
  double total = 0.0;
  for (Eigen::Index i = 0; i < members; ++i) {
    const double square = u.row(i).squaredNorm();
    total += square;
    uniform[static_cast<std::size_t>(i)] = 1.0 - chi_square_p_value(square, degrees);
  }
  fit.mahalanobis = kolmogorov_p_value(uniform);
  const double upper = chi_square_p_value(total, count * degrees);
  fit.scale = std::min(1.0, 2.0 * std::min(upper, 1.0 - upper));
  fit.correlations = 1.0;
  if (k > 1) {
    double squares = 0.0;
    const Eigen::MatrixXd products = u.transpose() * u;
    for (Eigen::Index q = 0; q < k; ++q)
      for (Eigen::Index r = 0; r < q; ++r) {
        const double z = products(q, r) / std::sqrt(count);
        squares += z * z;
      }
    fit.correlations = chi_square_p_value(squares, 0.5 * degrees * (degrees - 1.0));
  }
  fit.p = std::min(1.0, 4.0 * std::min({fit.coordinates, fit.mahalanobis, fit.scale, fit.correlations}));
  for (Eigen::Index i = 0; i < members; ++i)
    for (Eigen::Index row = 0; row < A.rows(); ++row) {
      double residual = 0.0, magnitude = std::abs(d[row]);
      for (Eigen::Index j = 0; j < A.cols(); ++j) {
        residual += A(row, j) * draws(i, j);
        magnitude += std::abs(A(row, j) * draws(i, j));
      }
      residual = std::abs(residual - d[row]);
      if (residual != 0.0)
        fit.largest_relative_residual = std::max(fit.largest_relative_residual, residual / magnitude);
    }
  return fit;
}

inline GoodnessOfFit goodness_of_fit(const Eigen::MatrixXd& draws, const Eigen::MatrixXd& A, const Eigen::VectorXd& mu,
                                     const Eigen::VectorXd& s, const Eigen::VectorXd& d) {
  return goodness_of_fit(draws, A, NullSpaceLaw(A, mu, s, d), d);
}

}  // namespace lavoisier::tests

#endif
