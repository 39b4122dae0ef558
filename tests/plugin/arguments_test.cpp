// Calls that make no sense and models that this library cannot run: each its own status, a message that names the
// culprit, and no field touched.

#include "emulator_fixture.hpp"

#include <functional>

using namespace lavoisier;
using namespace lavoisier::tests;

namespace {

/// Runs a changed call; expects the error and every output as it was.
void refuse(Status status, const std::string& part,
            const std::function<void(Fields<double>&, RunArguments&)>& change) {
  static const auto model = model_of(ModelBuilder::ocean().build());
  SCOPED_TRACE(part);
  WorkspaceOptions options;
  options.max_columns = 20;
  options.backend = Backend::serial;
  Workspace workspace(model, options);
  Fields<double> fields(*model, 20);
  auto arguments = fields.arguments();
  std::vector<Status> statuses(20, Status::internal);
  arguments.status = statuses.data();
  change(fields, arguments);
  const auto before = fields.outputs;
  expect_error(status, part, [&] { workspace.run(arguments); });
  EXPECT_TRUE(same_bits(before, fields.outputs));
  for (const Status s : statuses) EXPECT_EQ(s, Status::internal);
  // The workspace is as good as new.
  Fields<double> good(*model, 20);
  EXPECT_EQ(workspace.run(good.arguments()).columns, 20);
}

template <class Change>
void refuse_model(Status status, const std::string& part, Change&& change) {
  ModelFile file = ModelBuilder::ocean().build();
  ModelFile changed;
  std::vector<Tensor> tensors = file.tensors();
  change(file.description, tensors);
  changed.description = file.description;
  for (auto& tensor : tensors) changed.add(tensor);
  SCOPED_TRACE(part);
  expect_error(status, part, [&] { model_of(changed); });
}

Tensor& named(std::vector<Tensor>& tensors, const std::string& name) {
  for (auto& tensor : tensors)
    if (tensor.name == name) return tensor;
  throw std::runtime_error(name);
}

}  // namespace

TEST(Arguments, EachMistakeHasItsStatusAndTouchesNothing) {
  using F = Fields<double>&;
  using A = RunArguments&;
  refuse(Status::not_found, "no field is given for the model's input 'SLP'", [](F f, A a) {
    f.input_fields[6] = f.input_fields[5];
    f.input_fields[6].name = "sin_lat";
    f.input_fields.erase(f.input_fields.begin() + 7);
    a.inputs = f.input_fields.data();
    a.input_count = 10;
  });
  refuse(Status::not_found, "did you mean 'SST'", [](F f, A) { f.input_fields[1].name = "SSTT"; });
  refuse(Status::not_found, "no field is given for the model's output 'FDH'", [](F, A a) { a.output_count = 5; });
  refuse(Status::invalid_argument, "given twice", [](F f, A) { f.input_fields[2].name = "SST"; });
  refuse(Status::invalid_argument, "has no name", [](F f, A) { f.input_fields[2].name = nullptr; });
  refuse(Status::unit_mismatch, "expected units 'W m-2', 'W/m2', found 'kW m-2'",
         [](F f, A) { f.output_fields[3].units = "kW m-2"; });
  refuse(Status::shape_mismatch, "expected 1 elements a column, found 2", [](F f, A) { f.input_fields[0].elements = 2; });
  refuse(Status::shape_mismatch, "the run has 20 columns, the field 19", [](F f, A) { f.output_fields[0].columns = 19; });
  refuse(Status::shape_mismatch, "device memory", [](F f, A) { f.input_fields[0].space = MemorySpace::device; });
  refuse(Status::shape_mismatch, "two of its numbers lie at one address",
         [](F f, A) { f.output_fields[0].column_stride = 0; });
  refuse(Status::shape_mismatch, "not aligned", [](F f, A) {
    f.input_fields[0].data = reinterpret_cast<const char*>(f.input_fields[0].data) + 1;
  });
  refuse(Status::shape_mismatch, "beyond any memory",
         [](F f, A) { f.input_fields[0].column_stride = std::numeric_limits<std::int64_t>::max() / 2; });
  refuse(Status::shape_mismatch, "holds 20 columns a run, 21", [](F f, A a) {
    for (auto& field : f.input_fields) field.columns = 21;
    for (auto& field : f.output_fields) field.columns = 21;
    a.columns = 21;
  });
  refuse(Status::invalid_argument, "its data is null", [](F f, A) { f.input_fields[0].data = nullptr; });
  refuse(Status::invalid_argument, "overlaps input 'SPD'",
         [](F f, A) { f.output_fields[2].data = f.inputs[0].data(); });
  refuse(Status::invalid_argument, "overlaps input 'SPD'",
         [](F f, A) { f.output_fields[2].data = f.inputs[0].data() + 19; });
  refuse(Status::invalid_argument, "outputs 'FSR' and 'FUL' overlap",
         [](F f, A) { f.output_fields[1].data = f.outputs[0].data(); });
  refuse(Status::invalid_argument, "fields, found null", [](F, A a) { a.inputs = nullptr; });
  refuse(Status::invalid_argument, "columns: expected 0 or more", [](F, A a) { a.columns = -1; });
  refuse(Status::invalid_argument, "member: expected less than 2^32", [](F, A a) { a.member = std::uint64_t{1} << 32; });
  static const std::int64_t outside[] = {3, 20}, twice[] = {5, 3, 5};
  static const std::uint8_t mask[20] = {1};
  refuse(Status::out_of_range, "active[1] is 20", [](F, A a) { a.active = outside; a.active_count = 2; });
  refuse(Status::invalid_argument, "column 5 is twice", [](F, A a) { a.active = twice; a.active_count = 3; });
  refuse(Status::invalid_argument, "give one", [](F, A a) { a.active = outside; a.active_count = 1; a.mask = mask; });
  refuse(Status::invalid_argument, "without active_count", [](F, A a) { a.active = outside; });
  refuse(Status::invalid_argument, "active is null", [](F, A a) { a.active_count = 2; });
  refuse(Status::invalid_argument, "active_count: expected -1", [](F, A a) { a.active_count = -5; });
  refuse(Status::invalid_argument, "unknown precision", [](F f, A) { f.input_fields[0].precision = static_cast<Precision>(7); });
}

