#include "graph_data.hpp"

#include "options.hpp"

#include <lavoisier/conditional_gaussian.hpp>
#include <lavoisier/files.hpp>
#include <lavoisier/status.hpp>

#include <algorithm>
#include <cmath>
#include <limits>
#include <map>

namespace lavoisier::detail {
namespace {

using Eigen::Index;

[[noreturn]] void refuse(const std::string& message) { throw Error(Status::invalid_argument, "graphs: " + message); }

std::string graph_name(std::int64_t graph) { return "graph " + std::to_string(graph); }

Variable over(std::string name, std::vector<std::string> dimensions) {
  Variable made;
  made.name = std::move(name);
  made.units = "1";
  made.dimensions = std::move(dimensions);
  return made;
}

template <class Body>
auto naming(std::int64_t graph, Body&& body) {
  try {
    return body();
  } catch (const Error& error) {
    throw Error(error.status(), graph_name(graph) + ": " + error.what());
  }
}

/// Mean and deviation of each of `width` columns over some graphs' rows, and the range with 0, where nothing is.
struct Columns {
  std::vector<double> mean, scale, minimum, maximum;
};
Columns columns_of(const RaggedSamples& graphs, const Variable& variable, std::int64_t width,
                   const std::vector<std::int64_t>& rows) {
  const auto w = static_cast<std::size_t>(width);
  Columns found{std::vector<double>(w, 0.0), std::vector<double>(w, 0.0), std::vector<double>(w, 0.0),
                std::vector<double>(w, 0.0)};
  std::vector<double> least(w, std::numeric_limits<double>::infinity()),
      most(w, -std::numeric_limits<double>::infinity());
  double count = 0.0;
  for (const std::int64_t row : rows) {
    const std::vector<double> values = graphs.value(variable.name, row).values;
    for (std::size_t i = 0; i < values.size(); ++i) {
      found.mean[i % w] += values[i];
      least[i % w] = std::min(least[i % w], values[i]);
      most[i % w] = std::max(most[i % w], values[i]);
    }
    count += static_cast<double>(values.size() / w);
  }
  for (std::size_t j = 0; j < w; ++j) found.mean[j] = count > 0.0 ? found.mean[j] / count : 0.0;
  for (const std::int64_t row : rows) {
    const std::vector<double> values = graphs.value(variable.name, row).values;
    for (std::size_t i = 0; i < values.size(); ++i)
      found.scale[i % w] += (values[i] - found.mean[i % w]) * (values[i] - found.mean[i % w]);
  }
  for (std::size_t j = 0; j < w; ++j) {
    if (count == 0.0) least[j] = most[j] = 0.0;
    const bool constant = most[j] - least[j] <= 1e-13 * std::max(std::abs(least[j]), std::abs(most[j]));
    if (constant) found.mean[j] = least[j];
    found.scale[j] = constant ? 1.0 : std::sqrt(found.scale[j] / count);
    found.minimum[j] = std::min(0.0, least[j]);
    found.maximum[j] = std::max(0.0, most[j]);
  }
  return found;
}

std::vector<float> standardised(const std::vector<double>& values, const Columns& columns) {
  std::vector<float> x(values.size());
  const std::size_t w = columns.mean.size();
  for (std::size_t i = 0; i < values.size(); ++i)
    x[i] = static_cast<float>((values[i] - columns.mean[i % w]) / columns.scale[i % w]);
  return x;
}

std::vector<float> indices_of(const RaggedSamples& graphs, const std::string& name, std::int64_t graph) {
  const auto found =
      std::find_if(graphs.indices.begin(), graphs.indices.end(), [&](const auto& one) { return one.name == name; });
  const auto offsets = std::find_if(graphs.offsets.begin(), graphs.offsets.end(),
                                    [&](const auto& one) { return one.dimension == found->dimension; });
  const auto at = static_cast<std::size_t>(graph);
  return {found->indices.begin() + offsets->offsets[at], found->indices.begin() + offsets->offsets[at + 1]};
}

std::vector<std::int64_t> rows_of(const GraphSet& set, Subset subset) {
  std::vector<std::int64_t> rows;
  for (std::int64_t row = 0; row < set.graphs.samples; ++row)
    if ((set.subset.empty() ? Subset::training : set.subset[static_cast<std::size_t>(row)]) == subset)
      rows.push_back(row);
  return rows;
}

void require_finite(const GraphSet& set, const GraphLayout& layout, std::int64_t row) {
  for (const Variable& variable : layout.ragged.variables()) {
    if (variable.role == Role::diagnostic) continue;
    for (const double value : set.graphs.value(variable.name, row).values)
      if (!std::isfinite(value))
        throw Error(Status::non_finite, graph_name(row) + ": '" + variable.name + "' holds a value that is not finite");
  }
}

/// Categories of a node input: those of the training graphs, which every graph must do with.
std::int64_t categories_of(const GraphSet& set, const Variable& variable, const std::vector<std::int64_t>& training) {
  std::vector<bool> trained;
  const auto category = [&](double value, std::int64_t row) {
    if (!(value >= 0.0 && value <= 65535.0 && value == std::floor(value)))
      throw Error(Status::invalid_argument, graph_name(row) + ": '" + variable.name + "' holds " + text_of(value) +
                                                "; expected categories: whole numbers from 0 to 65535");
    return static_cast<std::size_t>(value);
  };
  for (const std::int64_t row : training)
    for (const double value : set.graphs.value(variable.name, row).values) {
      const std::size_t at = category(value, row);
      if (at >= trained.size()) trained.resize(at + 1);
      trained[at] = true;
    }
  for (std::int64_t row = 0; row < set.graphs.samples; ++row)
    for (const double value : set.graphs.value(variable.name, row).values) {
      const std::size_t at = category(value, row);
      if (at >= trained.size() || !trained[at])
        throw Error(Status::invalid_argument,
                    graph_name(row) + ": '" + variable.name + "' holds the category " + text_of(value) +
                        ", which no training graph has: split the graphs anew or leave this one out");
    }
  return static_cast<std::int64_t>(trained.size());
}

std::string digest_of(const GraphSet& set) {
  std::vector<std::byte> bytes;
  const auto append = [&](const auto& values) {
    const auto part = std::as_bytes(std::span(values));
    bytes.insert(bytes.end(), part.begin(), part.end());
  };
  for (const auto& [name, values] : set.graphs.values) append(values);
  for (const RaggedIndices& indices : set.graphs.indices) append(indices.indices);
  for (const RaggedOffsets& offsets : set.graphs.offsets) append(offsets.offsets);
  append(set.subset);
  return sha256(bytes);
}

/// Laws of one graph in physical units; its target moved onto them.
struct LawfulGraph {
  RowMatrix y, d, A;
  double distance = 0.0;
};
LawfulGraph lawful(const GraphSet& set, const GraphLayout& layout, std::int64_t row) {
  const std::int64_t nodes = set.graphs.extent(layout.node, row), edges = set.graphs.extent(layout.edge, row);
  const StateLayout own = layout.of_graph(nodes, edges);
  const LinearConstraints constraints = naming(row, [&] { return LinearConstraints(own, set.laws, set.constants); });
  std::vector<double> inputs;
  for (const Variable& variable : own.with_role(Role::input)) {
    const std::vector<double> values = set.graphs.value(variable.name, row).values;
    inputs.insert(inputs.end(), values.begin(), values.end());
  }
  const Eigen::Map<const RowMatrix> x(inputs.data(), 1, static_cast<Index>(inputs.size()));
  const std::vector<double> target = set.graphs.value(layout.output.name, row).values;
  LawfulGraph found;
  found.y = Eigen::Map<const RowMatrix>(target.data(), 1, nodes);
  for (const Law& law : constraints.laws()) {
    if (law.scope == LawScope::global) continue;
    const Closure at = closure(law, own, constraints.constants(), x, found.y);
    require_closed(law, at.residual[0], at.term_magnitude[0], graph_name(row));
  }
  found.A = RowMatrix(0, nodes);
  found.d = RowMatrix(1, 0);
  if (constraints.rows() == 0) return found;
  found.A = constraints.A();
  found.d = constraints.right_hand_side(x);
  found.distance = project_onto_laws(found.A, found.d, found.y);
  return found;
}

}  // namespace

GraphLayout::GraphLayout(const RaggedSamples& graphs, const std::vector<std::string>& names) : ragged(graphs.layout) {
  const std::vector<Variable> outputs = ragged.with_role(Role::output);
  if (outputs.size() != 1 || outputs[0].dimensions.size() != 1 || !ragged.is_ragged(outputs[0]))
    refuse("expected one output over one ragged dimension (the nodes), found " +
           (outputs.size() == 1
                ? "'" + outputs[0].name + "' over " + std::to_string(outputs[0].dimensions.size()) + " dimensions"
                : std::to_string(outputs.size()) + " outputs"));
  output = outputs[0];
  node = output.dimensions[0];
  if (graphs.indices.size() != 2 || graphs.indices[0].dimension != graphs.indices[1].dimension ||
      graphs.indices[0].dimension == node || graphs.indices[0].target != node || graphs.indices[1].target != node)
    refuse("expected two index arrays from one dimension (the edges) to '" + node + "', found " +
           std::to_string(graphs.indices.size()));
  edge = graphs.indices[0].dimension;
  from = graphs.indices[0].name;
  to = graphs.indices[1].name;
  for (const Variable& variable : ragged.with_role(Role::input)) {
    const bool category = std::find(names.begin(), names.end(), variable.name) != names.end();
    const std::string first = variable.dimensions.empty() ? "" : variable.dimensions[0];
    if (category && (first != node || variable.dimensions.size() != 1))
      refuse("categories: '" + variable.name + "' does not lie over '" + node + "' alone");
    if (ragged.is_ragged(variable) && first != node && first != edge)
      refuse("'" + variable.name + "' lies over '" + first + "'; expected '" + node + "' (nodes), '" + edge +
             "' (edges) or a fixed dimension");
    (category        ? categories
     : first == node ? node_inputs
     : first == edge ? edge_inputs
                     : graph_inputs)
        .push_back(variable);
    for (const std::string& taken : {count(), from, to})
      if (variable.name == taken) refuse("the input '" + taken + "' has a name that the exported model needs");
  }
  for (const std::string& name : names)
    if (std::none_of(categories.begin(), categories.end(), [&](const Variable& one) { return one.name == name; }))
      refuse("categories: there is no input '" + name + "'");
  if (node_inputs.empty() && categories.empty()) refuse("expected at least one input over '" + node + "'");
}

std::int64_t GraphLayout::features(const Variable& variable) const {
  return ragged.elements(variable) / ragged.dimension(variable.dimensions[0]).extent;
}

StateLayout GraphLayout::at_capacity() const {
  std::vector<Dimension> dimensions = ragged.dimensions();
  for (Dimension& dimension : dimensions) dimension.ragged = false;
  std::vector<Variable> variables{over(count(), {})};
  for (const Variable& variable : ragged.with_role(Role::input)) variables.push_back(variable);
  variables.push_back(over(from, {edge}));
  variables.push_back(over(to, {edge}));
  variables.push_back(output);
  return {std::move(dimensions), std::move(variables)};
}

StateLayout GraphLayout::of_graph(std::int64_t nodes, std::int64_t edges) const {
  std::vector<Dimension> dimensions;
  for (Dimension dimension : ragged.dimensions()) {
    if (dimension.name == edge && edges == 0) continue;
    if (dimension.name == node) dimension.extent = nodes;
    if (dimension.name == edge) dimension.extent = edges;
    dimension.ragged = false;
    dimensions.push_back(dimension);
  }
  std::vector<Variable> variables;
  for (const Variable& variable : ragged.variables()) {
    const bool absent = edges == 0 && !variable.dimensions.empty() && variable.dimensions[0] == edge;
    if (variable.role != Role::diagnostic && !absent) variables.push_back(variable);
  }
  return {std::move(dimensions), std::move(variables)};
}

std::vector<Port> graph_ports(const GraphShape& shape) {
  std::vector<Port> ports;
  for (const Port& port : shape.node_inputs) ports.push_back({port.name, port.width * shape.nodes});
  for (const Port& port : shape.categories) ports.push_back({port.name, shape.nodes});
  for (const Port& port : shape.edge_inputs) ports.push_back({port.name, port.width * shape.edges});
  ports.push_back({"from", shape.edges});
  ports.push_back({"to", shape.edges});
  return ports;
}

GraphBatch::GraphBatch(const GraphShape& given, std::span<const Graph* const> graphs) : shape(given) {
  shape.nodes = shape.edges = 0;
  for (const Graph* graph : graphs) {
    first.push_back(shape.nodes);
    shape.nodes += graph->nodes;
    shape.edges += graph->edges;
  }
  first.push_back(shape.nodes);
  if (shape.nodes >= 1 << 24)
    refuse("a batch holds " + std::to_string(shape.nodes) + " nodes; expected fewer than 2^24: make it smaller");
  const bool absent = shape.edges == 0;
  if (absent) shape.edges = 1;
  const std::size_t ports = graphs.empty() ? 0 : graphs[0]->ports.size();
  for (std::size_t port = 0; port < ports; ++port) {
    const bool index = port + 2 >= ports;
    for (std::size_t i = 0; i < graphs.size(); ++i) {
      const std::vector<float>& part = graphs[i]->ports[port];
      const auto shift = index ? static_cast<float>(first[i]) : 0.0F;
      std::transform(part.begin(), part.end(), std::back_inserter(x), [&](float value) { return value + shift; });
    }
    if (!absent) continue;
    const std::size_t edge_port = port - shape.node_inputs.size() - shape.categories.size();  // wraps around below
    if (index)
      x.push_back(-1.0F);
    else if (edge_port < shape.edge_inputs.size())
      x.insert(x.end(), static_cast<std::size_t>(shape.edge_inputs[edge_port].width), 0.0F);
  }
}

GraphData::GraphData(const GraphSet& set, const TrainingOptions& options)
    : layout(set.graphs, options.generator.graph.categories) {
  const RaggedSamples& graphs = set.graphs;
  graphs.validate();
  for (const Variable& variable : layout.ragged.variables())
    if (variable.role != Role::diagnostic && !graphs.values.count(variable.name))
      refuse("there are no values of '" + variable.name + "'");
  if (!set.subset.empty() && static_cast<std::int64_t>(set.subset.size()) != graphs.samples)
    throw Error(Status::shape_mismatch, "graphs: expected a subset for each of " + std::to_string(graphs.samples) +
                                            ", found " + std::to_string(set.subset.size()));
  scalers.training.rows = rows_of(set, Subset::training);
  scalers.validation.rows = rows_of(set, Subset::validation);
  if (scalers.training.rows.empty()) refuse("none is in the training subset");
  if (scalers.validation.rows.empty() && options.selection == "best")
    refuse(
        "none is in the validation subset, by which the best epoch is chosen: split them, or select the 'last' epoch");
  std::vector<std::int64_t> used = scalers.training.rows;
  used.insert(used.end(), scalers.validation.rows.begin(), scalers.validation.rows.end());
  for (const std::int64_t row : used) {
    if (graphs.extent(layout.node, row) == 0) refuse(graph_name(row) + " has no " + layout.node);
    require_finite(set, layout, row);
  }
  scalers.digest = digest_of(set);

  // What the exported model reads, element by element; indices, categories and numbers of the graph are not scaled.
  const StateLayout fixed = layout.at_capacity();
  const Index inputs = fixed.elements(Role::input), capacity = fixed.elements(Role::output);
  scalers.input_mean = scalers.input_minimum = scalers.input_maximum = Eigen::VectorXd::Zero(inputs);
  scalers.input_scale = Eigen::VectorXd::Ones(inputs);
  const auto range = [&](const std::string& name, double least, double most) {
    const Index at = fixed.offset(name), count = fixed.elements(fixed.variable(name));
    scalers.input_minimum.segment(at, count).setConstant(least);
    scalers.input_maximum.segment(at, count).setConstant(most);
  };
  shape.nodes = layout.ragged.dimension(layout.node).extent;
  shape.edges = layout.ragged.dimension(layout.edge).extent;
  range(layout.count(), 1.0, static_cast<double>(shape.nodes));
  for (const std::string& name : {layout.from, layout.to}) range(name, -1.0, static_cast<double>(shape.nodes - 1));
  std::map<std::string, Columns> columns;
  const auto scale = [&](const Variable& variable, std::vector<Port>& ports) {
    const std::int64_t width = layout.features(variable);
    const Columns& found = columns[variable.name] = columns_of(graphs, variable, width, scalers.training.rows);
    const Index at = fixed.offset(variable.name), count = fixed.elements(variable);
    for (Index i = 0; i < count; ++i) {
      const auto column = static_cast<std::size_t>(i % width);
      scalers.input_mean[at + i] = found.mean[column];
      scalers.input_scale[at + i] = found.scale[column];
      scalers.input_minimum[at + i] = found.minimum[column];
      scalers.input_maximum[at + i] = found.maximum[column];
    }
    ports.push_back({"input." + variable.name, width});
  };
  for (const Variable& variable : layout.node_inputs) scale(variable, shape.node_inputs);
  for (const Variable& variable : layout.edge_inputs) scale(variable, shape.edge_inputs);
  for (const Variable& variable : layout.categories) {
    const std::int64_t count = categories_of(set, variable, scalers.training.rows);
    shape.categories.push_back({"input." + variable.name, count});
    range(variable.name, -1.0, static_cast<double>(count - 1));
  }
  for (const Variable& variable : layout.graph_inputs) {
    const std::int64_t width = layout.ragged.elements(variable);
    const Index at = fixed.offset(variable.name);
    for (std::int64_t i = 0; i < width; ++i) {
      double least = std::numeric_limits<double>::infinity(), most = -least;
      for (const std::int64_t row : scalers.training.rows) {
        const double value = graphs.value(variable.name, row).values[static_cast<std::size_t>(i)];
        least = std::min(least, value);
        most = std::max(most, value);
      }
      scalers.input_minimum[at + i] = least;
      scalers.input_maximum[at + i] = most;
    }
  }

  // Targets on their laws, then standardised: one mean and deviation for all nodes.
  for (const Law& law : set.laws)
    for (const LawTerm& term : law.terms)
      for (const std::string& symbol : term.coefficient.symbols())
        if (layout.ragged.has_variable(symbol))
          throw Error(Status::unsupported, "law '" + law.name + "': the coefficient of '" + term.variable +
                                               "' depends on the input '" + symbol +
                                               "'; expected numbers and constants");
  std::map<std::int64_t, LawfulGraph> found;
  for (const std::int64_t row : used) {
    found[row] = lawful(set, layout, row);
    scalers.target_distance = std::max(scalers.target_distance, found[row].distance);
    scalers.laws = std::max(scalers.laws, found[row].d.cols());
  }
  double mean = 0.0, square = 0.0, count = 0.0;
  for (const std::int64_t row : scalers.training.rows) {
    mean += found[row].y.sum();
    count += static_cast<double>(found[row].y.size());
  }
  mean /= count;
  for (const std::int64_t row : scalers.training.rows) square += (found[row].y.array() - mean).square().sum();
  const double deviation = std::sqrt(square / count);
  if (!(deviation > 1e-13 * std::abs(mean)))
    refuse("'" + layout.output.name + "' is constant in training: there is nothing to learn");
  scalers.output_mean = Eigen::VectorXd::Constant(capacity, mean);
  scalers.output_scale = Eigen::VectorXd::Constant(capacity, deviation);
  for (Index i = 0; i < capacity; ++i) scalers.active.push_back(i);

  const auto make = [&](StandardisedRows& rows, std::vector<Graph>& made) {
    for (const std::int64_t row : rows.rows) {
      Graph graph;
      graph.nodes = graphs.extent(layout.node, row);
      graph.edges = graphs.extent(layout.edge, row);
      const auto values = [&](const Variable& variable) { return graphs.value(variable.name, row).values; };
      for (const Variable& variable : layout.node_inputs)
        graph.ports.push_back(standardised(values(variable), columns.at(variable.name)));
      for (const Variable& variable : layout.categories) {
        const std::vector<double> categories = values(variable);
        graph.ports.emplace_back(categories.begin(), categories.end());
      }
      for (const Variable& variable : layout.edge_inputs)
        graph.ports.push_back(standardised(values(variable), columns.at(variable.name)));
      for (const std::string& name : {layout.from, layout.to}) graph.ports.push_back(indices_of(graphs, name, row));
      const LawfulGraph& at = found.at(row);
      graph.y = (at.y.array() - mean) / deviation;
      graph.d = at.d - (at.A.rowwise().sum() * mean).transpose();
      graph.A = at.A * deviation;
      made.push_back(std::move(graph));
    }
    const auto size = static_cast<Index>(rows.rows.size());
    rows.y.resize(size, 0);
    rows.d.resize(size, 0);
  };
  make(scalers.training, training);
  make(scalers.validation, validation);
}

}  // namespace lavoisier::detail

