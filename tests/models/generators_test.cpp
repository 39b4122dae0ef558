// Losses of latent-variable and denoising models: layers against closed forms, gradients against central differences.

#include "diffusion.hpp"
#include "latent_layers.hpp"
#include "optimizer.hpp"
#include "vae.hpp"

#include <lavoisier/random.hpp>

#include <gtest/gtest.h>

#include <cmath>
#include <functional>

namespace lavoisier::detail {
namespace {

using Eigen::Index;

double wave(Index i, double phase) { return std::sin(1.7 * static_cast<double>(i) + phase); }
RowMatrix waves(Index rows, Index columns, double phase) {
  RowMatrix values(rows, columns);
  for (Index i = 0; i < values.size(); ++i) values.data()[i] = wave(i, phase);
  return values;
}
DiagonalGaussian gaussian(Index rows, Index columns, double phase) {
  return {waves(rows, columns, phase), (0.3 * waves(rows, columns, phase + 1.0)).array().exp().matrix()};
}

/// d(sum)/d(value) by central differences, for every number of `values`.
void expect_slopes(RowMatrix& values, const RowMatrix& bar, const std::function<double()>& f, double tolerance = 1e-7) {
  constexpr double step = 1e-5;
  for (Index i = 0; i < values.size(); ++i) {
    double& value = values.data()[i];
    const double kept = value;
    const auto at = [&](double by) {
      value = kept + by;
      return f();
    };
    const double slope = (8.0 * (at(step) - at(-step)) - (at(2 * step) - at(-2 * step))) / (12.0 * step);
    value = kept;
    ASSERT_NEAR(bar.data()[i], slope, tolerance * (1.0 + std::abs(slope))) << i;
  }
}

TEST(LatentLayers, DivergenceIsTheIntegralOfTheLogRatio) {
  const DiagonalGaussian q = gaussian(3, 1, 0.2), p = gaussian(3, 1, 1.9);
  const Eigen::VectorXd found = divergence(q, p);
  for (Index i = 0; i < 3; ++i) {
    double sum = 0.0;
    const double h = 1e-3;
    const auto log_density = [](double z, double m, double s) { return -0.5 * (z - m) * (z - m) / (s * s) - std::log(s); };
    for (double e = -9.0; e < 9.0; e += h) {
      const double z = q.mean(i, 0) + q.deviation(i, 0) * e;
      sum += h * std::exp(-0.5 * e * e) / std::sqrt(2.0 * 3.14159265358979323846) *
             (log_density(z, q.mean(i, 0), q.deviation(i, 0)) - log_density(z, p.mean(i, 0), p.deviation(i, 0)));
    }
    EXPECT_NEAR(found[i], sum, 1e-9);
  }
  EXPECT_LT(divergence(q, q).cwiseAbs().maxCoeff(), 1e-15);
}

TEST(LatentLayers, AdjointsOfDivergenceAndJoining) {
  DiagonalGaussian a = gaussian(2, 3, 0.1), b = gaussian(2, 3, 2.2);
  const DiagonalGaussian weights = gaussian(2, 3, 4.0);
  const auto zero = [] { return DiagonalGaussian{RowMatrix::Zero(2, 3), RowMatrix::Zero(2, 3)}; };
  DiagonalGaussian a_bar = zero(), b_bar = zero();
  add_divergence_adjoint(a, b, 0.7, a_bar, b_bar);
  const auto sum = [&] { return 0.7 * divergence(a, b).sum(); };
  expect_slopes(a.mean, a_bar.mean, sum);
  expect_slopes(a.deviation, a_bar.deviation, sum);
  expect_slopes(b.mean, b_bar.mean, sum);
  expect_slopes(b.deviation, b_bar.deviation, sum);

  a_bar = zero(), b_bar = zero();
  joined_adjoint(a, b, joined(a, b), weights, a_bar, b_bar);
  const auto weighted = [&] {
    const DiagonalGaussian c = joined(a, b);
    return c.mean.cwiseProduct(weights.mean).sum() + c.deviation.cwiseProduct(weights.deviation).sum();
  };
  expect_slopes(a.mean, a_bar.mean, weighted);
  expect_slopes(a.deviation, a_bar.deviation, weighted);
  expect_slopes(b.mean, b_bar.mean, weighted);
  expect_slopes(b.deviation, b_bar.deviation, weighted);
}

TEST(LatentLayers, JoinedIsTheNormalisedProduct) {
  const DiagonalGaussian a = gaussian(2, 3, 0.1), b = gaussian(2, 3, 2.2), c = joined(a, b);
  for (Index i = 0; i < 6; ++i) {
    const auto quadratic = [i](const DiagonalGaussian& g, double z) {
      const double e = (z - g.mean.data()[i]) / g.deviation.data()[i];
      return -0.5 * e * e;
    };
    const double rest = quadratic(a, 0.3) + quadratic(b, 0.3) - quadratic(c, 0.3);
    EXPECT_NEAR(quadratic(a, -1.1) + quadratic(b, -1.1) - quadratic(c, -1.1), rest, 1e-12);
  }
}

TrainingOptions small(std::vector<std::int64_t> latents) {
  TrainingOptions options;
  options.loss = Loss::likelihood;
  options.network.hidden = {5};
  options.network.activation = "tanh";
  options.generator.fields.frequencies = 3;
  options.generator.latents = std::move(latents);
  options.seed = 3;
  return options;
}

struct Rows {
  RowMatrix y = waves(4, 3, 0.4), A = RowMatrix(1, 3), d;
  std::vector<double> x = std::vector<double>(8);
  DrawAddress at{17, {5, 6, 9, 2}};
  Rows() {
    A << 1.0, -0.5, 2.0;
    d = y * A.transpose();
    for (std::size_t i = 0; i < x.size(); ++i) x[i] = wave(static_cast<Index>(i), 3.0);
  }
};

template <class Loss>
void expect_gradient(std::span<double> weights, std::span<const double> gradient, const Loss& loss, double tolerance) {
  const std::vector<double> kept(gradient.begin(), gradient.end());
  constexpr double step = 2e-5;
  double largest = 0.0;
  for (std::size_t i = 0; i < weights.size(); ++i) {
    const double w = weights[i];
    const auto at = [&](double by) {
      weights[i] = w + by;
      return loss();
    };
    const double slope = (8.0 * (at(step) - at(-step)) - (at(2 * step) - at(-2 * step))) / (12.0 * step);
    weights[i] = w;
    ASSERT_NEAR(kept[i], slope, tolerance * (1.0 + std::abs(slope))) << "weight " << i;
    largest = std::max(largest, std::abs(kept[i]));
  }
  EXPECT_GT(largest, 0.05);
}

class Latents : public testing::TestWithParam<std::vector<std::int64_t>> {};

TEST_P(Latents, GradientOfTheEvidenceBound) {
  const TrainingOptions options = small(GetParam());
  const Rows rows;
  LatentModel<double> model({2, 3, GetParam()}, options);
  model.initialise(4);
  for (std::size_t i = 0; i < model.networks().weights().size(); ++i)  // biases too, away from their start
    model.networks().weights()[i] += 0.1 * wave(static_cast<Index>(i), 0.0);
  const HeadLoss head(options, rows.A, 1, {0, 1, 2}, {}, 1);
  const RawLoss decoder = [&](const RowMatrix& raw, RowMatrix* raw_bar) { return head(raw, rows.y, rows.d, raw_bar); };
  const auto loss = [&](bool with_gradient) {
    return model.loss(rows.x, rows.y, decoder, 0.8, rows.at, TrainingStream::latent, with_gradient).mean();
  };
  const double value = loss(true);
  EXPECT_NEAR(value, loss(false), 1e-14 * std::abs(value));
  loss(true);
  expect_gradient(model.networks().weights(), model.networks().gradient(), [&] { return loss(false); }, 1e-7);
}
INSTANTIATE_TEST_SUITE_P(Layers, Latents, testing::Values(std::vector<std::int64_t>{2}, std::vector<std::int64_t>{3, 2}, std::vector<std::int64_t>{2, 3, 2}));

class Denoisers : public testing::TestWithParam<std::array<const char*, 3>> {};

TEST_P(Denoisers, GradientOfTheDenoisingLoss) {
  const auto [method, prediction, projection] = GetParam();
  const TrainingOptions options = small({1});
  const Rows rows;
  DenoisingModel<double> model({2, 3, method, prediction, projection}, options);
  model.networks().initialise(0, options.network, 4, false);
  for (std::size_t i = 0; i < model.networks().weights().size(); ++i)
    model.networks().weights()[i] += 0.1 * wave(static_cast<Index>(i), 0.0);
  const auto loss = [&](bool with_gradient) {
    return model.loss(rows.x, rows.y, rows.A, 1, rows.at, TrainingStream::diffusion, with_gradient).mean();
  };
  const double value = loss(true);
  EXPECT_NEAR(value, loss(false), 1e-14 * std::abs(value));
  loss(true);
  // Times are FP32 numbers of fast turns: nothing here moves them.
  expect_gradient(model.networks().weights(), model.networks().gradient(), [&] { return loss(false); }, 1e-7);
}
INSTANTIATE_TEST_SUITE_P(Processes, Denoisers,
                         testing::Values(std::array<const char*, 3>{"ddpm", "velocity", "null_space"},
                                         std::array<const char*, 3>{"ddpm", "noise", "ambient"},
                                         std::array<const char*, 3>{"ddpm", "data", "none"},
                                         std::array<const char*, 3>{"flow", "velocity", "null_space"}),
                         [](const auto& one) { return std::string(one.param[0]) + "_" + one.param[1] + "_" + one.param[2]; });

/// What the network says along the laws is never counted; what the data have there it is shown.
TEST(Denoisers, TheLawsDirectionIsShownAndNotJudged) {
  const TrainingOptions options = small({1});
  const Rows rows;
  const auto loss = [&](DenoisingModel<double>& model, const RowMatrix& y) {
    return model.loss(rows.x, y, rows.A, 1, rows.at, TrainingStream::diffusion, false);
  };
  const auto difference = [](const Eigen::VectorXd& a, const Eigen::VectorXd& b) { return (a - b).cwiseAbs().maxCoeff(); };
  for (const char* projection : {"null_space", "ambient", "none"}) {
    DenoisingModel<double> model({2, 3, "ddpm", "velocity", projection}, options);
    DenoisingModel<double> biased({2, 3, "ddpm", "velocity", projection}, options);
    for (auto* one : {&model, &biased}) one->networks().initialise(0, options.network, 4, false);
    const auto bias = biased.networks().weights().last(3);
    for (std::size_t i = 0; i < 3; ++i) bias[i] += 3.0 * rows.A(0, static_cast<Index>(i));
    const double found = difference(loss(model, rows.y), loss(biased, rows.y));
    if (std::string(projection) == "none")
      EXPECT_GT(found, 1e-3);
    else
      EXPECT_LT(found, 1e-12) << projection;
    EXPECT_GT(difference(loss(model, rows.y), loss(model, rows.y + RowMatrix::Constant(4, 1, 3.0) * rows.A)), 1e-3) << projection;
  }
}

TEST(Optimizer, ClipsTheNormAlone) {
  std::vector<float> gradient{3.0F, -4.0F, 0.0F};
  EXPECT_DOUBLE_EQ(clip(gradient, 10.0), 5.0);
  EXPECT_EQ(gradient, (std::vector<float>{3.0F, -4.0F, 0.0F}));
  EXPECT_DOUBLE_EQ(clip(gradient, 2.5), 5.0);
  EXPECT_EQ(gradient, (std::vector<float>{1.5F, -2.0F, 0.0F}));
}

TEST(Optimizer, SchedulesWarmUpAndPlateau) {
  TrainingOptions options;
  options.learning_rate = 1.0;
  options.schedule = "constant";
  options.warm_up = 4;
  EXPECT_DOUBLE_EQ(learning_rate(options, 0, 100), 0.25);
  EXPECT_DOUBLE_EQ(learning_rate(options, 3, 100), 1.0);
  EXPECT_DOUBLE_EQ(learning_rate(options, 50, 100), 1.0);
  options.schedule = "cosine";
  EXPECT_NEAR(learning_rate(options, 50, 100), 0.5, 1e-15);
  EXPECT_NEAR(learning_rate(options, 1, 100), 0.5 * 0.5 * (1.0 + std::cos(3.14159265358979323846 * 0.01)), 1e-15);
  options.patience = 2;
  std::vector<TrainingProgress> history;
  const auto after = [&](double score) {
    history.push_back({});
    history.back().validation_loss = score;
    return plateau_factor(options, history);
  };
  EXPECT_EQ(after(3.0), 1.0);  // no factor but under the schedule plateau
  options.schedule = "plateau";
  for (const auto& [score, factor] : {std::pair{2.0, 1.0}, {2.5, 1.0}, {2.0, 0.5}, {2.1, 0.5}, {1.0, 0.5}, {1.5, 0.5}, {1.5, 0.25}})
    EXPECT_EQ(after(score), factor);
}

}  // namespace
}  // namespace lavoisier::detail
