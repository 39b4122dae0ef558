#include "plugin_draw.hpp"

#include <lavoisier/emulator.hpp>

#include <algorithm>

namespace lavoisier::cli {

double largest_violation_of_draws(const ModelFile& model, const SampleSet& samples, int members) {
  const std::vector<std::byte> bytes = model.serialize();
  const std::shared_ptr<const Model> loaded = Model::parse(bytes.data(), bytes.size(), "the trained model");
  WorkspaceOptions options;
  options.max_columns = 4096;
  Workspace workspace(loaded, options);
  const std::int64_t ni = samples.input_elements(), no = samples.output_elements();
  std::vector<double> values(static_cast<std::size_t>(options.max_columns * no));
  double largest = 0.0;
  for (int member = 0; member < members; ++member) {
    for (std::int64_t first = 0; first < samples.samples; first += options.max_columns) {
      const std::int64_t count = std::min(options.max_columns, samples.samples - first);
      std::vector<InputField> inputs;
      std::vector<OutputField> outputs;
      std::int64_t offset = 0;
      for (const VariableInfo& v : loaded->inputs()) {
        InputField field;
        field.name = v.name.c_str();
        field.data = samples.inputs.data() + first * ni + offset;
        field.columns = count;
        field.elements = v.elements;
        field.column_stride = ni;
        inputs.push_back(field);
        offset += v.elements;
      }
      offset = 0;
      for (const VariableInfo& v : loaded->outputs()) {
        OutputField field;
        field.name = v.name.c_str();
        field.data = values.data() + offset;
        field.columns = count;
        field.elements = v.elements;
        field.column_stride = no;
        outputs.push_back(field);
        offset += v.elements;
      }
      RunArguments arguments;
      arguments.inputs = inputs.data();
      arguments.input_count = inputs.size();
      arguments.outputs = outputs.data();
      arguments.output_count = outputs.size();
      arguments.columns = count;
      arguments.column_ids = samples.column.empty() ? nullptr : samples.column.data() + first;
      arguments.first_column_id = static_cast<std::uint64_t>(first);
      arguments.step_ids = samples.step.empty() ? nullptr : samples.step.data() + first;
      arguments.member = static_cast<std::uint64_t>(member);
      for (const LawClosure& law : workspace.run(arguments).laws) largest = std::max(largest, law.max_relative);
    }
  }
  return largest;
}

}  // namespace lavoisier::cli
