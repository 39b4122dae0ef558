#ifndef LAVOISIER_TESTS_DIRECTIONAL_FIT_HPP
#define LAVOISIER_TESTS_DIRECTIONAL_FIT_HPP

#include "goodness_of_fit.hpp"

#include <Eigen/Core>

#include <algorithm>
#include <cmath>
#include <random>
#include <sstream>
#include <string>
#include <utility>
#include <vector>

namespace lavoisier::tests {

/// Goodness of fit where there are many outputs: what is wrong with one output is lost among 150 coordinates that are
/// looked at alike, so each output is looked at too. Draws are whitened, u = L^-1 N'(y - m), N'VN = L L', and tested
///  - coordinate by coordinate and along random directions (Kolmogorov-Smirnov),
///  - in length (Kolmogorov-Smirnov against chi-square) and in total scale,
///  - pair by pair (the largest correlation) and all pairs together (chi-square),
///  - output by output: mean and variance of y_j,
///  - score by score: mean and variance of (V^+ (y - m))_j, the direction that a wrong own deviation of output j moves
///    most (the locally most powerful test), also where a common factor hides it in the variance of y_j.
/// `p` is Bonferroni's: a p-value itself.
struct DirectionalFit {
  std::vector<std::pair<std::string, double>> tests;
  double p = 1.0;
  double largest_relative_residual = 0.0;

  double of(const std::string& name) const {
    for (const auto& [test, value] : tests)
      if (test == name) return value;
    return -1.0;
  }
  std::string text() const {
    std::ostringstream out;
    out << "p-values:";
    for (const auto& [test, value] : tests) out << ' ' << test << ' ' << value << ',';
    out << " largest relative residual " << largest_relative_residual;
    return out.str();
  }
};

/// Draws of `laws.size()` right-hand sides (and means) of one A and one covariance, as many draws each, one after
/// another. d: one row a right-hand side.
inline DirectionalFit directional_fit(const Eigen::MatrixXd& draws, const Eigen::MatrixXd& A,
                                      const std::vector<NullSpaceLaw>& laws, const Eigen::MatrixXd& d) {
  using Eigen::Index, Eigen::MatrixXd, Eigen::VectorXd;
  const Index members = draws.rows(), groups = static_cast<Index>(laws.size()), each = members / groups;
  const NullSpaceLaw& law = laws.front();
  const Index n = A.cols(), k = law.N.cols();
  const double count = static_cast<double>(members), degrees = static_cast<double>(k);
  const MatrixXd L = law.factor.matrixL();
  const MatrixXd whitener = L.triangularView<Eigen::Lower>().solve(law.N.transpose());  // k x n

  DirectionalFit fit;
  MatrixXd u(members, k);
  for (Index g = 0; g < groups; ++g) {
    const MatrixXd centred =
        draws.middleRows(g * each, each).rowwise() - laws[static_cast<std::size_t>(g)].mean.transpose();
    u.middleRows(g * each, each).noalias() = centred * whitener.transpose();
    const MatrixXd block = draws.middleRows(g * each, each);
    const MatrixXd residual = (block * A.transpose()).rowwise() - d.row(g);
    const MatrixXd magnitude = (block.cwiseAbs() * A.cwiseAbs().transpose()).rowwise() + d.row(g).cwiseAbs();
    if (A.rows() > 0)
      fit.largest_relative_residual = std::max(
          fit.largest_relative_residual, (residual.cwiseAbs().array() / magnitude.array().max(1e-300)).maxCoeff());
  }

  std::vector<double> uniform(static_cast<std::size_t>(members));
  const auto normal_p = [&](const auto& column) {
    for (Index i = 0; i < members; ++i) uniform[static_cast<std::size_t>(i)] = normal_cdf(column[i]);
    return kolmogorov_p_value(uniform);
  };
  double coordinates = 1.0, directions = 1.0;
  for (Index q = 0; q < k; ++q) coordinates = std::min(coordinates, degrees * normal_p(u.col(q)));
  std::mt19937_64 engine(17);
  std::normal_distribution<double> normal;
  const int random_directions = 8;
  for (int i = 0; i < random_directions; ++i) {
    VectorXd direction(k);
    for (double& x : direction) x = normal(engine);
    const VectorXd along = u * direction.normalized();
    directions = std::min(directions, random_directions * normal_p(along));
  }
  double total = 0.0;
  for (Index i = 0; i < members; ++i) {
    const double square = u.row(i).squaredNorm();
    total += square;
    uniform[static_cast<std::size_t>(i)] = 1.0 - chi_square_p_value(square, degrees);
  }
  const auto two_sided = [](double statistic, double of_degrees) {
    const double upper = chi_square_p_value(statistic, of_degrees);
    return std::min(1.0, 2.0 * std::min(upper, 1.0 - upper));
  };
  const auto normal_two_sided = [](double z) { return std::erfc(std::abs(z) * 0.70710678118654752440); };
  fit.tests = {{"coordinates", coordinates},
               {"directions", directions},
               {"length", kolmogorov_p_value(uniform)},
               {"scale", two_sided(total, count * degrees)}};

  MatrixXd second = MatrixXd::Zero(k, k);
  second.selfadjointView<Eigen::Lower>().rankUpdate(u.transpose());
  second = MatrixXd(second.selfadjointView<Eigen::Lower>());
  const VectorXd first = u.colwise().sum();
  if (k > 1) {
    double squares = 0.0, largest = 0.0;
    for (Index q = 0; q < k; ++q)
      for (Index r = 0; r < q; ++r) {
        const double z = second(q, r) / std::sqrt(count);
        squares += z * z;
        largest = std::max(largest, std::abs(z));
      }
    const double pairs = 0.5 * degrees * (degrees - 1.0);
    fit.tests.emplace_back("correlations", chi_square_p_value(squares, pairs));
    fit.tests.emplace_back("largest correlation", pairs * normal_two_sided(largest));
  }
  // Rows of `directions_of` times u: one statistic an output, from sums alone.
  const auto by_output = [&](const MatrixXd& directions_of) {
    double least = 1.0;
    const double number = 2.0 * static_cast<double>(n);
    const VectorXd means = directions_of * first;
    const MatrixXd products = directions_of * second;
    for (Index j = 0; j < n; ++j) {
      const double variance = directions_of.row(j).squaredNorm();
      if (variance <= 1e-24) continue;  // known, or fixed by the laws
      least = std::min(least, number * normal_two_sided(means[j] / std::sqrt(count * variance)));
      least = std::min(least, number * two_sided(products.row(j).dot(directions_of.row(j)) / variance, count));
    }
    return least;
  };
  fit.tests.emplace_back("outputs", by_output(law.N * L));
  fit.tests.emplace_back("scores", by_output(whitener.transpose()));
  for (const auto& [name, value] : fit.tests)
    fit.p = std::min(fit.p, value * static_cast<double>(fit.tests.size()));
  return fit;
}

}  // namespace lavoisier::tests

#endif
