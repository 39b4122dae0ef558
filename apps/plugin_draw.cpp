#include "plugin_draw.hpp"

#include <lavoisier/status.hpp>

#include <algorithm>
#include <string>

namespace lavoisier::cli {
namespace {

Workspace workspace_of(const ModelFile& model, const PluginDrawOptions& options) {
  const std::vector<std::byte> bytes = model.serialize();
  WorkspaceOptions made;
  made.max_columns = options.chunk;
  made.seed = options.seed;
  made.override_stream = options.stream.has_value();
  made.stream = options.stream.value_or(0);
  return Workspace(Model::parse(bytes.data(), bytes.size(), "the trained model"), made);
}

}  // namespace

PluginDraws::PluginDraws(const ModelFile& model, const SampleSet& samples, const PluginDrawOptions& options)
    : samples_(samples), chunk_(options.chunk), workspace_(workspace_of(model, options)) {}

std::vector<double> PluginDraws::draw(std::uint64_t member, double* largest_violation) {
  const std::int64_t ni = samples_.input_elements(), no = samples_.output_elements();
  std::vector<double> values(static_cast<std::size_t>(samples_.samples * no));
  std::vector<Status> status(static_cast<std::size_t>(chunk_));
  for (std::int64_t first = 0; first < samples_.samples; first += chunk_) {
    const std::int64_t count = std::min(chunk_, samples_.samples - first);
    std::vector<InputField> inputs;
    std::vector<OutputField> outputs;
    std::int64_t offset = 0;
    for (const VariableInfo& v : workspace_.model().inputs()) {
      InputField field;
      field.name = v.name.c_str();
      field.data = samples_.inputs.data() + first * ni + offset;
      field.columns = count;
      field.elements = v.elements;
      field.column_stride = ni;
      inputs.push_back(field);
      offset += v.elements;
    }
    offset = 0;
    for (const VariableInfo& v : workspace_.model().outputs()) {
      OutputField field;
      field.name = v.name.c_str();
      field.data = values.data() + first * no + offset;
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
    arguments.column_ids = samples_.column.empty() ? nullptr : samples_.column.data() + first;
    arguments.first_column_id = static_cast<std::uint64_t>(first);
    arguments.step_ids = samples_.step.empty() ? nullptr : samples_.step.data() + first;
    arguments.member = member;
    arguments.status = status.data();
    const RunReport& report = workspace_.run(arguments);
    if (largest_violation != nullptr)
      for (const LawClosure& law : report.laws) *largest_violation = std::max(*largest_violation, law.max_relative);
    if (report.columns == count) continue;
    for (std::int64_t i = 0; i < count; ++i) {
      const Status found = status[static_cast<std::size_t>(i)];
      if (found != Status::ok && found != Status::out_of_range)
        throw Error(found, "the model draws nothing for sample " + std::to_string(first + i));
    }
    throw Error(Status::internal, "the plugin drew " + std::to_string(report.columns) + " of " + std::to_string(count) + " samples");
  }
  return values;
}

std::vector<std::vector<double>> draws_of(const ModelFile& model, const SampleSet& samples, int members) {
  PluginDraws drawing(model, samples);
  std::vector<std::vector<double>> all;
  for (int member = 0; member < members; ++member) all.push_back(drawing.draw(static_cast<std::uint64_t>(member)));
  return all;
}

double largest_violation_of_draws(const ModelFile& model, const SampleSet& samples, int members) {
  PluginDraws drawing(model, samples);
  double largest = 0.0;
  for (int member = 0; member < members; ++member) drawing.draw(static_cast<std::uint64_t>(member), &largest);
  return largest;
}

}  // namespace lavoisier::cli
