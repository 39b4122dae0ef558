#include "over_columns.hpp"

#include "field.hpp"
#include "read_source.hpp"

#include <lavoisier/cell_area.hpp>
#include <lavoisier/status.hpp>

#include <algorithm>
#include <cmath>
#include <numbers>

namespace lavoisier::detail {
namespace {

Variable diagnostic(const Section& section, const std::string& name) {
  Variable variable;
  variable.name = name;
  variable.role = Role::diagnostic;
  variable.standard_name = section.string_or_empty("standard_name");
  variable.long_name = section.string_or_empty("long_name");
  return variable;
}

/// The file's name of what a section declares, from its key `source` or the same name.
Source source_of(const Section& section, const Variable& declared, const Domain& domain) {
  const Unit own = read_unit(section.text(), declared.units, section.where("units"));
  Source source = read_source(section, declared, own, domain);
  if (source.axis || !source.magnitude.empty() || source.transform != Transform::none || !source.at.empty())
    section.fail(Status::invalid_format, fmt::format("the source of {}: expected a {} of the file alone", declared.name,
                                                     domain.table ? "column" : "variable"),
                 "source");
  return source;
}

std::string sample_dimension(const Section& section, const std::string& key, const Domain& domain) {
  std::string name = section.string(key, "");
  const auto& all = domain.sample_dimensions;
  if (std::find(all.begin(), all.end(), name) != all.end()) return name;
  const std::string near = nearest_name(name, all);
  section.fail(Status::not_found,
               fmt::format("\"{}\" is no sample dimension; {}", name,
                           near.empty() ? "these are " + listed(all) : "did you mean \"" + near + "\"?"),
               key);
}

}  // namespace

Weight read_weight(const Section& section, const std::string& name, const Domain& domain, Variable& declared) {
  Weight weight;
  weight.name = name;
  declared = diagnostic(section, name);
  if (!section.has("latitude")) {
    if (section.has("longitude"))
      section.fail(Status::invalid_format, "\"longitude\" goes with \"latitude\": the area of a cell", "longitude");
    declared.units = section.string("units", "of the file's variable; the area of a cell has \"latitude\" instead");
    weight.source = source_of(section, declared, domain);
    return weight;
  }
  for (const char* other : {"source", "units"})
    if (section.has(other))
      section.fail(Status::invalid_format,
                   fmt::format("the area of a cell of the unit sphere has no \"{}\" (its units are \"1\")", other), other);
  if (domain.table) section.fail(Status::invalid_format, "a table has no axes: name a column by \"source\"", "latitude");
  declared.units = "1";
  if (declared.long_name.empty()) declared.long_name = "area of the cell on the unit sphere";
  weight.latitude = sample_dimension(section, "latitude", domain);
  if (section.has("longitude")) weight.longitude = sample_dimension(section, "longitude", domain);
  if (weight.latitude == weight.longitude)
    section.fail(Status::invalid_format, "latitude and longitude are the same dimension", "longitude");
  return weight;
}

StepValue read_step_value(const Section& section, const std::string& name, const Domain& domain, Variable& declared) {
  StepValue value;
  value.name = name;
  declared = diagnostic(section, name);
  declared.units = section.string("units", "of the value");
  read_unit(section.text(), declared.units, section.where("units"));
  if (!section.has("source")) return value;
  if (section.has("reference"))
    section.fail(Status::invalid_format, "a number of a step has either a \"source\" or a \"reference\"", "reference");
  if (domain.table)
    section.fail(Status::invalid_format, "a table has one step, and no place for its number: give it on the command line",
                 "source");
  value.source = source_of(section, declared, domain);
  return value;
}

std::vector<double> read_over(const Domain& domain, const std::string& what, const Source& source,
                              const std::vector<std::string>& wanted, bool all, const NetcdfReader& file,
                              std::vector<std::int64_t>& strides) {
  const FileVariable found = file.variable(source.variable);
  std::size_t next = 0, matched = 0;
  for (const std::string& name : found.dimensions) {
    const auto at = std::find(wanted.begin() + static_cast<std::ptrdiff_t>(next), wanted.end(), name);
    if (at == wanted.end()) break;
    next = static_cast<std::size_t>(at - wanted.begin()) + 1;
    ++matched;
  }
  if (matched != found.dimensions.size() || (all && matched != wanted.size()))
    throw Error(Status::shape_mismatch,
                fmt::format("variable \"{}\" of \"{}\" ({}): expected {} ({}) in this order, found ({})", source.variable,
                            file.path().string(), what, all ? "the dimensions" : "some of the dimensions", listed(wanted),
                            listed(found.dimensions)));
  const UnitConversion conversion = resolve_units(domain, source, source.variable, found.units, file.path());
  std::vector<double> values = file.read(source.variable);
  for (double& value : values) value = conversion(value);
  strides.assign(domain.sample_dimensions.size(), 0);
  std::int64_t stride = 1;
  for (std::size_t d = found.dimensions.size(); d-- > 0;) {
    const auto& names = domain.sample_dimensions;
    strides[static_cast<std::size_t>(std::find(names.begin(), names.end(), found.dimensions[d]) - names.begin())] = stride;
    stride *= found.extents[d];
  }
  return values;
}

WeightField::WeightField(const Domain& domain, const Weight& weight, const std::vector<FileAxis>& axes,
                         const NetcdfReader* file, const CsvReader* table)
    : strides_(axes.size(), 0) {
  fill(domain, weight, axes, file, table);
  // A fill value that no attribute tells (-999) would be weighed with.
  const auto below = std::find_if(values_.begin(), values_.end(), [](double value) { return value < 0.0; });
  if (below != values_.end())
    throw Error(Status::out_of_range, fmt::format("weight \"{}\": expected numbers from 0, found {:.10g} (number {} of {}, from 0)", weight.name,
                                                  *below, below - values_.begin(), values_.size()));
}

void WeightField::fill(const Domain& domain, const Weight& weight, const std::vector<FileAxis>& axes, const NetcdfReader* file,
                       const CsvReader* table) {
  if (table != nullptr) {
    values_ = table->read({table->column(weight.source.variable)}, 0, table->rows());
    if (!weight.source.file_units.empty()) {
      const UnitConversion conversion = Unit(weight.source.file_units).conversion_to(Unit(weight.source.units));
      for (double& value : values_) value = conversion(value);
    }
    strides_[0] = 1;
    return;
  }
  if (weight.latitude.empty()) {
    values_ = read_over(domain, "weight " + weight.name, weight.source, domain.sample_dimensions, false, *file, strides_);
    return;
  }
  const auto axis_of = [&](const std::string& name) {
    return std::find(domain.sample_dimensions.begin(), domain.sample_dimensions.end(), name) - domain.sample_dimensions.begin();
  };
  const auto conversion = [&](const FileAxis& axis) {
    Source degrees;
    degrees.units = "degree";
    return resolve_units(domain, degrees, axis.name, axis.units, file->path());
  };
  const auto latitude = static_cast<std::size_t>(axis_of(weight.latitude));
  const std::vector<double> bands = latitude_bands(axes[latitude], conversion(axes[latitude]));
  std::vector<double> widths = {2.0 * std::numbers::pi};
  strides_[latitude] = 1;
  if (!weight.longitude.empty()) {
    const auto longitude = static_cast<std::size_t>(axis_of(weight.longitude));
    widths = longitude_widths(axes[longitude], conversion(axes[longitude]));
    strides_[longitude] = 1;
    strides_[latitude] = static_cast<std::int64_t>(widths.size());
  }
  for (const double band : bands)
    for (const double width : widths) values_.push_back(band * width);
}

double WeightField::at(const std::vector<std::int64_t>& index) const {
  std::int64_t place = 0;
  for (std::size_t d = 0; d < index.size(); ++d) place += index[d] * strides_[d];
  return values_[static_cast<std::size_t>(place)];
}

}  // namespace lavoisier::detail
