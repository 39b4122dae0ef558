#ifndef LAVOISIER_APPS_EVALUATION_PIECES_HPP
#define LAVOISIER_APPS_EVALUATION_PIECES_HPP

// What evaluate() goes through: pieces of the reference, where their cells lie on maps, which score an element counts in.

#include "artefact.hpp"
#include "evaluation.hpp"
#include "global_statistics.hpp"

#include <lavoisier/domain.hpp>

#include <cmath>
#include <cstdint>
#include <limits>
#include <optional>
#include <vector>

namespace lavoisier::cli {

inline constexpr std::size_t map_limit = 360;  // finer grids are averaged for maps

/// Sums over the cells of a map's pixel.
struct MapSum {
  std::vector<double> sum, weight;
  explicit MapSum(std::size_t pixels = 0) : sum(pixels, 0.0), weight(pixels, 0.0) {}
  void add(std::size_t pixel, double value) {
    sum[pixel] += value;
    weight[pixel] += 1.0;
  }
  Map map(std::size_t rows, std::size_t columns, bool root = false) const {
    Map result{rows, columns, std::vector<double>(sum.size(), std::numeric_limits<double>::quiet_NaN())};
    for (std::size_t i = 0; i < sum.size(); ++i) {
      if (weight[i] > 0.0) result.values[i] = root ? std::sqrt(sum[i] / weight[i]) : sum[i] / weight[i];
    }
    return result;
  }
};

/// From cells to pixels and rows of maps.
struct Pixels {
  std::size_t rows = 1, columns = 1;
  std::vector<double> row_values, column_values;
  int row_axis = -1, column_axis = -1;
  const Grid* grid = nullptr;

  Pixels(const Grid& grid, const Domain& domain);
  std::size_t size(int axis, std::vector<double>& values) const;
  std::size_t place(int axis, std::size_t n, const std::vector<std::int64_t>& index) const {
    if (axis < 0) return 0;
    const auto a = static_cast<std::size_t>(axis);
    return static_cast<std::size_t>(index[a]) * n / grid->axes()[a].values.size();
  }
  std::size_t row(const std::vector<std::int64_t>& index) const { return place(row_axis, rows, index); }
  std::size_t pixel(const std::vector<std::int64_t>& index) const {
    return row(index) * columns + place(column_axis, columns, index);
  }
};

/// The reference (or the inputs alone) of one piece: the cells that count, packed.
struct Piece {
  std::vector<std::int64_t> cells;
  std::vector<double> inputs, outputs, weights;
  std::vector<std::uint64_t> column, step;
  // For laws over all columns: whatever has inputs, and what the reference makes of it.
  Columns columns;
  std::vector<double> coefficients, column_outputs;
  std::vector<std::uint8_t> masked;  ///< cells x output elements; empty: none is
  bool is_masked(std::size_t element) const { return !masked.empty() && masked[element] != 0; }
};

/// `ni`, `no`: inputs and outputs of a cell (no outputs where there is no reference).
Piece read_piece(const SampleReader& reader, const Grid& grid, std::int64_t first, std::int64_t count, std::size_t ni,
                 std::size_t no, const std::optional<Subset>& subset, const GlobalProblem& global);

/// Which score each output element counts in: its own; of graphs one for all nodes, as the n-th node of one graph has nothing
/// to do with that of another.
struct Slots {
  std::vector<std::size_t> of_element, variable;  ///< variable: of each slot, by its number among the outputs
  explicit Slots(const Domain& domain) {
    const std::vector<Variable> outputs = domain.layout.with_role(Role::output);
    for (std::size_t v = 0; v < outputs.size(); ++v)
      for (std::int64_t e = 0; e < domain.layout.elements(outputs[v]); ++e) {
        if (e == 0 || !domain.graphs) variable.push_back(v);
        of_element.push_back(variable.size() - 1);
      }
  }
  std::size_t count() const { return variable.size(); }
  /// The output, by its number, that an element belongs to.
  std::size_t variable_of(std::size_t element) const { return variable[of_element[element]]; }
};

/// What the reference is like, one entry a slot: needed before scores are taken.
struct ReferenceMoments {
  std::vector<double> mean, deviation, low, high;
};

/// The laws over all columns that a candidate's files say they obey.
std::vector<std::string> enforced_laws(const Candidate& candidate);

}  // namespace lavoisier::cli

#endif
