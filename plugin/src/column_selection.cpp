#include "column_selection.hpp"

#include <lavoisier/status.hpp>

#include <algorithm>
#include <string>

namespace lavoisier::detail {

std::int64_t select_columns(const RunArguments& a, std::int64_t capacity, std::int64_t* columns,
                            std::int64_t* sorted) {
  if (a.columns < 0)
    throw Error(Status::invalid_argument, "columns: expected 0 or more, found " + std::to_string(a.columns));
  if (a.active_count < -1)
    throw Error(Status::invalid_argument,
                "active_count: expected -1 (no list) or more, found " + std::to_string(a.active_count));
  if (a.block_columns < 0)
    throw Error(Status::invalid_argument,
                "block_columns: expected 0 (no blocks) or more, found " + std::to_string(a.block_columns));
  const bool list = a.active != nullptr || a.active_count >= 0;
  if (list && a.mask != nullptr) throw Error(Status::invalid_argument, "a list and a mask of active columns: give one");
  if (a.columns == 0 && (!list || a.active_count <= 0)) return 0;
  const auto too_many = [&](std::int64_t found) {
    throw Error(Status::shape_mismatch, "the workspace holds " + std::to_string(capacity) +
                                            " columns a run, " + std::to_string(found) + " are asked for");
  };
  if (!list && a.mask == nullptr) {
    if (a.columns > capacity) too_many(a.columns);
    for (std::int64_t c = 0; c < a.columns; ++c) columns[c] = c;
    return a.columns;
  }
  if (a.mask != nullptr) {
    std::int64_t count = 0;
    for (std::int64_t c = 0; c < a.columns; ++c) {
      if (!a.mask[c]) continue;
      if (count < capacity) columns[count] = c;
      ++count;
    }
    if (count > capacity) too_many(count);
    return count;
  }
  if (a.active_count < 0) throw Error(Status::invalid_argument, "a list of active columns without active_count");
  if (a.active_count > 0 && a.active == nullptr)
    throw Error(Status::invalid_argument, "active_count is " + std::to_string(a.active_count) + ", active is null");
  if (a.active_count > capacity) too_many(a.active_count);
  bool ascending = true;
  for (std::int64_t i = 0; i < a.active_count; ++i) {
    const std::int64_t c = a.active[i];
    if (c < 0 || c >= a.columns)
      throw Error(Status::out_of_range, "active[" + std::to_string(i) + "] is " + std::to_string(c) +
                                            ", the run has columns 0 to " + std::to_string(a.columns - 1));
    if (i > 0 && c <= a.active[i - 1]) ascending = false;
    columns[i] = c;
  }
  if (!ascending) {
    std::copy_n(columns, a.active_count, sorted);
    std::sort(sorted, sorted + a.active_count);
    const auto* twice = std::adjacent_find(sorted, sorted + a.active_count);
    if (twice != sorted + a.active_count)
      throw Error(Status::invalid_argument,
                  "column " + std::to_string(*twice) + " is twice in the list of active columns");
  }
  return a.active_count;
}

}  // namespace lavoisier::detail
