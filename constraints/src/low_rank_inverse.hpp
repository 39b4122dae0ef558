#ifndef LAVOISIER_LOW_RANK_INVERSE_HPP
#define LAVOISIER_LOW_RANK_INVERSE_HPP

#include "conditioning.hpp"
#include "sample_kernel.hpp"

namespace lavoisier::detail {

/// S^-1 for S = D + U U', D = diag(s^2), by a Woodbury identity that allows zeros in D. Outputs with s_j = 0 and
/// U_j != 0 ("bare") are at most r; those with s_j = 0 and U_j = 0 (known) are left out of S.
template <class Real>
class LowRankInverse {
 public:
  LowRankInverse(std::size_t outputs, std::size_t rank)
      : n_(outputs), r_(rank), M_(r_), T_(r_), Minv_(r_ * r_), bare_half_(r_ * r_), inner_(r_ * r_), square_(r_ * r_),
        w_(r_), c_(r_), t_(r_), kind_(n_) {
    bare_.reserve(r_ + 1);
  }

  bool known(std::size_t j) const noexcept { return kind_[j] == Kind::known; }
  bool ordinary(std::size_t j) const noexcept { return kind_[j] == Kind::ordinary; }
  std::size_t free_outputs() const noexcept { return free_; }

  /// False if S is singular beyond its known components.
  bool set(const double* s, const double* U) noexcept {
    s_ = s;
    U_ = U;
    bare_.clear();
    free_ = 0;
    log_det_D_ = 0.0;
    for (std::size_t k = 0; k < r_ * r_; ++k) square_[k] = 0.0;
    for (std::size_t q = 0; q < r_; ++q) square_[q * r_ + q] = 1.0;
    for (std::size_t j = 0; j < n_; ++j) {
      const double* u = U + j * r_;
      bool zero = true;
      for (std::size_t q = 0; q < r_; ++q) zero &= u[q] == 0.0;
      kind_[j] = s[j] > 0.0 ? Kind::ordinary : (zero ? Kind::known : Kind::bare);
      if (kind_[j] == Kind::known) continue;
      ++free_;
      if (kind_[j] == Kind::bare) {
        if (bare_.size() == r_) return false;
        bare_.push_back(j);
        continue;
      }
      log_det_D_ += 2.0 * std::log(s[j]);
      for (std::size_t q = 0; q < r_; ++q) {
        const Real left = Real(u[q]) / s[j] / s[j];
        for (std::size_t p = 0; p <= q; ++p) square_[q * r_ + p] += left * u[p];
      }
    }
    if (!M_.factorize(square_.data())) return false;
    for (std::size_t q = 0; q < r_; ++q) {
      for (std::size_t p = 0; p < r_; ++p) w_[p] = p == q ? 1.0 : 0.0;
      M_.solve(w_.data(), Minv_.data() + q * r_);
    }
    const std::size_t z = bare_.size();
    inner_ = Minv_;
    if (z == 0) return true;
    // T = U_Z M^-1 U_Z'; bare_half_: z x r, M^-1 of its rows.
    T_.resize(z);
    for (std::size_t i = 0; i < z; ++i) M_.solve(U + bare_[i] * r_, bare_half_.data() + i * r_);
    for (std::size_t i = 0; i < z; ++i)
      for (std::size_t l = 0; l <= i; ++l) {
        Real sum = 0.0;
        for (std::size_t q = 0; q < r_; ++q) sum += bare_half_[i * r_ + q] * U[bare_[l] * r_ + q];
        square_[i * z + l] = sum;
      }
    if (!T_.factorize(square_.data())) return false;
    // inner = M^-1 - M^-1 U_Z' T^-1 U_Z M^-1
    for (std::size_t q = 0; q < r_; ++q) {
      for (std::size_t i = 0; i < z; ++i) t_[i] = bare_half_[i * r_ + q];
      T_.solve(t_.data(), t_.data());
      for (std::size_t p = 0; p < r_; ++p)
        for (std::size_t i = 0; i < z; ++i) inner_[p * r_ + q] -= bare_half_[i * r_ + p] * t_[i];
    }
    return true;
  }
  double smallest_pivot() const noexcept {
    return bare_.empty() ? M_.smallest_pivot() : std::min(M_.smallest_pivot(), T_.smallest_pivot());
  }
  double log_det() const noexcept { return log_det_D_ + M_.log_det() + (bare_.empty() ? 0.0 : T_.log_det()); }

  /// x = S^-1 b (0 for known components); w = U' x. x may be b.
  void apply(const Real* b, Real* x, Real* w) noexcept {
    for (std::size_t q = 0; q < r_; ++q) c_[q] = 0.0;
    for (std::size_t j = 0; j < n_; ++j) {
      if (kind_[j] != Kind::ordinary) continue;
      const Real weight = b[j] / s_[j] / s_[j];
      for (std::size_t q = 0; q < r_; ++q) c_[q] += weight * U_[j * r_ + q];
    }
    const std::size_t z = bare_.size();
    for (std::size_t i = 0; i < z; ++i) {
      Real sum = b[bare_[i]];
      for (std::size_t q = 0; q < r_; ++q) sum -= bare_half_[i * r_ + q] * c_[q];
      t_[i] = sum;
    }
    if (z > 0) T_.solve(t_.data(), t_.data());
    for (std::size_t i = 0; i < z; ++i)
      for (std::size_t q = 0; q < r_; ++q) c_[q] += U_[bare_[i] * r_ + q] * t_[i];
    M_.solve(c_.data(), w);
    for (std::size_t j = 0; j < n_; ++j) {
      if (kind_[j] != Kind::ordinary) {
        x[j] = 0.0;
        continue;
      }
      Real rest = b[j];
      for (std::size_t q = 0; q < r_; ++q) rest -= U_[j * r_ + q] * w[q];
      x[j] = rest / s_[j] / s_[j];
    }
    for (std::size_t i = 0; i < z; ++i) x[bare_[i]] = t_[i];
  }
  /// x' S x = sum s^2 x^2 + |U'x|^2, without a difference.
  Real square(const Real* x, const Real* w) const noexcept {
    Real sum = 0.0;
    for (std::size_t j = 0; j < n_; ++j) {
      const Real scaled = x[j] * s_[j];
      sum += scaled * scaled;
    }
    for (std::size_t q = 0; q < r_; ++q) sum += w[q] * w[q];
    return sum;
  }
  /// (S^-1)_jj of an ordinary output.
  Real diagonal(std::size_t j) const noexcept {
    Real sum = 0.0;
    const double* u = U_ + j * r_;
    for (std::size_t q = 0; q < r_; ++q)
      for (std::size_t p = 0; p < r_; ++p) sum += (inner_[q * r_ + p] * u[p]) * u[q];
    const Real inverse = Real(1.0) / s_[j] / s_[j];
    return inverse - inverse * sum * inverse;
  }

 private:
  enum class Kind : unsigned char { ordinary, bare, known };
  std::size_t n_, r_, free_ = 0;
  ScaledCholesky<-1, Real> M_, T_;
  std::vector<Real> Minv_, bare_half_, inner_, square_, w_, c_, t_;
  std::vector<Kind> kind_;
  std::vector<std::size_t> bare_;
  const double *s_ = nullptr, *U_ = nullptr;
  double log_det_D_ = 0.0;
};

}  // namespace lavoisier::detail

#endif
