#ifndef LAVOISIER_PLUGIN_TILE_HPP
#define LAVOISIER_PLUGIN_TILE_HPP

// One tile on its way through the graph. Private to tile_*.cpp.

#include "tile_runner.hpp"

#include <lavoisier/random.hpp>
#include <lavoisier/status.hpp>

#include <cstring>
#include <vector>

namespace lavoisier::detail {

inline bool finite(double x) noexcept {
  std::uint64_t bits;
  std::memcpy(&bits, &x, sizeof bits);
  return (bits & 0x7ff0000000000000u) != 0x7ff0000000000000u;
}

/// Columns of a tile in memory: exactly as many as there are up to 8, so that vectors run over outputs; else whole
/// vectors of columns.
inline std::int64_t stride_for(std::int64_t count) noexcept { return count <= 8 ? count : count <= 16 ? 16 : tile_columns; }

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
  bool written(std::int64_t c) const noexcept {
    return status[c] == 0 || status[c] == static_cast<SlotStatus>(Status::out_of_range);
  }

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
  std::int64_t row_of(double index, std::int64_t rows, std::int64_t c) noexcept;

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
  /// The first block of an element of the tile's column c.
  random::Sequence sequence(std::int64_t c, std::uint64_t site, std::uint64_t element) const noexcept;
  /// Column c cannot be drawn: flagged, its n values 0.
  void refuse(std::int64_t c, Status why, std::int64_t n, double* y) noexcept;

  // tile_sample.cpp
  void sample(const Operation& operation) noexcept;
  void standardise_laws(const Operation& operation) noexcept;
  ConstrainArguments projection(std::int64_t n) const noexcept;
  void project(const SampleLoop& loop, double* w, bool shifted) noexcept;
};

}  // namespace lavoisier::detail

#endif
