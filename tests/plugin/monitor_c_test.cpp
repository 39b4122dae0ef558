// A host's constants, flagged inputs and the monitor through the C interface: as in C++.

#include "monitor_fixture.hpp"

#include <lavoisier/lavoisier.h>

#include <cstring>

using namespace lavoisier;
using namespace lavoisier::tests;

namespace {

lav_model* loaded(const ModelFile& file) {
  const auto bytes = file.serialize();
  lav_model* model = nullptr;
  EXPECT_EQ(lav_model_parse(bytes.data(), bytes.size(), "by hand", &model), LAV_OK) << lav_last_error();
  return model;
}

/// The same run for C.
struct CRun {
  std::vector<lav_input_field> inputs;
  std::vector<lav_output_field> outputs, originals;
  lav_run_arguments arguments = LAV_RUN_ARGUMENTS_INIT;

  explicit CRun(Step& step) {
    const auto output = [](const OutputField& f) {
      return lav_output_field{f.name, f.units, f.data, LAV_F64, LAV_HOST, f.columns, f.elements, f.column_stride,
                              f.element_stride};
    };
    for (const auto& f : step.fields.input_fields)
      inputs.push_back(
          {f.name, f.units, f.data, LAV_F64, LAV_HOST, f.columns, f.elements, f.column_stride, f.element_stride});
    for (const auto& f : step.fields.output_fields) outputs.push_back(output(f));
    for (const auto& f : step.own_fields) originals.push_back(output(f));
    arguments.inputs = inputs.data();
    arguments.input_count = inputs.size();
    arguments.outputs = outputs.data();
    arguments.output_count = outputs.size();
    arguments.columns = step.fields.columns;
    arguments.column_ids = step.ids.data();
    arguments.status = reinterpret_cast<lav_status*>(step.status.data());
  }
};

void expect_same(const lav_monitor_closure& found, const MonitorClosure& expected) {
  EXPECT_EQ(found.columns, expected.columns);
  EXPECT_EQ(found.non_finite, expected.non_finite);
  EXPECT_EQ(found.max_absolute, expected.max_absolute);
  EXPECT_EQ(found.rms, expected.rms);
  EXPECT_EQ(found.max_relative, expected.max_relative);
  EXPECT_EQ(found.violated != 0, expected.violated);
  EXPECT_EQ(found.worst_id, expected.worst_id);
  EXPECT_EQ(found.worst_column, expected.worst_column);
  EXPECT_EQ(found.right_hand_side, expected.right_hand_side);
  EXPECT_EQ(found.term_count, expected.terms.size());
}

}  // namespace

