#ifndef LAVOISIER_PLUGIN_COLUMN_SELECTION_HPP
#define LAVOISIER_PLUGIN_COLUMN_SELECTION_HPP

#include <lavoisier/emulator.hpp>

#include <cstdint>

namespace lavoisier::detail {

/// Fills `columns` with those that the arguments select; returns how many. Room in both: `capacity`. Errors:
/// invalid_argument, shape_mismatch (more than the capacity), out_of_range (an index).
std::int64_t select_columns(const RunArguments& arguments, std::int64_t capacity, std::int64_t* columns,
                            std::int64_t* sorted);

}  // namespace lavoisier::detail

#endif
