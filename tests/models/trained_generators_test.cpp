// Generators trained where the right answer is known: a linear Gaussian latent model (exact likelihood), mixtures of
// Gaussians (exact samples), both free and under a law; resuming; what is refused.

#include "problems/linear_gaussian.hpp"
#include "problems/series.hpp"
#include "problems/shifted_mixture.hpp"
#include "reference_run.hpp"

#include <lavoisier/status.hpp>
#include <lavoisier/tolerances.hpp>
#include <lavoisier/training.hpp>

#include <gtest/gtest.h>

#include <atomic>
#include <cmath>

namespace lavoisier::test {
namespace {

using Eigen::VectorXd;

class LinearGaussian : public testing::TestWithParam<std::pair<const char*, bool>> {};

TEST_P(LinearGaussian, EvidenceBoundReachesTheLikelihood) {
  const auto [generator, with_law] = GetParam();
  const LatentProblem problem(with_law);
  const Figure bound =
      problem.bound(train(problem.samples, problem.constraints(), linear_gaussian_options(generator, with_law)));
  EXPECT_NEAR(bound.found, bound.exact, 0.02 * std::abs(bound.exact));
  // A bound: above the likelihood, but for what one draw a sample leaves to chance.
  EXPECT_GT(bound.found, bound.exact - 0.01 * std::abs(bound.exact));
}
INSTANTIATE_TEST_SUITE_P(Generators, LinearGaussian,
                         testing::Values(std::pair{"vae", false}, std::pair{"vae", true}, std::pair{"ladder_vae", false},
                                         std::pair{"ladder_vae", true}),
                         [](const auto& one) { return std::string(one.param.first) + (one.param.second ? "_law" : "_free"); });

TEST(SpectralTemporal, ReachesTheExactScore) {
  for (const bool with_law : {false, true}) {
    const SeriesProblem problem(with_law);
    const TrainingResult result = train(problem.samples, problem.constraints(), series_options(with_law));
    const Figure crps = problem.crps(result);
    EXPECT_NEAR(crps.found, crps.exact, 0.02 * std::abs(crps.exact)) << with_law;
    EXPECT_GT(result.history.front().validation_loss, 1.1 * crps.exact);
    // The transform is no weight: it stays what it was.
    const auto map = result.model.tensor("map0.weight").f32();
    EXPECT_EQ(map[1], static_cast<float>(1.0 / std::sqrt(6.0)));
    EXPECT_NEAR(map[SeriesProblem::lags + 1], std::cos(2.0 * 3.14159265358979323846 / 6.0) / std::sqrt(6.0), 1e-7);
  }
  TrainingOptions options = options_for("spectral_temporal");
  options.loss = Loss::likelihood;
  options.generator.series = 3;
  options.generator.window = 5;
  const Synthetic small = synthetic(100);
  EXPECT_ERROR(train(small.samples, small.constraints(), options), Status::invalid_argument, "needs 15 inputs, found 3");
}

class Mixtures : public testing::TestWithParam<std::pair<const char*, bool>> {};

TEST_P(Mixtures, SamplesScoreLikeExactOnes) {
  const auto [generator, with_law] = GetParam();
  const MixtureProblem problem(with_law);
  const TrainingResult result = train(problem.samples, problem.constraints(), mixture_options(generator, with_law));
  const Draws draw = [](const ModelFile& model, const SampleSet& samples, std::uint64_t member) {
    return detail::reference_draw(model, samples, {5, 0}, member);
  };
  MixtureMembers members(problem, result.model, draw);
  const RowMatrix x = inputs_of(members.validation);
  for (const RowMatrix& found : members.found) {
    if (!with_law) continue;
    const VectorXd residual = found.rowwise().sum() - x.col(0);
    const VectorXd terms = found.cwiseAbs().rowwise().sum() + x.col(0).cwiseAbs();
    EXPECT_LT(residual.cwiseAbs().cwiseQuotient(terms).maxCoeff(), tolerances::identity::relative_fp64);
  }
  EXPECT_NEAR(members.energy().found / members.energy().exact, 1.0, 0.02);
  // It can fail: members drawn for other inputs.
  for (RowMatrix& member : members.found) member = RowMatrix(member.colwise().reverse());
  EXPECT_GT(members.energy().found / members.energy().exact, 1.05);
}
INSTANTIATE_TEST_SUITE_P(Generators, Mixtures,
                         testing::Values(std::pair{"ddpm", false}, std::pair{"ddpm", true}, std::pair{"flow_matching", false},
                                         std::pair{"flow_matching", true}),
                         [](const auto& one) { return std::string(one.param.first) + (one.param.second ? "_law" : "_free"); });

class EveryGenerator : public testing::TestWithParam<const char*> {
 protected:
  static TrainingOptions quick(const std::string& generator) {
    TrainingOptions options = options_for(generator);
    options.strategy = Strategy::conditional;
    options.network.hidden = {12};
    options.generator.latents = generator == "vae" ? std::vector<std::int64_t>{2} : std::vector<std::int64_t>{2, 3};
    options.generator.steps = 5;
    options.epochs = 4;
    options.ema = 0.9;
    options.gradient_clip = 5.0;
    options.warm_up = 10;
    return options;
  }
};

TEST_P(EveryGenerator, ResumesToTheSameBits) {
  const MixtureProblem problem(true, 1500);
  const LinearConstraints constraints = problem.constraints();
  TrainingOptions options = quick(GetParam());
  const auto expected = train(problem.samples, constraints, options).model.serialize();
  const Folder folder("resume-generator");
  options.checkpoint = folder.path();
  std::atomic<bool> stop{false};
  EXPECT_ERROR(train(problem.samples, constraints, options, [&](const TrainingProgress& p) { stop = p.epoch >= 2; }, &stop),
               Status::interrupted, "resume");
  options.resume = true;
  EXPECT_EQ(train(problem.samples, constraints, options).model.serialize(), expected);
  options.resume = false;
  options.checkpoint = "";
  options.seed = 1;
  EXPECT_NE(train(problem.samples, constraints, options).model.serialize(), expected);
}

TEST_P(EveryGenerator, LeavesOutWhatIsConstant) {
  MixtureProblem problem(true, 1500);
  // Another output, which is always 4: in the law, and never moved.
  StateLayout layout = layout_of(2, 4);
  RowMatrix y(1500, 4);
  y << Eigen::Map<const RowMatrix>(problem.samples.outputs.data(), 1500, 3), VectorXd::Constant(1500, 4.0);
  RowMatrix x = problem.inputs;
  x.col(0).array() += 4.0;
  const SampleSet samples = samples_of(layout, x, y);
  const LinearConstraints constraints(layout, sum_law(4), {});
  const TrainingResult result = train(samples, constraints, quick(GetParam()));
  const RowMatrix draws = detail::reference_draw(result.model, samples, {5, 0});
  EXPECT_EQ((draws.col(3).array() - 4.0).abs().maxCoeff(), 0.0);
  EXPECT_LT((draws.rowwise().sum() - x.col(0)).cwiseAbs().maxCoeff(), 1e-12);
}

TEST_P(EveryGenerator, StopsEarlyAndSaysWhatIsLegal) {
  const MixtureProblem problem(true, 500);
  const LinearConstraints constraints = problem.constraints();
  TrainingOptions options = quick(GetParam());
  options.epochs = 200;
  options.learning_rate = 0.3;  // far too large: the best epoch comes soon
  options.stop_after = 3;
  const std::vector<TrainingProgress> history = train(problem.samples, constraints, options).history;
  EXPECT_LT(history.size(), 200U);
  EXPECT_EQ(history.back().epoch - history.back().best_epoch, 3);
  const auto refused = [&](const std::function<void(TrainingOptions&)>& change, const std::string& part) {
    TrainingOptions other = quick(GetParam());
    change(other);
    EXPECT_ERROR(train(problem.samples, constraints, other), Status::invalid_argument, part);
  };
  refused([](TrainingOptions& o) { o.loss = Loss::crps; }, std::string("generator '") + GetParam() + "' does not admit the loss 'crps'; legal: ");
  refused([](TrainingOptions& o) { o.strategy = Strategy::penalty; }, "does not admit the strategy 'penalty'; legal: none");
  refused([](TrainingOptions& o) { o.network.dropout = 0.1; }, "network.dropout");
  refused([](TrainingOptions& o) { o.generator.fields.backbone = "unte"; }, "did you mean 'unet'");
  refused([](TrainingOptions& o) { o.generator.name += "s"; }, std::string("did you mean '") + GetParam() + "'");
}
INSTANTIATE_TEST_SUITE_P(Generators, EveryGenerator, testing::Values("vae", "ladder_vae", "ddpm", "flow_matching"));

TEST(Refusals, OfWhatOnlySomeGeneratorsHave) {
  const MixtureProblem problem(true, 100);
  const LinearConstraints constraints = problem.constraints();
  const auto refused = [&](const std::string& generator, const std::function<void(TrainingOptions&)>& change, const std::string& part) {
    TrainingOptions options = options_for(generator);
    options.strategy = Strategy::conditional;
    options.generator.latents = generator == "vae" ? std::vector<std::int64_t>{2} : std::vector<std::int64_t>{2, 3};
    change(options);
    EXPECT_ERROR(train(problem.samples, constraints, options), Status::invalid_argument, part);
  };
  refused("vae", [](TrainingOptions& o) { o.generator.latents = {2, 3}; }, "ladder_vae has more");
  refused("ladder_vae", [](TrainingOptions& o) { o.generator.latents = {2}; }, "two or more widths");
  refused("flow_matching", [](TrainingOptions& o) { o.generator.projection = "ambient"; }, "legal: null_space");
  refused("ddpm", [](TrainingOptions& o) { o.network.deviation = "shared"; }, "network.deviation 'shared': generator 'ddpm' has none");
  refused("vae", [](TrainingOptions& o) { o.network.deviation = "common"; }, "per_sample");
  refused("ddpm", [](TrainingOptions& o) { o.generator.steps = 0; }, "steps");
  refused("ddpm", [](TrainingOptions& o) { o.generator.sampler = "dpm"; }, "legal: ddpm, ddim");
  refused("ddpm", [](TrainingOptions& o) { o.generator.fields.backbone = "column"; }, "fields.width");
  refused("vae", [](TrainingOptions& o) { o.selection = "last", o.schedule = "plateau"; }, "legal with them: best");
  refused("spectral_temporal", [](TrainingOptions& o) { o.loss = Loss::likelihood, o.generator.fields.backbone = "unet"; }, "does not admit the backbone 'unet'");
  refused("spectral_temporal", [](TrainingOptions& o) { o.loss = Loss::likelihood, o.generator.series = 2; }, "window: expected at least 2 lags");
}

}  // namespace
}  // namespace lavoisier::test
