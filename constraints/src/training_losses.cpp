#include <lavoisier/training_losses.hpp>

#include "batch_loss.hpp"
#include "fused_losses.hpp"
#include "fused_shared.hpp"
#include "log_product.hpp"

#include <utility>

namespace lavoisier {

using namespace detail;
using Batch = Eigen::Ref<const RowMatrix>;

namespace {

/// Gradient in s, 1 x n: summed over the samples in their order.
BatchLoss summed(BatchLoss loss) {
  loss.gradient.standard_deviation = sum_of_rows(loss.gradient.standard_deviation);
  return loss;
}

}  // namespace

double BatchLoss::mean() const {
  double sum = 0.0;
  for (Eigen::Index s = 0; s < value.size(); ++s) sum += value[s];
  return sum / static_cast<double>(value.size());
}

BatchLoss conditional_crps_loss(const RowMatrix& A, const Batch& mean, const Batch& standard_deviation,
                                const Batch& d, const Batch& y, const Eigen::VectorXd& score_scale,
                                const BatchOptions& options) {
  const char* const name = "conditional_crps_loss";
  const bool shared = is_shared(mean, standard_deviation);
  require_like(name, A.cols(), mean, shared ? mean : standard_deviation, y);
  detail::require_shape(name, "d", d.rows(), d.cols(), mean.rows(), d.cols());
  const detail::LawBatch laws(name, A, mean.rows(), d.cols());
  const Eigen::VectorXd weight = score_weights(name, score_scale, A.cols());
  if (shared) {
    if (laws.shared() != nullptr)
      if (auto fused = fused_shared_conditional_crps(*laws.shared(), mean, standard_deviation, d, y, weight, options))
        return std::move(*fused);
    return summed(conditional_crps_loss(A, mean, standard_deviation.replicate(mean.rows(), 1), d, y, score_scale,
                                        options));
  }
  BatchLoss loss = make_loss(mean.rows(), A.cols());
  const std::vector<Eigen::Index> rest =
      fused_conditional_crps(laws.shared(), mean, standard_deviation, d, y, weight, options, loss);
  // A stacked A: rest[i] is i.
  detail::for_each_kernel(laws, static_cast<Eigen::Index>(rest.size()), options, [&](auto& kernel, Eigen::Index i) {
    const Eigen::Index s = rest[static_cast<std::size_t>(i)];
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
  const bool shared = is_shared(mean, standard_deviation);
  require_like("gaussian_crps_loss", outputs, mean, shared ? mean : standard_deviation, y);
  const Eigen::VectorXd weight = score_weights("gaussian_crps_loss", score_scale, outputs);
  BatchLoss loss = make_loss(mean.rows(), outputs);
  const int threads = detail::thread_count(options, mean.rows(), 20.0 * static_cast<double>(outputs));
  RowMatrix scratch(threads, 3 * outputs);
  detail::for_each_sample(mean.rows(), threads, [&](Eigen::Index s, int thread) {
    const double* deviation = row(standard_deviation, shared ? 0 : s);
    const Status status = check_row(row(mean, s), deviation, row(y, s), outputs, false);
    set_status(loss, s, status);
    if (status != Status::ok) return;
    double* from_mean = row(scratch, thread);
    double* inverse = from_mean + outputs;
    double* value = inverse + outputs;
    double* mean_bar = row(loss.gradient.mean, s);
    double* deviation_bar = row(loss.gradient.standard_deviation, s);
    for (Eigen::Index j = 0; j < outputs; ++j) from_mean[j] = row(y, s)[j] - row(mean, s)[j];
    for (Eigen::Index j = 0; j < outputs; ++j) inverse[j] = 1.0 / deviation[j];
    detail::gaussian_crps_row(from_mean, deviation, inverse, outputs, value, mean_bar, deviation_bar);
    double sum = 0.0;
    for (Eigen::Index j = 0; j < outputs; ++j) {
      sum += weight[j] * value[j];
      mean_bar[j] *= weight[j];
      deviation_bar[j] = weight[j] * deviation_bar[j] * 2.0 * deviation[j];
    }
    loss.value[s] = sum;
  });
  return shared ? summed(std::move(loss)) : loss;
}

BatchLoss conditional_likelihood_loss(const RowMatrix& A, const Batch& mean, const Batch& standard_deviation,
                                      const Batch& d, const Batch& y, const BatchOptions& options) {
  LogDensity density = conditional_log_density(A, mean, standard_deviation, d, y, true, options);
  // In place: a batch's gradients are large enough to cost a trip to the kernel each.
  for (RowMatrix* gradient : {&density.gradient.mean, &density.gradient.standard_deviation})
    for (Eigen::Index i = 0; i < gradient->size(); ++i) gradient->data()[i] = -gradient->data()[i];
  return {-density.value, std::move(density.gradient), std::move(density.status)};
}

BatchLoss gaussian_likelihood_loss(const Batch& mean, const Batch& standard_deviation, const Batch& y,
                                   const BatchOptions& options) {
  const Eigen::Index outputs = mean.cols();
  const bool shared = is_shared(mean, standard_deviation);
  require_like("gaussian_likelihood_loss", outputs, mean, shared ? mean : standard_deviation, y);
  BatchLoss loss = make_loss(mean.rows(), outputs);
  const int threads = detail::thread_count(options, mean.rows(), 50.0 * static_cast<double>(outputs));
  detail::for_each_sample(mean.rows(), threads, [&](Eigen::Index s, int) {
    const double *at = row(y, s), *centre = row(mean, s), *deviation = row(standard_deviation, shared ? 0 : s);
    const Status status = check_row(centre, deviation, at, outputs, true);
    set_status(loss, s, status);
    if (status != Status::ok) return;
    double *mean_bar = row(loss.gradient.mean, s), *deviation_bar = row(loss.gradient.standard_deviation, s);
    LogProduct product;
    double squares = 0.0;
    for (Eigen::Index j = 0; j < outputs; ++j) {
      const double inverse = 1.0 / deviation[j], z = (at[j] - centre[j]) * inverse;
      squares += z * z;
      product.multiply(deviation[j]);
      mean_bar[j] = -z * inverse;
      deviation_bar[j] = (1.0 - z * z) * inverse;
    }
    loss.value[s] = 0.5 * static_cast<double>(outputs) * detail::log_two_pi + 0.5 * squares + product.log();
  });
  return shared ? summed(std::move(loss)) : loss;
}

}  // namespace lavoisier
