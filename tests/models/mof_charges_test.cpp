// Partial charges of metal-organic frameworks (Raza et al. 2020), where the file is there: LAVOISIER_MOF_CHARGES names
// it. LAVOISIER_MOF_EPOCHS, _STATE, _ROUNDS, _HIDDEN and _RATE make the training longer than a test's.

#include "network_plan.hpp"

#include <lavoisier/graph_training.hpp>
#include <lavoisier/netcdf_reader.hpp>
#include <lavoisier/tolerances.hpp>

#include <gtest/gtest.h>

#include <algorithm>
#include <cmath>
#include <cstdlib>
#include <numbers>
#include <numeric>
#include <set>

namespace lavoisier::test {
namespace {

double number_of(const char* name, double otherwise) {
  const char* text = std::getenv(name);
  return text ? std::strtod(text, nullptr) : otherwise;
}

GraphSet load(const std::string& path) {
  const NetcdfReader file(path);
  GraphSet set;
  RaggedSamples& graphs = set.graphs;
  const auto whole = [&](const char* name) {
    const std::vector<double> values = file.read(name);
    return std::vector<std::int64_t>(values.begin(), values.end());
  };
  graphs.offsets = {{"atom", whole("atom_offset")}, {"bond", whole("bond_offset")}};
  graphs.samples = static_cast<std::int64_t>(graphs.offsets[0].offsets.size()) - 1;
  graphs.indices = {{"bond_from", "bond", "atom", whole("bond_from")}, {"bond_to", "bond", "atom", whole("bond_to")}};
  graphs.values["element"] = file.read("element_index");
  graphs.values["bond_length"] = file.read("bond_length");
  graphs.values["charge"] = file.read("partial_charge");
  const auto capacity = [](const RaggedOffsets& offsets) {
    std::int64_t most = 1;
    for (std::size_t i = 0; i + 1 < offsets.offsets.size(); ++i)
      most = std::max(most, offsets.offsets[i + 1] - offsets.offsets[i]);
    return most;
  };
  Variable element, length, charge;
  element.name = "element";
  element.units = "1";
  element.dimensions = {"atom"};
  length.name = "bond_length";
  length.units = "angstrom";
  length.dimensions = {"bond"};
  charge.name = "charge";
  charge.units = "e";
  charge.dimensions = {"atom"};
  charge.role = Role::output;
  graphs.layout = StateLayout({{"atom", DimensionKind::atom, capacity(graphs.offsets[0]), true},
                               {"bond", DimensionKind::bond, capacity(graphs.offsets[1]), true}},
                              {element, length, charge});
  Law law;
  law.name = "neutrality";
  law.equation = "sum(charge, atom) = 0";
  law.units = "e";
  law.terms = {{"charge", Expression(1.0)}};
  law.physics_tolerance = 1e-3;  // charges in the file are rounded
  set.laws = {law};
  set.source = path;
  // 70, 10 and 20 % of a permutation, redrawn until every element is in training.
  const std::vector<double>& elements = graphs.values["element"];
  const std::set<double> all(elements.begin(), elements.end());
  for (std::int64_t attempt = 0;; ++attempt) {
    const std::vector<std::int64_t> order = detail::permutation(graphs.samples, 2020, attempt);
    set.subset.assign(order.size(), Subset::test);
    std::set<double> seen;
    for (std::size_t i = 0; i < order.size(); ++i) {
      const std::size_t training = order.size() * 7 / 10, validation = order.size() / 10;
      set.subset[static_cast<std::size_t>(order[i])] = i < training                ? Subset::training
                                                       : i < training + validation ? Subset::validation
                                                                                   : Subset::test;
      if (i < training)
        for (const double one : graphs.value("element", order[i]).values) seen.insert(one);
    }
    if (seen == all) return set;
  }
}

TEST(MofCharges, AShortTrainingBeatsTheElementsMeansAndIsNeutral) {
  const char* path = std::getenv("LAVOISIER_MOF_CHARGES");
  if (!path) GTEST_SKIP() << "LAVOISIER_MOF_CHARGES names no mof_charges.nc";
  const GraphSet set = load(path);
  TrainingOptions options;
  options.generator.name = "mpnn";
  options.generator.graph.categories = {"element"};
  options.generator.graph.state = static_cast<std::int64_t>(number_of("LAVOISIER_MOF_STATE", 16));
  options.generator.graph.rounds = static_cast<std::int64_t>(number_of("LAVOISIER_MOF_ROUNDS", 2));
  options.network.hidden = {static_cast<std::int64_t>(number_of("LAVOISIER_MOF_HIDDEN", 16))};
  options.loss = std::getenv("LAVOISIER_MOF_CRPS") ? Loss::crps : Loss::likelihood;
  options.epochs = static_cast<std::int64_t>(number_of("LAVOISIER_MOF_EPOCHS", 3));
  options.batch = static_cast<std::int64_t>(number_of("LAVOISIER_MOF_BATCH", 16));
  options.learning_rate = number_of("LAVOISIER_MOF_RATE", 5e-3);
  options.gradient_clip = 10.0;
  options.threads = 1;
  const TrainingResult result = train(set, options, [](const TrainingProgress& p) {
    if (p.epoch % 5 == 0 || p.epochs < 10)
      std::printf("epoch %d: training %.3f, validation %.3f (%.0f s)\n", static_cast<int>(p.epoch), p.training_loss,
                  p.validation_loss, p.seconds);
    std::fflush(stdout);
  });
  EXPECT_LT(result.target_distance, 1e-4);

  // Element means of the training atoms, as the published baseline.
  const std::int64_t count = set.graphs.samples;
  std::map<double, std::pair<double, double>> sums;
  for (std::int64_t graph = 0; graph < count; ++graph) {
    if (set.subset[static_cast<std::size_t>(graph)] != Subset::training) continue;
    const std::vector<double> element = set.graphs.value("element", graph).values,
                              q = set.graphs.value("charge", graph).values;
    for (std::size_t i = 0; i < q.size(); ++i) {
      sums[element[i]].first += q[i];
      sums[element[i]].second += 1.0;
    }
  }
  std::vector<std::int64_t> test;
  for (std::int64_t graph = 0; graph < count; ++graph)
    if (set.subset[static_cast<std::size_t>(graph)] == Subset::test) test.push_back(graph);
  const SampleSet samples = select(at_capacity(set, {"element"}), test);
  const PredictedMarginals found = predict(result.model, samples);
  double error = 0.0, baseline = 0.0, atoms = 0.0, by_graph = 0.0, violation = 0.0, log_p = 0.0;
  for (std::size_t i = 0; i < test.size(); ++i) {
    const std::vector<double> element = set.graphs.value("element", test[i]).values,
                              q = set.graphs.value("charge", test[i]).values;
    const auto row = static_cast<Eigen::Index>(i);
    const auto n = static_cast<Eigen::Index>(q.size());
    double own = 0.0, expected = 0.0, variance = 0.0;
    // The reference moved orthogonally onto the law, as in training.
    const double shift = std::accumulate(q.begin(), q.end(), 0.0) / static_cast<double>(n);
    for (Eigen::Index v = 0; v < n; ++v) {
      const auto at = static_cast<std::size_t>(v);
      own += std::abs(found.mean(row, v) - q[at]);
      const auto& [sum, number] = sums.at(element[at]);
      baseline += std::abs(sum / number - q[at]);
      const double m = found.network_mean(row, v), s = found.network_standard_deviation(row, v),
                   z = (q[at] - shift - m) / s;
      log_p -= 0.5 * (z * z + std::log(2.0 * std::numbers::pi * s * s));
      expected += m;
      variance += s * s;
    }
    log_p += 0.5 * (expected * expected / variance + std::log(2.0 * std::numbers::pi * variance)) -
             0.5 * std::log(static_cast<double>(n));
    error += own;
    by_graph += own / static_cast<double>(n);
    atoms += static_cast<double>(n);
    violation = std::max(violation, std::abs(found.mean.row(row).sum()) / found.mean.row(row).cwiseAbs().sum());
  }
  std::printf(
      "test: %d structures; MAD %.4f e (by structure %.4f), element means %.4f; NLL %.2f a structure; violation %.1e; "
      "%.0f s\n",
      static_cast<int>(test.size()), error / atoms, by_graph / static_cast<double>(test.size()), baseline / atoms,
      -log_p / static_cast<double>(test.size()), violation, result.seconds);
  EXPECT_NEAR(baseline / atoms, 0.154, 0.01);  // as published, of another split of all structures
  EXPECT_LT(error, 0.8 * baseline);
  EXPECT_LT(violation, tolerances::identity::relative_fp64);
}

}  // namespace
}  // namespace lavoisier::test
