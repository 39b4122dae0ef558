// Every generator where the right answer is known, with its laws and without: what it reaches against the exact value,
// and how well its draws through the plugin hold the laws. The problems are those of tests/models, which assert the
// bars.
//
// *_difference: (found - exact) / |exact|, bar .02; excess_nats_a_direction: bar .02; kolmogorov: of 4000 draws, whose
// floor is .02. violations: draws whose residual is above the identity tolerance, bar 0.

#include "closed_form.hpp"

#include "../tests/models/problems/heads.hpp"
#include "../tests/models/problems/linear_gaussian.hpp"
#include "../tests/models/problems/null_space_sampling.hpp"
#include "../tests/models/problems/recovery.hpp"
#include "../tests/models/problems/series.hpp"
#include "../tests/models/problems/shifted_mixture.hpp"
#include "../tests/models/problems/stars.hpp"

#include <plugin_draw.hpp>

#include <lavoisier/tolerances.hpp>

#include <benchmark/benchmark.h>

#include <functional>
#include <string>

namespace lavoisier::bench {
namespace {

using namespace test;
using Eigen::Index;

/// The figures of one benchmark: generators/PROBLEM/GENERATOR/STRATEGY/FIGURE.
class Figures {
 public:
  Figures(benchmark::State& state, std::string name) : state_(&state), prefix_("generators/" + std::move(name) + "/") {}
  void add(const std::string& figure, double value) { state_->counters[prefix_ + figure] = value; }

  /// Draws a member through the plugin.
  RowMatrix draw(const ModelFile& model, const SampleSet& samples, std::uint64_t member) {
    const std::vector<double> values =
        cli::PluginDraws(model, samples, {.seed = 5, .stream = 0}).draw(member, &largest_violation_);
    return Eigen::Map<const RowMatrix>(values.data(), samples.samples, samples.output_elements());
  }
  /// The residuals of draws y of samples with the laws A y = d.
  void add_violations(const RowMatrix& A, const RowMatrix& d, const RowMatrix& y) {
    const RowMatrix residual = y * A.transpose() - d, terms = y.cwiseAbs() * A.cwiseAbs().transpose() + d.cwiseAbs();
    Index count = 0;
    for (Index s = 0; s < y.rows(); ++s)
      for (Index k = 0; k < A.rows(); ++k)
        count += !(std::abs(residual(s, k)) <= tolerances::identity::relative_fp64 * terms(s, k));
    add("violations", static_cast<double>(count));
    add("max_relative_violation", largest_violation_);
  }
  /// One draw of each validation sample.
  void add_violations(const ModelFile& model, const LinearConstraints& constraints, const SampleSet& samples) {
    const SampleSet validation = select(samples, Subset::validation);
    add_violations(constraints.A(), constraints.right_hand_side(inputs_of(validation)), draw(model, validation, 0));
  }
  void add_violations(const ModelFile& model, const GraphSet& set) {
    const SampleSet samples = at_capacity(set, {"kind"});  // absent nodes are 0
    const RowMatrix total = Eigen::Map<const Eigen::VectorXd>(set.graphs.values.at("total").data(), samples.samples);
    add_violations(RowMatrix::Ones(1, samples.output_elements()), total, draw(model, samples, 0));
  }

