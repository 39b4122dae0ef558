// The graph's operations of fields, time, edges and sampling loops, against plain loops (graph_oracle.hpp).

#include "emulator_fixture.hpp"
#include "graph_models.hpp"
#include "graph_oracle.hpp"

#include <cstdlib>

using namespace lavoisier;
using namespace lavoisier::tests;

namespace {

constexpr std::uint64_t seed = 77;

Workspace workspace_for(const std::shared_ptr<const Model>& model, Backend backend, std::int64_t columns) {
  WorkspaceOptions options;
  options.backend = backend;
  options.max_columns = columns;
  options.seed = seed;
  return Workspace(model, options);
}

std::vector<double> expected(const ModelFile& file, const Fields<double>& fields, std::int64_t column,
                             Arithmetic arithmetic = Arithmetic::as_documented, const std::string& twist = {}) {
  if (file.digest().empty()) file.serialize();  // the digest gives the stream
  OracleDraw draw;
  draw.key = {seed, file.default_stream()};
  draw.address.column = static_cast<std::uint64_t>(column);
  return GraphOracle(file, draw, arithmetic, twist).run(fields.flat(column));
}

double largest_difference(const std::vector<double>& a, const std::vector<double>& b) {
  double largest = 0.0;
  for (std::size_t i = 0; i < a.size(); ++i) {
    const double difference = std::abs(a[i] - b[i]) / (1.0 + std::abs(b[i]));
    largest = difference <= largest ? largest : difference;  // a NaN becomes the result
  }
  return largest;
}

/// All instruction sets of this processor.
template <class Body>
void each_instruction_set(Body&& body) {
  for (const char* name : {"x86-64", "avx2", "avx512"}) {
    setenv("LAVOISIER_INSTRUCTION_SET", name, 1);
    try {
      body(name);
    } catch (const Error& error) {
      EXPECT_NE(std::string(error.what()).find("LAVOISIER_INSTRUCTION_SET"), std::string::npos) << error.what();
    }
  }
  unsetenv("LAVOISIER_INSTRUCTION_SET");
}

/// Bits of every column as documented, in every instruction set, and the twists that must not pass.
void compare_bits(const GraphModel& made, const std::vector<std::string>& twists) {
  const auto model = model_of(made.file);
  constexpr std::int64_t count = 19;
  Fields<double> fields(*model, count);
  list_edges(made, fields);
  int sets = 0;
  each_instruction_set([&](const char* name) {
    Workspace workspace = workspace_for(model, Backend::serial, count);
    ++sets;
    for (const std::int64_t part : {std::int64_t{3}, count}) {  // vectors of outputs, and of columns
      fields.reset();
      auto arguments = fields.arguments();
      arguments.columns = part;
      for (auto& field : fields.input_fields) field.columns = part;
      for (auto& field : fields.output_fields) field.columns = part;
      arguments.inputs = fields.input_fields.data();
      const RunReport& report = workspace.run(arguments);
      EXPECT_EQ(report.columns, part);
      for (std::int64_t c = 0; c < part; ++c)
        EXPECT_EQ(fields.flat_outputs(c), expected(made.file, fields, c)) << name << ", column " << c;
    }
  });
  EXPECT_GE(sets, 1);
  for (std::int64_t c = 0; c < count; ++c)
    EXPECT_LT(largest_difference(fields.flat_outputs(c), expected(made.file, fields, c, Arithmetic::fp64)), 1e-4);
  for (const auto& twist : twists) {
    int caught = 0;
    for (std::int64_t c = 0; c < count; ++c)
      caught += fields.flat_outputs(c) != expected(made.file, fields, c, Arithmetic::as_documented, twist);
    EXPECT_GT(caught, 0) << "the mistake '" << twist << "' passes";
  }
}

/// One model in pieces of every size, on every backend: the same bits.
void compare_chunks(const GraphModel& made, std::int64_t count) {
  const auto model = model_of(made.file);
  Fields<double> reference(*model, count);
  list_edges(made, reference);
  Workspace serial = workspace_for(model, Backend::serial, count),
            threads = workspace_for(model, Backend::openmp, count);
  serial.run(reference.arguments());
  const auto wanted = reference.outputs;
  for (Workspace* workspace : {&serial, &threads})
    for (const std::int64_t chunk : {1, 2, 3, 5, 6, 7, 8, 9, 16, 17, 32, 33, 100, 150}) {
      Fields<double> fields(*model, count);
      fields.inputs = reference.inputs;
      run_in_chunks(*workspace, *model, fields, chunk);
      EXPECT_TRUE(same_bits(fields.outputs, wanted)) << workspace->backend() << ", chunk " << chunk;
    }
}

TEST(Graph, FieldsAreAsDocumentedBitForBit) {
  compare_bits(field_model(), {"padding", "order", "flip", "groups", "upsample", "transpose", "channel", "embedding", "multiply",
                               "sigmoid", "relu", "concat", "slice"});
}
TEST(Graph, EdgesAndGatesAreAsDocumentedBitForBit) { compare_bits(edge_model(), {"reset", "update", "edges"}); }

TEST(Graph, LayersThatRowsShareAreAsDocumentedBitForBit) {
  compare_bits(shared_layers_model(), {"rows", "absent", "mask", "reset"});
}

TEST(Graph, SameBitsForEveryChunkPositionAndBackend) {
  compare_chunks(field_model(), 150);
  compare_chunks(edge_model(), 150);
  compare_chunks(shared_layers_model(), 150);
  compare_chunks(sample_model({"ddpm", "null_space", 7}), 150);
}

TEST(Graph, AnIndexThatIsNoNodeFlagsItsColumnAlone) {
  const auto made = edge_model();
  const auto model = model_of(made.file);
  Fields<double> fields(*model, 40);
  list_edges(made, fields);
  Workspace workspace = workspace_for(model, Backend::serial, 40);
  workspace.run(fields.arguments());
  const auto good = fields.outputs;
  const std::int64_t columns[] = {3, 9, 33};
  fields.inputs[0][3 * 22 + 12] = 3.5;
  fields.inputs[0][9 * 22 + 21] = -2.0;
  fields.inputs[0][33 * 22 + 14] = 4.0;
  fields.reset();
  std::vector<Status> status(40);
  auto arguments = fields.arguments();
  arguments.status = status.data();
  EXPECT_EQ(workspace.run(arguments).columns, 37);
  for (std::int64_t c = 0; c < 40; ++c) {
    const bool bad = std::find(std::begin(columns), std::end(columns), c) != std::end(columns);
    EXPECT_EQ(static_cast<int>(status[static_cast<std::size_t>(c)]),
              static_cast<int>(bad ? Status::invalid_argument : Status::ok));
    for (std::size_t i = 0; i < 12; ++i) {
      const auto at = static_cast<std::size_t>(c) * 12 + i;
      EXPECT_EQ(fields.outputs[0][at], bad ? Fields<double>::untouched : good[0][at]);
    }
  }
}

TEST(Graph, ACategoryThatIsNoneOrACountThatIsNoneFlagsItsColumnAlone) {
  const auto made = shared_layers_model();
  const auto model = model_of(made.file);
  Fields<double> fields(*model, 9);
  list_edges(made, fields);
  fields.inputs[0][2 * 23] = -1.0;
  fields.inputs[0][3 * 23] = 2.5;
  fields.inputs[0][5 * 23 + 3] = 5.0;  // five categories: 0 to 4
  Workspace workspace = workspace_for(model, Backend::serial, 9);
  std::vector<Status> status(9);
  auto arguments = fields.arguments();
  arguments.status = status.data();
  const RunReport& report = workspace.run(arguments);
  EXPECT_EQ(report.columns, 6);
  EXPECT_EQ(report.invalid_argument, 3);
  EXPECT_EQ(report.non_finite + report.rank_deficient, 0);
  for (std::size_t c = 0; c < 9; ++c) EXPECT_EQ(status[c] == Status::invalid_argument, c == 2 || c == 3 || c == 5) << c;
  workspace.run_mean(arguments);  // counted anew
  EXPECT_EQ(report.invalid_argument, 3);
}

TEST(Graph, ReluKeepsWhatIsNoNumber) {
  GraphModel m(1, 1);
  m.f64("mean", {1}, {0.0});
  m.f64("scale", {1}, {1e-300});
  m.node("standardize", {"inputs"}, {"large"}, {{"mean", "mean"}, {"scale", "scale"}});  // infinite in FP32
  m.f32("w", {2, 1}, {1.0f, -1.0f});
  m.f32("b", {2}, {0.0f, 0.0f});
  m.node("dense", {"large"}, {"two"}, {{"weight", "w"}, {"bias", "b"}});
  m.f32("w2", {1, 2}, {1.0f, 1.0f});
  m.f32("b2", {1}, {0.0f});
  m.node("dense", {"two"}, {"nan"}, {{"weight", "w2"}, {"bias", "b2"}});
  m.node("relu", {"nan"}, {"kept"});
  m.finish("kept");
  const auto model = model_of(m.file);
  Fields<double> fields(*model, 2);
  fields.inputs[0] = {1.0, 0.0};
  Workspace workspace = workspace_for(model, Backend::serial, 2);
  const RunReport& report = workspace.run(fields.arguments());
  EXPECT_EQ(report.non_finite, 1);
  EXPECT_EQ(report.columns, 1);
  EXPECT_EQ(fields.outputs[0][1], 0.0);
}

void refused(GraphModel made, Status status, const std::string& part) {
  expect_error(status, part, [&] { model_of(made.file); });
}

TEST(Graph, WhatDoesNotFitIsRefusedByName) {
  const auto change = [](const std::string& output, auto edit) {
    GraphModel m = field_model();
    for (auto& node : m.graph())
      if (node.outputs[0] == output) edit(node);
    return m;
  };
  const auto set = [&](const std::string& output, const std::string& name, const std::string& text) {
    return change(output, [&](GraphOperation& node) { node.attributes[name] = text; });
  };
  const auto invalid = Status::invalid_format;
  refused(set("c1", "height", "5"), invalid, "(conv2d): the value 'image' has length 90, expected a multiple of 25");
  refused(set("c1", "height", "3"), invalid, "'c1.weight': expected shape [n, 6, y, x], found [9, 3, 3, 2]");
  refused(set("c1", "height", "7"), invalid, "(conv2d): the value 'image' has length 90, expected a multiple of 35");
  refused(set("c1", "stride", "2"), invalid, "'stride': expected two whole numbers");
  refused(set("c1", "stride", "0,1"), invalid, "'stride'");
  refused(set("c1", "padding", "1,-1"), invalid, "'padding'");
  refused(set("c2", "padding", "0,0"), invalid, "operation 11 (conv2d): the value 'c2' has length 38");
  refused(set("c3", "width", "7"), invalid, "'c2' has length 114, expected a multiple of 7");
  refused(set("u1", "channels", "8"), invalid, "'s1' has length 162, expected 144");
  refused(set("g1", "groups", "4"), invalid, "9 channels in 4 groups");
  refused(set("g1", "epsilon", "small"), invalid, "'epsilon' is no number");
  refused(set("tail", "length", "65"), invalid,
          "(slice): the attribute 'length': expected a whole number from 1 to 64");
  refused(set("tail", "begin", "-1"), invalid, "'begin'");
  refused(set("c1", "dilation", "1,1"), Status::unsupported, "the attribute 'dilation' is unknown");
  refused(change("gate", [](GraphOperation& n) { n.inputs[1] = "image"; }), invalid,
          "'image' has length 90, expected 114");
  refused(change("c1b", [](GraphOperation& n) { n.inputs[1] = "image"; }), invalid, "(add_channel)");
  refused(change("image", [](GraphOperation& n) { n.op = "silu"; }), invalid, "'image64' is FP64, expected FP32");
  refused(change("c1", [](GraphOperation& n) { n.tensors["weight"] = "c2.weight"; }), invalid, "found [19, 9, 5, 3]");
  refused(change("embedded", [](GraphOperation& n) { n.tensors["frequencies"] = "c2.weight"; }), invalid,
          "(time_embedding)");
  refused(change("r", [](GraphOperation& n) { n.op = "elu"; }), Status::unsupported,
          "(elu): this library does not know it");
  GraphModel edges = edge_model();
  for (auto& node : edges.graph())
    if (node.outputs[0] == "received1") node.attributes["features"] = "5";
  refused(edges, invalid, "(scatter_add): the value 'to' has length 5, expected one index an edge: 3");
  edges = edge_model();
  for (auto& node : edges.graph())
    if (node.outputs[0] == "nodes2") node.tensors["weight_hidden"] = "bh";
  refused(edges, invalid, "'bh': expected shape [36, 12], found [36]");
  const auto shared = [](const std::string& output, const std::string& name, const std::string& text) {
    GraphModel m = shared_layers_model();
    for (auto& node : m.graph())
      if (node.outputs[0] == output) node.attributes[name] = text;
    return m;
  };
  refused(shared("message", "rows", "4"), invalid,
          "(dense): the value 'sent' has length 15, expected a multiple of 4 (rows)");
  refused(shared("message", "rows", "0"), invalid, "'rows': expected a whole number from 1");
  refused(shared("encoded", "rows", "2"), invalid, "expected shape [n, 4], found [3, 2]");
  refused(shared("nodes1", "rows", "5"), invalid,
          "(gru): the value 'received' has length 76, expected a multiple of 5");
  refused(shared("masked", "features", "5"), invalid,
          "(mask): the value 'mean' has length 12, expected a multiple of 5");
}

TEST(Graph, NoiseHasALengthOfItsOwnWhereNothingElseGivesIt) {
  for (const bool sized : {true, false}) {
    GraphModel m(2, 3);
    m.node("normal_noise", {}, {"e"}, {}, {{"site", "5"}});
    if (sized) m.graph().back().attributes["length"] = "3";
    m.node("single", {"e"}, {"latent"});
    m.finish("latent");
    if (!sized) {
      refused(m, Status::invalid_format, "'e' is not known here");
      continue;
    }
    const auto model = model_of(m.file);
    m.file.serialize();  // the digest gives the stream
    Fields<double> fields(*model, 9);
    Workspace workspace = workspace_for(model, Backend::serial, 9);
    workspace.run(fields.arguments());
    for (std::uint64_t c = 0; c < 9; ++c)
      for (std::uint64_t i = 0; i < 3; ++i) {
        random::Address address;
        address.column = c;
        address.site = 5;
        address.element = i;
        const double e = random::normal({seed, m.file.default_stream()}, address);
        EXPECT_EQ(fields.outputs[0][c * 3 + i], static_cast<double>(static_cast<float>(e)));
      }
    // A decoder's mean is not its value at noise zero.
    expect_error(Status::unsupported, "run_mean", [&] { workspace.run_mean(fields.arguments()); });
  }
}

}  // namespace
