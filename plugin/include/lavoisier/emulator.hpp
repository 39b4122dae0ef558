#ifndef LAVOISIER_EMULATOR_HPP
#define LAVOISIER_EMULATOR_HPP

// The host-facing interface: pointers, extents, strides. No Kokkos, no Torch; compiles as C++17.

#include <lavoisier/status.hpp>

#include <cstddef>
#include <cstdint>
#include <memory>
#include <string>
#include <vector>

namespace lavoisier {

/// Kokkos' lifetime is the host's or ours, explicitly (DESIGN, "The plugin"): initialises Kokkos if nobody has.
/// Calling it again is harmless. Nothing else in the library starts or stops Kokkos.
struct InitializeOptions {
  int threads = 0;  ///< of Kokkos' OpenMP, at most 512; 0: OMP_NUM_THREADS or all
  int device = -1;  ///< -1: Kokkos' choice; a number without a device in this build: Error(unsupported)
};
void initialize(const InitializeOptions& options = {});
/// Finalises Kokkos if initialize() started it, once, at the end; a later initialize() is Error(not_initialized).
void finalize();
bool is_initialized() noexcept;

/// The library prints nothing. What it has to say beside statuses (a monitor's warnings) goes to the host's handler, on
/// the thread that met it; null, as at the beginning: nowhere. The text is valid during the call; exceptions are
/// caught.
using LogHandler = void (*)(void* context, const char* message);
void set_log_handler(LogHandler handler, void* context = nullptr) noexcept;

enum class Precision { f64, f32 };
enum class MemorySpace { host, device };
/// Where `run` computes. `automatic`: the build's default execution space; inside a host's own OpenMP region always the
/// calling thread.
enum class Backend { automatic, serial, openmp, device };
std::vector<std::string> available_backends();   ///< "serial", "openmp", "cuda", ...

/// A field where it lies. Element (c, e) of a variable with E elements is at data[c*column_stride + e*element_stride], strides
/// in elements, any sign or order; in a run with blocks of B columns at
/// data[(c / B)*block_stride + (c % B)*column_stride + e*element_stride]. Units: the model's or an accepted spelling; null:
/// not checked.
struct InputField {
  const char* name = nullptr;
  const char* units = nullptr;
  const void* data = nullptr;
  Precision precision = Precision::f64;
  MemorySpace space = MemorySpace::host;
  std::int64_t columns = 0;
  std::int64_t elements = 1;
  std::int64_t column_stride = 1;
  std::int64_t element_stride = 1;
  std::int64_t block_stride = 0;  ///< only where RunArguments::block_columns > 0
};
struct OutputField {
  const char* name = nullptr;
  const char* units = nullptr;
  void* data = nullptr;
  Precision precision = Precision::f64;
  MemorySpace space = MemorySpace::host;
  std::int64_t columns = 0;
  std::int64_t elements = 1;
  std::int64_t column_stride = 1;
  std::int64_t element_stride = 1;
  std::int64_t block_stride = 0;  ///< only where RunArguments::block_columns > 0
};

struct VariableInfo {
  std::string name, units, long_name;
  std::int64_t elements = 1;
  double minimum = 0.0, maximum = 0.0;  ///< training range over elements (inputs)
};
struct LawInfo {
  std::string name, equation, units;
  double physics_tolerance = 0.0;
};

/// A physical constant of the laws (g, cp, L).
struct ConstantInfo {
  std::string name, units;
  double value = 0.0;       ///< as the laws have it: the host's, once it is registered
  double file_value = 0.0;  ///< as the model file has it
};

/// A constant as the host has it. Units: the model's or an accepted spelling; null: not checked.
struct HostConstant {
  const char* name = nullptr;
  double value = 0.0;
  const char* units = nullptr;
};
/// A coordinate as the host has it: `count` values over a dimension of the model, or of a coordinate variable.
struct HostCoordinate {
  const char* name = nullptr;
  const double* values = nullptr;
  std::int64_t count = 0;
};
struct HostConstants {
  const HostConstant* constants = nullptr;
  std::size_t constant_count = 0;
  const HostCoordinate* coordinates = nullptr;
  std::size_t coordinate_count = 0;
};

/// An immutable model: weights, laws, ranges; one copy, shared by any number of workspaces and threads.
class Model {
 public:
  /// Reads, verifies and prepares; Errors as ModelFile::read, unsupported (an operation this library does not know),
  /// not_initialized.
  static std::shared_ptr<const Model> load(const std::string& path);
  /// From bytes that the host has read (one rank reads and broadcasts); `origin` names them in messages.
  static std::shared_ptr<const Model> parse(const void* bytes, std::size_t size, const std::string& origin);
  virtual ~Model() = default;

  virtual const std::vector<VariableInfo>& inputs() const = 0;
  virtual const std::vector<VariableInfo>& outputs() const = 0;
  virtual const std::vector<LawInfo>& laws() const = 0;
  virtual const std::string& digest() const = 0;
  virtual const std::string& strategy() const = 0;
  virtual std::string provenance(const std::string& key) const = 0;  ///< empty if absent

