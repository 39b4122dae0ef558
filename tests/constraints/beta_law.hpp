#ifndef LAVOISIER_TESTS_BETA_LAW_HPP
#define LAVOISIER_TESTS_BETA_LAW_HPP

#include "goodness_of_fit.hpp"

#include <Eigen/Core>

#include <algorithm>
#include <cmath>
#include <vector>

namespace lavoisier::tests {

/// Regularised incomplete beta function by Lentz's continued fraction (DLMF 8.17.22).
inline double beta_cdf(double a, double b, double x) {
  if (!(x > 0.0)) return 0.0;
  if (x >= 1.0) return 1.0;
  if (x > (a + 1.0) / (a + b + 2.0)) return 1.0 - beta_cdf(b, a, 1.0 - x);
  const double front = std::exp(std::lgamma(a + b) - std::lgamma(a) - std::lgamma(b) + a * std::log(x) +
                                b * std::log1p(-x)) / a;
  double c = 1.0, d = 1.0 / (1.0 - (a + b) * x / (a + 1.0)), fraction = d;
  for (int i = 1; i < 10000; ++i) {
    const double k = i;
    const double even = k * (b - k) * x / ((a + 2.0 * k - 1.0) * (a + 2.0 * k));
    d = 1.0 / (1.0 + even * d);
    c = 1.0 + even / c;
    fraction *= c * d;
    const double odd = -(a + k) * (a + b + k) * x / ((a + 2.0 * k) * (a + 2.0 * k + 1.0));
    d = 1.0 / (1.0 + odd * d);
    c = 1.0 + odd / c;
    fraction *= c * d;
    if (std::abs(c * d - 1.0) < 1e-12) break;
  }
  return std::min(1.0, front * fraction);
}

/// Are the columns independent uniforms? Each column (Kolmogorov-Smirnov) and each pair's correlation (normal scores),
/// the least p-value times their number.
inline double joint_uniform_p_value(const Eigen::MatrixXd& uniforms) {
  const Eigen::Index columns = uniforms.cols();
  double least = 1.0, tests = 0.0;
  for (Eigen::Index c = 0; c < columns; ++c, tests += 1.0)
    least = std::min(least, kolmogorov_p_value(std::vector<double>(
                                uniforms.col(c).data(), uniforms.col(c).data() + uniforms.rows())));
  const Eigen::MatrixXd centred = uniforms.array() - 0.5;
  Eigen::MatrixXd products = Eigen::MatrixXd::Zero(columns, columns);
  products.selfadjointView<Eigen::Lower>().rankUpdate(centred.transpose());
  for (Eigen::Index c = 0; c < columns; ++c)
    for (Eigen::Index e = 0; e < c; ++e, tests += 1.0) {
      const double z = 12.0 * products(c, e) / std::sqrt(static_cast<double>(uniforms.rows()));
      least = std::min(least, std::erfc(std::abs(z) * 0.70710678118654752440));
    }
  return std::min(1.0, least * std::max(1.0, tests));
}

}  // namespace lavoisier::tests

#endif
