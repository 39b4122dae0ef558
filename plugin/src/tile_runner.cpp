#include "tile_runner.hpp"

#include "floating_point_environment.hpp"
#include "tile.hpp"

#include <algorithm>

namespace lavoisier::detail {
void Tile::shifts(const BoundField& field, std::int64_t* shift_of) const noexcept {
  for (std::int64_t c = 0; c < count; ++c) shift_of[c] = field.shift(work.columns[first + c], work.block_columns);
}

void Tile::gather() noexcept {
  double* x = value<double>(0);
  std::int64_t shift_of[tile_columns];
  for (std::int64_t c = 0; c < tile_columns; ++c) status[c] = 0;
  for (std::size_t f = 0; f < work.input_count; ++f) {
    const BoundField& field = work.inputs[f];
    shifts(field, shift_of);
    for (std::int64_t e = 0; e < field.elements; ++e) {
      const std::int64_t element = field.offset + e;
      double* row = x + element * stride;
      const std::int64_t shift = e * field.element_stride;
      if (field.f32) {
        const float* data = static_cast<const float*>(field.data) + shift;
        for (std::int64_t c = 0; c < count; ++c)
          row[c] = static_cast<double>(data[shift_of[c]]);
      } else {
        const double* data = static_cast<const double*>(field.data) + shift;
        for (std::int64_t c = 0; c < count; ++c) row[c] = data[shift_of[c]];
      }
      const double minimum = program.minimum[static_cast<std::size_t>(element)];
      const double maximum = program.maximum[static_cast<std::size_t>(element)];
      for (std::int64_t c = 0; c < count; ++c) {
        // A column that is not a number computes with one, and is not stored.
        if (!finite(row[c])) {
          status[c] = static_cast<SlotStatus>(Status::non_finite);
          row[c] = minimum;
        } else if ((row[c] < minimum || row[c] > maximum) && status[c] == 0) {
          status[c] = static_cast<SlotStatus>(Status::out_of_range);
        }
      }
      for (std::int64_t c = count; c < stride; ++c) row[c] = minimum;
    }
  }
}

/// The laws of the tile's columns: right-hand sides, and coefficients where they vary.
void Tile::evaluate_laws() noexcept {
  const LawSystem& laws = program.laws;
  const ScalarProgram& scalar = laws.scalars;
  double* results = at<double>(layout.scalars);
  const double* x = value<double>(0);
  const auto where = [&](const ScalarOperand& operand, const double*& pointer, std::int64_t& step) noexcept {
    switch (operand.kind) {
      case ScalarOperand::Kind::number:
        pointer = &operand.number;
        step = 0;
        break;
      case ScalarOperand::Kind::input:
        pointer = x + operand.index * stride;
        step = 1;
        break;
      case ScalarOperand::Kind::result:
        pointer = results + operand.index * stride;
        step = 1;
        break;
    }
  };
  for (std::size_t i = 0; i < scalar.operations.size(); ++i) {
    const ScalarOperation& operation = scalar.operations[i];
    ScalarArguments a{};
    a.code = static_cast<std::int32_t>(operation.code);
    where(operation.left, a.left, a.left_step);
    where(operation.right, a.right, a.right_step);
    a.result = results + static_cast<std::int64_t>(i) * stride;
    a.stride = stride;
    kernels.scalar(a);
  }
  const auto tabulate = [&](const std::vector<ScalarOperand>& operands, std::size_t table) noexcept {
    for (std::size_t i = 0; i < operands.size(); ++i) {
      const double* pointer = nullptr;
      std::int64_t step = 0;
      where(operands[i], pointer, step);
      double* row = at<double>(table) + static_cast<std::int64_t>(i) * stride;
      for (std::int64_t c = 0; c < stride; ++c) row[c] = pointer[c * step];
    }
  };
  tabulate(laws.right_hand_side, layout.right_hand_side);
  tabulate(laws.row_operand, layout.row_values);
  tabulate(laws.term_operand, layout.term_values);
}

/// Rounds to what the host stores, and sees that it is finite.
void Tile::round() noexcept {
  const double* y = value<double>(program.result);
  double* stored = at<double>(layout.stored);
  for (std::size_t f = 0; f < work.output_count; ++f) {
    const BoundField& field = work.outputs[f];
    const double* from = y + field.offset * stride;
    double* to = stored + field.offset * stride;
    const std::int64_t size = field.elements * stride;
    if (field.f32)
      for (std::int64_t j = 0; j < size; ++j) to[j] = static_cast<double>(static_cast<float>(from[j]));
    else
      for (std::int64_t j = 0; j < size; ++j) to[j] = from[j];
  }
  for (std::int64_t i = 0; i < program.output_elements; ++i)
    for (std::int64_t c = 0; c < count; ++c)
      if (!finite(stored[i * stride + c])) status[c] = static_cast<SlotStatus>(Status::non_finite);
}

void Tile::scatter() noexcept {
  std::int64_t shift_of[tile_columns];
  const double* stored = at<double>(layout.stored);
  for (std::size_t f = 0; f < work.output_count; ++f) {
    const BoundField& field = work.outputs[f];
    shifts(field, shift_of);
    for (std::int64_t e = 0; e < field.elements; ++e) {
      const double* row = stored + (field.offset + e) * stride;
      const std::int64_t shift = e * field.element_stride;
      for (std::int64_t c = 0; c < count; ++c) {
        if (!written(c)) continue;
        const std::int64_t at = shift + shift_of[c];
        if (field.f32)
          static_cast<float*>(field.data)[at] = static_cast<float>(row[c]);
        else
          static_cast<double*>(field.data)[at] = row[c];
      }
    }
  }
}

ClosureArguments Tile::residuals_of(const double* y) const noexcept {
  const LawSystem& laws = program.laws;
  ClosureArguments a{};
  a.y = y;
  a.right_hand_side = at<double>(layout.right_hand_side);
  a.laws = laws.count();
  a.term_begin = laws.term_begin.data();
  a.term_element = laws.term_element.data();
  a.term_coefficient = laws.term_coefficient.data();
  if (laws.varies) a.term_values = at<double>(layout.term_values);
  a.residual = at<double>(layout.residual);
  a.relative = at<double>(layout.relative);
  a.stride = stride;
  return a;
}

/// Residuals of the stored values. A column where a law cannot be told (a right-hand side or a term that is no finite
/// number, which a law that follows from others may have although every output is finite) is not stored either.
void Tile::close() noexcept {
  const ClosureArguments a = residuals_of(at<double>(layout.stored));
  kernels.closure(a);
  for (std::int32_t l = 0; l < a.laws; ++l)
    for (std::int64_t c = 0; c < count; ++c) {
      work.residual[l * work.capacity + first + c] = a.residual[l * stride + c];
      work.relative[l * work.capacity + first + c] = a.relative[l * stride + c];
      if (!finite(a.relative[l * stride + c])) status[c] = static_cast<SlotStatus>(Status::non_finite);
    }
  // A law that follows from the others where that was decided, and does not here.
  if (const double tolerance = contradiction_tolerance(program, work); tolerance > 0.0)
    for (const std::int32_t l : program.laws.dependent)
      for (std::int64_t c = 0; c < count; ++c)
        if (!(a.relative[l * stride + c] <= tolerance)) flag(c, static_cast<SlotStatus>(Status::inconsistent_laws));
  for (std::int64_t c = 0; c < count; ++c) work.status[first + c] = status[c];
}

TileLayout::TileLayout(const Program& program, std::int64_t laws_over_all) {
  std::size_t end = program.arena_bytes;
  const auto doubles = [&](std::int64_t rows) {
    const std::size_t begin = end;
    const std::size_t raw = static_cast<std::size_t>(rows * tile_columns) * sizeof(double);
    end += (raw + cache_line - 1) / cache_line * cache_line;
    return begin;
  };
  const std::int64_t n = program.output_elements, m = program.laws.rows(), laws = program.laws.count();
  std::int64_t noise = 0;
  std::int64_t longest = 0;
  for (const auto& operation : program.operations) {
    if (operation.kind == OperationKind::normal_noise || operation.loop >= 0) noise = std::max(noise, operation.n);
    if (operation.loop >= 0) longest = std::max(longest, operation.n);
  }
  right_hand_side = doubles(laws);
  scalars = doubles(static_cast<std::int64_t>(program.laws.scalars.operations.size()));
  row_values = doubles(static_cast<std::int64_t>(program.laws.row_operand.size()));
  term_values = doubles(static_cast<std::int64_t>(program.laws.term_operand.size()));
  variance = doubles(n);
  factor = doubles(m * (m + 1) / 2);
  suspect = doubles(1);
  residual = doubles(laws);  // rows <= laws
  skipped = doubles(m);
  uniform = doubles(noise);
  stored = doubles(n);
  relative = doubles(laws);
  state = doubles(longest);
  estimate = doubles(longest);
  step_noise = doubles(longest);
  shift = doubles(longest);
  global_rows = doubles(laws_over_all * n);
  global_directions = doubles(laws_over_all * n);
  const bool projects = program.laws.varies && !program.loops.empty();
  zeros = doubles(laws_over_all > 0 || projects ? laws : 0);
  if (projects) {
    standard_rows = doubles(static_cast<std::int64_t>(program.laws.row_operand.size()));
    standard_targets = doubles(laws);
    standard_variance = doubles(n);
    standard_factor = doubles(m * (m + 1) / 2);
    standard_skipped = doubles(m);
  }
  bytes = end;
}

void run_tile(const Program& program, const TileLayout& layout, const TileKernels& kernels, const RunWork& work,
              std::int64_t first, std::int64_t count, std::byte* arena) noexcept {
  const DefaultFloatingPoint environment;
  Tile tile{program, layout, kernels, work, first, count, stride_for(count), arena, {}};
  tile.gather();
  tile.evaluate_laws();
  tile.run(program.operations);
  const GlobalWork* global = work.global;
  if (global != nullptr) tile.global_directions();
  tile.round();
  if (global != nullptr && global->multipliers == nullptr) {
    tile.global_sums(0, global->rows);
    tile.global_covariances();
  } else if (global != nullptr) {
    tile.global_sums(0, -1);
    tile.global_correct();
    tile.round();
    tile.global_sums(global->rows, 2 * global->rows);
  }
  tile.close();
  tile.scatter();
}

}  // namespace lavoisier::detail
