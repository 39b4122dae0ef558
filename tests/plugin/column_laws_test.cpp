// Laws whose coefficients are each column's own.

#include "column_laws.hpp"
#include "emulator_fixture.hpp"

using namespace lavoisier;
using namespace lavoisier::tests;

namespace {

WorkspaceOptions options_for(Backend backend) {
  WorkspaceOptions options;
  options.backend = backend;
  options.max_columns = 500;
  options.seed = 11;
  return options;
}

Fields<double> run(const std::shared_ptr<const Model>& model, std::int64_t count, Backend backend,
                   std::int64_t chunk = 500) {
  Fields<double> fields(*model, count);
  Workspace workspace(model, options_for(backend));
  run_in_chunks(workspace, *model, fields, chunk);
  return fields;
}

TEST(ColumnLaws, HoldToTheIdentityToleranceInEveryColumn) {
  const auto model = model_of(column_laws().build());
  Fields<double> fields(*model, 500);
  Workspace workspace(model, options_for(Backend::openmp));
  const RunReport& report = workspace.run(fields.arguments());
  ASSERT_EQ(report.laws.size(), 4u);
  EXPECT_EQ(report.columns, 500);
  for (const auto& law : report.laws) EXPECT_LT(law.max_relative, 1e-14);
  // As a host sees it, of the stored values.
  for (std::int64_t c = 0; c < 500; ++c) {
    const auto x = fields.flat(c), y = fields.flat_outputs(c);
    double water = y[5] - x[5], size = std::abs(y[5]) + std::abs(x[5]);
    for (std::size_t i = 0; i < 5; ++i) {
      water += x[i] * y[i];
      size += std::abs(x[i] * y[i]);
    }
    EXPECT_LE(std::abs(water), 1e-14 * size) << c;
  }
}

TEST(ColumnLaws, BitsDoNotDependOnChunksNorBackend) {
  const auto model = model_of(column_laws().build());
  const auto whole = run(model, 203, Backend::serial);
  for (const std::int64_t chunk : {1, 3, 8, 9, 31, 64, 203})
    for (const Backend backend : {Backend::serial, Backend::openmp})
      EXPECT_TRUE(same_bits(whole.outputs, run(model, 203, backend, chunk).outputs)) << chunk;
}

TEST(ColumnLaws, CoefficientsThatHappenToBeTheSameGiveTheBitsOfSharedOnes) {
  const auto file = [](bool own) {
    ModelBuilder b;
    b.input("a").input("b").input("w");
    b.output("p").output("q").output("r");
    const Expression weight = own ? Expression::symbol("w") : Expression(1.75);
    for (const char* name : {"first", "second"}) {
      b.law(name, {{"p", 1.0}, {"r", 0.5}}, Expression::symbol("a"));
      b.laws.back().terms.push_back({name == std::string("first") ? "q" : "p", weight});
    }
    return b.build();
  };
  std::vector<Fields<double>> made;
  for (const bool own : {false, true}) {
    ModelFile given = file(own);
    const auto model = model_of(given);
    Fields<double> fields(*model, 77);
    std::fill(fields.inputs[2].begin(), fields.inputs[2].end(), 1.75);
    auto options = options_for(Backend::openmp);
    options.override_stream = true;  // the files' digests differ
    options.stream = 5;
    Workspace workspace(model, options);
    workspace.run(fields.arguments());
    made.push_back(std::move(fields));
  }
  EXPECT_TRUE(same_bits(made[0].outputs, made[1].outputs));
}

TEST(ColumnLaws, AColumnThatCannotObeyIsFlaggedAndItsNeighboursAreUntouched) {
  const auto model = model_of(column_laws().build());
  Fields<double> fields(*model, 100), alone(*model, 100);
  Workspace workspace(model, options_for(Backend::openmp));
  workspace.run(alone.arguments());
  // No mass, no surface term that could take the rest: sum over nothing = sun - ...; the energy law has the flux alone,
  // which the surface law has too.
  for (std::size_t i = 0; i < 5; ++i) fields.inputs[0][5 * 41 + i] = 0.0;
  std::vector<Status> status(100);
  auto arguments = fields.arguments();
  arguments.status = status.data();
  const RunReport& report = workspace.run(arguments);
  EXPECT_EQ(report.columns, 99);
  for (std::int64_t c = 0; c < 100; ++c) {
    EXPECT_EQ(static_cast<int>(status[static_cast<std::size_t>(c)]),
              static_cast<int>(c == 41 ? Status::rank_deficient : Status::ok))
        << c;
    if (c == 41) continue;
    EXPECT_EQ(fields.flat_outputs(c), alone.flat_outputs(c)) << c;
  }
  EXPECT_EQ(fields.flat_outputs(41), std::vector<double>(12, Fields<double>::untouched));
}

TEST(ColumnLaws, ACoefficientThatIsNoNumberIsTheColumnsStatus) {
  auto b = column_laws();
  b.laws.resize(1);
  b.laws[0].terms[1].coefficient = Expression(1.0) / Expression::symbol("dry");
  const auto model = model_of(b.build());
  Fields<double> fields(*model, 10);
  fields.inputs[1][6] = 0.0;
  std::vector<Status> status(10);
  Workspace workspace(model, options_for(Backend::serial));
  auto arguments = fields.arguments();
  arguments.status = status.data();
  EXPECT_EQ(workspace.run(arguments).columns, 9);
  EXPECT_EQ(static_cast<int>(status[6]), static_cast<int>(Status::non_finite));
}

TEST(ColumnLaws, ContradictionsAreFoundAtLoad) {
  auto b = column_laws();
  b.laws[3].right_hand_side = b.laws[3].right_hand_side + Expression(1.0);
  expect_error(Status::inconsistent_laws, "law 'again' contradicts 'water', 'surface'", [&] { model_of(b.build()); });
  auto empty = column_laws();
  empty.laws[0].terms = {{"dq", Expression::symbol("mass") - Expression::symbol("mass")}};
  expect_error(Status::non_finite, "law 'water': its coefficients are zero", [&] { model_of(empty.build()); });
}

TEST(ColumnLaws, CoefficientsOverADimensionThatTheVariableLacksAreRefused) {
  auto b = column_laws();
  b.laws[0].terms[1].coefficient = Expression::symbol("mass");  // of rain, one number
  expect_error(Status::shape_mismatch, "dimension 'level'", [&] { model_of(b.build()); });
}

}  // namespace
