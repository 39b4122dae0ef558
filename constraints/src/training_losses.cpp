#include <lavoisier/training_losses.hpp>

#include "crps.hpp"
#include "fused_losses.hpp"
#include "fused_shared.hpp"
#include "metric_projection.hpp"
#include "parallel.hpp"

namespace lavoisier {

using detail::row;
using Batch = Eigen::Ref<const RowMatrix>;

namespace {

BatchLoss make_loss(Eigen::Index samples, Eigen::Index outputs) {
  return {Eigen::VectorXd(samples),
          {RowMatrix(samples, outputs), RowMatrix(samples, outputs)},
          std::vector<Status>(static_cast<std::size_t>(samples), Status::ok)};
}

void require_like(const char* function, Eigen::Index outputs, const Batch& mean, const Batch& deviation,
                  const Batch& y) {
  detail::require_shape(function, "mean", mean.rows(), mean.cols(), mean.rows(), outputs);
  detail::require_shape(function, "standard_deviation", deviation.rows(), deviation.cols(), mean.rows(), outputs);
  detail::require_shape(function, "y", y.rows(), y.cols(), mean.rows(), outputs);
}

/// 1 / (n score_scale).
Eigen::VectorXd score_weights(const char* function, const Eigen::VectorXd& score_scale, Eigen::Index outputs) {
  detail::require_shape(function, "score_scale", score_scale.size(), 1, outputs, 1);
  for (Eigen::Index j = 0; j < outputs; ++j)
    if (!std::isfinite(score_scale[j]) || !(score_scale[j] > 0.0))
      throw Error(Status::invalid_argument, std::string(function) + ": score_scale of output " + std::to_string(j) +
                                                " is " + std::to_string(score_scale[j]) +
                                                ", expected a positive number");
  return (score_scale * static_cast<double>(outputs)).cwiseInverse();
}

Status check_row(const double* mean, const double* deviation, const double* y, Eigen::Index outputs,
                 bool positive_deviation) {
  for (Eigen::Index j = 0; j < outputs; ++j)
    if (!std::isfinite(mean[j]) || !std::isfinite(deviation[j]) || !std::isfinite(y[j])) return Status::non_finite;
  for (Eigen::Index j = 0; j < outputs; ++j)
    if (deviation[j] < 0.0 || (positive_deviation && deviation[j] == 0.0)) return Status::invalid_argument;
  return Status::ok;
}

void set_status(BatchLoss& loss, Eigen::Index s, Status status) {
  loss.status[static_cast<std::size_t>(s)] = status;
  if (status == Status::ok) return;
  loss.value[s] = detail::not_a_number;
  detail::set_nan(loss.gradient.mean, s);
  detail::set_nan(loss.gradient.standard_deviation, s);
}

void negate(BatchLoss& loss, Eigen::Index s) {
  loss.value[s] = -loss.value[s];
  for (Eigen::Index j = 0; j < loss.gradient.mean.cols(); ++j) {
    loss.gradient.mean(s, j) = -loss.gradient.mean(s, j);
    loss.gradient.standard_deviation(s, j) = -loss.gradient.standard_deviation(s, j);
  }
}

/// Weighted sum of the marginals' CRPS; the bars take the weights.
double weighted_crps(Eigen::Index outputs, const double* mean, const double* variance, const double* y,
                     const Eigen::VectorXd& weight, double* mean_bar, double* variance_bar) {
  double sum = 0.0;
  for (Eigen::Index j = 0; j < outputs; ++j) {
    const detail::Crps crps = detail::crps_of_normal(mean[j], variance[j], y[j]);
    sum += weight[j] * crps.value;
    mean_bar[j] = weight[j] * crps.mean_bar;
    variance_bar[j] = weight[j] * crps.variance_bar;
  }
  return sum;
}

/// Gradient in s, 1 x n: summed over the samples in their order.
BatchLoss summed(BatchLoss loss) {
  RowMatrix sum = RowMatrix::Zero(1, loss.gradient.mean.cols());
  for (Eigen::Index s = 0; s < loss.gradient.mean.rows(); ++s) sum += loss.gradient.standard_deviation.row(s);
  loss.gradient.standard_deviation = std::move(sum);
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
  const bool shared = detail::is_shared(mean, standard_deviation);
  require_like(name, A.cols(), mean, shared ? mean : standard_deviation, y);
  detail::require_shape(name, "d", d.rows(), d.cols(), mean.rows(), A.rows());
  const detail::LawMatrix laws(A);
  const Eigen::VectorXd weight = score_weights(name, score_scale, A.cols());
  if (shared) {
    if (auto fused = detail::fused_shared_conditional_crps(laws, mean, standard_deviation, d, y, weight, options))
      return std::move(*fused);
    return summed(conditional_crps_loss(A, mean, standard_deviation.replicate(mean.rows(), 1), d, y, score_scale,
                                        options));
  }
  BatchLoss loss = make_loss(mean.rows(), A.cols());
  const std::vector<Eigen::Index> rest =
      detail::fused_conditional_crps(laws, mean, standard_deviation, d, y, weight, options, loss);
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

BatchLoss projected_crps_loss(const RowMatrix& A, const Eigen::VectorXd& metric, const Batch& mean,
                              const Batch& standard_deviation, const Batch& d, const Batch& y,
                              const Eigen::VectorXd& score_scale, const BatchOptions& options) {
  const char* const name = "projected_crps_loss";
  require_like(name, A.cols(), mean, standard_deviation, y);
  detail::require_shape(name, "d", d.rows(), d.cols(), mean.rows(), A.rows());
  const detail::MetricProjection projection(name, A, metric);
  const Eigen::VectorXd weight = score_weights(name, score_scale, A.cols());
  BatchLoss loss = make_loss(mean.rows(), A.cols());
  const Eigen::Index outputs = A.cols();
  const double work = static_cast<double>(outputs) * (100.0 + 8.0 * static_cast<double>(A.rows() * A.rows()));
  const int threads = detail::thread_count(options, mean.rows(), work);
  RowMatrix scratch(threads, 4 * outputs);
  detail::for_each_sample(mean.rows(), threads, [&](Eigen::Index s, int thread) {
    Status status = check_row(row(mean, s), row(standard_deviation, s), row(y, s), outputs, false);
    for (Eigen::Index k = 0; k < d.cols(); ++k)
      if (!std::isfinite(d(s, k))) status = Status::non_finite;
    set_status(loss, s, status);
    if (status != Status::ok) return;
    double* m = row(scratch, thread);
    double* v = m + outputs;
    double* m_bar = v + outputs;
    double* v_bar = m_bar + outputs;
    projection.apply(row(mean, s), row(d, s), m);
    projection.variance(row(standard_deviation, s), v);
    loss.value[s] = weighted_crps(outputs, m, v, row(y, s), weight, m_bar, v_bar);
    projection.adjoint(m_bar, row(loss.gradient.mean, s));
    projection.variance_adjoint(row(standard_deviation, s), v_bar, row(loss.gradient.standard_deviation, s));
  });
  return loss;
}

BatchLoss gaussian_crps_loss(const Batch& mean, const Batch& standard_deviation, const Batch& y,
                             const Eigen::VectorXd& score_scale, const BatchOptions& options) {
  const Eigen::Index outputs = mean.cols();
  const bool shared = detail::is_shared(mean, standard_deviation);
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
  return {-density.value,
          {-density.gradient.mean, -density.gradient.standard_deviation},
          std::move(density.status)};
}

BatchLoss projected_likelihood_loss(const RowMatrix& A, const Eigen::VectorXd& metric, const Batch& mean,
                                    const Batch& standard_deviation, const Batch& y, const BatchOptions& options) {
  const char* const name = "projected_likelihood_loss";
  require_like(name, A.cols(), mean, standard_deviation, y);
  // In units of the metric the projection is orthogonal, and the projected density is that of the null coordinates.
  const detail::MetricProjection checked(name, A, metric);
  const RowMatrix scaled = A * metric.asDiagonal();
  const detail::LawMatrix laws(scaled);
  const Eigen::Index outputs = A.cols();
  double change_of_units = 0.0;
  {
    const std::vector<double> ones(static_cast<std::size_t>(outputs), 1.0);
    const detail::LawMatrix physical(A);
    detail::SampleKernel<-1> in_metric(laws), in_physical(physical);
    change_of_units = 0.5 * (in_metric.log_det_gram(ones.data()) - 2.0 * laws.log_det_row_scale) -
                      0.5 * (in_physical.log_det_gram(ones.data()) - 2.0 * physical.log_det_row_scale);
    for (Eigen::Index j = 0; j < outputs; ++j) change_of_units -= std::log(metric[j]);
  }
  BatchLoss loss = make_loss(mean.rows(), outputs);
  detail::for_each_kernel(laws, mean.rows(), options, [&](auto& kernel, Eigen::Index s) {
    Status status = check_row(row(mean, s), row(standard_deviation, s), row(y, s), outputs, true);
    if (status == Status::ok) {
      double* delta = kernel.marginal_mean.data();
      double* deviation = kernel.marginal_variance.data();
      for (Eigen::Index j = 0; j < outputs; ++j) {
        delta[j] = (y(s, j) - mean(s, j)) / metric[j];
        deviation[j] = standard_deviation(s, j) / metric[j];
      }
      loss.value[s] = change_of_units + kernel.null_space_log_density(delta, deviation, row(loss.gradient.mean, s),
                                                                      row(loss.gradient.standard_deviation, s));
      if (!std::isfinite(loss.value[s])) status = Status::rank_deficient;
    }
    set_status(loss, s, status);
    if (status != Status::ok) return;
    for (Eigen::Index j = 0; j < outputs; ++j) {
      loss.gradient.mean(s, j) /= metric[j];
      loss.gradient.standard_deviation(s, j) /= metric[j];
    }
    negate(loss, s);
  });
  return loss;
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
