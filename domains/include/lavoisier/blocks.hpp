#ifndef LAVOISIER_BLOCKS_HPP
#define LAVOISIER_BLOCKS_HPP

// Samples that are blocks of cells of a grid: how a fine grid and its blocks lie in each other.

#include <lavoisier/netcdf_reader.hpp>

#include <cstdint>
#include <string>
#include <vector>

namespace lavoisier {

/// Blocks of factor_y x factor_x cells of a grid's last two dimensions, from their first indices on; rows and columns that do
/// not fill a block belong to none. Blocks are numbered row-major, behind the dimensions before (`slow` of them in all);
/// cells of a block likewise.
struct BlockShape {
  std::int64_t slow = 1, fine_y = 0, fine_x = 0, factor_y = 1, factor_x = 1;

  std::int64_t blocks_y() const noexcept { return fine_y / factor_y; }
  std::int64_t blocks_x() const noexcept { return fine_x / factor_x; }
  std::int64_t blocks() const noexcept { return slow * blocks_y() * blocks_x(); }
  std::int64_t cells() const noexcept { return factor_y * factor_x; }  ///< of a block
  /// Flat index of the first cell of a row of blocks; its factor_y rows of cells are contiguous. Rows are numbered through
  /// all slow indices.
  std::int64_t first_cell(std::int64_t row) const noexcept {
    return (row / blocks_y() * fine_y + row % blocks_y() * factor_y) * fine_x;
  }
};

/// A field over the grid in blocks `first` to `first` + `count` - 1: count x cells of a block. `axes`: what the dimensions
/// of the field are; those of the grid are cell axes. Errors as NetcdfReader::read_cells().
std::vector<double> read_blocks(const NetcdfReader& file, const std::string& field, const std::vector<FieldAxis>& axes,
                                const BlockShape& shape, std::int64_t first, std::int64_t count);

/// A row of blocks (blocks_x x cells of a block) as factor_y rows of the grid; cells of no block are NaN.
std::vector<double> rows_of_blocks(const BlockShape& shape, const double* blocks);

}  // namespace lavoisier

#endif
