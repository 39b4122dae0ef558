#include <lavoisier/conditional_gaussian.hpp>

#include "crps.hpp"
#include "parallel.hpp"

#include <Eigen/Cholesky>
#include <Eigen/QR>

namespace lavoisier {

using detail::row;
using Batch = Eigen::Ref<const RowMatrix>;

GaussianCrps gaussian_crps(const Batch& mean, const Batch& variance, const Batch& y, const BatchOptions& options) {
  detail::require_shape("gaussian_crps", "variance", variance.rows(), variance.cols(), mean.rows(), mean.cols());
  detail::require_shape("gaussian_crps", "y", y.rows(), y.cols(), mean.rows(), mean.cols());
  const Eigen::Index samples = mean.rows(), outputs = mean.cols();
  GaussianCrps result{RowMatrix(samples, outputs), RowMatrix(samples, outputs), RowMatrix(samples, outputs)};
  const int threads = detail::thread_count(options, samples, 100.0 * static_cast<double>(outputs));
  detail::for_each_sample(samples, threads, [&](Eigen::Index s, int) {
    for (Eigen::Index j = 0; j < outputs; ++j) {
      const detail::Crps crps = detail::crps_of_normal(mean(s, j), variance(s, j), y(s, j));
      result.value(s, j) = crps.value;
      result.mean_bar(s, j) = crps.mean_bar;
      result.variance_bar(s, j) = crps.variance_bar;
    }
  });
  return result;
}

namespace {

RowMatrix orthonormal_null_basis(const RowMatrix& A) {
  const Eigen::HouseholderQR<Eigen::MatrixXd> qr(A.transpose());
  const Eigen::MatrixXd Q = qr.householderQ() * Eigen::MatrixXd::Identity(A.cols(), A.cols());
  return Q.rightCols(A.cols() - A.rows());
}

/// Where a standard deviation is zero the closed form divides by it: the dense form, which only such samples pay for.
/// NaN if N'SN is singular.
double known_component_log_density(const RowMatrix& N, const double* delta, const double* deviation) {
  const Eigen::Index n = N.rows(), size = N.cols();
  Eigen::MatrixXd covariance = Eigen::MatrixXd::Zero(size, size);
  Eigen::VectorXd u = Eigen::VectorXd::Zero(size);
  double largest = 0.0;
  for (Eigen::Index j = 0; j < n; ++j) {
    const double variance = deviation[j] * deviation[j];
    covariance += variance * N.row(j).transpose() * N.row(j);
    u += delta[j] * N.row(j).transpose();
    largest = std::max(largest, variance);
  }
  const Eigen::LLT<Eigen::MatrixXd> factor(covariance);
  const Eigen::VectorXd pivots = Eigen::MatrixXd(factor.matrixLLT()).diagonal();
  const double singular = detail::rounding_pivot(static_cast<std::size_t>(n)) * largest;
  if (factor.info() != Eigen::Success || !(pivots.array().square() > singular).all()) return detail::not_a_number;
  return -0.5 * (static_cast<double>(size) * detail::log_two_pi + u.dot(factor.solve(u))) - pivots.array().log().sum();
}

}  // namespace

Eigen::VectorXd null_space_log_density(const RowMatrix& A, const Batch& mean, const Batch& standard_deviation,
                                       const Batch& y, const BatchOptions& options, Eigen::Index rows) {
  const char* const name = "null_space_log_density";
  detail::require_shape(name, "mean", mean.rows(), mean.cols(), mean.rows(), A.cols());
  detail::require_shape(name, "standard_deviation", standard_deviation.rows(), standard_deviation.cols(), mean.rows(),
                        A.cols());
  detail::require_shape(name, "y", y.rows(), y.cols(), mean.rows(), A.cols());
  const Eigen::Index samples = mean.rows();
  const detail::LawBatch laws(name, A, samples, rows < 0 ? A.rows() : rows);
  const auto m = static_cast<Eigen::Index>(laws.rows());
  Eigen::VectorXd value(samples);
  // A null basis is needed only where a standard deviation is zero: the closed form divides by it.
  RowMatrix shared_basis;
  if (laws.shared() != nullptr && samples > 0 && (standard_deviation.array() == 0.0).any())
    shared_basis = orthonormal_null_basis(A);
  detail::for_each_kernel(laws, samples, options, [&](auto& kernel, Eigen::Index s) {
    value[s] = detail::not_a_number;
    const std::size_t n = kernel.outputs();
    const double* deviation = row(standard_deviation, s);
    bool known_component = false;
    double* z = kernel.marginal_mean.data();
    for (std::size_t j = 0; j < n; ++j) {
      z[j] = row(y, s)[j] - row(mean, s)[j];
      if (!std::isfinite(z[j]) || !std::isfinite(deviation[j]) || deviation[j] < 0.0) return;
      known_component |= deviation[j] == 0.0;
    }
    if (known_component) {
      // The rows that count: with deviations of one, W is A A'.
      std::fill(kernel.marginal_variance.begin(), kernel.marginal_variance.end(), 1.0);
      std::fill(kernel.mean_bar.begin(), kernel.mean_bar.end(), 0.0);
      if (std::isnan(kernel.null_space_log_density(kernel.mean_bar.data(), kernel.marginal_variance.data(), nullptr,
                                                   nullptr)))
        return;
      if (laws.shared() != nullptr && kernel.rank() == kernel.rows()) {
        value[s] = known_component_log_density(shared_basis, z, deviation);
        return;
      }
      RowMatrix block = Eigen::Map<const RowMatrix>(laws.block(laws.shared() != nullptr ? 0 : s), m, A.cols());
      const std::vector<std::size_t> kept = kernel.kept_rows();
      for (std::size_t i = 0; i < kept.size(); ++i)
        block.row(static_cast<Eigen::Index>(i)) = block.row(static_cast<Eigen::Index>(kept[i])).eval();
      block.conservativeResize(static_cast<Eigen::Index>(kept.size()), Eigen::NoChange);
      value[s] = known_component_log_density(orthonormal_null_basis(block), z, deviation);
      return;
    }
    value[s] = kernel.null_space_log_density(z, deviation, nullptr, nullptr);
  });
  return value;
}

}  // namespace lavoisier
