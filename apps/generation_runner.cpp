#include "generation_runner.hpp"

#include <numeric>

namespace lavoisier::cli {

Block read_block(const SampleReader& reader, std::int64_t first, std::int64_t count, std::size_t elements,
                 const std::optional<Subset>& subset) {
  const SampleReader::Piece piece = reader.read(first, count);
  Block block;
  if (std::any_of(piece.masked.begin(), piece.masked.end(), [](std::uint8_t m) { return m != 0; })) block.masked = piece.masked;
  block.first = first;
  block.cells = count;
  for (std::size_t c = 0; c < static_cast<std::size_t>(count); ++c) {
    if (subset && piece.subset[c] != *subset) continue;
    if (piece.complete[c] == 0) {
      if (piece.empty[c] == 0) ++block.incomplete;
      continue;
    }
    block.cell.push_back(static_cast<std::int64_t>(c));
    const auto row = piece.inputs.begin() + static_cast<std::ptrdiff_t>(c * elements);
    block.inputs.insert(block.inputs.end(), row, row + static_cast<std::ptrdiff_t>(elements));
    block.column.push_back(piece.column[c]);
    block.step.push_back(piece.step[c]);
  }
  return block;
}

void sort_by_step(Block& block, const SampleReader& reader, std::size_t elements) {
  std::vector<std::size_t> order(block.cell.size());
  std::iota(order.begin(), order.end(), std::size_t{0});
  std::stable_sort(order.begin(), order.end(), [&](std::size_t a, std::size_t b) { return block.step[a] < block.step[b]; });
  Block sorted = block;
  std::vector<std::int64_t> cells;
  for (std::size_t i = 0; i < order.size(); ++i) {
    const std::size_t from = order[i];
    sorted.cell[i] = block.cell[from];
    sorted.column[i] = block.column[from];
    sorted.step[i] = block.step[from];
    std::copy_n(&block.inputs[from * elements], elements, &sorted.inputs[i * elements]);
    cells.push_back(block.first + sorted.cell[i]);
  }
  sorted.weights = reader.weights(cells);
  block = std::move(sorted);
}

}  // namespace lavoisier::cli
