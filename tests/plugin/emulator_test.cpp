#include "column_laws.hpp"
#include "emulator_fixture.hpp"

#include <algorithm>
#include <cmath>
#include <cstdlib>

using namespace lavoisier;
using namespace lavoisier::tests;

namespace {

constexpr std::uint64_t seed = 20260301;

WorkspaceOptions options_for(Backend backend, std::int64_t columns = 1024) {
  WorkspaceOptions options;
  options.backend = backend;
  options.max_columns = columns;
  options.seed = seed;
  return options;
}

struct Shape {
  const char* name;
  ModelBuilder builder;
};

/// Networks, heads and laws of several kinds and odd sizes.
std::vector<Shape> shapes() {
  std::vector<Shape> all;
  for (const char* strategy : {"none", "projection", "post_hoc", "conditional"}) {
    auto b = ModelBuilder::ocean();
    b.strategy = strategy;
    all.push_back({strategy, b});
  }
  auto linear = ModelBuilder::ocean();
  linear.hidden = {};
  linear.parametrization = "exp";
  all.push_back({"no hidden layer, exp", linear});
  auto deep = ModelBuilder::ocean();
  deep.hidden = {37, 37, 65};
  deep.layer_norm = deep.residual = true;
  all.push_back({"layer norm, residual, odd widths", deep});
  auto narrow = ModelBuilder::ocean();
  narrow.hidden = {1, 17};
  all.push_back({"width 1", narrow});
  ModelBuilder levels;
  levels.dimensions = {{"level", DimensionKind::level, 5, false}};
  levels.input("T", "K", {"level"}).input("p", "hPa").input("mass", "1", {"level"});
  levels.output("heating", "W m-2", {"level"}).output("flux");
  levels.constants = {{"g", "m s-2", 9.80665}};
  levels.law("column", {{"heating", 1.0}, {"flux", -2.0}},
             Expression::sum("level", Expression::symbol("T") * Expression::symbol("mass")) / Expression::symbol("g") -
                 Expression::symbol("p"));
  all.push_back({"levels, right-hand side from inputs", levels});
  all.push_back({"coefficients of each column", column_laws()});
  auto lawless = ModelBuilder::ocean();
  lawless.laws.clear();
  all.push_back({"no laws", lawless});
  ModelBuilder square;
  square.input("x");
  square.output("a").output("b");
  square.law("first", {{"a", 1.0}, {"b", 1.0}}, Expression::symbol("x"));
  square.law("second", {{"a", 1.0}, {"b", -3.0}}, Expression(2.0));
  all.push_back({"as many laws as outputs", square});
  auto redundant = ModelBuilder::ocean();
  redundant.law("again", {{"FDH", 2.0}, {"FSR", -2.0}, {"FUL", 2.0}, {"FLH", 2.0}, {"FSH", 2.0}});
  all.push_back({"a law that follows from others", redundant});
  auto constant = ModelBuilder::ocean();
  constant.output_scale = {5, 0, 7, 8, 9, 10};
  all.push_back({"a constant output", constant});
  ModelBuilder many;
  for (int i = 0; i < 3; ++i) many.input("x" + std::to_string(i));
  for (int i = 0; i < 40; ++i) many.output("y" + std::to_string(i));
  std::mt19937 generator(3);
  std::normal_distribution<double> normal;
  for (int k = 0; k < 16; ++k) {
    std::vector<std::pair<std::string, double>> terms;
    for (int i = 0; i < 40; ++i) terms.emplace_back("y" + std::to_string(i), normal(generator));
    many.law("law" + std::to_string(k), terms, Expression::symbol("x" + std::to_string(k % 3)));
  }
  all.push_back({"16 dense laws", many});
  return all;
}

/// 1 column, a vector's width and its neighbours, a tile's and its neighbours, primes.
const std::vector<std::int64_t> counts{1, 2, 3, 4, 5, 6, 7, 8, 9, 15, 16, 17, 31, 32, 33, 64, 97};

/// The oracle solves for laws that are independent.
ModelFile without_dependent_law(ModelFile file) {
  auto& laws = file.description.laws;
  if (!laws.empty() && laws.back().name == "again") laws.pop_back();
  return file;
}

}  // namespace