 private:
  benchmark::State* state_;
  std::string prefix_;
  double largest_violation_ = 0.0;
};

void recovery(Figures& figures, Loss loss) {
  const Synthetic problem = synthetic(12000);
  const TrainingResult result = train(problem.samples, problem.constraints(), recovery_options(loss));
  const PredictedMarginals found = predict(result.model, problem.samples);
  figures.add("crps_difference", marginal_crps(problem, found).difference());
  const Eigen::RowVectorXd exact = problem.variance.transpose();
  const RowMatrix error = (found.mean - problem.mean).cwiseAbs2().colwise().mean().cwiseQuotient(exact);
  figures.add("rms_error_of_the_mean", std::sqrt(error.maxCoeff()));  // in standard deviations of the law
  const RowMatrix ratio = found.variance.colwise().mean().cwiseQuotient(exact).cwiseSqrt();
  figures.add("deviation_difference", (ratio.array() - 1.0).abs().maxCoeff());
  figures.add_violations(result.model, problem.constraints(), problem.samples);
}

void linear_gaussian(Figures& figures, const std::string& generator, bool with_law) {
  const LatentProblem problem(with_law);
  const TrainingResult result =
      train(problem.samples, problem.constraints(), linear_gaussian_options(generator, with_law));
  figures.add("bound_difference", problem.bound(result).difference());
  if (with_law) figures.add_violations(result.model, problem.constraints(), problem.samples);
}

void series(Figures& figures, bool with_law) {
  const SeriesProblem problem(with_law);
  const TrainingResult result = train(problem.samples, problem.constraints(), series_options(with_law));
  figures.add("crps_difference", problem.crps(result).difference());
  if (with_law) figures.add_violations(result.model, problem.constraints(), problem.samples);
}

void mixtures(Figures& figures, const std::string& generator, bool with_law) {
  const MixtureProblem problem(with_law);
  const TrainingResult result = train(problem.samples, problem.constraints(), mixture_options(generator, with_law));
  const Draws draw = [&](const ModelFile& model, const SampleSet& samples, std::uint64_t member) {
    return figures.draw(model, samples, member);
  };
  const MixtureMembers members(problem, result.model, draw);
  figures.add("energy_score_difference", members.energy().difference());
  if (with_law) figures.add_violations(result.model, problem.constraints(), problem.samples);
}

template <class Problem>
void heads(Figures& figures, const TrainingOptions& options) {
  const Problem problem(6000);
  const TrainingResult result = train(problem.samples, problem.constraints(), thorough(options));
  figures.add("likelihood_difference", head_likelihood(problem, result.model).difference());
  figures.add_violations(result.model, problem.constraints(), problem.samples);
}

void graphs(Figures& figures, bool with_law) {
  const KnownGraphs problem = known_graphs(8000);
  const TrainingResult result = train(problem.set, known_graph_options(with_law));
  const double excess = problem.excess(result, with_law);
  figures.add("excess_nats_a_direction", excess);
  const KnownGraphs::Bound exact = problem.exact(Subset::validation, with_law, 1.0);  // in units of the charges
  figures.add("likelihood_difference", excess * exact.directions / std::abs(exact.loss));
  if (with_law) figures.add_violations(result.model, problem.set);
}

void stars(Figures& figures, bool with_law) {
  const Stars problem(with_law ? 4000 : 12000);
  const TrainingResult result = train(problem.set, star_options(with_law));
  figures.add("bound_difference", problem.bound(result, with_law).difference());
  if (with_law) figures.add_violations(result.model, problem.set);
}

/// Distances at 10, 50 and 250 steps.
void sampling(Figures& figures, Index outputs,
              const std::function<RowMatrix(const SamplingProblem&, std::int64_t)>& draw) {
  const SamplingProblem problem(outputs);
  for (const std::int64_t steps : {10, 50, 250}) {
    const RowMatrix y = draw(problem, steps);
    figures.add("kolmogorov_" + std::to_string(steps) + "_steps", problem.distance(y));
    if (steps == 250) figures.add("max_residual", problem.largest_residual(y));
  }
}

void add(const std::string& name, const std::function<void(Figures&)>& run) {
  benchmark::RegisterBenchmark(name.c_str(),
                               [=](benchmark::State& state) {
                                 Figures figures(state, name);
                                 for (auto unused : state) {
                                   (void)unused;
                                   run(figures);
                                 }
                               })
      ->Iterations(1)
      ->Unit(benchmark::kMillisecond)
      ->UseRealTime();
}

}  // namespace

void register_closed_form() {
  for (const Loss loss : {Loss::likelihood, Loss::crps})
    add("linear_law/mlp_" + std::string(to_string(loss)) + "/conditional", [=](Figures& f) { recovery(f, loss); });
  for (const bool with_law : {false, true}) {
    const std::string strategy = to_string(strategy_of(with_law));
    for (const std::string generator : {"vae", "ladder_vae"})
      add("linear_gaussian/" + generator + "/" + strategy,
          [=](Figures& f) { linear_gaussian(f, generator, with_law); });
    for (const std::string generator : {"ddpm", "flow_matching"})
      add("mixture/" + generator + "/" + strategy, [=](Figures& f) { mixtures(f, generator, with_law); });
    add("series/spectral_temporal/" + strategy, [=](Figures& f) { series(f, with_law); });
    add("graphs/mpnn/" + strategy, [=](Figures& f) { graphs(f, with_law); });
    add("stars/graph_vae/" + strategy, [=](Figures& f) { stars(f, with_law); });
  }
  add("heads/mixed/conditional", [](Figures& f) { heads<MixedProblem>(f, mixed_options()); });
  add("heads/gamma/conditional", [](Figures& f) { heads<SharesProblem>(f, family_options("gamma")); });
  add("heads/poisson/conditional", [](Figures& f) { heads<CountsProblem>(f, family_options("poisson")); });
  for (const Index outputs : {2, 5}) {
    const std::string of = "/outputs_" + std::to_string(outputs);
    for (const std::string method : {"ddpm", "ddim", "flow"})
      add("exact_prediction/" + method + of, [=](Figures& f) {
        sampling(f, outputs, [&](const SamplingProblem& problem, std::int64_t steps) {
          return draw_in_null_space(problem, method, "velocity", steps);
        });
      });
    add("exact_prediction/projected_at_the_end" + of,
        [=](Figures& f) { sampling(f, outputs, draw_projected_at_the_end); });
    add("exact_prediction/projected_each_step" + of,
        [=](Figures& f) { sampling(f, outputs, draw_projected_each_step); });
  }
}

}  // namespace lavoisier::bench
