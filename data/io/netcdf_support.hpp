#ifndef LAVOISIER_IO_NETCDF_SUPPORT_HPP
#define LAVOISIER_IO_NETCDF_SUPPORT_HPP

#include <cstddef>
#include <cstdint>
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

}  // namespace lavoisier::detail

#endif
