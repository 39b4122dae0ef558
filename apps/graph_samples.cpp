#include "graph_samples.hpp"

#include <lavoisier/status.hpp>

#include <algorithm>

namespace lavoisier::cli {

GraphSet graph_set(const Domain& domain, const SampleSet& samples) {
  LAVOISIER_REQUIRE(domain.graphs.has_value(), "a domain of graphs");
  const Graphs& graphs = *domain.graphs;
  const auto is_end = [&](const std::string& name) { return name == graphs.from() || name == graphs.to(); };
  std::vector<Dimension> dimensions = domain.layout.dimensions();
  for (Dimension& dimension : dimensions) dimension.ragged = dimension.name == graphs.node || dimension.name == graphs.edge;
  std::vector<Variable> variables;
  for (const Variable& variable : domain.layout.variables())
    if (variable.name != graphs.count() && !is_end(variable.name)) variables.push_back(variable);

  GraphSet set;
  set.laws = domain.laws;
  set.constants = domain.constants;
  set.subset = samples.subset;
  set.source = samples.source;
  set.graphs.layout = StateLayout(dimensions, variables);
  set.graphs.samples = samples.samples;
  set.graphs.offsets = {{graphs.node, {0}}, {graphs.edge, {0}}};
  set.graphs.indices = {{graphs.from(), graphs.edge, graphs.node, {}}, {graphs.to(), graphs.edge, graphs.node, {}}};
  const std::int64_t inputs = samples.input_elements(), outputs = samples.output_elements();
  const auto whole = [](double value) { return static_cast<std::int64_t>(value); };
  for (std::int64_t s = 0; s < samples.samples; ++s) {
    const double* const x = &samples.inputs[static_cast<std::size_t>(s * inputs)];
    const std::int64_t nodes = whole(x[domain.layout.offset(graphs.count())]);
    const double* const from = x + domain.layout.offset(graphs.from());
    // What is absent stands behind what is there.
    const std::int64_t edges = std::find_if(from, from + domain.layout.dimension(graphs.edge).extent, [](double v) { return v < 0.0; }) - from;
    set.graphs.offsets[0].offsets.push_back(set.graphs.offsets[0].offsets.back() + nodes);
    set.graphs.offsets[1].offsets.push_back(set.graphs.offsets[1].offsets.back() + edges);
    for (RaggedIndices& one : set.graphs.indices) {
      const double* const at = x + domain.layout.offset(one.name);
      std::transform(at, at + edges, std::back_inserter(one.indices), whole);
    }
    for (const Variable& variable : variables) {
      const std::string first = variable.dimensions.empty() ? std::string() : variable.dimensions.front();
      const std::int64_t elements = domain.layout.elements(variable);
      const std::int64_t there = first == graphs.node   ? elements / domain.layout.dimension(first).extent * nodes
                                 : first == graphs.edge ? elements / domain.layout.dimension(first).extent * edges
                                                        : elements;
      const double* const row = variable.role == Role::input ? x : &samples.outputs[static_cast<std::size_t>(s * outputs)];
      const double* const at = row + domain.layout.offset(variable.name);
      std::vector<double>& values = set.graphs.values[variable.name];
      values.insert(values.end(), at, at + there);
    }
  }
  return set;
}

}  // namespace lavoisier::cli
