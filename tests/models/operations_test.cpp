// The operations of networks: values by plain loops, gradients against central differences, reading and writing.

#include "backbones.hpp"
#include "network.hpp"
#include "operation_shapes.hpp"

#include <lavoisier/elementary.hpp>
#include <lavoisier/status.hpp>

#include "synthetic.hpp"

#include <gtest/gtest.h>

#include <algorithm>
#include <cmath>
#include <functional>
#include <limits>

namespace lavoisier::detail {
namespace {

using Values = std::vector<double>;

double wave(std::size_t i, double phase = 0.0) { return std::sin(1.7 * static_cast<double>(i) + phase); }
Values waves(std::int64_t count, double phase = 0.0) {
  Values values;
  for (std::int64_t i = 0; i < count; ++i) values.push_back(wave(static_cast<std::size_t>(i), phase));
  return values;
}

void set_weights(Network<double>& network, double phase = 0.3) {
  const std::span<double> weights = network.weights();
  for (std::size_t i = 0; i < weights.size(); ++i) weights[i] = 0.5 * wave(i, phase);
}

Values run(const Network<double>& network, const Values& x) {
  const std::int64_t rows = static_cast<std::int64_t>(x.size()) / network.plan().columns();
  Values h(static_cast<std::size_t>(rows * network.plan().outputs));
  network.evaluate(x.data(), rows, h.data());
  return h;
}

/// Gradients by weights and by x of a loss that is no sum of equal terms.
void expect_gradients(const NetworkPlan& plan, const Values& x, const std::vector<bool>& differentiable = {}) {
  Network<double> network(plan);
  set_weights(network);
  const std::int64_t rows = static_cast<std::int64_t>(x.size()) / plan.columns();
  const Network<double>::Function loss = [&](const double* h, std::int64_t count, double* h_bar) {
    double sum = 0.0;
    for (std::int64_t i = 0; i < count * plan.outputs; ++i) {
      sum += std::sin(static_cast<double>(i) + h[i]) + 0.5 * h[i] * h[i];
      h_bar[i] = std::cos(static_cast<double>(i) + h[i]) + h[i];
    }
    return sum;
  };
  Values x_bar(x.size()), ignored(x.size());
  network.differentiate(x.data(), rows, loss, {}, x_bar.data());
  const Values gradient(network.gradient().begin(), network.gradient().end());
  const auto at = [&](const Values& point) {
    const Values h = run(network, point);
    Values h_bar(h.size());
    return loss(h.data(), rows, h_bar.data());
  };
  constexpr double step = 1e-5;
  // Of fourth order: an embedded time turns often.
  const auto slope = [&](const std::function<double(double)>& f) {
    return (8.0 * (f(step) - f(-step)) - (f(2 * step) - f(-2 * step))) / (12.0 * step);
  };
  for (std::size_t i = 0; i < gradient.size(); ++i) {
    double& w = network.weights()[i];
    const double kept = w;
    const double expected = slope([&](double moved) {
      w = kept + moved;
      return at(x);
    });
    w = kept;
    ASSERT_NEAR(gradient[i], expected, 2e-7 * (1 + std::abs(gradient[i]))) << "weight " << i;
  }
  for (std::size_t i = 0; i < x.size(); ++i) {
    const std::size_t column = i % static_cast<std::size_t>(plan.columns());
    if (!differentiable.empty() && !differentiable[column]) continue;
    Values moved = x;
    const double expected = slope([&](double by) {
      moved[i] = x[i] + by;
      return at(moved);
    });
    ASSERT_NEAR(x_bar[i], expected, 2e-7 * (1 + std::abs(x_bar[i]))) << "input " << i;
  }
}

NetworkPlan one(GraphOperation operation, std::vector<Port> ports, std::vector<Parameter> parameters, std::int64_t outputs,
                std::map<std::string, Values> constants = {}) {
  NetworkPlan plan;
  plan.input = ports[0].name;
  plan.inputs = ports[0].width;
  plan.more.assign(ports.begin() + 1, ports.end());
  for (const Port& port : ports) operation.inputs.push_back(port.name);
  operation.outputs = {"y"};
  for (Parameter& parameter : parameters) {
    parameter.offset = plan.size;
    plan.size += parameter.elements();
    operation.tensors[parameter.name] = parameter.name;
  }
  for (const auto& [name, values] : constants) operation.tensors[name] = name;
  plan.constants = std::move(constants);
  plan.parameters = std::move(parameters);
  plan.operations = {operation};
  plan.output = "y";
  plan.outputs = outputs;
  return plan;
}

/// A plan of one operation: shape, values against `expected` (rows of 2), gradients.
void expect_operation(const NetworkPlan& plan, const Values& x, const Values& expected,
                      const std::vector<bool>& differentiable = {}) {
  std::vector<std::int64_t> widths{plan.inputs};
  for (const Port& port : plan.more) widths.push_back(port.width);
  const ShapeOf shape_of = [&](const std::string& name) -> std::vector<std::int64_t> {
    for (const Parameter& parameter : plan.parameters)
      if (parameter.name == name) return parameter.shape;
    return {static_cast<std::int64_t>(plan.constants.at(name).size())};
  };
  EXPECT_EQ(output_width(plan.operations[0], widths, shape_of), plan.outputs);
  Network<double> network(plan);
  set_weights(network);
  const Values found = run(network, x);
  ASSERT_EQ(found.size(), expected.size());
  for (std::size_t i = 0; i < found.size(); ++i) EXPECT_NEAR(found[i], expected[i], 1e-13) << i;
  expect_gradients(plan, x, differentiable);
}

double weight_at(std::size_t i) { return 0.5 * wave(i, 0.3); }

TEST(Operations, Activations) {
  const Values x = waves(8, 0.4);  // none at relu's kink
  const auto mapped = [&](auto&& f) {
    Values y;
    for (const double v : x) y.push_back(f(v));
    return y;
  };
  expect_operation(one({"relu", {}, {}, {}, {}}, {{"a", 4}}, {}, 4), x, mapped([](double v) { return v > 0 ? v : 0; }));
  expect_operation(one({"tanh", {}, {}, {}, {}}, {{"a", 4}}, {}, 4), x, mapped([](double v) { return std::tanh(v); }));
  expect_operation(one({"sigmoid", {}, {}, {}, {}}, {{"a", 4}}, {}, 4), x,
                   mapped([](double v) { return 1 / (1 + std::exp(-v)); }));
  const Network<double> relu(one({"relu", {}, {}, {}, {}}, {{"a", 1}}, {}, 1));
  EXPECT_TRUE(std::isnan(run(relu, {std::numeric_limits<double>::quiet_NaN()})[0]));
}

TEST(Operations, JoinCutMultiply) {
  const Values x = waves(12);
  expect_operation(one({"concat", {}, {}, {}, {}}, {{"a", 2}, {"b", 3}, {"c", 1}}, {}, 6), x, x);
  expect_operation(one({"slice", {}, {}, {}, {{"begin", "1"}, {"length", "3"}}}, {{"a", 6}}, {}, 3), x,
                   {x[1], x[2], x[3], x[7], x[8], x[9]});
  expect_operation(one({"multiply", {}, {}, {}, {}}, {{"a", 3}, {"b", 3}}, {}, 3), x,
                   {x[0] * x[3], x[1] * x[4], x[2] * x[5], x[6] * x[9], x[7] * x[10], x[8] * x[11]});
}

class Convolutions : public testing::TestWithParam<std::array<std::size_t, 8>> {};

TEST_P(Convolutions, ArePlainSums) {
  const auto [c, h, w, o, k, ky, stride, padding] = GetParam();
  const std::size_t sx = stride, sy = h > 1 ? stride : 1, py = h > 1 ? padding : 0, px = padding;
  const auto n = [](std::size_t value) { return static_cast<std::int64_t>(value); };
  const std::size_t rows = (h + 2 * py - ky) / sy + 1, columns = (w + 2 * px - k) / sx + 1;
  const Values x = waves(n(2 * c * h * w));
  Values expected;
  for (std::size_t row = 0; row < 2; ++row)
    for (std::size_t to = 0; to < o; ++to)
      for (std::size_t y = 0; y < rows; ++y)
        for (std::size_t z = 0; z < columns; ++z) {
          double sum = weight_at(o * c * ky * k + to);
          for (std::size_t from = 0; from < c; ++from)
            for (std::size_t i = 0; i < ky; ++i)
              for (std::size_t j = 0; j < k; ++j) {
                const std::size_t at_y = y * sy + i, at_x = z * sx + j;  // counted in the padded field
                if (at_y < py || at_y >= h + py || at_x < px || at_x >= w + px) continue;
                sum += weight_at(((to * c + from) * ky + i) * k + j) * x[((row * c + from) * h + at_y - py) * w + at_x - px];
              }
          expected.push_back(sum);
        }
  GraphOperation operation{"conv2d", {}, {}, {}, {}};
  operation.attributes = {{"height", std::to_string(h)}, {"width", std::to_string(w)},
                          {"stride", std::to_string(sy) + "," + std::to_string(sx)},
                          {"padding", std::to_string(py) + "," + std::to_string(px)}};
  expect_operation(one(operation, {{"a", n(c * h * w)}}, {{"weight", {n(o), n(c), n(ky), n(k)}, 0, 0, true}, {"bias", {n(o)}, 0, 0, false}},
                       n(o * rows * columns)),
                   x, expected);
}
INSTANTIATE_TEST_SUITE_P(Shapes, Convolutions,
                         testing::Values(std::array<std::size_t, 8>{2, 4, 5, 3, 3, 3, 1, 1},
                                         std::array<std::size_t, 8>{1, 4, 6, 2, 3, 3, 2, 1},
                                         std::array<std::size_t, 8>{3, 1, 7, 2, 5, 1, 1, 2},
                                         std::array<std::size_t, 8>{2, 3, 3, 2, 1, 1, 1, 0}));

TEST(Operations, Transpose) {
  const Values x = waves(12);
  expect_operation(one({"transpose", {}, {}, {}, {{"rows", "2"}, {"columns", "3"}}}, {{"a", 6}}, {}, 6), x,
                   {x[0], x[3], x[1], x[4], x[2], x[5], x[6], x[9], x[7], x[10], x[8], x[11]});
  EXPECT_ERROR(output_width({"transpose", {"a"}, {"y"}, {}, {{"rows", "2"}, {"columns", "2"}}}, {6}, {}), Status::invalid_format, "another matrix");
}

TEST(Operations, UpsampleAndAddChannel) {
  const Values x = waves(2 * 2 * 2 * 3);
  Values expected;
  for (std::size_t plane = 0; plane < 4; ++plane)
    for (std::size_t y = 0; y < 4; ++y)
      for (std::size_t z = 0; z < 6; ++z) expected.push_back(x[plane * 6 + y / 2 * 3 + z / 2]);
  expect_operation(one({"upsample2d", {}, {}, {}, {{"channels", "2"}, {"height", "2"}, {"width", "3"}, {"factor", "2,2"}}},
                       {{"a", 12}}, {}, 48),
                   x, expected);
  const Values y = waves(2 * 8);
  Values sum;
  for (std::size_t row = 0; row < 2; ++row)
    for (std::size_t i = 0; i < 6; ++i) sum.push_back(y[row * 8 + i] + y[row * 8 + 6 + i / 3]);
  expect_operation(one({"add_channel", {}, {}, {}, {}}, {{"a", 6}, {"b", 2}}, {}, 6), y, sum);
}

TEST(Operations, GroupNorm) {
  const std::size_t channels = 4, places = 3, groups = 2, size = channels / groups * places;
  const Values x = waves(2 * 12);
  Values expected;
  for (std::size_t row = 0; row < 2; ++row)
    for (std::size_t group = 0; group < groups; ++group) {
      const double* from = x.data() + row * 12 + group * size;
      double mean = 0.0, variance = 0.0;
      for (std::size_t i = 0; i < size; ++i) mean += from[i] / size;
      for (std::size_t i = 0; i < size; ++i) variance += (from[i] - mean) * (from[i] - mean) / size;
      for (std::size_t i = 0; i < size; ++i) {
        const std::size_t channel = group * 2 + i / places;
        expected.push_back((from[i] - mean) / std::sqrt(variance + 1e-5) * weight_at(channel) + weight_at(4 + channel));
      }
    }
  expect_operation(one({"group_norm", {}, {}, {}, {{"groups", "2"}, {"epsilon", "1e-05"}}}, {{"a", 12}},
                       {{"weight", {4}, 0, 0, false}, {"bias", {4}, 0, 0, false}}, 12),
                   x, expected);
}

TEST(Operations, TimeEmbedding) {
  const Values f = time_frequencies(3), t = {0.125, 0.8125};
  EXPECT_EQ(f, (Values{0.25, 4.0, 64.0}));
  Values expected;
  for (const double time : t)
    for (const int phase : {0, 1})
      for (const double frequency : f) expected.push_back(elementary::cos_two_pi(frequency * time - 0.25 * phase));
  expect_operation(one({"time_embedding", {}, {}, {}, {}}, {{"t", 1}}, {}, 6, {{"frequencies", f}}), t, expected);
}

TEST(Operations, Gru) {
  const std::size_t k = 2, n = 3;
  const Values x = waves(2 * 5);
  const auto sigmoid = [](double v) { return 1 / (1 + std::exp(-v)); };
  Values expected;
  for (std::size_t row = 0; row < 2; ++row) {
    const double *in = x.data() + row * 5, *h = in + k;
    const auto input = [&](std::size_t j) {
      double sum = weight_at(3 * n * (k + n) + j);
      for (std::size_t i = 0; i < k; ++i) sum += weight_at(j * k + i) * in[i];
      return sum;
    };
    const auto hidden = [&](std::size_t j) {
      double sum = weight_at(3 * n * (k + n) + 3 * n + j);
      for (std::size_t i = 0; i < n; ++i) sum += weight_at(3 * n * k + j * n + i) * h[i];
      return sum;
    };
    for (std::size_t j = 0; j < n; ++j) {
      const double r = sigmoid(input(j) + hidden(j)), z = sigmoid(input(n + j) + hidden(n + j));
      const double candidate = std::tanh(input(2 * n + j) + r * hidden(2 * n + j));
      expected.push_back((1 - z) * candidate + z * h[j]);
    }
  }
  expect_operation(one({"gru", {}, {}, {}, {}}, {{"x", 2}, {"h", 3}},
                       {{"weight_input", {9, 2}, 0, 2, true}, {"weight_hidden", {9, 3}, 0, 3, true},
                        {"bias_input", {9}, 0, 2, false}, {"bias_hidden", {9}, 0, 3, false}}, 3),
                   x, expected);
}

TEST(Operations, GatherAndScatter) {
  const double absent = std::numeric_limits<double>::quiet_NaN();
  Values x = waves(2 * 10);  // 3 nodes of 2 features, 4 edges
  const std::vector<Values> index = {{2, 0, -1, 2}, {1, absent, 0, 1}};
  Values gathered;
  for (std::size_t row = 0; row < 2; ++row)
    for (std::size_t e = 0; e < 4; ++e) {
      const double node = x[row * 10 + 6 + e] = index[row][e];
      for (std::size_t f = 0; f < 2; ++f)
        gathered.push_back(node >= 0 ? x[row * 10 + static_cast<std::size_t>(node) * 2 + f] : 0.0);
    }
  const std::vector<bool> nodes = {true, true, true, true, true, true, false, false, false, false};
  expect_operation(one({"gather", {}, {}, {}, {{"features", "2"}}}, {{"x", 6}, {"index", 4}}, {}, 8), x, gathered, nodes);

  Values e = waves(2 * 12), scattered(2 * 6, 0.0);
  for (std::size_t row = 0; row < 2; ++row)
    for (std::size_t edge = 0; edge < 4; ++edge) {
      const double node = e[row * 12 + 8 + edge] = index[row][edge];
      if (!(node >= 0)) continue;
      for (std::size_t f = 0; f < 2; ++f) scattered[row * 6 + static_cast<std::size_t>(node) * 2 + f] += e[row * 12 + edge * 2 + f];
    }
  std::vector<bool> edges(12, true);
  std::fill(edges.begin() + 8, edges.end(), false);
  const NetworkPlan scatter = one({"scatter_add", {}, {}, {}, {{"features", "2"}, {"nodes", "3"}}}, {{"e", 8}, {"index", 4}}, {}, 6);
  expect_operation(scatter, e, scattered, edges);
  // What an absent edge carries does not count, and a node that isn't there is refused by name.
  Values broken = e;
  broken[4] = absent;
  EXPECT_EQ(run(Network<double>(scatter), broken), run(Network<double>(scatter), e));
  broken[8] = 3;
  EXPECT_ERROR(run(Network<double>(scatter), broken), Status::invalid_argument, "index 0 of row 0", "0 to 2");
}

TEST(Operations, LayersOfEachRow) {
  // Three rows: as the layer without rows, applied to the three one after the other.
  const Values x = waves(2 * 3 * 2);
  NetworkPlan shared = one({"dense", {}, {}, {}, {{"rows", "3"}}}, {{"x", 6}},
                           {{"weight", {4, 2}, 0, 2, true}, {"bias", {4}, 0, 2, false}}, 12);
  const NetworkPlan alone =
      one({"dense", {}, {}, {}, {}}, {{"x", 2}}, {{"weight", {4, 2}, 0, 2, true}, {"bias", {4}, 0, 2, false}}, 4);
  Network<double> network(alone);
  set_weights(network);
  expect_operation(shared, x, run(network, x));

  // x: 3 rows of 2, then h: 3 rows of 3.
  const Values both = waves(2 * 15, 0.7);
  const std::vector<Parameter> gates = {{"weight_input", {9, 2}, 0, 2, true},
                                        {"weight_hidden", {9, 3}, 0, 3, true},
                                        {"bias_input", {9}, 0, 2, false},
                                        {"bias_hidden", {9}, 0, 3, false}};
  Values by_row;
  for (std::size_t sample = 0; sample < 2; ++sample)
    for (std::size_t row = 0; row < 3; ++row) {
      const auto from = both.begin() + static_cast<std::ptrdiff_t>(15 * sample);
      by_row.insert(by_row.end(), from + static_cast<std::ptrdiff_t>(2 * row),
                    from + static_cast<std::ptrdiff_t>(2 * row + 2));
      by_row.insert(by_row.end(), from + static_cast<std::ptrdiff_t>(6 + 3 * row),
                    from + static_cast<std::ptrdiff_t>(9 + 3 * row));
    }
  Network<double> cell(one({"gru", {}, {}, {}, {}}, {{"x", 2}, {"h", 3}}, gates, 3));
  set_weights(cell);
  expect_operation(one({"gru", {}, {}, {}, {{"rows", "3"}}}, {{"x", 6}, {"h", 9}}, gates, 9), both, run(cell, by_row));
}

TEST(Operations, Embedding) {
  const double absent = std::numeric_limits<double>::quiet_NaN();
  const Values index = {2, 0, -1, 2, absent, 1};
  Values expected;
  for (const double category : index)
    for (std::size_t f = 0; f < 2; ++f)
      expected.push_back(category >= 0 ? weight_at(static_cast<std::size_t>(category) * 2 + f) : 0.0);
  const NetworkPlan plan = one({"embedding", {}, {}, {}, {}}, {{"category", 3}}, {{"weight", {3, 2}, 0, 2, true}}, 6);
  expect_operation(plan, index, expected, {false, false, false});
  EXPECT_ERROR(run(Network<double>(plan), {0, 3, 1}), Status::invalid_argument, "index 1 of row 0", "names the row 3",
               "0 to 2");
}

TEST(Operations, BadOnesAreRefused) {
  const ShapeOf none = [](const std::string&) { return std::vector<std::int64_t>{2, 3, 3}; };
  const auto refused = [&](const GraphOperation& operation, const std::vector<std::int64_t>& widths, const std::string& part) {
    EXPECT_ERROR(output_width(operation, widths, none), Status::invalid_format, part);
  };
  refused({"fold", {}, {"y"}, {}, {}}, {3}, "unknown operation 'fold'");
  refused({"slice", {}, {"y"}, {}, {{"begin", "2"}, {"length", "2"}}}, {3}, "ends at 4 of 3");
  refused({"slice", {}, {"y"}, {}, {{"begin", "x"}, {"length", "2"}}}, {3}, "expected an integer");
  refused({"slice", {}, {"y"}, {}, {{"begin", "1"}}}, {3}, "lacks its attribute 'length'");
  refused({"multiply", {}, {"y"}, {}, {}}, {3, 2}, "different widths");
  refused({"dense", {}, {"y"}, {{"weight", "w"}}, {}}, {3}, "needs a matrix with 3 columns");
  refused({"conv2d", {}, {"y"}, {{"weight", "w"}}, {{"height", "2"}, {"width", "2"}, {"stride", "1"}, {"padding", "1,1"}}},
          {3}, "expected 'y,x'");
  refused({"dense", {}, {"y"}, {{"weight", "w"}}, {{"rows", "2"}}}, {3}, "no multiple of 2");
  refused({"embedding", {}, {"y"}, {{"weight", "w"}}, {}}, {3}, "needs a matrix");
  refused({"add_channel", {}, {"y"}, {}, {}}, {7, 2}, "no multiple of 2");
}

FieldOptions small_fields() {
  FieldOptions fields;
  fields.height = 4;
  fields.width = 4;
  fields.widths = {4, 6};
  fields.groups = 2;
  fields.frequencies = 2;
  return fields;
}

/// A norm of one channel a group would take out what the vectors add to the channels.
TEST(Backbones, OfFewChannelsReadTheirVectors) {
  FieldOptions fields;
  fields.height = fields.width = 4;
  fields.widths = {4};
  fields.groups = 4;
  const NetworkPlan plan = plan_unet(fields, {{{"y", 16}}, {{"x", 2}}, "", 16, "out", "net.", true});
  Network<double> network(plan);
  set_weights(network);
  Values x = waves(18);
  const Values before = run(network, x);
  x[17] += 3.0;
  const Values after = run(network, x);
  double largest = 0.0;
  for (std::size_t i = 0; i < before.size(); ++i) largest = std::max(largest, std::abs(after[i] - before[i]));
  EXPECT_GT(largest, 1e-3);  // else rounding alone
}

TEST(Backbones, GradientsAgreeWithCentralDifferences) {
  FieldOptions fields = small_fields();
  const BackboneShape denoiser{{{"state", 16}}, {{"x0", 3}}, "time", 16, "prediction", "denoiser.", true};
  const NetworkPlan unet = plan_unet(fields, denoiser);
  EXPECT_EQ(unet.columns(), 20);
  expect_gradients(unet, waves(2 * 20));
  // Without time and fields: a decoder; without a field to make: an encoder.
  expect_gradients(plan_unet(fields, {{}, {{"x0", 3}, {"z", 2}}, "", 32, "head", "decoder.", true}), waves(2 * 5));
  expect_gradients(plan_unet(fields, {{{"y", 16}}, {{"x0", 3}}, "", 4, "head", "encoder.", false}), waves(2 * 19));
  expect_gradients(plan_unet(fields, {{{"y", 16}}, {}, "", 16, "head", "", true}), waves(2 * 16));
  fields.width = 5;
  EXPECT_ERROR(plan_unet(fields, denoiser), Status::invalid_argument, "multiple of 2", "4 x 5");
  expect_gradients(plan_column_network(fields, {{{"column", 10}}, {{"x0", 3}}, "", 20, "head", "", true}), waves(2 * 13));
  MlpOptions options;
  options.hidden = {5, 5};
  options.residual = true;
  expect_gradients(plan_mlp(options, fields, denoiser), waves(2 * 20));
}

TEST(Backbones, AreReadBackFromAModelFile) {
  const NetworkPlan plan =
      plan_unet(small_fields(), {{{"state", 16}}, {{"x0", 3}}, "time", 16, "prediction", "denoiser.", true});
  const std::vector<double> start = initial_weights(plan, {}, 3, 0, false);
  const std::vector<float> weights(start.begin(), start.end());
  ModelFile model;
  for (const Parameter& parameter : plan.parameters)
    model.add(Tensor::from(parameter.name, parameter.shape,
                           std::span<const float>(weights).subspan(static_cast<std::size_t>(parameter.offset),
                                                                   static_cast<std::size_t>(parameter.elements()))));
  for (const auto& [name, values] : plan.constants)
    model.add(Tensor::from(name, {static_cast<std::int64_t>(values.size())}, std::span<const double>(values)));
  std::vector<float> read;
  const NetworkPlan found =
      plan_of(plan.operations, {{"state", 16}, {"x0", 3}, {"time", 1}}, "prediction", model, read);
  EXPECT_EQ(read, weights);
  EXPECT_EQ(found.columns(), plan.columns());
  EXPECT_EQ(found.outputs, plan.outputs);
  EXPECT_EQ(found.constants, plan.constants);
  Network<float> a(plan), b(found);
  std::copy(weights.begin(), weights.end(), a.weights().begin());
  std::copy(read.begin(), read.end(), b.weights().begin());
  std::vector<float> x(20, 0.25F), h(16), g(16);
  a.evaluate(x.data(), 1, h.data());
  b.evaluate(x.data(), 1, g.data());
  EXPECT_EQ(h, g);
  EXPECT_ERROR(plan_of(plan.operations, {{"state", 16}, {"x0", 3}}, "prediction", model, read), Status::invalid_format,
               "reads 'time', which nothing has made");
  EXPECT_ERROR(plan_of(plan.operations, {{"state", 15}, {"x0", 3}, {"time", 1}}, "prediction", model, read),
               Status::invalid_format, "conv2d");
}

TEST(Networks, ShareAVectorAndNest) {
  // outer(x) = a, loss = f(inner(a)): gradients of both through one call within the other.
  MlpOptions options;
  options.hidden = {4};
  const NetworkPlan outer = plan_mlp(options, {}, {{{"x", 2}}, {}, "", 3, "a", "outer.", true});
  const NetworkPlan inner = plan_mlp(options, {}, {{{"a", 3}}, {}, "", 2, "h", "inner.", true});
  Values weights = waves(outer.size + inner.size), gradient(weights.size());
  const auto part = [&](Values& all, bool second) {
    return second ? std::span<double>(all).subspan(static_cast<std::size_t>(outer.size))
                  : std::span<double>(all).first(static_cast<std::size_t>(outer.size));
  };
  Network<double> first(outer, part(weights, false), part(gradient, false));
  Network<double> second(inner, part(weights, true), part(gradient, true));
  const Values x = waves(4, 1.0);
  const Network<double>::Function loss = [](const double* h, std::int64_t rows, double* h_bar) {
    double sum = 0.0;
    for (std::int64_t i = 0; i < rows * 2; ++i) {
      sum += std::sin(static_cast<double>(i) + h[i]);
      h_bar[i] = std::cos(static_cast<double>(i) + h[i]);
    }
    return sum;
  };
  const auto at = [&] {
    return first.differentiate(x.data(), 2, [&](const double* a, std::int64_t rows, double* a_bar) {
      return second.differentiate(a, rows, loss, {}, a_bar);
    });
  };
  at();
  const Values found = gradient;
  for (std::size_t i = 0; i < weights.size(); ++i) {
    const double kept = weights[i], step = 1e-5;
    weights[i] = kept + step;
    const double up = at();
    weights[i] = kept - step;
    const double down = at();
    weights[i] = kept;
    EXPECT_NEAR(found[i], (up - down) / (2 * step), 1e-8) << i;
  }
}

}  // namespace
}  // namespace lavoisier::detail
