#include <lavoisier/layout.hpp>
#include <lavoisier/netcdf_reader.hpp>
#include <lavoisier/status.hpp>

#include "netcdf_support.hpp"

#include <netcdf.h>

#include <netcdf>

#include <algorithm>
#include <cmath>
#include <limits>
#include <optional>
#include <system_error>

namespace lavoisier {
namespace {

namespace fs = std::filesystem;

std::string quoted(const fs::path& path) { return "\"" + path.string() + "\""; }

std::string trimmed(std::string text) {
  // Attributes written by Fortran and C programs may end in blanks or zero bytes.
  while (!text.empty() && (text.back() == '\0' || text.back() == ' ' || text.back() == '\n')) text.pop_back();
  return text;
}

std::optional<std::string> text_of(const netCDF::NcAtt& attribute) {
  const auto type = attribute.getType().getId();
  if (type == NC_CHAR) {
    if (attribute.getAttLength() == 0) return std::string();
    std::string text;
    attribute.getValues(text);
    return trimmed(text);
  }
  if (type == NC_STRING && attribute.getAttLength() == 1) {
    char* value = nullptr;
    attribute.getValues(&value);
    std::string text = value != nullptr ? value : "";
    nc_free_string(1, &value);
    return trimmed(text);
  }
  return std::nullopt;
}

std::vector<double> numbers_of(const netCDF::NcAtt& attribute) {
  const auto type = attribute.getType().getId();
  if (type == NC_CHAR || type == NC_STRING || attribute.getAttLength() == 0) return {};
  std::vector<double> values(attribute.getAttLength());
  attribute.getValues(values.data());
  return values;
}

bool is_number(int type) { return type != NC_CHAR && type != NC_STRING && type < NC_FIRSTUSERTYPEID; }

// What a NetCDF library writes where nobody wrote; files without _FillValue may hold it. Bytes have none.
std::optional<double> default_fill(int type) {
  switch (type) {
    case NC_SHORT: return NC_FILL_SHORT;
    case NC_USHORT: return NC_FILL_USHORT;
    case NC_INT: return NC_FILL_INT;
    case NC_UINT: return NC_FILL_UINT;
    case NC_INT64: return static_cast<double>(NC_FILL_INT64);
    case NC_UINT64: return static_cast<double>(NC_FILL_UINT64);
    case NC_FLOAT: return static_cast<double>(NC_FILL_FLOAT);
    case NC_DOUBLE: return NC_FILL_DOUBLE;
    default: return std::nullopt;
  }
}

/// How packed numbers become values.
struct Unpacking {
  std::vector<double> missing;
  double minimum = -std::numeric_limits<double>::infinity();
  double maximum = std::numeric_limits<double>::infinity();
  double scale = 1.0, offset = 0.0;

  void apply(double* values, std::int64_t count) const {
    for (std::int64_t i = 0; i < count; ++i) {
      double& value = values[i];
      const bool absent = std::isnan(value) || value < minimum || value > maximum ||
                          std::find(missing.begin(), missing.end(), value) != missing.end();
      if (absent)
        value = std::numeric_limits<double>::quiet_NaN();
      else if (scale != 1.0 || offset != 0.0)
        value = value * scale + offset;
    }
  }
};

}  // namespace

struct NetcdfReader::Implementation {
  fs::path path;
  netCDF::NcFile file;
  std::vector<std::string> names;
  // What reading a variable needs, asked of the library once: hosts read small pieces many times.
  struct Known {
    netCDF::NcVar variable;
    std::vector<std::int64_t> extents;
    std::int64_t total = 1;
    Unpacking unpacking;
  };
  mutable std::map<std::string, Known> known;

  [[noreturn]] void fail(const netCDF::exceptions::NcException& error, const std::string& what) const {
    throw Error(Status::io_error,
                "cannot read " + what + " of " + quoted(path) + ": " + nc_strerror(error.errorCode()));
  }

  netCDF::NcVar find(const std::string& name) const {
    const auto variable = file.getVar(name);
    if (!variable.isNull()) return variable;
    const std::string near = nearest_name(name, names);
    std::string list;
    for (const auto& n : names) list += (list.empty() ? "" : ", ") + n;
    throw Error(Status::not_found, "no variable \"" + name + "\" in " + quoted(path) +
                                       (near.empty() ? "; it has " + list : "; did you mean \"" + near + "\"?"));
  }

