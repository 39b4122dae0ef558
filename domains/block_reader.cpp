#include "block_reader.hpp"

#include <lavoisier/status.hpp>

#include <fmt/format.h>

#include <algorithm>
#include <cmath>
#include <limits>
#include <numbers>
#include <numeric>

namespace lavoisier::detail {
namespace {

constexpr double nan = std::numeric_limits<double>::quiet_NaN();

bool measured_in(const FileAxis& axis, const std::string& direction) {
  std::string units = axis.units;
  std::transform(units.begin(), units.end(), units.begin(), [](unsigned char c) { return std::tolower(c); });
  const std::string letter = direction.substr(0, 1);
  for (const char* const degree : {"degrees", "degree"})
    for (const std::string& end : {"_" + direction, "_" + letter, letter})
      if (units == degree + end) return true;
  // "degrees" alone says neither which direction nor that it is one on the sphere.
  const auto standard = axis.attributes.find("standard_name");
  const bool named = standard != axis.attributes.end() && standard->second == (direction == "north" ? "latitude" : "longitude");
  const bool degrees = units == "degree" || units == "degrees";
  if (named && degrees) return true;
  if (named || (degrees && standard == axis.attributes.end()))
    throw Error(Status::unit_mismatch,
                fmt::format("axis \"{}\": expected degrees_north or degrees_east of a latitude or longitude, for the areas of its cells, found "
                            "units \"{}\"",
                            axis.name, axis.units));
  return false;
}

/// Two a value: the file's, or midway between centres.
std::vector<double> bounds_of(const FileAxis& axis, bool latitude) {
  std::vector<double> bounds = axis.bounds;
  const std::size_t n = axis.values.size();
  if (bounds.empty()) {
    bounds.resize(2 * n);
    for (std::size_t i = 0; i < n; ++i) {
      const double at = axis.values[i];
      const double before = i > 0 ? axis.values[i - 1] : n > 1 ? 2.0 * at - axis.values[1] : at - 1.0;
      const double after = i + 1 < n ? axis.values[i + 1] : n > 1 ? 2.0 * at - axis.values[n - 2] : at + 1.0;
      bounds[2 * i] = 0.5 * (before + at);
      bounds[2 * i + 1] = 0.5 * (at + after);
    }
  }
  if (latitude)
    for (double& bound : bounds) bound = std::clamp(bound, -90.0, 90.0);
  return bounds;
}

std::vector<double> widths_of(const FileAxis& axis, const std::vector<double>& bounds, bool latitude) {
  const auto at = [&](double value) { return latitude ? std::sin(value * std::numbers::pi / 180.0) : value; };
  std::vector<double> widths;
  for (std::size_t i = 0; i < axis.values.size(); ++i) {
    widths.push_back(std::abs(at(bounds[2 * i + 1]) - at(bounds[2 * i])));
    if (!(widths.back() > 0.0))
      throw Error(Status::shape_mismatch, fmt::format("axis \"{}\": expected cells with a width, found none at index {} ({})",
                                                      axis.name, i, axis.values[i]));
  }
  // Of an even axis: equal, not only to the rounding of its values, so that rows of cells have one weight.
  if (latitude) return widths;
  const double mean = std::accumulate(widths.begin(), widths.end(), 0.0) / static_cast<double>(widths.size());
  const bool even = std::all_of(widths.begin(), widths.end(), [&](double width) { return std::abs(width - mean) <= 1e-9 * mean; });
  if (even) std::fill(widths.begin(), widths.end(), mean);
  return widths;
}

FileAxis axis_of_blocks(const FileAxis& axis, const std::vector<double>& bounds, std::int64_t factor) {
  FileAxis made = axis;
  made.values.clear();
  made.bounds.clear();
  const auto step = static_cast<std::size_t>(factor);
  for (std::size_t first = 0; first + step <= axis.values.size(); first += step) {
    const double low = bounds[2 * first], high = bounds[2 * (first + step) - 1];
    made.values.push_back(0.5 * (low + high));
    made.bounds.push_back(low);
    made.bounds.push_back(high);
  }
  return made;
}

/// Of the fields in memory: also the one index that is taken of further dimensions.
std::string key_of(const BlockField& field) {
  std::string key = field.variable;
  for (const FieldAxis& axis : field.axes)
    if (axis.kind == FieldAxis::Kind::fixed) key += fmt::format(" {}", axis.first);
  return key;
}

}  // namespace

BlockReader::BlockReader(const Domain& domain, const NetcdfReader& file) : file_(file) {
  const Blocks& blocks = *domain.blocks;
  halo_y_ = blocks.halo_y;
  halo_x_ = blocks.halo_x;
  for (const std::string& name : domain.sample_dimensions) grid_axes_.push_back(file.axis(name));
  const std::size_t rank = grid_axes_.size();
  axes_ = grid_axes_;
  for (std::size_t d = 0; d + 2 < rank; ++d) shape_.slow *= static_cast<std::int64_t>(grid_axes_[d].values.size());
  const FileAxis &y = grid_axes_[rank - 2], &x = grid_axes_[rank - 1];
  shape_.fine_y = static_cast<std::int64_t>(y.values.size());
  shape_.fine_x = static_cast<std::int64_t>(x.values.size());
  shape_.factor_y = blocks.factor_y;
  shape_.factor_x = blocks.factor_x;
  if (shape_.blocks_y() < 1 || shape_.blocks_x() < 1)
    throw Error(Status::shape_mismatch,
                fmt::format("\"{}\": expected a grid of at least {} x {} cells, one block, found {} = {}, {} = {}",
                            file.path().string(), shape_.factor_y, shape_.factor_x, y.name, shape_.fine_y, x.name,
                            shape_.fine_x));
  const bool latitude = measured_in(y, "north");
  const std::vector<double> bounds_y = bounds_of(y, latitude), bounds_x = bounds_of(x, false);
  width_y_ = widths_of(y, bounds_y, latitude);
  width_x_ = widths_of(x, bounds_x, false);
  axes_[rank - 2] = axis_of_blocks(y, bounds_y, shape_.factor_y);
  axes_[rank - 1] = axis_of_blocks(x, bounds_x, shape_.factor_x);
  const double missing = 360.0 - std::abs(bounds_x.back() - bounds_x.front());
  goes_around_ = measured_in(x, "east") && shape_.fine_x % shape_.factor_x == 0 && std::abs(missing) < 0.5 * width_x_.back();
}

double BlockReader::area(std::int64_t block, std::int64_t cell) const {
  const std::int64_t by = block / shape_.blocks_x() % shape_.blocks_y(), bx = block % shape_.blocks_x();
  return width_y_[static_cast<std::size_t>(by * shape_.factor_y + cell / shape_.factor_x)] *
         width_x_[static_cast<std::size_t>(bx * shape_.factor_x + cell % shape_.factor_x)];
}

std::int64_t BlockReader::neighbour(std::int64_t block, std::int64_t dy, std::int64_t dx) const {
  const std::int64_t ny = shape_.blocks_y(), nx = shape_.blocks_x();
  const std::int64_t y = block / nx % ny + dy;
  std::int64_t x = block % nx + dx;
  if (goes_around_) x = ((x % nx) + nx) % nx;
  if (y < 0 || y >= ny || x < 0 || x >= nx) return -1;
  return (block / (nx * ny) * ny + y) * nx + x;
}

const BlockReader::Means& BlockReader::means(const BlockField& field) const {
  const auto [found, fresh] = means_.try_emplace(key_of(field));
  Means& all = found->second;
  if (!fresh) return all;
  const std::int64_t blocks = shape_.blocks(), cells = shape_.cells(), row = shape_.blocks_x();
  all.mean.reserve(static_cast<std::size_t>(blocks));
  all.valid.reserve(static_cast<std::size_t>(blocks));
  for (std::int64_t first = 0; first < blocks; first += row) {
    const std::vector<double> values = read_blocks(file_, field.variable, field.axes, shape_, first, row);
    for (std::int64_t b = 0; b < row; ++b) {
      double sum = 0.0, there = 0.0, whole = 0.0;
      for (std::int64_t c = 0; c < cells; ++c) {
        const double value = values[static_cast<std::size_t>(b * cells + c)], size = area(first + b, c);
        whole += size;
        if (!std::isfinite(value)) continue;
        there += size;
        sum += size * value;
      }
      all.mean.push_back(there > 0.0 ? sum / there : nan);
      all.valid.push_back(there / whole);
    }
  }
  return all;
}

const std::vector<double>& BlockReader::Piece::fine(const BlockField& field) {
  const auto [found, fresh] = fine_.try_emplace(key_of(field));
  if (fresh) found->second = read_blocks(reader_.file_, field.variable, field.axes, reader_.shape_, first_, count_);
  return found->second;
}

std::vector<double> BlockReader::Piece::values(const BlockField& field) {
  std::vector<double> result = fine(field);
  const std::vector<double>& mean = reader_.means(field).mean;
  const std::int64_t cells = reader_.shape_.cells();
  for (std::size_t i = 0; i < result.size(); ++i) {
    double& value = result[i];
    if (!std::isfinite(value)) value = mean[static_cast<std::size_t>(first_) + i / static_cast<std::size_t>(cells)];
    value = field.conversion(value);
  }
  return result;
}

std::vector<std::uint8_t> BlockReader::Piece::masked(const BlockField& field) {
  const std::vector<double>& values = fine(field);
  std::vector<std::uint8_t> result(values.size());
  std::transform(values.begin(), values.end(), result.begin(), [](double value) { return std::isfinite(value) ? 0 : 1; });
  return result;
}

std::vector<double> BlockReader::Piece::weights(const BlockField& field, std::int64_t elements, const std::string& name) {
  const BlockShape& shape = reader_.shape_;
  const std::vector<double>& values = fine(field);
  const std::int64_t cells = shape.cells();
  const bool by_row = elements != cells;
  std::vector<double> result(static_cast<std::size_t>(count_ * elements), nan);
  for (std::int64_t b = 0; b < count_; ++b) {
    double there = 0.0;
    std::int64_t valid = 0;
    for (std::int64_t c = 0; c < cells; ++c) {
      if (!std::isfinite(values[static_cast<std::size_t>(b * cells + c)])) continue;
      there += reader_.area(first_ + b, c);
      ++valid;
    }
    if (valid == 0) continue;
    if (by_row && valid < cells)
      throw Error(Status::non_finite,
                  fmt::format("input \"{}\": weights of the rows of a block need values of \"{}\" in all its cells, found {} of "
                              "{} in block {}; declare it over both dimensions of a block",
                              name, field.variable, valid, cells, first_ + b));
    for (std::int64_t c = 0; c < cells; ++c) {
      const double share =
          std::isfinite(values[static_cast<std::size_t>(b * cells + c)]) ? reader_.area(first_ + b, c) / there : 0.0;
      if (!by_row) {
        result[static_cast<std::size_t>(b * cells + c)] = share;
      } else if (c % shape.factor_x == 0) {
        result[static_cast<std::size_t>(b * elements + c / shape.factor_x)] = share;
      }
    }
  }
  return result;
}

std::vector<double> BlockReader::Piece::quantity(const BlockField& field, const Source& source, std::int64_t elements,
                                                 const std::string& name) {
  if (source.block == BlockQuantity::weight) return weights(field, elements, name);
  const Means& means = reader_.means(field);
  std::vector<double> result(static_cast<std::size_t>(count_ * elements), nan);
  const bool around = elements > 1 || source.block == BlockQuantity::spread;
  const std::int64_t hy = around ? reader_.halo_y_ : 0, hx = around ? reader_.halo_x_ : 0;
  for (std::int64_t b = 0; b < count_; ++b) {
    const auto own = static_cast<std::size_t>(first_ + b);
    if (!std::isfinite(means.mean[own])) continue;
    const double here = field.conversion(means.mean[own]);
    double* to = result.data() + b * elements;
    double squares = 0.0;
    int neighbours = 0;
    for (std::int64_t dy = -hy; dy <= hy; ++dy) {
      for (std::int64_t dx = -hx; dx <= hx; ++dx) {
        const std::int64_t other = reader_.neighbour(first_ + b, dy, dx);
        const bool there = other >= 0 && means.valid[static_cast<std::size_t>(other)] > 0.0;
        const double mean = there ? field.conversion(means.mean[static_cast<std::size_t>(other)]) : here;
        if (source.block == BlockQuantity::mean) *to++ = mean;
        if (source.block == BlockQuantity::contrast) *to++ = mean - here;
        if (source.block == BlockQuantity::valid) *to++ = there ? means.valid[static_cast<std::size_t>(other)] : 0.0;
        if (!there || (dy == 0 && dx == 0)) continue;
        squares += (mean - here) * (mean - here);
        ++neighbours;
      }
    }
    if (source.block == BlockQuantity::spread)
      *to = std::max(source.least, neighbours > 0 ? std::sqrt(squares / neighbours) : 0.0);
  }
  return result;
}

}  // namespace lavoisier::detail
