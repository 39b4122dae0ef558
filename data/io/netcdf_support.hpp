#ifndef LAVOISIER_IO_NETCDF_SUPPORT_HPP
#define LAVOISIER_IO_NETCDF_SUPPORT_HPP

#include <cstddef>
#include <cstdint>
#include <filesystem>
#include <vector>

namespace lavoisier::detail {

/// A block of a row-major array that is contiguous in flat order.
struct Hyperslab {
  std::vector<std::size_t> start, count;
  std::int64_t first = 0;     ///< flat index of its first element
  std::int64_t elements = 0;
};

/// Cuts the flat range first .. first+count-1 into as few hyperslabs as flat order allows (at most 2 rank - 1).
/// The range must lie in the array.
std::vector<Hyperslab> hyperslabs(const std::vector<std::int64_t>& extents, std::int64_t first, std::int64_t count);

/// Bytes that a classic NetCDF file (CDF-1, CDF-2, CDF-5) must have for all its variables to be there; 0 for any other
/// format. Past the end of a classic file that was cut short the library reads zeros without an error. (HDF5 notices.)
std::uint64_t classic_file_size(const std::filesystem::path& path);

}  // namespace lavoisier::detail

#endif
