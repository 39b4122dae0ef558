#ifndef LAVOISIER_TESTS_PLUGIN_GRAPH_MODELS_HPP
#define LAVOISIER_TESTS_PLUGIN_GRAPH_MODELS_HPP

// Model files by hand that use the operations of fields, time, edges and sampling loops.

#include <model_builder.hpp>

#include <random>
#include <string>
#include <vector>

namespace lavoisier::tests {

struct GraphModel {
  ModelFile file;
  std::mt19937 generator{11};
  std::int64_t inputs, outputs;

  /// Inputs `x`, outputs `y`; inputs train on [-4, 4].
  GraphModel(std::int64_t input_elements, std::int64_t output_elements)
      : inputs(input_elements), outputs(output_elements) {
    auto& d = file.description;
    Variable x, y;
    x.name = "x";
    x.units = y.units = "1";
    x.role = Role::input;
    x.dimensions = {"i"};
    y.name = "y";
    y.role = Role::output;
    y.dimensions = {"o"};
    d.layout =
        StateLayout({{"i", DimensionKind::level, inputs, false}, {"o", DimensionKind::level, outputs, false}}, {x, y});
    Head head;
    head.name = "y";
    head.family = "gaussian_diagonal";
    head.variables = {"y"};
    head.strategy = "none";
    d.heads = {head};
    f64("input.minimum", {inputs}, std::vector<double>(size(inputs), -4.0));
    f64("input.maximum", {inputs}, std::vector<double>(size(inputs), 4.0));
  }

  static std::size_t size(std::int64_t n) { return static_cast<std::size_t>(n); }
  std::string f64(const std::string& name, std::vector<std::int64_t> shape, const std::vector<double>& values) {
    file.add(Tensor::from(name, std::move(shape), std::span<const double>(values)));
    return name;
  }
  std::string f32(const std::string& name, std::vector<std::int64_t> shape, const std::vector<float>& values) {
    file.add(Tensor::from(name, std::move(shape), std::span<const float>(values)));
    return name;
  }
  /// Random weights of the given shape, of a size that keeps a layer's output near 1.
  std::string weights(const std::string& name, std::vector<std::int64_t> shape, std::int64_t fan_in) {
    std::int64_t count = 1;
    for (const auto extent : shape) count *= extent;
    std::uniform_real_distribution<float> uniform(-1.7f, 1.7f);
    std::vector<float> values(size(count));
    for (float& w : values) w = uniform(generator) / std::sqrt(static_cast<float>(fan_in));
    return f32(name, std::move(shape), values);
  }