TEST(Emulator, DrawsEqualTheDocumentedArithmeticBitForBit) {
  for (const auto& shape : shapes()) {
    SCOPED_TRACE(shape.name);
    auto builder = shape.builder;
    builder.strategy = "none";
    const ModelFile file = builder.build();
    const auto model = model_of(file);
    const ModelFile read = [&] {
      const auto bytes = file.serialize();
      return ModelFile::parse(bytes, "by hand");
    }();
    Workspace workspace(model, options_for(Backend::serial));
    for (const std::int64_t count : counts) {
      Fields<double> fields(*model, count);
      auto arguments = fields.arguments();
      arguments.first_column_id = 4000000000u;
      arguments.step = 17;
      arguments.member = 3;
      workspace.run(arguments);
      for (std::int64_t c = 0; c < count; ++c) {
        OracleDraw draw;
        draw.key = {seed, read.default_stream()};
        draw.address.column = 4000000000u + static_cast<std::uint64_t>(c);
        draw.address.step = 17;
        draw.address.member = 3;
        const auto expected = oracle(file, fields.flat(c), draw, Arithmetic::as_documented).outputs;
        const auto found = fields.flat_outputs(c);
        for (std::size_t i = 0; i < found.size(); ++i)
          ASSERT_EQ(found[i], expected[i]) << count << " columns, column " << c << ", output " << i;
      }
    }
  }
}

TEST(Emulator, AgreesWithDoublePrecisionOracle) {
  for (const auto& shape : shapes()) {
    SCOPED_TRACE(shape.name);
    const ModelFile file = shape.builder.build();
    const auto model = model_of(file);
    Workspace workspace(model, options_for(Backend::automatic));
    Fields<double> fields(*model, 50);
    for (const bool mean : {false, true}) {
      auto arguments = fields.arguments();
      arguments.step = 5;
      const auto& report = mean ? workspace.run_mean(arguments) : workspace.run(arguments);
      EXPECT_EQ(report.columns, 50);
      for (std::int64_t c = 0; c < 50; ++c) {
        OracleDraw draw;
        draw.key = {seed, std::stoull(model->digest().substr(0, 16), nullptr, 16)};
        draw.address.column = static_cast<std::uint64_t>(c);
        draw.address.step = 5;
        draw.mean_only = mean;
        const auto expected = oracle(without_dependent_law(file), fields.flat(c), draw, Arithmetic::fp64);
        const auto found = fields.flat_outputs(c);
        for (std::size_t i = 0; i < found.size(); ++i) {
          const double scale = 50.0 + 10.0 * static_cast<double>(found.size());
          EXPECT_NEAR(found[i], expected.outputs[i], 2e-5 * scale) << "column " << c << ", output " << i;
        }
      }
    }
  }
}

TEST(Emulator, ConstraintStepAgreesWithExtendedPrecision) {
  // The unconstrained model has the same network and draws: its outputs are the constraint's input.
  for (const auto& shape : shapes()) {
    if (shape.builder.strategy == "none" || shape.builder.laws.empty()) continue;
    SCOPED_TRACE(shape.name);
    const ModelFile file = shape.builder.build();
    const auto model = model_of(file);
    Workspace workspace(model, options_for(Backend::serial));
    Fields<double> fields(*model, 40);
    workspace.run(fields.arguments());
    for (std::int64_t c = 0; c < 40; ++c) {
      OracleDraw draw;
      draw.key = {seed, std::stoull(model->digest().substr(0, 16), nullptr, 16)};
      draw.address.column = static_cast<std::uint64_t>(c);
      const auto expected = oracle(without_dependent_law(file), fields.flat(c), draw, Arithmetic::as_documented);
      const auto found = fields.flat_outputs(c);
      for (std::size_t i = 0; i < found.size(); ++i)
        EXPECT_NEAR(found[i], expected.outputs[i], 1e-11 * 100.0) << "column " << c << ", output " << i;
    }
  }
}

