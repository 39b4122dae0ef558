#include "evaluation_pieces.hpp"

#include <algorithm>
#include <iterator>
#include <sstream>

namespace lavoisier::cli {

Pixels::Pixels(const Grid& g, const Domain& domain) : grid(&g) {
  row_axis = g.latitude();
  column_axis = g.longitude();
  if (row_axis < 0 && column_axis < 0) {
    // No sphere: the last two column dimensions.
    const auto& axes = g.axes();
    for (std::size_t i = axes.size(); i-- > 0;) {
      const auto& names = domain.column_dimensions;
      if (i >= domain.sample_dimensions.size() ||
          std::find(names.begin(), names.end(), domain.sample_dimensions[i]) == names.end()) {
        continue;
      }
      if (column_axis < 0) {
        column_axis = static_cast<int>(i);
      } else if (row_axis < 0) {
        row_axis = static_cast<int>(i);
      }
    }
  }
  rows = size(row_axis, row_values);
  columns = size(column_axis, column_values);
}

std::size_t Pixels::size(int axis, std::vector<double>& values) const {
  if (axis < 0) return 1;
  const auto& all = grid->axes()[static_cast<std::size_t>(axis)].values;
  const std::size_t n = std::min(all.size(), map_limit);
  values.assign(n, 0.0);
  std::vector<double> count(n, 0.0);
  for (std::size_t i = 0; i < all.size(); ++i) {
    values[i * n / all.size()] += all[i];
    count[i * n / all.size()] += 1.0;
  }
  for (std::size_t i = 0; i < n; ++i) values[i] /= count[i];
  return n;
}

Piece read_piece(const SampleReader& reader, const Grid& grid, std::int64_t first, std::int64_t count, std::size_t ni,
                 std::size_t no, const std::optional<Subset>& subset, const GlobalProblem& global) {
  const SampleReader::Piece raw = reader.read(first, count);
  Piece piece;
  if (global.terms) {
    piece.columns = columns_of(reader, raw, subset, ni, true);
    piece.coefficients = global.terms->coefficients(rows_of(piece.columns));
    if (no > 0) piece.column_outputs = outputs_of(piece.columns, raw, no);
  }
  for (std::size_t c = 0; c < static_cast<std::size_t>(count); ++c) {
    if (raw.complete[c] == 0 || (subset && raw.subset[c] != *subset)) continue;
    const auto row = static_cast<std::ptrdiff_t>(c);
    piece.cells.push_back(first + row);
    piece.inputs.insert(piece.inputs.end(), raw.inputs.begin() + row * static_cast<std::ptrdiff_t>(ni),
                        raw.inputs.begin() + (row + 1) * static_cast<std::ptrdiff_t>(ni));
    if (no > 0) {
      piece.outputs.insert(piece.outputs.end(), raw.outputs.begin() + row * static_cast<std::ptrdiff_t>(no),
                           raw.outputs.begin() + (row + 1) * static_cast<std::ptrdiff_t>(no));
    }
    if (const std::size_t own = raw.masked.size() / static_cast<std::size_t>(count); own > 0)
      piece.masked.insert(piece.masked.end(), raw.masked.begin() + row * static_cast<std::ptrdiff_t>(own),
                          raw.masked.begin() + (row + 1) * static_cast<std::ptrdiff_t>(own));
    piece.weights.push_back(grid.area(first + row));
    piece.column.push_back(raw.column[c]);
    piece.step.push_back(raw.step[c]);
  }
  return piece;
}

std::vector<std::string> enforced_laws(const Candidate& candidate) {
  std::istringstream words(candidate.attribute("lavoisier_global_laws"));
  return {std::istream_iterator<std::string>(words), std::istream_iterator<std::string>()};
}

}  // namespace lavoisier::cli
