#include <lavoisier/cell_area.hpp>
#include <lavoisier/status.hpp>

#include <fmt/format.h>

#include <algorithm>
#include <cmath>
#include <numbers>

namespace lavoisier {
namespace {

/// West and east, or south and north, of every cell, in degrees, in the file's order.
struct Edges {
  std::vector<double> low, high;
};

std::vector<double> in_degrees(const std::vector<double>& values, const FileAxis& axis, const UnitConversion& to_degrees) {
  std::vector<double> result;
  for (const double value : values) {
    result.push_back(to_degrees(value));
    if (!std::isfinite(result.back()))
      throw Error(Status::non_finite, fmt::format("axis \"{}\": expected degrees, found a value or a bound that is no number "
                                                  "(index {})",
                                                  axis.name, (result.size() - 1) * axis.values.size() / values.size()));
  }
  return result;
}

/// Midway between centres.
Edges between(const std::vector<double>& centres) {
  const std::size_t n = centres.size();
  Edges edges;
  for (std::size_t j = 0; j < n; ++j) {
    const double before = j > 0 ? centres[j - 1] : 2.0 * centres[0] - centres[1];
    const double after = j + 1 < n ? centres[j + 1] : 2.0 * centres[n - 1] - centres[n - 2];
    edges.low.push_back(0.5 * (before + centres[j]));
    edges.high.push_back(0.5 * (centres[j] + after));
  }
  return edges;
}

Edges from_bounds(const std::vector<double>& bounds) {
  Edges edges;
  for (std::size_t j = 0; j < bounds.size(); j += 2) {
    edges.low.push_back(bounds[j]);
    edges.high.push_back(bounds[j + 1]);
  }
  return edges;
}

bool has_bounds(const FileAxis& axis) { return !axis.values.empty() && axis.bounds.size() == 2 * axis.values.size(); }

[[noreturn]] void no_area(const FileAxis& axis, std::size_t j, double low, double high) {
  throw Error(Status::out_of_range, fmt::format("axis \"{}\": expected cells with an area, found one from {} to {} degrees "
                                                "(index {}, value {})",
                                                axis.name, low, high, j, axis.values[j]));
}

}  // namespace

std::vector<double> latitude_bands(const FileAxis& axis, const UnitConversion& to_degrees) {
  const std::vector<double> centres = in_degrees(axis.values, axis, to_degrees);
  for (std::size_t j = 0; j < centres.size(); ++j)
    if (std::abs(centres[j]) > 90.0 + 1e-6)
      throw Error(Status::out_of_range, fmt::format("axis \"{}\": expected latitudes from -90 to 90 degrees, found {} "
                                                    "(index {})",
                                                    axis.name, centres[j], j));
  if (centres.size() == 1 && !has_bounds(axis)) return {2.0};
  const Edges edges = has_bounds(axis) ? from_bounds(in_degrees(axis.bounds, axis, to_degrees)) : between(centres);
  const auto sine = [](double degrees) { return std::sin(std::clamp(degrees, -90.0, 90.0) * std::numbers::pi / 180.0); };
  std::vector<double> result;
  for (std::size_t j = 0; j < centres.size(); ++j) {
    result.push_back(std::abs(sine(edges.high[j]) - sine(edges.low[j])));
    if (!(result.back() > 0.0)) no_area(axis, j, edges.low[j], edges.high[j]);
  }
  return result;
}

std::vector<double> longitude_widths(const FileAxis& axis, const UnitConversion& to_degrees) {
  std::vector<double> centres = in_degrees(axis.values, axis, to_degrees);
  const std::size_t n = centres.size();
  if (n == 1 && !has_bounds(axis)) return {2.0 * std::numbers::pi};
  // Each within half a turn of the one before.
  for (std::size_t j = 1; j < n; ++j) centres[j] -= 360.0 * std::round((centres[j] - centres[j - 1]) / 360.0);
  const Edges edges = has_bounds(axis) ? from_bounds(in_degrees(axis.bounds, axis, to_degrees)) : between(centres);
  std::vector<double> result;
  double all = 0.0, least = 360.0;
  for (std::size_t j = 0; j < n; ++j) {
    double width = std::abs(edges.high[j] - edges.low[j]);
    if (n > 1 && width > 180.0) width = std::abs(width - 360.0);  // from 355 to 5
    if (!(width > 0.0)) no_area(axis, j, edges.low[j], edges.high[j]);
    all += width;
    least = std::min(least, width);
    result.push_back(width * std::numbers::pi / 180.0);
  }
  if (all > 360.0 + 0.5 * least)
    throw Error(Status::out_of_range, fmt::format("axis \"{}\": expected cells that go once round at most, found {} degrees "
                                                  "in all",
                                                  axis.name, all));
  return result;
}

}  // namespace lavoisier
