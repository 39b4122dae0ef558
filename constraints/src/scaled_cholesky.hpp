#ifndef LAVOISIER_SCALED_CHOLESKY_HPP
#define LAVOISIER_SCALED_CHOLESKY_HPP

#include "double_double.hpp"

#include <algorithm>
#include <cmath>
#include <cstddef>
#include <vector>

namespace lavoisier::detail {

/// A pivot of a symmetric matrix with unit diagonal below this is rounding and nothing else.
template <class Real = double>
inline double rounding_pivot(std::size_t rows) noexcept {
  return 64.0 * static_cast<double>(rows) * epsilon_of<Real>;
}

/// The square roots of a symmetric positive definite m x m matrix scaled to unit diagonal, and solves with them. Plain
/// loops in one order: results depend neither on alignment nor on how the batch is cut. Rows: m where it is known when
/// compiling (loops unroll), or -1. Real: the working precision, double or DoubleDouble.
template <int Rows, class Real = double>
class ScaledCholesky {
 public:
  explicit ScaledCholesky(std::size_t m) : m_(m), factor_(m * m), inverse_pivot_(m), scale_(m) {}

  std::size_t size() const noexcept {
    if constexpr (Rows >= 0) return static_cast<std::size_t>(Rows);
    return m_;
  }
  /// For a smaller matrix than the one it was made for; only where Rows = -1.
  void resize(std::size_t m) noexcept { m_ = m; }

  /// False if W (its lower triangle is read) is singular on scaled rows, or not finite.
  bool factorize(const Real* W) noexcept {
    using std::isfinite;
    using std::sqrt;
    const std::size_t m = size();
    const double singular = rounding_pivot<Real>(m);
    smallest_pivot_ = 1.0;
    failed_row_ = m;
    zero_diagonal_ = false;
    for (std::size_t k = 0; k < m; ++k) {
      const Real diagonal = W[k * m + k];
      if (!(diagonal > Real(0.0)) || !isfinite(diagonal)) {
        zero_diagonal_ = true;
        return fail(k, 0.0);
      }
      scale_[k] = Real(1.0) / sqrt(diagonal);
    }
    for (std::size_t k = 0; k < m; ++k) {
      for (std::size_t i = 0; i <= k; ++i) {
        Real sum = i == k ? Real(1.0) : W[k * m + i] * scale_[k] * scale_[i];
        for (std::size_t l = 0; l < i; ++l) sum -= factor_[k * m + l] * factor_[i * m + l];
        if (i < k) {
          factor_[k * m + i] = sum * inverse_pivot_[i];
        } else {
          const double pivot = to_double(sum);
          if (!(pivot > singular)) return fail(k, std::max(pivot, 0.0));
          if (k == 0 || pivot < smallest_pivot_) {
            smallest_pivot_ = pivot;
            smallest_pivot_row_ = k;
          }
          factor_[k * m + k] = sqrt(sum);
          inverse_pivot_[k] = Real(1.0) / factor_[k * m + k];
        }
      }
    }
    return true;
  }

  /// Of the last factorize(): the smallest squared distance (0..1) of a scaled row from those before it, in the metric
  /// of W.
  double smallest_pivot() const noexcept { return smallest_pivot_; }
  std::size_t smallest_pivot_row() const noexcept { return smallest_pivot_row_; }
  /// Whether the last factorize() failed for a zero (or what is no number) on the diagonal: singular beyond doubt.
  bool zero_diagonal() const noexcept { return zero_diagonal_; }
  /// The row that made the last factorize() fail, or size().
  std::size_t failed_row() const noexcept { return failed_row_; }

  /// x = L^-1 D b, so that x'x = b' W^-1 b. b in double or in the working precision; x may be b.
  template <class In>
  void half_solve(const In* b, Real* x) const noexcept {
    const std::size_t m = size();
    for (std::size_t k = 0; k < m; ++k) {
      Real sum = scale_[k] * b[k];
      for (std::size_t l = 0; l < k; ++l) sum -= factor_[k * m + l] * x[l];
      x[k] = sum * inverse_pivot_[k];
    }
  }

  /// x = W^-1 b; x may be b.
  template <class In>
  void solve(const In* b, Real* x) const noexcept {
    const std::size_t m = size();
    half_solve(b, x);
    for (std::size_t k = m; k-- > 0;) {
      Real sum = x[k];
      for (std::size_t l = k + 1; l < m; ++l) sum -= factor_[l * m + k] * x[l];
      x[k] = sum * inverse_pivot_[k];
    }
    for (std::size_t k = 0; k < m; ++k) x[k] *= scale_[k];
  }

  const Real* factor() const noexcept { return factor_.data(); }
  const Real* inverse_pivot() const noexcept { return inverse_pivot_.data(); }
  const Real* scale() const noexcept { return scale_.data(); }

  double log_det() const noexcept {
    double sum = 0.0;
    for (std::size_t k = 0; k < size(); ++k) sum += log_of(factor_[k * size() + k]) - log_of(scale_[k]);
    return 2.0 * sum;
  }

 private:
  bool fail(std::size_t row, double pivot) noexcept {
    failed_row_ = smallest_pivot_row_ = row;
    smallest_pivot_ = pivot;
    return false;
  }

  std::size_t m_;
  std::vector<Real> factor_, inverse_pivot_, scale_;
  double smallest_pivot_ = 1.0;
  std::size_t failed_row_ = 0, smallest_pivot_row_ = 0;
  bool zero_diagonal_ = false;
};

}  // namespace lavoisier::detail

#endif
