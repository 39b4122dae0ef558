#ifndef LAVOISIER_PLUGIN_RUN_WORK_HPP
#define LAVOISIER_PLUGIN_RUN_WORK_HPP

// One run, checked: what an engine computes and where its results go.

#include "law_passes.hpp"
#include "program.hpp"

#include <cstdint>
#include <vector>

namespace lavoisier::detail {

/// A field bound to a variable. Element (c, e) at data[shift(c, block_columns) + e * element_stride].
struct BoundField {
  void* data = nullptr;
  bool f32 = false;
  bool on_device = false;
  std::int64_t elements = 1;
  std::int64_t offset = 0;  ///< of the variable's first element in the flat vector of its role
  std::int64_t column_stride = 1;
  std::int64_t element_stride = 1;
  std::int64_t block_stride = 0;
  std::int64_t shift(std::int64_t column, std::int64_t block_columns) const noexcept {
    if (block_columns == 0) return column * column_stride;
    return column / block_columns * block_stride + column % block_columns * column_stride;
  }
};

/// Status of one slot as stored by an engine: the numbers of lavoisier::Status.
using SlotStatus = std::uint8_t;

/// A run's part in global laws.
struct GlobalWork {
  std::int32_t rows = 0;
  const double* coefficients = nullptr;
  std::int64_t column_stride = 0, row_stride = 0, element_stride = 1;
  const double* weights = nullptr;
  const double* multipliers = nullptr;  ///< lambda; null: the first phase
  double* quantities = nullptr;         ///< results, [quantity][slot] with RunWork::capacity slots a quantity
};

struct RunWork {
  const BoundField* inputs = nullptr;
  std::size_t input_count = 0;
  const BoundField* outputs = nullptr;
  std::size_t output_count = 0;
  const std::int64_t* columns = nullptr;  ///< slot -> column of the fields
  std::int64_t count = 0;                 ///< slots
  std::int64_t block_columns = 0;         ///< 0: no blocks
  const std::uint64_t* column_ids = nullptr;
  std::uint64_t first_column_id = 0;
  const std::uint64_t* step_ids = nullptr;
  std::uint64_t step = 0;
  std::uint64_t member = 0;
  std::uint64_t seed = 0, stream = 0;
  bool draw = true;  ///< false: the conditional mean
  const GlobalWork* global = nullptr;

  // Results, one a slot; residuals [law][slot] with `capacity` slots a law.
  SlotStatus* status = nullptr;
  double* residual = nullptr;
  double* relative = nullptr;
  std::int64_t capacity = 0;
};

/// Relative residual beyond which a law that follows from others contradicts them; 0: the model enforces no laws, or
/// none follows.
inline double contradiction_tolerance(const Program& program, const RunWork& work) noexcept {
  if (!program.enforces || program.laws.dependent.empty()) return 0.0;
  for (std::size_t f = 0; f < work.output_count; ++f)
    if (work.outputs[f].f32) return contradiction_fp32;
  return contradiction_fp64;
}

/// Computes on a device (device_engine.hpp).
class Engine {
 public:
  virtual ~Engine() = default;
  virtual void run(const RunWork& work) = 0;
  virtual std::string instruction_set() const = 0;
};

}  // namespace lavoisier::detail

#endif
