#include "field.hpp"

#include <lavoisier/status.hpp>

#include <fmt/format.h>

#include <algorithm>
#include <cmath>
#include <numbers>
#include <numeric>

namespace lavoisier::detail {
namespace {

std::string shape(const std::vector<std::string>& parts) { return fmt::format("({})", fmt::join(parts, ", ")); }

/// A dimension that the field is expected to have.
struct Expected {
  std::string name;
  FieldAxis axis;
  std::int64_t extent = 0;  ///< of the file's dimension; of a part or an index: at least
  bool whole = true;
  std::string text() const {
    if (whole) return fmt::format("{} = {}", name, extent);
    if (axis.kind == FieldAxis::Kind::fixed) return fmt::format("{} with the index {}", name, axis.first);
    return fmt::format("{} with the indices {} to {}", name, axis.first, axis.first + axis.count - 1);
  }
};

std::vector<Expected> expected_dimensions(const Domain& domain, const Variable& variable, const Source& source,
                                          const NetcdfReader& file) {
  std::vector<Expected> result;
  for (const std::string& name : domain.sample_dimensions)
    result.push_back({name, {}, file.extent(name), true});
  std::int64_t stride = domain.layout.elements(variable);
  for (const std::string& name : variable.dimensions) {
    const Dimension& dimension = domain.layout.dimension(name);
    if (dimension.ragged)
      throw Error(Status::unsupported,
                  fmt::format("variable \"{}\" is over the ragged dimension \"{}\": files are read with fixed ones alone",
                              variable.name, name));
    const FileDimension& there = domain.file_dimensions.at(name);
    stride /= dimension.extent;
    result.push_back({there.name,
                      {FieldAxis::Kind::element, there.first, dimension.extent, stride},
                      there.first + dimension.extent,
                      !there.part});
  }
  for (const auto& [name, index] : source.at)
    result.push_back({name, {FieldAxis::Kind::fixed, index, 1, 0}, index + 1, false});
  return result;
}

}  // namespace

std::vector<FieldAxis> field_axes(const Domain& domain, const Variable& variable, const Source& source,
                                  const std::string& name, const NetcdfReader& file) {
  const FileVariable found = file.variable(name);
  std::vector<Expected> expected = expected_dimensions(domain, variable, source, file);
  const auto refuse = [&](const std::string& why) {
    std::vector<std::string> wanted, there;
    for (const Expected& one : expected) wanted.push_back(one.text());
    for (std::size_t d = 0; d < found.dimensions.size(); ++d)
      there.push_back(fmt::format("{} = {}", found.dimensions[d], found.extents[d]));
    throw Error(Status::shape_mismatch,
                fmt::format("variable \"{}\" of \"{}\": expected the dimensions {}, found {}{}", name,
                            file.path().string(), shape(wanted), shape(there), why));
  };
  if (found.dimensions.size() != expected.size()) refuse("");
  std::vector<FieldAxis> axes;
  std::size_t next_sample = 0;
  for (std::size_t d = 0; d < found.dimensions.size(); ++d) {
    const auto same = std::find_if(expected.begin(), expected.end(),
                                   [&](const Expected& one) { return one.name == found.dimensions[d]; });
    if (same == expected.end()) refuse("");
    if (same->whole ? found.extents[d] != same->extent : found.extents[d] < same->extent) refuse("");
    if (same->axis.kind == FieldAxis::Kind::cell) {
      if (found.dimensions[d] != domain.sample_dimensions[next_sample]) refuse("");
      ++next_sample;
    }
    axes.push_back(same->axis);
  }
  if (next_sample != domain.sample_dimensions.size()) refuse("");
  return axes;
}

UnitConversion resolve_units(const Domain& domain, const Source& source, const std::string& owner,
                             const std::string& spelling, const std::filesystem::path& file) {
  const std::string where = fmt::format("variable \"{}\" of \"{}\"", owner, file.string());
  std::string meaning = spelling;
  std::string mapped;
  for (const auto* const table : {&source.source_units, &domain.source_units})
    if (const auto found = table->find(spelling); found != table->end()) {
      meaning = found->second;
      mapped = fmt::format(", which source_units reads as \"{}\"", meaning);
      break;
    }
  const Unit wanted(source.units);
  const auto unit = Unit::parse(meaning);
  if (!unit)
    throw Error(Status::unit_mismatch,
                fmt::format("{}: expected units that convert to \"{}\", found {}, which neither UDUNITS nor the domain's "
                            "source_units knows; add a line \"{}\" = \"{}\" there if that is what it means",
                            where, source.units, spelling.empty() ? "none" : "\"" + spelling + "\"", spelling,
                            source.units));
  if (!unit->convertible_to(wanted))
    throw Error(Status::unit_mismatch,
                fmt::format("{}: expected units that convert to \"{}\" ({}), found \"{}\"{} ({})", where, source.units,
                            wanted.base_text(), spelling, mapped, unit->base_text()));
  return unit->conversion_to(wanted);
}

std::vector<std::int64_t> extents_of(const Domain& domain, const std::vector<std::string>& dimensions) {
  std::vector<std::int64_t> result;
  for (const std::string& name : dimensions) result.push_back(domain.layout.dimension(name).extent);
  return result;
}

std::vector<FileAxis> element_axes(const Domain& domain, const NetcdfReader& file) {
  std::vector<FileAxis> result;
  const std::vector<Variable> outputs = domain.layout.with_role(Role::output);
  for (const Dimension& dimension : domain.layout.dimensions()) {
    const bool used = std::any_of(outputs.begin(), outputs.end(), [&](const Variable& variable) {
      const auto& own = variable.dimensions;
      return std::find(own.begin(), own.end(), dimension.name) != own.end();
    });
    if (!used) continue;
    const FileDimension& there = domain.file_dimensions.at(dimension.name);
    FileAxis axis;
    if (file.has_dimension(there.name)) axis = file.axis(there.name);
    const auto first = static_cast<std::size_t>(there.first), count = static_cast<std::size_t>(dimension.extent);
    if (axis.values.size() < first + count) {
      axis = FileAxis();
      axis.counted = true;
      axis.units = "1";
      axis.values.resize(first + count);
      std::iota(axis.values.begin(), axis.values.end(), 0.0);
    }
    axis.name = dimension.name;
    const auto part = [](std::vector<double>& values, std::size_t from, std::size_t length) {
      if (values.empty()) return;
      const auto begin = values.begin() + static_cast<std::ptrdiff_t>(from);
      values = std::vector<double>(begin, begin + static_cast<std::ptrdiff_t>(length));
    };
    part(axis.values, first, count);
    part(axis.bounds, 2 * first, 2 * count);
    result.push_back(std::move(axis));
  }
  return result;
}

ElementCoordinates element_coordinates(const Domain& domain, const NetcdfReader& file) {
  ElementCoordinates result;
  for (const Dimension& dimension : domain.layout.dimensions()) {
    const auto there = domain.file_dimensions.find(dimension.name);
    if (dimension.ragged || there == domain.file_dimensions.end() || !file.has_dimension(there->second.name)) continue;
    const FileAxis axis = file.axis(there->second.name);
    const auto first = static_cast<std::size_t>(there->second.first), count = static_cast<std::size_t>(dimension.extent);
    if (axis.counted || axis.values.size() < first + count) continue;  // too short: its fields are refused, if any has it
    const auto begin = axis.values.begin() + static_cast<std::ptrdiff_t>(first);
    const auto spelt = domain.source_units.find(axis.units);
    ElementCoordinate one{dimension.name, spelt == domain.source_units.end() ? axis.units : spelt->second,
                          {begin, begin + static_cast<std::ptrdiff_t>(count)}, fmt::format("\"{}\"", file.path().string())};
    for (std::size_t i = 0; i < count; ++i)
      if (!std::isfinite(one.values[i]))
        throw Error(Status::non_finite, fmt::format("coordinate \"{}\" of {} has no number at index {}", axis.name,
                                                    one.origin, first + i));
    result.push_back(std::move(one));
  }
  return result;
}

FileCoordinate file_coordinate(const std::string& name, const std::vector<FileAxis>& axes, const NetcdfReader& file) {
  const FileVariable found = file.variable(name);
  FileCoordinate result{name, found.units, found.attributes, {}, {}};
  for (const std::string& dimension : found.dimensions) {
    const auto axis = std::find_if(axes.begin(), axes.end(), [&](const FileAxis& one) { return one.name == dimension; });
    const auto at = static_cast<std::size_t>(axis - axes.begin());
    if (axis == axes.end() || (!result.axes.empty() && at <= result.axes.back()))
      throw Error(Status::shape_mismatch,
                  fmt::format("coordinate \"{}\" of \"{}\": expected some of the sample dimensions in their order, found {}",
                              name, file.path().string(), shape(found.dimensions)));
    result.axes.push_back(at);
  }
  result.values = file.read(name);
  return result;
}

std::vector<double> spread(const ExpressionValue& value, const std::vector<std::string>& dimensions,
                           const std::vector<std::int64_t>& extents) {
  std::vector<std::int64_t> strides(dimensions.size(), 0);
  std::int64_t stride = 1, total = 1;
  for (std::size_t d = value.dimensions.size(); d-- > 0;) {
    const auto at = std::find(dimensions.begin(), dimensions.end(), value.dimensions[d]);
    LAVOISIER_REQUIRE(at != dimensions.end(), "a value lies over dimensions that are asked for");
    strides[static_cast<std::size_t>(at - dimensions.begin())] = stride;
    stride *= value.extents[d];
  }
  for (const std::int64_t extent : extents) total *= extent;
  std::vector<double> result(static_cast<std::size_t>(total));
  std::vector<std::int64_t> index(extents.size(), 0);
  std::int64_t from = 0;
  for (double& to : result) {
    to = value.values[static_cast<std::size_t>(from)];
    for (std::size_t d = extents.size(); d-- > 0;) {
      from += strides[d];
      if (++index[d] < extents[d]) break;
      from -= strides[d] * extents[d];
      index[d] = 0;
    }
  }
  return result;
}

double transformed(const Source& source, double value) {
  const double angle = source.period > 0.0 ? 2.0 * std::numbers::pi * (value / source.period) : 0.0;
  switch (source.transform) {
    case Transform::sine: return std::sin(angle);
    case Transform::cosine: return std::cos(angle);
    case Transform::logarithm:
      if (value > 0.0) return std::log(value);
      throw Error(Status::out_of_range, fmt::format("expected a number above 0 for a logarithm, found {}", value));
    case Transform::square_root:
      if (value >= 0.0) return std::sqrt(value);
      throw Error(Status::out_of_range, fmt::format("expected a number of 0 or more for a square root, found {}", value));
    case Transform::none: break;
  }
  return value;
}

}  // namespace lavoisier::detail
