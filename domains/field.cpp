#include "field.hpp"

#include <lavoisier/status.hpp>

#include <fmt/format.h>

#include <algorithm>
#include <cmath>
#include <numbers>

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
