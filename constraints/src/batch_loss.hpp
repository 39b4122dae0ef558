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

/// The laws, shared or stacked, after a check of the shapes of what goes with them.
inline LawBatch laws_of_batch(const char* function, const RowMatrix& A, const Batch& mean, const Batch& deviation,
                              const Batch& d) {
  require_shape(function, "mean", mean.rows(), mean.cols(), mean.rows(), A.cols());
  require_shape(function, "standard_deviation", deviation.rows(), deviation.cols(), mean.rows(), A.cols());
  require_shape(function, "d", d.rows(), d.cols(), mean.rows(), d.cols());
  return LawBatch(function, A, mean.rows(), d.cols());
}

inline void require_like(const char* function, Eigen::Index outputs, const Batch& mean, const Batch& deviation,
                  const Batch& y) {
  require_shape(function, "mean", mean.rows(), mean.cols(), mean.rows(), outputs);
  require_shape(function, "standard_deviation", deviation.rows(), deviation.cols(), mean.rows(), outputs);
  require_shape(function, "y", y.rows(), y.cols(), mean.rows(), outputs);
}

inline void require_score_scale(const char* function, const Eigen::VectorXd& score_scale, Eigen::Index outputs) {
  require_shape(function, "score_scale", score_scale.size(), 1, outputs, 1);
  for (Eigen::Index j = 0; j < outputs; ++j)
    if (!std::isfinite(score_scale[j]) || !(score_scale[j] > 0.0))
      throw Error(Status::invalid_argument, std::string(function) + ": score_scale of output " + std::to_string(j) +
                                                " is " + std::to_string(score_scale[j]) +
                                                ", expected a positive number");
}

/// 1 / (n score_scale).
inline Eigen::VectorXd score_weights(const char* function, const Eigen::VectorXd& score_scale, Eigen::Index outputs) {
  require_score_scale(function, score_scale, outputs);
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

/// body(kernel, s, m, v, y, value) of every sample that is well posed: sets value, kernel.mean_bar,
/// kernel.variance_bar, and adds to `extra` what reaches S on another way; returns a status.
template <class Body>
BatchLoss loss_of_moments(const char* function, const RowMatrix& A, const Batch& mean, const Batch& deviation,
                          const Batch& d, const Batch& y, const BatchOptions& options, const Body& body) {
  const LawBatch laws = laws_of_batch(function, A, mean, deviation, d);
  require_shape(function, "y", y.rows(), y.cols(), mean.rows(), A.cols());
  const Eigen::Index samples = mean.rows(), outputs = A.cols();
  BatchLoss loss = make_loss(samples, outputs);
  for_each_kernel(laws, samples, options, [&](auto& kernel, Eigen::Index s) {
    Status status = kernel.set(row(mean, s), row(deviation, s), row(d, s));
    for (Eigen::Index j = 0; j < outputs; ++j)
      if (!std::isfinite(y(s, j))) status = Status::non_finite;
    double* mean_bar = row(loss.gradient.mean, s);
    double* deviation_bar = row(loss.gradient.standard_deviation, s);
    if (status == Status::ok) {
      kernel.move_onto_laws(row(mean, s), kernel.marginal_mean.data());
      kernel.set_leverages();
      kernel.variances(kernel.marginal_variance.data());
      std::vector<double> extra(static_cast<std::size_t>(outputs), 0.0);
      status = body(kernel, row(y, s), loss.value[s], extra.data());
      if (status == Status::ok) {
        kernel.moments_adjoint(row(deviation, s), kernel.mean_bar.data(), kernel.variance_bar.data(), mean_bar,
                               deviation_bar);
        if (kernel.rows() < kernel.outputs())
          for (Eigen::Index j = 0; j < outputs; ++j) deviation_bar[j] += 2.0 * deviation(s, j) * extra[j];
      }
    }
    set_status(loss, s, status);
  });
  return loss;
}

}  // namespace lavoisier::detail

#endif
