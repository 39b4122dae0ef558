#include "tile_runner.hpp"

#include "floating_point_environment.hpp"

#include <lavoisier/random.hpp>
#include <lavoisier/status.hpp>
#include <lavoisier/tolerances.hpp>

#include <cstring>

namespace lavoisier::detail {
namespace {

bool finite(double x) noexcept {
  std::uint64_t bits;
  std::memcpy(&bits, &x, sizeof bits);
  return (bits & 0x7ff0000000000000u) != 0x7ff0000000000000u;
}

/// Columns of a tile in memory: exactly as many as there are up to 8, so that vectors run over outputs; else whole
/// vectors of columns.
std::int64_t stride_for(std::int64_t count) noexcept { return count <= 8 ? count : count <= 16 ? 16 : tile_columns; }

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

  void gather() noexcept {
    double* x = value<double>(0);
    for (std::int64_t c = 0; c < tile_columns; ++c) status[c] = 0;
    for (std::size_t f = 0; f < work.input_count; ++f) {
      const BoundField& field = work.inputs[f];
      for (std::int64_t e = 0; e < field.elements; ++e) {
        const std::int64_t element = field.offset + e;
        double* row = x + element * stride;
        const std::int64_t shift = e * field.element_stride;
        if (field.f32) {
          const float* data = static_cast<const float*>(field.data) + shift;
          for (std::int64_t c = 0; c < count; ++c)
            row[c] = static_cast<double>(data[work.columns[first + c] * field.column_stride]);
        } else {
          const double* data = static_cast<const double*>(field.data) + shift;
          for (std::int64_t c = 0; c < count; ++c) row[c] = data[work.columns[first + c] * field.column_stride];
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

  void noise(const Operation& operation) noexcept {
    double* e = value<double>(operation.output[0]);
    const std::int64_t size = operation.n * stride;
    if (!work.draw) {
      for (std::int64_t j = 0; j < size; ++j) e[j] = 0.0;
      return;
    }
    double* second = at<double>(layout.uniform);
    const random::Key key{work.seed, work.stream};
    for (std::int64_t c = 0; c < stride; ++c) {
      random::Address address;
      address.member = work.member;
      address.site = operation.site;
      if (c < count) {
        const std::int64_t column = work.columns[first + c];
        address.column = work.column_ids ? work.column_ids[column]
                                         : work.first_column_id + static_cast<std::uint64_t>(column);
        address.step = work.step_ids ? work.step_ids[column] : work.step;
      }
      for (std::int64_t i = 0; i < operation.n; ++i) {
        if (c >= count) {
          e[i * stride + c] = 1.0;
          second[i * stride + c] = 0.0;
          continue;
        }
        address.element = static_cast<std::uint64_t>(i);
        const auto words = random::words(key, address);
        e[i * stride + c] = random::uniform_open_left(words[0]);
        second[i * stride + c] = random::uniform_open_right(words[1]);
      }
    }
    kernels.box_muller(e, second, size);
  }

  void right_hand_sides() noexcept {
    const ScalarProgram& scalar = program.laws.right_hand_side;
    double* results = at<double>(layout.scalars);
    double* d = at<double>(layout.right_hand_side);
    const double* x = value<double>(0);
    const auto where = [&](const ScalarOperand& operand, const double*& pointer, std::int64_t& step) noexcept {
      switch (operand.kind) {
        case ScalarOperand::Kind::number: pointer = &operand.number; step = 0; break;
        case ScalarOperand::Kind::input: pointer = x + operand.index * stride; step = 1; break;
        case ScalarOperand::Kind::result: pointer = results + operand.index * stride; step = 1; break;
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
    for (std::size_t l = 0; l < scalar.results.size(); ++l) {
      const double* pointer = nullptr;
      std::int64_t step = 0;
      where(scalar.results[l], pointer, step);
      double* row = d + static_cast<std::int64_t>(l) * stride;
      for (std::int64_t c = 0; c < stride; ++c) row[c] = pointer[c * step];
    }
  }

  void constrain(const Operation& operation) noexcept {
    const LawSystem& laws = program.laws;
    ConstrainArguments a{};
    a.z = value<double>(operation.input[0]);
    a.deviation = value<double>(operation.input[1]);
    a.squared_scale = operation.fixed_metric ? operation.first.data() : nullptr;
    a.y = value<double>(operation.output[0]);
    a.right_hand_side = at<double>(layout.right_hand_side);
    a.n = static_cast<std::int32_t>(operation.n);
    a.m = laws.rows();
    a.row_law = laws.row_law.data();
    a.row_begin = laws.row_begin.data();
    a.row_element = laws.row_element.data();
    a.row_coefficient = laws.row_coefficient.data();
    a.column_begin = laws.column_begin.data();
    a.column_row = laws.column_row.data();
    a.column_coefficient = laws.column_coefficient.data();
    a.pair_begin = laws.pair_begin.data();
    a.pair_element = laws.pair_element.data();
    a.pair_product = laws.pair_product.data();
    a.variance = at<double>(layout.variance);
    a.factor = at<double>(layout.factor);
    a.residual = at<double>(layout.residual);
    a.skipped = at<double>(layout.skipped);
    std::uint8_t deficient[tile_columns] = {};
    a.deficient = deficient;
    a.tolerance = tolerances::identity::relative_fp64;
    a.stride = stride;
    kernels.constrain(a);
    for (std::int64_t c = 0; c < count; ++c)
      if (deficient[c] && status[c] != static_cast<SlotStatus>(Status::non_finite))
        status[c] = static_cast<SlotStatus>(Status::rank_deficient);
  }

  void graph() noexcept {
    for (const Operation& operation : program.operations) {
      switch (operation.kind) {
        case OperationKind::standardize:
          kernels.standardize(value<double>(operation.input[0]), operation.first.data(), operation.second.data(),
                              value<float>(operation.output[0]), operation.n, stride);
          break;
        case OperationKind::dense: {
          const DenseArguments a{operation.weight.data(),
                                 operation.bias.data(),
                                 value<float>(operation.input[0]),
                                 value<float>(operation.output[0]),
                                 operation.k,
                                 operation.n,
                                 stride};
          kernels.dense(a);
          break;
        }
        case OperationKind::silu:
          kernels.silu(value<float>(operation.input[0]), value<float>(operation.output[0]), operation.n * stride);
          break;
        case OperationKind::add:
          kernels.add(value<float>(operation.input[0]), value<float>(operation.input[1]),
                      value<float>(operation.output[0]), operation.n * stride);
          break;
        case OperationKind::layer_norm: {
          const LayerNormArguments a{operation.weight.data(),
                                     operation.bias.data(),
                                     value<float>(operation.input[0]),
                                     value<float>(operation.output[0]),
                                     operation.number,
                                     operation.n,
                                     stride};
          kernels.layer_norm(a);
          break;
        }
        case OperationKind::gaussian_head: {
          const HeadArguments a{value<float>(operation.input[0]),
                                operation.first.data(),
                                operation.second.data(),
                                operation.number,
                                operation.exponential,
                                value<double>(operation.output[0]),
                                value<double>(operation.output[1]),
                                operation.n,
                                stride};
          kernels.gaussian_head(a);
          break;
        }
        case OperationKind::normal_noise: noise(operation); break;
        case OperationKind::gaussian_draw:
          kernels.gaussian_draw(value<double>(operation.input[0]), value<double>(operation.input[1]),
                                value<double>(operation.input[2]), value<double>(operation.output[0]),
                                operation.n * stride);
          break;
        case OperationKind::constrain: constrain(operation); break;
        case OperationKind::identity:
          std::memcpy(value<double>(operation.output[0]), value<double>(operation.input[0]),
                      static_cast<std::size_t>(operation.n * stride) * sizeof(double));
          break;
      }
    }
  }

  /// Rounds to what the host stores, and sees that it is finite.
  void round() noexcept {
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

  bool written(std::int64_t c) const noexcept {
    return status[c] == 0 || status[c] == static_cast<SlotStatus>(Status::out_of_range);
  }

  void scatter() noexcept {
    const double* stored = at<double>(layout.stored);
    for (std::size_t f = 0; f < work.output_count; ++f) {
      const BoundField& field = work.outputs[f];
      for (std::int64_t e = 0; e < field.elements; ++e) {
        const double* row = stored + (field.offset + e) * stride;
        const std::int64_t shift = e * field.element_stride;
        for (std::int64_t c = 0; c < count; ++c) {
          if (!written(c)) continue;
          const std::int64_t at = shift + work.columns[first + c] * field.column_stride;
          if (field.f32)
            static_cast<float*>(field.data)[at] = static_cast<float>(row[c]);
          else
            static_cast<double*>(field.data)[at] = row[c];
        }
      }
    }
  }

  /// Residuals of the stored values. A column where a law cannot be told (a right-hand side or a term that is no finite
  /// number, which a law that follows from others may have although every output is finite) is not stored either.
  void close() noexcept {
    const LawSystem& laws = program.laws;
    ClosureArguments a{};
    a.y = at<double>(layout.stored);
    a.right_hand_side = at<double>(layout.right_hand_side);
    a.laws = laws.count();
    a.term_begin = laws.term_begin.data();
    a.term_element = laws.term_element.data();
    a.term_coefficient = laws.term_coefficient.data();
    a.residual = at<double>(layout.residual);
    a.relative = at<double>(layout.relative);
    a.stride = stride;
    kernels.closure(a);
    for (std::int32_t l = 0; l < a.laws; ++l)
      for (std::int64_t c = 0; c < count; ++c) {
        work.residual[l * work.capacity + first + c] = a.residual[l * stride + c];
        work.relative[l * work.capacity + first + c] = a.relative[l * stride + c];
        if (!finite(a.relative[l * stride + c])) status[c] = static_cast<SlotStatus>(Status::non_finite);
      }
    for (std::int64_t c = 0; c < count; ++c) work.status[first + c] = status[c];
  }
};

}  // namespace

TileLayout::TileLayout(const Program& program) {
  std::size_t end = program.arena_bytes;
  const auto doubles = [&](std::int64_t rows) {
    const std::size_t begin = end;
    const std::size_t raw = static_cast<std::size_t>(rows * tile_columns) * sizeof(double);
    end += (raw + cache_line - 1) / cache_line * cache_line;
    return begin;
  };
  const std::int64_t n = program.output_elements, m = program.laws.rows(), laws = program.laws.count();
  std::int64_t noise = 0;
  for (const auto& operation : program.operations)
    if (operation.kind == OperationKind::normal_noise && operation.n > noise) noise = operation.n;
  right_hand_side = doubles(laws);
  scalars = doubles(static_cast<std::int64_t>(program.laws.right_hand_side.operations.size()));
  variance = doubles(n);
  factor = doubles(m * (m + 1) / 2);
  residual = doubles(laws);  // rows <= laws
  skipped = doubles(m);
  uniform = doubles(noise);
  stored = doubles(n);
  relative = doubles(laws);
  bytes = end;
}

void run_tile(const Program& program, const TileLayout& layout, const TileKernels& kernels, const RunWork& work,
              std::int64_t first, std::int64_t count, std::byte* arena) noexcept {
  const DefaultFloatingPoint environment;
  Tile tile{program, layout, kernels, work, first, count, stride_for(count), arena, {}};
  tile.gather();
  tile.right_hand_sides();
  tile.graph();
  tile.round();
  tile.close();
  tile.scatter();
}

}  // namespace lavoisier::detail