TEST(Emulator, ClosesEveryLawAsStored) {
  for (const auto& shape : shapes()) {
    if (shape.builder.strategy == "none" || shape.builder.laws.empty()) continue;
    SCOPED_TRACE(shape.name);
    const ModelFile file = shape.builder.build();
    const auto model = model_of(file);
    Workspace workspace(model, options_for(Backend::automatic));
    const auto check = [&](auto fields, double tolerance) {
      const auto& report = workspace.run(fields.arguments());
      ASSERT_EQ(report.laws.size(), file.description.laws.size());
      for (std::size_t l = 0; l < report.laws.size(); ++l) {
        double worst = 0.0, worst_absolute = 0.0, squares = 0.0;
        std::int64_t column = -1;
        for (std::int64_t c = 0; c < fields.columns; ++c) {
          const auto laws = oracle_laws(file.description, fields.flat(c));
          const auto y = fields.flat_outputs(c);
          long double residual = -static_cast<long double>(laws.b[l]), size = std::abs(laws.b[l]);
          for (std::size_t i = 0; i < y.size(); ++i) {
            residual += static_cast<long double>(laws.A[l][i]) * y[i];
            size += std::abs(static_cast<long double>(laws.A[l][i]) * y[i]);
          }
          const double relative = residual == 0.0L ? 0.0 : static_cast<double>(std::abs(residual) / size);
          if (relative > worst || column < 0) {
            worst = relative;
            column = c;
          }
          worst_absolute = std::max(worst_absolute, static_cast<double>(std::abs(residual)));
          squares += static_cast<double>(residual * residual);
        }
        EXPECT_LE(worst, tolerance);
        EXPECT_LE(report.laws[l].max_relative, tolerance);
        if (tolerance > 1e-10) {  // visible rounding: the report must be the independent count's
          EXPECT_NEAR(report.laws[l].max_relative, worst, 1e-3 * worst);
          EXPECT_NEAR(report.laws[l].max_absolute, worst_absolute, 1e-3 * worst_absolute);
          EXPECT_NEAR(report.laws[l].rms, std::sqrt(squares / static_cast<double>(fields.columns)),
                      1e-3 * worst_absolute);
          EXPECT_EQ(report.laws[l].worst_column, column);
        }
      }
    };
    check(Fields<double>(*model, 500), 1e-14);
    check(Fields<float>(*model, 500), 5e-7);
  }
}

TEST(Emulator, UnconstrainedModelIsReportedAsViolating) {
  auto builder = ModelBuilder::ocean();
  builder.strategy = "none";
  const auto model = model_of(builder.build());
  Workspace workspace(model, options_for(Backend::serial));
  Fields<double> fields(*model, 100);
  const auto& report = workspace.run(fields.arguments());
  EXPECT_GT(report.laws[0].max_relative, 1e-3);
  EXPECT_GT(report.laws[1].max_absolute, 1.0);
}

TEST(Emulator, ClosesWithIllConditionedCovariance) {
  // Two nearly parallel laws whose difference hangs on small deviations: cond(W) about 1e8.
  ModelBuilder b;
  b.input("x");
  for (int i = 0; i < 6; ++i) b.output("y" + std::to_string(i));
  b.output_scale = {10.0, 1e-2, 1.0, 1e-3, 10.0, 1e-3};
  b.law("first", {{"y0", 1.0}, {"y1", 1.0}, {"y2", 1.0}, {"y3", 1.0}}, Expression::symbol("x"));
  b.law("second", {{"y0", 1.0}, {"y1", 1.0}, {"y2", 1.0 + 1e-4}, {"y5", 1.0}}, Expression(0.5));
  const auto model = model_of(b.build());
  Workspace workspace(model, options_for(Backend::serial));
  Fields<double> fields(*model, 1000);
  const auto& report = workspace.run(fields.arguments());
  for (const auto& law : report.laws) EXPECT_LE(law.max_relative, 1e-14);
}