  static std::string text(const netCDF::NcVar& variable, const std::string& name) {
    const auto attributes = variable.getAtts();
    const auto found = attributes.find(name);
    return found == attributes.end() ? std::string() : text_of(found->second).value_or("");
  }

  Unpacking unpacking(const netCDF::NcVar& variable) const {
    Unpacking result;
    const auto attributes = variable.getAtts();
    const int type = variable.getType().getId();
    const auto add = [&](double value) {
      result.missing.push_back(value);
      // A limit given in another precision than the data's (1.e34 beside float data) means the same number.
      if (type == NC_FLOAT && std::abs(value) <= static_cast<double>(std::numeric_limits<float>::max()))
        result.missing.push_back(static_cast<double>(static_cast<float>(value)));
    };
    const auto numbers = [&](const char* name) {
      const auto found = attributes.find(name);
      return found == attributes.end() ? std::vector<double>() : numbers_of(found->second);
    };
    for (const double value : numbers("missing_value")) add(value);
    if (const auto fill = numbers("_FillValue"); !fill.empty())
      add(fill.front());
    else if (const auto standard = default_fill(type))
      add(*standard);
    if (const auto range = numbers("valid_range"); range.size() == 2) {
      result.minimum = range[0];
      result.maximum = range[1];
    }
    if (const auto limit = numbers("valid_min"); limit.size() == 1) result.minimum = limit[0];
    if (const auto limit = numbers("valid_max"); limit.size() == 1) result.maximum = limit[0];
    if (const auto number = numbers("scale_factor"); number.size() == 1) result.scale = number[0];
    if (const auto number = numbers("add_offset"); number.size() == 1) result.offset = number[0];
    return result;
  }

  const Known& know(const netCDF::NcVar& variable) const {
    const std::string name = variable.getName();
    const auto found = known.find(name);
    if (found != known.end()) return found->second;
    const int type = variable.getType().getId();
    if (type == NC_CHAR || type >= NC_STRING)
      throw Error(Status::invalid_format,
                  "expected numbers in variable \"" + name + "\" of " + quoted(path) + ", found text");
    Known entry;
    entry.variable = variable;
    for (const auto& dimension : variable.getDims()) {
      entry.extents.push_back(static_cast<std::int64_t>(dimension.getSize()));
      entry.total *= entry.extents.back();
    }
    entry.unpacking = unpacking(variable);
    return known.emplace(name, std::move(entry)).first->second;
  }

  const Known& know(const std::string& name) const {
    const auto found = known.find(name);
    return found != known.end() ? found->second : know(find(name));
  }

  std::vector<double> read(const Known& entry, const std::string& name, std::int64_t first, std::int64_t count) const {
    if (first < 0 || count < 0 || first > entry.total - count)
      throw Error(Status::out_of_range, "elements " + std::to_string(first) + " to " +
                                            std::to_string(first + count) + " of variable \"" + name + "\" of " +
                                            quoted(path) + ", which has " + std::to_string(entry.total));
    std::vector<double> values(static_cast<std::size_t>(count));
    try {
      for (const auto& slab : detail::hyperslabs(entry.extents, first, count)) {
        double* const to = values.data() + (slab.first - first);
        if (entry.extents.empty())
          entry.variable.getVar(to);
        else
          entry.variable.getVar(slab.start, slab.count, to);
      }
    } catch (const netCDF::exceptions::NcException& error) {
      fail(error, "variable \"" + name + "\"");
    }
    entry.unpacking.apply(values.data(), count);
    return values;
  }

