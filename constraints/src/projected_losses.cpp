#include <lavoisier/projected_losses.hpp>

#include <lavoisier/tolerances.hpp>

#include "batch_loss.hpp"
#include "metric_projection.hpp"

namespace lavoisier {

using namespace detail;

namespace {

Status check_right_hand_side(const Batch& d, Eigen::Index s, Status status) {
  for (Eigen::Index k = 0; k < d.cols(); ++k)
    if (status == Status::ok && !std::isfinite(d(s, k))) return Status::non_finite;
  return status;
}

/// Where a failed sample's `status` is from: what its laws say only counts if its numbers are in order.
Status first(Status numbers, Status laws) { return numbers == Status::ok ? laws : numbers; }

bool on_the_laws(const double* A, const double* d, const double* y, Eigen::Index rows, Eigen::Index outputs) {
  for (Eigen::Index k = 0; k < rows; ++k) {
    double residual = 0.0, magnitude = std::abs(d[k]);
    for (Eigen::Index j = 0; j < outputs; ++j) {
      const double term = A[k * outputs + j] * y[j];
      residual += term;
      magnitude += std::abs(term);
    }
    if (relative_residual(residual - d[k], magnitude) > tolerances::identity::relative_fp32) return false;
  }
  return true;
}

}  // namespace

BatchLoss projected_crps_loss(const RowMatrix& A, const Batch& metric, const Batch& mean,
                              const Batch& standard_deviation, const Batch& d, const Batch& y,
                              const Eigen::VectorXd& score_scale, const BatchOptions& options) {
  const char* const name = "projected_crps_loss";
  const Eigen::Index outputs = A.cols();
  require_like(name, outputs, mean, standard_deviation, y);
  require_shape(name, "d", d.rows(), d.cols(), mean.rows(), d.cols());
  const Eigen::VectorXd weight = score_weights(name, score_scale, outputs);
  BatchLoss loss = make_loss(mean.rows(), outputs);
  const double work = static_cast<double>(outputs) * (100.0 + 8.0 * static_cast<double>(d.cols() * d.cols()));
  RowMatrix scratch(thread_count(options, mean.rows(), 1e9), 4 * outputs);
  for_each_projection(
      name, A, d.cols(), metric, mean.rows(), options, work,
      [&](const MetricProjection& projection, Status laws, Eigen::Index s, int thread) {
        const Status status = first(
            check_right_hand_side(d, s, check_row(row(mean, s), row(standard_deviation, s), row(y, s), outputs, false)), laws);
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

BatchLoss projected_likelihood_loss(const RowMatrix& A, const Batch& metric, const Batch& mean,
                                    const Batch& standard_deviation, const Batch& d, const Batch& y,
                                    const BatchOptions& options) {
  const char* const name = "projected_likelihood_loss";
  const Eigen::Index outputs = A.cols(), rows = d.cols();
  require_like(name, outputs, mean, standard_deviation, y);
  require_shape(name, "d", d.rows(), d.cols(), mean.rows(), rows);
  BatchLoss loss = make_loss(mean.rows(), outputs);
  const bool shared = is_shared(name, A, rows, mean.rows());
  const double work = static_cast<double>(outputs) * (100.0 + 8.0 * static_cast<double>(rows * rows));
  for_each_projection(
      name, A, rows, metric, mean.rows(), options, work,
      [&](const MetricProjection& projection, Status laws, Eigen::Index s, int) {
        Status status = first(
            check_right_hand_side(d, s, check_row(row(mean, s), row(standard_deviation, s), row(y, s), outputs, false)), laws);
        const double* block = A.data() + (shared ? 0 : s * rows * outputs);
        if (status == Status::ok && !on_the_laws(block, row(d, s), row(y, s), rows, outputs)) status = Status::law_violated;
        if (status == Status::ok) {
          const MetricProjection::Density density =
              projection.log_density(row(mean, s), row(standard_deviation, s), row(y, s), row(loss.gradient.mean, s),
                                     row(loss.gradient.standard_deviation, s));
          status = density.status;
          loss.value[s] = -density.value;
        }
        set_status(loss, s, status);
        if (status != Status::ok) return;
        for (Eigen::Index j = 0; j < outputs; ++j) {
          loss.gradient.mean(s, j) = -loss.gradient.mean(s, j);
          loss.gradient.standard_deviation(s, j) = -loss.gradient.standard_deviation(s, j);
        }
      });
  return loss;
}

namespace {

/// Value of one sample; mean_bar takes the gradient in the constrained mean.
double weighted_squares(Eigen::Index outputs, const double* mean, const double* y, const Eigen::VectorXd& score_scale,
                        double* mean_bar) {
  double sum = 0.0;
  for (Eigen::Index j = 0; j < outputs; ++j) {
    const double weight = 1.0 / (static_cast<double>(outputs) * score_scale[j] * score_scale[j]);
    const double error = mean[j] - y[j];
    sum += weight * error * error;
    mean_bar[j] = 2.0 * weight * error;
  }
  return sum;
}

}  // namespace

BatchLoss gaussian_squared_error_loss(const Batch& mean, const Batch& y, const Eigen::VectorXd& score_scale,
                                      const BatchOptions& options) {
  const char* const name = "gaussian_squared_error_loss";
  const Eigen::Index outputs = mean.cols();
  require_like(name, outputs, mean, mean, y);
  score_weights(name, score_scale, outputs);
  BatchLoss loss = make_loss(mean.rows(), outputs);
  for_each_sample(mean.rows(), thread_count(options, mean.rows(), 10.0 * static_cast<double>(outputs)),
                  [&](Eigen::Index s, int) {
                    bool finite = true;
                    for (Eigen::Index j = 0; j < outputs; ++j) finite &= std::isfinite(mean(s, j)) && std::isfinite(y(s, j));
                    set_status(loss, s, finite ? Status::ok : Status::non_finite);
                    if (!finite) return;
                    loss.value[s] = weighted_squares(outputs, row(mean, s), row(y, s), score_scale, row(loss.gradient.mean, s));
                    loss.gradient.standard_deviation.row(s).setZero();
                  });
  return loss;
}

BatchLoss projected_squared_error_loss(const RowMatrix& A, const Batch& metric, const Batch& mean, const Batch& d,
                                       const Batch& y, const Eigen::VectorXd& score_scale, const BatchOptions& options) {
  const char* const name = "projected_squared_error_loss";
  const Eigen::Index outputs = A.cols();
  require_like(name, outputs, mean, mean, y);
  require_shape(name, "d", d.rows(), d.cols(), mean.rows(), d.cols());
  score_weights(name, score_scale, outputs);
  BatchLoss loss = make_loss(mean.rows(), outputs);
  RowMatrix scratch(thread_count(options, mean.rows(), 1e9), 2 * outputs);
  for_each_projection(name, A, d.cols(), metric, mean.rows(), options,
                      static_cast<double>(outputs) * (20.0 + 8.0 * static_cast<double>(d.cols())),
                      [&](const MetricProjection& projection, Status laws, Eigen::Index s, int thread) {
                        Status status = Status::ok;
                        for (Eigen::Index j = 0; j < outputs; ++j)
                          if (!std::isfinite(mean(s, j)) || !std::isfinite(y(s, j))) status = Status::non_finite;
                        status = first(check_right_hand_side(d, s, status), laws);
                        set_status(loss, s, status);
                        if (status != Status::ok) return;
                        double* m = row(scratch, thread);
                        double* m_bar = m + outputs;
                        projection.apply(row(mean, s), row(d, s), m);
                        loss.value[s] = weighted_squares(outputs, m, row(y, s), score_scale, m_bar);
                        projection.adjoint(m_bar, row(loss.gradient.mean, s));
                        loss.gradient.standard_deviation.row(s).setZero();
                      });
  return loss;
}

BatchLoss conditional_mean_squared_error_loss(const RowMatrix& A, const Batch& mean, const Batch& standard_deviation,
                                         const Batch& d, const Batch& y, const Eigen::VectorXd& score_scale,
                                         const BatchOptions& options) {
  const char* const name = "conditional_mean_squared_error_loss";
  const Eigen::Index outputs = A.cols();
  require_like(name, outputs, mean, standard_deviation, y);
  score_weights(name, score_scale, outputs);
  BatchLoss loss = make_loss(mean.rows(), outputs);
  ConditionalMoments moments = conditional_moments(A, mean, standard_deviation, d, options);
  RowMatrix mean_bar = RowMatrix::Zero(mean.rows(), outputs);
  for (Eigen::Index s = 0; s < mean.rows(); ++s) {
    Status status = moments.status[static_cast<std::size_t>(s)];
    for (Eigen::Index j = 0; j < outputs; ++j)
      if (status == Status::ok && !std::isfinite(y(s, j))) status = Status::non_finite;
    moments.status[static_cast<std::size_t>(s)] = status;
    if (status == Status::ok)
      loss.value[s] = weighted_squares(outputs, row(moments.mean, s), row(y, s), score_scale, row(mean_bar, s));
  }
  loss.gradient = conditional_moments_adjoint(A, mean, standard_deviation, d, mean_bar,
                                              RowMatrix::Zero(mean.rows(), outputs), options);
  for (Eigen::Index s = 0; s < mean.rows(); ++s) set_status(loss, s, moments.status[static_cast<std::size_t>(s)]);
  return loss;
}

void add_law_penalty(BatchLoss& loss, const RowMatrix& A, const Batch& mean, const Batch& d, double weight) {
  const char* const name = "add_law_penalty";
  const Eigen::Index outputs = A.cols(), rows = d.cols(), samples = mean.rows();
  require_shape(name, "mean", mean.rows(), mean.cols(), loss.value.size(), outputs);
  require_shape(name, "d", d.rows(), d.cols(), samples, rows);
  if (!std::isfinite(weight) || weight < 0.0)
    throw Error(Status::invalid_argument, std::string(name) + ": weight is " + std::to_string(weight) +
                                              ", expected a number that is not negative");
  const bool shared = is_shared(name, A, rows, samples);
  if (shared) const LawMatrix checked(A);
  std::vector<double> gradient(static_cast<std::size_t>(outputs));
  for (Eigen::Index s = 0; s < samples; ++s) {
    if (loss.status[static_cast<std::size_t>(s)] != Status::ok) continue;
    const double* block = A.data() + (shared ? 0 : s * rows * outputs);
    double value = 0.0;
    Status status = Status::ok;
    std::fill(gradient.begin(), gradient.end(), 0.0);
    for (Eigen::Index k = 0; k < rows; ++k) {
      const double* a = block + k * outputs;
      double squares = 0.0, residual = 0.0;
      for (Eigen::Index j = 0; j < outputs; ++j) {
        squares += a[j] * a[j];
        residual += a[j] * mean(s, j);
      }
      residual -= d(s, k);
      if (!std::isfinite(squares) || !std::isfinite(residual)) status = Status::non_finite;
      if (squares == 0.0) status = Status::rank_deficient;
      value += weight * residual * residual / squares;
      for (Eigen::Index j = 0; j < outputs; ++j)
        gradient[static_cast<std::size_t>(j)] += 2.0 * weight * residual / squares * a[j];
    }
    if (status != Status::ok) {
      set_status(loss, s, status);
      continue;
    }
    loss.value[s] += value;
    for (Eigen::Index j = 0; j < outputs; ++j) loss.gradient.mean(s, j) += gradient[static_cast<std::size_t>(j)];
  }
}

}  // namespace lavoisier
