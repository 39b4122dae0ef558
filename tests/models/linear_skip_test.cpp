// The linear least-squares fit beside a network, and inputs that laws alone read.

#include "synthetic.hpp"

#include <lavoisier/status.hpp>
#include <lavoisier/training.hpp>

#include <gtest/gtest.h>

#include <cmath>

namespace lavoisier::test {
namespace {

TrainingOptions options_of(Strategy strategy, std::int64_t epochs, double rate) {
  TrainingOptions options;
  options.strategy = strategy;
  options.network.hidden = {6};
  options.network.linear_skip = true;
  options.epochs = epochs;
  options.batch = 128;
  options.learning_rate = rate;
  options.selection = "last";
  options.threads = 1;
  return options;
}

/// Least squares by a QR decomposition, physical units.
RowMatrix fitted(const SampleSet& samples) {
  std::vector<Eigen::Index> rows;
  for (std::int64_t s = 0; s < samples.samples; ++s)
    if (samples.subset[static_cast<std::size_t>(s)] == Subset::training) rows.push_back(s);
  const Eigen::Map<const RowMatrix> x(samples.inputs.data(), samples.samples, 3), y(samples.outputs.data(), samples.samples, 3);
  RowMatrix with_one(samples.samples, 4);
  with_one << RowMatrix::Ones(samples.samples, 1), x;
  const RowMatrix of = with_one(rows, Eigen::all), at = y(rows, Eigen::all);
  return with_one * of.colPivHouseholderQr().solve(at);
}

TEST(LinearSkip, StartsAsTheLeastSquaresFitOfTheTrainingSamples) {
  const Synthetic problem = synthetic();
  const auto trained = [&](bool skip) {
    TrainingOptions options = options_of(Strategy::none, 1, 1e-30);  // nothing moves
    options.network.linear_skip = skip;
    return predict(train(problem.samples, problem.constraints(), options).model, problem.samples).mean;
  };
  const RowMatrix expected = fitted(problem.samples);
  EXPECT_LE((trained(true) - expected).cwiseAbs().maxCoeff(), 1e-4);
  EXPECT_GE((trained(false) - expected).cwiseAbs().maxCoeff(), 1.0);
}

TEST(LinearSkip, IsLeftAsItIs) {
  const Synthetic problem = synthetic();
  const ModelFile first = train(problem.samples, problem.constraints(), options_of(Strategy::conditional, 1, 1e-2)).model;
  TrainingOptions longer = options_of(Strategy::conditional, 4, 1e-2);
  longer.weight_decay = 0.5;
  const ModelFile later = train(problem.samples, problem.constraints(), longer).model;
  const auto equal = [&](const char* name) {
    const auto a = first.tensor(name).f32(), b = later.tensor(name).f32();
    return std::equal(a.begin(), a.end(), b.begin(), b.end());
  };
  EXPECT_TRUE(equal("dense0.weight"));
  EXPECT_TRUE(equal("dense0.bias"));
  EXPECT_FALSE(equal("dense1.weight"));
  EXPECT_FALSE(equal("dense2.weight"));
  EXPECT_EQ(first.description.provenance.at("option.network.linear_skip"), "true");
}

TEST(LinearSkip, IsOfDenseNetworksWithAGaussianHead) {
  const Synthetic problem = synthetic(60);
  TrainingOptions options = options_of(Strategy::conditional, 1, 1e-3);
  options.generator.name = "flow_matching";
  options.loss = Loss::squared_error;
  EXPECT_ERROR(train(problem.samples, problem.constraints(), options), Status::invalid_argument, "network.linear_skip", "'flow_matching'");
}

TEST(Unseen, InputsAreOfTheLawsAlone) {
  const Synthetic problem = synthetic();
  TrainingOptions options = options_of(Strategy::conditional, 3, 1e-2);
  options.unseen = {"x0"};  // the law's right-hand side
  const ModelFile model = train(problem.samples, problem.constraints(), options).model;
  SampleSet other = problem.samples;
  for (std::size_t s = 0; s < static_cast<std::size_t>(other.samples); ++s) other.inputs[3 * s] += 4.0;
  const PredictedMarginals before = predict(model, problem.samples), after = predict(model, other);
  EXPECT_EQ(before.network_mean, after.network_mean);
  EXPECT_EQ(before.network_standard_deviation, after.network_standard_deviation);
  const RowMatrix moved = after.mean - before.mean;
  for (Eigen::Index s = 0; s < moved.rows(); ++s) EXPECT_NEAR(moved(s, 0) + moved(s, 1) - 2.0 * moved(s, 2), 4.0, 1e-9);
  EXPECT_EQ(model.description.provenance.at("option.unseen"), "x0");

  options.unseen = {"x7"};
  EXPECT_ERROR(train(problem.samples, problem.constraints(), options), Status::not_found, "unseen", "'x7'");
  options.unseen = {"x0", "x1", "x2"};
  EXPECT_ERROR(train(problem.samples, problem.constraints(), options), Status::invalid_argument, "needs an input");
}

}  // namespace
}  // namespace lavoisier::test
