#ifndef LAVOISIER_LAW_MATRIX_HPP
#define LAVOISIER_LAW_MATRIX_HPP

#include "scaled_cholesky.hpp"

#include <lavoisier/linear_constraints.hpp>
#include <lavoisier/status.hpp>

#include <cmath>
#include <cstddef>
#include <string>
#include <vector>

namespace lavoisier::detail {

/// A once a call or once a sample, in the form that the kernels read: rows scaled to about unit norm (rank must not
/// depend on the units of a law), and stored by output, so that a_j, what output j does to the laws, is contiguous.
/// Scales are powers of two: the laws stay what they are to the last bit.
struct LawMatrix {
  /// Of all samples; throws invalid_argument for a zero row or a coefficient that is not finite.
  explicit LawMatrix(const RowMatrix& A);
  /// Room for one sample's laws at a time: assign() fills it.
  LawMatrix(std::size_t number_of_rows, std::size_t number_of_outputs);

  /// Takes the laws of a sample, row k at A + k * stride, without allocating; what is wrong with them is in `status`.
  void assign(const double* A, std::size_t stride) noexcept;

  std::size_t outputs = 0;
  std::size_t rows = 0;
  std::vector<double> columns;     ///< outputs x rows
  std::vector<double> row_scale;   ///< a power of two close to 1 / |A_k|; 1 for a zero row
  double log_det_row_scale = 0.0;  ///< sum of log row_scale
  Status status = Status::ok;      ///< rank_deficient: row `bad_row` is zero; non_finite: it holds what is no number
  std::size_t bad_row = 0;

  const double* column(std::size_t j) const noexcept { return columns.data() + j * rows; }
};

/// Throws shape_mismatch: "`function`: `argument` is R x C, expected R x C (why)".
void require_shape(const char* function, const char* argument, Eigen::Index rows, Eigen::Index cols,
                   Eigen::Index expected_rows, Eigen::Index expected_cols);

}  // namespace lavoisier::detail

#endif
