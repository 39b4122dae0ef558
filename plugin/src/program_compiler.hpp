#ifndef LAVOISIER_PLUGIN_PROGRAM_COMPILER_HPP
#define LAVOISIER_PLUGIN_PROGRAM_COMPILER_HPP

#include "program.hpp"

#include <lavoisier/status.hpp>

#include <map>
#include <set>
#include <span>
#include <utility>

namespace lavoisier::detail {

/// Elements that a value may have: they are addressed with 32 bits in the kernels.
inline constexpr std::int64_t most_elements = INT32_MAX / 64;

/// Checks a model file and lays it out; every message names the operation and the value or tensor.
class Compiler {
 public:
  explicit Compiler(const ModelFile& file) : file_(file), description_(file.description) {}
  /// For run_laws: `compiled` is the program of `file` but for its laws.
  Compiler(const ModelFile& file, Program compiled)
      : file_(file), description_(file.description), program_(std::move(compiled)) {}
  Program run();
  Program run_laws();

 private:
  [[noreturn]] void fail(Status status, const std::string& message) const;

  // program.cpp
  void layout();
  void ranges();
  void heads() const;
  void graph();
  void laws();
  void arena();

  // program_checks.cpp: operands, tensors and attributes of a node.
  const Tensor& tensor(const std::string& name) const;
  void shape(const Tensor& found, const std::vector<std::int64_t>& expected) const;
  std::vector<double> doubles(const std::string& name, std::int64_t length) const;
  std::span<const float> floats(const std::string& name, const std::vector<std::int64_t>& expected) const;
  /// A value made before; `length` -1: any. Errors name the value.
  int value(const std::string& name, bool f64, std::int64_t length = -1) const;
  std::int64_t length(int index) const { return program_.values[static_cast<std::size_t>(index)].length; }
  int make(const std::string& name, bool f64, std::int64_t length);
  int make_hidden(bool f64, std::int64_t length);
  void operands(const GraphOperation& node, std::size_t inputs, std::size_t outputs,
                const std::set<std::string>& tensors, const std::set<std::string>& attributes) const;
  double decimal(const std::string& text, const char* name) const;
  std::int64_t integer(const GraphOperation& node, const char* name, std::int64_t least, std::int64_t most) const;
  /// The attribute `rows` of a layer that is applied to each row of its input; 1 without.
  std::int64_t rows(const GraphOperation& node) const;
  static std::set<std::string> row_attributes(const GraphOperation& node) {
    return node.attributes.count("rows") ? std::set<std::string>{"rows"} : std::set<std::string>{};
  }
  /// "y,x"
  std::array<std::int64_t, 2> pair(const GraphOperation& node, const char* name, std::int64_t least) const;
  /// `whole` = parts of `part` elements each; returns how many.
  std::int64_t parts(int index, std::int64_t part, const char* what) const;
  void pack(std::span<const float> weight, std::span<const float> bias, std::int64_t k, SharedBuffer<float>& to_weight,
            SharedBuffer<float>& to_bias) const;

  // program_operations.cpp and program_layers.cpp: one function an operation.
  void operation(const GraphOperation& node);
  void standardize(const GraphOperation& node, Operation& made);
  void single(const GraphOperation& node, Operation& made);
  void select(const GraphOperation& node, Operation& made);
  void slice(const GraphOperation& node, Operation& made);
  void concat(const GraphOperation& node, Operation& made);
  void dense(const GraphOperation& node, Operation& made);
  void conv2d(const GraphOperation& node, Operation& made);
  void upsample2d(const GraphOperation& node, Operation& made);
  void transpose(const GraphOperation& node, Operation& made);
  void elementwise(const GraphOperation& node, Operation& made);
  void two_operands(const GraphOperation& node, Operation& made);
  void add_channel(const GraphOperation& node, Operation& made);
  void layer_norm(const GraphOperation& node, Operation& made);
  void group_norm(const GraphOperation& node, Operation& made);
  void time_embedding(const GraphOperation& node, Operation& made);
  void gru(const GraphOperation& node, Operation& made);
  void gather(const GraphOperation& node, Operation& made);
  void scatter_add(const GraphOperation& node, Operation& made);
  void embedding(const GraphOperation& node, Operation& made);
  void mask(const GraphOperation& node, Operation& made);
  void gaussian_head(const GraphOperation& node, Operation& made);
  void normal_noise(const GraphOperation& node, Operation& made);
  void gaussian_draw(const GraphOperation& node, Operation& made);
  void constrain(const GraphOperation& node, Operation& made);
  void identity(const GraphOperation& node, Operation& made);
  /// channels times output pixels; Error(unsupported) above most_elements.
  std::int64_t field_elements(std::int64_t channels, const Field2d& field) const;
  void norm_tensors(const GraphOperation& node, std::int64_t channels, Operation& made);
  void settle_noise(int index, std::int64_t n);
  void take_site(std::uint64_t site);

  // program_draws.cpp
  void positive_draw(const GraphOperation& node, Operation& made);
  void dirichlet_draw(const GraphOperation& node, Operation& made);
  void count_draw(const GraphOperation& node, Operation& made);
  void draw_site(const GraphOperation& node, Operation& made);
  void parametrization(const GraphOperation& node, Operation& made);
  std::vector<double> positive_scale(const GraphOperation& node, std::int64_t length) const;
  /// Once the laws are compiled: a draw given sums needs disjoint groups that hold every output.
  void require_groups(const Operation& operation) const;

  // program_sample.cpp
  void sample(const GraphOperation& node, Operation& made);
  void subgraph(const GraphOperation& node, const std::string& name, std::int64_t n, SampleLoop& loop);
  void standardise_laws(const Operation& operation, SampleLoop& loop) const;

  const ModelFile& file_;
  const ModelDescription& description_;
  Program program_;
  std::vector<Operation>* operations_ = &program_.operations;  ///< where compiled operations go
  std::map<std::string, int> index_;
  std::vector<bool> drawn_;  ///< one a value: noise is in it
  std::set<std::uint64_t> sites_;
  std::vector<std::size_t> noise_;  ///< operations
  std::string where_;
  bool in_subgraph_ = false;
};

std::string list(const std::vector<std::int64_t>& shape);

}  // namespace lavoisier::detail

#endif
