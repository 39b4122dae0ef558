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

// The condition number is a product: no pivot alone is small. Rows reach back by two outputs.
TEST(ColumnLaws, EveryColumnHoldsItsLawsOrIsFlagged) {
  for (const auto& [m, s] : std::vector<std::pair<int, double>>{{3, 1.1e-3}, {4, 1.1e-3}, {5, 0.01}, {8, 0.1}, {12, 0.2}})
    for (const char* strategy : {"projection", "conditional"}) {
      SCOPED_TRACE(testing::Message() << m << " laws, " << s << ", " << strategy);
      const double r = std::sqrt(1.0 - s * s);
      ModelBuilder b;
      b.strategy = strategy;
      b.input("x");
      for (int i = 0; i < m; ++i) b.output("y" + std::to_string(i));
      b.output_scale.assign(static_cast<std::size_t>(m), 1.0);
      const auto y = [](int i) { return "y" + std::to_string(i); };
      b.law("law0", {{y(0), 1.0}}, Expression::symbol("x"));
      b.law("law1", {{y(0), r}, {y(1), s}}, Expression(0.5));
      for (int k = 2; k < m; ++k)
        b.law("law" + std::to_string(k), {{y(k - 2), 0.6 * r}, {y(k - 1), 0.8 * r}, {y(k), s}}, Expression(0.5));
      const auto model = model_of(b.build());
      Fields<double> fields(*model, 64);
      std::vector<Status> status(64);
      auto arguments = fields.arguments();
      arguments.status = status.data();
      Workspace workspace(model, options_for(Backend::openmp));
      const RunReport& report = workspace.run(arguments);
      for (const auto& law : report.laws) EXPECT_LE(law.max_relative, 1e-14);
      for (const Status found : status)
        EXPECT_TRUE(found == Status::ok || found == Status::rank_deficient) << static_cast<int>(found);
    }
}

// A law that follows from another where x is what it was in training, and not elsewhere.
TEST(ColumnLaws, ALawThatDoesNotFollowAfterAllIsTheColumnsStatus) {
  ModelBuilder b;
  b.input("x").input("u");
  b.output("p").output("q").output("r");
  b.law("first", {{"p", 1.0}, {"q", 1.0}}, Expression::symbol("u"));
  b.law("second", {{"p", 1.0}}, Expression::symbol("u"));
  // 1 + (x - 1)(x - 2)(x + 3)(x + 1): 1 at every point of the training range that is tried.
  const Expression x = Expression::symbol("x");
  Expression bump = Expression(1.0);
  for (const double point : {-4.0, -2.0, 0.0, 2.0}) bump = bump * (x - Expression(point));
  b.laws[1].terms.push_back({"q", Expression(1.0) + bump});
  const auto model = model_of(b.build());
  Fields<double> fields(*model, 20);
  for (double& value : fields.inputs[0]) value = -2.0;
  fields.inputs[0][7] = 1.0;
  std::vector<Status> status(20);
  auto arguments = fields.arguments();
  arguments.status = status.data();
  Workspace workspace(model, options_for(Backend::serial));
  EXPECT_EQ(workspace.run(arguments).columns, 19);
  for (std::size_t c = 0; c < 20; ++c)
    EXPECT_EQ(static_cast<int>(status[c]), static_cast<int>(c == 7 ? Status::inconsistent_laws : Status::ok)) << c;
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
