// Training on a problem whose conditional law is known; export, prediction, bad input.

#include "problems/recovery.hpp"

#include <lavoisier/conditional_gaussian.hpp>
#include <lavoisier/status.hpp>
#include <lavoisier/training.hpp>

#include <gtest/gtest.h>

#include <algorithm>
#include <cmath>
#include <limits>

namespace lavoisier::test {
namespace {

TrainingOptions quick(Strategy strategy = Strategy::conditional, Loss loss = Loss::crps) {
  TrainingOptions options;
  options.strategy = strategy;
  options.loss = loss;
  options.network.hidden = {16, 16};
  options.epochs = 3;
  options.batch = 100;
  options.threads = 1;
  return options;
}

TEST(SampledEstimators, TrainTheConditionalLawAlone) {
  const Synthetic problem = synthetic();
  const auto refused = [&](Strategy strategy, Loss loss, int draws, const std::string& part) {
    TrainingOptions options = quick(strategy, loss);
    options.estimator = Estimator::pathwise;
    options.draws = draws;
    EXPECT_ERROR(train(problem.samples, problem.constraints(), options), Status::invalid_argument, part);
  };
  refused(Strategy::conditional, Loss::likelihood, 8, "legal: exact");
  refused(Strategy::conditional, Loss::squared_error, 8, "crps and energy");
  refused(Strategy::none, Loss::crps, 8, "conditional and variance_projection");
  refused(Strategy::projection, Loss::crps, 8, "legal: exact");
  refused(Strategy::conditional, Loss::crps, 1, "draws");
  for (const Loss loss : {Loss::crps, Loss::energy}) {
    TrainingOptions options = quick(Strategy::conditional, loss);
    const TrainingResult exact = train(problem.samples, problem.constraints(), options);
    EXPECT_EQ(exact.model.description.provenance.count("option.estimator"), 0U);
    for (const Estimator estimator : {Estimator::pathwise, Estimator::rao_blackwell, Estimator::rao_blackwell_shrunk}) {
      options.estimator = estimator;
      const TrainingResult result = train(problem.samples, problem.constraints(), options);
      EXPECT_EQ(result.model.description.provenance.at("option.estimator"), to_string(estimator));
      // The validation's score is exact for both.
      EXPECT_NEAR(result.history.back().validation_loss / exact.history.back().validation_loss, 1.0, 0.1);
      EXPECT_NE(result.history.back().validation_loss, exact.history.back().validation_loss);
    }
  }
}

TEST(Words, AreRefusedWithTheLegalOnes) {
  EXPECT_EQ(strategy_from("post_hoc"), Strategy::post_hoc);
  EXPECT_EQ(loss_from("likelihood"), Loss::likelihood);
  EXPECT_ERROR(strategy_from("conditionl"), Status::invalid_argument, "none, penalty, completion, projection, variance_projection, l1_layer, post_hoc, conditional",
               "did you mean 'conditional'");
  EXPECT_ERROR(loss_from("mse"), Status::invalid_argument, "likelihood, crps, squared_error");
}

class Recovery : public testing::TestWithParam<Loss> {};

TEST_P(Recovery, ConditionalFindsTheExactLaw) {
  const Synthetic problem = synthetic(12000);
  const TrainingResult result = train(problem.samples, problem.constraints(), recovery_options(GetParam()));
  const PredictedMarginals found = predict(result.model, problem.samples);
  for (Eigen::Index j = 0; j < 3; ++j) {
    const double sd = std::sqrt(problem.variance[j]);
    // Root mean square error of the mean, in standard deviations of the law; an untrained mean is off by 3 to 10.
    EXPECT_LT(std::sqrt((found.mean - problem.mean).col(j).array().square().mean()) / sd, 0.1) << j;
    EXPECT_NEAR(std::sqrt(found.variance.col(j).mean()) / sd, 1.0, 0.04) << j;
  }
  EXPECT_LT(std::abs(marginal_crps(problem, found).difference()), 0.02);
  // The mean keeps the law.
  for (Eigen::Index row = 0; row < found.mean.rows(); ++row)
    EXPECT_NEAR(found.mean(row, 0) + found.mean(row, 1) - 2 * found.mean(row, 2),
                problem.samples.inputs[static_cast<std::size_t>(3 * row)], 1e-11);
}
INSTANTIATE_TEST_SUITE_P(Losses, Recovery, testing::Values(Loss::likelihood, Loss::crps),
                         [](const auto& instance) { return std::string(to_string(instance.param)); });

TEST(Training, SharedDeviationsAreThoseOfEverySampleAndTrained) {
  const Synthetic problem = synthetic(4000);
  for (const double weight_decay : {0.0, 0.1}) {
    TrainingOptions options = quick(Strategy::conditional, Loss::likelihood);
    options.epochs = 20;
    options.learning_rate = 1e-2;
    options.weight_decay = weight_decay;
    options.network.initial_deviation = 1.0;
    for (const char* deviation : {"shared", "per_sample"}) {
      options.network.deviation = deviation;
      const TrainingResult result = train(problem.samples, problem.constraints(), options);
      const RowMatrix found = predict(result.model, problem.samples).network_standard_deviation;
      const double spread = (found.rowwise() - found.row(0)).cwiseAbs().maxCoeff();
      if (std::string(deviation) == "per_sample") {
        EXPECT_GT(spread, 1e-3);
        continue;
      }
      EXPECT_EQ(spread, 0.0);
      const auto scale = result.model.tensor("output.scale").f64();
      for (Eigen::Index j = 0; j < 3; ++j)
        EXPECT_GT(std::abs(found(0, j) / scale[static_cast<std::size_t>(j)] - options.network.initial_deviation), 0.02) << j;
    }
  }
}

TEST(Training, RepeatsItselfBitForBit) {
  const Synthetic problem = synthetic();
  TrainingOptions options = quick();
  options.network.dropout = 0.1;
  const auto first = train(problem.samples, problem.constraints(), options).model.serialize();
  EXPECT_EQ(first, train(problem.samples, problem.constraints(), options).model.serialize());
  options.seed = 1;
  EXPECT_NE(first, train(problem.samples, problem.constraints(), options).model.serialize());
}

TEST(Training, TellsItsListener) {
  const Synthetic problem = synthetic();
  std::vector<TrainingProgress> heard;
  const TrainingResult result =
      train(problem.samples, problem.constraints(), quick(), [&](const TrainingProgress& p) { heard.push_back(p); });
  ASSERT_EQ(heard.size(), 3U);
  double best = std::numeric_limits<double>::infinity();
  for (std::size_t i = 0; i < 3; ++i) {
    EXPECT_EQ(heard[i].epoch, static_cast<std::int64_t>(i + 1));
    EXPECT_EQ(heard[i].epochs, 3);
    best = std::min(best, heard[i].validation_loss);
    EXPECT_EQ(heard[i].best_validation_loss, best);
  }
  EXPECT_LT(heard[2].training_loss, heard[0].training_loss);
  EXPECT_EQ(heard[2].seconds_left, 0.0);
  EXPECT_EQ(result.history.size(), 3U);
}

class Strategies : public testing::TestWithParam<std::tuple<Strategy, Loss>> {};

TEST_P(Strategies, ExportedModelIsTheTrainedOne) {
  const auto [strategy, loss] = GetParam();
  const Synthetic problem = synthetic();
  const TrainingOptions options = quick(strategy, loss);
  const TrainingResult result = train(problem.samples, problem.constraints(), options);
  const ModelDescription& description = result.model.description;
  std::vector<std::string> operations;
  for (const GraphOperation& operation : description.graph) operations.push_back(operation.op);
  const bool none = !descriptor(strategy).holds_laws;
  const bool fixed = strategy == Strategy::projection || strategy == Strategy::completion || strategy == Strategy::l1_layer;
  EXPECT_EQ(operations, (std::vector<std::string>{"standardize", "dense", "silu", "dense", "silu", "dense", "gaussian_head",
                                                  "normal_noise", "gaussian_draw", none ? "identity" : "constrain"}));
  EXPECT_EQ(description.graph.back().outputs, std::vector<std::string>{"outputs"});
  if (!none) {
    EXPECT_EQ(description.graph.back().attributes.at("metric"), fixed ? "scale" : "covariance");
  }
  ASSERT_EQ(description.heads.size(), 1U);
  EXPECT_EQ(description.heads[0].strategy, to_string(strategy));
  EXPECT_EQ(description.heads[0].variables, (std::vector<std::string>{"y0", "y1", "y2"}));

  // Through the file.
  const ModelFile read = ModelFile::parse(result.model.serialize(), "memory");
  const SampleSet validation = select(problem.samples, Subset::validation);
  const PredictedMarginals found = predict(read, validation), direct = predict(result.model, validation);
  EXPECT_EQ(found.mean, direct.mean);
  EXPECT_EQ(found.variance, direct.variance);

  // The score by which the epoch was chosen, taken again from the exported model in physical units.
  const auto scale = read.tensor("output.scale").f64();
  const Eigen::Map<const RowMatrix> y(validation.outputs.data(), found.mean.rows(), 3);
  const Eigen::Map<const Eigen::VectorXd> scales(scale.data(), 3);
  double score = 0.0;
  if (strategy == Strategy::completion || strategy == Strategy::l1_layer) {
    // One output moves, and it alone.
    const auto moves = read.tensor(description.graph.back().tensors.at("scale")).f64();
    EXPECT_EQ(std::count(moves.begin(), moves.end(), 0.0), 2);
    int same = 0;
    for (Eigen::Index j = 0; j < 3; ++j) same += found.mean.col(j) == found.network_mean.col(j) ? 1 : 0;
    EXPECT_EQ(same, 2);
  }
  if (strategy == Strategy::penalty) return;  // its score holds the penalty
  const bool after = strategy != Strategy::post_hoc;  // post_hoc trains as none
  if (loss == Loss::crps) {
    const RowMatrix variance = after ? found.variance : RowMatrix(found.network_standard_deviation.cwiseAbs2());
    const GaussianCrps crps = gaussian_crps(after ? found.mean : found.network_mean, variance, y);
    score = (crps.value * scales.cwiseInverse().asDiagonal()).mean();
  } else if (loss == Loss::squared_error) {
    score = ((RowMatrix(after ? found.mean : found.network_mean) - y) * scales.cwiseInverse().asDiagonal()).array().square().mean();
  } else if (strategy == Strategy::conditional) {
    RowMatrix A(1, 3);
    A << 1, 1, -2;
    const RowMatrix d = Eigen::Map<const RowMatrix>(validation.inputs.data(), y.rows(), 3).col(0);
    const double jacobian = scales.array().log().sum() +
                            0.5 * std::log((A * A.transpose())(0) / (A * scales.cwiseAbs2().asDiagonal() * A.transpose())(0));
    score = -conditional_log_density(A, found.network_mean, found.network_standard_deviation, d, y, false).value.mean() - jacobian;
  } else {
    return;
  }
  // Two engines: the training judged by its own loops, predict runs the exported graph by LibTorch; float rounding apart.
  EXPECT_NEAR(score, result.history.back().best_validation_loss, 1e-6 * (1 + std::abs(score)));
}
INSTANTIATE_TEST_SUITE_P(All, Strategies,
                         testing::Combine(testing::Values(Strategy::none, Strategy::penalty, Strategy::completion,
                                                          Strategy::projection, Strategy::variance_projection,
                                                          Strategy::l1_layer, Strategy::post_hoc, Strategy::conditional),
                                          testing::Values(Loss::likelihood, Loss::crps, Loss::squared_error)),
                         [](const auto& instance) {
                           return std::string(to_string(std::get<0>(instance.param))) + "_" +
                                  to_string(std::get<1>(instance.param));
                         });

TEST(Export, SaysWhereTheModelComesFrom) {
  const Synthetic problem = synthetic();
  TrainingOptions options = quick();
  options.provenance["domain"] = "synthetic";
  const ModelFile model = train(problem.samples, problem.constraints(), options).model;
  const auto& provenance = model.description.provenance;
  EXPECT_EQ(provenance.at("domain"), "synthetic");
  EXPECT_EQ(provenance.at("option.batch"), "100");
  EXPECT_EQ(provenance.at("data.training_samples"), "900");
  EXPECT_EQ(provenance.at("data.digest").size(), 64U);
  EXPECT_GT(std::stod(provenance.at("validation.crps.y1")), 0.0);
  // Ranges are the training rows' alone.
  const SampleSet training = select(problem.samples, Subset::training);
  const Eigen::Map<const RowMatrix> x(training.inputs.data(), training.samples, 3);
  for (Eigen::Index j = 0; j < 3; ++j) {
    EXPECT_EQ(model.tensor("input.minimum").f64()[static_cast<std::size_t>(j)], x.col(j).minCoeff());
    EXPECT_EQ(model.tensor("input.maximum").f64()[static_cast<std::size_t>(j)], x.col(j).maxCoeff());
    EXPECT_NEAR(model.tensor("input.mean").f64()[static_cast<std::size_t>(j)], x.col(j).mean(), 1e-12);
  }
}

/// y3 is constant and takes part in a second law with y0; x2 is constant.
Synthetic with_constants() {
  Synthetic problem = synthetic();
  SampleSet& samples = problem.samples;
  std::vector<Variable> variables = problem.layout.variables();
  variables.push_back(scalar("y3", Role::output));
  variables.push_back(scalar("y4", Role::output));
  samples.layout = problem.layout = StateLayout({}, variables);
  std::vector<double> outputs;
  for (std::int64_t row = 0; row < samples.samples; ++row) {
    const double* y = samples.outputs.data() + 3 * row;
    outputs.insert(outputs.end(), {y[0], y[1], y[2], 42.0, 42.0 - y[0]});
    samples.inputs[static_cast<std::size_t>(3 * row + 2)] = 7.0;
  }
  samples.outputs = outputs;
  problem.laws.push_back(linear_law("split", {{"y0", 1.0}, {"y3", -1.0}, {"y4", 1.0}}, Expression(0.0)));
  return problem;
}

class Constants : public testing::TestWithParam<Strategy> {};

TEST_P(Constants, SurviveTraining) {
  const Synthetic problem = with_constants();
  const bool l1 = GetParam() == Strategy::l1_layer;
  const bool holds = descriptor(GetParam()).holds_laws;
  const TrainingResult result =
      train(problem.samples, problem.constraints(), quick(GetParam(), l1 ? Loss::squared_error : Loss::crps));
  EXPECT_EQ(result.model.tensor("input.scale").f64()[2], 1.0);
  EXPECT_EQ(result.model.tensor("output.scale").f64()[3], 0.0);
  const PredictedMarginals found = predict(result.model, problem.samples);
  EXPECT_TRUE(found.mean.allFinite());
  EXPECT_TRUE(found.variance.allFinite());
  for (Eigen::Index row = 0; row < found.mean.rows(); ++row) {
    ASSERT_EQ(found.mean(row, 3), 42.0);
    ASSERT_EQ(found.network_standard_deviation(row, 3), 0.0);
    ASSERT_EQ(found.variance(row, 3), 0.0);
    if (holds) {
      ASSERT_NEAR(found.mean(row, 0) - 42.0 + found.mean(row, 4), 0.0, 1e-12);
    }
  }
  // y4 = 42 - y0 has y0's law.
  if (holds) {
    EXPECT_LT((found.variance.col(0) - found.variance.col(4)).cwiseAbs().maxCoeff(), 1e-9);
  }
}
INSTANTIATE_TEST_SUITE_P(All, Constants,
                         testing::Values(Strategy::none, Strategy::penalty, Strategy::completion, Strategy::projection,
                                         Strategy::variance_projection, Strategy::l1_layer, Strategy::post_hoc,
                                         Strategy::conditional),
                         [](const auto& instance) { return std::string(to_string(instance.param)); });

TEST(L1Layer, OfSeveralLawsTrainsTheMeanAndIsMarkedInTheFile) {
  const Synthetic problem = with_constants();
  EXPECT_ERROR(train(problem.samples, problem.constraints(), quick(Strategy::l1_layer)), Status::invalid_argument,
               "'l1_layer' has no loss 'crps' with several laws", "its losses: squared_error",
               "none, penalty, completion, projection");
  const TrainingResult result =
      train(problem.samples, problem.constraints(), quick(Strategy::l1_layer, Loss::squared_error));
  EXPECT_EQ(result.model.description.graph.back().attributes.at("metric"), "l1");
  EXPECT_LT(result.history.back().training_loss, result.history.front().training_loss);
}

TEST(Penalty, BringsTheMeanNearerToTheLaws) {
  const Synthetic problem = synthetic();
  const auto residual = [&](double weight) {
    TrainingOptions options = quick(Strategy::penalty);
    options.penalty_weight = weight;
    options.epochs = 10;
    const PredictedMarginals found = predict(train(problem.samples, problem.constraints(), options).model, problem.samples);
    double squares = 0.0;
    for (Eigen::Index row = 0; row < found.mean.rows(); ++row) {
      const double r = found.mean(row, 0) + found.mean(row, 1) - 2 * found.mean(row, 2) -
                       problem.samples.inputs[static_cast<std::size_t>(3 * row)];
      squares += r * r;
    }
    return std::sqrt(squares / static_cast<double>(found.mean.rows()));
  };
  const double without = residual(0.0), with = residual(100.0);
  EXPECT_LT(with, 0.7 * without);
  EXPECT_GT(with, 1e-6);
}

TEST(Completion, TakesTheOutputsThatAreNamed) {
  const Synthetic problem = synthetic();
  for (const char* name : {"y0", "y1", "y2"}) {
    TrainingOptions options = quick(Strategy::completion);
    options.dependent = {name};
    const ModelFile model = train(problem.samples, problem.constraints(), options).model;
    const PredictedMarginals found = predict(model, problem.samples);
    for (Eigen::Index j = 0; j < 3; ++j)
      EXPECT_EQ(found.mean.col(j) == found.network_mean.col(j), name[1] - '0' != j) << name << j;
    EXPECT_EQ(model.description.provenance.at("option.dependent"), name);
  }
  const auto refused = [&](Strategy strategy, std::vector<std::string> dependent, Status status, const std::string& part) {
    TrainingOptions options = quick(strategy);
    options.dependent = std::move(dependent);
    EXPECT_ERROR(train(problem.samples, problem.constraints(), options), status, part);
  };
  refused(Strategy::completion, {"y0", "y1"}, Status::invalid_argument, "expected 1, as many as laws, found 2");
  refused(Strategy::completion, {"y3"}, Status::invalid_argument, "no output 'y3'; outputs: y0, y1, y2");
  refused(Strategy::projection, {"y0"}, Status::invalid_argument, "only strategy 'completion'");
  const Synthetic two = with_constants();
  TrainingOptions options = quick(Strategy::completion);
  options.dependent = {"y1", "y2"};  // the law 'split' binds neither
  EXPECT_ERROR(train(two.samples, two.constraints(), options), Status::rank_deficient, "y1, y2");
  options.dependent = {"y1", "y3"};
  EXPECT_ERROR(train(two.samples, two.constraints(), options), Status::invalid_argument, "'y3' is constant in training");
}

/// y0 + x1 y1 - 2 y2 = x0: coefficients of each sample's own.
Synthetic with_own_coefficients() {
  Synthetic problem = synthetic(400);
  Law& law = problem.laws[0];
  law.terms[1].coefficient = Expression::symbol("x1");
  for (std::int64_t row = 0; row < problem.samples.samples; ++row) {
    const double* x = problem.samples.inputs.data() + 3 * row;
    double* y = problem.samples.outputs.data() + 3 * row;
    y[2] = 0.5 * (y[0] + x[1] * y[1] - x[0]);
  }
  return problem;
}

class OwnCoefficients : public testing::TestWithParam<Strategy> {};
TEST_P(OwnCoefficients, AreTrainedAndKept) {
  const Synthetic problem = with_own_coefficients();
  const Loss loss = GetParam() == Strategy::l1_layer ? Loss::squared_error : Loss::crps;
  const TrainingResult result = train(problem.samples, problem.constraints(), quick(GetParam(), loss));
  const PredictedMarginals found = predict(result.model, problem.samples);
  EXPECT_TRUE(found.variance.allFinite());
  if (descriptor(GetParam()).holds_laws)
    for (Eigen::Index row = 0; row < found.mean.rows(); ++row) {
      const double* x = problem.samples.inputs.data() + 3 * row;
      const double size = std::abs(found.mean(row, 0)) + std::abs(x[1] * found.mean(row, 1)) + 2 * std::abs(found.mean(row, 2));
      EXPECT_NEAR(found.mean(row, 0) + x[1] * found.mean(row, 1) - 2 * found.mean(row, 2), x[0], 1e-13 * size);
    }
  EXPECT_LT(result.history.back().training_loss, result.history.front().training_loss);
}
INSTANTIATE_TEST_SUITE_P(All, OwnCoefficients,
                         testing::Values(Strategy::penalty, Strategy::completion, Strategy::projection, Strategy::l1_layer),
                         [](const auto& instance) { return std::string(to_string(instance.param)); });

TEST(OwnCoefficientsOf, ASampleThatLosesRankAreRefusedByName) {
  Synthetic problem = with_own_coefficients();
  Law other = problem.laws[0];
  other.name = "other";
  other.terms.resize(2);
  other.terms[0].variable = "y1";
  other.terms[0].coefficient = Expression(1.0);
  other.terms[1].variable = "y2";
  other.terms[1].coefficient = Expression::symbol("x2");
  other.right_hand_side = Expression::symbol("x0");
  problem.laws = {other};
  for (std::int64_t row = 0; row < problem.samples.samples; ++row) {
    const double* x = problem.samples.inputs.data() + 3 * row;
    double* y = problem.samples.outputs.data() + 3 * row;
    y[1] = x[0] - x[2] * y[2];
  }
  EXPECT_NO_THROW(train(problem.samples, problem.constraints(), quick(Strategy::projection)));
  problem.laws[0].terms[0].coefficient = Expression::symbol("x1");
  for (std::int64_t row = 0; row < problem.samples.samples; ++row) {
    double* x = problem.samples.inputs.data() + 3 * row;
    double* y = problem.samples.outputs.data() + 3 * row;
    y[1] = (x[0] - x[2] * y[2]) / x[1];
  }
  double* x = problem.samples.inputs.data() + 3 * 17;
  x[0] = x[1] = x[2] = 0.0;
  EXPECT_ERROR(train(problem.samples, problem.constraints(), quick(Strategy::projection)), Status::rank_deficient, "law 'other'",
               "sample 17 (column 1017, step 5)", "zero");
}

TEST(Constants, AloneInALawAreRefused) {
  Synthetic problem = with_constants();
  problem.laws.back() = linear_law("frozen", {{"y3", 2.0}}, Expression(84.0));
  EXPECT_ERROR(train(problem.samples, problem.constraints(), quick()), Status::rank_deficient, "frozen");
}

TEST(Targets, AreMovedOntoTheLawsWithinTheirTolerance) {
  Synthetic problem = synthetic();
  problem.laws[0].physics_tolerance = 0.5;
  for (std::int64_t row = 0; row < problem.samples.samples; ++row)
    problem.samples.outputs[static_cast<std::size_t>(3 * row)] += row % 2 == 0 ? 0.3 : -0.3;
  // A change of 0.3 in y0 is undone by the shortest way: |residual| / |a|, a = (1, 1, -2).
  EXPECT_NEAR(train(problem.samples, problem.constraints(), quick()).target_distance, 0.3 / std::sqrt(6.0), 1e-9);
  problem.samples.outputs[3 * 20] += 0.4;
  EXPECT_ERROR(train(problem.samples, problem.constraints(), quick()), Status::law_violated, "balance",
               "sample 20 (column 1020, step 8)", "0.5 W m-2");
  problem.samples.subset[20] = Subset::test;  // test rows aren't looked at
  EXPECT_NO_THROW(train(problem.samples, problem.constraints(), quick()));
}

TEST(Targets, NoLawsAtAll) {
  Synthetic problem = synthetic();
  problem.laws.clear();
  const ModelFile model = train(problem.samples, problem.constraints(), quick()).model;
  EXPECT_EQ(model.description.graph.back().op, "identity");
  EXPECT_TRUE(predict(model, problem.samples).mean.allFinite());
}

TEST(BadInput, IsRefusedClearly) {
  const Synthetic good = synthetic();
  {
    Synthetic bad = good;
    bad.samples.inputs[3 * 5 + 1] = std::numeric_limits<double>::quiet_NaN();
    EXPECT_ERROR(train(bad.samples, bad.constraints(), quick()), Status::non_finite, "sample 5 (column 1005, step 5)");
  }
  {
    Synthetic bad = good;
    for (Subset& subset : bad.samples.subset) subset = Subset::training;
    EXPECT_ERROR(train(bad.samples, bad.constraints(), quick()), Status::invalid_argument, "validation subset", "'last'");
    TrainingOptions options = quick();
    options.selection = "last";
    EXPECT_NO_THROW(train(bad.samples, bad.constraints(), options));
  }
  {
    Synthetic bad = good;
    bad.samples.outputs.clear();
    EXPECT_ERROR(train(bad.samples, bad.constraints(), quick()), Status::shape_mismatch, "outputs");
  }
  const auto refused = [&](auto change, Status status, const std::string& part) {
    TrainingOptions options = quick();
    change(options);
    EXPECT_ERROR(train(good.samples, good.constraints(), options), status, part);
  };
  refused([](TrainingOptions& o) { o.epochs = 0; }, Status::invalid_argument, "epochs");
  refused([](TrainingOptions& o) { o.batch = 0; }, Status::invalid_argument, "batch");
  refused([](TrainingOptions& o) { o.learning_rate = -1; }, Status::invalid_argument, "learning_rate");
  refused([](TrainingOptions& o) { o.network.hidden = {}; }, Status::invalid_argument, "hidden");
  refused([](TrainingOptions& o) { o.network.activation = "gelu"; }, Status::invalid_argument, "silu, relu");
  refused([](TrainingOptions& o) { o.network.parametrization = "exponential"; }, Status::invalid_argument, "softplus, exp");
  refused([](TrainingOptions& o) { o.schedule = "cosin"; }, Status::invalid_argument, "did you mean 'cosine'");
  refused([](TrainingOptions& o) { o.device = "gpu"; }, Status::invalid_argument, "expected cpu, cuda or cuda:N, found 'gpu'");
  refused([](TrainingOptions& o) { o.device = "cuda:99"; }, Status::unsupported, "needs LibTorch with CUDA");
  refused([](TrainingOptions& o) { o.resume = true; }, Status::invalid_argument, "checkpoint folder");
}

TEST(Scaling, MaxAbsDividesEveryColumnByItsLargestMagnitudeOverAllRows) {
  Synthetic problem = synthetic();
  // The largest magnitude stands in a row that training never sees.
  const auto last = static_cast<std::size_t>(problem.samples.samples) - 1;
  problem.samples.subset[last] = Subset::test;
  for (std::size_t j = 0; j < 3; ++j) problem.samples.inputs[3 * last + j] = -1000.0 - static_cast<double>(j);
  problem.samples.outputs[3 * last] = 5000.0;
  TrainingOptions options = quick();
  options.scaling = "max_abs";
  const ModelFile model = train(problem.samples, problem.constraints(), options).model;
  const auto input_scale = model.tensor("input.scale").f64(), input_mean = model.tensor("input.mean").f64();
  const auto output_scale = model.tensor("output.scale").f64(), output_mean = model.tensor("output.mean").f64();
  for (std::size_t j = 0; j < 3; ++j) {
    EXPECT_EQ(input_mean[j], 0.0);
    EXPECT_EQ(input_scale[j], 1000.0 + static_cast<double>(j));
    EXPECT_EQ(output_mean[j], 0.0);
    double largest = 0.0;
    for (std::size_t row = 0; row <= last; ++row) largest = std::max(largest, std::abs(problem.samples.outputs[3 * row + j]));
    EXPECT_EQ(output_scale[j], largest);
  }
  EXPECT_EQ(output_scale[0], 5000.0);
  EXPECT_EQ(model.description.provenance.at("option.scaling"), "max_abs");
  // And the samples still obey the law.
  const PredictedMarginals found = predict(model, problem.samples);
  for (Eigen::Index row = 0; row < found.mean.rows(); ++row)
    EXPECT_NEAR(found.mean(row, 0) + found.mean(row, 1) - 2 * found.mean(row, 2), problem.samples.inputs[static_cast<std::size_t>(3 * row)], 1e-9);
  options.scaling = "maxabs";
  EXPECT_ERROR(train(problem.samples, problem.constraints(), options), Status::invalid_argument, "max_abs");
  options.scaling = "max_abs";
  problem.samples.inputs[3 * last] = std::numeric_limits<double>::infinity();
  EXPECT_ERROR(train(problem.samples, problem.constraints(), options), Status::non_finite, "not finite");
}

TEST(Prediction, RefusesOtherInputs) {
  const Synthetic problem = synthetic();
  const ModelFile model = train(problem.samples, problem.constraints(), quick()).model;
  SampleSet other = problem.samples;
  std::vector<Variable> variables = problem.layout.variables();
  variables[1].units = "K";
  other.layout = StateLayout({}, variables);
  EXPECT_ERROR(predict(model, other), Status::shape_mismatch, "x1 (W m-2)", "x1 (K)");
}

TEST(Divergence, NamesStepAndSamples) {
  const Synthetic problem = synthetic();
  TrainingOptions options = quick(Strategy::none, Loss::likelihood);
  options.learning_rate = 1e30;
  EXPECT_ERROR(train(problem.samples, problem.constraints(), options), Status::non_finite, "step 2 (epoch 1 of 3)",
               "sample ", "no checkpoint was asked for");
}

TEST(Divergence, OfFiniteNumbersEndsTheTrainingToo) {
  const Synthetic problem = synthetic();
  const Folder folder("explosion");
  TrainingOptions options = quick(Strategy::none, Loss::squared_error);
  options.checkpoint = folder.path();
  options.learning_rate = 300.0;
  EXPECT_ERROR(train(problem.samples, problem.constraints(), options), Status::out_of_range, "the loss explodes at step ",
               "expected at most ", "for the batch of sample ");
  // A large loss that was so from the start is none.
  options.checkpoint = "";
  options.learning_rate = 1e-3;
  options.network.initial_deviation = 2e-3;
  options.network.floor = 1e-3;
  options.loss = Loss::likelihood;
  EXPECT_NO_THROW(train(problem.samples, problem.constraints(), options));
}

}  // namespace
}  // namespace lavoisier::test
