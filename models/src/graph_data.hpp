#ifndef LAVOISIER_MODELS_GRAPH_DATA_HPP
#define LAVOISIER_MODELS_GRAPH_DATA_HPP

#include "network_plan.hpp"
#include "training_data.hpp"

#include <lavoisier/graph_training.hpp>

#include <cstdint>
#include <span>
#include <string>
#include <vector>

namespace lavoisier::detail {

/// The parts that variables play in a GraphSet. Error(invalid_argument) says what is missing or too much.
struct GraphLayout {
  GraphLayout(const RaggedSamples& graphs, const std::vector<std::string>& categories);

  StateLayout ragged;
  std::string node, edge;  ///< dimensions
  std::string from, to;    ///< index arrays
  Variable output;
  std::vector<Variable> node_inputs, categories, edge_inputs, graph_inputs;

  std::string count() const { return node + "_count"; }
  /// Numbers of each node or edge.
  std::int64_t features(const Variable& variable) const;
  /// As an exported model reads it: GraphSet at capacity.
  StateLayout at_capacity() const;
  /// One graph's variables over its own extents; edges and what lies over them are left out where there are none.
  StateLayout of_graph(std::int64_t nodes, std::int64_t edges) const;
};

/// One graph in standardised units; what its network reads in the order of graph_ports(), indices within the graph.
struct Graph {
  std::int64_t nodes = 0, edges = 0;
  std::vector<std::vector<float>> ports;
  RowMatrix y, d, A;  ///< 1 x nodes, on the laws; 1 x laws; laws x nodes
};

/// Sizes of a graph, or of a batch of them joined into one. Widths of ports are numbers a node (node_inputs),
/// categories (categories), numbers an edge (edge_inputs).
struct GraphShape {
  std::int64_t nodes = 0, edges = 0;
  std::vector<Port> node_inputs, categories, edge_inputs;
};
/// What a network of graphs reads: node inputs, categories, edge inputs, from, to.
std::vector<Port> graph_ports(const GraphShape& shape);

/// Graphs joined into one whose parts do not touch: lists of nodes and edges concatenated, indices shifted. A batch
/// without any edge gets one that is absent.
struct GraphBatch {
  GraphBatch(const GraphShape& shape, std::span<const Graph* const> graphs);
  GraphShape shape;
  std::vector<float> x;             ///< all ports, one after another
  std::vector<std::int64_t> first;  ///< node of each graph, and their number
};

/// What training needs of a GraphSet; statistics are of the training graphs, over all their nodes or edges.
struct GraphData {
  GraphData(const GraphSet& set, const TrainingOptions& options);

  GraphLayout layout;
  GraphShape shape;  ///< at capacity
  std::vector<Graph> training, validation;
  TrainingData scalers;  ///< at capacity, and which graphs are of which subset; no rows of x and y
};

}  // namespace lavoisier::detail

#endif
