#ifndef LAVOISIER_TESTS_MODELS_PLUGIN_DRAWS_HPP
#define LAVOISIER_TESTS_MODELS_PLUGIN_DRAWS_HPP

#include <lavoisier/emulator.hpp>
#include <lavoisier/linear_constraints.hpp>
#include <lavoisier/model_file.hpp>
#include <lavoisier/sample_set.hpp>

#include <gtest/gtest.h>

#include <algorithm>
#include <memory>
#include <vector>

namespace lavoisier::test {

/// Draws through the plugin; the largest relative residual that it reports.
inline RowMatrix plugin_draws(const ModelFile& file, const SampleSet& samples, std::uint64_t seed, std::uint64_t member,
                              double* largest) {
  const auto bytes = file.serialize();
  const std::shared_ptr<const Model> model = Model::parse(bytes.data(), bytes.size(), "test");
  WorkspaceOptions options;
  options.seed = seed;
  options.override_stream = true;
  Workspace workspace(model, options);
  RowMatrix y(samples.samples, samples.output_elements());
  std::vector<InputField> inputs;
  std::vector<OutputField> outputs;
  std::int64_t offset = 0;
  for (const VariableInfo& variable : model->inputs()) {
    InputField field;
    field.name = variable.name.c_str();
    field.data = samples.inputs.data() + offset;
    field.columns = samples.samples;
    field.elements = variable.elements;
    field.column_stride = samples.input_elements();
    inputs.push_back(field);
    offset += variable.elements;
  }
  offset = 0;
  for (const VariableInfo& variable : model->outputs()) {
    OutputField field;
    field.name = variable.name.c_str();
    field.data = y.data() + offset;
    field.columns = samples.samples;
    field.elements = variable.elements;
    field.column_stride = samples.output_elements();
    outputs.push_back(field);
    offset += variable.elements;
  }
  RunArguments arguments;
  arguments.inputs = inputs.data();
  arguments.input_count = inputs.size();
  arguments.outputs = outputs.data();
  arguments.output_count = outputs.size();
  arguments.columns = samples.samples;
  arguments.column_ids = samples.column.data();
  arguments.step_ids = samples.step.data();
  arguments.member = member;
  const RunReport& report = workspace.run(arguments);
  EXPECT_EQ(report.columns, samples.samples);
  for (const LawClosure& law : report.laws) *largest = std::max(*largest, law.max_relative);
  return y;
}

}  // namespace lavoisier::test

#endif
