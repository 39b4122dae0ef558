#ifndef LAVOISIER_PLUGIN_TILE_RUNNER_HPP
#define LAVOISIER_PLUGIN_TILE_RUNNER_HPP

#include "program.hpp"
#include "run_work.hpp"
#include "tile_kernels.hpp"

namespace lavoisier::detail {

static_assert(tile_columns <= widest_tile);

/// Byte offsets of a tile's scratch behind the values of Program.
struct TileLayout {
  /// `global_rows`: of global laws.
  explicit TileLayout(const Program& program, std::int64_t global_rows = 0);
  std::size_t right_hand_side = 0, scalars = 0, row_values = 0, term_values = 0, variance = 0, factor = 0, suspect = 0, residual = 0,
              skipped = 0, uniform = 0, stored = 0, relative = 0, state = 0, estimate = 0, step_noise = 0, shift = 0, global_rows = 0,
              global_directions = 0, zeros = 0, standard_rows = 0, standard_targets = 0, standard_variance = 0,
              standard_factor = 0, standard_skipped = 0;  ///< standard_*: laws of each column, as `sample` projects
  std::size_t bytes = 0;
};

/// What the laws say of a constrain step; fields, n, metric, scratch and tolerance are the caller's. `row_values`: the
/// coefficients of the tile's columns, used where A varies.
inline ConstrainArguments constrain_arguments(const LawSystem& laws, const double* row_values) noexcept {
  ConstrainArguments a{};
  a.m = laws.rows();
  a.row_law = laws.row_law.data();
  a.row_begin = laws.row_begin.data();
  a.row_element = laws.row_element.data();
  a.row_coefficient = laws.row_coefficient.data();
  a.column_begin = laws.column_begin.data();
  a.column_row = laws.column_row.data();
  a.column_coefficient = laws.column_coefficient.data();
  a.pair_begin = laws.pair_begin.data();
  a.pair_element = laws.pair_element.data();
  a.pair_product = laws.pair_product.data();
  if (laws.varies) {
    a.row_values = row_values;
    a.column_entry = laws.column_entry.data();
    a.pair_left = laws.pair_left.data();
    a.pair_right = laws.pair_right.data();
  }
  return a;
}

/// Takes slots first .. first+count-1 (count <= tile_columns) through the whole graph on the calling thread, in the
/// scratch at `arena`. Allocates nothing, throws nothing, leaves the floating-point environment as it was.
void run_tile(const Program& program, const TileLayout& layout, const TileKernels& kernels, const RunWork& work,
              std::int64_t first, std::int64_t count, std::byte* arena) noexcept;

}  // namespace lavoisier::detail

#endif
