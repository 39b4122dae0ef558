#include "graph_network.hpp"

#include "plan_builder.hpp"

namespace lavoisier::detail {
namespace {

std::string sum_of(PlanBuilder& builder, const std::vector<std::string>& values) {
  std::string sum = values.at(0);
  for (std::size_t i = 1; i < values.size(); ++i) sum = builder.add(sum, values[i]);
  return sum;
}

}  // namespace

NetworkPlan plan_graph_network(const MlpOptions& network, const GraphOptions& graph, const GraphShape& shape,
                               const GraphNetworkShape& made) {
  const std::int64_t nodes = shape.nodes, edges = shape.edges, state = graph.state;
  std::vector<Port> ports = graph_ports(shape);
  if (!made.more.empty()) ports.push_back({made.more, made.more_width * nodes});
  PlanBuilder builder(made.prefix, ports);

  std::vector<std::string> parts;
  for (const Port& port : shape.node_inputs) parts.push_back(builder.dense(port.name, state, nodes));
  for (const Port& port : shape.categories) parts.push_back(builder.embedding(port.name, port.width, state));
  if (!made.more.empty()) parts.push_back(builder.dense(made.more, state, nodes));
  const std::string start = sum_of(builder, parts);

  const std::vector<std::int64_t>& hidden = network.hidden;
  std::string h = start;
  for (std::int64_t round = 0; round < graph.rounds; ++round) {
    const std::string sender = builder.dense(h, hidden[0], nodes), receiver = builder.dense(h, hidden[0], nodes);
    parts.clear();
    for (const Port& port : shape.edge_inputs) parts.push_back(builder.dense(port.name, hidden[0], edges));
    const std::string along = parts.empty() ? "" : sum_of(builder, parts);
    std::vector<PlanBuilder::Layer> layers;
    for (std::size_t at = 1; at < hidden.size(); ++at)
      layers.push_back(builder.dense_layer(hidden[at - 1], hidden[at]));
    const auto messages = [&](const std::string& from, const std::string& to) {
      std::string value = builder.add(builder.gather(sender, from, hidden[0]), builder.gather(receiver, to, hidden[0]));
      if (!along.empty()) value = builder.add(value, along);
      value = builder.silu(value);
      for (std::size_t at = 1; at < hidden.size(); ++at)
        value = builder.silu(builder.dense(value, hidden[at], layers[at - 1], edges));
      return builder.scatter_add(value, to, hidden.back(), nodes);
    };
    std::string received = messages("from", "to");
    if (!graph.directed) received = builder.add(received, messages("to", "from"));
    h = builder.gru(received, h, nodes);
  }

  std::string value =
      builder.silu(builder.add(builder.dense(h, hidden[0], nodes), builder.dense(start, hidden[0], nodes)));
  for (std::size_t at = 1; at < hidden.size(); ++at) value = builder.silu(builder.dense(value, hidden[at], nodes));
  const std::string mean = builder.dense(value, made.width, nodes), raw = builder.dense(value, made.width, nodes);
  builder.concat(std::vector<std::string>{mean, raw});
  return std::move(builder).finish(made.output);
}

}  // namespace lavoisier::detail
