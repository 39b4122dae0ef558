#include "host_constants.hpp"

#include "number_text.hpp"

#include <lavoisier/status.hpp>
#include <lavoisier/tolerances.hpp>

#include <algorithm>
#include <cmath>
#include <set>
#include <string>
#include <utility>

namespace lavoisier::detail {
namespace {

constexpr double tolerance = tolerances::identity::host_constant;
const std::string prefix = "coordinates.";

std::string quoted(const std::string& name) { return "'" + name + "'"; }

std::string suggestion(const std::string& name, const std::vector<std::string>& known) {
  const std::string near = nearest_name(name, known);
  std::string text = near.empty() ? "" : " (did you mean " + quoted(near) + "?)";
  text += known.empty() ? "; it has none" : "; it has ";
  for (std::size_t i = 0; i < known.size(); ++i) text += (i > 0 ? ", " : "") + known[i];
  return text;
}

/// The host's value beside the file's; "no more than 1e-6" of zero is zero.
void compare(double host, double file, const std::string& what, const std::string& units) {
  if (std::abs(host - file) <= tolerance * std::abs(file)) return;
  throw Error(Status::out_of_range, what + ": the host has " + number_text(host) + units + ", the model file " +
                                        number_text(file) + units + "; expected the same to " + number_text(tolerance) +
                                        " of it");
}

/// Spellings of `units` that the file accepts for any of its variables.
std::vector<std::string> spellings(const StateLayout& layout, const std::string& units) {
  std::vector<std::string> accepted{units};
  for (const auto& variable : layout.variables())
    if (variable.units == units)
      for (const auto& spelling : variable.accepted_units)
        if (std::find(accepted.begin(), accepted.end(), spelling) == accepted.end()) accepted.push_back(spelling);
  return accepted;
}

void require_units(const char* found, const StateLayout& layout, const ConstantInfo& constant) {
  if (found == nullptr) return;
  const auto accepted = spellings(layout, constant.units);
  if (std::find(accepted.begin(), accepted.end(), found) != accepted.end()) return;
  std::string list;
  for (const auto& spelling : accepted) list += (list.empty() ? "" : ", ") + quoted(spelling);
  throw Error(Status::unit_mismatch,
              "constant " + quoted(constant.name) + ": expected units " + list + ", found " + quoted(found));
}

bool is_dimension(const StateLayout& layout, const std::string& name) {
  return std::any_of(layout.dimensions().begin(), layout.dimensions().end(),
                     [&](const Dimension& dimension) { return dimension.name == name; });
}

/// What may have values: dimensions, variables that others name as coordinates, and those names.
std::set<std::string> coordinate_names(const StateLayout& layout) {
  std::set<std::string> names;
  for (const auto& dimension : layout.dimensions()) names.insert(dimension.name);
  for (const auto& variable : layout.variables())
    for (const auto& name : variable.coordinates) names.insert(name);
  return names;
}

/// Over which dimensions a coordinate lies: its own, those of a variable of its name, none for one number.
Coordinate place(const StateLayout& layout, const std::string& name, std::size_t values) {
  Coordinate made;
  if (is_dimension(layout, name))
    made.dimensions = {name};
  else if (layout.has_variable(name))
    made.dimensions = layout.variable(name).dimensions;
  else
    made.placed = values == 1;
  for (const auto& dimension : made.dimensions) made.extents.push_back(layout.dimension(dimension).extent);
  return made;
}

}  // namespace

Coordinates read_coordinates(const ModelFile& file) {
  const StateLayout& layout = file.description.layout;
  const auto names = coordinate_names(layout);
  Coordinates made;
  for (const auto& tensor : file.tensors()) {
    if (tensor.name.rfind(prefix, 0) != 0) continue;
    const std::string name = tensor.name.substr(prefix.size());
    const std::string where = "tensor " + quoted(tensor.name) + ": ";
    if (names.count(name) == 0)
      throw Error(Status::invalid_format,
                  where + quoted(name) + " is neither a dimension nor a coordinate of a variable");
    const auto values = tensor.f64();
    Coordinate coordinate = place(layout, name, values.size());
    std::int64_t expected = 1;
    for (const auto extent : coordinate.extents) expected *= extent;
    if (coordinate.placed && expected != static_cast<std::int64_t>(values.size()))
      throw Error(Status::invalid_format, where + "expected " + std::to_string(expected) + " numbers, found " +
                                              std::to_string(values.size()));
    for (const double x : values)
      if (!std::isfinite(x)) throw Error(Status::non_finite, where + "it holds a number that is not finite");
    coordinate.values.assign(values.begin(), values.end());
    made.emplace(name, std::move(coordinate));
  }
  return made;
}

void register_constants(const HostConstants& host, const StateLayout& layout, std::vector<ConstantInfo>& constants) {
  if (host.constant_count > 0 && host.constants == nullptr)
    throw Error(Status::invalid_argument, "expected " + std::to_string(host.constant_count) + " constants, found null");
  std::set<std::string> seen;
  for (std::size_t i = 0; i < host.constant_count; ++i) {
    const HostConstant& given = host.constants[i];
    if (given.name == nullptr) throw Error(Status::invalid_argument, "constant " + std::to_string(i) + " has no name");
    const std::string name = given.name;
    const auto at = std::find_if(constants.begin(), constants.end(),
                                 [&](const ConstantInfo& constant) { return constant.name == name; });
    if (at == constants.end()) {
      std::vector<std::string> known;
      for (const auto& constant : constants) known.push_back(constant.name);
      throw Error(Status::not_found, "the model has no constant " + quoted(name) + suggestion(name, known));
    }
    if (!seen.insert(name).second)
      throw Error(Status::invalid_argument, "constant " + quoted(name) + " is given twice");
    require_units(given.units, layout, *at);
    compare(given.value, at->file_value, "constant " + quoted(name), at->units == "1" ? "" : " " + at->units);
    at->value = given.value;
  }
}

void register_coordinates(const HostConstants& host, const StateLayout& layout, const Coordinates& from_file,
                          Coordinates& coordinates) {
  if (host.coordinate_count > 0 && host.coordinates == nullptr)
    throw Error(Status::invalid_argument,
                "expected " + std::to_string(host.coordinate_count) + " coordinates, found null");
  const auto names = coordinate_names(layout);
  std::set<std::string> seen;
  for (std::size_t i = 0; i < host.coordinate_count; ++i) {
    const HostCoordinate& given = host.coordinates[i];
    if (given.name == nullptr)
      throw Error(Status::invalid_argument, "coordinate " + std::to_string(i) + " has no name");
    const std::string name = given.name, what = "coordinate " + quoted(name);
    if (names.count(name) == 0)
      throw Error(Status::not_found, "the model has no " + what + suggestion(name, {names.begin(), names.end()}));
    const auto at = from_file.find(name);
    if (at == from_file.end())
      throw Error(Status::not_found, what + ": the model file carries no values of it (tensor '" + prefix + name +
                                         "') to compare the host's with");
    if (!seen.insert(name).second) throw Error(Status::invalid_argument, what + " is given twice");
    const std::vector<double>& file = at->second.values;
    if (given.count != static_cast<std::int64_t>(file.size()))
      throw Error(Status::shape_mismatch,
                  what + ": expected " + std::to_string(file.size()) + " values, found " + std::to_string(given.count));
    if (given.values == nullptr) throw Error(Status::invalid_argument, what + ": its values are null");
    for (std::size_t j = 0; j < file.size(); ++j)
      compare(given.values[j], file[j], what + ", value " + std::to_string(j), "");
    coordinates[name].values.assign(given.values, given.values + given.count);
  }
}

}  // namespace lavoisier::detail
