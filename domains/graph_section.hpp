#ifndef LAVOISIER_DOMAINS_GRAPH_SECTION_HPP
#define LAVOISIER_DOMAINS_GRAPH_SECTION_HPP

// What a domain file says of graphs.

#include <lavoisier/domain.hpp>

#include "section.hpp"

#include <map>
#include <string>
#include <vector>

namespace lavoisier::detail {

/// Fills domain.graphs from the two ragged dimensions of `top`, which `dimensions` has with their extents.
void read_graph_dimensions(const Section& top, const std::vector<Dimension>& dimensions, Domain& domain);

/// The inputs that come of a graph's own form: the first one, and those behind the inputs of the domain file.
void add_node_count(Domain& domain, std::vector<Variable>& variables);
void add_edge_ends(Domain& domain, std::vector<Variable>& variables);

/// The key `category` of an input; refuses sources that graphs do not have.
void read_category(const Section& one, const Variable& variable, const Source& source, Domain& domain);

/// One output over the nodes alone, and inputs over nodes, edges or fixed dimensions, at least one over the nodes.
/// Error(shape_mismatch, invalid_format) at the variable's place.
void require_graph_variables(const SourceText& text, const std::vector<Variable>& variables, const Graphs& graphs,
                             const std::map<std::string, Position>& positions);

/// What is wrong with a law of graphs; empty where nothing is. Its coefficients are numbers and constants, and its right-hand side
/// is the same of a graph at its own size and at capacity, where what is absent is 0: it reads no category, and what it sums over
/// nodes or edges vanishes with the inputs.
std::string flaw_of_graph_law(const Law& law, const Domain& domain);

/// Why a domain can't be split so: of graphs by rows alone, covering one of their inputs of categories; empty where it can.
std::string misfit_of_graphs(const Split& split, const Domain& domain);

}  // namespace lavoisier::detail

#endif
