#ifndef LAVOISIER_PLUGIN_TILE_HPP
#define LAVOISIER_PLUGIN_TILE_HPP

// One tile on its way through the graph. Private to tile_*.cpp.

#include "column_draws.hpp"
#include "tile_runner.hpp"

#include <algorithm>
#include <vector>

namespace lavoisier::detail {

/// Columns of a tile in memory: exactly as many as there are up to 8, so that vectors run over outputs; else whole
/// vectors of columns.
inline std::int64_t stride_for(std::int64_t count) noexcept {
  return count <= 8 ? count : count <= 16 ? 16 : tile_columns;
}

/// Values lie as value[element * stride + column].
struct Tile {
  const Program& program;
  const TileLayout& layout;
  const TileKernels& kernels;
  const RunWork& work;
  std::int64_t first, count, stride;
  std::byte* arena;
  SlotStatus status[tile_columns];

  template <class T>
  T* at(std::size_t offset) const noexcept {
    return reinterpret_cast<T*>(arena + offset);
  }
  template <class T>
  T* value(int index) const noexcept {
    return at<T>(program.values[static_cast<std::size_t>(index)].slot);
  }
  bool written(std::int64_t c) const noexcept { return is_written(status[c]); }

  // tile_runner.cpp
  void gather() noexcept;
  void shifts(const BoundField& field, std::int64_t* shift_of) const noexcept;
  void evaluate_laws() noexcept;
  void round() noexcept;
  void scatter() noexcept;
  /// The laws of outputs y, into the tile's residuals.
  ClosureArguments residuals_of(const double* y) const noexcept;
  void close() noexcept;

  // tile_operations.cpp
  void run(const std::vector<Operation>& operations) noexcept;
  void noise(double* e, std::int64_t n, std::uint64_t site) noexcept;
  void constrain(const Operation& operation) noexcept;
  void convolution(const Operation& operation) noexcept;
  void upsample(const Operation& operation) noexcept;
  void transpose(const Operation& operation) noexcept;
  void norm(const Operation& operation) noexcept;
  void gru(const Operation& operation) noexcept;
  void gather_rows(const Operation& operation) noexcept;
  void scatter_rows(const Operation& operation) noexcept;
  void embed(const Operation& operation) noexcept;
  void mask(const Operation& operation) noexcept;
  void dense(const Operation& operation) noexcept;
  /// The row that an index of an edge names; -1: an absent edge, or one that is no row (the column is flagged).
  std::int64_t row_at(double index, std::int64_t rows, std::int64_t c) noexcept;

  // tile_global.cpp
  void global_directions() noexcept;
  void global_sums(std::int32_t value_row, std::int32_t size_row) noexcept;
  void global_covariances() noexcept;
  void global_correct() noexcept;
  ConstrainArguments local_pass() const noexcept;

  // tile_draws.cpp
  void positive_draw(const Operation& operation) noexcept;
  void dirichlet_draw(const Operation& operation) noexcept;
  void poisson_draw(const Operation& operation) noexcept;
  void multinomial_draw(const Operation& operation) noexcept;
  ColumnDraw column_draw(std::int64_t c, std::uint64_t site) const noexcept;  ///< of the tile's column c
  void flag(std::int64_t c, SlotStatus found) noexcept;

  // tile_sample.cpp
  void sample(const Operation& operation) noexcept;
  void standardise_laws(const Operation& operation) noexcept;
  ConstrainArguments projection(std::int64_t n) const noexcept;
  void project(const SampleLoop& loop, double* w, bool shifted) noexcept;
};

}  // namespace lavoisier::detail

#endif
