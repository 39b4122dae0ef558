// Small networks by our own loops: against LibTorch and differences in FP64, FP32 against FP64 and, bit for bit, plain
// loops; bits that depend neither on place, cut nor instruction set; training by either engine.

#include "optimizer.hpp"
#include "small_network.hpp"
#include "synthetic.hpp"
#include "training_network.hpp"

#include <lavoisier/elementary.hpp>
#include <lavoisier/status.hpp>

#include <gtest/gtest.h>

#include <cmath>
#include <cstdlib>
#include <cstring>

namespace lavoisier::detail {
namespace {

MlpOptions shape(std::vector<std::int64_t> hidden, bool residual = false, bool layer_norm = false,
                 const char* activation = "silu") {
  MlpOptions options;
  options.hidden = std::move(hidden);
  options.residual = residual;
  options.layer_norm = layer_norm;
  options.activation = activation;
  return options;
}

/// Weights with nothing special about them: layer norms are no identities, biases not zero.
template <class Real>
void set_weights(std::span<Real> weights, const NetworkPlan& plan) {
  const std::vector<double> start = initial_weights(plan, {}, 5);
  for (std::size_t i = 0; i < start.size(); ++i)
    weights[i] = static_cast<Real>(start[i] + 0.2 * std::sin(1.0 + static_cast<double>(i)));
}

template <class Real>
std::vector<Real> inputs_of(std::int64_t rows, std::int64_t width) {
  std::vector<Real> x(static_cast<std::size_t>(rows * width));
  for (std::size_t i = 0; i < x.size(); ++i) 
    x[i] = static_cast<Real>(static_cast<float>(2.0 * std::sin(0.7 * static_cast<double>(i * i))));
  return x;
}

/// A loss that treats every number of h differently.
template <class Real>
auto curved(std::int64_t outputs) {
  return [outputs](const Real* h, std::int64_t rows, Real* h_bar) {
    double sum = 0.0;
    for (std::int64_t i = 0; i < rows * outputs; ++i) {
      const double value = static_cast<double>(h[i]), at = static_cast<double>(i);
      sum += std::sin(at + value) + 0.5 * value * value;
      h_bar[i] = static_cast<Real>(std::cos(at + value) + value);
    }
    return sum;
  };
}

struct Shape {
  std::int64_t inputs, outputs, rows;
  MlpOptions options;
  double dropout;
};

std::vector<Shape> shapes() {
  return {{3, 6, 16, shape({32, 32}), 0.0},      {1, 1, 1, shape({1}), 0.0},
          {5, 2, 3, shape({17, 16, 15}), 0.0},   {17, 31, 7, shape({33}), 0.3},
          {3, 4, 18, shape({7, 7, 5}, true), 0.25}, {4, 6, 5, shape({9, 9, 9}, true, true), 0.25},
          {2, 3, 33, shape({20, 8}, false, true), 0.0}, {11, 12, 130, shape({64, 64}, true, true), 0.1},
          {5, 4, 19, shape({18, 18}, false, false, "relu"), 0.0}, {3, 5, 6, shape({9, 9, 9}, true, true, "relu"), 0.25}};
}

/// Largest |found - expected| over the scale of expected.
template <class Found, class Expected>
double distance(const Found& found, const Expected& expected) {
  double worst = 0.0, scale = 1e-300;
  EXPECT_EQ(found.size(), expected.size());
  for (std::size_t i = 0; i < expected.size(); ++i) {
    worst = std::fmax(worst, std::abs(static_cast<double>(found[i]) - static_cast<double>(expected[i])));
    if (std::isnan(found[i])) return found[i];
    scale = std::fmax(scale, std::abs(static_cast<double>(expected[i])));
  }
  return worst / scale;
}

class SmallNetworks : public testing::TestWithParam<std::size_t> {
 protected:
  Shape given = shapes()[GetParam()];
  NetworkPlan plan = plan_mlp(given.options, given.inputs, given.outputs);
  Dropout dropout{given.dropout, 11, 4};
};

TEST_P(SmallNetworks, AreLibTorchsInDoublePrecision) {
  SmallNetwork<double> ours(plan);
  Network<double> reference(plan);
  set_weights(ours.weights(), plan);
  set_weights(reference.weights(), plan);
  const auto x = inputs_of<double>(given.rows, given.inputs);
  const auto loss = curved<double>(given.outputs);
  // Twice: a second call must find nothing of the first.
  for (const std::int64_t rows : {given.rows, (given.rows + 1) / 2, given.rows}) {
    const double value = ours.differentiate(x.data(), rows, loss, dropout);
    EXPECT_NEAR(value, reference.differentiate(x.data(), rows, loss, dropout), 1e-12 * (1.0 + std::abs(value)));
    for (const Parameter& p : plan.parameters) {
      const auto part = [&](std::span<double> all) {
        return all.subspan(static_cast<std::size_t>(p.offset), static_cast<std::size_t>(p.elements()));
      };
      EXPECT_LT(distance(part(ours.gradient()), part(reference.gradient())), 1e-12) << p.name;
    }
  }
  std::vector<double> h(static_cast<std::size_t>(given.rows * given.outputs)), expected(h);
  ours.evaluate(x.data(), given.rows, h.data());
  reference.evaluate(x.data(), given.rows, expected.data());
  EXPECT_LT(distance(h, expected), 1e-13);
}

TEST_P(SmallNetworks, GradientsAgreeWithCentralDifferences) {
  SmallNetwork<double> network(plan);
  set_weights(network.weights(), plan);
  const auto x = inputs_of<double>(given.rows, given.inputs);
  const auto loss = curved<double>(given.outputs);
  network.differentiate(x.data(), given.rows, loss, dropout);
  const std::vector<double> gradient(network.gradient().begin(), network.gradient().end());
  double scale = 0.0;
  for (const double g : gradient) scale = std::fmax(scale, std::abs(g));
  for (std::size_t i = 0; i < gradient.size(); i += 1 + gradient.size() / 100) {
    double& weight = network.weights()[i];
    const double start = weight;
    const auto slope = [&](double step) {
      weight = start + step;
      const double up = network.differentiate(x.data(), given.rows, loss, dropout);
      weight = start - step;
      const double down = network.differentiate(x.data(), given.rows, loss, dropout);
      weight = start;
      return (up - down) / (2.0 * step);
    };
    const double difference = (4.0 * slope(1e-4) - slope(2e-4)) / 3.0;  // Richardson
    EXPECT_NEAR(gradient[i], difference, 1e-8 * scale) << i;
  }
}

TEST_P(SmallNetworks, SinglePrecisionIsDoubleRounded) {
  SmallNetwork<float> network(plan);
  SmallNetwork<double> reference(plan);
  set_weights(network.weights(), plan);
  std::copy(network.weights().begin(), network.weights().end(), reference.weights().begin());
  const auto x = inputs_of<float>(given.rows, given.inputs);
  const std::vector<double> exact_x(x.begin(), x.end());
  const double value = network.differentiate(x.data(), given.rows, curved<float>(given.outputs), dropout);
  const double exact = reference.differentiate(exact_x.data(), given.rows, curved<double>(given.outputs), dropout);
  EXPECT_NEAR(value, exact, 2e-6 * static_cast<double>(given.rows * given.outputs) * (1.0 + std::abs(exact)));
  EXPECT_LT(distance(network.gradient(), reference.gradient()), 2e-6);
  std::vector<float> h(static_cast<std::size_t>(given.rows * given.outputs));
  std::vector<double> expected(h.size());
  network.evaluate(x.data(), given.rows, h.data());
  reference.evaluate(exact_x.data(), given.rows, expected.data());
  EXPECT_LT(distance(h, expected), 1e-6);
}

template <class Real>
bool same_bits(std::span<const Real> a, std::span<const Real> b) {
  return a.size() == b.size() && std::memcmp(a.data(), b.data(), a.size_bytes()) == 0;
}

template <class Real>
void expect_same_for_all_tables(const Shape& given, const NetworkPlan& plan, const Dropout& dropout) {
  const KernelTable* tables[3];
  const int count = runnable_network_kernels(tables);
  std::vector<Real> h, gradient;
  for (int i = 0; i < count; ++i) {
    SmallNetwork<Real> network(plan, *tables[i]);
    set_weights(network.weights(), plan);
    const auto x = inputs_of<Real>(given.rows, given.inputs);
    std::vector<Real> found(static_cast<std::size_t>(given.rows * given.outputs));
    network.evaluate(x.data(), given.rows, found.data());
    network.differentiate(x.data(), given.rows, curved<Real>(given.outputs), dropout);
    if (i == 0) {
      h = found;
      gradient.assign(network.gradient().begin(), network.gradient().end());
    }
    EXPECT_TRUE(same_bits<Real>(found, h)) << tables[i]->name;
    EXPECT_TRUE(same_bits<Real>(network.gradient(), gradient)) << tables[i]->name;
  }
}

TEST_P(SmallNetworks, HaveTheSameBitsForEveryInstructionSet) {
  expect_same_for_all_tables<float>(given, plan, dropout);
  expect_same_for_all_tables<double>(given, plan, dropout);
}

/// A network of dense and silu or relu by plain loops over numbers: every sum in the order that SmallNetwork promises. Returns
/// the gradient of `curved` (rows one after another).
template <class Real>
std::vector<Real> gradient_by_plain_loops(const NetworkPlan& plan, std::span<const Real> weights, std::vector<Real> x,
                                          std::size_t rows) {
  struct Layer {
    std::size_t inputs, outputs, weight, bias;
    std::vector<Real> x, slope;  // slope of what is behind it
  };
  const bool relu = std::any_of(plan.operations.begin(), plan.operations.end(),
                                [](const GraphOperation& one) { return one.op == "relu"; });
  std::vector<Layer> layers;
  std::vector<Real> bar(rows * static_cast<std::size_t>(plan.outputs)), gradient(weights.size());
  for (std::size_t p = 0; p < plan.parameters.size(); p += 2) {
    const Parameter& matrix = plan.parameters[p];
    Layer layer{static_cast<std::size_t>(matrix.shape[1]), static_cast<std::size_t>(matrix.shape[0]),
                static_cast<std::size_t>(matrix.offset), static_cast<std::size_t>(plan.parameters[p + 1].offset),
                x, {}};
    std::vector<Real> y(rows * layer.outputs);
    for (std::size_t r = 0; r < rows; ++r)
      for (std::size_t j = 0; j < layer.outputs; ++j) {
        Real sum = weights[layer.bias + j];
        for (std::size_t k = 0; k < layer.inputs; ++k)
          sum = sum + weights[layer.weight + j * layer.inputs + k] * x[r * layer.inputs + k];
        y[r * layer.outputs + j] = sum;
      }
    x = y;
    if (p + 2 < plan.parameters.size()) {
      layer.slope.resize(y.size());
      if (relu)
        for (std::size_t i = 0; i < y.size(); ++i) {
          layer.slope[i] = y[i] > Real(0) ? Real(1) : Real(0);
          x[i] = std::max(y[i], Real(0));
        }
      else
        kernels_of<Real>(network_kernels_baseline)
            .silu_with_slope(y.data(), x.data(), layer.slope.data(), static_cast<std::int64_t>(y.size()));
    }
    layers.push_back(std::move(layer));
  }
  curved<Real>(plan.outputs)(x.data(), static_cast<std::int64_t>(rows), bar.data());
  for (auto layer = layers.rbegin(); layer != layers.rend(); ++layer) {
    if (!layer->slope.empty())
      for (std::size_t i = 0; i < bar.size(); ++i) bar[i] = bar[i] * layer->slope[i];
    std::vector<Real> x_bar(rows * layer->inputs);
    for (std::size_t r = 0; r < rows; ++r)
      for (std::size_t j = 0; j < layer->outputs; ++j) {
        const Real y_bar = bar[r * layer->outputs + j];
        gradient[layer->bias + j] += y_bar;
        for (std::size_t k = 0; k < layer->inputs; ++k) {
          gradient[layer->weight + j * layer->inputs + k] += y_bar * layer->x[r * layer->inputs + k];
          x_bar[r * layer->inputs + k] += y_bar * weights[layer->weight + j * layer->inputs + k];
        }
      }
    bar = x_bar;
  }
  return gradient;
}

TEST_P(SmallNetworks, AreThePlainLoopsBitForBit) {
  if (given.options.residual || given.options.layer_norm) return;
  SmallNetwork<float> network(plan);
  set_weights(network.weights(), plan);
  const auto x = inputs_of<float>(given.rows, given.inputs);
  network.differentiate(x.data(), given.rows, curved<float>(given.outputs));
  const auto rows = static_cast<std::size_t>(given.rows);
  EXPECT_TRUE(same_bits<float>(network.gradient(), gradient_by_plain_loops<float>(plan, network.weights(), x, rows)));
  // The plain loops themselves, in FP64.
  Network<double> reference(plan);
  std::copy(network.weights().begin(), network.weights().end(), reference.weights().begin());
  const std::vector<double> wide(x.begin(), x.end());
  reference.differentiate(wide.data(), given.rows, curved<double>(given.outputs));
  const auto plain = gradient_by_plain_loops<double>(plan, reference.weights(), wide, rows);
  EXPECT_LT(distance(plain, reference.gradient()), 1e-12);
}

TEST_P(SmallNetworks, RowsDoNotDependOnPlaceOrCut) {
  SmallNetwork<float> network(plan);
  set_weights(network.weights(), plan);
  const std::int64_t rows = 150;  // more than two pieces
  const auto x = inputs_of<float>(rows, given.inputs);
  const auto size = static_cast<std::size_t>(given.outputs);
  std::vector<float> h(static_cast<std::size_t>(rows) * size), part(h.size());
  network.evaluate(x.data(), rows, h.data());
  const std::span<const float> all(h);
  for (const std::int64_t cut : {1, 2, 3, 5, 7, 64}) {
    for (std::int64_t first = 0; first < rows; first += cut)
      network.evaluate(x.data() + first * given.inputs, std::min(cut, rows - first),
                       part.data() + first * given.outputs);
    EXPECT_TRUE(same_bits<float>(part, all)) << cut;
  }
  // A row that is not finite stays alone, and a training step sees what evaluation gives.
  auto bad = x;
  for (std::int64_t i = 0; i < given.inputs; ++i) bad[static_cast<std::size_t>(7 * given.inputs + i)] = std::nanf("");
  network.evaluate(bad.data(), rows, part.data());
  EXPECT_TRUE(std::isnan(part[7 * size]));
  EXPECT_TRUE(same_bits<float>(std::span<const float>(part).subspan(8 * size), all.subspan(8 * size)));
  EXPECT_TRUE(same_bits<float>(std::span<const float>(part).first(7 * size), all.first(7 * size)));
  network.differentiate(x.data(), rows, [&](const float* seen, std::int64_t count, float* h_bar) {
    EXPECT_TRUE(same_bits<float>({seen, h.size()}, all));
    std::fill_n(h_bar, count * given.outputs, 0.0F);
    return 0.0;
  });
}
INSTANTIATE_TEST_SUITE_P(Shapes, SmallNetworks, testing::Range(std::size_t{0}, shapes().size()));

/// FP64 by the C library.
TEST(Silu, ValueAndSlopeAreAccurate) {
  const KernelTable* tables[3];
  const int count = runnable_network_kernels(tables);
  std::vector<float> x = {-0.0F, 0.0F, 1e-30F, -1e-30F, -87.0F, -100.0F, 88.0F, 150.0F, -150.0F};
  for (int i = -4000; i <= 4000; ++i) x.push_back(0.005F * static_cast<float>(i));
  const auto size = static_cast<std::int64_t>(x.size());
  for (int t = 0; t < count; ++t) {
    std::vector<float> y(x.size()), slope(x.size()), alone(x.size());
    tables[t]->single.silu_with_slope(x.data(), y.data(), slope.data(), size);
    tables[t]->single.silu(x.data(), alone.data(), size);
    std::vector<double> wide(x.begin(), x.end()), wide_y(x.size()), wide_slope(x.size());
    tables[t]->twofold.silu_with_slope(wide.data(), wide_y.data(), wide_slope.data(), size);
    for (std::size_t i = 0; i < x.size(); ++i) {
      ASSERT_EQ(y[i], elementary::silu(x[i])) << x[i];
      ASSERT_EQ(y[i], alone[i]) << x[i];
      const double s = 1.0 / (1.0 + std::exp(-wide[i])), value = wide[i] * s;
      const double exact = s + value / (1.0 + std::exp(wide[i]));
      ASSERT_NEAR(wide_y[i], value, 1e-15 * std::abs(value)) << x[i];
      ASSERT_NEAR(wide_slope[i], exact, 2e-15) << x[i];
      ASSERT_NEAR(slope[i], exact, 3e-7) << x[i];
    }
  }
}

TEST(AdamKernel, IsTheSameInEveryTableAndIgnoresWhatIsBehind) {
  const KernelTable* tables[3];
  const int count = runnable_network_kernels(tables);
  std::vector<float> expected;
  for (int t = 0; t < count; ++t) {
    std::vector<float> w(40), m(40), v(40), g(40), a(40);
    for (std::size_t i = 0; i < 40; ++i) {
      const double at = static_cast<double>(i);
      w[i] = a[i] = static_cast<float>(std::sin(at));
      g[i] = static_cast<float>(std::cos(at));
      m[i] = 0.1F * g[i];
      v[i] = g[i] * g[i];
    }
    for (int step = 0; step < 5; ++step)
      tables[t]->adam({w.data(), m.data(), v.data(), g.data(), a.data(), 37, 0.99F, 1e-3F, 1.5F, 0.1F});
    EXPECT_EQ(w[37], static_cast<float>(std::sin(37.0)));
    w.insert(w.end(), a.begin(), a.end());
    if (t == 0) expected = w;
    EXPECT_TRUE(same_bits<float>(w, expected)) << tables[t]->name;
    EXPECT_TRUE(tables[t]->finite(g.data(), 40));
    for (const float bad : {std::nanf(""), INFINITY, -INFINITY}) {
      g[36] = bad;
      EXPECT_FALSE(tables[t]->finite(g.data(), 37));
      EXPECT_TRUE(tables[t]->finite(g.data(), 36));
    }
  }
}

/// 200 steps on a smooth function: both engines go the same way but for rounding.
TEST(TrainingNetworks, BothEnginesLearnTheSame) {
  const NetworkPlan plan = plan_mlp(shape({32, 32}), 3, 2);
  TrainingNetwork loops(plan, true), torch(plan, false);
  EXPECT_STREQ(loops.engine(), "loops");
  EXPECT_STREQ(torch.engine(), "libtorch");
  const std::int64_t rows = 64;
  const auto x = inputs_of<float>(rows, 3);
  const auto squares = [&](const float* h, std::int64_t count, float* h_bar) {
    double sum = 0.0;
    for (std::int64_t i = 0; i < 2 * count; ++i) {
      const std::size_t row = static_cast<std::size_t>(i / 2);
      const double target = i % 2 ? std::sin(static_cast<double>(x[3 * row]))
                                  : static_cast<double>(x[3 * row + 1] * x[3 * row + 2]);
      const double error = static_cast<double>(h[i]) - target;
      sum += error * error / static_cast<double>(count);
      h_bar[i] = static_cast<float>(2.0 * error / static_cast<double>(count));
    }
    return sum;
  };
  double first = 0.0, last[2] = {};
  int engine = 0;
  for (TrainingNetwork* network : {&loops, &torch}) {
    TrainingOptions options;
    Adam adam(plan, options);
    set_weights(network->weights(), plan);
    for (std::int64_t step = 0; step < 200; ++step) {
      last[engine] = network->differentiate(x.data(), rows, squares, {0.0, 3, step});
      if (step == 0) first = last[engine];
      adam.update(network->weights(), network->gradient(), step, 3e-3);
    }
    ++engine;
  }
  EXPECT_LT(last[0], 0.1 * first);
  EXPECT_NEAR(last[0], last[1], 1e-3 * last[1]);
  EXPECT_LT(distance(loops.weights(), torch.weights()), 1e-3);
}

TEST(TrainingNetworks, AModelHasTheSameBitsForEveryInstructionSet) {
  const test::Synthetic problem = test::synthetic(200);
  TrainingOptions options;
  options.network.hidden = {17, 17};
  options.network.residual = options.network.layer_norm = true;
  options.network.dropout = 0.1;
  options.epochs = 2;
  options.batch = 16;
  options.weight_decay = 0.01;
  options.ema = 0.9;
  const KernelTable* tables[3];
  const int count = runnable_network_kernels(tables);
  std::vector<std::byte> expected;
  for (int i = 0; i < count; ++i) {
    ::setenv("LAVOISIER_INSTRUCTION_SET", tables[i]->name, 1);
    const ModelFile model = train(problem.samples, problem.constraints(), options).model;
    EXPECT_EQ(model.description.provenance.at("training.engine"), "loops");
    if (i == 0) expected = model.serialize();
    EXPECT_EQ(model.serialize(), expected) << tables[i]->name;
  }
  ::setenv("LAVOISIER_INSTRUCTION_SET", "mmx", 1);
  EXPECT_ERROR(train(problem.samples, problem.constraints(), options), Status::invalid_argument, "'mmx'", "x86-64");
  ::unsetenv("LAVOISIER_INSTRUCTION_SET");
}

TEST(TrainingNetworks, SizeDecides) {
  const NetworkPlan plan = plan_mlp(shape({32, 32}), 3, 6);
  EXPECT_TRUE(TrainingNetwork::runs_in_loops(plan, 16));
  EXPECT_FALSE(TrainingNetwork::runs_in_loops(plan, 4000));
  EXPECT_FALSE(TrainingNetwork::runs_in_loops(plan_mlp(shape({1024, 1024}), 3, 6), 16));
  EXPECT_STREQ(TrainingNetwork(plan, std::int64_t{16}).engine(), "loops");
  EXPECT_STREQ(TrainingNetwork(plan, std::int64_t{4000}).engine(), "libtorch");
  NetworkPlan other = plan;
  other.operations[1].op = "convolution";
  EXPECT_FALSE(TrainingNetwork::runs_in_loops(other, 16));
  EXPECT_THROW(SmallNetwork<float>{other}, Error);
}

}  // namespace
}  // namespace lavoisier::detail
