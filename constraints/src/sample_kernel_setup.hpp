#ifndef LAVOISIER_SAMPLE_KERNEL_SETUP_HPP
#define LAVOISIER_SAMPLE_KERNEL_SETUP_HPP

// SampleKernel: a sample taken in, its rows chosen, W factorised, in more digits where FP64 does not hold it.

#include "sample_kernel.hpp"

#include <numeric>

namespace lavoisier::detail {

template <int Rows, class Real>
SampleKernel<Rows, Real>::SampleKernel(const LawMatrix& laws, bool drop_dependent_rows)
    : laws_(&laws),
      drop_dependent_rows_(drop_dependent_rows),
      whole_(laws.rows),
      part_(laws.rows),
      parts_(std::min(2 * laws.rows, laws.outputs), ScaledCholesky<Rows, Real>(laws.rows)),
      variance_(laws.outputs),
      leverage_(laws.outputs),
      half_(laws.outputs * laws.rows),
      W_(laws.rows * laws.rows),
      d_(laws.rows),
      lambda_(laws.rows),
      row_(laws.rows),
      u_(laws.rows),
      product_(laws.rows * laws.rows),
      sums_((parts_.size() + 1) * laws.rows * laws.rows),
      moved_(laws.outputs),
      squares_(laws.outputs),
      mean_(laws.outputs),
      deviation_(laws.outputs),
      z_(laws.outputs),
      right_hand_side_(laws.rows),
      given_(&laws),
      marginal_mean(laws.outputs),
      marginal_variance(laws.outputs),
      mean_bar(laws.outputs),
      variance_bar(laws.outputs) {
  special_.reserve(laws.outputs);
  regular_.reserve(parts_.size());
  if (!refines && drop_dependent_rows) {
    kept_laws_ = std::make_unique<LawMatrix>(laws.rows, laws.outputs);
    kept_.reserve(laws.rows);
  }
}

template <int Rows, class Real>
std::size_t SampleKernel<Rows, Real>::rank() const noexcept {
  if constexpr (refines)
    if (refined_) return precise_->rows();
  return rows();
}

template <int Rows, class Real>
std::vector<std::size_t> SampleKernel<Rows, Real>::kept_rows() const {
  if constexpr (refines)
    if (refined_) return precise_->kept_rows();
  if (rows() < given_->rows) return kept_;
  std::vector<std::size_t> all(rows());
  std::iota(all.begin(), all.end(), std::size_t{0});
  return all;
}

template <int Rows, class Real>
std::size_t SampleKernel<Rows, Real>::smallest_pivot_row() const noexcept {
  if constexpr (refines)
    if (refined_) return precise_->smallest_pivot_row();
  const std::size_t row = whole_.smallest_pivot_row();
  return rows() < given_->rows ? kept_[row] : row;
}

template <int Rows, class Real>
double SampleKernel<Rows, Real>::smallest_pivot() const noexcept {
  if constexpr (refines)
    if (refined_) return precise_->smallest_pivot();
  return whole_.smallest_pivot();
}

template <int Rows, class Real>
double SampleKernel<Rows, Real>::log_det_W() const noexcept {
  if constexpr (refines)
    if (refined_) return precise_->log_det_W();
  return whole_.log_det();
}

template <int Rows, class Real>
Status SampleKernel<Rows, Real>::set(const double* mean, const double* deviation, const double* d) noexcept {
  const std::size_t n = outputs(), m = given_->rows;
  refined_ = has_lambda_ = false;
  failed_row_ = m;
  for (std::size_t j = 0; j < n; ++j)
    if (!std::isfinite(mean[j]) || !std::isfinite(deviation[j])) return Status::non_finite;
  for (std::size_t k = 0; k < m; ++k) {
    if (std::isfinite(d[k])) continue;
    failed_row_ = k;
    return Status::non_finite;
  }
  for (std::size_t j = 0; j < n; ++j)
    if (deviation[j] < 0.0) return Status::invalid_argument;
  if (given_->status == Status::non_finite || (given_->status != Status::ok && !drop_dependent_rows_)) {
    failed_row_ = given_->bad_row;
    return given_->status;
  }
  take_laws(*given_);
  for (std::size_t j = 0; j < n; ++j) {
    variance_[j] = Real(deviation[j]) * deviation[j];
    if (!std::isfinite(to_double(variance_[j]))) return Status::non_finite;
    mean_[j] = mean[j];
    deviation_[j] = deviation[j];
  }
  for (std::size_t k = 0; k < m; ++k) {
    right_hand_side_[k] = d[k];
    d_[k] = d[k] * given_->row_scale[k];
  }
  clear(W_.data());
  for (std::size_t j = 0; j < n; ++j) add_outer(W_.data(), j, variance_[j]);
  if constexpr (refines) {
    if (whole_.factorize(W_.data()) && !(whole_.smallest_pivot() < small_pivot)) return Status::ok;
    if (whole_.zero_diagonal() && !drop_dependent_rows_) {
      failed_row_ = whole_.failed_row();
      return Status::rank_deficient;
    }
    return refine();
  } else {
    if (drop_dependent_rows_) {
      const Status status = select_rows(mean_.data());
      if (status != Status::ok) return status;
    }
    if (whole_.factorize(W_.data())) return Status::ok;
    failed_row_ = whole_.failed_row();
    return Status::rank_deficient;
  }
}

template <int Rows, class Real>
Status SampleKernel<Rows, Real>::set_right_hand_side(const double* mean, const double* d) noexcept {
  refined_ = has_lambda_ = false;
  failed_row_ = rows();
  for (std::size_t j = 0; j < outputs(); ++j) {
    if (!std::isfinite(mean[j])) return Status::non_finite;
    mean_[j] = mean[j];
  }
  for (std::size_t k = 0; k < rows(); ++k) {
    if (!std::isfinite(d[k])) {
      failed_row_ = k;
      return Status::non_finite;
    }
    right_hand_side_[k] = d[k];
    d_[k] = d[k] * laws_->row_scale[k];
  }
  return Status::ok;
}

template <int Rows, class Real>
Status SampleKernel<Rows, Real>::refine() noexcept {
  if constexpr (refines) {
    try {
      if (!precise_) precise_ = std::make_unique<Precise>(*given_, drop_dependent_rows_);
    } catch (const std::bad_alloc&) {
      return Status::out_of_memory;
    }
    const Status status = precise_->set(mean_.data(), deviation_.data(), right_hand_side_.data());
    failed_row_ = precise_->failed_row();
    if (status != Status::ok) return status;
    refined_ = true;
    if (has_lambda_) {
      precise_->set_lambda(z_.data());
      take_lambda();
    }
  }
  return Status::ok;
}

template <int Rows, class Real>
void SampleKernel<Rows, Real>::take_laws(const LawMatrix& laws) noexcept {
  laws_ = &laws;
  if constexpr (Rows < 0) {
    if (whole_.size() == laws.rows) return;
    whole_.resize(laws.rows);
    part_.resize(laws.rows);
    for (auto& part : parts_) part.resize(laws.rows);
  }
}

/// Rows that do not depend on those before them, in the metric of S; with a mean, the others must agree with them.
template <int Rows, class Real>
Status SampleKernel<Rows, Real>::select_rows(const double* mean) noexcept {
  using std::abs;
  using std::sqrt;
  const std::size_t n = outputs(), m = rows();
  const double singular = rounding_pivot<Real>(m), agreement = tolerances::identity::rank;
  kept_.clear();
  for (std::size_t k = 0; k < m; ++k) {
    const Real diagonal = W_[k * m + k];
    const bool moves = diagonal > Real(0.0);
    Real* l = product_.data() + kept_.size() * m;  // row of the factor
    Real pivot = 0.0;
    if (moves) {
      u_[k] = Real(1.0) / sqrt(diagonal);
      pivot = 1.0;
      for (std::size_t i = 0; i < kept_.size(); ++i) {
        const Real* above = product_.data() + i * m;
        Real sum = W_[k * m + kept_[i]] * u_[k] * u_[kept_[i]];
        for (std::size_t q = 0; q < i; ++q) sum -= l[q] * above[q];
        l[i] = sum / above[i];
        pivot -= l[i] * l[i];
      }
    }
    if (to_double(pivot) > singular) {
      l[kept_.size()] = sqrt(pivot);
      kept_.push_back(k);
      continue;
    }
    if (mean == nullptr) continue;
    // Row k = sum of c_i row kept_i.
    Real* c = row_.data();
    for (std::size_t i = kept_.size(); i-- > 0;) {
      c[i] = 0.0;
      if (!moves) continue;
      Real sum = l[i];
      for (std::size_t q = i + 1; q < kept_.size(); ++q) sum -= product_[q * m + i] * c[q];
      c[i] = sum / product_[i * m + i];
    }
    for (std::size_t i = 0; i < kept_.size() && moves; ++i) c[i] *= u_[kept_[i]] / u_[k];
    Real difference = d_[k];
    double magnitude = std::abs(to_double(d_[k]));
    for (std::size_t i = 0; i < kept_.size(); ++i) {
      const Real term = c[i] * d_[kept_[i]];
      difference -= term;
      magnitude += std::abs(to_double(term));
    }
    // What the combination leaves of a row are known outputs: they count with their means.
    for (std::size_t j = 0; j < n; ++j) {
      const double* a = laws_->column(j);
      Real rest = a[k];
      double size = std::abs(a[k]);
      for (std::size_t i = 0; i < kept_.size(); ++i) {
        const Real term = c[i] * a[kept_[i]];
        rest -= term;
        size += std::abs(to_double(term));
      }
      if (std::abs(to_double(rest)) <= agreement * size) continue;
      difference -= rest * mean[j];
      magnitude += std::abs(to_double(rest * mean[j]));
    }
    if (std::abs(to_double(difference)) > agreement * magnitude) {
      failed_row_ = k;
      return Status::inconsistent_laws;
    }
  }
  const std::size_t rank = kept_.size();
  if (rank == m) return Status::ok;
  kept_laws_->rows = rank;
  for (std::size_t j = 0; j < n; ++j)
    for (std::size_t i = 0; i < rank; ++i) kept_laws_->columns[j * rank + i] = laws_->column(j)[kept_[i]];
  for (std::size_t i = 0; i < rank; ++i) {
    d_[i] = d_[kept_[i]];
    kept_laws_->row_scale[i] = laws_->row_scale[kept_[i]];
  }
  take_laws(*kept_laws_);
  clear(W_.data());
  for (std::size_t j = 0; j < n; ++j) add_outer(W_.data(), j, variance_[j]);
  return Status::ok;
}

template <int Rows, class Real>
void SampleKernel<Rows, Real>::take_lambda() noexcept {
  if constexpr (refines) {
    const bool dropped = precise_->rows() < rows();
    for (std::size_t k = 0; k < rows(); ++k) lambda_[k] = dropped ? 0.0 : to_double(precise_->lambda_[k]);
    if (dropped)
      for (std::size_t i = 0; i < precise_->rows(); ++i) lambda_[precise_->kept_[i]] = to_double(precise_->lambda_[i]);
  }
}

template <int Rows, class Real>
void SampleKernel<Rows, Real>::take_leverages() noexcept {
  if constexpr (refines) {
    for (std::size_t j = 0; j < outputs(); ++j) {
      leverage_[j] = precise_->leverage(j);
      for (std::size_t k = 0; k < rows(); ++k)
        half_of(j)[k] = k < precise_->rows() ? to_double(precise_->half(j)[k]) : 0.0;
    }
  }
}

}  // namespace lavoisier::detail

#endif
