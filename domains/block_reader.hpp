#ifndef LAVOISIER_DOMAINS_BLOCK_READER_HPP
#define LAVOISIER_DOMAINS_BLOCK_READER_HPP

// What a domain with blocks reads of a fine field.

#include <lavoisier/blocks.hpp>
#include <lavoisier/domain.hpp>

#include <cstdint>
#include <map>
#include <string>
#include <vector>

namespace lavoisier::detail {

/// One field of the file, where its cells lie and how its units become the layout's.
struct BlockField {
  std::string variable;
  std::vector<FieldAxis> axes;
  UnitConversion conversion;
};

/// Blocks of one file's grid. Cells have areas: widths of the axes' bounds (midway between centres where the file has none;
/// latitudes: differences of sines, clipped at the poles). Neighbourhoods go around where longitudes do. Of each field that
/// quantities are asked of the means of all blocks are kept, 16 bytes a block.
class BlockReader {
 public:
  /// Error(shape_mismatch) where the grid has not one block, or an axis' cells have no width.
  BlockReader(const Domain& domain, const NetcdfReader& file);

  const BlockShape& shape() const noexcept { return shape_; }
  const std::vector<FileAxis>& grid_axes() const noexcept { return grid_axes_; }
  const std::vector<FileAxis>& axes() const noexcept { return axes_; }  ///< of the blocks
  bool goes_around() const noexcept { return goes_around_; }

  /// Blocks of one read, whose fine values are read once a field.
  class Piece {
   public:
    Piece(const BlockReader& reader, std::int64_t first, std::int64_t count)
        : reader_(reader), first_(first), count_(count) {}
    /// count x cells of a block; where a cell has no value the block's mean. NaN in a block without any.
    std::vector<double> values(const BlockField& field);
    /// 1 where a cell has no value: count x cells of a block.
    std::vector<std::uint8_t> masked(const BlockField& field);
    /// count x `elements`. NaN in a block without any value. `name`: the variable, for messages.
    std::vector<double> quantity(const BlockField& field, const Source& source, std::int64_t elements, const std::string& name);

   private:
    const std::vector<double>& fine(const BlockField& field);
    std::vector<double> weights(const BlockField& field, std::int64_t elements, const std::string& name);
    const BlockReader& reader_;
    std::int64_t first_, count_;
    std::map<std::string, std::vector<double>> fine_;  ///< in the file's units
  };

 private:
  /// Of all blocks, in the file's units.
  struct Means {
    std::vector<double> mean, valid;
  };
  const Means& means(const BlockField& field) const;
  double area(std::int64_t block, std::int64_t cell) const;
  /// The neighbour's number, -1 outside the grid.
  std::int64_t neighbour(std::int64_t block, std::int64_t dy, std::int64_t dx) const;

  const NetcdfReader& file_;
  std::int64_t halo_y_ = 0, halo_x_ = 0;
  BlockShape shape_;
  std::vector<FileAxis> grid_axes_, axes_;
  std::vector<double> width_y_, width_x_;  ///< of the grid's cells: area = product
  bool goes_around_ = false;
  mutable std::map<std::string, Means> means_;
};

}  // namespace lavoisier::detail

#endif
