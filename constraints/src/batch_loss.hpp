#ifndef LAVOISIER_BATCH_LOSS_HPP
#define LAVOISIER_BATCH_LOSS_HPP

// What the losses share: shapes, weights, a sample's status.

#include <lavoisier/training_losses.hpp>

#include "crps.hpp"
#include "parallel.hpp"

namespace lavoisier::detail {

using Batch = Eigen::Ref<const RowMatrix>;

inline BatchLoss make_loss(Eigen::Index samples, Eigen::Index outputs) {
  return {Eigen::VectorXd(samples),
          {RowMatrix(samples, outputs), RowMatrix(samples, outputs)},
          std::vector<Status>(static_cast<std::size_t>(samples), Status::ok)};
}

inline void require_like(const char* function, Eigen::Index outputs, const Batch& mean, const Batch& deviation,
                  const Batch& y) {
  require_shape(function, "mean", mean.rows(), mean.cols(), mean.rows(), outputs);
  require_shape(function, "standard_deviation", deviation.rows(), deviation.cols(), mean.rows(), outputs);
  require_shape(function, "y", y.rows(), y.cols(), mean.rows(), outputs);
}

/// 1 / (n score_scale).
inline Eigen::VectorXd score_weights(const char* function, const Eigen::VectorXd& score_scale, Eigen::Index outputs) {
  require_shape(function, "score_scale", score_scale.size(), 1, outputs, 1);
  for (Eigen::Index j = 0; j < outputs; ++j)
    if (!std::isfinite(score_scale[j]) || !(score_scale[j] > 0.0))
      throw Error(Status::invalid_argument, std::string(function) + ": score_scale of output " + std::to_string(j) +
                                                " is " + std::to_string(score_scale[j]) +
                                                ", expected a positive number");
  return (score_scale * static_cast<double>(outputs)).cwiseInverse();
}

inline Status check_row(const double* mean, const double* deviation, const double* y, Eigen::Index outputs,
                 bool positive_deviation) {
  for (Eigen::Index j = 0; j < outputs; ++j)
    if (!std::isfinite(mean[j]) || !std::isfinite(deviation[j]) || !std::isfinite(y[j])) return Status::non_finite;
  for (Eigen::Index j = 0; j < outputs; ++j)
    if (deviation[j] < 0.0 || (positive_deviation && deviation[j] == 0.0)) return Status::invalid_argument;
  return Status::ok;
}

inline void set_status(BatchLoss& loss, Eigen::Index s, Status status) {
  loss.status[static_cast<std::size_t>(s)] = status;
  if (status == Status::ok) return;
  loss.value[s] = not_a_number;
  set_nan(loss.gradient.mean, s);
  set_nan(loss.gradient.standard_deviation, s);
}

/// Weighted sum of the marginals' CRPS; the bars take the weights.
inline double weighted_crps(Eigen::Index outputs, const double* mean, const double* variance, const double* y,
                     const Eigen::VectorXd& weight, double* mean_bar, double* variance_bar) {
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

#endif
