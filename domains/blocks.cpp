#include <lavoisier/blocks.hpp>
#include <lavoisier/status.hpp>

#include <algorithm>
#include <limits>

namespace lavoisier {
namespace {

/// Calls `each(cell of the row's grid rows, block in the row, cell of the block)` for blocks `first` to `end` - 1 of a row.
template <class Each>
void for_cells(const BlockShape& shape, std::int64_t first, std::int64_t end, const Each& each) {
  for (std::int64_t y = 0; y < shape.factor_y; ++y)
    for (std::int64_t block = first; block < end; ++block)
      for (std::int64_t x = 0; x < shape.factor_x; ++x)
        each(static_cast<std::size_t>(y * shape.fine_x + block * shape.factor_x + x), block,
             static_cast<std::size_t>(y * shape.factor_x + x));
}

}  // namespace

std::vector<double> read_blocks(const NetcdfReader& file, const std::string& field, const std::vector<FieldAxis>& axes,
                                const BlockShape& shape, std::int64_t first, std::int64_t count) {
  if (first < 0 || count < 0 || first > shape.blocks() - count)
    throw Error(Status::out_of_range, "blocks " + std::to_string(first) + " to " + std::to_string(first + count) +
                                          " of field \"" + field + "\", which has " + std::to_string(shape.blocks()));
  const std::int64_t row_blocks = shape.blocks_x(), cells = shape.cells();
  std::vector<double> result(static_cast<std::size_t>(count * cells));
  for (std::int64_t done = 0; done < count;) {
    const std::int64_t row = (first + done) / row_blocks, from = (first + done) % row_blocks;
    const std::int64_t end = std::min(row_blocks, from + count - done);
    const std::vector<double> rows = file.read_cells(field, axes, shape.first_cell(row), shape.factor_y * shape.fine_x);
    double* const to = result.data() + (done - from) * cells;
    for_cells(shape, from, end, [&](std::size_t cell, std::int64_t block, std::size_t own) {
      to[static_cast<std::size_t>(block * cells) + own] = rows[cell];
    });
    done += end - from;
  }
  return result;
}

std::vector<double> rows_of_blocks(const BlockShape& shape, const double* blocks) {
  std::vector<double> rows(static_cast<std::size_t>(shape.factor_y * shape.fine_x), std::numeric_limits<double>::quiet_NaN());
  for_cells(shape, 0, shape.blocks_x(), [&](std::size_t cell, std::int64_t block, std::size_t own) {
    rows[cell] = blocks[static_cast<std::size_t>(block * shape.cells()) + own];
  });
  return rows;
}

}  // namespace lavoisier
