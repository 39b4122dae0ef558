#include <lavoisier/training_losses.hpp>

#include "batch_loss.hpp"

namespace lavoisier {

using namespace detail;
using Batch = Eigen::Ref<const RowMatrix>;

double BatchLoss::mean() const {
  double sum = 0.0;
  for (Eigen::Index s = 0; s < value.size(); ++s) sum += value[s];
  return sum / static_cast<double>(value.size());
}

BatchLoss conditional_crps_loss(const RowMatrix& A, const Batch& mean, const Batch& standard_deviation,
                                const Batch& d, const Batch& y, const Eigen::VectorXd& score_scale,
                                const BatchOptions& options) {
  const char* const name = "conditional_crps_loss";
  require_like(name, A.cols(), mean, standard_deviation, y);
  detail::require_shape(name, "d", d.rows(), d.cols(), mean.rows(), d.cols());
  const detail::LawBatch laws(name, A, mean.rows(), d.cols());
  const Eigen::VectorXd weight = score_weights(name, score_scale, A.cols());
  BatchLoss loss = make_loss(mean.rows(), A.cols());
  detail::for_each_kernel(laws, mean.rows(), options, [&](auto& kernel, Eigen::Index s) {
    Status status = check_row(row(mean, s), row(standard_deviation, s), row(y, s), A.cols(), false);
    if (status == Status::ok) status = kernel.set(row(mean, s), row(standard_deviation, s), row(d, s));
    set_status(loss, s, status);
    if (status != Status::ok) return;
    kernel.move_onto_laws(row(mean, s), kernel.marginal_mean.data());
    kernel.set_leverages();
    kernel.variances(kernel.marginal_variance.data());
    loss.value[s] = weighted_crps(A.cols(), kernel.marginal_mean.data(), kernel.marginal_variance.data(), row(y, s),
                                  weight, kernel.mean_bar.data(), kernel.variance_bar.data());
    kernel.moments_adjoint(row(standard_deviation, s), kernel.mean_bar.data(), kernel.variance_bar.data(),
                           row(loss.gradient.mean, s), row(loss.gradient.standard_deviation, s));
  });
  return loss;
}

BatchLoss gaussian_crps_loss(const Batch& mean, const Batch& standard_deviation, const Batch& y,
                             const Eigen::VectorXd& score_scale, const BatchOptions& options) {
  const Eigen::Index outputs = mean.cols();
  require_like("gaussian_crps_loss", outputs, mean, standard_deviation, y);
  const Eigen::VectorXd weight = score_weights("gaussian_crps_loss", score_scale, outputs);
  BatchLoss loss = make_loss(mean.rows(), outputs);
  const int threads = detail::thread_count(options, mean.rows(), 100.0 * static_cast<double>(outputs));
  detail::for_each_sample(mean.rows(), threads, [&](Eigen::Index s, int) {
    const double* deviation = row(standard_deviation, s);
    const Status status = check_row(row(mean, s), deviation, row(y, s), outputs, false);
    set_status(loss, s, status);
    if (status != Status::ok) return;
    loss.value[s] = 0.0;
    for (Eigen::Index j = 0; j < outputs; ++j) {
      const detail::Crps crps = detail::crps_of_normal(mean(s, j), deviation[j] * deviation[j], y(s, j));
      loss.value[s] += weight[j] * crps.value;
      loss.gradient.mean(s, j) = weight[j] * crps.mean_bar;
      loss.gradient.standard_deviation(s, j) = weight[j] * crps.variance_bar * 2.0 * deviation[j];
    }
  });
  return loss;
}

BatchLoss conditional_likelihood_loss(const RowMatrix& A, const Batch& mean, const Batch& standard_deviation,
                                      const Batch& d, const Batch& y, const BatchOptions& options) {
  LogDensity density = conditional_log_density(A, mean, standard_deviation, d, y, true, options);
  return {-density.value,
          {-density.gradient.mean, -density.gradient.standard_deviation},
          std::move(density.status)};
}

BatchLoss gaussian_likelihood_loss(const Batch& mean, const Batch& standard_deviation, const Batch& y,
                                   const BatchOptions& options) {
  const Eigen::Index outputs = mean.cols();
  require_like("gaussian_likelihood_loss", outputs, mean, standard_deviation, y);
  BatchLoss loss = make_loss(mean.rows(), outputs);
  const int threads = detail::thread_count(options, mean.rows(), 50.0 * static_cast<double>(outputs));
  detail::for_each_sample(mean.rows(), threads, [&](Eigen::Index s, int) {
    const Status status = check_row(row(mean, s), row(standard_deviation, s), row(y, s), outputs, true);
    set_status(loss, s, status);
    if (status != Status::ok) return;
    double value = 0.5 * static_cast<double>(outputs) * detail::log_two_pi;
    for (Eigen::Index j = 0; j < outputs; ++j) {
      const double deviation = standard_deviation(s, j);
      const double z = (y(s, j) - mean(s, j)) / deviation;
      value += 0.5 * z * z + std::log(deviation);
      loss.gradient.mean(s, j) = -z / deviation;
      loss.gradient.standard_deviation(s, j) = (1.0 - z * z) / deviation;
    }
    loss.value[s] = value;
  });
  return loss;
}

}  // namespace lavoisier
