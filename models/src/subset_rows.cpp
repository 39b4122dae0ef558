#include "subset_rows.hpp"

#include <algorithm>
#include <cstring>
#include <numeric>

namespace lavoisier::detail {
namespace {

using Eigen::Index;

std::size_t size(std::int64_t count) { return static_cast<std::size_t>(count); }

std::int64_t padded_inputs(const RowShape& shape) { return (shape.inputs + 1) / 2 * 2; }

void resize(StandardisedRows& rows, const RowShape& shape, std::int64_t count) {
  rows.rows.resize(size(count));
  rows.x.resize(size(count * shape.inputs));
  rows.y.resize(count, shape.outputs);
  rows.d.resize(count, shape.laws);
  rows.A.resize(shape.own_laws ? count * shape.laws : 0, shape.outputs);
}

}  // namespace

std::int64_t RowShape::bytes() const {
  return 8 + static_cast<std::int64_t>(sizeof(float)) * padded_inputs(*this) +
         8 * (outputs + laws + (own_laws ? laws * outputs : 0));
}

RowsInMemory::RowsInMemory(StandardisedRows& rows, const RowShape& shape, std::int64_t count) : rows_(rows) {
  resize(rows_, shape, count);
}

void RowsInMemory::gather(std::span<const std::int64_t> places, StandardisedRows& to) const {
  const StandardisedRows& from = rows_;
  const std::int64_t count = static_cast<std::int64_t>(places.size());
  const std::int64_t inputs =
      static_cast<std::int64_t>(from.x.size() / from.rows.size());  // none where a generator keeps the rows
  const Index laws = from.d.cols();
  resize(to, {inputs, from.y.cols(), laws, from.A.rows() > 0}, count);
  for (Index i = 0; i < count; ++i) {
    const std::int64_t place = places[size(i)];
    to.rows[size(i)] = from.rows[size(place)];
    std::copy_n(from.x.data() + place * inputs, inputs, to.x.data() + i * inputs);
    if (from.y.rows() == 0) continue;
    to.y.row(i) = from.y.row(place);
    to.d.row(i) = from.d.row(place);
    if (to.A.rows() > 0) to.A.middleRows(i * laws, laws) = from.A.middleRows(place * laws, laws);
  }
}

void RowsInMemory::write(std::int64_t first, const StandardisedRows& rows) {
  const Index laws = rows_.d.cols();
  const auto at = static_cast<std::ptrdiff_t>(first);
  std::copy(rows.rows.begin(), rows.rows.end(), rows_.rows.begin() + at);
  if (rows.count() > 0)
    std::copy(rows.x.begin(), rows.x.end(),
              rows_.x.begin() + at * static_cast<std::ptrdiff_t>(rows.x.size() / rows.rows.size()));
  rows_.y.middleRows(first, rows.count()) = rows.y;
  rows_.d.middleRows(first, rows.count()) = rows.d;
  if (rows_.A.rows() > 0) rows_.A.middleRows(first * laws, rows.count() * laws) = rows.A;
}

RowsInFile::RowsInFile(const std::filesystem::path& folder, const RowShape& shape, std::int64_t count,
                       const std::string& what)
    : shape_(shape), count_(count), file_(folder, what) {
  file_.require_space(static_cast<std::uint64_t>(count * shape.bytes()));
}

// A record: index in the sample set, x (padded to 8 bytes), y, d, A.
void RowsInFile::write(std::int64_t first, const StandardisedRows& rows) {
  std::vector<std::byte> bytes(size(rows.count() * shape_.bytes()));
  std::byte* to = bytes.data();
  const auto put = [&](const void* from, std::int64_t count) {
    if (count > 0) std::memcpy(to, from, size(count));
    to += count;
  };
  for (Index row = 0; row < rows.count(); ++row) {
    put(&rows.rows[size(row)], 8);
    put(rows.x.data() + row * shape_.inputs, 4 * shape_.inputs);
    to += 4 * (padded_inputs(shape_) - shape_.inputs);
    put(rows.y.data() + row * shape_.outputs, 8 * shape_.outputs);
    put(rows.d.data() + row * shape_.laws, 8 * shape_.laws);
    if (shape_.own_laws) put(rows.A.data() + row * shape_.laws * shape_.outputs, 8 * shape_.laws * shape_.outputs);
  }
  file_.write(static_cast<std::uint64_t>(first * shape_.bytes()), bytes);
}

void RowsInFile::decode(const std::byte* record, std::int64_t row, StandardisedRows& to) const {
  const auto take = [&](void* into, std::int64_t count) {
    if (count > 0) std::memcpy(into, record, size(count));
    record += count;
  };
  take(&to.rows[size(row)], 8);
  take(to.x.data() + row * shape_.inputs, 4 * shape_.inputs);
  record += 4 * (padded_inputs(shape_) - shape_.inputs);
  take(to.y.data() + row * shape_.outputs, 8 * shape_.outputs);
  take(to.d.data() + row * shape_.laws, 8 * shape_.laws);
  if (shape_.own_laws) take(to.A.data() + row * shape_.laws * shape_.outputs, 8 * shape_.laws * shape_.outputs);
}

std::int64_t RowsInFile::sample(std::int64_t place) const {
  std::int64_t index = 0;
  file_.read(static_cast<std::uint64_t>(place * shape_.bytes()), std::as_writable_bytes(std::span(&index, 1)));
  return index;
}

void RowsInFile::gather(std::span<const std::int64_t> places, StandardisedRows& to) const {
  constexpr std::int64_t gap = 4096, most = 262144;  // bytes read in vain, which cost less than a call; bytes a call
  const std::int64_t bytes = shape_.bytes();
  resize(to, shape_, static_cast<std::int64_t>(places.size()));
  std::vector<std::int64_t> order(places.size());
  std::iota(order.begin(), order.end(), std::int64_t{0});
  std::sort(order.begin(), order.end(),
            [&](std::int64_t a, std::int64_t b) { return places[size(a)] < places[size(b)]; });
  std::vector<std::byte> run;
  for (std::size_t begin = 0, end = 0; begin < order.size(); begin = end) {
    const std::int64_t first = places[size(order[begin])];
    std::int64_t last = first;
    for (end = begin + 1; end < order.size(); ++end) {
      const std::int64_t place = places[size(order[end])];
      if ((place - last - 1) * bytes > gap || (place - first + 1) * bytes > most) break;
      last = place;
    }
    run.resize(size((last - first + 1) * bytes));
    file_.read(static_cast<std::uint64_t>(first * bytes), run);
    for (std::size_t i = begin; i < end; ++i)
      decode(run.data() + (places[size(order[i])] - first) * bytes, order[i], to);
  }
}

}  // namespace lavoisier::detail
