#include "tile.hpp"

#include <lavoisier/tolerances.hpp>

// Global laws, one tile: DESIGN, "Global laws". Plain loops in FP64, one order for a column whatever the tile.

namespace lavoisier::detail {

/// B of this tile's columns, and V B' = P S B', both [row][element][column].
void Tile::global_directions() noexcept {
  const GlobalWork& global = *work.global;
  const std::int64_t n = program.output_elements, size = n * stride;
  const double* variance = at<double>(layout.variance);
  double *B = at<double>(layout.global_rows), *U = at<double>(layout.global_directions);
  ConstrainArguments a = local_pass();
  a.right_hand_side = at<double>(layout.zeros);
  for (std::int32_t k = 0; k < global.rows; ++k) {
    double *b = B + k * size, *u = U + k * size;
    for (std::int64_t c = 0; c < stride; ++c) {
      const std::int64_t column = c < count ? work.columns[first + c] : -1;
      const double weight = column < 0 ? 0.0 : global.weights != nullptr ? global.weights[column] : 1.0;
      for (std::int64_t i = 0; i < n; ++i)
        b[i * stride + c] = column < 0
                                ? 0.0
                                : weight * global.coefficients[column * global.column_stride + k * global.row_stride +
                                                               i * global.element_stride];
    }
    for (std::int64_t j = 0; j < size; ++j) u[j] = variance[j] * b[j];
    // Twice, as a draw.
    a.y = u;
    if (a.m > 0) {
      kernels.pass(a);
      kernels.pass(a);
    }
  }
}

/// Sums of B y and of |B y| of the stored values, rows `value` and `size` of the run's quantities.
void Tile::global_sums(std::int32_t value_row, std::int32_t size_row) noexcept {
  const GlobalWork& global = *work.global;
  const std::int64_t n = program.output_elements;
  const double *B = at<double>(layout.global_rows), *stored = at<double>(layout.stored);
  for (std::int32_t k = 0; k < global.rows; ++k)
    for (std::int64_t c = 0; c < count; ++c) {
      double sum = 0.0, size = 0.0;
      for (std::int64_t i = 0; i < n; ++i) {
        const double term = B[(k * n + i) * stride + c] * stored[i * stride + c];
        sum += term;
        size += term < 0.0 ? -term : term;
      }
      global.quantities[(value_row + k) * work.capacity + first + c] = sum;
      if (size_row >= 0) global.quantities[(size_row + k) * work.capacity + first + c] = size;
    }
}

/// The columns' parts of sum B S B', row by row, and of W_g = sum B V B'.
void Tile::global_covariances() noexcept {
  const GlobalWork& global = *work.global;
  const std::int64_t n = program.output_elements;
  const double *B = at<double>(layout.global_rows), *U = at<double>(layout.global_directions);
  const double* variance = at<double>(layout.variance);
  for (std::int32_t k = 0; k < global.rows; ++k)
    for (std::int64_t c = 0; c < count; ++c) {
      double sum = 0.0;
      for (std::int64_t i = 0; i < n; ++i) {
        const double b = B[(k * n + i) * stride + c];
        sum += b * variance[i * stride + c] * b;
      }
      global.quantities[(2 * global.rows + k) * work.capacity + first + c] = sum;
    }
  std::int64_t pair = 3 * global.rows;
  for (std::int32_t k = 0; k < global.rows; ++k)
    for (std::int32_t l = 0; l <= k; ++l, ++pair)
      for (std::int64_t c = 0; c < count; ++c) {
        double sum = 0.0;
        for (std::int64_t i = 0; i < n; ++i) sum += U[(k * n + i) * stride + c] * B[(l * n + i) * stride + c];
        global.quantities[pair * work.capacity + first + c] = sum;
      }
}

/// y -= V B' lambda, then the local laws once more.
void Tile::global_correct() noexcept {
  const GlobalWork& global = *work.global;
  const std::int64_t size = program.output_elements * stride;
  const double* U = at<double>(layout.global_directions);
  double* y = value<double>(program.result);
  for (std::int32_t k = 0; k < global.rows; ++k) {
    const double lambda = global.multipliers[k];
    for (std::int64_t j = 0; j < size; ++j) y[j] -= lambda * U[k * size + j];
  }
  ConstrainArguments a = local_pass();
  a.right_hand_side = at<double>(layout.right_hand_side);
  a.y = y;
  if (a.m > 0) kernels.pass(a);
}

/// What the model's constrain step left behind: variances and the factor of W.
ConstrainArguments Tile::local_pass() const noexcept {
  ConstrainArguments a = constrain_arguments(program.laws, at<double>(layout.row_values));
  if (program.operations.back().kind != OperationKind::constrain) a.m = 0;  // laws that the model does not enforce
  a.n = static_cast<std::int32_t>(program.output_elements);
  a.variance = at<double>(layout.variance);
  a.factor = at<double>(layout.factor);
  a.residual = at<double>(layout.residual);
  a.skipped = at<double>(layout.skipped);
  a.suspect = at<double>(layout.suspect);
  a.tolerance = tolerances::identity::relative_fp64;
  a.stride = stride;
  return a;
}

}  // namespace lavoisier::detail
