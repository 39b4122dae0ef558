#include "correlated_common.hpp"

#include <Eigen/Cholesky>
#include <Eigen/QR>

#include <algorithm>

namespace lavoisier::detail {

Eigen::Index draws_a_sample(const char* function, const char* argument, const Batch& values, Eigen::Index samples,
                            Eigen::Index columns) {
  const Eigen::Index draws = samples == 0 ? 0 : values.rows() / samples;
  require_shape(function, argument, values.rows(), values.cols(), std::max<Eigen::Index>(draws, 1) * samples, columns);
  return draws;
}

void require_dependent(const char* function, const std::vector<Eigen::Index>& dependent, Eigen::Index m,
                       Eigen::Index n) {
  if (dependent.empty()) return;
  require_shape(function, "dependent", static_cast<Eigen::Index>(dependent.size()), 1, m, 1);
  for (std::size_t i = 0; i < dependent.size(); ++i)
    if (dependent[i] < 0 || dependent[i] >= n ||
        std::count(dependent.begin(), dependent.end(), dependent[i]) != 1)
      throw Error(Status::invalid_argument, std::string(function) + ": dependent[" + std::to_string(i) + "] is " +
                                                std::to_string(dependent[i]) + ", expected distinct outputs below " +
                                                std::to_string(n));
}

Eigen::VectorXd score_weights_of(const char* function, const Eigen::VectorXd& score_scale, Eigen::Index outputs) {
  require_shape(function, "score_scale", score_scale.size(), 1, outputs, 1);
  for (Eigen::Index j = 0; j < outputs; ++j)
    if (!std::isfinite(score_scale[j]) || !(score_scale[j] > 0.0))
      throw Error(Status::invalid_argument, std::string(function) + ": score_scale of output " + std::to_string(j) +
                                                " is " + std::to_string(score_scale[j]) +
                                                ", expected a positive number");
  return (score_scale * static_cast<double>(outputs)).cwiseInverse();
}

double dense_null_space_log_density(const Eigen::MatrixXd& A, const Eigen::MatrixXd& S, const Eigen::VectorXd& delta) {
  const Eigen::Index n = A.cols(), size = n - A.rows();
  if (size <= 0) return size == 0 ? 0.0 : not_a_number;
  Eigen::MatrixXd N = Eigen::MatrixXd::Identity(n, n);
  if (A.rows() > 0) N = (Eigen::HouseholderQR<Eigen::MatrixXd>(A.transpose()).householderQ() * N).eval();
  const Eigen::MatrixXd basis = N.rightCols(size);
  const Eigen::MatrixXd covariance = basis.transpose() * S * basis;
  const Eigen::VectorXd u = basis.transpose() * delta;
  const Eigen::LLT<Eigen::MatrixXd> factor(covariance);
  const Eigen::VectorXd pivots = Eigen::MatrixXd(factor.matrixLLT()).diagonal();
  const double singular = rounding_pivot<double>(static_cast<std::size_t>(n)) * S.diagonal().maxCoeff();
  if (factor.info() != Eigen::Success || !(pivots.array().square() > singular).all()) return not_a_number;
  return -0.5 * (static_cast<double>(size) * log_two_pi + u.dot(factor.solve(u))) - pivots.array().log().sum();
}

double weighted_squared_error(Eigen::Index outputs, const double* mean, const double* y,
                              const Eigen::VectorXd& score_scale, double* mean_bar) noexcept {
  double sum = 0.0;
  for (Eigen::Index j = 0; j < outputs; ++j) {
    const double error = (mean[j] - y[j]) / score_scale[j];
    sum += error * error;
    mean_bar[j] = 2.0 * error / (score_scale[j] * static_cast<double>(outputs));
  }
  return sum / static_cast<double>(outputs);
}

double weighted_marginal_crps(Eigen::Index outputs, const double* mean, const double* variance, const double* y,
                              const Eigen::VectorXd& weight, double* mean_bar, double* variance_bar) noexcept {
  double sum = 0.0;
  for (Eigen::Index j = 0; j < outputs; ++j) {
    const Crps crps = crps_of_normal(mean[j], variance[j], y[j]);
    sum += weight[j] * crps.value;
    mean_bar[j] = weight[j] * crps.mean_bar;
    variance_bar[j] = weight[j] * crps.variance_bar;
  }
  return sum;
}

}  // namespace lavoisier::detail
