// The sampling loop with exact predictions: mixtures of Gaussians whose data do not obey the law, asked for their law given it.

#include "problems/null_space_sampling.hpp"

#include <gtest/gtest.h>

namespace lavoisier::test {
namespace {

using Eigen::Index;
using Eigen::VectorXd;

class ExactPrediction : public testing::TestWithParam<std::pair<Index, const char*>> {};

/// The process in the null space samples the law given a'y = d as steps grow.
TEST_P(ExactPrediction, NullSpaceSamplesTheConditionalLaw) {
  const auto [n, method] = GetParam();
  const SamplingProblem problem(n);
  double before = 1.0;
  for (const auto& [steps, bar] : {std::pair{10, 0.11}, {50, 0.045}, {250, 0.03}}) {
    const RowMatrix y = draw_in_null_space(problem, method, "velocity", steps);
    EXPECT_LT(problem.largest_residual(y), 1e-13);
    const double found = problem.distance(y);
    EXPECT_LT(found, bar) << steps << " steps";
    EXPECT_LT(found, before + 0.01) << steps << " steps";
    before = found;
    RecordProperty("kolmogorov_" + std::to_string(steps), std::to_string(found));
  }
}
INSTANTIATE_TEST_SUITE_P(Methods, ExactPrediction,
                         testing::Values(std::pair<Index, const char*>{2, "ddpm"}, std::pair<Index, const char*>{2, "ddim"},
                                         std::pair<Index, const char*>{2, "flow"}, std::pair<Index, const char*>{5, "ddpm"},
                                         std::pair<Index, const char*>{5, "ddim"}, std::pair<Index, const char*>{5, "flow"}),
                         [](const auto& one) { return std::string(one.param.second) + std::to_string(one.param.first); });

/// What post_hoc does, with an exact prediction too: it does not, however many steps are taken.
TEST(Sampling, ProjectingAnUnconditionalProcessSamplesAnotherLaw) {
  for (const Index n : {Index{2}, Index{5}}) {
    const SamplingProblem problem(n);
    for (const std::int64_t steps : {10, 50, 250}) {
      EXPECT_GT(problem.distance(draw_projected_at_the_end(problem, steps)), 0.1) << n << " " << steps;
    }
  }
}

/// Projecting each step's prediction of an unconditional model does not either.
TEST(Sampling, ProjectingEachStepOfAnUnconditionalProcessSamplesAnotherLaw) {
  for (const Index n : {Index{2}, Index{5}}) {
    const SamplingProblem problem(n);
    for (const std::int64_t steps : {50, 250}) {
      EXPECT_GT(problem.distance(draw_projected_each_step(problem, steps)), 0.045) << n << " " << steps;
    }
  }
}

/// With the conditional law's prediction in ambient coordinates the option "ambient" is right too.
TEST(Sampling, AmbientWithTheConditionalPredictionSamplesTheConditionalLaw) {
  const SamplingProblem problem(5);
  const auto predict = [&](const RowMatrix& x, double t) {
    const detail::Denoised law(problem.law, detail::cosine_process(t));
    return by_row(x, [&](const VectorXd& row) -> VectorXd { return problem.foot + problem.N * law(problem.N.transpose() * row); });
  };
  const RowMatrix y = run_sampling(detail::sampling_table("ddpm", "data", "ambient", 250), problem.laws(),
                                   problem.values(), sampling_noise(5), predict);
  EXPECT_LT(problem.distance(y), 0.03);
  // The last step has no noise: what it makes is on the laws.
  EXPECT_LT(problem.largest_residual(y), 1e-12);
}

/// What the network says of x_t is a matter of words: the same samples.
TEST(Sampling, PredictionsAreEquivalent) {
  const SamplingProblem problem(5);
  const RowMatrix data = draw_in_null_space(problem, "ddpm", "data", 20),
                  velocity = draw_in_null_space(problem, "ddpm", "velocity", 20);
  EXPECT_LT((data - velocity).cwiseAbs().maxCoeff(), 1e-9);
  // "noise" starts a little later, where it still tells the data.
  EXPECT_LT(problem.distance(draw_in_null_space(problem, "ddpm", "noise", 250)), 0.04);
}

/// Ancestral steps: the coefficients are those of q(x_s | x_t, x0), so its mean and variance compose to the process at s.
TEST(Sampling, AncestralStepsComposeToTheProcess) {
  using detail::cosine_process, detail::ProcessPoint;
  const detail::SamplingTable table = detail::sampling_table("ddpm", "data", "none", 7);
  for (Index k = 0; k + 1 < table.schedule.rows(); ++k) {
    const ProcessPoint at = cosine_process(table.schedule(k, 0)), next = cosine_process(table.schedule(k + 1, 0));
    const double r = table.schedule(k, 3), u = table.schedule(k, 4), v = table.schedule(k, 5);
    EXPECT_NEAR(r * at.data + u, next.data, 1e-14) << k;
    EXPECT_NEAR(std::sqrt(r * r * at.noise * at.noise + v * v), next.noise, 1e-14) << k;
  }
  EXPECT_NEAR(cosine_process(0.0).data, 1.0, 1e-15);
  EXPECT_EQ(cosine_process(1.0).noise, 1.0);
}

}  // namespace
}  // namespace lavoisier::test
