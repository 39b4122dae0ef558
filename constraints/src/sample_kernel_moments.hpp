#ifndef LAVOISIER_SAMPLE_KERNEL_MOMENTS_HPP
#define LAVOISIER_SAMPLE_KERNEL_MOMENTS_HPP

// SampleKernel: means, draws, marginal variances and their adjoints.

#include "sample_kernel.hpp"

namespace lavoisier::detail {

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

}  // namespace lavoisier::detail

#endif
