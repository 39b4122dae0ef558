#ifndef LAVOISIER_PLUGIN_DEVICE_LAWS_HPP
#define LAVOISIER_PLUGIN_DEVICE_LAWS_HPP

#include "law_passes.hpp"

#include <lavoisier/elementary.hpp>

#include <Kokkos_Core.hpp>

#include <cstdint>

namespace lavoisier::detail {

/// The laws' solve of one column, as ConstrainArguments in tile_kernels.hpp; pointers are the column's own.
struct ColumnLaws {
  std::int32_t n = 0, m = 0, laws = 0;
  const std::int32_t *row_law = nullptr, *row_begin = nullptr, *row_element = nullptr;
  const double* row_coefficient = nullptr;
  const std::int32_t *column_begin = nullptr, *column_row = nullptr;
  const double* column_coefficient = nullptr;
  const std::int32_t *pair_begin = nullptr, *pair_element = nullptr;
  const double* pair_product = nullptr;
  const std::int32_t *term_begin = nullptr, *term_element = nullptr;
  const double* term_coefficient = nullptr;
  const double *row_values = nullptr, *term_values = nullptr;  ///< the column's own coefficients; null: those for all
  const std::int32_t *column_entry = nullptr, *pair_left = nullptr, *pair_right = nullptr;

  KOKKOS_INLINE_FUNCTION double row(std::int32_t t, std::int64_t ld) const {
    return row_values != nullptr ? row_values[t * ld] : row_coefficient[t];
  }
  KOKKOS_INLINE_FUNCTION double column(std::int32_t t, std::int64_t ld) const {
    return row_values != nullptr ? row_values[column_entry[t] * ld] : column_coefficient[t];
  }
  KOKKOS_INLINE_FUNCTION double product(std::int32_t t, std::int64_t ld) const {
    return row_values != nullptr ? row_values[pair_left[t] * ld] * row_values[pair_right[t] * ld] : pair_product[t];
  }
  /// Of the column in slot s.
  KOKKOS_INLINE_FUNCTION ColumnLaws of(std::int64_t s) const {
    ColumnLaws own = *this;
    if (row_values != nullptr) {
      own.row_values += s;
      own.term_values += s;
    }
    return own;
  }

  KOKKOS_INLINE_FUNCTION void residuals(const double* y, const double* d, double* residual, std::int64_t ld) const {
    for (std::int32_t k = 0; k < m; ++k) {
      double sum = 0.0;
      for (std::int32_t t = row_begin[k]; t < row_begin[k + 1]; ++t) sum += row(t, ld) * y[row_element[t] * ld];
      residual[k * ld] = sum - d[row_law[k] * ld];
    }
  }

  KOKKOS_INLINE_FUNCTION static std::int64_t packed(std::int64_t k, std::int64_t l) { return k * (k + 1) / 2 + l; }

  KOKKOS_INLINE_FUNCTION void pass(double* y, const double* d, const double* variance, const double* factor,
                                   const double* skipped, double* residual, std::int64_t ld) const {
    residuals(y, d, residual, ld);
    for (std::int32_t k = 0; k < m; ++k) {
      double r = residual[k * ld];
      for (std::int32_t l = 0; l < k; ++l) r -= factor[packed(k, l) * ld] * residual[l * ld];
      residual[k * ld] = skipped[k * ld] != 0.0 ? 0.0 : r / factor[packed(k, k) * ld];
    }
    for (std::int32_t k = m - 1; k >= 0; --k) {
      double r = residual[k * ld];
      for (std::int32_t l = k + 1; l < m; ++l) r -= factor[packed(l, k) * ld] * residual[l * ld];
      residual[k * ld] = skipped[k * ld] != 0.0 ? 0.0 : r / factor[packed(k, k) * ld];
    }
    for (std::int32_t i = 0; i < n; ++i) {
      if (column_begin[i] == column_begin[i + 1]) continue;
      double step = 0.0;
      for (std::int32_t t = column_begin[i]; t < column_begin[i + 1]; ++t)
        step += column(t, ld) * residual[column_row[t] * ld];
      y[i * ld] -= variance[i * ld] * step;
    }
  }

  /// Whether a row misses the tolerance; residuals() has been there.
  KOKKOS_INLINE_FUNCTION bool misses(std::int32_t k, const double* y, const double* d, const double* residual,
                                     double tolerance, std::int64_t ld) const {
    const double b = d[row_law[k] * ld];
    double size = b < 0.0 ? -b : b;
    for (std::int32_t t = row_begin[k]; t < row_begin[k + 1]; ++t) {
      const double term = row(t, ld) * y[row_element[t] * ld];
      size += term < 0.0 ? -term : term;
    }
    const double r = residual[k * ld];
    return !((r < 0.0 ? -r : r) <= tolerance * size);
  }

