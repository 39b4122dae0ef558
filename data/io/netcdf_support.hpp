#ifndef LAVOISIER_IO_NETCDF_SUPPORT_HPP
#define LAVOISIER_IO_NETCDF_SUPPORT_HPP

#include <lavoisier/netcdf_reader.hpp>

#include <atomic>
#include <cstddef>
#include <cstdint>
#include <filesystem>
#include <string>
#include <vector>

namespace lavoisier::detail {

/// What hdf5_write_failed() tells.
extern std::atomic<bool> write_failed;

/// A block of a row-major array that is contiguous in flat order.
struct Hyperslab {
  std::vector<std::size_t> start, count;
  std::int64_t first = 0;     ///< flat index of its first element
  std::int64_t elements = 0;
};

/// Cuts the flat range first .. first+count-1 into as few hyperslabs as flat order allows (at most 2 rank - 1).
/// The range must lie in the array.
std::vector<Hyperslab> hyperslabs(const std::vector<std::int64_t>& extents, std::int64_t first, std::int64_t count);

/// How the numbers of a field lie among those of its cells.
struct CellLayout {
  std::vector<std::int64_t> cell_extents;
  std::int64_t elements = 1;          ///< of a cell
  std::vector<std::int64_t> strides;  ///< of each dimension of the field
};

/// Of a field of these extents, in messages `what`; Errors as NetcdfReader::read_cells().
CellLayout cell_layout(const std::string& what, const std::vector<std::int64_t>& extents,
                       const std::vector<FieldAxis>& axes, std::int64_t first, std::int64_t count);

/// Puts a row-major block where the strides say.
void scatter(const std::vector<double>& block, const std::vector<std::size_t>& size,
             const std::vector<std::int64_t>& strides, double* to);

/// Bytes that a classic NetCDF file (CDF-1, CDF-2, CDF-5) must have for all its variables to be there; 0 for any other
/// format. Past the end of a classic file that was cut short the library reads zeros without an error. (HDF5 notices.)
std::uint64_t classic_file_size(const std::filesystem::path& path);

}  // namespace lavoisier::detail

#endif