  std::vector<double> read_cells(const Known& entry, const std::string& name, const std::vector<FieldAxis>& axes,
                                 std::int64_t first, std::int64_t count) const {
    const detail::CellLayout layout = detail::cell_layout("variable \"" + name + "\" of " + quoted(path), entry.extents,
                                                          axes, first, count);
    std::vector<double> values(static_cast<std::size_t>(count * layout.elements));
    std::vector<double> block;
    try {
      for (const auto& slab : detail::hyperslabs(layout.cell_extents, first, count)) {
        std::vector<std::size_t> start, size;
        std::size_t cell_axis = 0, numbers = 1;
        for (const FieldAxis& axis : axes) {
          const bool cell = axis.kind == FieldAxis::Kind::cell;
          start.push_back(cell ? slab.start[cell_axis] : static_cast<std::size_t>(axis.first));
          size.push_back(cell ? slab.count[cell_axis] : axis.kind == FieldAxis::Kind::element ? axis.count : 1);
          if (cell) ++cell_axis;
          numbers *= size.back();
        }
        block.resize(numbers);
        if (axes.empty())
          entry.variable.getVar(block.data());
        else
          entry.variable.getVar(start, size, block.data());
        detail::scatter(block, size, layout.strides, values.data() + (slab.first - first) * layout.elements);
      }
    } catch (const netCDF::exceptions::NcException& error) {
      fail(error, "variable \"" + name + "\"");
    }
    entry.unpacking.apply(values.data(), static_cast<std::int64_t>(values.size()));
    return values;
  }

