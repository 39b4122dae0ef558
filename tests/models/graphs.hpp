#ifndef LAVOISIER_TESTS_MODELS_GRAPHS_HPP
#define LAVOISIER_TESTS_MODELS_GRAPHS_HPP

// Random graphs whose law is known: q_v ~ N(mu_v, s_v^2), mu_v = 0.5 + x_v + k_v / 2 + sum over neighbours u of (0.4 w_uv -
// 0.5 x_u), s_v by the node's kind k_v; the graph's total, sum_v q_v, is told.

#include "synthetic.hpp"

#include <lavoisier/graph_training.hpp>

#include <cmath>
#include <numbers>

namespace lavoisier::test {

struct KnownGraphs {
  GraphSet set;
  std::vector<std::vector<double>> mean, deviation;  ///< of each graph's nodes

  /// The mean over some graphs of minus the log density: of the nodes alone, or on the surface of the law
  /// (docs/method.md: log N(q) - log N(total) - log(n) / 2), divided by `unit` in every direction; and the mean number
  /// of directions.
  struct Bound {
    double loss = 0.0, directions = 0.0;
  };
  /// Wrong twins: deviations times `factor`; `surface` false: without the last term.
  Bound exact(Subset subset, bool conditional, double unit, double factor = 1.0, bool surface = true) const {
    Bound bound;
    double count = 0.0;
    for (std::int64_t graph = 0; graph < set.graphs.samples; ++graph) {
      const auto at = static_cast<std::size_t>(graph);
      if (set.subset[at] != subset) continue;
      const std::vector<double> q = set.graphs.value("charge", graph).values;
      const auto log_density = [](double y, double m, double v) {
        return -0.5 * ((y - m) * (y - m) / v + std::log(2.0 * std::numbers::pi * v));
      };
      double log_p = 0.0, total = 0.0, variance = 0.0, expected = 0.0;
      for (std::size_t v = 0; v < q.size(); ++v) {
        const double v2 = std::pow(factor * deviation[at][v], 2);
        log_p += log_density(q[v], mean[at][v], v2);
        total += q[v];
        expected += mean[at][v];
        variance += v2;
      }
      const auto n = static_cast<double>(q.size());
      if (conditional) log_p -= log_density(total, expected, variance) + (surface ? 0.5 * std::log(n) : 0.0);
      const double directions = conditional ? n - 1.0 : n;
      bound.loss -= log_p + directions * std::log(unit);
      bound.directions += directions;
      count += 1.0;
    }
    bound.loss /= count;
    bound.directions /= count;
    return bound;
  }
  /// Minus the log density of the validation graphs by a trained model, above the exact one: nats a direction.
  double excess(const TrainingResult& result, bool conditional) const {
    const Bound at = exact(Subset::validation, conditional, result.model.tensor("output.scale").f64()[0]);
    return (result.history.back().best_validation_loss - at.loss) / at.directions;
  }
};

/// Graphs of 3 to 9 atoms, trees with some further bonds; graph 5 has no bond. The capacity is larger than any.
inline KnownGraphs known_graphs(std::int64_t count = 400) {
  KnownGraphs made;
  RaggedSamples& graphs = made.set.graphs;
  const auto variable = [](const char* name, Role role, std::vector<std::string> dimensions) {
    Variable one = scalar(name, role, "1");
    one.dimensions = std::move(dimensions);
    return one;
  };
  graphs.layout = StateLayout({{"atom", DimensionKind::atom, 11, true}, {"bond", DimensionKind::bond, 14, true}},
                              {variable("x", Role::input, {"atom"}), variable("kind", Role::input, {"atom"}),
                               variable("w", Role::input, {"bond"}), variable("total", Role::input, {}),
                               variable("charge", Role::output, {"atom"})});
  graphs.samples = count;
  graphs.offsets = {{"atom", {0}}, {"bond", {0}}};
  graphs.indices = {{"bond_from", "bond", "atom", {}}, {"bond_to", "bond", "atom", {}}};
  for (std::int64_t graph = 0; graph < count; ++graph) {
    std::uint64_t used = 0;
    const auto address = [&] {
      return random::Address{.column = static_cast<std::uint64_t>(graph), .element = used++};
    };
    const auto uniform = [&] { return random::uniform_open_right(random::words({5, 1}, address())[0]); };
    const auto normal = [&] { return random::normal({5, 0}, address()); };
    const auto n = static_cast<std::size_t>(3 + static_cast<int>(7.0 * uniform()));
    std::vector<double> x, kind, mean, deviation;
    for (std::size_t v = 0; v < n; ++v) {
      x.push_back(2.0 + normal());
      kind.push_back(std::floor(3.0 * uniform()));
      mean.push_back(0.5 + x[v] + 0.5 * kind[v]);
      deviation.push_back(0.4 + 0.3 * kind[v]);
    }
    const auto bond = [&](std::size_t from, std::size_t to) {
      const double w = 0.5 + uniform();
      graphs.indices[0].indices.push_back(static_cast<std::int64_t>(from));
      graphs.indices[1].indices.push_back(static_cast<std::int64_t>(to));
      graphs.values["w"].push_back(w);
      mean[from] += 0.4 * w - 0.5 * x[to];
      mean[to] += 0.4 * w - 0.5 * x[from];
    };
    if (graph != 5) {
      for (std::size_t v = 1; v < n; ++v) bond(static_cast<std::size_t>(static_cast<double>(v) * uniform()), v);
      if (n > 3 && uniform() < 0.5) bond(n - 1, 0);
    }
    double total = 0.0;
    for (std::size_t v = 0; v < n; ++v) {
      const double q = mean[v] + deviation[v] * normal();
      total += q;
      graphs.values["charge"].push_back(q);
    }
    graphs.values["x"].insert(graphs.values["x"].end(), x.begin(), x.end());
    graphs.values["kind"].insert(graphs.values["kind"].end(), kind.begin(), kind.end());
    graphs.values["total"].push_back(total);
    graphs.offsets[0].offsets.push_back(static_cast<std::int64_t>(graphs.values["x"].size()));
    graphs.offsets[1].offsets.push_back(static_cast<std::int64_t>(graphs.indices[0].indices.size()));
    made.mean.push_back(mean);
    made.deviation.push_back(deviation);
    made.set.subset.push_back(graph % 4 == 3 ? Subset::validation : Subset::training);
  }
  made.set.laws = {linear_law("charge", {{"charge", 1.0}}, Expression::symbol("total"), 1e-9)};
  made.set.source = "synthetic graphs";
  return made;
}

inline TrainingOptions graph_options(const std::string& generator) {
  TrainingOptions options;
  options.generator.name = generator;
  options.generator.graph = {12, 1, false, {"kind"}};
  options.generator.latents = {2};
  options.network.hidden = {16};
  options.loss = Loss::likelihood;
  options.batch = 32;
  options.epochs = 3;
  options.threads = 1;
  return options;
}

/// `mpnn`.
inline TrainingOptions known_graph_options(bool conditional) {
  TrainingOptions options = graph_options("mpnn");
  options.strategy = conditional ? Strategy::conditional : Strategy::none;
  options.epochs = 24;
  options.learning_rate = 8e-3;
  options.ema = 0.99;
  return options;
}

}  // namespace lavoisier::test

#endif