// cond(W) about 1e13, where two passes leave 1e-5 of the terms: the columns are passed again until they close.
TEST(Emulator, ClosesWhereTwoPassesWouldNot) {
  ModelBuilder b;
  b.input("x");
  for (int i = 0; i < 4; ++i) b.output("y" + std::to_string(i));
  b.output_mean = {1.0, 2.0, 3.0, 4.0};
  b.output_scale = {1e3, 1e3, 1e-3, 1e-3};
  b.law("first", {{"y0", 1.0}, {"y1", 1.0}}, Expression::symbol("x"));
  b.law("second", {{"y0", 1.0}, {"y1", 1.0}, {"y2", 1.0}, {"y3", -1.0}}, Expression::symbol("x") + Expression(0.01));
  const auto model = model_of(b.build());
  for (const Backend backend : {Backend::serial, Backend::openmp}) {
    Workspace workspace(model, options_for(backend));
    Fields<double> fields(*model, 1000);
    const auto& report = workspace.run(fields.arguments());
    EXPECT_EQ(report.columns, 1000);
    for (const auto& law : report.laws) EXPECT_LE(law.max_relative, 1e-14);
  }
}

// Among well-conditioned columns those that are passed again leave their neighbours as they were.
TEST(Emulator, ColumnsThatArePassedAgainLeaveTheirNeighbours) {
  ModelBuilder b;
  b.input("x").input("c");
  for (int i = 0; i < 3; ++i) b.output("y" + std::to_string(i));
  b.law("first", {{"y0", 1.0}, {"y1", 1.0}}, Expression::symbol("x"));
  b.law("second", {{"y0", 1.0}, {"y1", 1.0}}, Expression(0.5));
  b.laws[1].terms.push_back({"y2", Expression::symbol("c")});  // small: the laws are all but the same
  const auto model = model_of(b.build());
  Fields<double> fields(*model, 64), near(*model, 64);
  for (const std::size_t c : {5u, 20u, 63u}) near.inputs[1][c] = 1e-6;
  Workspace workspace(model, options_for(Backend::serial));
  workspace.run(fields.arguments());
  const auto& report = workspace.run(near.arguments());
  EXPECT_EQ(report.columns, 64);
  for (const auto& law : report.laws) EXPECT_LE(law.max_relative, 1e-14);
  for (std::int64_t c = 0; c < 64; ++c) {
    if (c == 5 || c == 20 || c == 63) continue;
    EXPECT_EQ(fields.flat_outputs(c), near.flat_outputs(c)) << c;
  }
  Fields<double> chunked(*model, 64);
  chunked.inputs = near.inputs;
  run_in_chunks(workspace, *model, chunked, 3);
  EXPECT_TRUE(same_bits(near.outputs, chunked.outputs));
}

TEST(Emulator, ConstantOutputsAreNeverMoved) {
  auto builder = ModelBuilder::ocean();
  builder.output_scale = {5, 0, 7, 8, 9, 10};
  builder.output_mean = {1, 42.5, 3, 4, 5, 6};
  const auto model = model_of(builder.build());
  Workspace workspace(model, options_for(Backend::serial));
  Fields<double> fields(*model, 70);
  const auto& report = workspace.run(fields.arguments());
  for (const double y : fields.outputs[1]) EXPECT_EQ(y, 42.5);
  for (const auto& law : report.laws) EXPECT_LE(law.max_relative, 1e-14);
}