TEST(Arguments, InputsMayOverlapAndUnitsMayBeSpeltOtherwise) {
  const auto model = model_of(ModelBuilder::ocean().build());
  Workspace workspace(model);
  Fields<double> fields(*model, 20);
  for (auto& field : fields.input_fields) {
    field.data = fields.inputs[0].data();
    field.units = nullptr;
  }
  fields.input_fields[3].column_stride = 0;  // one number for all columns
  fields.output_fields[0].units = "W/m2";
  EXPECT_EQ(workspace.run(fields.arguments()).columns, 20);
}

TEST(Arguments, OutputsMayInterleaveButNotMeet) {
  ModelBuilder b;
  b.dimensions = {{"level", DimensionKind::level, 3, false}};
  b.input("x");
  b.output("a", "W m-2", {"level"}).output("b", "W m-2", {"level"});
  const auto model = model_of(b.build());
  Workspace workspace(model);
  constexpr std::int64_t columns = 10;
  Fields<double> fields(*model, columns), apart(*model, columns);
  workspace.run(apart.arguments());
  std::vector<double> memory(130, -1.0);
  const auto place = [&](std::size_t v, std::size_t first, std::int64_t column_stride, std::int64_t element_stride) {
    auto& field = fields.output_fields[v];
    field.data = memory.data() + first;
    field.column_stride = column_stride;
    field.element_stride = element_stride;
  };
  // Records a a a b b b; then a b a b a b; then levels outermost, columns backwards.
  const auto lie_apart = [&] {
    EXPECT_EQ(workspace.run(fields.arguments()).columns, columns);
    for (std::size_t v = 0; v < 2; ++v)
      for (std::int64_t c = 0; c < columns; ++c)
        for (std::int64_t e = 0; e < 3; ++e) {
          const auto& field = fields.output_fields[v];
          EXPECT_EQ(static_cast<double*>(field.data)[c * field.column_stride + e * field.element_stride],
                    apart.outputs[v][static_cast<std::size_t>(3 * c + e)]);
        }
  };
  place(0, 0, 6, 1), place(1, 3, 6, 1), lie_apart();
  place(0, 0, 6, 2), place(1, 1, 6, 2), lie_apart();
  place(0, 9, -1, 20), place(1, 19, -1, 20), lie_apart();
  // a's last level is b's first; a's columns run into b's.
  const auto meet = [&] {
    expect_error(Status::invalid_argument, "outputs 'a' and 'b' overlap", [&] { workspace.run(fields.arguments()); });
  };
  place(0, 0, 6, 1), place(1, 2, 6, 1), meet();
  place(0, 0, 1, 20), place(1, 9, 1, 20), meet();
  place(0, 0, 6, 1), place(1, 63, 6, 1), lie_apart();
  place(0, 0, 6, 1), place(1, 56, 6, 1), meet();
  // Level e of column c is level e - 1 of column c + 1, and the like.
  const auto coincide = [&] {
    expect_error(Status::shape_mismatch, "'a': with strides", [&] { workspace.run(fields.arguments()); });
  };
  place(1, 60, 3, 1);
  place(0, 0, 1, 1), coincide();
  place(0, 20, 2, -4), coincide();
  place(0, 0, 3, 0), coincide();
  place(0, 0, 1, 9), coincide();
  place(0, 0, 1, 10), lie_apart();
  place(0, 0, 2, 19), lie_apart();
}

