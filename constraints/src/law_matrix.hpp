#ifndef LAVOISIER_LAW_MATRIX_HPP
#define LAVOISIER_LAW_MATRIX_HPP

#include <lavoisier/linear_constraints.hpp>
#include <lavoisier/status.hpp>

#include <cmath>
#include <cstddef>
#include <string>
#include <vector>

namespace lavoisier::detail {

/// A once a call, in the form that the kernels read: rows scaled to unit norm (rank must not depend on the units of a
/// law), and stored by output, so that a_j, what output j does to the laws, is contiguous.
struct LawMatrix {
  explicit LawMatrix(const RowMatrix& A);

  std::size_t outputs = 0;
  std::size_t rows = 0;
  std::vector<double> columns;    ///< outputs x rows
  std::vector<double> row_scale;  ///< 1 / |A_k|
  double log_det_row_scale = 0.0;  ///< sum of log row_scale

  const double* column(std::size_t j) const noexcept { return columns.data() + j * rows; }
};

/// Throws shape_mismatch: "`function`: `argument` is R x C, expected R x C (why)".
void require_shape(const char* function, const char* argument, Eigen::Index rows, Eigen::Index cols,
                   Eigen::Index expected_rows, Eigen::Index expected_cols);

/// A pivot of a symmetric matrix with unit diagonal below this is rounding and nothing else.
inline double rounding_pivot(std::size_t rows) noexcept {
  return 64.0 * static_cast<double>(rows) * 2.220446049250313e-16;
}

/// The square roots of a symmetric positive definite m x m matrix scaled to unit diagonal, and solves with them. Plain
/// loops in one order: results depend neither on alignment nor on how the batch is cut. Rows: m where it is known when
/// compiling (loops unroll), or -1.
template <int Rows>
class ScaledCholesky {
 public:
  explicit ScaledCholesky(std::size_t m) : m_(m), factor_(m * m), inverse_pivot_(m), scale_(m) {}

  std::size_t size() const noexcept {
    if constexpr (Rows >= 0) return static_cast<std::size_t>(Rows);
    return m_;
  }

  /// False if W (its lower triangle is read) is singular on scaled rows, or not finite.
  bool factorize(const double* W) noexcept {
    const std::size_t m = size();
    const double singular = rounding_pivot(m);
    for (std::size_t k = 0; k < m; ++k) {
      const double diagonal = W[k * m + k];
      if (!(diagonal > 0.0) || !std::isfinite(diagonal)) return false;
      scale_[k] = 1.0 / std::sqrt(diagonal);
    }
    for (std::size_t k = 0; k < m; ++k) {
      for (std::size_t i = 0; i <= k; ++i) {
        double sum = i == k ? 1.0 : W[k * m + i] * scale_[k] * scale_[i];
        for (std::size_t l = 0; l < i; ++l) sum -= factor_[k * m + l] * factor_[i * m + l];
        if (i < k) {
          factor_[k * m + i] = sum * inverse_pivot_[i];
        } else {
          if (!(sum > singular)) return false;
          const double pivot = std::sqrt(sum);
          factor_[k * m + k] = pivot;
          inverse_pivot_[k] = 1.0 / pivot;
        }
      }
    }
    return true;
  }

  /// x = L^-1 D b, so that x'x = b' W^-1 b.
  void half_solve(const double* b, double* x) const noexcept {
    const std::size_t m = size();
    for (std::size_t k = 0; k < m; ++k) {
      double sum = b[k] * scale_[k];
      for (std::size_t l = 0; l < k; ++l) sum -= factor_[k * m + l] * x[l];
      x[k] = sum * inverse_pivot_[k];
    }
  }

  /// x = W^-1 b; x may be b.
  void solve(const double* b, double* x) const noexcept {
    const std::size_t m = size();
    half_solve(b, x);
    for (std::size_t k = m; k-- > 0;) {
      double sum = x[k];
      for (std::size_t l = k + 1; l < m; ++l) sum -= factor_[l * m + k] * x[l];
      x[k] = sum * inverse_pivot_[k];
    }
    for (std::size_t k = 0; k < m; ++k) x[k] *= scale_[k];
  }

  const double* factor() const noexcept { return factor_.data(); }
  const double* inverse_pivot() const noexcept { return inverse_pivot_.data(); }
  const double* scale() const noexcept { return scale_.data(); }

  double log_det() const noexcept {
    double sum = 0.0;
    for (std::size_t k = 0; k < size(); ++k) sum += std::log(factor_[k * size() + k]) - std::log(scale_[k]);
    return 2.0 * sum;
  }

 private:
  std::size_t m_;
  std::vector<double> factor_, inverse_pivot_, scale_;
};

}  // namespace lavoisier::detail

#endif
