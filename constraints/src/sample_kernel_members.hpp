#ifndef LAVOISIER_SAMPLE_KERNEL_MEMBERS_HPP
#define LAVOISIER_SAMPLE_KERNEL_MEMBERS_HPP

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

template <int Rows, class Real>
double SampleKernel<Rows, Real>::A_lambda(std::size_t j) const noexcept {
  if constexpr (refines)
    if (refined_) return precise_->A_lambda(j);
  return to_double(dot(j, lambda_.data()));
}

template <int Rows, class Real>
template <class Z>
void SampleKernel<Rows, Real>::solve_residual(const Z* z, Real* x) const noexcept {
  const std::size_t n = outputs(), m = rows();
  for (std::size_t k = 0; k < m; ++k) x[k] = 0.0;
  for (std::size_t j = 0; j < n; ++j) {
    const double* a = laws_->column(j);
    for (std::size_t k = 0; k < m; ++k) x[k] += Real(a[k]) * z[j];
  }
  for (std::size_t k = 0; k < m; ++k) x[k] -= d_[k];
  whole_.solve(x, x);
}

template <int Rows, class Real>
void SampleKernel<Rows, Real>::set_lambda(const double* z) noexcept {
  if constexpr (refines) {
    has_lambda_ = true;
    std::copy_n(z, outputs(), z_.data());
    if (refined_) {
      precise_->set_lambda(z);
      return take_lambda();
    }
  }
  solve_residual(z, lambda_.data());
}

template <int Rows, class Real>
void SampleKernel<Rows, Real>::move_onto_laws(const double* z, double* y) noexcept {
  if constexpr (refines)
    if (refined_) {
      has_lambda_ = true;
      precise_->move_onto_laws(z, y);
      return take_lambda();
    }
  const std::size_t n = outputs();
  set_lambda(z);
  for (std::size_t j = 0; j < n; ++j) moved_[j] = z[j] - variance_[j] * dot(j, lambda_.data());
  solve_residual(moved_.data(), row_.data());
  for (std::size_t j = 0; j < n; ++j) y[j] = to_double(moved_[j] - variance_[j] * dot(j, row_.data()));
}

template <int Rows, class Real>
void SampleKernel<Rows, Real>::set_leverages() noexcept {
  if constexpr (refines)
    if (refined_) {
      precise_->set_leverages();
      return take_leverages();
    }
  const std::size_t n = outputs();
  special_.clear();
  for (std::size_t j = 0; j < n; ++j) {
    whole_.half_solve(laws_->column(j), half_of(j));
    leverage_[j] = variance_[j] * dot_of_halves(j, j);
    if (leverage_[j] > Real(0.5)) special_.push_back(j);
  }
  if (rows() < n) factorize_parts();
}

template <int Rows, class Real>
void SampleKernel<Rows, Real>::factorize_parts() noexcept {
  regular_.clear();
  if (special_.empty()) return;
  const std::size_t square = rows() * rows(), count = special_.size();
  bool loses_digits = count > parts_.size();
  if (!loses_digits) {
    // sums_[q] = W of the ordinary outputs and of the special ones after the q-th.
    Real* const last = sums_.data() + (count - 1) * square;
    clear(last);
    for (std::size_t j = 0; j < outputs(); ++j)
      if (!(leverage_[j] > Real(0.5))) add_outer(last, j, variance_[j]);
    for (std::size_t q = count - 1; q-- > 0;) {
      Real* const here = sums_.data() + q * square;
      std::copy_n(here + square, square, here);
      add_outer(here, special_[q + 1], variance_[special_[q + 1]]);
    }
    clear(product_.data());
    for (std::size_t q = 0; q < count && !loses_digits; ++q) {
      Real* const here = sums_.data() + q * square;
      for (std::size_t k = 0; k < square; ++k) here[k] += product_[k];
      regular_.push_back(parts_[q].factorize(here));
      loses_digits = refines && !parts_[q].zero_diagonal() && parts_[q].smallest_pivot() < small_pivot;
      add_outer(product_.data(), special_[q], variance_[special_[q]]);
    }
  }
  if constexpr (refines) {
    if (!loses_digits) return;
    if (refine() == Status::ok) {
      precise_->set_leverages();
      return take_leverages();
    }
    special_.clear();
    for (std::size_t j = 0; j < outputs(); ++j) leverage_[j] = std::nan("");
  }
}

