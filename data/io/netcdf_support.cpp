#include "netcdf_support.hpp"

#include <lavoisier/status.hpp>

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

CellLayout cell_layout(const std::string& what, const std::vector<std::int64_t>& extents,
                       const std::vector<FieldAxis>& axes, std::int64_t first, std::int64_t count) {
  if (axes.size() != extents.size())
    throw Error(Status::shape_mismatch, what + " has " + std::to_string(extents.size()) + " dimensions; expected " +
                                            std::to_string(axes.size()));
  CellLayout layout;
  std::int64_t cells = 1;
  for (std::size_t d = 0; d < axes.size(); ++d) {
    const FieldAxis& axis = axes[d];
    if (axis.kind == FieldAxis::Kind::cell) {
      layout.cell_extents.push_back(extents[d]);
      cells *= extents[d];
      continue;
    }
    const std::int64_t taken = axis.kind == FieldAxis::Kind::element ? axis.count : 1;
    if (axis.first < 0 || taken < 1 || axis.first > extents[d] - taken)
      throw Error(Status::out_of_range, what + ": indices " + std::to_string(axis.first) + " to " +
                                            std::to_string(axis.first + taken - 1) + " (from 0) of a dimension of " +
                                            std::to_string(extents[d]));
    layout.elements *= taken;
  }
  if (first < 0 || count < 0 || first > cells - count)
    throw Error(Status::out_of_range, "cells " + std::to_string(first) + " to " + std::to_string(first + count) + " of " +
                                          what + ", which has " + std::to_string(cells));
  std::int64_t stride = layout.elements, last = 0;
  layout.strides.assign(axes.size(), 0);
  for (std::size_t d = axes.size(); d-- > 0;) {
    if (axes[d].kind == FieldAxis::Kind::element) {
      layout.strides[d] = axes[d].stride;
      last += axes[d].stride * (axes[d].count - 1);
    }
    if (axes[d].kind != FieldAxis::Kind::cell) continue;
    layout.strides[d] = stride;
    stride *= extents[d];
  }
  LAVOISIER_REQUIRE(last < layout.elements, "strides of a cell's elements lead beyond the cell");
  return layout;
}

void scatter(const std::vector<double>& block, const std::vector<std::size_t>& size,
             const std::vector<std::int64_t>& strides, double* to) {
  std::vector<std::size_t> index(size.size(), 0);
  std::int64_t at = 0;
  for (const double value : block) {
    to[at] = value;
    for (std::size_t d = size.size(); d-- > 0;) {
      at += strides[d];
      if (++index[d] < size[d]) break;
      at -= strides[d] * static_cast<std::int64_t>(size[d]);
      index[d] = 0;
    }
  }
}

}  // namespace lavoisier::detail
