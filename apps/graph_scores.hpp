#ifndef LAVOISIER_APPS_GRAPH_SCORES_HPP
#define LAVOISIER_APPS_GRAPH_SCORES_HPP

// Scores on graphs: over all their nodes together, as the n-th node of one graph has nothing to do with that of another.

#include "marginal_scores.hpp"

#include <lavoisier/domain.hpp>

namespace lavoisier::cli {

/// As score_marginals(), one entry for the output over all nodes of all graphs; nll: mean a graph, each in the null space of
/// its own laws. `samples` are at capacity; `output_scale`: one number.
MarginalScores score_graphs(const ModelFile& model, const Graphs& graphs, const LinearConstraints& constraints,
                            const SampleSet& samples, double output_scale);

/// Over all nodes: the standard deviation of the output, or its largest absolute value (1 where that is 0).
double node_deviation(const Graphs& graphs, const SampleSet& samples);
double node_magnitude(const Graphs& graphs, const SampleSet& samples);

/// Whether the laws leave nothing of a node's own deviation but rounding: its error is rounding too and says nothing.
bool determined(double variance, double network_deviation);

/// Nodes of each graph.
std::vector<std::int64_t> node_counts(const Graphs& graphs, const SampleSet& samples);

}  // namespace lavoisier::cli

#endif
