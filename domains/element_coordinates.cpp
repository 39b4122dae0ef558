#include <lavoisier/element_coordinates.hpp>

#include <lavoisier/status.hpp>
#include <lavoisier/tolerances.hpp>
#include <lavoisier/units.hpp>

#include <fmt/format.h>

#include <algorithm>
#include <cmath>
#include <optional>

namespace lavoisier {
namespace {

const std::string prefix = "coordinates.";

/// From the units of `found` to those of `expected`.
UnitConversion conversion(const ElementCoordinate& expected, const ElementCoordinate& found) {
  if (expected.units == found.units || expected.units.empty() || found.units.empty()) return {};
  const auto to = Unit::parse(expected.units), from = Unit::parse(found.units);
  if (to && from && from->convertible_to(*to)) return from->conversion_to(*to);
  throw Error(Status::unit_mismatch,
              fmt::format("the coordinate of dimension \"{}\" is in \"{}\" in {}, in \"{}\" in {}", found.dimension,
                          found.units, found.origin, expected.units, expected.origin));
}

bool same(double expected, double found) {
  return std::abs(found - expected) <= tolerances::identity::host_constant * std::abs(expected);
}

std::string number(double value, const std::string& units) {
  return fmt::format("{}{}{}", value, units.empty() || units == "1" ? "" : " ", units == "1" ? "" : units);
}

void require_same(const ElementCoordinate& expected, const ElementCoordinate& found) {
  if (expected.values.size() != found.values.size())
    throw Error(Status::shape_mismatch,
                fmt::format("the coordinate of dimension \"{}\" has {} values in {}, {} in {}", found.dimension,
                            found.values.size(), found.origin, expected.values.size(), expected.origin));
  const UnitConversion convert = conversion(expected, found);
  const auto differs = std::mismatch(expected.values.begin(), expected.values.end(), found.values.begin(),
                                     [&](double a, double b) { return same(a, convert(b)); });
  if (differs.first == expected.values.end()) return;
  const bool reversed = std::equal(expected.values.begin(), expected.values.end(), found.values.rbegin(),
                                   [&](double a, double b) { return same(a, convert(b)); });
  throw Error(
      Status::out_of_range,
      fmt::format("the coordinate of dimension \"{}\", value {}, is {} in {}, {} in {}; expected the same to {} of "
                  "it{}",
                  found.dimension, differs.first - expected.values.begin(), number(*differs.second, found.units),
                  found.origin, number(*differs.first, expected.units), expected.origin,
                  tolerances::identity::host_constant, reversed ? ": the order is the opposite one" : ""));
}

}  // namespace

void require_same(const ElementCoordinates& expected, const ElementCoordinates& found) {
  for (const ElementCoordinate& one : found)
    for (const ElementCoordinate& known : expected)
      if (known.dimension == one.dimension) require_same(known, one);
}

void add_coordinates(ModelFile& model, const ElementCoordinates& coordinates) {
  for (const ElementCoordinate& one : coordinates) {
    const std::string name = prefix + one.dimension;
    model.add(Tensor::from(name, {static_cast<std::int64_t>(one.values.size())}, std::span<const double>(one.values)));
    if (!one.units.empty()) model.description.provenance[name] = one.units;
  }
}

ElementCoordinates coordinates_of(const ModelFile& model, const std::string& origin) {
  ElementCoordinates result;
  const auto& provenance = model.description.provenance;
  for (const Dimension& dimension : model.description.layout.dimensions()) {
    const std::string name = prefix + dimension.name;
    if (!model.has_tensor(name)) continue;
    const auto values = model.tensor(name).f64();
    const auto units = provenance.find(name);
    result.push_back({dimension.name,
                      units == provenance.end() ? std::string() : units->second,
                      {values.begin(), values.end()},
                      origin});
  }
  return result;
}

}  // namespace lavoisier
