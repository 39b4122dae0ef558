#ifndef LAVOISIER_LAYOUT_HPP
#define LAVOISIER_LAYOUT_HPP

#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

namespace lavoisier {

enum class DimensionKind { sample, level, y, x, channel, atom, bond, lag };
enum class Role { input, output, diagnostic };

/// A named axis. A fixed dimension has the same `extent` in every sample; a ragged one (atoms, bonds) has its own in
/// each, given by CSR offsets beside the values, and `extent` is then the capacity: the most one sample may hold.
struct Dimension {
  std::string name;
  DimensionKind kind = DimensionKind::channel;
  std::int64_t extent = 0;
  bool ragged = false;
  bool operator==(const Dimension&) const = default;
};

/// A field over dimensions. No dimensions: one number a sample. The sample dimension itself is never listed.
struct Variable {
  std::string name;
  std::string units;          ///< canonical, as UDUNITS reads it; "1" if dimensionless
  std::vector<std::string> dimensions;
  Role role = Role::input;
  std::string standard_name;  ///< CF; empty if there is none
  std::string long_name;
  std::vector<std::string> coordinates;      ///< names of coordinate variables
  std::vector<std::string> accepted_units;   ///< further spellings that mean `units` (the plugin has no UDUNITS)
  bool operator==(const Variable&) const = default;
};

/// CSR offsets of one ragged dimension over a batch: offsets.size() == samples + 1, offsets[0] == 0, not decreasing.
struct RaggedOffsets {
  std::string dimension;
  std::vector<std::int64_t> offsets;
  bool operator==(const RaggedOffsets&) const = default;
};

/// Dimensions and variables of a state. Immutable after construction; the constructor validates (names unique and
/// not empty, dimensions declared, extents positive) and throws Error(invalid_argument) naming the culprit.
class StateLayout {
 public:
  StateLayout() = default;
  StateLayout(std::vector<Dimension> dimensions, std::vector<Variable> variables);

  const std::vector<Dimension>& dimensions() const noexcept { return dimensions_; }
  const std::vector<Variable>& variables() const noexcept { return variables_; }

  /// Throw Error(not_found) naming the nearest known name.
  const Dimension& dimension(std::string_view name) const;
  const Variable& variable(std::string_view name) const;
  bool has_variable(std::string_view name) const noexcept;

  /// Variables of a role, in declaration order: the order in which their elements are concatenated in flat vectors.
  std::vector<Variable> with_role(Role role) const;

  bool is_ragged(const Variable& variable) const;
  /// Elements a sample: the product of the extents (of the capacities for ragged dimensions).
  std::int64_t elements(const Variable& variable) const;
  /// Length of the flat vector of all variables of a role (fixed layouts; ragged ones count capacity).
  std::int64_t elements(Role role) const;
  /// Offset of a variable's first element in the flat vector of its role.
  std::int64_t offset(std::string_view variable) const;

  bool operator==(const StateLayout&) const = default;

 private:
  std::vector<Dimension> dimensions_;
  std::vector<Variable> variables_;
};

const char* to_string(DimensionKind kind) noexcept;
const char* to_string(Role role) noexcept;
DimensionKind dimension_kind_from(std::string_view text);  ///< Error(invalid_format) lists the legal words
Role role_from(std::string_view text);

/// The nearest of `candidates` by edit distance, for messages ("did you mean ..."); empty if none is near.
std::string nearest_name(std::string_view name, const std::vector<std::string>& candidates);

}  // namespace lavoisier

#endif