  std::vector<GraphOperation>& graph() { return file.description.graph; }
  const std::vector<GraphOperation>& graph() const { return file.description.graph; }
  GraphModel& node(const std::string& op, std::vector<std::string> from, std::vector<std::string> to,
                   std::map<std::string, std::string> tensors = {},
                   std::map<std::string, std::string> attributes = {}) {
    graph().push_back({op, std::move(from), std::move(to), std::move(tensors), std::move(attributes)});
    return *this;
  }
  GraphOperation dense_node(const std::string& from, const std::string& to, std::int64_t k, std::int64_t n) {
    return {"dense",
            {from},
            {to},
            {{"weight", weights(to + ".weight", {n, k}, k)}, {"bias", weights(to + ".bias", {n}, 4)}},
            {}};
  }
  GraphOperation conv_node(const std::string& from, const std::string& to, std::vector<std::int64_t> shape,
                           std::int64_t height, std::int64_t width, const std::string& stride,
                           const std::string& padding) {
    const std::int64_t fan_in = shape[1] * shape[2] * shape[3], n = shape[0];
    return {"conv2d",
            {from},
            {to},
            {{"weight", weights(to + ".weight", std::move(shape), fan_in)}, {"bias", weights(to + ".bias", {n}, 4)}},
            {{"height", std::to_string(height)},
             {"width", std::to_string(width)},
             {"stride", stride},
             {"padding", padding}}};
  }
  /// The FP32 value `from` (outputs long) becomes `outputs` without a change: 0 + 1 * value.
  GraphModel& finish(const std::string& from) {
    gaussian(from);
    return node("identity", {"mean"}, {"outputs"});
  }
  GraphModel& gaussian(const std::string& from) {
    node("concat", {from, from}, {"twice"});
    f64("zero", {outputs}, std::vector<double>(size(outputs), 0.0));
    f64("one", {outputs}, std::vector<double>(size(outputs), 1.0));
    f64("floor", {1}, {0.0});
    return node("gaussian_head", {"twice"}, {"mean", "deviation"},
                {{"output_mean", "zero"}, {"output_scale", "one"}, {"floor", "floor"}}, {{"parametrization", "exp"}});
  }
};

/// Fields, norms and gates: (3, 6, 5) in two convolutions of odd sizes, up again, with all that goes element by
/// element.
inline GraphModel field_model() {
  GraphModel m(3 * 6 * 5 + 4, 19 * 2 * 3);
  m.node("select", {"inputs"}, {"image64"}, {}, {{"begin", "4"}, {"length", "90"}});
  m.node("single", {"image64"}, {"image"});
  m.node("select", {"inputs"}, {"t"}, {}, {{"begin", "1"}, {"length", "1"}});
  m.node("time_embedding", {"t"}, {"embedded"}, {{"frequencies", m.f64("f", {3}, {0.37, 1.0, 13.9})}});
  m.graph().push_back(m.dense_node("embedded", "bias9", 6, 9));
  m.graph().push_back(m.conv_node("image", "c1", {9, 3, 3, 2}, 6, 5, "2,1", "1,1"));  // (9, 3, 6)
  m.node("add_channel", {"c1", "bias9"}, {"c1b"});
  m.node("group_norm", {"c1b"}, {"g1"},
         {{"weight", m.weights("g1.weight", {9}, 1)}, {"bias", m.weights("g1.bias", {9}, 1)}},
         {{"groups", "3"}, {"epsilon", "1e-5"}});
  m.node("silu", {"g1"}, {"s1"});
  m.node("upsample2d", {"s1"}, {"u1"}, {}, {{"channels", "9"}, {"height", "3"}, {"width", "6"}, {"factor", "2,1"}});
  m.graph().push_back(m.conv_node("u1", "c2", {19, 9, 5, 3}, 6, 6, "4,3", "2,2"));  // (19, 2, 3)
  m.graph().push_back(m.conv_node("c2", "c3", {19, 19, 1, 1}, 1, 6, "1,1", "0,0"));
  m.node("relu", {"c3"}, {"r"});
  m.node("tanh", {"c2"}, {"th"});
  m.node("sigmoid", {"c3"}, {"sg"});
  m.node("transpose", {"th"}, {"across"}, {}, {{"rows", "19"}, {"columns", "6"}});
  m.node("multiply", {"across", "sg"}, {"gate"});
  m.node("add", {"gate", "r"}, {"sum"});
  m.node("slice", {"sum"}, {"head"}, {}, {{"begin", "0"}, {"length", "50"}});
  m.node("slice", {"sum"}, {"tail"}, {}, {{"begin", "50"}, {"length", "64"}});
  m.node("concat", {"head", "tail"}, {"joined"});
  m.finish("joined");
  return m;
}

/// Two rounds of messages along edges that each column lists itself, nodes updated by a GRU: 4 nodes of 3 features,
/// 5 edges.
inline GraphModel edge_model() {
  GraphModel m(4 * 3 + 2 * 5, 12);
  m.node("select", {"inputs"}, {"nodes64"}, {}, {{"begin", "0"}, {"length", "12"}});
  m.node("single", {"nodes64"}, {"nodes0"});
  m.node("select", {"inputs"}, {"from"}, {}, {{"begin", "12"}, {"length", "5"}});
  m.node("select", {"inputs"}, {"to"}, {}, {{"begin", "17"}, {"length", "5"}});
  const std::string wi = m.weights("wi", {36, 12}, 12), wh = m.weights("wh", {36, 12}, 12),
                    bi = m.weights("bi", {36}, 4), bh = m.weights("bh", {36}, 4);
  std::string last = "nodes0";
  for (const char* round : {"1", "2"}) {
    const std::string r = round;
    m.node("gather", {last, "from"}, {"sent" + r}, {}, {{"features", "3"}});
    m.node("tanh", {"sent" + r}, {"message" + r});
    m.node("scatter_add", {"message" + r, "to"}, {"received" + r}, {}, {{"features", "3"}, {"nodes", "4"}});
    m.node("gru", {"received" + r, last}, {"nodes" + r},
           {{"weight_input", wi}, {"weight_hidden", wh}, {"bias_input", bi}, {"bias_hidden", bh}});
    last = "nodes" + r;
  }
  m.finish(last);
  return m;
}

/// As training makes them: nodes of a category and 2 features, layers that all nodes or edges share, the nodes behind a
/// column's own count set to zero. 4 nodes, 5 edges; inputs: count, categories, features, from, to.
inline GraphModel shared_layers_model() {
  GraphModel m(1 + 4 + 8 + 5 + 5, 12);
  const auto part = [&](const std::string& name, const std::string& begin, const std::string& length) {
    m.node("select", {"inputs"}, {name}, {}, {{"begin", begin}, {"length", length}});
  };
  part("count", "0", "1");
  part("category", "1", "4");
  part("features64", "5", "8");
  part("from", "13", "5");
  part("to", "18", "5");
  m.node("single", {"features64"}, {"features"});
  m.node("embedding", {"category"}, {"embedded"}, {{"weight", m.weights("table", {5, 3}, 1)}});
  const auto shared = [&](const std::string& from, const std::string& to, std::int64_t k, std::int64_t n,
                          const char* rows) {
    m.graph().push_back(m.dense_node(from, to, k, n));
    m.graph().back().attributes["rows"] = rows;
  };
  shared("features", "encoded", 2, 3, "4");
  m.node("add", {"encoded", "embedded"}, {"nodes0"});
  m.node("gather", {"nodes0", "from"}, {"sent"}, {}, {{"features", "3"}});
  shared("sent", "message", 3, 19, "5");
  m.node("silu", {"message"}, {"active"});
  m.node("scatter_add", {"active", "to"}, {"received"}, {}, {{"features", "19"}, {"nodes", "4"}});
  m.node("gru", {"received", "nodes0"}, {"nodes1"},
         {{"weight_input", m.weights("wi", {9, 19}, 19)},
          {"weight_hidden", m.weights("wh", {9, 3}, 3)},
          {"bias_input", m.weights("bi", {9}, 4)},
          {"bias_hidden", m.weights("bh", {9}, 4)}},
         {{"rows", "4"}});
  m.gaussian("nodes1");
  m.node("mask", {"mean", "count"}, {"masked"}, {}, {{"features", "3"}});
  m.node("identity", {"masked"}, {"outputs"});
  return m;
}

/// Edges of edge_model and shared_layers_model: nodes -1 (absent) to 3. Categories likewise; counts 0 to 4.
inline void list_edges(const GraphModel& made, Fields<double>& fields) {
  std::mt19937 generator(3);
  const auto elements = static_cast<std::size_t>(made.inputs);
  if (elements != 22 && elements != 23) return;
  for (std::size_t c = 0; c < static_cast<std::size_t>(fields.columns); ++c) {
    double* column = &fields.inputs[0][c * elements];
    for (std::size_t e = elements - 10; e < elements; ++e)
      column[e] = static_cast<double>(static_cast<int>(generator() % 5) - 1);
    if (elements == 22) continue;
    for (std::size_t i = 1; i < 5; ++i) column[i] = static_cast<double>(static_cast<int>(generator() % 6) - 1);
    column[0] = static_cast<double>(generator() % 5);
  }
}

struct SampleChoice {
  std::string method = "ddpm", projection = "null_space";
  std::int64_t steps = 7;
  bool own_laws = false;  ///< coefficients of each column
};

/// A sampling loop over 6 outputs with two laws, one of them with a right-hand side of the inputs; its network sees the
/// inputs through a layer of the outer graph. The last step is the constrain step.
inline GraphModel sample_model(const SampleChoice& choice) {
  GraphModel m(5, 6);
  auto& d = m.file.description;
  // y is one variable of six elements; the laws are made of six variables, so that coefficients may differ.
  std::vector<Variable> variables;
  for (int i = 0; i < 5; ++i) {
    Variable v;
    v.name = "x" + std::to_string(i);
    v.units = "1";
    v.role = Role::input;
    variables.push_back(v);
  }
  d.heads[0].variables.clear();
  for (int i = 0; i < 6; ++i) {
    Variable v;
    v.name = "y" + std::to_string(i);
    v.units = "1";
    v.role = Role::output;
    variables.push_back(v);
    d.heads[0].variables.push_back(v.name);
  }
  d.layout = StateLayout({}, variables);
  d.heads[0].strategy = "projection";
  const auto law = [&](const std::string& name, const std::vector<double>& row, const Expression& right) {
    Law made;
    made.name = made.equation = name;
    made.units = "1";
    for (std::size_t i = 0; i < row.size(); ++i)
      if (row[i] != 0.0)
        made.terms.push_back({"y" + std::to_string(i), choice.own_laws && i % 2 == 1
                                                           ? Expression(row[i]) * (Expression(3.0) + Expression::symbol("x1"))
                                                           : Expression(row[i])});
    made.right_hand_side = right;
    d.laws.push_back(made);
  };
  law("sum", {1.0, 1.0, -1.0, 0.0, 0.0, 0.5}, Expression::symbol("x0") + Expression(1.0));
  law("pair", {0.0, 2.0, 0.0, 1.0, -3.0, 0.0}, Expression(0.25));

  m.node("single", {"inputs"}, {"condition0"});
  m.graph().push_back(m.dense_node("condition0", "condition", 5, 4));
  auto& inner = d.subgraphs["denoiser"];
  inner.push_back({"time_embedding", {"time"}, {"when"}, {{"frequencies", m.f64("f", {2}, {0.25, 1.5})}}, {}});
  inner.push_back({"concat", {"state", "when", "condition"}, {"all"}, {}, {}});
  inner.push_back(m.dense_node("all", "hidden", 14, 24));
  inner.push_back({"silu", {"hidden"}, {"active"}, {}, {}});
  inner.push_back(m.dense_node("active", "prediction", 24, 6));
  std::vector<double> schedule;
  for (std::int64_t k = 0; k < choice.steps; ++k) {
    const double t = 1.0 - static_cast<double>(k) / static_cast<double>(choice.steps), a = std::cos(1.5 * t),
                 s = std::sin(1.5 * t);
    const bool flow = choice.method == "flow", ddpm = choice.method == "ddpm";
    // Numbers of the right size; the loop's arithmetic is what is tested.
    const double row[7] = {t,
                           1.1 * a,
                           flow ? 0.0 : -0.6 * s,
                           flow ? 1.0 / static_cast<double>(choice.steps) : 0.7 * s,
                           0.9 * a,
                           ddpm && k + 1 < choice.steps ? 0.3 * s : 0.0,
                           0.8 * a};
    schedule.insert(schedule.end(), row, row + 7);
  }
  m.f64("schedule", {choice.steps, 7}, schedule);
  m.f64("output.mean", {6}, {0.5, -1.0, 2.0, 10.0, 0.0, 3.0});
  m.f64("output.scale", {6}, {1.0, 2.0, 0.5, 4.0, 1.5, 3.0});
  m.node("sample", {"condition"}, {"z"},
         {{"schedule", "schedule"}, {"output_mean", "output.mean"}, {"output_scale", "output.scale"}},
         {{"subgraph", "denoiser"}, {"method", choice.method}, {"site", "3"}, {"projection", choice.projection}});
  m.node("constrain", {"z"}, {"outputs"}, {{"scale", "output.scale"}}, {{"metric", "scale"}});
  return m;
}

}  // namespace lavoisier::tests

#endif
