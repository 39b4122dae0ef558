// The network: gradients through LibTorch, initial weights, shuffling, dropout, optimiser.

#include "network.hpp"
#include "optimizer.hpp"

#include <gtest/gtest.h>

#include <algorithm>
#include <cmath>
#include <set>

namespace lavoisier::detail {
namespace {

MlpOptions small(bool residual, bool layer_norm) {
  MlpOptions options;
  options.hidden = {7, 7, 5};
  options.residual = residual;
  options.layer_norm = layer_norm;
  return options;
}

class Gradients : public testing::TestWithParam<std::tuple<bool, bool, double>> {};

TEST_P(Gradients, AgreeWithCentralDifferences) {
  const auto [residual, layer_norm, share] = GetParam();
  const NetworkPlan plan = plan_mlp(small(residual, layer_norm), 3, 4);
  Network<double> network(plan);
  const std::vector<double> start = initial_weights(plan, {}, 5);
  std::copy(start.begin(), start.end(), network.weights().begin());
  const std::vector<double> x = {0.3, -1.2, 2.0, 0.1, 0.7, -0.4, -2.0, 1.0, 0.5};
  const auto loss = [](const double* h, std::int64_t rows, double* h_bar) {
    double sum = 0.0;
    for (std::int64_t i = 0; i < rows * 4; ++i) {
      sum += std::sin(static_cast<double>(i) + h[i]) + h[i] * h[i];
      h_bar[i] = std::cos(static_cast<double>(i) + h[i]) + 2.0 * h[i];
    }
    return sum;
  };
  const Dropout dropout{share, 11, 4};
  network.differentiate(x.data(), 3, loss, dropout);
  const std::vector<double> gradient(network.gradient().begin(), network.gradient().end());
  ASSERT_EQ(static_cast<std::int64_t>(gradient.size()), plan.size);
  for (std::size_t i = 0; i < gradient.size(); ++i) {
    const double step = 1e-5;
    network.weights()[i] = start[i] + step;
    const double up = network.differentiate(x.data(), 3, loss, dropout);
    network.weights()[i] = start[i] - step;
    const double down = network.differentiate(x.data(), 3, loss, dropout);
    network.weights()[i] = start[i];
    EXPECT_NEAR(gradient[i], (up - down) / (2 * step), 1e-7 * (1 + std::abs(gradient[i]))) << i;
  }
}
INSTANTIATE_TEST_SUITE_P(Shapes, Gradients,
                         testing::Combine(testing::Bool(), testing::Bool(), testing::Values(0.0, 0.25)));

TEST(Network, IsTheGraphThatTheModelFileDescribes) {
  const NetworkPlan plan = plan_mlp(small(true, false), 3, 4);
  std::vector<std::string> operations;
  for (const GraphOperation& operation : plan.operations) operations.push_back(operation.op);
  EXPECT_EQ(operations, (std::vector<std::string>{"dense", "silu", "dense", "silu", "add", "dense", "silu", "dense"}));
  Network<float> network(plan);
  const std::vector<double> start = initial_weights(plan, {}, 5);
  std::transform(start.begin(), start.end(), network.weights().begin(), [](double w) { return static_cast<float>(w); });
  const std::vector<float> x = {0.3F, -1.2F, 2.0F};
  std::vector<float> h(4);
  network.evaluate(x.data(), 1, h.data());
  // The same by plain loops.
  std::map<std::string, std::vector<double>> values{{plan.input, {x.begin(), x.end()}}};
  for (const GraphOperation& operation : plan.operations) {
    std::vector<double> in = values.at(operation.inputs[0]), out;
    if (operation.op == "dense") {
      const auto named = [&](const char* operand) {
        return *std::find_if(plan.parameters.begin(), plan.parameters.end(),
                             [&](const Parameter& p) { return p.name == operation.tensors.at(operand); });
      };
      const Parameter weight = named("weight"), bias = named("bias");
      for (std::int64_t j = 0; j < weight.shape[0]; ++j) {
        double sum = network.weights()[static_cast<std::size_t>(bias.offset + j)];
        for (std::int64_t k = 0; k < weight.shape[1]; ++k)
          sum += in[static_cast<std::size_t>(k)] *
                 static_cast<double>(network.weights()[static_cast<std::size_t>(weight.offset + j * weight.shape[1] + k)]);
        out.push_back(sum);
      }
    } else if (operation.op == "silu") {
      for (const double v : in) out.push_back(v / (1 + std::exp(-v)));
    } else {
      const std::vector<double>& other = values.at(operation.inputs[1]);
      for (std::size_t i = 0; i < in.size(); ++i) out.push_back(in[i] + other[i]);
    }
    values[operation.outputs[0]] = out;
  }
  for (std::size_t i = 0; i < 4; ++i) EXPECT_NEAR(h[i], values.at(plan.output)[i], 1e-6);
}

TEST(Network, RowsDoNotDependOnEachOther) {
  const NetworkPlan plan = plan_mlp({}, 3, 4);
  Network<float> network(plan);
  const std::vector<double> start = initial_weights(plan, {}, 1);
  std::transform(start.begin(), start.end(), network.weights().begin(), [](double w) { return static_cast<float>(w); });
  const std::int64_t rows = 2050;  // more than two pieces
  std::vector<float> x(3 * rows), h(4 * rows), one(4);
  for (std::size_t i = 0; i < x.size(); ++i) x[i] = std::sin(static_cast<float>(i));
  network.evaluate(x.data(), rows, h.data());
  for (const std::int64_t row : {0L, 1023L, 1024L, 2049L}) {
    network.evaluate(x.data() + 3 * row, 1, one.data());
    for (std::int64_t j = 0; j < 4; ++j)
      EXPECT_NEAR(h[static_cast<std::size_t>(4 * row + j)], one[static_cast<std::size_t>(j)], 1e-5);
  }
}

TEST(InitialWeights, LieWithinTheirBoundsAndDependOnTheSeed) {
  const NetworkPlan plan = plan_mlp({}, 11, 12);
  MlpOptions options;
  options.initialization = "lecun";
  const std::vector<double> weights = initial_weights(plan, options, 3);
  EXPECT_EQ(weights, initial_weights(plan, options, 3));
  EXPECT_NE(weights, initial_weights(plan, options, 4));
  const std::int64_t last_bias = plan.parameters.back().offset;
  for (std::int64_t j = 0; j < 12; ++j)  // six means, six raw scales
    EXPECT_DOUBLE_EQ(weights[static_cast<std::size_t>(last_bias + j)],
                     j < 6 ? 0.0 : std::log(options.initial_deviation - options.floor));
  MlpOptions softplus = options, he = options, torch = options;
  softplus.parametrization = "softplus";
  EXPECT_NEAR(std::log1p(std::exp(initial_weights(plan, softplus, 3).back())) + softplus.floor, softplus.initial_deviation, 1e-15);
  he.initialization = "he";
  torch.initialization = "torch";
  const std::vector<double> wide = initial_weights(plan, he, 3), narrow = initial_weights(plan, torch, 3);
  EXPECT_NEAR(wide[5], weights[5] * std::sqrt(2.0), 1e-15);
  EXPECT_NEAR(narrow[5], weights[5] / std::sqrt(3.0), 1e-15);
  EXPECT_NE(narrow.back(), narrow[narrow.size() - 2]);
  const Parameter& last_weight = plan.parameters[plan.parameters.size() - 2];
  EXPECT_EQ(wide[static_cast<std::size_t>(last_weight.offset)], weights[static_cast<std::size_t>(last_weight.offset)]);
  for (const Parameter& parameter : plan.parameters) {
    if (parameter.name == plan.parameters.back().name) continue;
    const double bound = parameter.name.ends_with(".bias") ? 0.0 : std::sqrt(3.0 / static_cast<double>(parameter.fan_in));
    const auto first = weights.begin() + parameter.offset, last = first + parameter.elements();
    EXPECT_LE(*std::max_element(first, last), bound);
    EXPECT_GE(*std::min_element(first, last), -bound);
    if (parameter.decays) {
      EXPECT_GT(*std::max_element(first, last), 0.97 * bound) << parameter.name;
      double sum = 0.0;
      for (auto w = first; w != last; ++w) sum += *w * *w;
      EXPECT_NEAR(sum / static_cast<double>(parameter.elements()), bound * bound / 3, 0.05 * bound * bound) << parameter.name;
    }
  }
}

TEST(InputNoise, IsNormalAndDependsOnSeedAndStep) {
  std::vector<float> noise(100000, 1.0F), again(noise), other(noise);
  add_input_noise(noise, 0.5, 7, 3);
  add_input_noise(again, 0.5, 7, 3);
  add_input_noise(other, 0.5, 7, 4);
  EXPECT_EQ(noise, again);
  EXPECT_NE(noise, other);
  double sum = 0.0, squares = 0.0;
  for (const float x : noise) {
    const double step = static_cast<double>(x) - 1.0;
    sum += step;
    squares += step * step;
  }
  EXPECT_NEAR(sum / 1e5, 0.0, 5 * 0.5 / std::sqrt(1e5));
  EXPECT_NEAR(squares / 1e5, 0.25, 5 * 0.25 * std::sqrt(2.0 / 1e5));
}

TEST(Permutation, IsOneAndDependsOnSeedAndEpoch) {
  for (const std::int64_t count : {1, 2, 5, 1000}) {
    const auto order = permutation(count, 9, 4);
    EXPECT_EQ(std::set<std::int64_t>(order.begin(), order.end()).size(), static_cast<std::size_t>(count));
    EXPECT_EQ(*std::min_element(order.begin(), order.end()), 0);
    EXPECT_EQ(*std::max_element(order.begin(), order.end()), count - 1);
  }
  EXPECT_EQ(permutation(1000, 9, 4), permutation(1000, 9, 4));
  EXPECT_NE(permutation(1000, 9, 4), permutation(1000, 9, 5));
  EXPECT_NE(permutation(1000, 9, 4), permutation(1000, 8, 4));
  // Uniform: the 24 orders of four, chi-square below its 0.9999 quantile at 23 degrees of freedom.
  std::map<std::vector<std::int64_t>, double> counts;
  for (std::int64_t epoch = 0; epoch < 24000; ++epoch) counts[permutation(4, 1, epoch)] += 1.0;
  double chi_square = 0.0;
  for (const auto& [order, found] : counts) chi_square += (found - 1000) * (found - 1000) / 1000;
  EXPECT_EQ(counts.size(), 24U);
  EXPECT_LT(chi_square, 58.6);
}

TEST(DropoutFactors, KeepTheMeanAndDependOnTheStep) {
  std::vector<float> factors(100001), others(100001);
  dropout_factors(factors, 0.3, 1, 2, 0);
  dropout_factors(others, 0.3, 1, 3, 0);
  EXPECT_NE(factors, others);
  double sum = 0.0, zeros = 0.0;
  for (const float factor : factors) {
    sum += static_cast<double>(factor);
    zeros += factor == 0.0F ? 1.0 : 0.0;
  }
  EXPECT_NEAR(zeros / 100001, 0.3, 0.01);
  EXPECT_NEAR(sum / 100001, 1.0, 0.01);
}

TEST(Adam, TakesTheStepsOfTheFormula) {
  NetworkPlan plan;
  plan.size = 2;
  plan.parameters = {{"matrix", {1}, 0, 1, true}, {"bias", {1}, 1, 1, false}};
  TrainingOptions options;
  options.weight_decay = 0.1;
  options.ema = 0.9;
  Adam adam(plan, options);
  std::vector<float> weights = {1.0F, -2.0F};
  double w[2] = {1.0, -2.0}, m[2] = {0, 0}, v[2] = {0, 0}, average[2] = {1.0, -2.0};
  for (int t = 1; t <= 20; ++t) {
    const double g[2] = {std::sin(t), 0.1 * t};
    const std::vector<float> gradient = {static_cast<float>(g[0]), static_cast<float>(g[1])};
    adam.update(weights, gradient, t - 1, 0.01);
    for (int i = 0; i < 2; ++i) {
      m[i] = 0.9 * m[i] + 0.1 * g[i];
      v[i] = 0.999 * v[i] + 0.001 * g[i] * g[i];
      const double mhat = m[i] / (1 - std::pow(0.9, t)), vhat = v[i] / (1 - std::pow(0.999, t));
      w[i] = w[i] * (i == 0 ? 1 - 0.01 * 0.1 : 1.0) - 0.01 * mhat / (std::sqrt(vhat) + 1e-8);
      average[i] += (1 - std::min(0.9, (1.0 + t) / (10.0 + t))) * (w[i] - average[i]);
      EXPECT_NEAR(weights[static_cast<std::size_t>(i)], w[i], 1e-5);
      EXPECT_NEAR(adam.average[static_cast<std::size_t>(i)], average[i], 1e-5);
    }
  }
}

TEST(LearningRate, FallsAsACosineToNothing) {
  TrainingOptions options;
  options.learning_rate = 2.0;
  EXPECT_DOUBLE_EQ(learning_rate(options, 0, 100), 2.0);
  EXPECT_NEAR(learning_rate(options, 50, 100), 1.0, 1e-12);
  EXPECT_LT(learning_rate(options, 99, 100), 0.001);
  options.schedule = "constant";
  EXPECT_DOUBLE_EQ(learning_rate(options, 99, 100), 2.0);
}

/// A network that keeps copies of its weights, as on a GPU, says and learns the same.
TEST(Networks, ElsewhereExchangeTheirNumbers) {
  MlpOptions options;
  options.hidden = {6, 5};
  options.layer_norm = true;
  const NetworkPlan plan = plan_mlp(options, 3, 4);
  const std::vector<double> start = initial_weights(plan, options, 2);
  std::vector<float> x(12), h[2], x_bar[2], gradient[2];
  for (std::size_t i = 0; i < x.size(); ++i) x[i] = std::sin(static_cast<float>(i));
  for (const bool copies : {false, true}) {
    set_training_device("cpu", copies);
    Network<float> network(plan);
    std::copy(start.begin(), start.end(), network.weights().begin());
    network.weights()[0] += 0.5F;  // after the copies were made
    h[copies].resize(16);
    x_bar[copies].resize(12);
    network.evaluate(x.data(), 4, h[copies].data());
    for (int again = 0; again < 2; ++again)
      network.differentiate(x.data(), 4, [](const float* at, std::int64_t rows, float* bar) {
        for (std::int64_t i = 0; i < rows * 4; ++i) bar[i] = at[i] + static_cast<float>(i);
        return 1.0;
      }, {0.25, 3, 1}, x_bar[copies].data());
    gradient[copies].assign(network.gradient().begin(), network.gradient().end());
  }
  set_training_device("cpu");
  EXPECT_EQ(h[0], h[1]);
  EXPECT_EQ(x_bar[0], x_bar[1]);
  EXPECT_EQ(gradient[0], gradient[1]);
  EXPECT_NE(*std::max_element(gradient[1].begin(), gradient[1].end()), 0.0F);
}

}  // namespace
}  // namespace lavoisier::detail
