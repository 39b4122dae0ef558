#ifndef LAVOISIER_BATCH_LOSS_HPP
#define LAVOISIER_BATCH_LOSS_HPP

#include "parallel.hpp"

#include <lavoisier/training_losses.hpp>

namespace lavoisier::detail {

using BatchRef = Eigen::Ref<const RowMatrix>;

/// The laws, shared or stacked, after a check of the shapes of what goes with them.
inline LawBatch laws_of_batch(const char* function, const RowMatrix& A, const BatchRef& mean, const BatchRef& deviation,
                              const BatchRef& d) {
  require_shape(function, "mean", mean.rows(), mean.cols(), mean.rows(), A.cols());
  require_shape(function, "standard_deviation", deviation.rows(), deviation.cols(), mean.rows(), A.cols());
  require_shape(function, "d", d.rows(), d.cols(), mean.rows(), d.cols());
  return LawBatch(function, A, mean.rows(), d.cols());
}

inline void require_score_scale(const char* function, const Eigen::VectorXd& score_scale, Eigen::Index outputs) {
  require_shape(function, "score_scale", score_scale.size(), 1, outputs, 1);
  for (Eigen::Index j = 0; j < outputs; ++j)
    if (!std::isfinite(score_scale[j]) || !(score_scale[j] > 0.0))
      throw Error(Status::invalid_argument, std::string(function) + ": score_scale of output " + std::to_string(j) +
                                                " is " + std::to_string(score_scale[j]) +
                                                ", expected a positive number");
}

/// body(kernel, s, m, v, y, value) of every sample that is well posed: sets value, kernel.mean_bar,
/// kernel.variance_bar, and adds to `extra` what reaches S on another way; returns a status.
template <class Body>
BatchLoss loss_of_moments(const char* function, const RowMatrix& A, const BatchRef& mean, const BatchRef& deviation,
                          const BatchRef& d, const BatchRef& y, const BatchOptions& options, const Body& body) {
  const LawBatch laws = laws_of_batch(function, A, mean, deviation, d);
  require_shape(function, "y", y.rows(), y.cols(), mean.rows(), A.cols());
  const Eigen::Index samples = mean.rows(), outputs = A.cols();
  BatchLoss loss{Eigen::VectorXd(samples),
                 {RowMatrix(samples, outputs), RowMatrix(samples, outputs)},
                 std::vector<Status>(static_cast<std::size_t>(samples), Status::ok)};
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
    loss.status[static_cast<std::size_t>(s)] = status;
    if (status == Status::ok) return;
    loss.value[s] = not_a_number;
    set_nan(loss.gradient.mean, s);
    set_nan(loss.gradient.standard_deviation, s);
  });
  return loss;
}

}  // namespace lavoisier::detail

#endif
