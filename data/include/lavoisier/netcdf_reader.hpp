#ifndef LAVOISIER_NETCDF_READER_HPP
#define LAVOISIER_NETCDF_READER_HPP

#include <cstdint>
#include <filesystem>
#include <map>
#include <memory>
#include <string>
#include <vector>

namespace lavoisier {

/// One axis of a file as read.
struct FileAxis {
  std::string name;
  std::string units;
  std::map<std::string, std::string> attributes;  ///< text attributes (calendar, axis, standard_name, ...)
  std::vector<double> values;
  std::vector<double> bounds;  ///< 2 a value, empty if the file has none (CF `bounds`, Ferret `edges`)
  bool counted = false;        ///< the file has no coordinate variable: values are indices
};

/// A coordinate over some of the axes that is none of them (latitudes of columns).
struct FileCoordinate {
  std::string name, units;
  std::map<std::string, std::string> attributes;
  std::vector<std::size_t> axes;  ///< numbers of the axes, ascending
  std::vector<double> values;     ///< row-major over them
};

/// What a variable is, without its values.
struct FileVariable {
  std::string name;
  std::string units;      ///< as spelt in the file
  std::string long_name, standard_name;
  std::map<std::string, std::string> attributes;  ///< texts, without the units
  std::vector<std::string> dimensions;
  std::vector<std::int64_t> extents;
};

/// What one dimension of a field is to those who read its cells: it numbers cells, it numbers the elements of a cell
/// (`count` of them from `first`, `stride` apart among the cell's numbers), or one index of it is taken.
struct FieldAxis {
  enum class Kind { cell, element, fixed } kind = Kind::cell;
  std::int64_t first = 0;
  std::int64_t count = 1;
  std::int64_t stride = 0;
};

/// A NetCDF file (classic or NetCDF-4), read piece by piece. Missing values (_FillValue, missing_value, valid_range)
/// become NaN; scale_factor and add_offset are applied; numbers are converted to FP64.
/// Errors: not_found (file, variable: nearest named), invalid_format (not NetCDF), io_error.
class NetcdfReader {
 public:
  explicit NetcdfReader(const std::filesystem::path& path);
  ~NetcdfReader();
  NetcdfReader(NetcdfReader&&) noexcept;
  NetcdfReader& operator=(NetcdfReader&&) noexcept;

  const std::filesystem::path& path() const noexcept;
  std::vector<std::string> variable_names() const;
  bool has_variable(const std::string& name) const;
  FileVariable variable(const std::string& name) const;
  /// Of a dimension; Error(not_found) names the nearest.
  std::int64_t extent(const std::string& dimension) const;
  bool has_dimension(const std::string& dimension) const;
  /// The axis of a dimension: its coordinate variable, or indices 0, 1, ... with units "1" (`counted`) if there is none,
  /// or one of texts.
  FileAxis axis(const std::string& dimension) const;
  std::map<std::string, std::string> global_attributes() const;

  /// `count` elements from flat row-major index `first`; one hyperslab a contiguous run.
  std::vector<double> read(const std::string& name, std::int64_t first, std::int64_t count) const;
  std::vector<double> read(const std::string& name) const;
  /// Cells `first` to `first` + `count` - 1 of a field whose dimensions are what `axes` says, one entry each: count x
  /// elements, as the strides of the element axes say. Cells are numbered row-major over the cell axes, which are taken
  /// whole. Only what is asked for is read. Errors: shape_mismatch, out_of_range.
  std::vector<double> read_cells(const std::string& name, const std::vector<FieldAxis>& axes, std::int64_t first,
                                 std::int64_t count) const;

 private:
  struct Implementation;
  std::unique_ptr<Implementation> implementation_;
};

}  // namespace lavoisier

#endif