TEST(MonitorC, SaysWhatCppSays) {
  const ModelFile file = column_laws().build();
  Step step(model_of(file));
  Monitor expected(step.model);
  expected.add(step.arguments(), step.own_fields.data(), step.own_fields.size());
  ASSERT_EQ(expected.end_step(4), Status::ok);

  lav_model* model = loaded(file);
  lav_monitor* monitor = nullptr;
  ASSERT_EQ(lav_monitor_create(model, nullptr, &monitor), LAV_OK) << lav_last_error();
  EXPECT_EQ(lav_monitor_is_active(monitor), 1);
  CRun run(step);
  ASSERT_EQ(lav_monitor_add(monitor, &run.arguments, run.originals.data(), run.originals.size(), nullptr), LAV_OK)
      << lav_last_error();
  ASSERT_EQ(lav_monitor_end_step(monitor, 4, LAV_OK, nullptr, nullptr), LAV_OK) << lav_last_error();
  lav_monitor_report report = LAV_MONITOR_REPORT_INIT;
  ASSERT_EQ(lav_monitor_last_report(monitor, &report), LAV_OK);
  EXPECT_EQ(report.step, 4u);
  EXPECT_EQ(report.columns, 299);
  EXPECT_EQ(report.left_out, 1);
  EXPECT_EQ(report.out_of_range, 1);
  EXPECT_EQ(report.violated, 0);
  EXPECT_STREQ(report.message, "");
  for (std::size_t l = 0; l < 4; ++l)
    for (const int original : {0, 1}) {
      const MonitorLaw& law = expected.report().laws[l];
      const MonitorClosure& closure = original != 0 ? law.original : law.emulated;
      lav_monitor_closure found = LAV_MONITOR_CLOSURE_INIT;
      ASSERT_EQ(lav_monitor_law_closure(monitor, l, original, &found), LAV_OK);
      expect_same(found, closure);
      EXPECT_EQ(found.tolerance, law.tolerance);
      EXPECT_EQ(found.relative, 1);
      for (std::size_t t = 0; t < found.term_count; ++t) {
        lav_monitor_term term = LAV_MONITOR_TERM_INIT;
        ASSERT_EQ(lav_monitor_law_term(monitor, l, original, t, &term), LAV_OK);
        EXPECT_EQ(term.variable, closure.terms[t].variable);
        EXPECT_EQ(term.element, closure.terms[t].element);
        EXPECT_EQ(term.coefficient, closure.terms[t].coefficient);
        EXPECT_EQ(term.value, closure.terms[t].value);
      }
    }
  for (std::size_t v = 0; v < 4; ++v) {
    lav_monitor_skill found = LAV_MONITOR_SKILL_INIT;
    ASSERT_EQ(lav_monitor_variable_skill(monitor, v, &found), LAV_OK);
    const MonitorSkill& skill = expected.report().variables[v];
    EXPECT_EQ(found.columns, skill.columns);
    EXPECT_EQ(found.bias, skill.bias);
    EXPECT_EQ(found.rmse, skill.rmse);
    EXPECT_EQ(found.mean_absolute_error, skill.mean_absolute_error);
    EXPECT_EQ(found.correlation, skill.correlation);
    EXPECT_EQ(found.r_squared, skill.r_squared);
  }
  // Indices that are none.
  lav_monitor_closure closure = LAV_MONITOR_CLOSURE_INIT;
  lav_monitor_term term = LAV_MONITOR_TERM_INIT;
  lav_monitor_skill skill = LAV_MONITOR_SKILL_INIT;
  EXPECT_EQ(lav_monitor_law_closure(monitor, 4, 0, &closure), LAV_OUT_OF_RANGE);
  EXPECT_EQ(lav_monitor_law_term(monitor, 0, 0, 6, &term), LAV_OUT_OF_RANGE);
  EXPECT_EQ(lav_monitor_variable_skill(monitor, 4, &skill), LAV_OUT_OF_RANGE);
  closure.size = 8;
  EXPECT_EQ(lav_monitor_law_closure(monitor, 0, 0, &closure), LAV_UNSUPPORTED_VERSION);
  lav_monitor_destroy(monitor);
  lav_model_destroy(model);
}

TEST(MonitorC, StopsAndRefusesWithStatuses) {
  Step step(model_of(ModelBuilder::ocean().build()));
  step.fields.outputs[2][55] += 0.25;
  lav_model* model = loaded(ModelBuilder::ocean().build());
  lav_monitor_options options = LAV_MONITOR_OPTIONS_INIT;
  options.stop = 1;
  options.steps = 1;
  lav_monitor* monitor = nullptr;
  ASSERT_EQ(lav_monitor_create(model, &options, &monitor), LAV_OK);
  CRun run(step);
  run.originals[0].units = "kW m-2";
  EXPECT_EQ(lav_monitor_add(monitor, &run.arguments, run.originals.data(), 6, nullptr), LAV_UNIT_MISMATCH);
  EXPECT_EQ(lav_monitor_add(monitor, &run.arguments, nullptr, 6, nullptr), LAV_INVALID_ARGUMENT);
  EXPECT_EQ(lav_monitor_add(monitor, nullptr, nullptr, 0, nullptr), LAV_INVALID_ARGUMENT);
  ASSERT_EQ(lav_monitor_add(monitor, &run.arguments, nullptr, 0, nullptr), LAV_OK);
  EXPECT_EQ(lav_monitor_end_step(monitor, 7, LAV_OK, nullptr, nullptr), LAV_LAW_VIOLATED);
  EXPECT_NE(std::strstr(lav_last_error(), "step 7: the emulator violates law 'radiation'"), nullptr)
      << lav_last_error();
  EXPECT_EQ(lav_monitor_is_active(monitor), 0);
  EXPECT_EQ(lav_monitor_add(monitor, nullptr, nullptr, 0, nullptr), LAV_OK);  // off: nothing is looked at
  EXPECT_EQ(lav_monitor_end_step(monitor, 8, LAV_OK, nullptr, nullptr), LAV_OK);
  lav_monitor_destroy(monitor);
  const int physics[] = {0, 1, 1};
  options.physics = physics;
  options.physics_count = 3;
  EXPECT_EQ(lav_monitor_create(model, &options, &monitor), LAV_SHAPE_MISMATCH);
  EXPECT_EQ(monitor, nullptr);
  options.physics_count = 0;
  options.log = "/no/such/folder/log.csv";
  EXPECT_EQ(lav_monitor_create(model, &options, &monitor), LAV_NOT_FOUND);
  EXPECT_EQ(lav_monitor_create(nullptr, nullptr, &monitor), LAV_INVALID_ARGUMENT);
  EXPECT_EQ(lav_monitor_end_step(nullptr, 0, LAV_OK, nullptr, nullptr), LAV_INVALID_ARGUMENT);
  EXPECT_EQ(lav_monitor_is_active(nullptr), 0);
  lav_monitor_destroy(nullptr);
  lav_model_destroy(model);
}

