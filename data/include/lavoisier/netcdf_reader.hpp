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
};

/// What a variable is, without its values.
struct FileVariable {
  std::string name;
  std::string units;      ///< as spelt in the file
  std::string long_name, standard_name;
  std::vector<std::string> dimensions;
  std::vector<std::int64_t> extents;
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
  /// The axis of a dimension: its coordinate variable, or indices 0, 1, ... with units "1" if there is none.
  FileAxis axis(const std::string& dimension) const;
  std::map<std::string, std::string> global_attributes() const;

  /// `count` elements from flat row-major index `first`; one hyperslab a contiguous run.
  std::vector<double> read(const std::string& name, std::int64_t first, std::int64_t count) const;
  std::vector<double> read(const std::string& name) const;

 private:
  struct Implementation;
  std::unique_ptr<Implementation> implementation_;
};

}  // namespace lavoisier

#endif