namespace lavoisier {

SampleSet at_capacity(const GraphSet& set, const std::vector<std::string>& categories) {
  const detail::GraphLayout layout(set.graphs, categories);
  set.graphs.validate();
  SampleSet samples;
  samples.layout = layout.at_capacity();
  samples.samples = set.graphs.samples;
  samples.subset = set.subset;
  samples.source = set.source;
  const auto inputs = static_cast<std::size_t>(samples.input_elements()),
             outputs = static_cast<std::size_t>(samples.output_elements());
  const bool targets = set.graphs.values.count(layout.output.name) > 0;
  samples.inputs.assign(inputs * static_cast<std::size_t>(samples.samples), 0.0);
  if (targets) samples.outputs.assign(outputs * static_cast<std::size_t>(samples.samples), 0.0);
  for (std::int64_t graph = 0; graph < samples.samples; ++graph) {
    double* row = samples.inputs.data() + static_cast<std::size_t>(graph) * inputs;
    const auto place = [&](const std::string& name) { return row + samples.layout.offset(name); };
    *place(layout.count()) = static_cast<double>(set.graphs.extent(layout.node, graph));
    const auto absent = [&](const std::string& name) {
      std::fill_n(place(name), samples.layout.elements(samples.layout.variable(name)), -1.0);
    };
    for (const Variable& variable : layout.categories) absent(variable.name);
    for (const Variable& variable : layout.ragged.with_role(Role::input)) {
      const std::vector<double> values = set.graphs.value(variable.name, graph).values;
      std::copy(values.begin(), values.end(), place(variable.name));
    }
    for (const std::string& name : {layout.from, layout.to}) {
      absent(name);
      const std::vector<float> indices = detail::indices_of(set.graphs, name, graph);
      std::copy(indices.begin(), indices.end(), place(name));
    }
    samples.column.push_back(static_cast<std::uint64_t>(graph));
    samples.step.push_back(0);
    if (!targets) continue;
    const std::vector<double> values = set.graphs.value(layout.output.name, graph).values;
    std::copy(values.begin(), values.end(),
              samples.outputs.begin() + static_cast<std::ptrdiff_t>(static_cast<std::size_t>(graph) * outputs));
  }
  return samples;
}

}  // namespace lavoisier
