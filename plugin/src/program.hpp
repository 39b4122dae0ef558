#ifndef LAVOISIER_PLUGIN_PROGRAM_HPP
#define LAVOISIER_PLUGIN_PROGRAM_HPP

// A model file's graph and laws, checked and laid out for the kernels. No Kokkos here: every backend runs the same
// program.

#include "aligned_buffer.hpp"
#include "law_system.hpp"

#include <lavoisier/model_file.hpp>

#include <array>
#include <cstdint>
#include <string>
#include <vector>

namespace lavoisier::detail {

/// Weights are packed in panels of this many outputs: packed[(panel * inputs + k) * panel_width + j], zeros behind the
/// last output.
inline constexpr std::int64_t panel_width = 16;

/// Columns that one tile holds. A tile goes through the whole graph in one thread's cache; every value of a tile is
/// stored as value[element * stride + column].
inline constexpr std::int64_t tile_columns = 32;

enum class OperationKind {
  standardize,
  dense,
  silu,
  add,
  layer_norm,
  gaussian_head,
  normal_noise,
  gaussian_draw,
  constrain,
  identity
};

/// A vector of `length` numbers a column, FP64 or FP32. `slot`: byte offset in a tile's arena, multiple of a cache line.
struct Value {
  std::string name;
  bool f64 = false;
  std::int64_t length = 0;
  std::size_t slot = 0;
  std::size_t bytes_a_column() const noexcept { return static_cast<std::size_t>(length) * (f64 ? 8 : 4); }
};

struct Operation {
  OperationKind kind = OperationKind::identity;
  std::array<int, 3> input{-1, -1, -1};  ///< indices into Program::values
  std::array<int, 2> output{-1, -1};
  std::int64_t k = 0;                    ///< length of the input (dense)
  std::int64_t n = 0;                    ///< length of the output
  AlignedBuffer<float> weight;           ///< dense: packed panels; layer_norm: weight
  AlignedBuffer<float> bias;             ///< dense: padded to whole panels; layer_norm: bias
  std::vector<double> first;             ///< standardize: mean; gaussian_head: output_mean; constrain: squared scale
  std::vector<double> second;            ///< standardize: scale; gaussian_head: output_scale
  double number = 0.0;                   ///< layer_norm: epsilon; gaussian_head: floor
  bool exponential = false;              ///< gaussian_head: parametrization `exp`
  bool fixed_metric = false;             ///< constrain: metric `scale`
  std::uint64_t site = 0;                ///< normal_noise
};

/// One input or output variable and the spellings of its units.
struct ProgramVariable {
  std::string name, units, long_name;
  std::vector<std::string> accepted_units;
  std::int64_t elements = 1;
  std::int64_t offset = 0;  ///< of its first element in the flat vector of its role
};

struct Program {
  std::vector<ProgramVariable> inputs, outputs;
  std::int64_t input_elements = 0, output_elements = 0;
  std::vector<double> minimum, maximum;  ///< training range, one an input element
  std::vector<Value> values;             ///< values[0] is `inputs`
  std::vector<Operation> operations;
  int result = -1;                       ///< the value `outputs`
  std::size_t arena_bytes = 0;           ///< of the values of one tile
  LawSystem laws;
};

/// Checks and compiles. Errors: invalid_format (shapes, names, types), unsupported (an operation, head family or law
/// that this release cannot do, named), inconsistent_laws, non_finite (a weight).
Program compile(const ModelFile& file);

}  // namespace lavoisier::detail

#endif
