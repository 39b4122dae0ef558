#ifndef LAVOISIER_PLUGIN_FIELD_LATTICE_HPP
#define LAVOISIER_PLUGIN_FIELD_LATTICE_HPP

// Where the numbers of a field lie: three nested strides. Whether two of them, of one field or of two, meet.

#include <algorithm>
#include <cstdint>
#include <utility>

namespace lavoisier::detail {

inline std::int64_t magnitude(std::int64_t x) noexcept { return x < 0 ? -x : x; }

/// Element (b, j, e) begins at base + b*block + j*column + e*element, all in bytes. Strides that no step takes are 0.
struct FieldLattice {
  std::intptr_t base = 0;
  std::int64_t width = 8;
  std::int64_t blocks = 1, columns = 1, elements = 1;
  std::int64_t block = 0, column = 0, element = 0;

  std::intptr_t low() const noexcept { return base + reach(false); }
  std::intptr_t high() const noexcept { return base + reach(true) + width; }  ///< behind the last byte

 private:
  std::int64_t reach(bool upwards) const noexcept {
    std::int64_t sum = 0;
    for (const std::int64_t r : {(blocks - 1) * block, (columns - 1) * column, (elements - 1) * element})
      if ((r > 0) == upwards) sum += r;
    return sum;
  }
};

/// Of a run's `columns`, in blocks of `block_columns` (0: none); strides in numbers of `width` bytes.
inline FieldLattice field_lattice(const void* data, std::int64_t width, std::int64_t elements,
                                  std::int64_t element_stride, std::int64_t column_stride, std::int64_t block_stride,
                                  std::int64_t columns, std::int64_t block_columns) noexcept {
  FieldLattice made;
  made.base = reinterpret_cast<std::intptr_t>(data);
  made.width = width;
  made.elements = elements;
  made.columns = block_columns > 0 ? std::min(columns, block_columns) : columns;
  made.blocks = block_columns > 0 ? (columns + block_columns - 1) / block_columns : 1;
  if (made.elements > 1) made.element = element_stride * width;
  if (made.columns > 1) made.column = column_stride * width;
  if (made.blocks > 1) made.block = block_stride * width;
  return made;
}

/// Is there a |db| < blocks and a |dj| < columns with low < shift + db*block + dj*column < high?
inline bool column_between(const FieldLattice& f, std::int64_t shift, std::int64_t low, std::int64_t high) noexcept {
  // The larger stride outside: few of its steps come near.
  std::int64_t outer = magnitude(f.block), inner = magnitude(f.column), outers = f.blocks, inners = f.columns;
  if (outer < inner) {
    std::swap(outer, inner);
    std::swap(outers, inners);
  }
  const auto floor_of = [](std::int64_t a, std::int64_t b) { return a / b - (a % b != 0 && a < 0); };
  const auto ceiling_of = [](std::int64_t a, std::int64_t b) { return a / b + (a % b != 0 && a > 0); };
  std::int64_t first = 0, last = 0;
  if (outer > 0) {
    const std::int64_t reach = (inners - 1) * inner;
    first = std::max(ceiling_of(low + 1 - shift - reach, outer), 1 - outers);
    last = std::min(floor_of(high - 1 - shift + reach, outer), outers - 1);
  }
  for (std::int64_t d = first; d <= last; ++d) {
    const std::int64_t at = shift + d * outer;
    if (inner == 0) {
      if (low < at && at < high) return true;
    } else if (std::max(ceiling_of(low + 1 - at, inner), 1 - inners) <=
               std::min(floor_of(high - 1 - at, inner), inners - 1)) {
      return true;
    }
  }
  return false;
}

/// Do two numbers of one field lie at one address?
inline bool coincides(const FieldLattice& f) noexcept {
  if (f.columns > 1 && f.column == 0) return true;
  if (f.blocks > 1 && f.block == 0) return true;
  // Two columns of different blocks.
  for (std::int64_t d = 1; d < f.blocks && f.column != 0; ++d) {
    const std::int64_t distance = d * magnitude(f.block);
    if (distance > (f.columns - 1) * magnitude(f.column)) break;
    if (distance % f.column == 0) return true;
  }
  for (std::int64_t e = 1; e < f.elements; ++e)
    if (column_between(f, e * f.element, -1, 1)) return true;
  return false;
}

/// May a byte belong to both? Exact where the strides between columns and blocks are the same in bytes; else strict:
/// fields that no divisibility keeps apart count as overlapping. (A last block that is partly filled counts as full.)
inline bool overlap(const FieldLattice& a, const FieldLattice& b) noexcept {
  if (a.high() <= b.low() || b.high() <= a.low()) return false;
  const bool alike = a.block == b.block && a.column == b.column;
  std::int64_t g = 0;
  if (!alike)
    for (std::int64_t s : {a.block, b.block, a.column, b.column}) {
      s = magnitude(s);
      while (s != 0) g = std::exchange(s, g % s);
    }
  const auto meet = [&](std::int64_t shift) {
    // b's number begins `shift` bytes behind a's in the columns 0; they touch if -b.width < distance < a.width.
    if (alike) return column_between(a, shift, -b.width, a.width);
    const std::int64_t down = ((shift % g) + g) % g;  // distances are shift plus multiples of g
    return down < a.width || down - g > -b.width;
  };
  const std::int64_t base = b.base - a.base;
  if (a.element == b.element || a.elements == 1 || b.elements == 1) {
    const std::int64_t element = a.elements == 1 ? b.element : a.element;
    for (std::int64_t d = 1 - a.elements; d < b.elements; ++d)
      if (meet(base + d * element)) return true;
    return false;
  }
  for (std::int64_t i = 0; i < a.elements; ++i)
    for (std::int64_t j = 0; j < b.elements; ++j)
      if (meet(base + j * b.element - i * a.element)) return true;
  return false;
}

}  // namespace lavoisier::detail

#endif
