#ifndef LAVOISIER_TESTS_NETCDF_FILE_HPP
#define LAVOISIER_TESTS_NETCDF_FILE_HPP

// NetCDF files for tests, written and read with the C interface: nothing of the project's own reader and writer.

#include <netcdf.h>

#include <filesystem>
#include <stdexcept>
#include <string>
#include <utility>
#include <vector>

namespace lavoisier::tests {

class NetcdfFile {
 public:
  struct Attribute {
    std::string name, text;
  };

  explicit NetcdfFile(const std::filesystem::path& path, int mode = NC_CLOBBER) {
    check(nc_create(path.c_str(), mode, &id_));
  }
  ~NetcdfFile() { nc_close(id_); }
  NetcdfFile(const NetcdfFile&) = delete;
  NetcdfFile& operator=(const NetcdfFile&) = delete;

  int id() const { return id_; }
  int dimension(const std::string& name, std::size_t extent) {
    int dimension = -1;
    check(nc_def_dim(id_, name.c_str(), extent, &dimension));
    return dimension;
  }
  int variable(const std::string& name, nc_type type, const std::vector<int>& dimensions,
               const std::vector<Attribute>& attributes = {}) {
    int variable = -1;
    check(nc_def_var(id_, name.c_str(), type, static_cast<int>(dimensions.size()), dimensions.data(), &variable));
    for (const auto& a : attributes)
      check(nc_put_att_text(id_, variable, a.name.c_str(), a.text.size(), a.text.c_str()));
    return variable;
  }
  void attribute(int variable, const std::string& name, nc_type type, const std::vector<double>& values) {
    check(nc_put_att_double(id_, variable, name.c_str(), type, values.size(), values.data()));
  }
  void write(int variable, const std::vector<double>& values) {
    nc_enddef(id_);
    check(nc_put_var_double(id_, variable, values.data()));
  }
  static void check(int code) {
    if (code != NC_NOERR) throw std::runtime_error(nc_strerror(code));
  }

 private:
  int id_ = -1;
};

/// All numbers of a variable as they lie in the file, no missing values, no scaling.
inline std::vector<double> stored_values(const std::filesystem::path& path, const std::string& name) {
  int id = -1;
  int variable = -1;
  int rank = 0;
  NetcdfFile::check(nc_open(path.c_str(), NC_NOWRITE, &id));
  NetcdfFile::check(nc_inq_varid(id, name.c_str(), &variable));
  NetcdfFile::check(nc_inq_varndims(id, variable, &rank));
  std::vector<int> dimensions(static_cast<std::size_t>(rank));
  NetcdfFile::check(nc_inq_vardimid(id, variable, dimensions.data()));
  std::size_t total = 1;
  for (const int dimension : dimensions) {
    std::size_t extent = 0;
    NetcdfFile::check(nc_inq_dimlen(id, dimension, &extent));
    total *= extent;
  }
  std::vector<double> values(total);
  NetcdfFile::check(nc_get_var_double(id, variable, values.data()));
  nc_close(id);
  return values;
}

inline std::string stored_text(const std::filesystem::path& path, const std::string& variable_name,
                               const std::string& attribute) {
  int id = -1;
  int variable = NC_GLOBAL;
  std::size_t length = 0;
  NetcdfFile::check(nc_open(path.c_str(), NC_NOWRITE, &id));
  if (!variable_name.empty()) NetcdfFile::check(nc_inq_varid(id, variable_name.c_str(), &variable));
  std::string text;
  if (nc_inq_attlen(id, variable, attribute.c_str(), &length) == NC_NOERR) {
    text.resize(length);
    NetcdfFile::check(nc_get_att_text(id, variable, attribute.c_str(), text.data()));
  }
  nc_close(id);
  return text;
}

}  // namespace lavoisier::tests

#endif