TEST(Emulator, LawAmongConstantsThatHoldIsKeptAndOneThatDoesNotIsFlagged) {
  for (const bool holds : {true, false}) {
    ModelBuilder b;
    b.input("x");
    b.output("a").output("b").output("c");
    b.output_mean = {3.0, 1.0, 0.0};
    b.output_scale = {0.0, 0.0, 2.0};
    b.law("constants", {{"a", 1.0}, {"b", -3.0}}, Expression(holds ? 0.0 : 1.0));
    b.law("free", {{"a", 1.0}, {"c", 1.0}}, Expression::symbol("x"));
    const auto model = model_of(b.build());
    Workspace workspace(model, options_for(Backend::serial));
    Fields<double> fields(*model, 20);
    std::vector<Status> status(20, Status::internal);
    auto arguments = fields.arguments();
    arguments.status = status.data();
    const auto& report = workspace.run(arguments);
    EXPECT_EQ(report.rank_deficient, holds ? 0 : 20);
    EXPECT_EQ(report.columns, holds ? 20 : 0);
    for (int c = 0; c < 20; ++c) {
      EXPECT_EQ(status[static_cast<std::size_t>(c)], holds ? Status::ok : Status::rank_deficient);
      if (!holds) {
        EXPECT_EQ(fields.outputs[2][static_cast<std::size_t>(c)], Fields<double>::untouched);
      }
    }
    for (const auto& law : report.laws) EXPECT_LE(law.max_relative, 1e-14);
  }
}

TEST(Emulator, ALawThatCannotBeToldLeavesItsColumnUntouched) {
  // The second law follows from the first, so only its right-hand side says that z = 0 has no number for it.
  ModelBuilder b;
  b.input("x").input("z");
  b.output("a").output("b");
  const auto x = Expression::symbol("x"), z = Expression::symbol("z");
  b.law("sum", {{"a", 1.0}, {"b", 1.0}}, x);
  b.law("twice", {{"a", 2.0}, {"b", 2.0}}, Expression(2.0) * (x * z / z));
  const auto model = model_of(b.build());
  Workspace workspace(model, options_for(Backend::serial));
  Fields<double> clean(*model, 40), fields(*model, 40);
  fields.inputs[1][17] = 0.0;
  std::vector<Status> status(40, Status::internal);
  auto arguments = fields.arguments();
  arguments.status = status.data();
  workspace.run(clean.arguments());
  const auto& report = workspace.run(arguments);
  EXPECT_EQ(report.columns, 39);
  EXPECT_EQ(report.non_finite, 1);
  EXPECT_EQ(status[17], Status::non_finite);
  for (std::size_t v = 0; v < 2; ++v)
    for (std::size_t c = 0; c < 40; ++c)
      EXPECT_EQ(fields.outputs[v][c], c == 17 ? Fields<double>::untouched : clean.outputs[v][c]);
  for (const auto& law : report.laws) EXPECT_LE(law.max_relative, 1e-14);
}

TEST(Emulator, TermsBeyondTheRangeOfDoubleAreNoClosure) {
  // 'huge' is true of every draw up to rounding; its terms are infinite, so nothing is known of it.
  ModelBuilder b;
  b.input("x");
  b.output("a").output("b");
  b.strategy = "none";
  b.output_mean = {1e300, 1e300};
  b.output_scale = {1e290, 1e290};
  b.law("huge", {{"a", 1e100}, {"b", -1e100}});
  const auto model = model_of(b.build());
  Workspace workspace(model, options_for(Backend::serial));
  Fields<double> fields(*model, 20);
  EXPECT_EQ(workspace.run(fields.arguments()).non_finite, 20);
  for (const double y : fields.outputs[0]) EXPECT_EQ(y, Fields<double>::untouched);
}

