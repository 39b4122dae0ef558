#include <lavoisier/exact_losses.hpp>

#include "batch_loss.hpp"
#include "energy_score.hpp"

namespace lavoisier {

namespace {

using Batch = Eigen::Ref<const RowMatrix>;

struct FoldedNormal {
  double value, mean_bar, variance_bar;
};

/// E |X| of X ~ N(mean, variance); variance 0: |mean|, with gradient 0 in the variance.
FoldedNormal folded_normal(double mean, double variance) noexcept {
  if (!(variance > 0.0)) return {std::abs(mean), mean > 0.0 ? 1.0 : (mean < 0.0 ? -1.0 : 0.0), 0.0};
  const double sigma = std::sqrt(variance), z = mean / sigma;
  const double density = 0.39894228040143267794 * std::exp(-0.5 * z * z);
  const double both_sides = std::erf(z * 0.70710678118654752440);
  return {2.0 * sigma * density + mean * both_sides, both_sides, density / sigma};
}

void require_pair_weights(const RowMatrix& weights, Eigen::Index outputs) {
  if (weights.size() == 0) return;
  detail::require_shape("conditional_variogram_loss", "pair_weights", weights.rows(), weights.cols(), outputs, outputs);
  for (Eigen::Index i = 0; i < outputs; ++i)
    for (Eigen::Index j = i + 1; j < outputs; ++j)
      if (!std::isfinite(weights(i, j)) || weights(i, j) < 0.0)
        throw Error(Status::invalid_argument, "conditional_variogram_loss: pair_weights of outputs " +
                                                  std::to_string(i) + " and " + std::to_string(j) + " is " +
                                                  std::to_string(weights(i, j)) +
                                                  ", expected a number that is not negative");
}

}  // namespace

BatchLoss conditional_squared_error_loss(const RowMatrix& A, const Batch& mean, const Batch& standard_deviation,
                                         const Batch& d, const Batch& y, const Eigen::VectorXd& score_scale,
                                         const BatchOptions& options) {
  const char* const name = "conditional_squared_error_loss";
  detail::require_score_scale(name, score_scale, A.cols());
  return detail::loss_of_moments(
      name, A, mean, standard_deviation, d, y, options, [&](auto& kernel, const double* target, double& value, double*) {
        value = 0.0;
        for (std::size_t j = 0; j < kernel.outputs(); ++j) {
          const double scale = score_scale[static_cast<Eigen::Index>(j)];
          const double weight = 1.0 / (scale * scale * static_cast<double>(kernel.outputs()));
          const double error = kernel.marginal_mean[j] - target[j];
          value += weight * (error * error + kernel.marginal_variance[j]);
          kernel.mean_bar[j] = 2.0 * weight * error;
          kernel.variance_bar[j] = weight;
        }
        return Status::ok;
      });
}

BatchLoss conditional_absolute_error_loss(const RowMatrix& A, const Batch& mean, const Batch& standard_deviation,
                                          const Batch& d, const Batch& y, const Eigen::VectorXd& score_scale,
                                          const BatchOptions& options) {
  const char* const name = "conditional_absolute_error_loss";
  detail::require_score_scale(name, score_scale, A.cols());
  return detail::loss_of_moments(
      name, A, mean, standard_deviation, d, y, options, [&](auto& kernel, const double* target, double& value, double*) {
        value = 0.0;
        for (std::size_t j = 0; j < kernel.outputs(); ++j) {
          const double weight = 1.0 / (score_scale[static_cast<Eigen::Index>(j)] * static_cast<double>(kernel.outputs()));
          const FoldedNormal error =
              folded_normal(kernel.marginal_mean[j] - target[j], kernel.marginal_variance[j]);
          value += weight * error.value;
          kernel.mean_bar[j] = weight * error.mean_bar;
          kernel.variance_bar[j] = weight * error.variance_bar;
        }
        return Status::ok;
      });
}

BatchLoss conditional_energy_loss(const RowMatrix& A, const Batch& mean, const Batch& standard_deviation,
                                  const Batch& d, const Batch& y, const Eigen::VectorXd& score_scale,
                                  const BatchOptions& options) {
  const char* const name = "conditional_energy_loss";
  detail::require_score_scale(name, score_scale, A.cols());
  return detail::loss_of_moments(
      name, A, mean, standard_deviation, d, y, options,
      [&](auto& kernel, const double* target, double& value, double* extra) {
        detail::EnergyScore score(kernel.outputs(), kernel.rows());
        const Status status = score.evaluate(kernel, kernel.marginal_mean.data(), kernel.marginal_variance.data(),
                                             target, score_scale.data(), value);
        for (std::size_t j = 0; j < kernel.outputs(); ++j) {
          kernel.mean_bar[j] = score.delta_bar[j];
          kernel.variance_bar[j] = score.trace_bar[j];
          extra[j] = score.variance_bar[j];
        }
        return status;
      });
}

BatchLoss conditional_variogram_loss(const RowMatrix& A, const Batch& mean, const Batch& standard_deviation,
                                     const Batch& d, const Batch& y, const Eigen::VectorXd& score_scale,
                                     const RowMatrix& pair_weights, const BatchOptions& options) {
  const char* const name = "conditional_variogram_loss";
  const Eigen::Index outputs = A.cols();
  if (outputs < 2)
    throw Error(Status::shape_mismatch, std::string(name) + ": A has " + std::to_string(outputs) +
                                            " columns, expected at least 2: a variogram is of pairs of outputs");
  detail::require_score_scale(name, score_scale, outputs);
  require_pair_weights(pair_weights, outputs);
  const double equal_weight = 2.0 / (static_cast<double>(outputs) * static_cast<double>(outputs - 1));
  return detail::loss_of_moments(
      name, A, mean, standard_deviation, d, y, options,
      [&](auto& kernel, const double* target, double& value, double* extra) {
        const std::size_t n = kernel.outputs(), m = kernel.rows();
        const double* scale = score_scale.data();
        std::vector<double> K(n * m, 0.0), Q(m * m, 0.0);
        value = 0.0;
        for (std::size_t j = 0; j < n; ++j) kernel.mean_bar[j] = kernel.variance_bar[j] = 0.0;
        for (std::size_t i = 0; i < n; ++i) {
          const double* x_i = kernel.half(i);
          const double v_i = kernel.marginal_variance[i] / (scale[i] * scale[i]);
          for (std::size_t j = i + 1; j < n; ++j) {
            const double weight = pair_weights.size() == 0
                                      ? equal_weight
                                      : pair_weights(static_cast<Eigen::Index>(i), static_cast<Eigen::Index>(j));
            if (weight == 0.0) continue;
            const double* x_j = kernel.half(j);
            double product = 0.0;  // V_ij = -S_i S_j x_i'x_j
            for (std::size_t k = 0; k < m; ++k) product += x_i[k] * x_j[k];
            const double v_j = kernel.marginal_variance[j] / (scale[j] * scale[j]);
            double variance = v_i + v_j + 2.0 * kernel.variance(i) / scale[i] * (kernel.variance(j) / scale[j]) * product;
            if (variance <= 1e-14 * (v_i + v_j)) variance = 0.0;
            const FoldedNormal difference =
                folded_normal(kernel.marginal_mean[i] / scale[i] - kernel.marginal_mean[j] / scale[j], variance);
            const double error = difference.value - std::abs(target[i] / scale[i] - target[j] / scale[j]);
            value += weight * error * error;
            const double bar = 2.0 * weight * error;
            kernel.mean_bar[i] += bar * difference.mean_bar / scale[i];
            kernel.mean_bar[j] -= bar * difference.mean_bar / scale[j];
            const double v_bar = bar * difference.variance_bar;
            kernel.variance_bar[i] += v_bar / (scale[i] * scale[i]);
            kernel.variance_bar[j] += v_bar / (scale[j] * scale[j]);
            // O_ij = O_ji = -v_bar / (scale_i scale_j), the adjoint of V off its diagonal; K_j = sum_i S_i x_i O_ij.
            const double O = -v_bar / (scale[i] * scale[j]);
            for (std::size_t k = 0; k < m; ++k) {
              K[j * m + k] += kernel.variance(i) * O * x_i[k];
              K[i * m + k] += kernel.variance(j) * O * x_j[k];
            }
          }
        }
        // diag(P'OP), P_ij = [i = j] - S_i x_i'x_j: -2 x_j'K_j + x_j'Q x_j, Q = sum_k K_k S_k x_k'.
        for (std::size_t j = 0; j < n; ++j)
          for (std::size_t k = 0; k < m; ++k)
            for (std::size_t l = 0; l < m; ++l)
              Q[k * m + l] += K[j * m + k] * kernel.variance(j) * kernel.half(j)[l];
        for (std::size_t j = 0; j < n; ++j) {
          const double* x = kernel.half(j);
          for (std::size_t k = 0; k < m; ++k) {
            double sum = -2.0 * K[j * m + k];
            for (std::size_t l = 0; l < m; ++l) sum += Q[k * m + l] * x[l];
            extra[j] += x[k] * sum;
          }
        }
        return std::isfinite(value) ? Status::ok : Status::non_finite;
      });
}

}  // namespace lavoisier