TEST(Arguments, OneColumnMayHaveAnyStrideBetweenColumns) {
  ModelBuilder b;
  b.dimensions = {{"level", DimensionKind::level, 3, false}};
  b.input("x");
  b.output("a", "W m-2", {"level"}).output("b", "W m-2", {"level"});
  const auto model = model_of(b.build());
  Workspace workspace(model);
  Fields<double> fields(*model, 1), apart(*model, 1);
  std::vector<double> interleaved(6);
  for (std::size_t v = 0; v < 2; ++v) {
    fields.output_fields[v].data = interleaved.data() + v;
    fields.output_fields[v].element_stride = 2;
    fields.output_fields[v].column_stride = v == 0 ? 6 : 1;
  }
  workspace.run(apart.arguments());
  EXPECT_EQ(workspace.run(fields.arguments()).columns, 1);
  for (std::size_t v = 0; v < 2; ++v)
    for (std::size_t e = 0; e < 3; ++e) EXPECT_EQ(interleaved[2 * e + v], apart.outputs[v][e]);
  fields.output_fields[1].data = interleaved.data() + 2;
  expect_error(Status::invalid_argument, "overlap", [&] { workspace.run(fields.arguments()); });
}

TEST(Arguments, WorkspacesAreChecked) {
  const auto model = model_of(ModelBuilder::ocean().build());
  WorkspaceOptions options;
  options.max_columns = 0;
  expect_error(Status::invalid_argument, "max_columns", [&] { Workspace(model, options); });
  expect_error(Status::invalid_argument, "without a model", [&] { Workspace(nullptr); });
  options.max_columns = std::int64_t{1} << 41;
  expect_error(Status::invalid_argument, "max_columns", [&] { Workspace(model, options); });
  options.max_columns = 1;
  options.backend = static_cast<Backend>(9);
  expect_error(Status::invalid_argument, "unknown backend 9", [&] { Workspace(model, options); });
  options.backend = Backend::serial;
  options.device_stream = &options;
  expect_error(Status::invalid_argument, "device_stream: the workspace computes on the host",
               [&] { Workspace(model, options); });
  options.device_stream = nullptr;
  const auto backends = available_backends();
  if (backends.size() < 3) {
    options.backend = Backend::device;
    expect_error(Status::unsupported, "without CUDA", [&] { Workspace(model, options); });
  }
  ::setenv("LAVOISIER_INSTRUCTION_SET", "mmx", 1);
  expect_error(Status::invalid_argument, "'mmx'; this processor runs", [&] { Workspace{model}; });
  ::unsetenv("LAVOISIER_INSTRUCTION_SET");
}

TEST(Arguments, ModelsThatCannotRunAreRefusedByName) {
  using D = ModelDescription&;
  using T = std::vector<Tensor>&;
  refuse_model(Status::unsupported, "operation 1 (convolution)", [](D d, T) { d.graph[1].op = "convolution"; });
  refuse_model(Status::unsupported, "the attribute 'dilation' is unknown",
               [](D d, T) { d.graph[1].attributes["dilation"] = "2"; });
  refuse_model(Status::unsupported, "the metric 'l1'", [](D d, T) { d.graph.back().attributes["metric"] = "l1"; });
  refuse_model(Status::unsupported, "family 'beta'", [](D d, T) { d.heads[0].family = "beta"; });
  refuse_model(Status::invalid_format, "is FP64, expected FP32", [](D d, T) { d.graph[1].inputs = {"inputs"}; });
  refuse_model(Status::invalid_format, "does not make the value 'outputs'", [](D d, T) {
    d.graph.push_back({"identity", {"outputs"}, {"more"}, {}, {}});
  });
  refuse_model(Status::invalid_format, "expected shape", [](D, T t) {
    const std::vector<float> short_bias(31, 0.0f);
    named(t, "dense0.bias") = Tensor::from("dense0.bias", {31}, std::span<const float>(short_bias));
  });
  refuse_model(Status::non_finite, "dense0.bias", [](D, T t) {
    std::vector<float> bias(32, 0.0f);
    bias[7] = std::numeric_limits<float>::quiet_NaN();
    named(t, "dense0.bias") = Tensor::from("dense0.bias", {32}, std::span<const float>(bias));
  });
  // What a few bytes of layout and laws claim is refused before memory is asked for.
  refuse_model(Status::invalid_format, "has length 6, expected 30000005", [](D d, T) {
    auto dimensions = d.layout.dimensions();
    auto variables = d.layout.variables();
    dimensions.push_back({"many", DimensionKind::level, 30000000, false});
    for (auto& variable : variables)
      if (variable.name == "FDH") variable.dimensions = {"many"};
    d.layout = StateLayout(dimensions, variables);
    for (int i = 0; i < 500; ++i) {
      d.laws.push_back(d.laws[0]);
      d.laws.back().name += std::to_string(i);
    }
  });
  refuse_model(Status::inconsistent_laws, "law 'again' contradicts 'radiation'", [](D d, T) {
    Law law = d.laws[0];
    law.name = "again";
    law.right_hand_side = Expression(1.0);
    d.laws.push_back(law);
  });
}

TEST(Arguments, MissingAndDamagedFilesAreRefused) {
  expect_error(Status::not_found, "/nonexistent/model", [] { Model::load("/nonexistent/model"); });
  expect_error(Status::invalid_argument, "null instead of", [] { Model::parse(nullptr, 8, "memory"); });
  auto bytes = ModelBuilder::ocean().build().serialize();
  bytes[bytes.size() - 5] ^= std::byte{1};
  expect_error(Status::digest_mismatch, "by hand", [&] { Model::parse(bytes.data(), bytes.size(), "by hand"); });
}
