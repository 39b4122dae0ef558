#ifndef LAVOISIER_APPS_GENERATION_RUNNER_HPP
#define LAVOISIER_APPS_GENERATION_RUNNER_HPP

// What `generate` gives the plugin and takes from it, a block of cells at a time.

#include "global_generation.hpp"

#include <lavoisier/domain.hpp>
#include <lavoisier/emulator.hpp>

#include <algorithm>
#include <cstdint>
#include <limits>
#include <memory>
#include <optional>
#include <vector>

namespace lavoisier::cli {

/// The complete cells of one read that the subset asks for, packed: what the plugin is given.
struct Block {
  std::int64_t first = 0, cells = 0;
  std::int64_t incomplete = 0;               ///< cells with some inputs missing
  std::vector<std::int64_t> cell;            ///< place in the block
  std::vector<double> inputs;                ///< packed cells x input elements
  std::vector<std::uint64_t> column, step;
  std::vector<double> weights;               ///< packed cells x the domain's weights, for laws over all columns
  std::vector<std::uint8_t> masked;          ///< cells x output elements; empty: none is
};

/// `elements`: inputs of a cell.
Block read_block(const SampleReader& reader, std::int64_t first, std::int64_t count, std::size_t elements,
                 const std::optional<Subset>& subset);

/// For laws over all columns: the columns of a step together, with their weights.
void sort_by_step(Block& block, const SampleReader& reader, std::size_t elements);

/// Which of the two phases of laws over all columns a run is.
enum class Phase { only, draw, correct };

struct LawTotal {
  double max_absolute = 0.0, square_sum = 0.0, max_relative = 0.0;
  std::int64_t worst_cell = -1, worst_member = -1;
};

/// Runs packed blocks through a workspace into values over all cells of a block.
template <typename Number>
class Runner {
 public:
  Runner(std::shared_ptr<const Model> model, const WorkspaceOptions& options)
      : model_(model), workspace_(model, options), chunk_(options.max_columns) {
    for (const VariableInfo& v : model_->inputs()) input_elements_ += v.elements;
    for (const VariableInfo& v : model_->outputs()) output_elements_ += v.elements;
    packed_.resize(static_cast<std::size_t>(chunk_ * output_elements_));
    laws.resize(model_->laws().size());
  }

  std::vector<LawTotal> laws;
  std::int64_t columns = 0, out_of_range = 0, left_out = 0;
  const Workspace& workspace() const { return workspace_; }

  /// values: for each output variable in turn cells x elements, NaN where nothing was generated.
  void run(const Block& block, std::int64_t member, std::vector<double>& values, Phase phase = Phase::only,
           GlobalGeneration* global = nullptr) {
    values.assign(static_cast<std::size_t>(output_elements_ * block.cells), std::numeric_limits<double>::quiet_NaN());
    const auto active = static_cast<std::int64_t>(block.cell.size());
    std::int64_t count = 0;
    for (std::int64_t from = 0; from < active; from += count) {
      count = std::min(chunk_, active - from);
      const auto step = block.step.begin() + from;
      if (global != nullptr) count = std::find_if(step, step + count, [&](std::uint64_t s) { return s != *step; }) - step;
      std::vector<InputField> inputs;
      std::int64_t offset = 0;
      for (const VariableInfo& v : model_->inputs()) {
        InputField field;
        field.name = v.name.c_str();
        field.units = v.units.c_str();
        field.data = block.inputs.data() + from * input_elements_ + offset;
        field.columns = count;
        field.elements = v.elements;
        field.column_stride = input_elements_;
        inputs.push_back(field);
        offset += v.elements;
      }
      std::vector<OutputField> outputs;
      offset = 0;
      for (const VariableInfo& v : model_->outputs()) {
        OutputField field;
        field.name = v.name.c_str();
        field.units = v.units.c_str();
        field.data = packed_.data() + offset * chunk_;
        field.precision = sizeof(Number) == 8 ? Precision::f64 : Precision::f32;
        field.columns = count;
        field.elements = v.elements;
        field.column_stride = v.elements;
        outputs.push_back(field);
        offset += v.elements;
      }
      RunArguments arguments;
      arguments.inputs = inputs.data();
      arguments.input_count = inputs.size();
      arguments.outputs = outputs.data();
      arguments.output_count = outputs.size();
      arguments.columns = count;
      arguments.column_ids = block.column.data() + from;
      arguments.step_ids = block.step.data() + from;
      arguments.member = static_cast<std::uint64_t>(member - 1);
      std::vector<double> rows;
      if (global != nullptr) {
        const std::size_t weights = block.weights.size() / block.cell.size();
        rows = global->terms().coefficients({static_cast<std::size_t>(count), block.inputs.data() + from * input_elements_,
                                             block.weights.data() + static_cast<std::size_t>(from) * weights, &*step});
        arguments.global = &global->laws_of(*step);
        arguments.global_rows.coefficients = rows.data();
        arguments.global_rows.column_stride = static_cast<std::int64_t>(global->rows()) * output_elements_;
        arguments.global_rows.row_stride = output_elements_;
      }
      // Columns that the plugin leaves out stay missing.
      std::fill(packed_.begin(), packed_.end(), std::numeric_limits<Number>::quiet_NaN());
      const RunReport& report = phase == Phase::correct ? workspace_.correct(arguments) : workspace_.run(arguments);
      if (phase == Phase::draw) continue;
      tally(report, block, from, member);
      unpack(block, from, count, values);
    }
  }

 private:
  void unpack(const Block& block, std::int64_t from, std::int64_t count, std::vector<double>& values) const {
    std::int64_t offset = 0;
    for (const VariableInfo& v : model_->outputs()) {
      for (std::int64_t c = 0; c < count; ++c) {
        const std::int64_t cell = block.cell[static_cast<std::size_t>(from + c)];
        const Number* const source = packed_.data() + offset * chunk_ + c * v.elements;
        double* const to = values.data() + offset * block.cells + cell * v.elements;
        for (std::int64_t e = 0; e < v.elements; ++e) to[e] = static_cast<double>(source[e]);
      }
      offset += v.elements;
    }
  }

  void tally(const RunReport& report, const Block& block, std::int64_t from, std::int64_t member) {
    columns += report.columns;
    out_of_range += report.out_of_range;
    left_out += report.non_finite + report.rank_deficient + report.invalid_argument;
    for (std::size_t l = 0; l < laws.size() && l < report.laws.size(); ++l) {
      const LawClosure& closure = report.laws[l];
      LawTotal& total = laws[l];
      if (closure.worst_column >= 0 && (total.worst_cell < 0 || closure.max_relative > total.max_relative)) {
        const auto at = static_cast<std::size_t>(from + closure.worst_column);
        total.worst_cell = block.first + block.cell[std::min(at, block.cell.size() - 1)];
        total.worst_member = member;
      }
      total.max_absolute = std::max(total.max_absolute, closure.max_absolute);
      total.max_relative = std::max(total.max_relative, closure.max_relative);
      total.square_sum += closure.rms * closure.rms * static_cast<double>(report.columns);
    }
  }

  std::shared_ptr<const Model> model_;
  Workspace workspace_;
  std::int64_t chunk_, input_elements_ = 0, output_elements_ = 0;
  std::vector<Number> packed_;
};

}  // namespace lavoisier::cli

#endif