  /// A pass; a suspect whose laws do not hold is passed again.
  KOKKOS_INLINE_FUNCTION void pass_once(double* y, const double* d, const double* variance, const double* factor,
                                        const double* skipped, double* residual, bool suspect, double tolerance,
                                        std::int64_t ld) const {
    pass(y, d, variance, factor, skipped, residual, ld);
    for (int again = 0; suspect && again < repeated_passes; ++again) {
      residuals(y, d, residual, ld);
      bool open = false;
      for (std::int32_t k = 0; k < m; ++k)
        open = open || (skipped[k * ld] == 0.0 && misses(k, y, d, residual, tolerance, ld));
      if (!open) return;
      pass(y, d, variance, factor, skipped, residual, ld);
    }
  }

  /// Both passes; true where a law can be neither met nor moved. `suspect`: whether the factor may be off.
  KOKKOS_INLINE_FUNCTION bool constrain(double* y, const double* d, const double* variance, double* factor,
                                        double* skipped, double* residual, double tolerance, bool& suspect,
                                        std::int64_t ld) const {
    const bool any = factorise(variance, factor, skipped, suspect, ld);
    pass(y, d, variance, factor, skipped, residual, ld);
    pass_once(y, d, variance, factor, skipped, residual, suspect, tolerance, ld);
    if (!any && !suspect) return false;
    residuals(y, d, residual, ld);
    bool deficient = false;
    for (std::int32_t k = 0; k < m; ++k) {
      if (skipped[k * ld] == 0.0 && !suspect) continue;
      if (misses(k, y, d, residual, tolerance, ld)) deficient = true;
    }
    return deficient;
  }

  /// The factor of W; true where a row has no pivot of its own.
  KOKKOS_INLINE_FUNCTION bool factorise(const double* variance, double* factor, double* skipped, bool& suspect,
                                        std::int64_t ld) const {
    const double smallest = 16.0 * 0x1.0p-52 * static_cast<double>(m);
    bool any = false;
    double determinant = 1.0;
    for (std::int32_t k = 0; k < m; ++k) {
      for (std::int32_t l = 0; l <= k; ++l) {
        double sum = 0.0;
        const std::int64_t p = packed(k, l);
        for (std::int32_t t = pair_begin[p]; t < pair_begin[p + 1]; ++t)
          sum += product(t, ld) * variance[pair_element[t] * ld];
        factor[p * ld] = sum;
      }
      double diagonal = factor[packed(k, k) * ld];
      const double whole = diagonal;
      for (std::int32_t l = 0; l < k; ++l) {
        double entry = factor[packed(k, l) * ld];
        for (std::int32_t j = 0; j < l; ++j) entry -= factor[packed(k, j) * ld] * factor[packed(l, j) * ld];
        entry = skipped[l * ld] != 0.0 ? 0.0 : entry / factor[packed(l, l) * ld];
        factor[packed(k, l) * ld] = entry;
        diagonal -= entry * entry;
      }
      const bool regular = diagonal > smallest * whole;
      determinant *= regular ? diagonal / whole : 1.0;
      factor[packed(k, k) * ld] = elementary::sqrt(regular ? diagonal : 1.0);
      skipped[k * ld] = regular ? 0.0 : 1.0;
      any = any || !regular;
    }
    suspect = determinant < suspect_determinant;
    return any;
  }

  KOKKOS_INLINE_FUNCTION void closure(std::int32_t l, const double* y, const double* d, double& residual,
                                      double& relative, std::int64_t ld) const {
    double sum = 0.0, size = 0.0;
    for (std::int32_t t = term_begin[l]; t < term_begin[l + 1]; ++t) {
      const double own = term_values != nullptr ? term_values[t * ld] : term_coefficient[t];
      const double term = own * y[term_element[t] * ld];
      sum += term;
      size += term < 0.0 ? -term : term;
    }
    const double b = d[l * ld];
    residual = sum - b;
    const double magnitude = size + (b < 0.0 ? -b : b);
    const double absolute = residual < 0.0 ? -residual : residual;
    // Infinite terms say nothing about closing: NaN, and the column is flagged.
    relative = magnitude - magnitude == 0.0 ? (absolute == 0.0 ? 0.0 : absolute / magnitude) : magnitude - magnitude;
  }
};

}  // namespace lavoisier::detail

#endif
