#ifndef LAVOISIER_SAMPLE_KERNEL_DENSITIES_HPP
#define LAVOISIER_SAMPLE_KERNEL_DENSITIES_HPP

// SampleKernel: log densities, entropy and their gradients.

#include "log_product.hpp"
#include "sample_kernel.hpp"

namespace lavoisier::detail {

template <int Rows, class Real>
bool SampleKernel<Rows, Real>::set_gram(const double* deviation) noexcept {
  return factorize_gram(deviation) && !(part_.smallest_pivot() < small_pivot);
}

template <int Rows, class Real>
bool SampleKernel<Rows, Real>::factorize_gram(const double* deviation) noexcept {
  clear(product_.data());
  for (std::size_t j = 0; j < outputs(); ++j)
    if (deviation[j] > 0.0) add_outer(product_.data(), j, 1.0);
  return part_.factorize(product_.data());
}

template <int Rows, class Real>
double SampleKernel<Rows, Real>::log_det_gram(const double* deviation) noexcept {
  return factorize_gram(deviation) ? part_.log_det() : std::nan("");
}

template <int Rows, class Real>
double SampleKernel<Rows, Real>::largest_relative_residual(const double* y) noexcept {
  if constexpr (refines)
    if (refined_) return precise_->largest_relative_residual(y);
  double worst = 0.0;
  for (std::size_t k = 0; k < rows(); ++k) {
    double magnitude = std::abs(to_double(d_[k]));
    Real residual = 0.0;
    for (std::size_t j = 0; j < outputs(); ++j) {
      const Real term = Real(y[j]) * laws_->column(j)[k];
      residual += term;
      magnitude += std::abs(to_double(term));
    }
    worst = std::max(worst, lavoisier::relative_residual(to_double(residual - d_[k]), magnitude));
  }
  return worst;
}

template <int Rows, class Real>
Status SampleKernel<Rows, Real>::log_density(const double* mean, const double* deviation, const double* y,
                                             double& value, double* mean_bar_out, double* deviation_bar_out,
                                             bool shared) noexcept {
  const std::size_t n = outputs(), m = rows();
  for (std::size_t j = 0; j < n; ++j)
    if (!std::isfinite(y[j])) return Status::non_finite;
  if constexpr (refines) {
    if (!refined_ && !shared && !set_gram(deviation)) {
      const Status status = refine();
      if (status != Status::ok) return status;
    }
    if (refined_) {
      const Status status = precise_->log_density(mean, deviation, y, value, mean_bar_out, deviation_bar_out);
      log_det_gram_ = precise_->log_det_gram_;
      return status;
    }
  } else {
    if (!factorize_gram(deviation)) return Status::rank_deficient;
  }
  log_det_gram_ = part_.log_det();
  if (largest_relative_residual(y) > tolerances::identity::relative_fp32) return Status::law_violated;
  set_lambda(mean);
  // What rounding of y leaves off the laws would be divided by the smallest deviations: y goes back orthogonally.
  for (std::size_t j = 0; j < n; ++j) moved_[j] = y[j];
  for (int pass = 0; pass < 2; ++pass) {
    for (std::size_t k = 0; k < m; ++k) row_[k] = -d_[k];
    for (std::size_t j = 0; j < n; ++j)
      for (std::size_t k = 0; k < m; ++k) row_[k] += laws_->column(j)[k] * moved_[j];
    part_.solve(row_.data(), row_.data());
    for (std::size_t j = 0; j < n && pass == 0; ++j)
      if (deviation[j] > 0.0) moved_[j] -= dot(j, row_.data());
  }
  LogProduct product;
  Real quadratic = 0.0;
  double noise = 0.0;  // what the rounding that is left does to the quadratic form
  std::size_t free = 0;
  bool known_components_agree = true;
  for (std::size_t j = 0; j < n; ++j) {
    if (deviation[j] == 0.0) {
      known_components_agree &= std::abs(y[j] - mean[j]) <=
                                tolerances::identity::relative_fp64 * (std::abs(y[j]) + std::abs(mean[j]));
      continue;
    }
    const Real from_mean =
        (moved_[j] - Real(mean[j])) * (Real(1.0) / Real(deviation[j])) + deviation[j] * dot(j, lambda_.data());
    quadratic += from_mean * from_mean;
    product.multiply(deviation[j]);
    ++free;
    if constexpr (refines)
      noise += std::abs(from_mean) *
               ((std::abs(dot(j, row_.data())) + epsilon_of<double> * std::abs(y[j] - mean[j])) / deviation[j] +
                epsilon_of<double> / whole_.smallest_pivot() * deviation[j] * std::abs(dot(j, lambda_.data())));
  }
  if constexpr (refines)
    if (noise > log_density_noise * std::max(1.0, quadratic)) {
      const Status status = refine();
      if (status != Status::ok) return status;
      return log_density(mean, deviation, y, value, mean_bar_out, deviation_bar_out);
    }
  const double log_det_S = 2.0 * product.log();
  // The scales of the rows cancel between W and A A'.
  value = -0.5 * (static_cast<double>(free) - static_cast<double>(m)) * log_two_pi - 0.5 * to_double(quadratic) -
          0.5 * log_det_S + 0.5 * whole_.log_det() - 0.5 * log_det_gram_;
  if (!known_components_agree) value = -std::numeric_limits<double>::infinity();
  if (mean_bar_out == nullptr) return Status::ok;
  if (!shared) {
    set_leverages();
    if constexpr (refines)
      if (refined_) return precise_->log_density(mean, deviation, y, value, mean_bar_out, deviation_bar_out);
    variances(marginal_variance.data());
  }
  for (std::size_t j = 0; j < n; ++j) {
    const Real a_lambda = dot(j, lambda_.data());
    if (deviation[j] == 0.0) {
      // A known component acts through the right-hand side alone.
      mean_bar_out[j] = to_double(a_lambda);
      deviation_bar_out[j] = 0.0;
      continue;
    }
    const Real inverse = Real(1.0) / Real(deviation[j]);
    const Real from_mean = (moved_[j] - Real(mean[j])) * inverse + deviation[j] * a_lambda;
    const Real bar = from_mean * inverse;
    mean_bar_out[j] = to_double(bar);
    deviation_bar_out[j] =
        to_double(from_mean * (bar - 2.0 * a_lambda) - Real(marginal_variance[j]) * inverse * inverse * inverse);
  }
  return Status::ok;
}

template <int Rows, class Real>
double SampleKernel<Rows, Real>::reduced_coordinates_term(const double* deviation,
                                                          const std::size_t* dependent) noexcept {
  using std::abs;
  if constexpr (refines)
    if (refined_)
      return precise_->rows() == rows() ? precise_->reduced_coordinates_term(deviation, dependent) : std::nan("");
  const std::size_t m = rows();
  Real* M = product_.data();
  for (std::size_t q = 0; q < m; ++q) {
    if (deviation[dependent[q]] == 0.0) return std::nan("");
    for (std::size_t k = 0; k < m; ++k) M[k * m + q] = laws_->column(dependent[q])[k];
  }
  // Gauss with row pivoting.
  double log_det = 0.0;
  for (std::size_t q = 0; q < m; ++q) {
    std::size_t best = q;
    for (std::size_t k = q + 1; k < m; ++k)
      if (abs(M[k * m + q]) > abs(M[best * m + q])) best = k;
    const Real pivot = M[best * m + q];
    if (!(std::abs(to_double(pivot)) > rounding_pivot<Real>(m))) return std::nan("");
    if (best != q) std::swap_ranges(M + best * m, M + best * m + m, M + q * m);
    log_det += log_of(abs(pivot));
    for (std::size_t k = q + 1; k < m; ++k) {
      const Real factor = M[k * m + q] / pivot;
      for (std::size_t l = q + 1; l < m; ++l) M[k * m + l] -= factor * M[q * m + l];
    }
  }
  return 0.5 * log_det_gram_ - log_det;
}

template <int Rows, class Real>
Status SampleKernel<Rows, Real>::entropy(const double* deviation, double& value, double* deviation_bar) noexcept {
  const std::size_t n = outputs();
  if constexpr (refines) {
    if (!refined_ && (!factorize_gram(deviation) || part_.smallest_pivot() < small_pivot)) {
      const Status status = refine();
      if (status != Status::ok) return status;
    }
    if (!refined_ && deviation_bar != nullptr) {
      set_leverages();
      if (!refined_) factorize_gram(deviation);
    }
    if (refined_) return precise_->entropy(deviation, value, deviation_bar);
  } else {
    if (deviation_bar != nullptr) set_leverages();
    if (!factorize_gram(deviation)) return Status::rank_deficient;
  }
  LogProduct product;
  std::size_t free = 0;
  for (std::size_t j = 0; j < n; ++j) {
    if (deviation[j] == 0.0) continue;
    product.multiply(deviation[j]);
    ++free;
  }
  const double log_det_S = 2.0 * product.log();
  value = 0.5 * (static_cast<double>(free) - static_cast<double>(rows())) * (log_two_pi + 1.0) +
          0.5 * (log_det_S - whole_.log_det() + part_.log_det());
  if (deviation_bar == nullptr) return Status::ok;
  variances(marginal_variance.data());
  for (std::size_t j = 0; j < n; ++j)
    deviation_bar[j] =
        deviation[j] == 0.0 ? 0.0 : to_double(Real(marginal_variance[j]) / (variance_[j] * deviation[j]));
  return Status::ok;
}

template <int Rows, class Real>
double SampleKernel<Rows, Real>::null_space_log_density(const double* delta, const double* deviation,
                                                        double* mean_bar_out, double* deviation_bar_out) noexcept {
  const std::size_t n = outputs();
  refined_ = false;
  if (given_->status == Status::non_finite || (given_->status != Status::ok && !drop_dependent_rows_))
    return std::nan("");
  take_laws(*given_);
  LogProduct product;
  for (std::size_t j = 0; j < n; ++j) {
    variance_[j] = Real(1.0) / (Real(deviation[j]) * deviation[j]);
    if (!std::isfinite(to_double(variance_[j])) || !(variance_[j] > Real(0.0)) || !std::isfinite(delta[j]))
      return std::nan("");
    product.multiply(deviation[j]);
  }
  const double log_det_S = 2.0 * product.log();
  clear(W_.data());
  for (std::size_t j = 0; j < n; ++j) add_outer(W_.data(), j, variance_[j]);
  if constexpr (refines) {
    if (!whole_.factorize(W_.data()) || whole_.smallest_pivot() < small_pivot || !factorize_gram(deviation) ||
        part_.smallest_pivot() < small_pivot) {
      try {
        if (!precise_) precise_ = std::make_unique<Precise>(*given_, drop_dependent_rows_);
      } catch (const std::bad_alloc&) {
        return std::nan("");
      }
      refined_ = true;
      return precise_->null_space_log_density(delta, deviation, mean_bar_out, deviation_bar_out);
    }
  } else {
    if (drop_dependent_rows_) select_rows(nullptr);
    if (!whole_.factorize(W_.data()) || !factorize_gram(deviation)) return std::nan("");
  }
  const std::size_t m = rows();
  for (std::size_t k = 0; k < m; ++k) lambda_[k] = 0.0;
  for (std::size_t j = 0; j < n; ++j) {
    const double* a = laws_->column(j);
    const Real weight = variance_[j] * delta[j];
    for (std::size_t k = 0; k < m; ++k) lambda_[k] += weight * a[k];
  }
  whole_.solve(lambda_.data(), lambda_.data());
  Real quadratic = 0.0;
  for (std::size_t j = 0; j < n; ++j) {
    const Real rest = (Real(delta[j]) - dot(j, lambda_.data())) / Real(deviation[j]);
    quadratic += rest * rest;
    if (mean_bar_out == nullptr) continue;
    whole_.half_solve(laws_->column(j), u_.data());
    Real leverage_of_row = 0.0;
    for (std::size_t k = 0; k < m; ++k) leverage_of_row += u_[k] * u_[k];
    leverage_of_row *= variance_[j];
    mean_bar_out[j] = to_double(rest / Real(deviation[j]));
    deviation_bar_out[j] = to_double((rest * rest - (Real(1.0) - leverage_of_row)) / Real(deviation[j]));
  }
  return -0.5 * (static_cast<double>(n) - static_cast<double>(m)) * log_two_pi - 0.5 * to_double(quadratic) -
         0.5 * (log_det_S + whole_.log_det() - part_.log_det());
}

}  // namespace lavoisier::detail

#endif