TEST(Emulator, ADeviationBeyondTheRangeOfDoubleIsAStatus) {
  for (const char* strategy : {"conditional", "none", "projection"})
    for (const std::size_t which : {std::size_t{2}, std::size_t{6}}) {  // under both laws; under none
      auto b = ModelBuilder::ocean();
      b.output("free");
      b.strategy = strategy;
      b.parametrization = "exp";
      const auto file = b.build();
      ModelFile changed;
      changed.description = file.description;
      for (auto tensor : file.tensors()) {
        if (tensor.name == "dense2.bias") {  // means, then logarithms of deviations
          auto bias = std::vector<float>(tensor.f32().begin(), tensor.f32().end());
          bias[7 + which] = 1000.0f;
          tensor = Tensor::from(tensor.name, tensor.shape, std::span<const float>(bias));
        }
        changed.add(tensor);
      }
      const auto model = model_of(changed);
      Workspace workspace(model, options_for(Backend::serial));
      Fields<double> fields(*model, 40);
      std::vector<Status> status(40, Status::internal);
      auto arguments = fields.arguments();
      arguments.status = status.data();
      for (const bool draw : {true, false}) {
        SCOPED_TRACE(std::string(strategy) + (draw ? ", draw, output " : ", mean, output ") + std::to_string(which));
        const auto& report = draw ? workspace.run(arguments) : workspace.run_mean(arguments);
        EXPECT_EQ(report.columns, 0);
        EXPECT_EQ(report.non_finite, 40);
        for (const Status s : status) EXPECT_EQ(s, Status::non_finite);
        for (const auto& data : fields.outputs)
          for (const double y : data) EXPECT_EQ(y, Fields<double>::untouched);
      }
    }
}

TEST(Emulator, SameBitsForEveryChunkPositionAndBackend) {
  for (const auto& shape : shapes()) {
    SCOPED_TRACE(shape.name);
    const auto model = model_of(shape.builder.build());
    constexpr std::int64_t count = 1500;
    Fields<double> reference(*model, count);
    Workspace serial(model, options_for(Backend::serial, count));
    serial.run(reference.arguments());
    const auto expected = reference.outputs;
    const auto compare = [&](Workspace& workspace, std::int64_t chunk, const std::string& what) {
      Fields<double> fields(*model, count);
      run_in_chunks(workspace, *model, fields, chunk);
      EXPECT_TRUE(same_bits(fields.outputs, expected)) << what << ", chunk " << chunk;
    };
    Workspace threads(model, options_for(Backend::openmp, count));
    for (const std::int64_t chunk : {1, 2, 7, 8, 16, 17, 64, 1000, 1500}) {
      compare(serial, chunk, "serial");
      compare(threads, chunk, "openmp");
    }
  }
}

TEST(Emulator, SameBitsForActiveListsMasksStridesAndPrecisionOfInputs) {
  const auto model = model_of(ModelBuilder::ocean().build());
  constexpr std::int64_t count = 300;
  Fields<double> all(*model, count);
  Workspace workspace(model, options_for(Backend::automatic, count));
  workspace.run(all.arguments());

  std::vector<std::int64_t> list;
  std::vector<std::uint8_t> mask(count, 0);
  for (std::int64_t c = 0; c < count; ++c)
    if ((c * 7919) % 5 < 2) {
      list.push_back(c);
      mask[static_cast<std::size_t>(c)] = 1;
    }
  std::vector<std::int64_t> shuffled(list);
  std::shuffle(shuffled.begin(), shuffled.end(), std::mt19937(2));
  for (int way = 0; way < 3; ++way) {
    Fields<double> some(*model, count);
    std::vector<Status> status(count, Status::internal);
    auto arguments = some.arguments();
    arguments.status = status.data();
    if (way == 0) {
      arguments.mask = mask.data();
    } else {
      arguments.active = way == 1 ? list.data() : shuffled.data();
      arguments.active_count = static_cast<std::int64_t>(list.size());
    }
    EXPECT_EQ(workspace.run(arguments).columns, static_cast<std::int64_t>(list.size()));
    for (std::size_t v = 0; v < some.outputs.size(); ++v)
      for (std::size_t c = 0; c < count; ++c) {
        EXPECT_EQ(some.outputs[v][c], mask[c] ? all.outputs[v][c] : Fields<double>::untouched);
        EXPECT_EQ(status[c], mask[c] ? Status::ok : Status::internal);
      }
  }

  // One array of structures with the columns backwards, inputs interleaved with outputs.
  const std::int64_t width = 17;
  std::vector<double> records(static_cast<std::size_t>(count * width), -1.0);
  Fields<double> strided(*model, count);
  for (std::size_t v = 0; v < 11; ++v) {
    for (std::int64_t c = 0; c < count; ++c)
      records[static_cast<std::size_t>((count - 1 - c) * width) + v] = strided.inputs[v][static_cast<std::size_t>(c)];
    strided.input_fields[v].data = records.data() + (count - 1) * width + static_cast<std::int64_t>(v);
    strided.input_fields[v].column_stride = -width;
  }
  for (std::size_t v = 0; v < 6; ++v) {
    strided.output_fields[v].data = records.data() + (count - 1) * width + 11 + static_cast<std::int64_t>(v);
    strided.output_fields[v].column_stride = -width;
  }
  workspace.run(strided.arguments());
  for (std::size_t v = 0; v < 6; ++v)
    for (std::int64_t c = 0; c < count; ++c)
      EXPECT_EQ(records[static_cast<std::size_t>((count - 1 - c) * width) + 11 + v], all.outputs[v][static_cast<std::size_t>(c)]);

  // Global ids in place of positions.
  std::vector<std::uint64_t> ids(count), steps(count, 0);
  for (std::size_t c = 0; c < count; ++c) ids[c] = c;
  Fields<double> named(*model, count);
  auto arguments = named.arguments();
  arguments.column_ids = ids.data();
  arguments.step_ids = steps.data();
  arguments.first_column_id = 99;  // not used: the list names the columns
  arguments.step = 99;
  workspace.run(arguments);
  EXPECT_TRUE(same_bits(named.outputs, all.outputs));
  steps[3] = 1;
  workspace.run(arguments);
  EXPECT_NE(named.outputs[0][3], all.outputs[0][3]);
  EXPECT_EQ(named.outputs[0][4], all.outputs[0][4]);
}

