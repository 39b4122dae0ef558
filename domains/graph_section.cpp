#include "graph_section.hpp"

#include <lavoisier/linear_constraints.hpp>

namespace lavoisier::detail {
namespace {

Variable input(const std::string& name, std::vector<std::string> dimensions) {
  Variable made;
  made.name = name;
  made.units = "1";
  made.dimensions = std::move(dimensions);
  return made;
}

void add(Domain& domain, std::vector<Variable>& variables, Variable variable, const std::string& field) {
  Source source;
  source.variable = field;
  source.units = variable.units;
  domain.sources[variable.name] = source;
  variables.push_back(std::move(variable));
}

}  // namespace

void read_graph_dimensions(const Section& top, const std::vector<Dimension>& dimensions, Domain& domain) {
  Graphs& graphs = *domain.graphs;
  for (const auto& entry : top.entries("dimensions")) {
    const Section one(top.text(), *entry.value->as_table(), "[dimensions." + entry.key + "]", entry.at,
                      {"kind", "extent", "ragged", "source"});
    if (!one.boolean("ragged")) {
      if (domain.file_dimensions.at(entry.key).part)
        one.fail(Status::unsupported, "dimensions of graphs are read whole: no \"first\"", "source");
      continue;
    }
    const auto& node = one.required("source", "{ offsets = \"...\" }, for edges with \"from\" and \"to\" too");
    if (!node.is_table()) one.wrong_type(node, "source", "a table with \"offsets\"");
    const Section source(top.text(), *node.as_table(), "the source of " + entry.key, position(node), {"offsets", "from", "to"});
    const bool edges = source.has("from") || source.has("to");
    const std::string& taken = edges ? graphs.edge : graphs.node;
    if (!taken.empty())
      one.fail(Status::invalid_format,
               fmt::format("expected one ragged dimension of nodes and one of edges, whose source has \"from\" and \"to\"; found "
                           "\"{}\" and \"{}\" of {}",
                           taken, entry.key, edges ? "edges" : "nodes"),
               "ragged");
    (edges ? graphs.edge : graphs.node) = entry.key;
    (edges ? graphs.edge_offsets : graphs.node_offsets) =
        source.string("offsets", "the file's variable that says where each graph begins, and at last where the last ends");
    if (!edges) continue;
    graphs.from_source = source.string("from", "the file's variable of the node where an edge begins, from 0 in its own graph");
    graphs.to_source = source.string("to", "the file's variable of the node where an edge ends");
  }
  if (graphs.node.empty() || graphs.edge.empty())
    top.fail(Status::invalid_format,
             fmt::format("graphs need two dimensions with ragged = true, of nodes and of edges (whose source has \"from\" and "
                         "\"to\"); found {}",
                         graphs.node.empty() && graphs.edge.empty() ? "none" : "those of " + std::string(graphs.node.empty() ? "edges" : "nodes") + " alone"),
             dimensions.empty() ? "samples" : "dimensions");
}

void add_node_count(Domain& domain, std::vector<Variable>& variables) {
  add(domain, variables, input(domain.graphs->count(), {}), domain.graphs->node_offsets);
}

void add_edge_ends(Domain& domain, std::vector<Variable>& variables) {
  const Graphs& graphs = *domain.graphs;
  add(domain, variables, input(graphs.from(), {graphs.edge}), graphs.from_source);
  add(domain, variables, input(graphs.to(), {graphs.edge}), graphs.to_source);
}

void read_category(const Section& one, const Variable& variable, const Source& source, Domain& domain) {
  const bool category = one.boolean("category");
  if (category && !domain.graphs)
    one.fail(Status::unsupported, "\"category\" is for nodes of graphs ([samples] graphs = \"...\")", "category");
  if (!domain.graphs) return;
  for (const char* other : {"value", "network"})
    if (one.has(other))
      one.fail(Status::unsupported, fmt::format("an input of graphs is a field of the file: it has no \"{}\"", other), other);
  if (source.axis || !source.magnitude.empty() || !source.at.empty())
    one.fail(Status::unsupported, "a variable of graphs is one field of the file: no axis, magnitude or index of it", "source");
  if (!category) return;
  if (variable.role != Role::input || variable.dimensions != std::vector<std::string>{domain.graphs->node})
    one.fail(Status::shape_mismatch, fmt::format("a category is an input with dimensions = [\"{}\"], found [{}]", domain.graphs->node, listed(variable.dimensions)),
             "category");
  if (source.transform != Transform::none)
    one.fail(Status::invalid_format, "a category has no transform", "category");
  domain.graphs->categories.push_back(variable.name);
}

void require_graph_variables(const SourceText& text, const std::vector<Variable>& variables, const Graphs& graphs,
                             const std::map<std::string, Position>& positions) {
  const auto ragged = [&](const std::string& dimension) { return dimension == graphs.node || dimension == graphs.edge; };
  const Variable* output = nullptr;
  bool over_nodes = false;
  for (const Variable& variable : variables) {
    const auto found = positions.find(variable.name);
    if (found == positions.end()) continue;  // count, from and to
    const std::vector<std::string>& own = variable.dimensions;
    if (variable.role == Role::output) {
      if (output != nullptr)
        text.fail(Status::invalid_format, fmt::format("graphs have one output; found \"{}\" and \"{}\"", output->name, variable.name),
                  found->second);
      output = &variable;
      if (own != std::vector<std::string>{graphs.node})
        text.fail(Status::shape_mismatch,
                  fmt::format("the output of graphs lies over their nodes: expected dimensions = [\"{}\"], found [{}]", graphs.node,
                              listed(own)),
                  found->second);
    } else {
      over_nodes = over_nodes || (!own.empty() && own.front() == graphs.node);
      for (std::size_t d = 1; d < own.size(); ++d)
        if (ragged(own[d]))
          text.fail(Status::shape_mismatch,
                    fmt::format("\"{}\": a ragged dimension comes first and alone; found [{}]", variable.name, listed(own)),
                    found->second);
    }
  }
  if (!over_nodes)
    text.fail(Status::invalid_format, fmt::format("graphs need at least one input over their nodes (\"{}\")", graphs.node), {1, 1});
}

namespace {

/// The right-hand side of a law of a graph with 3 nodes and 2 edges, in a layout that has more of both.
double right_hand_side(const Law& law, const Domain& domain, std::int64_t more) {
  const Graphs& graphs = *domain.graphs;
  std::vector<Dimension> dimensions = domain.layout.dimensions();
  for (Dimension& dimension : dimensions) {
    if (dimension.name == graphs.node) dimension.extent = 3 + more;
    if (dimension.name == graphs.edge) dimension.extent = 2 + 2 * more;
  }
  const StateLayout layout(dimensions, domain.layout.variables());
  RowMatrix inputs = RowMatrix::Zero(1, layout.elements(Role::input));
  for (const Variable& variable : layout.with_role(Role::input)) {
    const std::string first = variable.dimensions.empty() ? std::string() : variable.dimensions.front();
    const std::int64_t elements = layout.elements(variable);
    const std::int64_t there = first == graphs.node   ? elements / (3 + more) * 3
                               : first == graphs.edge ? elements / (2 + 2 * more) * 2
                                                      : elements;
    for (std::int64_t i = 0; i < there; ++i) inputs(0, layout.offset(variable.name) + i) = 1.0 + 0.37 * static_cast<double>(i % 7);
  }
  return LinearConstraints(layout, {law}, domain.constants).right_hand_side(inputs)(0, 0);
}

}  // namespace

std::string flaw_of_graph_law(const Law& law, const Domain& domain) {
  std::vector<std::string> symbols = law.right_hand_side.symbols();
  for (const LawTerm& term : law.terms)
    for (const std::string& symbol : term.coefficient.symbols()) {
      if (domain.layout.has_variable(symbol))
        return fmt::format("coefficients of laws of graphs are numbers and constants; found the input \"{}\"", symbol);
    }
  for (const std::string& symbol : symbols) {
    const std::vector<std::string>& categories = domain.graphs->categories;
    if (std::find(categories.begin(), categories.end(), symbol) != categories.end())
      return fmt::format("\"{}\" holds categories, which are names and no quantities: a law cannot read them", symbol);
  }
  const double least = right_hand_side(law, domain, 0), padded = right_hand_side(law, domain, 4);
  if (std::abs(least - padded) <= 1e-12 * std::max(std::abs(least), std::abs(padded))) return {};
  return fmt::format("its right-hand side would change with the extents of {} and {}: what is summed over them must be 0 where all inputs "
                     "are 0; a constant part goes beside the sum, times a number of the file",
                     domain.graphs->node, domain.graphs->edge);
}

std::string misfit_of_graphs(const Split& split, const Domain& domain) {
  if (!domain.graphs)
    return split.covering.empty() ? std::string() : "\"covering\" is for graphs: it names an input of categories of theirs";
  using Kind = Split::Kind;
  if (split.kind != Kind::sequential && split.kind != Kind::random && split.kind != Kind::indices && split.kind != Kind::files)
    return "graphs are split by rows: sequential, random, indices or files";
  const std::vector<std::string>& known = domain.graphs->categories;
  if (split.covering.empty() || std::find(known.begin(), known.end(), split.covering) != known.end()) return {};
  const std::string near = nearest_name(split.covering, known);
  return fmt::format("\"covering\" names \"{}\", which is no input of categories; {}", split.covering,
                     !near.empty()   ? "did you mean \"" + near + "\"?"
                     : known.empty() ? "this domain has none (category = true)"
                                     : "these are " + listed(known));
}

}  // namespace lavoisier::detail
