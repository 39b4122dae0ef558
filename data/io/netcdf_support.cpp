#include "netcdf_support.hpp"

namespace lavoisier::detail {

std::vector<Hyperslab> hyperslabs(const std::vector<std::int64_t>& extents, std::int64_t first, std::int64_t count) {
  const std::size_t rank = extents.size();
  std::vector<Hyperslab> slabs;
  if (rank == 0) {
    if (count > 0) slabs.push_back({{}, {}, 0, 1});
    return slabs;
  }
  std::vector<std::int64_t> stride(rank, 1);
  for (std::size_t d = rank - 1; d > 0; --d) stride[d - 1] = stride[d] * extents[d];
  while (count > 0) {
    // The slowest dimension along which whole rows fit from here: all faster ones start at zero and are taken whole.
    std::size_t along = rank - 1;
    while (along > 0 && first % stride[along - 1] == 0 && count >= stride[along - 1]) --along;
    Hyperslab slab;
    slab.first = first;
    slab.start.resize(rank);
    slab.count.assign(rank, 1);
    std::int64_t rest = first;
    for (std::size_t d = 0; d < rank; ++d) {
      slab.start[d] = static_cast<std::size_t>(rest / stride[d]);
      rest %= stride[d];
    }
    const std::int64_t room = extents[along] - static_cast<std::int64_t>(slab.start[along]);
    const std::int64_t rows = count / stride[along] < room ? count / stride[along] : room;
    slab.count[along] = static_cast<std::size_t>(rows);
    for (std::size_t d = along + 1; d < rank; ++d) slab.count[d] = static_cast<std::size_t>(extents[d]);
    slab.elements = rows * stride[along];
    first += slab.elements;
    count -= slab.elements;
    slabs.push_back(std::move(slab));
  }
  return slabs;
}

}  // namespace lavoisier::detail
