#ifndef LAVOISIER_ESTIMATE_SAMPLE_HPP
#define LAVOISIER_ESTIMATE_SAMPLE_HPP

// Gradient estimates of one sample and of a batch, for a loss of all draws of a sample.

#include "batch_loss.hpp"
#include "normal_draws.hpp"

#include <exception>
#include <mutex>

namespace lavoisier::detail {

/// What a sample leaves for the state.
struct Record {
  Eigen::VectorXd products, squares, dispersion, rest;  // in log s, means over the draws
  double variance = 0.0, covariance = 0.0;              // of the means, by the spread of the draws
};

struct Request {
  const EstimatorOptions& options;
  const EstimatorState* state;
  bool blackwell, stratified, controlled;
  bool without_dispersion = false;  ///< rao_blackwell_shrunk: the caller adds c times the record's dispersion term

  std::uint64_t id_of(Eigen::Index s) const {
    return options.sample_ids.empty() ? static_cast<std::uint64_t>(s) : options.sample_ids[static_cast<std::size_t>(s)];
  }
  Eigen::Index slot_of(Eigen::Index s) const {
    return state == nullptr || state->slots() == 1 ? Eigen::Index{0} : static_cast<Eigen::Index>(id_of(s));
  }
};

/// The gradient of one sample; what it leaves for the state goes to `record` unless null. evaluate(s, y, g, weight, value)
/// of the draws y (K x n) sets g = K df/dy (K x n), value = f, and of each draw what the gradient of its log density is
/// to be multiplied with (score_function); false if something is not finite.
template <class Kernel, class Evaluate>
Status estimate_sample(Kernel& kernel, const Request& request, const Evaluate& evaluate, Eigen::Index s,
                       const double* mean, const double* deviation, double& value, double* mean_bar,
                       double* deviation_bar, Record* record) {
  const std::uint64_t id = request.id_of(s);
  const Eigen::Index slot = request.slot_of(s);
  const Estimator estimator = request.options.estimator;
  const std::size_t n = kernel.outputs(), draws = static_cast<std::size_t>(request.options.draws);
  const double share = 1.0 / static_cast<double>(draws);
  std::vector<double> e(draws * n), y(draws * n), g(draws * n), weight(draws), m(n), a_lambda(n), b(n, 0.0), zero(n, 0.0);
  std::vector<double> z(n), p(n), added_back(n, 0.0), unused(n);
  std::vector<std::size_t> stratum;
  kernel.move_onto_laws(mean, m.data());
  for (std::size_t j = 0; j < n; ++j) a_lambda[j] = kernel.A_lambda(j);
  draw_normals({request.options.seed, request.options.stream}, request.options.step, id, draws, n,
                       request.stratified, e.data(), stratum);
  if (request.controlled || estimator == Estimator::score_function) kernel.set_leverages();
  if (estimator == Estimator::score_function) kernel.variances(kernel.marginal_variance.data());
  if (request.controlled) {
    const Eigen::VectorXd curvature = request.state->curvature(slot);
    for (std::size_t j = 0; j < n; ++j) b[j] = curvature[static_cast<Eigen::Index>(j)];
    kernel.moments_adjoint(deviation, zero.data(), b.data(), unused.data(), added_back.data());
    for (std::size_t j = 0; j < n; ++j) added_back[j] *= 0.5;  // s_j sum_i P_ij^2 b_i
  }
  const double c = request.without_dispersion                      ? 0.0
                   : estimator == Estimator::rao_blackwell_shrunk ? request.state->shrinkage(request.options.level, slot)
                                                                  : 1.0;
  for (std::size_t j = 0; j < n; ++j) mean_bar[j] = deviation_bar[j] = 0.0;
  RowMatrix dispersion, rest;
  if (record != nullptr) {
    record->products = record->squares = record->dispersion = record->rest =
        Eigen::VectorXd::Zero(static_cast<Eigen::Index>(n));
    dispersion.resize(static_cast<Eigen::Index>(draws), static_cast<Eigen::Index>(n));
    rest.resize(static_cast<Eigen::Index>(draws), static_cast<Eigen::Index>(n));
  }
  for (std::size_t k = 0; k < draws; ++k) {
    for (std::size_t j = 0; j < n; ++j) z[j] = mean[j] + deviation[j] * e[k * n + j];
    kernel.move_onto_laws(z.data(), y.data() + k * n);
  }
  if (!evaluate(s, y.data(), g.data(), weight.data(), value)) return Status::non_finite;
  for (const double component : g)
    if (!std::isfinite(component)) return Status::non_finite;
  for (std::size_t k = 0; k < draws && estimator != Estimator::score_function; ++k) {
    const double* e_k = e.data() + k * n;
    const double* y_k = y.data() + k * n;
    const double* g_k = g.data() + k * n;
    if (estimator == Estimator::pathwise) {
      for (std::size_t j = 0; j < n; ++j) z[j] = mean[j] + deviation[j] * e_k[j];
      kernel.set_lambda(z.data());
    }
    if (request.controlled) {
      for (std::size_t j = 0; j < n; ++j) z[j] = g_k[j] - b[j] * (y_k[j] - m[j]);
      kernel.project_adjoint(z.data(), p.data());
    } else {
      kernel.project_adjoint(g_k, p.data());
    }
    for (std::size_t j = 0; j < n; ++j) {
      mean_bar[j] += share * p[j];
      if (estimator == Estimator::pathwise) {
        deviation_bar[j] += share * p[j] * (e_k[j] - 2.0 * deviation[j] * kernel.A_lambda(j));
        continue;
      }
      const double of_mean = -2.0 * deviation[j] * a_lambda[j] * p[j];
      const double spread =
          request.blackwell && deviation[j] > 0.0 ? (y_k[j] - m[j]) / deviation[j] * p[j] + added_back[j] : 0.0;
      deviation_bar[j] += share * (of_mean + c * spread);
      if (record == nullptr) continue;
      const auto column = static_cast<Eigen::Index>(j);
      const double from_mean = y_k[j] - m[j];
      record->products[column] += g_k[j] * from_mean;
      record->squares[column] += from_mean * from_mean;
      dispersion(static_cast<Eigen::Index>(k), column) = deviation[j] * spread;
      rest(static_cast<Eigen::Index>(k), column) = deviation[j] * of_mean;
      record->dispersion[column] += share * deviation[j] * spread;
      record->rest[column] += share * deviation[j] * of_mean;
    }
  }
  if (estimator == Estimator::score_function) {
    for (std::size_t k = 0; k < draws; ++k) {
      for (std::size_t j = 0; j < n; ++j) {
        const double variance = deviation[j] * deviation[j], q = (y[k * n + j] - m[j]) / variance;
        mean_bar[j] += weight[k] * q;
        deviation_bar[j] += weight[k] * (deviation[j] * q * (q - 2.0 * a_lambda[j]) -
                                      kernel.marginal_variance[j] / (variance * deviation[j]));
      }
    }
  }
  for (std::size_t j = 0; j < n; ++j)
    if (!std::isfinite(mean_bar[j]) || !std::isfinite(deviation_bar[j])) return Status::non_finite;
  if (record != nullptr && draws > 1) {
    for (Eigen::Index k = 0; k < dispersion.rows(); ++k)
      for (Eigen::Index j = 0; j < dispersion.cols(); ++j) {
        const double of_dispersion = dispersion(k, j) - record->dispersion[j];
        record->variance += of_dispersion * of_dispersion;
        record->covariance += of_dispersion * (rest(k, j) - record->rest[j]);
      }
    record->variance *= share / static_cast<double>(draws - 1);
    record->covariance *= share / static_cast<double>(draws - 1);
  }
  return Status::ok;
}

/// c of a call's samples together, from their own dispersion terms; 1 without samples.
double shrinkage_of(const std::vector<Record>& records, const std::vector<Status>& status, Eigen::Index outputs);

/// Every sample's estimate; `records` (one a sample) unless null. What evaluate throws is thrown here.
template <class Evaluate>
EstimatedGradient estimate_batch(const LawBatch& laws, const Request& request, const Batch& mean,
                                 const Batch& standard_deviation, const Batch& d, const Evaluate& evaluate,
                                 std::vector<Record>* records, const BatchOptions& options) {
  const Eigen::Index samples = mean.rows(), outputs = mean.cols();
  EstimatedGradient result{Eigen::VectorXd(samples),
                           {RowMatrix(samples, outputs), RowMatrix(samples, outputs)},
                           std::vector<Status>(static_cast<std::size_t>(samples), Status::ok)};
  std::mutex mutex;
  std::exception_ptr thrown;
  Eigen::Index thrown_by = samples;
  for_each_kernel(laws, samples, options, [&](auto& kernel, Eigen::Index s) {
    Status status = kernel.set(row(mean, s), row(standard_deviation, s), row(d, s));
    if (status == Status::ok && request.options.estimator == Estimator::score_function)
      for (Eigen::Index j = 0; j < outputs; ++j)
        if (!(standard_deviation(s, j) > 0.0)) status = Status::invalid_argument;
    if (status == Status::ok) {
      try {
        status = estimate_sample(kernel, request, evaluate, s, row(mean, s), row(standard_deviation, s),
                                 result.value[s], row(result.gradient.mean, s),
                                 row(result.gradient.standard_deviation, s),
                                 records != nullptr ? &(*records)[static_cast<std::size_t>(s)] : nullptr);
      } catch (...) {  // must not leave a parallel region
        const std::lock_guard<std::mutex> lock(mutex);
        if (s < thrown_by) {
          thrown = std::current_exception();
          thrown_by = s;
        }
        status = Status::internal;
      }
    }
    result.status[static_cast<std::size_t>(s)] = status;
    if (status == Status::ok) return;
    result.value[s] = not_a_number;
    set_nan(result.gradient.mean, s);
    set_nan(result.gradient.standard_deviation, s);
  });
  if (thrown) std::rethrow_exception(thrown);
  return result;
}

}  // namespace lavoisier::detail

#endif
