// Laws over all columns that the model file states: their rows and right-hand sides, made of inputs and the host's numbers.

#include "emulator_fixture.hpp"

#include <lavoisier/column_sums.hpp>
#include <lavoisier/model_global_laws.hpp>

using namespace lavoisier;
using namespace lavoisier::tests;

namespace {

constexpr std::int64_t count = 41, outputs = 6;
constexpr int fsr = 0, fdh = 5, sst = 1;

Expression sym(const char* name) { return Expression::symbol(name); }
Expression over_columns(const Expression& summed) { return Expression::sum(columns_dimension, summed); }

/// mean(area, FDH) = mean_FDH, and sum(columns, g * SST * FSR - area * SST) = 0.
ModelBuilder ocean() {
  auto builder = ModelBuilder::ocean();
  builder.variable("area", "m2", Role::diagnostic, {}).variable("mean_FDH", "W m-2", Role::diagnostic, {});
  builder.constants = {{"g", "1", 2.0}};
  Law mean;
  mean.name = "mean";
  mean.equation = "mean(area, FDH) = mean_FDH";
  mean.units = "W m-2";
  mean.scope = LawScope::global;
  mean.terms = {{"FDH", sym("area") / over_columns(sym("area"))}};
  mean.right_hand_side = sym("mean_FDH");
  Law sun = mean;
  sun.name = sun.equation = "sun";
  sun.terms = {{"FSR", sym("g") * sym("SST")}};
  sun.right_hand_side = over_columns(sym("area") * sym("SST"));
  builder.laws.push_back(mean);
  builder.laws.push_back(sun);
  return builder;
}

/// The host's numbers.
struct Numbers {
  std::vector<double> area;
  double mean = 7.5;
  std::vector<HostNumber> given;
  Numbers() {
    for (std::int64_t c = 0; c < count; ++c) area.push_back(1.0 + 0.25 * static_cast<double>(c % 5));
    given = from(0);
  }
  std::vector<HostNumber> from(std::int64_t first) const {
    return {{"mean_FDH", &mean, 0, "W m-2"}, {"area", area.data() + first, 1, "m2"}};
  }
};

/// Adds up all columns, in chunks.
void add_all(ModelGlobalLaws& stated, Fields<double>& fields, const Numbers& numbers, std::int64_t chunk) {
  stated.begin();
  for (std::int64_t first = 0; first < count; first += chunk) {
    auto inputs = fields.input_fields;
    for (std::size_t v = 0; v < inputs.size(); ++v) inputs[v].data = fields.inputs[v].data() + first * inputs[v].column_stride;
    RunArguments arguments = fields.arguments();
    arguments.inputs = inputs.data();
    arguments.columns = std::min(chunk, count - first);
    for (auto& input : inputs) input.columns = arguments.columns;
    const auto given = numbers.from(first);
    stated.add(arguments, given.data(), given.size());
  }
  stated.close();
}

TEST(ModelGlobalLaws, AreThoseOfTheFile) {
  const auto model = model_of(ocean().build());
  EXPECT_EQ(model->laws().size(), 2U) << "local ones";
  const ModelGlobalLaws stated(model);
  ASSERT_EQ(stated.laws().size(), 2U);
  EXPECT_EQ(stated.laws()[0].equation, "mean(area, FDH) = mean_FDH");
  ASSERT_EQ(stated.numbers().size(), 2U);
  EXPECT_EQ(stated.numbers()[0].name, "area");
  EXPECT_EQ(stated.numbers()[0].units, "m2");
  EXPECT_EQ(stated.numbers()[1].name, "mean_FDH");
  EXPECT_TRUE(stated.has_sums());
  EXPECT_TRUE(ModelGlobalLaws(model_of(ModelBuilder::ocean().build())).laws().empty());
}

TEST(ModelGlobalLaws, RowsAreTheEquations) {
  const auto model = model_of(ocean().build());
  Fields<double> fields(*model, count);
  const Numbers numbers;
  double area = 0.0, warmth = 0.0;
  for (std::int64_t c = 0; c < count; ++c) {
    area += numbers.area[static_cast<std::size_t>(c)];
    warmth += numbers.area[static_cast<std::size_t>(c)] * fields.inputs[sst][static_cast<std::size_t>(c)];
  }
  std::vector<double> first;
  for (const std::int64_t chunk : {count, std::int64_t{7}, std::int64_t{1}}) {
    ModelGlobalLaws stated(model);
    add_all(stated, fields, numbers, chunk);
    double D[2] = {0, 0};
    stated.right_hand_side(numbers.given.data(), numbers.given.size(), D);
    EXPECT_EQ(D[0], 7.5);
    EXPECT_NEAR(D[1], warmth, 1e-12);
    std::vector<double> B(count * 2 * outputs, -1.0);
    stated.coefficients(fields.arguments(), numbers.given.data(), numbers.given.size(), B.data());
    for (std::int64_t c = 0; c < count; ++c)
      for (int i = 0; i < outputs; ++i) {
        const auto at = static_cast<std::size_t>(c);
        EXPECT_NEAR(B[static_cast<std::size_t>(c * 2 * outputs + i)], i == fdh ? numbers.area[at] / area : 0.0, 1e-16);
        EXPECT_EQ(B[static_cast<std::size_t>((c * 2 + 1) * outputs + i)], i == fsr ? 2.0 * fields.inputs[sst][at] : 0.0);
      }
    if (first.empty()) first = B;
    EXPECT_EQ(B, first) << "the same bits for every chunk";
  }
}

TEST(ModelGlobalLaws, AreMetByTheTwoPhases) {
  const auto model = model_of(ocean().build());
  Fields<double> fields(*model, count);
  const Numbers numbers;
  ModelGlobalLaws stated(model);
  add_all(stated, fields, numbers, 9);
  double D[2];
  stated.right_hand_side(numbers.given.data(), numbers.given.size(), D);
  std::vector<double> B(count * 2 * outputs);
  GlobalLawsOptions options;
  options.rows = 2;
  GlobalLaws laws(model, options);
  WorkspaceOptions workspace_options;
  workspace_options.global_rows = 2;
  workspace_options.max_columns = count;
  workspace_options.backend = Backend::serial;
  Workspace workspace(model, workspace_options);
  auto arguments = fields.arguments();
  stated.coefficients(arguments, numbers.given.data(), numbers.given.size(), B.data());
  arguments.global = &laws;
  arguments.global_rows = stated.rows(B.data());
  laws.begin(D);
  workspace.run(arguments);
  laws.close();
  workspace.correct(arguments);
  laws.finish();
  double mean = 0.0, area = 0.0, size = 0.0;
  for (std::int64_t c = 0; c < count; ++c) {
    const double weight = numbers.area[static_cast<std::size_t>(c)], y = fields.outputs[fdh][static_cast<std::size_t>(c)];
    mean += weight * y;
    size += weight * std::abs(y);
    area += weight;
  }
  EXPECT_NEAR(mean / area, 7.5, 1e-14 * (size / area + 7.5));
  for (int row = 0; row < 2; ++row) EXPECT_LE(laws.closure(0, row).relative_after, 1e-14);
}

TEST(ModelGlobalLaws, HaveTheHostsConstants) {
  const HostConstant g[] = {{"g", 2.0 + 1e-7, "1"}};
  HostConstants host;
  host.constants = g;
  host.constant_count = 1;
  const auto model = model_of(ocean().build())->with_constants(host);
  Fields<double> fields(*model, count);
  const Numbers numbers;
  ModelGlobalLaws stated(model);
  add_all(stated, fields, numbers, count);
  std::vector<double> B(count * 2 * outputs);
  stated.coefficients(fields.arguments(), numbers.given.data(), numbers.given.size(), B.data());
  EXPECT_EQ(B[outputs + fsr], (2.0 + 1e-7) * fields.inputs[sst][0]);
}

TEST(ModelGlobalLaws, OnlySelectedColumnsCount) {
  const auto model = model_of(ocean().build());
  Fields<double> fields(*model, count);
  const Numbers numbers;
  const std::int64_t active[] = {3, 8};
  auto arguments = fields.arguments();
  arguments.active = active;
  arguments.active_count = 2;
  ModelGlobalLaws stated(model);
  stated.begin();
  stated.add(arguments, numbers.given.data(), numbers.given.size());
  stated.close();
  std::vector<double> B(count * 2 * outputs, -1.0);
  stated.coefficients(arguments, numbers.given.data(), numbers.given.size(), B.data());
  EXPECT_EQ(B[3 * 2 * outputs + fdh], numbers.area[3] / (numbers.area[3] + numbers.area[8]));
  EXPECT_EQ(B[4 * 2 * outputs + fdh], 0.0);
}

TEST(ModelGlobalLaws, WhatIsMissingOrWrongIsSaid) {
  const auto model = model_of(ocean().build());
  Fields<double> fields(*model, count);
  Numbers numbers;
  ModelGlobalLaws stated(model);
  std::vector<double> B(count * 2 * outputs);
  double D[2];
  const auto coefficients = [&] { stated.coefficients(fields.arguments(), numbers.given.data(), numbers.given.size(), B.data()); };
  expect_error(Status::non_finite, "law 'mean', column 0: a coefficient is no finite number (sums over columns are closed?)", coefficients);
  expect_error(Status::not_found, "laws over all columns need 'area' [m2], which was not given",
               [&] { stated.add(fields.arguments(), numbers.given.data(), 1); });
  numbers.given[1].units = "km2";
  expect_error(Status::unit_mismatch, "'area': expected units 'm2', found 'km2'", coefficients);
  numbers.given[1] = {"mass", numbers.area.data(), 1, nullptr};
  expect_error(Status::not_found, "no law over all columns names 'mass'", coefficients);
  numbers.given[1] = {"area", nullptr, 1, nullptr};
  expect_error(Status::invalid_argument, "the values of 'area' are null", coefficients);
  numbers = Numbers();
  add_all(stated, fields, numbers, count);
  numbers.given[0].column_stride = 1;
  expect_error(Status::non_finite, "law 'mean': its right-hand side is no finite number",
               [&] { stated.right_hand_side(numbers.given.data(), numbers.given.size(), D); });
  expect_error(Status::io_error, "1 of the ranks failed before", [&] { stated.close(Status::io_error); });

  auto builder = ocean();
  builder.laws.back().right_hand_side = sym("SST");
  expect_error(Status::unsupported, "law 'sun': its right-hand side names the input 'SST' outside a sum over the columns",
               [&] { ModelGlobalLaws(model_of(builder.build())); });
  builder.laws.back().right_hand_side = over_columns(sym("SST") / over_columns(sym("area")));
  expect_error(Status::unsupported, "a sum over all columns inside another", [&] { ModelGlobalLaws(model_of(builder.build())); });
}

}  // namespace
