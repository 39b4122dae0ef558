#ifndef LAVOISIER_TESTS_MODELS_PROBLEMS_STARS_HPP
#define LAVOISIER_TESTS_MODELS_PROBLEMS_STARS_HPP

#include "../graphs.hpp"
#include "samples.hpp"

namespace lavoisier::test {

/// Stars, whose hub has a latent that all of its charges share: q = 0.5 + x + 0.9 z 1 + 0.5 e, the total told. The
/// posterior of the hub's latent is a Gaussian and nothing else is uncertain, so the bound of graph_vae can be the
/// likelihood, which is that of N(0.5 + x, 0.25 I + 0.81 1 1'). Given the total what is left is isotropic.
struct Stars {
  static constexpr double shared = 0.9, own = 0.5;
  GraphSet set;

  explicit Stars(std::int64_t count) {
    RaggedSamples& graphs = set.graphs;
    graphs.layout = known_graphs(1).set.graphs.layout;
    graphs.samples = count;
    graphs.offsets = {{"atom", {0}}, {"bond", {0}}};
    graphs.indices = {{"bond_from", "bond", "atom", {}}, {"bond_to", "bond", "atom", {}}};
    for (std::int64_t graph = 0; graph < count; ++graph) {
      std::uint64_t used = 0;
      const auto normal = [&] {
        return random::normal({6, 0}, {.column = static_cast<std::uint64_t>(graph), .element = used++});
      };
      const std::int64_t n = 3 + graph % 5;
      const double z = normal();
      double total = 0.0;
      for (std::int64_t v = 0; v < n; ++v) {
        const double x = normal(), q = 0.5 + x + shared * z + own * normal();
        graphs.values["x"].push_back(x);
        graphs.values["kind"].push_back(v == 0 ? 0.0 : 1.0);
        graphs.values["charge"].push_back(q);
        total += q;
        if (v == 0) continue;
        graphs.indices[0].indices.push_back(0);
        graphs.indices[1].indices.push_back(v);
        graphs.values["w"].push_back(normal());
      }
      graphs.values["total"].push_back(total);
      graphs.offsets[0].offsets.push_back(static_cast<std::int64_t>(graphs.values["x"].size()));
      graphs.offsets[1].offsets.push_back(static_cast<std::int64_t>(graphs.indices[0].indices.size()));
      set.subset.push_back(graph % 4 == 3 ? Subset::validation : Subset::training);
    }
    set.laws = {linear_law("charge", {{"charge", 1.0}}, Expression::symbol("total"), 1e-9)};
    set.source = "stars";
  }

  /// As KnownGraphs::exact of the validation graphs; twin: charges that know nothing of each other.
  KnownGraphs::Bound exact(bool conditional, double unit, bool correlated = true) const {
    KnownGraphs::Bound bound;
    double count = 0.0;
    for (std::int64_t graph = 0; graph < set.graphs.samples; ++graph) {
      if (set.subset[static_cast<std::size_t>(graph)] != Subset::validation) continue;
      const std::vector<double> q = set.graphs.value("charge", graph).values, x = set.graphs.value("x", graph).values;
      const auto n = static_cast<double>(q.size());
      double sum = 0.0, squares = 0.0;
      for (std::size_t v = 0; v < q.size(); ++v) {
        const double from_mean = q[v] - 0.5 - x[v];
        sum += from_mean;
        squares += from_mean * from_mean;
      }
      // Variances along 1 and across it.
      const double across = own * own + (correlated ? 0.0 : shared * shared),
                   along = own * own + shared * shared * (correlated ? n : 1.0);
      const auto energy = [](double square, double variance) {
        return square / variance + std::log(2.0 * std::numbers::pi * variance);
      };
      double twice = (squares - sum * sum / n) / across + (n - 1.0) * std::log(2.0 * std::numbers::pi * across);
      if (!conditional) twice += energy(sum * sum / n, along);
      const double directions = conditional ? n - 1.0 : n;
      bound.loss += 0.5 * twice - directions * std::log(unit);
      bound.directions += directions;
      count += 1.0;
    }
    bound.loss /= count;
    bound.directions /= count;
    return bound;
  }
  /// Minus the evidence bound of the validation graphs, one draw each, beside minus their log likelihood: in units of
  /// the charges, for what 2 % are of a likelihood depends on them.
  Figure bound(const TrainingResult& result, bool conditional) const {
    const KnownGraphs::Bound at = exact(conditional, 1.0);
    return {result.history.back().best_validation_loss +
                at.directions * std::log(result.model.tensor("output.scale").f64()[0]),
            at.loss};
  }
};

/// `graph_vae`.
inline TrainingOptions star_options(bool conditional) {
  TrainingOptions options = graph_options("graph_vae");
  options.strategy = strategy_of(conditional);
  options.generator.latents = {1};
  options.epochs = 40;
  options.learning_rate = 1.5e-2;
  options.ema = 0.99;
  return options;
}

}  // namespace lavoisier::test

#endif
