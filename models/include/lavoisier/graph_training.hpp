#ifndef LAVOISIER_GRAPH_TRAINING_HPP
#define LAVOISIER_GRAPH_TRAINING_HPP

#include <lavoisier/law.hpp>
#include <lavoisier/ragged.hpp>
#include <lavoisier/sample_set.hpp>
#include <lavoisier/training.hpp>

#include <string>
#include <vector>

namespace lavoisier {

/// Graphs of different sizes with their laws: what `mpnn` and `graph_vae` train on.
///
/// The layout has one output, over one ragged dimension (the nodes: "atom"). The samples bring two index arrays from
/// one other ragged dimension (the edges: "bond") to the nodes: where an edge begins, where it ends. Inputs lie over
/// the nodes, over the edges (both: perhaps over fixed dimensions too), or are numbers of the whole graph, which laws
/// alone read. An input that GraphOptions::categories names lies over the nodes and holds whole numbers from 0.
struct GraphSet {
  RaggedSamples graphs;
  std::vector<Law> laws;  ///< coefficients are numbers or constants; each sum runs over a graph's own nodes
  std::vector<Constant> constants;
  std::vector<Subset> subset;  ///< one a graph; empty: all are of training
  std::string source;          ///< files, for provenance
};

/// The graphs as an exported model reads them: a fixed layout, ragged dimensions at their capacity. Inputs:
/// `NODE_count` (nodes that are there), those of the graphs, then the two index arrays, named as the samples name them.
/// What is not there is 0, an index or category -1. Columns are the graphs' numbers, steps 0. Outputs behind a graph's
/// nodes are 0, as the model makes them. Errors: those of RaggedSamples::validate, invalid_argument for a layout other
/// than above.
SampleSet at_capacity(const GraphSet& set, const std::vector<std::string>& categories);

/// Trains `mpnn` or `graph_vae` (options.generator.name) on batches of graphs joined into one graph, without padding;
/// options.batch counts graphs. Losses are means over graphs. As the other train() otherwise. Further errors, all
/// naming graph and variable: invalid_argument (a graph without nodes, a category that no training graph has),
/// out_of_range (an edge that names no node), law_violated, unsupported (a law's coefficient that depends on inputs).
TrainingResult train(const GraphSet& set, const TrainingOptions& options, const TrainingListener& listener = {},
                     const std::atomic<bool>* stop = nullptr, TrainingCommunicator* communicator = nullptr);

}  // namespace lavoisier

#endif
