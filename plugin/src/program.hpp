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
  single,
  select,
  slice,
  concat,
  dense,
  conv2d,
  upsample2d,
  transpose,
  silu,
  relu,
  tanh,
  sigmoid,
  add,
  multiply,
  add_channel,
  layer_norm,
  group_norm,
  time_embedding,
  gru,
  gather,
  scatter_add,
  embedding,
  mask,
  gaussian_head,
  normal_noise,
  gaussian_draw,
  positive_draw,
  dirichlet_draw,
  poisson_draw,
  multinomial_draw,
  sample,
  constrain,
  identity
};

/// A vector of `length` numbers a column, FP64 or FP32. `slot`: byte offset in a tile's arena, multiple of a cache
/// line.
struct Value {
  std::string name;
  bool f64 = false;
  std::int64_t length = 0;
  std::size_t slot = 0;
  std::size_t bytes_a_column() const noexcept { return static_cast<std::size_t>(length) * (f64 ? 8 : 4); }
};

/// Law of a positive output: log-normal or gamma, with or without an atom at 0.
struct PositiveLaw {
  bool gamma = false, atom = false;
};

/// Geometry of conv2d and upsample2d, y before x.
struct Field2d {
  std::int64_t channels = 1, height = 1, width = 1;
  std::array<std::int64_t, 2> kernel{1, 1}, stride{1, 1}, padding{0, 0}, out{1, 1};  ///< stride: upsample2d's factor
};

struct Operation {
  OperationKind kind = OperationKind::identity;
  std::array<int, 3> input{-1, -1, -1};   ///< indices into Program::values
  std::vector<int> inputs;                ///< concat: all of them; sample: what its subgraph sees
  std::array<int, 3> output{-1, -1, -1};  ///< gru: [1] and [2] hold its two dense results of one row
  std::int64_t k = 0;                     ///< length of the input (time_embedding's frequencies), of a row of it
                                          ///< (dense, gru); embedding: rows of the table
  std::int64_t n = 0;                     ///< length of the output
  std::int64_t begin = 0;                 ///< slice, select
  std::int64_t groups = 1;                ///< group_norm: groups; add_channel: channels; gather, scatter_add, embedding,
                                          ///< mask: features; transpose: rows
  std::int64_t size = 1;                  ///< elements a channel (norms, add_channel); edges (gather, scatter_add);
                                          ///< columns (transpose); rows (dense, gru, embedding, mask)
  Field2d field;                          ///< conv2d, upsample2d
  SharedBuffer<float> weight;             ///< dense, conv2d, gru: packed panels; norms: weight;
                                          ///< embedding: the table
  SharedBuffer<float> bias;               ///< dense, conv2d, gru: padded to whole panels; norms: bias
  SharedBuffer<float> weight_hidden, bias_hidden;  ///< gru
  std::vector<double> first;   ///< standardize: mean; gaussian_head, sample: output_mean; constrain: squared
                               ///< scale; time_embedding: frequencies; count draws: log scale
  std::vector<double> second;  ///< standardize: scale; gaussian_head, sample: output_scale; positive_draw: scale
  std::vector<std::int32_t> elements;  ///< positive_draw: outputs
  std::vector<PositiveLaw> laws;       ///< and their laws
  double number = 0.0;         ///< norms: epsilon; heads, positive_draw, dirichlet_draw: floor
  bool exponential = false;    ///< these: parametrization `exp`
  bool fixed_metric = false;   ///< constrain: metric `scale`
  std::uint64_t site = 0;      ///< normal_noise, draws; sample: of the first state
  int loop = -1;               ///< sample: index into Program::loops
};

/// The word of docs/model-file.md.
const char* to_string(OperationKind kind) noexcept;

enum class SampleMethod { diffusion, flow };  ///< ddpm and ddim differ in their schedule's numbers only
enum class SampleProjection { none, ambient, null_space };

/// The laws of an LawSystem carried into standardised units, A_s = A diag(scale), and the Cholesky factor of A_s A_s'.
struct StandardisedLaws {
  std::vector<double> row_coefficient;     ///< A_s, laid out as LawSystem::row_coefficient
  std::vector<double> column_coefficient;  ///< and as LawSystem::column_coefficient
  std::vector<double> mean;                ///< A output_mean, one a row
  std::vector<double> factor;              ///< entry (k, l), l <= k, at k(k+1)/2 + l
  std::vector<std::uint8_t> skipped;       ///< rows that outputs of scale 0 leave without a pivot
};

/// What a `sample` operation runs again and again.
struct SampleLoop {
  SampleMethod method = SampleMethod::diffusion;
  SampleProjection projection = SampleProjection::none;
  std::int64_t steps = 0;
  static constexpr std::int64_t columns = 7;
  std::vector<double> schedule;       ///< steps x columns: t, p, q, r, u, v, a
  std::vector<Operation> operations;  ///< the subgraph
  int state = -1, time = -1, prediction = -1;
  StandardisedLaws laws;
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
  std::vector<SampleLoop> loops;
  bool enforces = false;        ///< the last operation meets the laws
  bool has_mean = true;         ///< the draw without noise is the conditional mean
  int result = -1;              ///< the value `outputs`
  std::size_t arena_bytes = 0;  ///< of the values of one tile
  LawSystem laws;
  Coordinates coordinates;      ///< as the laws have them
};

/// Checks and compiles. Errors: invalid_format (shapes, names, types), unsupported (an operation, head family or law
/// that this release cannot do, named), inconsistent_laws, non_finite (a weight).
Program compile(const ModelFile& file);

/// The same program under the laws of `description`, whose constants have other values, with other coordinates. Weights
/// are shared. Errors: those of the laws.
Program recompile_laws(const Program& program, const ModelDescription& description, Coordinates coordinates);

}  // namespace lavoisier::detail

#endif