TEST(MonitorC, ConstantsAndFlags) {
  const ModelFile file = column_laws().build();
  Step step(model_of(file));
  lav_model *model = loaded(file), *own = nullptr;
  ASSERT_EQ(lav_model_constant_count(model), 2u);
  const lav_host_constant constants[] = {{"cp", 3.5 * (1.0 + 4e-8), "J kg-1 K-1"}};
  lav_host_constants host = LAV_HOST_CONSTANTS_INIT;
  host.constants = constants;
  host.constant_count = 1;
  ASSERT_EQ(lav_model_with_constants(model, &host, &own), LAV_OK) << lav_last_error();
  lav_constant_info info = LAV_CONSTANT_INFO_INIT;
  ASSERT_EQ(lav_model_constant(own, 0, &info), LAV_OK);
  EXPECT_STREQ(info.name, "cp");
  EXPECT_STREQ(info.units, "J kg-1 K-1");
  EXPECT_EQ(info.value, 3.5 * (1.0 + 4e-8));
  EXPECT_EQ(info.file_value, 3.5);
  EXPECT_EQ(lav_model_constant(own, 2, &info), LAV_OUT_OF_RANGE);
  lav_model_destroy(own);
  const lav_host_constant wrong[] = {{"cp", 3.6, nullptr}};
  host.constants = wrong;
  EXPECT_EQ(lav_model_with_constants(model, &host, &own), LAV_OUT_OF_RANGE);
  EXPECT_NE(std::strstr(lav_last_error(), "the host has 3.6 J kg-1 K-1, the model file 3.5 J kg-1 K-1"), nullptr);
  EXPECT_EQ(own, nullptr);
  const double levels[5] = {};
  const lav_host_coordinate coordinate[] = {{"level", levels, 5}};
  host.constant_count = 0;
  host.coordinates = coordinate;
  host.coordinate_count = 1;
  EXPECT_EQ(lav_model_with_constants(model, &host, &own), LAV_NOT_FOUND);
  EXPECT_NE(std::strstr(lav_last_error(), "carries no values"), nullptr);

  lav_workspace* workspace = nullptr;
  ASSERT_EQ(lav_workspace_create(model, nullptr, &workspace), LAV_OK);
  CRun run(step);
  lav_input_flag flag = LAV_INPUT_FLAG_INIT;
  step.fields.inputs[0][29 * 5 + 2] = 5.0;  // beside the column's 1e6, which lies in another column
  ASSERT_EQ(lav_workspace_input_flag(workspace, &run.arguments, 29, 0, &flag), LAV_OK) << lav_last_error();
  EXPECT_EQ(flag.count, 1);
  EXPECT_STREQ(flag.name, "mass");
  EXPECT_EQ(flag.element, 2);
  EXPECT_EQ(flag.value, 5.0);
  EXPECT_EQ(flag.maximum, 4.0);
  EXPECT_EQ(flag.status, LAV_OUT_OF_RANGE);
  ASSERT_EQ(lav_workspace_input_flag(workspace, &run.arguments, 29, 1, &flag), LAV_OK);
  EXPECT_EQ(flag.count, 1);
  EXPECT_EQ(flag.name, nullptr);
  EXPECT_EQ(lav_workspace_input_flag(workspace, &run.arguments, 300, 0, &flag), LAV_OUT_OF_RANGE);
  lav_workspace_destroy(workspace);
  lav_model_destroy(model);
}