  std::vector<double> read_all(const netCDF::NcVar& variable) const {
    const Known& entry = know(variable);
    return read(entry, variable.getName(), 0, entry.total);
  }
};

NetcdfReader::NetcdfReader(const fs::path& path) : implementation_(std::make_unique<Implementation>()) {
  implementation_->path = path;
  // NetCDF would take some names for addresses and options, and says "no such file" of much else.
  std::error_code error;
  const auto status = fs::status(path, error);
  if (status.type() == fs::file_type::not_found)
    throw Error(Status::not_found, "no file " + quoted(path));
  if (error) throw Error(Status::io_error, "cannot read " + quoted(path) + ": " + error.message());
  if (status.type() != fs::file_type::regular)
    throw Error(Status::io_error, "expected a NetCDF file, found " +
                                      std::string(fs::is_directory(status) ? "the folder " : "no regular file at ") +
                                      quoted(path));
  try {
    implementation_->file.open(fs::absolute(path).string(), netCDF::NcFile::read);
    for (const auto& [name, variable] : implementation_->file.getVars()) implementation_->names.push_back(name);
  } catch (const netCDF::exceptions::NcException& exception) {
    const int code = exception.errorCode();
    if (code > 0)
      throw Error(Status::io_error,
                  "cannot read " + quoted(path) + ": " + std::generic_category().message(code));
    throw Error(Status::invalid_format, "expected a NetCDF file, found something else or a file cut short at " +
                                            quoted(path) + " (" + nc_strerror(code) + ")");
  }
  const std::uint64_t expected = detail::classic_file_size(path), found = fs::file_size(path);
  if (found < expected)
    throw Error(Status::invalid_format, quoted(path) + " was cut short: its header promises " +
                                            std::to_string(expected) + " bytes, found " + std::to_string(found));
}

NetcdfReader::~NetcdfReader() = default;
NetcdfReader::NetcdfReader(NetcdfReader&&) noexcept = default;
NetcdfReader& NetcdfReader::operator=(NetcdfReader&&) noexcept = default;

const fs::path& NetcdfReader::path() const noexcept { return implementation_->path; }

std::vector<std::string> NetcdfReader::variable_names() const { return implementation_->names; }

bool NetcdfReader::has_variable(const std::string& name) const {
  return std::find(implementation_->names.begin(), implementation_->names.end(), name) != implementation_->names.end();
}

FileVariable NetcdfReader::variable(const std::string& name) const {
  const auto variable = implementation_->find(name);
  try {
    FileVariable result;
    result.name = name;
    for (const auto& [key, attribute] : variable.getAtts())
      if (const auto text = text_of(attribute); text && key != "units") result.attributes[key] = *text;
    result.units = Implementation::text(variable, "units");
    result.long_name = Implementation::text(variable, "long_name");
    result.standard_name = Implementation::text(variable, "standard_name");
    for (const auto& dimension : variable.getDims()) {
      result.dimensions.push_back(dimension.getName());
      result.extents.push_back(static_cast<std::int64_t>(dimension.getSize()));
    }
    return result;
  } catch (const netCDF::exceptions::NcException& error) {
    implementation_->fail(error, "variable \"" + name + "\"");
  }
}

bool NetcdfReader::has_dimension(const std::string& dimension) const {
  return !implementation_->file.getDim(dimension).isNull();
}

std::int64_t NetcdfReader::extent(const std::string& dimension) const {
  const auto& file = implementation_->file;
  const auto found = file.getDim(dimension);
  if (!found.isNull()) return static_cast<std::int64_t>(found.getSize());
  std::vector<std::string> names;
  for (const auto& [name, other] : file.getDims()) names.push_back(name);
  const std::string near = nearest_name(dimension, names);
  throw Error(Status::not_found, "no dimension \"" + dimension + "\" in " + quoted(path()) +
                                     (near.empty() ? "" : "; did you mean \"" + near + "\"?"));
}

FileAxis NetcdfReader::axis(const std::string& dimension) const {
  const auto length = static_cast<std::size_t>(extent(dimension));
  const auto& file = implementation_->file;
  FileAxis axis;
  axis.name = dimension;
  const auto variable = file.getVar(dimension);
  if (variable.isNull() || variable.getDimCount() != 1 || variable.getDim(0).getName() != dimension ||
      !is_number(variable.getType().getId())) {
    axis.counted = true;
    axis.units = "1";
    axis.attributes["long_name"] = "index along " + dimension + ", from 0";
    for (std::size_t i = 0; i < length; ++i) axis.values.push_back(static_cast<double>(i));
    return axis;
  }
  try {
    for (const auto& [name, attribute] : variable.getAtts()) {
      const auto text = text_of(attribute);
      if (text && !text->empty()) axis.attributes[name] = *text;
    }
    axis.values = implementation_->read_all(variable);
    if (const auto units = axis.attributes.find("units"); units != axis.attributes.end()) {
      axis.units = units->second;
      axis.attributes.erase(units);
    }
    // CF: a variable (n, 2). Ferret: a variable of n + 1 edges.
    if (const auto name = axis.attributes.find("bounds"); name != axis.attributes.end()) {
      const auto bounds = file.getVar(name->second);
      if (!bounds.isNull() && bounds.getDimCount() == 2 && bounds.getDim(0).getName() == dimension &&
          bounds.getDim(1).getSize() == 2)
        axis.bounds = implementation_->read_all(bounds);
    } else if (const auto edges_name = axis.attributes.find("edges"); edges_name != axis.attributes.end()) {
      const auto variable_of_edges = file.getVar(edges_name->second);
      if (!variable_of_edges.isNull() && variable_of_edges.getDimCount() == 1 &&
          variable_of_edges.getDim(0).getSize() == length + 1) {
        const auto edges = implementation_->read_all(variable_of_edges);
        for (std::size_t i = 0; i < length; ++i) {
          axis.bounds.push_back(edges[i]);
          axis.bounds.push_back(edges[i + 1]);
        }
      }
    }
  } catch (const netCDF::exceptions::NcException& error) {
    implementation_->fail(error, "axis \"" + dimension + "\"");
  }
  return axis;
}

std::map<std::string, std::string> NetcdfReader::global_attributes() const {
  std::map<std::string, std::string> result;
  try {
    for (const auto& [name, attribute] : implementation_->file.getAtts())
      if (const auto text = text_of(attribute)) result[name] = *text;
  } catch (const netCDF::exceptions::NcException& error) {
    implementation_->fail(error, "the attributes");
  }
  return result;
}

std::vector<double> NetcdfReader::read(const std::string& name, std::int64_t first, std::int64_t count) const {
  return implementation_->read(implementation_->know(name), name, first, count);
}

std::vector<double> NetcdfReader::read_cells(const std::string& name, const std::vector<FieldAxis>& axes,
                                             std::int64_t first, std::int64_t count) const {
  return implementation_->read_cells(implementation_->know(name), name, axes, first, count);
}

std::vector<double> NetcdfReader::read(const std::string& name) const {
  const auto& entry = implementation_->know(name);
  return implementation_->read(entry, name, 0, entry.total);
}

}  // namespace lavoisier
