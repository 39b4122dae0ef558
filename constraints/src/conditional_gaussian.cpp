#include <lavoisier/conditional_gaussian.hpp>

#include "fused_losses.hpp"
#include "fused_shared.hpp"
#include "parallel.hpp"

#include <algorithm>
#include <string>

namespace lavoisier {

namespace {

using detail::LawBatch;
using detail::row;
using detail::set_nan;
using Batch = Eigen::Ref<const RowMatrix>;

/// The laws, after a check of the shapes of what goes with them.
LawBatch checked_laws(const char* function, const RowMatrix& A, const Batch& mean, const Batch& deviation,
                      const Batch& d) {
  detail::require_shape(function, "mean", mean.rows(), mean.cols(), mean.rows(), A.cols());
  detail::require_shape(function, "standard_deviation", deviation.rows(), deviation.cols(), mean.rows(), A.cols());
  detail::require_shape(function, "d", d.rows(), d.cols(), mean.rows(), d.cols());
  return LawBatch(function, A, mean.rows(), d.cols());
}

void require_outputs(const char* function, const char* argument, const Batch& values, const Batch& mean) {
  detail::require_shape(function, argument, values.rows(), values.cols(), mean.rows(), mean.cols());
}

bool all_finite(const double* values, std::size_t count) {
  for (std::size_t j = 0; j < count; ++j)
    if (!std::isfinite(values[j])) return false;
  return true;
}

std::vector<std::size_t> checked_dependent_outputs(const char* function, const std::vector<Eigen::Index>& outputs,
                                                   Eigen::Index rows, Eigen::Index count) {
  std::vector<std::size_t> result;
  if (outputs.empty()) return result;
  const auto refuse = [&](const std::string& found) {
    throw Error(Status::invalid_argument, std::string(function) + ": dependent_outputs " + found + ", expected " +
                                              std::to_string(rows) + " different outputs (one a law), 0 to " +
                                              std::to_string(count - 1));
  };
  if (static_cast<Eigen::Index>(outputs.size()) != rows) refuse("are " + std::to_string(outputs.size()));
  for (const Eigen::Index j : outputs) {
    if (j < 0 || j >= count) refuse("name output " + std::to_string(j));
    if (std::find(result.begin(), result.end(), static_cast<std::size_t>(j)) != result.end())
      refuse("name output " + std::to_string(j) + " twice");
    result.push_back(static_cast<std::size_t>(j));
  }
  return result;
}

/// kernel.set() of row s.
template <class Kernel>
Status set_row(Kernel& kernel, const Batch& mean, const Batch& deviation, const Batch& d, Eigen::Index s) {
  return kernel.set(row(mean, s), row(deviation, s), row(d, s));
}

}  // namespace

ConditionalMoments conditional_moments(const RowMatrix& A, const Batch& mean, const Batch& standard_deviation,
                                       const Batch& d, const BatchOptions& options) {
  if (detail::is_shared(mean, standard_deviation))
    return detail::shared_conditional_moments(A, mean, standard_deviation, d, options);
  const LawBatch laws = checked_laws("conditional_moments", A, mean, standard_deviation, d);
  const Eigen::Index samples = mean.rows();
  ConditionalMoments result{RowMatrix(samples, A.cols()), RowMatrix(samples, A.cols()),
                            std::vector<Status>(static_cast<std::size_t>(samples), Status::ok)};
  detail::for_each_kernel(laws, samples, options, [&](auto& kernel, Eigen::Index s) {
    const Status status = set_row(kernel, mean, standard_deviation, d, s);
    result.status[static_cast<std::size_t>(s)] = status;
    if (status != Status::ok) {
      set_nan(result.mean, s);
      set_nan(result.variance, s);
      return;
    }
    kernel.move_onto_laws(row(mean, s), row(result.mean, s));
    kernel.set_leverages();
    kernel.variances(row(result.variance, s));
  });
  return result;
}

GaussianGradient conditional_moments_adjoint(const RowMatrix& A, const Batch& mean, const Batch& standard_deviation,
                                             const Batch& d, const Batch& mean_bar, const Batch& variance_bar,
                                             const BatchOptions& options) {
  if (detail::is_shared(mean, standard_deviation))
    return detail::shared_conditional_moments_adjoint(A, mean, standard_deviation, d, mean_bar, variance_bar, options);
  require_outputs("conditional_moments_adjoint", "mean_bar", mean_bar, mean);
  require_outputs("conditional_moments_adjoint", "variance_bar", variance_bar, mean);
  const LawBatch laws = checked_laws("conditional_moments_adjoint", A, mean, standard_deviation, d);
  const Eigen::Index samples = mean.rows();
  GaussianGradient result{RowMatrix(samples, A.cols()), RowMatrix(samples, A.cols())};
  detail::for_each_kernel(laws, samples, options, [&](auto& kernel, Eigen::Index s) {
    if (set_row(kernel, mean, standard_deviation, d, s) != Status::ok) {
      set_nan(result.mean, s);
      set_nan(result.standard_deviation, s);
      return;
    }
    kernel.set_lambda(row(mean, s));
    kernel.set_leverages();
    kernel.moments_adjoint(row(standard_deviation, s), row(mean_bar, s), row(variance_bar, s), row(result.mean, s),
                           row(result.standard_deviation, s));
  });
  return result;
}

RowMatrix conditional_draw(const RowMatrix& A, const Batch& mean, const Batch& standard_deviation, const Batch& d,
                           const Batch& e, const BatchOptions& options) {
  if (detail::is_shared(mean, standard_deviation))
    return detail::shared_conditional_draw(A, mean, standard_deviation, d, e, options);
  require_outputs("conditional_draw", "e", e, mean);
  const LawBatch laws = checked_laws("conditional_draw", A, mean, standard_deviation, d);
  const Eigen::Index samples = mean.rows();
  RowMatrix y(samples, A.cols());
  detail::for_each_kernel(laws, samples, options, [&](auto& kernel, Eigen::Index s) {
    if (set_row(kernel, mean, standard_deviation, d, s) != Status::ok ||
        !all_finite(row(e, s), kernel.outputs()))
      return set_nan(y, s);
    double* z = kernel.marginal_mean.data();
    for (std::size_t j = 0; j < kernel.outputs(); ++j)
      z[j] = row(mean, s)[j] + row(standard_deviation, s)[j] * row(e, s)[j];
    kernel.move_onto_laws(z, row(y, s));
  });
  return y;
}

GaussianGradient conditional_draw_adjoint(const RowMatrix& A, const Batch& mean, const Batch& standard_deviation,
                                          const Batch& d, const Batch& e, const Batch& y_bar,
                                          const BatchOptions& options) {
  if (detail::is_shared(mean, standard_deviation))
    return detail::shared_conditional_draw_adjoint(A, mean, standard_deviation, d, e, y_bar, options);
  require_outputs("conditional_draw_adjoint", "e", e, mean);
  require_outputs("conditional_draw_adjoint", "y_bar", y_bar, mean);
  const LawBatch laws = checked_laws("conditional_draw_adjoint", A, mean, standard_deviation, d);
  const Eigen::Index samples = mean.rows();
  GaussianGradient result{RowMatrix(samples, A.cols()), RowMatrix(samples, A.cols())};
  detail::for_each_kernel(laws, samples, options, [&](auto& kernel, Eigen::Index s) {
    if (set_row(kernel, mean, standard_deviation, d, s) != Status::ok ||
        !all_finite(row(e, s), kernel.outputs())) {
      set_nan(result.mean, s);
      set_nan(result.standard_deviation, s);
      return;
    }
    const double* deviation = row(standard_deviation, s);
    double* z = kernel.marginal_mean.data();
    for (std::size_t j = 0; j < kernel.outputs(); ++j) z[j] = row(mean, s)[j] + deviation[j] * row(e, s)[j];
    kernel.set_lambda(z);
    kernel.draw_adjoint(deviation, row(e, s), row(y_bar, s), row(result.mean, s), row(result.standard_deviation, s));
  });
  return result;
}

LogDensity conditional_log_density(const RowMatrix& A, const Batch& mean, const Batch& standard_deviation,
                                   const Batch& d, const Batch& y, bool with_gradient, const BatchOptions& options,
                                   const std::vector<Eigen::Index>& dependent_outputs) {
  if (detail::is_shared(mean, standard_deviation))
    return detail::shared_conditional_log_density(A, mean, standard_deviation, d, y, with_gradient, options,
                                                   dependent_outputs);
  const char* const name = "conditional_log_density";
  require_outputs(name, "y", y, mean);
  const LawBatch laws = checked_laws(name, A, mean, standard_deviation, d);
  const std::vector<std::size_t> dependent = checked_dependent_outputs(name, dependent_outputs, d.cols(), A.cols());
  const Eigen::Index samples = mean.rows();
  LogDensity result;
  result.value.resize(samples);
  result.status.assign(static_cast<std::size_t>(samples), Status::ok);
  if (with_gradient) result.gradient = {RowMatrix(samples, A.cols()), RowMatrix(samples, A.cols())};
  const std::vector<Eigen::Index> rest = detail::fused_conditional_log_density(
      dependent.empty() ? laws.shared() : nullptr, mean, standard_deviation, d, y, options, result);
  // A stacked A: rest[i] is i.
  detail::for_each_kernel(laws, static_cast<Eigen::Index>(rest.size()), options, [&](auto& kernel, Eigen::Index i) {
    const Eigen::Index s = rest[static_cast<std::size_t>(i)];
    Status& status = result.status[static_cast<std::size_t>(s)];
    const double* deviation = row(standard_deviation, s);
    status = set_row(kernel, mean, standard_deviation, d, s);
    for (const std::size_t j : dependent)
      if (status == Status::ok && deviation[j] == 0.0) status = Status::invalid_argument;
    if (status == Status::ok)
      status = kernel.log_density(row(mean, s), deviation, row(y, s), result.value[s],
                                  with_gradient ? row(result.gradient.mean, s) : nullptr,
                                  with_gradient ? row(result.gradient.standard_deviation, s) : nullptr);
    if (status == Status::ok && !dependent.empty()) {
      const double term = kernel.reduced_coordinates_term(deviation, dependent.data());
      if (std::isnan(term)) status = Status::rank_deficient;
      result.value[s] += term;
    }
    if (status == Status::ok) return;
    result.value[s] = detail::not_a_number;
    if (with_gradient) {
      set_nan(result.gradient.mean, s);
      set_nan(result.gradient.standard_deviation, s);
    }
  });
  return result;
}

ConditionalEntropy conditional_entropy(const RowMatrix& A, const Batch& standard_deviation, bool with_gradient,
                                       const BatchOptions& options, Eigen::Index rows) {
  const char* const name = "conditional_entropy";
  const Eigen::Index samples = standard_deviation.rows();
  detail::require_shape(name, "standard_deviation", samples, standard_deviation.cols(), samples, A.cols());
  const LawBatch laws(name, A, samples, rows < 0 ? A.rows() : rows);
  ConditionalEntropy result;
  result.value.resize(samples);
  result.status.assign(static_cast<std::size_t>(samples), Status::ok);
  if (with_gradient) result.standard_deviation.resize(samples, A.cols());
  const std::vector<double> zeros(std::max(laws.rows(), laws.outputs()), 0.0);
  detail::for_each_kernel(laws, samples, options, [&](auto& kernel, Eigen::Index s) {
    Status& status = result.status[static_cast<std::size_t>(s)];
    const double* deviation = row(standard_deviation, s);
    status = kernel.set(zeros.data(), deviation, zeros.data());
    if (status == Status::ok)
      status = kernel.entropy(deviation, result.value[s], with_gradient ? row(result.standard_deviation, s) : nullptr);
    if (status == Status::ok) return;
    result.value[s] = detail::not_a_number;
    if (with_gradient) set_nan(result.standard_deviation, s);
  });
  return result;
}

}  // namespace lavoisier
