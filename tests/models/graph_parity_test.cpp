// What the plugin draws from models trained on graphs, against the same graph run by LibTorch: laws held, what is not
// there without any influence.

#include "graphs.hpp"
#include "plugin_draws.hpp"
#include "reference_run.hpp"

#include <lavoisier/status.hpp>
#include <lavoisier/tolerances.hpp>

#include <cmath>

namespace lavoisier::test {
namespace {

using Eigen::Index;

struct Case {
  const char* generator;
  Strategy strategy;
};

class GraphParity : public testing::TestWithParam<Case> {};

TEST_P(GraphParity, PluginDrawsWhatLibTorchDraws) {
  const KnownGraphs problem = known_graphs(100);
  TrainingOptions options = graph_options(GetParam().generator);
  options.strategy = GetParam().strategy;
  options.generator.graph.rounds = 2;
  options.network.hidden = {16, 12};
  options.learning_rate = 5e-3;
  const ModelFile model = train(problem.set, options).model;
  const SampleSet samples = at_capacity(problem.set, {"kind"});
  ASSERT_EQ(samples.layout, model.description.layout);
  const double unit = model.tensor("output.scale").f64()[0];
  const auto nodes = [&](Index graph) { return problem.set.graphs.extent("atom", graph); };
  for (const std::uint64_t member : {0U, 2U}) {
    double largest = 0.0;
    const RowMatrix found = plugin_draws(model, samples, 9, member, &largest);
    const RowMatrix expected = detail::reference_draw(model, samples, {9, 0}, member);
    EXPECT_LT((found - expected).cwiseAbs().maxCoeff() / unit, 2e-5);
    EXPECT_GT((found - detail::reference_draw(model, samples, {9, 0}, member + 1)).cwiseAbs().maxCoeff(), 1e-2);
    double distance = 0.0;
    for (Index graph = 0; graph < found.rows(); ++graph) {
      EXPECT_EQ(found.row(graph).tail(found.cols() - nodes(graph)).cwiseAbs().maxCoeff(), 0.0) << graph;
      const double total = problem.set.graphs.value("total", graph).values[0];
      distance = std::max(distance, std::abs(found.row(graph).sum() - total));
    }
    if (options.strategy == Strategy::none) {
      EXPECT_GT(largest, 1e-5);
      continue;
    }
    EXPECT_LT(largest, tolerances::identity::relative_fp64);
    EXPECT_LT(distance, 1e-13);
  }
}

INSTANTIATE_TEST_SUITE_P(Generators, GraphParity,
                         testing::Values(Case{"mpnn", Strategy::conditional}, Case{"mpnn", Strategy::none},
                                         Case{"mpnn", Strategy::projection}, Case{"graph_vae", Strategy::conditional},
                                         Case{"graph_vae", Strategy::none}, Case{"graph_vae", Strategy::projection}),
                         [](const auto& one) {
                           return std::string(one.param.generator) + "_" + to_string(one.param.strategy);
                         });

TEST(GraphCapacity, WhatIsNotThereHasNoInfluence) {
  const KnownGraphs problem = known_graphs(60);
  for (const char* name : {"mpnn", "graph_vae"}) {
    const ModelFile model = train(problem.set, graph_options(name)).model;
    SampleSet samples = at_capacity(problem.set, {"kind"});
    double largest = 0.0;
    const RowMatrix before = plugin_draws(model, samples, 9, 0, &largest);
    const auto inputs = static_cast<std::size_t>(samples.input_elements());
    const auto change = [&](const char* variable, const std::string& dimension, double to) {
      const auto at = static_cast<std::size_t>(samples.layout.offset(variable));
      const auto capacity = static_cast<std::size_t>(samples.layout.elements(samples.layout.variable(variable)));
      for (std::size_t graph = 0; graph < static_cast<std::size_t>(samples.samples); ++graph)
        for (auto i = static_cast<std::size_t>(problem.set.graphs.extent(dimension, static_cast<std::int64_t>(graph)));
             i < capacity; ++i)
          samples.inputs[graph * inputs + at + i] = to;
    };
    change("x", "atom", 1.25);
    change("kind", "atom", 2.0);
    change("w", "bond", 0.75);
    EXPECT_EQ(plugin_draws(model, samples, 9, 0, &largest), before) << name;
    // A bond that is there does count.
    samples.inputs[static_cast<std::size_t>(samples.layout.offset("w"))] += 0.3;
    const RowMatrix moved = plugin_draws(model, samples, 9, 0, &largest);
    EXPECT_GT((moved - before).row(0).cwiseAbs().maxCoeff(), 1e-4);
    EXPECT_EQ(moved.bottomRows(moved.rows() - 1), before.bottomRows(before.rows() - 1));
  }
}

}  // namespace
}  // namespace lavoisier::test