TEST(Emulator, FloatFieldsGetTheRoundedDoubles) {
  const auto model = model_of(ModelBuilder::ocean().build());
  Workspace workspace(model, options_for(Backend::serial));
  Fields<float> narrow(*model, 45);
  Fields<double> wide(*model, 45);
  for (std::size_t v = 0; v < wide.inputs.size(); ++v)
    std::copy(narrow.inputs[v].begin(), narrow.inputs[v].end(), wide.inputs[v].begin());
  workspace.run(narrow.arguments());
  workspace.run(wide.arguments());
  for (std::size_t v = 0; v < wide.outputs.size(); ++v)
    for (std::size_t c = 0; c < 45; ++c) EXPECT_EQ(narrow.outputs[v][c], static_cast<float>(wide.outputs[v][c]));
}

TEST(Emulator, OneBadColumnLeavesItsNeighboursAlone) {
  const auto model = model_of(ModelBuilder::ocean().build());
  for (const Backend backend : {Backend::serial, Backend::openmp}) {
    Workspace workspace(model, options_for(backend));
    Fields<double> clean(*model, 1000);
    workspace.run(clean.arguments());
    for (const double bad : {std::numeric_limits<double>::quiet_NaN(), std::numeric_limits<double>::infinity(),
                             -std::numeric_limits<double>::infinity(), 1e6, 1e300}) {
      Fields<double> fields(*model, 1000);
      fields.inputs[4][333] = bad;
      std::vector<Status> status(1000, Status::internal);
      auto arguments = fields.arguments();
      arguments.status = status.data();
      const auto& report = workspace.run(arguments);
      const bool computed = bad == 1e6;  // 1e300 leaves the range of the network's numbers
      EXPECT_EQ(report.non_finite, computed ? 0 : 1);
      EXPECT_EQ(report.out_of_range, computed ? 1 : 0);
      EXPECT_EQ(report.columns, computed ? 1000 : 999);
      for (std::size_t c = 0; c < 1000; ++c) {
        if (c == 333) {
          EXPECT_EQ(status[c], computed ? Status::out_of_range : Status::non_finite);
          for (std::size_t v = 0; v < 6; ++v) {
            EXPECT_TRUE(computed ? std::isfinite(fields.outputs[v][c])
                                 : fields.outputs[v][c] == Fields<double>::untouched);
          }
          continue;
        }
        ASSERT_EQ(status[c], Status::ok);
        for (std::size_t v = 0; v < 6; ++v) ASSERT_EQ(fields.outputs[v][c], clean.outputs[v][c]);
      }
      for (const auto& law : report.laws) EXPECT_LE(law.max_relative, 1e-14);
    }
  }
}