template <int Rows, class Real>
const ScaledCholesky<Rows, Real>* SampleKernel<Rows, Real>::without(std::size_t q) noexcept {
  if (special_.size() <= parts_.size()) return regular_[q] != 0 ? &parts_[q] : nullptr;
  clear(sums_.data());
  for (std::size_t j = 0; j < outputs(); ++j)
    if (j != special_[q]) add_outer(sums_.data(), j, variance_[j]);
  return part_.factorize(sums_.data()) ? &part_ : nullptr;
}

template <int Rows, class Real>
void SampleKernel<Rows, Real>::variances(double* v) noexcept {
  if constexpr (refines)
    if (refined_) return precise_->variances(v);
  const std::size_t n = outputs(), m = rows();
  if (m == n) {  // as many laws as outputs leave nothing open
    for (std::size_t j = 0; j < n; ++j) v[j] = 0.0;
    return;
  }
  for (std::size_t j = 0; j < n; ++j) v[j] = to_double(variance_[j] * (Real(1.0) - leverage_[j]));
  for (std::size_t q = 0; q < special_.size(); ++q) {
    const std::size_t j = special_[q];
    v[j] = 0.0;
    const ScaledCholesky<Rows, Real>* part = without(q);
    if (part == nullptr) continue;
    part->half_solve(laws_->column(j), u_.data());
    Real h = 0.0;
    for (std::size_t k = 0; k < m; ++k) h += u_[k] * u_[k];
    v[j] = to_double(variance_[j] / (Real(1.0) + variance_[j] * h));
  }
}

template <int Rows, class Real>
void SampleKernel<Rows, Real>::project(const double* y_bar, Real* p) noexcept {
  const std::size_t n = outputs(), m = rows();
  for (std::size_t k = 0; k < m; ++k) row_[k] = 0.0;
  for (std::size_t j = 0; j < n; ++j) {
    const Real weight = variance_[j] * y_bar[j];
    const double* a = laws_->column(j);
    for (std::size_t k = 0; k < m; ++k) row_[k] += weight * a[k];
  }
  whole_.solve(row_.data(), row_.data());
  for (std::size_t j = 0; j < n; ++j) p[j] = Real(y_bar[j]) - dot(j, row_.data());
}

template <int Rows, class Real>
void SampleKernel<Rows, Real>::project_adjoint(const double* y_bar, double* p) noexcept {
  if constexpr (refines)
    if (refined_) return precise_->project_adjoint(y_bar, p);
  project(y_bar, moved_.data());
  for (std::size_t j = 0; j < outputs(); ++j) p[j] = to_double(moved_[j]);
}

template <int Rows, class Real>
void SampleKernel<Rows, Real>::solve(const double* b, double* x) noexcept {
  if constexpr (refines)
    if (refined_) return precise_->solve(b, x);
  whole_.solve(b, u_.data());
  for (std::size_t k = 0; k < rows(); ++k) x[k] = to_double(u_[k]);
}

template <int Rows, class Real>
void SampleKernel<Rows, Real>::draw_adjoint(const double* deviation, const double* e, const double* y_bar,
                                            double* mu_bar, double* deviation_bar) noexcept {
  if constexpr (refines)
    if (refined_) return precise_->draw_adjoint(deviation, e, y_bar, mu_bar, deviation_bar);
  project(y_bar, moved_.data());
  for (std::size_t j = 0; j < outputs(); ++j) {
    mu_bar[j] = to_double(moved_[j]);
    deviation_bar[j] = to_double(moved_[j] * (Real(e[j]) - 2.0 * deviation[j] * dot(j, lambda_.data())));
  }
}

