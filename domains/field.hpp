#ifndef LAVOISIER_DOMAINS_FIELD_HPP
#define LAVOISIER_DOMAINS_FIELD_HPP

// One variable of a domain in a NetCDF file: where its numbers lie, and what becomes of them.

#include <lavoisier/domain.hpp>

#include <cstdint>
#include <filesystem>
#include <string>
#include <vector>

namespace lavoisier::detail {

/// What the dimensions of the field `name` are to `variable`. Sample dimensions stand in the domain's order, the variable's
/// own and those of which the source takes one index anywhere among them. Error(shape_mismatch) says what was expected
/// and found; out_of_range names an index or a range that the file does not have.
std::vector<FieldAxis> field_axes(const Domain& domain, const Variable& variable, const Source& source,
                                  const std::string& name, const NetcdfReader& file);

/// How a file's spelling of units becomes `source.units`. `owner`: the file's variable. Error(unit_mismatch).
UnitConversion resolve_units(const Domain& domain, const Source& source, const std::string& owner,
                             const std::string& spelling, const std::filesystem::path& file);

/// Of dimensions of the layout.
std::vector<std::int64_t> extents_of(const Domain& domain, const std::vector<std::string>& dimensions);

/// As SampleReader::element_axes().
std::vector<FileAxis> element_axes(const Domain& domain, const NetcdfReader& file);

/// As SampleReader::element_coordinates().
ElementCoordinates element_coordinates(const Domain& domain, const NetcdfReader& file);

/// A coordinate over some of `axes`. Error(shape_mismatch).
FileCoordinate file_coordinate(const std::string& name, const std::vector<FileAxis>& axes, const NetcdfReader& file);

/// A value over all of these dimensions in this order, repeated over those that it does not have.
std::vector<double> spread(const ExpressionValue& value, const std::vector<std::string>& dimensions,
                           const std::vector<std::int64_t>& extents);

/// Of a value in the units of the transform's argument. Error(out_of_range) where it has none.
double transformed(const Source& source, double value);

}  // namespace lavoisier::detail

#endif
