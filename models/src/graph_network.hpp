#ifndef LAVOISIER_MODELS_GRAPH_NETWORK_HPP
#define LAVOISIER_MODELS_GRAPH_NETWORK_HPP

#include "graph_data.hpp"

#include <string>

namespace lavoisier::detail {

/// What a network of graphs makes, and what it reads besides graph_ports().
struct GraphNetworkShape {
  std::string prefix;  ///< of layers and values
  std::string more;    ///< a further port of `more_width` numbers a node, the last one; empty: none
  std::int64_t more_width = 0;
  std::int64_t width = 1;  ///< of each node's mean and raw deviation
  std::string output = "head";
};

/// Message passing with edge features and gated updates (Gilmer et al. 2017, eq. 1-3; the gate of Li et al. 2016):
///   h_v = sum of a dense layer of each node input and of the embedded categories;
///   rounds of  m_v = sum over edges (w -> v) of f(h_w, h_v, e_vw),  h_v <- gru(m_v, h_v);
///   mean, raw deviation = two dense layers of g(h_v after all rounds, h_v before them).
/// f and g are dense layers with `silu`, `network.hidden` wide; f has one set of weights a round, for both directions
/// of an edge. The first layer of f is a sum of layers of h_w, h_v and e_vw, the former two computed a node, not an
/// edge. What it makes: all nodes' means, then all their raw deviations. Parameters do not depend on the number of
/// nodes and edges; the last two are those of the raw deviations.
NetworkPlan plan_graph_network(const MlpOptions& network, const GraphOptions& graph, const GraphShape& shape,
                               const GraphNetworkShape& made);

}  // namespace lavoisier::detail

#endif
