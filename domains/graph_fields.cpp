#include "graph_fields.hpp"

#include "field.hpp"

#include <lavoisier/status.hpp>

#include <fmt/format.h>
#include <fmt/ranges.h>

#include <algorithm>
#include <cmath>
#include <limits>
#include <numeric>
#include <set>

namespace lavoisier::detail {

GraphFields::GraphFields(const Domain& domain, const std::filesystem::path& path, bool with_outputs)
    : domain_(domain),
      graphs_(*domain_.graphs),
      file_(path),
      nodes_(offsets(graphs_.node_offsets, graphs_.node)),
      edges_(offsets(graphs_.edge_offsets, graphs_.edge)) {
  if (nodes_.size() == 1)
    throw Error(Status::invalid_format, fmt::format("\"{}\": expected at least one {}, found none: \"{}\" has one entry", path.string(),
                                                    domain_.sample_dimensions.front(), graphs_.node_offsets));
  if (nodes_.size() != edges_.size())
    throw Error(Status::shape_mismatch, fmt::format("\"{}\": \"{}\" has offsets of {} graphs, \"{}\" of {}", path.string(),
                                                    graphs_.node_offsets, nodes_.size() - 1, graphs_.edge_offsets, edges_.size() - 1));
  for (std::int64_t graph = 0; graph < this->graphs(); ++graph)
    if (nodes(graph) == 0)
      throw Error(Status::out_of_range,
                  fmt::format("\"{}\", {}: expected at least one {}, found none", path.string(), describe(graph), graphs_.node));
  for (const Variable& variable : domain_.layout.variables()) {
    if (variable.role == Role::diagnostic || (variable.role == Role::output && !with_outputs)) continue;
    (variable.role == Role::input ? inputs_ : outputs_).push_back(field(variable));
  }
}

std::vector<std::int64_t> GraphFields::offsets(const std::string& variable, const std::string& dimension) const {
  const std::string where = fmt::format("\"{}\": offsets \"{}\"", file_.path().string(), variable);
  const FileVariable found = file_.variable(variable);
  if (found.dimensions.size() != 1 || found.extents[0] < 1)
    throw Error(Status::shape_mismatch, fmt::format("{}: expected one dimension with an entry more than there are graphs, found ({})",
                                                    where, fmt::join(found.dimensions, ", ")));
  std::vector<std::int64_t> result;
  for (const double value : file_.read(variable)) {
    const double least = result.empty() ? 0.0 : static_cast<double>(result.back());
    if (!(value >= least && value <= 9007199254740992.0 && value == std::floor(value)) || (result.empty() && value != 0.0))
      throw Error(Status::invalid_format, fmt::format("{}: expected whole numbers that begin with 0 and do not decrease, found {} at index {}",
                                                      where, value, result.size()));
    result.push_back(static_cast<std::int64_t>(value));
  }
  const std::int64_t most = domain_.layout.dimension(dimension).extent;
  for (std::size_t graph = 0; graph + 1 < result.size(); ++graph)
    if (result[graph + 1] - result[graph] > most)
      throw Error(Status::out_of_range,
                  fmt::format("\"{}\", {}: expected at most {} elements of \"{}\", found {}: the domain's extent says how many a "
                              "graph may have",
                              file_.path().string(), describe(static_cast<std::int64_t>(graph)), most, dimension,
                              result[graph + 1] - result[graph]));
  return result;
}

GraphFields::Field GraphFields::field(const Variable& variable) const {
  Field made;
  made.name = variable.name;
  made.offset = domain_.layout.offset(variable.name);
  made.elements = domain_.layout.elements(variable);
  made.source = &domain_.sources.at(variable.name);
  made.variable = made.source->variable;
  if (variable.name == graphs_.count()) {
    made.meaning = Meaning::count;
    return made;
  }
  const std::string first = variable.dimensions.empty() ? std::string() : variable.dimensions.front();
  made.over = first == graphs_.node ? Over::node : first == graphs_.edge ? Over::edge : Over::graph;
  made.width = made.over == Over::graph ? made.elements : made.elements / domain_.layout.dimension(first).extent;
  const bool category = std::find(graphs_.categories.begin(), graphs_.categories.end(), variable.name) != graphs_.categories.end();
  made.meaning = variable.name == graphs_.from() || variable.name == graphs_.to() ? Meaning::index
                 : category                                                       ? Meaning::category
                                                                                  : Meaning::number;
  const FileVariable found = file_.variable(made.variable);
  const std::int64_t rows = made.over == Over::node ? nodes_.back() : made.over == Over::edge ? edges_.back() : graphs();
  std::vector<std::int64_t> wanted = {rows};
  for (std::size_t d = made.over == Over::graph ? 0 : 1; d < variable.dimensions.size(); ++d)
    wanted.push_back(domain_.layout.dimension(variable.dimensions[d]).extent);
  for (std::size_t d = made.over == Over::graph ? 0 : 1; d < variable.dimensions.size() && found.extents == wanted; ++d) {
    const std::string& own = domain_.file_dimensions.at(variable.dimensions[d]).name;
    if (const std::string& there = found.dimensions[d + (made.over == Over::graph ? 1 : 0)]; there != own)
      throw Error(Status::shape_mismatch, fmt::format("\"{}\": \"{}\" has the dimension \"{}\" where \"{}\" was expected", file_.path().string(),
                                                      made.variable, there, own));
  }
  if (found.extents != wanted)
    throw Error(Status::shape_mismatch,
                fmt::format("\"{}\": \"{}\" has extents ({}), expected ({}): all {} of the file one after another, as the offsets count "
                            "them",
                            file_.path().string(), made.variable, fmt::join(found.extents, ", "), fmt::join(wanted, ", "),
                            made.over == Over::graph ? std::string("graphs") : "elements of \"" + first + "\""));
  if (made.meaning == Meaning::number) made.conversion = resolve_units(domain_, *made.source, made.variable, found.units, file_.path());
  return made;
}

std::string GraphFields::describe(std::int64_t graph) const {
  return fmt::format("{} {}", domain_.sample_dimensions.front(), graph);
}

std::pair<std::int64_t, std::int64_t> GraphFields::range(const Field& field, std::int64_t graph) const {
  if (field.over == Over::graph) return {graph * field.width, field.width};
  const std::vector<std::int64_t>& offsets = field.over == Over::node ? nodes_ : edges_;
  return {offsets[static_cast<std::size_t>(graph)] * field.width, extent(offsets, graph) * field.width};
}

void GraphFields::fail(Status status, const Field& field, std::int64_t graph, std::int64_t element, const std::string& found) const {
  throw Error(status, fmt::format("\"{}\", {}: \"{}\"[{}]: {}", file_.path().string(), describe(graph), field.variable, element, found));
}

double GraphFields::value(const Field& field, double raw, std::int64_t graph, std::int64_t element) const {
  if (!std::isfinite(raw)) return std::numeric_limits<double>::quiet_NaN();
  const bool whole = raw >= 0.0 && raw == std::floor(raw);
  switch (field.meaning) {
    case Meaning::index:
      if (!whole || raw >= static_cast<double>(nodes(graph)))
        fail(Status::out_of_range, field, graph, element,
             fmt::format("expected an index of \"{}\" in this {}, from 0 to {}, found {}", graphs_.node, domain_.sample_dimensions.front(),
                         nodes(graph) - 1, raw));
      return raw;
    case Meaning::category:
      if (!whole || raw > 65535.0)
        fail(Status::out_of_range, field, graph, element, fmt::format("expected a category, a whole number from 0 to 65535, found {}", raw));
      return raw;
    default: break;
  }
  try {
    return transformed(*field.source, field.conversion(raw));
  } catch (const Error& error) {
    fail(error.status(), field, graph, element, error.what());
  }
}

void GraphFields::fill(Role role, std::int64_t first, std::int64_t count, std::vector<double>& values) const {
  const std::vector<Field>& fields = role == Role::input ? inputs_ : outputs_;
  std::int64_t width = 0;
  for (const Field& field : fields) width += field.elements;
  values.assign(static_cast<std::size_t>(count * width), 0.0);
  if (count == 0) return;
  for (const Field& field : fields) {
    const auto row = [&](std::int64_t i) { return values.begin() + static_cast<std::ptrdiff_t>(i * width + field.offset); };
    if (field.meaning == Meaning::count) {
      for (std::int64_t i = 0; i < count; ++i) *row(i) = static_cast<double>(nodes(first + i));
      continue;
    }
    const auto last = range(field, first + count - 1);
    const std::int64_t begin = range(field, first).first;
    const std::vector<double> read = file_.read(field.variable, begin, last.first + last.second - begin);
    for (std::int64_t i = 0; i < count; ++i) {
      const auto [at, numbers] = range(field, first + i);
      if (field.meaning == Meaning::index || field.meaning == Meaning::category) std::fill_n(row(i), field.elements, -1.0);
      for (std::int64_t e = 0; e < numbers; ++e)
        row(i)[e] = value(field, read[static_cast<std::size_t>(at - begin + e)], first + i, e);
    }
  }
}

std::vector<std::uint8_t> GraphFields::masked(std::int64_t first, std::int64_t count) const {
  const std::int64_t capacity = domain_.layout.elements(Role::output);
  std::vector<std::uint8_t> result(static_cast<std::size_t>(count * capacity), 0);
  for (std::int64_t i = 0; i < count; ++i)
    std::fill(result.begin() + static_cast<std::ptrdiff_t>(i * capacity + nodes(first + i)),
              result.begin() + static_cast<std::ptrdiff_t>((i + 1) * capacity), std::uint8_t{1});
  return result;
}

std::vector<Subset> GraphFields::split(Split rule) const {
  const std::int64_t rows = graphs();
  if (rule.kind == Split::Kind::files) return subsets_of_file(rule, file_.path(), rows);
  if (rule.covering.empty()) return subsets_of_rows(rule, rows);
  const auto covering = std::find_if(inputs_.begin(), inputs_.end(), [&](const Field& one) { return one.name == rule.covering; });
  LAVOISIER_REQUIRE(covering != inputs_.end(), "a split covers an input");
  std::vector<std::set<double>> found(static_cast<std::size_t>(rows));  // categories of each graph
  std::set<double> all;
  const std::vector<double> values = file_.read(covering->variable);
  for (std::int64_t graph = 0; graph < rows; ++graph) {
    const auto [at, count] = range(*covering, graph);
    const auto first = values.begin() + at;
    if (std::any_of(first, first + count, [](double value) { return !std::isfinite(value); })) continue;
    found[static_cast<std::size_t>(graph)].insert(first, first + count);
    all.insert(first, first + count);
  }
  constexpr std::uint64_t most = 1000;
  for (rule.permutation = 0; rule.permutation < most; ++rule.permutation) {
    std::vector<Subset> subsets = subsets_of_rows(rule, rows);
    std::set<double> seen;
    for (std::size_t graph = 0; graph < subsets.size(); ++graph)
      if (subsets[graph] == Subset::training) seen.insert(found[graph].begin(), found[graph].end());
    if (seen == all) return subsets;
  }
  throw Error(Status::invalid_argument,
              fmt::format("\"{}\": in none of {} permutations do the training graphs have all {} categories of \"{}\"",
                          file_.path().string(), most, all.size(), rule.covering));
}

std::vector<FileAxis> node_axes(const Domain& domain) {
  FileAxis axis;
  axis.name = domain.graphs->node;
  axis.units = "1";
  axis.values.resize(static_cast<std::size_t>(domain.layout.dimension(axis.name).extent));
  std::iota(axis.values.begin(), axis.values.end(), 0.0);
  return {axis};
}

}  // namespace lavoisier::detail
