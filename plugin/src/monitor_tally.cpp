#include "monitor_tally.hpp"

#include "floating_point_environment.hpp"
#include "tile.hpp"

#include <algorithm>
#include <cmath>

namespace lavoisier::detail {
namespace {

/// The columns of a tile that are counted.
struct Counted {
  bool column[tile_columns];
  std::uint64_t id[tile_columns];
};

void gather_outputs(const Tile& tile, const BoundField* fields, std::size_t count, double* y) noexcept {
  std::int64_t shift_of[tile_columns];
  for (std::size_t f = 0; f < count; ++f) {
    const BoundField& field = fields[f];
    tile.shifts(field, shift_of);
    for (std::int64_t e = 0; e < field.elements; ++e) {
      double* row = y + (field.offset + e) * tile.stride;
      const std::int64_t shift = e * field.element_stride;
      if (field.f32)
        for (std::int64_t c = 0; c < tile.count; ++c)
          row[c] = static_cast<double>(static_cast<const float*>(field.data)[shift + shift_of[c]]);
      else
        for (std::int64_t c = 0; c < tile.count; ++c)
          row[c] = static_cast<const double*>(field.data)[shift + shift_of[c]];
      for (std::int64_t c = tile.count; c < tile.stride; ++c) row[c] = 0.0;
    }
  }
}

void add_laws(const Tile& tile, const double* y, const Counted& counted, std::vector<LawTally>& laws) noexcept {
  const ClosureArguments a = tile.residuals_of(y);
  tile.kernels.closure(a);
  for (std::size_t l = 0; l < laws.size(); ++l) {
    LawTally& law = laws[l];
    const std::int64_t row = static_cast<std::int64_t>(l) * tile.stride;
    std::int64_t worst = -1;
    for (std::int64_t c = 0; c < tile.count; ++c) {
      if (!counted.column[c]) continue;
      const double residual = a.residual[row + c], relative = a.relative[row + c];
      if (!finite(relative)) {
        ++law.non_finite;
        continue;
      }
      ++law.columns;
      law.max_absolute = std::max(law.max_absolute, std::abs(residual));
      law.squares.add(residual * residual);
      if (!law.is_worse(relative, counted.id[c])) continue;
      law.max_relative = relative;
      law.worst_id = counted.id[c];
      law.worst_column = tile.work.columns[tile.first + c];
      worst = c;
    }
    if (worst < 0) continue;
    law.right_hand_side = a.right_hand_side[row + worst];
    const std::int32_t begin = a.term_begin[l];
    for (std::size_t t = 0; t < law.value.size(); ++t) {
      const std::int64_t term = begin + static_cast<std::int64_t>(t);
      law.coefficient[t] =
          a.term_values != nullptr ? a.term_values[term * tile.stride + worst] : a.term_coefficient[term];
      law.value[t] = y[a.term_element[term] * tile.stride + worst];
    }
  }
}

/// Which laws have a term that is stored as float.
void note_floats(const Program& program, const BoundField* fields, std::size_t count,
                 std::vector<LawTally>& laws) noexcept {
  const auto &begin = program.laws.term_begin, &element = program.laws.term_element;
  for (std::size_t f = 0; f < count; ++f) {
    if (!fields[f].f32) continue;
    for (std::size_t l = 0; l < laws.size(); ++l)
      for (std::int32_t t = begin[l]; t < begin[l + 1] && !laws[l].floats; ++t) {
        const std::int32_t e = element[static_cast<std::size_t>(t)];
        laws[l].floats = e >= fields[f].offset && e < fields[f].offset + fields[f].elements;
      }
  }
}

void add_skill(const Tile& tile, const ProgramVariable& variable, const double* y, const double* original,
               const Counted& counted, SkillTally& to) noexcept {
  const double *m = y + variable.offset * tile.stride, *o = original + variable.offset * tile.stride;
  bool usable[tile_columns];
  for (std::int64_t c = 0; c < tile.count; ++c) {
    usable[c] = counted.column[c];
    for (std::int64_t e = 0; e < variable.elements && usable[c]; ++e)
      usable[c] = finite(m[e * tile.stride + c]) && finite(o[e * tile.stride + c]);
    to.columns += usable[c];
    to.non_finite += counted.column[c] && !usable[c];
  }
  for (std::int64_t e = 0; e < variable.elements; ++e)
    for (std::int64_t c = 0; c < tile.count; ++c) {
      if (!usable[c]) continue;
      const double x = m[e * tile.stride + c], own = o[e * tile.stride + c], error = x - own;
      to.emulated[static_cast<std::size_t>(e)].add(x);
      to.original[static_cast<std::size_t>(e)].add(own);
      to.error.add(error);
      to.absolute_error.add(std::abs(error));
      to.squared_error.add(error * error);
      to.emulated_squares.add(x * x);
      to.original_squares.add(own * own);
      to.products.add(x * own);
    }
}

Counted count_columns(const Tile& tile, const Status* status, StepTally& to) noexcept {
  Counted counted;
  for (std::int64_t c = 0; c < tile.count; ++c) {
    const std::int64_t column = tile.work.columns[tile.first + c];
    const Status said = status != nullptr ? status[column] : Status::ok;
    counted.column[c] = tile.written(c) && (said == Status::ok || said == Status::out_of_range);
    counted.id[c] = tile.work.column_ids != nullptr ? tile.work.column_ids[column]
                                                    : tile.work.first_column_id + static_cast<std::uint64_t>(column);
    to.columns += counted.column[c];
    to.left_out += !counted.column[c];
    to.out_of_range += counted.column[c] && tile.status[c] == static_cast<SlotStatus>(Status::out_of_range);
  }
  return counted;
}

}  // namespace

void LawTally::clear() noexcept {
  columns = non_finite = 0;
  floats = false;
  max_absolute = max_relative = right_hand_side = 0.0;
  squares.clear();
  worst_column = -1;
  worst_id = 0;
}

void LawTally::add(const LawTally& other) noexcept {
  columns += other.columns;
  non_finite += other.non_finite;
  floats = floats || other.floats;
  max_absolute = std::max(max_absolute, other.max_absolute);
  squares.add(other.squares);
  if (other.worst_column < 0 || !is_worse(other.max_relative, other.worst_id)) return;
  worst_column = other.worst_column;
  worst_id = other.worst_id;
  max_relative = other.max_relative;
  right_hand_side = other.right_hand_side;
  std::copy(other.coefficient.begin(), other.coefficient.end(), coefficient.begin());
  std::copy(other.value.begin(), other.value.end(), value.begin());
}

void SkillTally::clear() noexcept {
  columns = non_finite = 0;
  for (auto* sums : {&emulated, &original})
    for (auto& sum : *sums) sum.clear();
  for (auto* sum : {&error, &absolute_error, &squared_error, &emulated_squares, &original_squares, &products})
    sum->clear();
}

void SkillTally::add(const SkillTally& other) noexcept {
  columns += other.columns;
  non_finite += other.non_finite;
  for (std::size_t e = 0; e < emulated.size(); ++e) {
    emulated[e].add(other.emulated[e]);
    original[e].add(other.original[e]);
  }
  error.add(other.error);
  absolute_error.add(other.absolute_error);
  squared_error.add(other.squared_error);
  emulated_squares.add(other.emulated_squares);
  original_squares.add(other.original_squares);
  products.add(other.products);
}

StepTally::StepTally(const Program& program) {
  const auto& begin = program.laws.term_begin;
  for (std::size_t l = 0; l + 1 < begin.size(); ++l)
    emulated.emplace_back(static_cast<std::size_t>(begin[l + 1] - begin[l]));
  original = emulated;
  for (const auto& variable : program.outputs) skill.emplace_back(static_cast<std::size_t>(variable.elements));
}

void StepTally::clear() noexcept {
  columns = out_of_range = left_out = 0;
  for (auto* laws : {&emulated, &original})
    for (auto& law : *laws) law.clear();
  for (auto& variable : skill) variable.clear();
}

void StepTally::add(const StepTally& other) noexcept {
  columns += other.columns;
  out_of_range += other.out_of_range;
  left_out += other.left_out;
  for (std::size_t l = 0; l < emulated.size(); ++l) {
    emulated[l].add(other.emulated[l]);
    original[l].add(other.original[l]);
  }
  for (std::size_t v = 0; v < skill.size(); ++v) skill[v].add(other.skill[v]);
}

void tally(const Program& program, const TileLayout& layout, const TileKernels& kernels, const RunWork& work,
           const std::vector<BoundField>* original, const Status* status, std::byte* arena, double* second,
           StepTally& to) noexcept {
  const DefaultFloatingPoint environment;
  note_floats(program, work.outputs, work.output_count, to.emulated);
  if (original != nullptr) note_floats(program, original->data(), original->size(), to.original);
  for (std::int64_t first = 0; first < work.count; first += tile_columns) {
    const std::int64_t count = std::min(tile_columns, work.count - first);
    Tile tile{program, layout, kernels, work, first, count, stride_for(count), arena, {}};
    tile.gather();
    tile.evaluate_laws();
    const Counted counted = count_columns(tile, status, to);
    double* y = tile.at<double>(layout.stored);
    gather_outputs(tile, work.outputs, work.output_count, y);
    add_laws(tile, y, counted, to.emulated);
    if (original == nullptr) continue;
    gather_outputs(tile, original->data(), original->size(), second);
    add_laws(tile, second, counted, to.original);
    for (std::size_t v = 0; v < program.outputs.size(); ++v)
      add_skill(tile, program.outputs[v], y, second, counted, to.skill[v]);
  }
}

}  // namespace lavoisier::detail