  virtual const std::vector<ConstantInfo>& constants() const = 0;
  /// The same model with the host's constants and coordinates in every coefficient and right-hand side of its laws, so
  /// that they close with the host's own numbers; the weights are shared. Each is first compared with the model file's
  /// value. Errors: not_found (a name that the file lacks, or of which it has no values), unit_mismatch, shape_mismatch
  /// (another number of values), out_of_range (a value that differs by more than 1e-6, relative), invalid_argument.
  virtual std::shared_ptr<const Model> with_constants(const HostConstants& host) const = 0;
};

struct WorkspaceOptions {
  std::int64_t max_columns = 1024;  ///< capacity of one run
  Backend backend = Backend::automatic;
  std::uint64_t seed = 0;
  bool override_stream = false;     ///< else the stream is the digest's first 16 hex digits
  std::uint64_t stream = 0;
  int global_rows = 0;              ///< of the global laws that its runs may belong to; their scratch is allocated
  void* device_stream = nullptr;    ///< of a device: the host's cudaStream_t or hipStream_t, on which all runs are queued
                                    ///< (and which they wait for); null: Kokkos' default. It must outlive the workspace
};

class GlobalLaws;

/// B of global laws (global_laws.hpp), in host memory: of row k, column c and output element e at
/// coefficients[c*column_stride + k*row_stride + e*element_stride], times weights[c] where there are weights (areas, say);
/// a column_stride of 0: the same for every column. Elements count through the model's outputs, one variable after
/// the other.
struct GlobalRows {
  const double* coefficients = nullptr;
  std::int64_t column_stride = 0, row_stride = 0, element_stride = 1;
  const double* weights = nullptr;
};

/// What one run is asked for. Columns 0 .. columns-1 of the fields; `active` (a list of indices) or `mask` (one byte a
/// column, 0: skip) select among them; ids are global, given by the host, never counted inside.
struct RunArguments {
  const InputField* inputs = nullptr;
  std::size_t input_count = 0;
  OutputField* outputs = nullptr;
  std::size_t output_count = 0;
  std::int64_t columns = 0;
  /// Columns lie in blocks of this many, for every field, as in (nproma, nlev, nblock) or a section of (lon, lat, lev);
  /// `columns` counts the valid ones, so the last block may be partly filled. 0: one stride for all columns.
  std::int64_t block_columns = 0;
  const std::int64_t* active = nullptr;
  std::int64_t active_count = -1;             ///< -1: no list; 0: no column (`active` may be null)
  const std::uint8_t* mask = nullptr;
  const std::uint64_t* column_ids = nullptr;  ///< one a column (host memory); null: first_column_id + index
  std::uint64_t first_column_id = 0;
  std::uint64_t step = 0;
  const std::uint64_t* step_ids = nullptr;    ///< one a column; null: `step` for all
  std::uint64_t member = 0;                   ///< < 2^32
  /// One a column (host memory), written for the computed columns only; may be null: ok, out_of_range, non_finite,
  /// rank_deficient, inconsistent_laws, invalid_argument.
  Status* status = nullptr;
  GlobalLaws* global = nullptr;  ///< laws over all columns to which this run belongs; WorkspaceOptions::global_rows
  GlobalRows global_rows;
};

/// Closure of one law over the columns of one run, taken of the stored outputs (after rounding to their precision).
struct LawClosure {
  double max_absolute = 0.0;
  double rms = 0.0;
  double max_relative = 0.0;
  std::int64_t worst_column = -1;  ///< of the largest relative residual; -1 without columns
};
struct RunReport {
  std::int64_t columns = 0;        ///< computed and written; every other column is in one of the counts below
  std::int64_t non_finite = 0;     ///< columns with an input, a result or a law that is no number: outputs untouched
  std::int64_t rank_deficient = 0; ///< columns whose laws cannot be met (rank_deficient, inconsistent_laws): untouched
  std::int64_t out_of_range = 0;   ///< columns outside the training range: computed and flagged
  std::int64_t invalid_argument = 0;  ///< columns whose indices or counts name no node, row or entry: untouched
  std::vector<LawClosure> laws;    ///< in the model's order
};

/// An input element of a column that is no number (non_finite) or outside its training range (out_of_range).
struct InputFlag {
  const VariableInfo* input = nullptr;
  std::int64_t element = 0;
  double value = 0.0, minimum = 0.0, maximum = 0.0;
  Status status = Status::ok;
};

/// Scratch of one calling thread or stream. Building validates and allocates; `run` allocates nothing.
class Workspace {
 public:
  Workspace(std::shared_ptr<const Model> model, const WorkspaceOptions& options = {});
  ~Workspace();
  Workspace(Workspace&&) noexcept;
  Workspace& operator=(Workspace&&) noexcept;

  /// Generates one draw a column. Every field is checked first (name, units, shape, strides, space, overlap); then
  /// only active, finite columns are written. Throws Error before any field is touched, or not at all.
  /// The report's storage is the workspace's; it stays valid until the next run.
  const RunReport& run(const RunArguments& arguments);

  /// The conditional mean (no noise) instead of a draw: same checks, same laws. Error(unsupported) for a model whose
  /// noise goes through a network or a sampling loop.
  const RunReport& run_mean(const RunArguments& arguments);

  /// Second phase of global laws, behind GlobalLaws::close: draws again what run(arguments) drew (or run_mean, with
  /// `mean`), corrects it and stores it. The arguments and the inputs are those of the run.
  const RunReport& correct(const RunArguments& arguments, bool mean = false);

  /// Why a column was flagged: every such element of its inputs, found on demand where they lie (host memory). Empty
  /// for a column whose result or law is no number although its inputs are.
  std::vector<InputFlag> input_flags(const RunArguments& arguments, std::int64_t column) const;

  const Model& model() const noexcept;
  std::string backend() const;          ///< as resolved
  std::string instruction_set() const;  ///< recorded in artefacts

 private:
  struct Implementation;
  std::unique_ptr<Implementation> implementation_;
};

}  // namespace lavoisier

#endif
