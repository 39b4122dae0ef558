#ifndef LAVOISIER_DOMAINS_GRAPH_FIELDS_HPP
#define LAVOISIER_DOMAINS_GRAPH_FIELDS_HPP

// Graphs of different sizes as a domain's fields: contiguous ragged arrays of a NetCDF file, read at capacity.

#include <lavoisier/domain.hpp>
#include <lavoisier/status.hpp>

#include <cstdint>
#include <filesystem>
#include <string>
#include <vector>

namespace lavoisier::detail {

/// Names of files are in all messages, with the graph and the element.
class GraphFields {
 public:
  /// Errors as NetcdfReader's; unit_mismatch; invalid_format for offsets that do not begin with 0, grow and end with the
  /// extent of what lies over them; out_of_range for a graph without nodes or beyond the capacity.
  GraphFields(const Domain& domain, const std::filesystem::path& path, bool with_outputs);

  std::int64_t graphs() const noexcept { return static_cast<std::int64_t>(nodes_.size()) - 1; }
  std::int64_t nodes(std::int64_t graph) const { return extent(nodes_, graph); }
  std::string describe(std::int64_t graph) const;

  /// Graphs first .. first + count - 1, count x elements of the role at capacity; NaN where the file has no number.
  /// Errors: out_of_range for an edge that names no node, or a category that is none.
  void fill(Role role, std::int64_t first, std::int64_t count, std::vector<double>& values) const;

  /// count x output elements: 1 behind a graph's nodes.
  std::vector<std::uint8_t> masked(std::int64_t first, std::int64_t count) const;

  /// Of one row a graph; with `covering`, graphs that lack a category's number count for none. Error(invalid_argument) where no
  /// permutation is found whose training graphs have all categories.
  std::vector<Subset> split(Split rule) const;

 private:
  enum class Over { graph, node, edge };
  enum class Meaning { number, count, index, category };
  struct Field {
    std::string name, variable;
    Meaning meaning = Meaning::number;
    Over over = Over::graph;
    std::int64_t width = 1;                 ///< numbers of a node, an edge or the graph
    std::int64_t elements = 1, offset = 0;  ///< at capacity; among a graph's numbers
    const Source* source = nullptr;
    UnitConversion conversion;
  };

  static std::int64_t extent(const std::vector<std::int64_t>& offsets, std::int64_t graph) {
    return offsets[static_cast<std::size_t>(graph) + 1] - offsets[static_cast<std::size_t>(graph)];
  }
  std::vector<std::int64_t> offsets(const std::string& variable, const std::string& dimension) const;
  Field field(const Variable& variable) const;
  /// First element and number of elements of a graph in the file's field.
  std::pair<std::int64_t, std::int64_t> range(const Field& field, std::int64_t graph) const;
  double value(const Field& field, double raw, std::int64_t graph, std::int64_t element) const;
  [[noreturn]] void fail(Status status, const Field& field, std::int64_t graph, std::int64_t element, const std::string& found) const;

  const Domain domain_;
  const Graphs& graphs_;
  NetcdfReader file_;
  std::vector<std::int64_t> nodes_, edges_;  ///< offsets
  std::vector<Field> inputs_, outputs_;
};

/// SampleReader::element_axes(): the output's nodes, counted from 0.
std::vector<FileAxis> node_axes(const Domain& domain);

}  // namespace lavoisier::detail

#endif