template <int Rows, class Real>
void SampleKernel<Rows, Real>::moments_adjoint(const double* deviation, const double* m_bar, const double* v_bar,
                                               double* mu_bar, double* deviation_bar) noexcept {
  if constexpr (refines)
    if (refined_) return precise_->moments_adjoint(deviation, m_bar, v_bar, mu_bar, deviation_bar);
  const std::size_t n = outputs(), m = rows();
  if (m == n) {
    for (std::size_t j = 0; j < n; ++j) mu_bar[j] = deviation_bar[j] = 0.0;
    return;
  }
  project(m_bar, moved_.data());
  clear(product_.data());
  // Sum over i of v_bar_i P_ij^2 with P_ij = -S_i x_i'x_j, x = L^-1 D a: a quadratic form for the ordinary outputs,
  // and term by term for those of large leverage, whose share of a matrix would swamp the rest.
  for (std::size_t i = 0; i < n; ++i) {
    if (leverage_[i] > Real(0.5)) continue;
    const Real weight = v_bar[i] * variance_[i] * variance_[i];
    const Real* x = half(i);
    for (std::size_t k = 0; k < m; ++k) {
      const Real left = weight * x[k];
      for (std::size_t l = 0; l <= k; ++l) product_[k * m + l] += left * x[l];
    }
  }
  for (std::size_t j = 0; j < n; ++j) {
    if (leverage_[j] > Real(0.5)) continue;
    const Real* x = half(j);
    Real squares = v_bar[j] * (Real(1.0) - 2.0 * leverage_[j]);
    for (std::size_t k = 0; k < m; ++k) {
      Real below = 0.0;
      for (std::size_t l = 0; l < k; ++l) below += product_[k * m + l] * x[l];
      squares += x[k] * (2.0 * below + product_[k * m + k] * x[k]);
    }
    for (const std::size_t i : special_) {
      const Real P_ij = variance_[i] * dot_of_halves(i, j);
      squares += v_bar[i] * (P_ij * P_ij);
    }
    squares_[j] = squares;
  }
  for (std::size_t q = 0; q < special_.size(); ++q) {
    const std::size_t j = special_[q];
    const Real diagonal = solve_special(q);
    Real squares = v_bar[j] * (diagonal * diagonal);
    Real p = m_bar[j] * diagonal;
    for (std::size_t i = 0; i < n; ++i) {
      if (i == j) continue;
      const Real P_ij = -variance_[i] * dot(i, u_.data());
      squares += v_bar[i] * (P_ij * P_ij);
      p += m_bar[i] * P_ij;
    }
    squares_[j] = squares;
    moved_[j] = p;
  }
  for (std::size_t j = 0; j < n; ++j) {
    mu_bar[j] = to_double(moved_[j]);
    deviation_bar[j] = to_double(2.0 * deviation[j] * (squares_[j] - moved_[j] * dot(j, lambda_.data())));
  }
}

template <int Rows, class Real>
Real SampleKernel<Rows, Real>::solve_special(std::size_t q) noexcept {
  const std::size_t j = special_[q];
  Real diagonal = 0.0;
  if (const ScaledCholesky<Rows, Real>* part = without(q)) {
    part->solve(laws_->column(j), u_.data());
    diagonal = Real(1.0) / (Real(1.0) + variance_[j] * dot(j, u_.data()));
    for (std::size_t k = 0; k < rows(); ++k) u_[k] *= diagonal;
  } else {
    whole_.solve(laws_->column(j), u_.data());
  }
  return diagonal;
}

template <int Rows, class Real>
void SampleKernel<Rows, Real>::special_columns(double* P) noexcept {
  const std::size_t n = outputs();
  for (std::size_t q = 0; q < special_.size(); ++q, P += n) {
    const Real diagonal = solve_special(q);
    for (std::size_t i = 0; i < n; ++i) P[i] = to_double(-variance_[i] * dot(i, u_.data()));
    P[special_[q]] = to_double(diagonal);
  }
}

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
  double log_det_S = 0.0;
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
    const Real from_mean = (moved_[j] - Real(mean[j])) / Real(deviation[j]) + deviation[j] * dot(j, lambda_.data());
    quadratic += from_mean * from_mean;
    log_det_S += 2.0 * std::log(deviation[j]);
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
    const Real from_mean = (moved_[j] - Real(mean[j])) / variance_[j] + a_lambda;
    mean_bar_out[j] = to_double(from_mean);
    deviation_bar_out[j] = to_double(deviation[j] * (from_mean * (from_mean - 2.0 * a_lambda)) -
                                     Real(marginal_variance[j]) / (variance_[j] * deviation[j]));
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
  double log_det_S = 0.0;
  std::size_t free = 0;
  for (std::size_t j = 0; j < n; ++j) {
    if (deviation[j] == 0.0) continue;
    log_det_S += 2.0 * std::log(deviation[j]);
    ++free;
  }
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
  double log_det_S = 0.0;
  for (std::size_t j = 0; j < n; ++j) {
    variance_[j] = Real(1.0) / (Real(deviation[j]) * deviation[j]);
    if (!std::isfinite(to_double(variance_[j])) || !(variance_[j] > Real(0.0)) || !std::isfinite(delta[j]))
      return std::nan("");
    log_det_S += 2.0 * std::log(deviation[j]);
  }
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