TEST(Emulator, NoColumnsTouchesNothing) {
  const auto model = model_of(ModelBuilder::ocean().build());
  Workspace workspace(model, options_for(Backend::automatic));
  RunArguments nothing;
  const auto& report = workspace.run(nothing);
  EXPECT_EQ(report.columns, 0);
  ASSERT_EQ(report.laws.size(), 2u);
  EXPECT_EQ(report.laws[0].worst_column, -1);
  EXPECT_EQ(report.laws[0].max_relative, 0.0);
  Fields<double> fields(*model, 10);
  auto arguments = fields.arguments();
  for (auto& field : fields.input_fields) field.data = nullptr;
  for (auto& field : fields.output_fields) field.data = nullptr;
  arguments.active_count = 0;  // an empty list, its pointer null
  EXPECT_EQ(workspace.run(arguments).columns, 0);
  const std::vector<std::uint8_t> mask(10, 0);
  arguments.active_count = -1;
  arguments.mask = mask.data();
  EXPECT_EQ(workspace.run(arguments).columns, 0);
}

TEST(Emulator, DrawsDependOnEveryPartOfTheAddress) {
  const auto model = model_of(ModelBuilder::ocean().build());
  const auto draw = [&](auto change) {
    auto options = options_for(Backend::serial);
    Fields<double> fields(*model, 12);
    auto arguments = fields.arguments();
    change(options, arguments);
    Workspace workspace(model, options);
    workspace.run(arguments);
    return fields.outputs;
  };
  const auto base = draw([](auto&, auto&) {});
  EXPECT_TRUE(same_bits(base, draw([](auto&, auto&) {})));
  EXPECT_FALSE(same_bits(base, draw([](auto& o, auto&) { o.seed += 1; })));
  EXPECT_FALSE(same_bits(base, draw([](auto& o, auto&) { o.override_stream = true; })));
  EXPECT_FALSE(same_bits(base, draw([](auto&, auto& a) { a.step = 1; })));
  EXPECT_FALSE(same_bits(base, draw([](auto&, auto& a) { a.member = 1; })));
  EXPECT_FALSE(same_bits(base, draw([](auto&, auto& a) { a.first_column_id = 1; })));
  EXPECT_TRUE(same_bits(base, draw([&](auto& o, auto&) {
                o.override_stream = true;
                o.stream = std::stoull(model->digest().substr(0, 16), nullptr, 16);
              })));
}

TEST(Emulator, ModelSaysWhatItIs) {
  const auto model = model_of(ModelBuilder::ocean().build());
  ASSERT_EQ(model->inputs().size(), 11u);
  ASSERT_EQ(model->outputs().size(), 6u);
  EXPECT_EQ(model->inputs()[1].name, "SST");
  EXPECT_EQ(model->inputs()[1].minimum, -4.0);
  EXPECT_EQ(model->inputs()[1].maximum, 4.0);
  EXPECT_EQ(model->outputs()[5].units, "W m-2");
  ASSERT_EQ(model->laws().size(), 2u);
  EXPECT_EQ(model->laws()[1].name, "net_heat");
  EXPECT_EQ(model->strategy(), "conditional");
  EXPECT_EQ(model->provenance("domain"), "by hand");
  EXPECT_EQ(model->provenance("nothing"), "");
  EXPECT_EQ(model->digest().size(), 64u);
  Workspace workspace(model, options_for(Backend::serial));
  EXPECT_EQ(workspace.backend(), "serial");
  EXPECT_FALSE(workspace.instruction_set().empty());
  EXPECT_EQ(&workspace.model(), model.get());
}
