#include <lavoisier/layout.hpp>
#include <lavoisier/status.hpp>

#include <algorithm>
#include <array>
#include <cctype>
#include <limits>
#include <set>
#include <utility>

namespace lavoisier {

namespace {

constexpr std::array<const char*, 8> kind_names = {"sample", "level", "y", "x", "channel", "atom", "bond", "lag"};
constexpr std::array<const char*, 3> role_names = {"input", "output", "diagnostic"};

template <std::size_t N>
std::size_t find_word(std::string_view text, const std::array<const char*, N>& words, const char* what) {
  std::string legal;
  for (std::size_t i = 0; i < N; ++i) {
    if (text == words[i]) return i;
    legal += (i == 0 ? "" : ", ") + std::string(words[i]);
  }
  throw Error(Status::invalid_format,
              std::string(what) + " '" + std::string(text) + "' is none of the legal words: " + legal);
}

constexpr std::int64_t largest = std::numeric_limits<std::int64_t>::max();

std::string suggestion(std::string_view name, const std::vector<std::string>& candidates) {
  const std::string nearest = nearest_name(name, candidates);
  return nearest.empty() ? std::string() : "; did you mean '" + nearest + "'?";
}

template <class Named>
std::vector<std::string> names_of(const std::vector<Named>& items) {
  std::vector<std::string> names;
  for (const auto& item : items) names.push_back(item.name);
  return names;
}

}  // namespace

StateLayout::StateLayout(std::vector<Dimension> dimensions, std::vector<Variable> variables)
    : dimensions_(std::move(dimensions)), variables_(std::move(variables)) {
  std::set<std::string_view> names;
  for (std::size_t i = 0; i < dimensions_.size(); ++i) {
    const Dimension& d = dimensions_[i];
    if (d.name.empty()) {
      throw Error(Status::invalid_argument, "dimension " + std::to_string(i) + " of the layout has no name");
    }
    if (!names.insert(d.name).second) {
      throw Error(Status::invalid_argument, "dimension '" + d.name + "' stands twice in the layout");
    }
    if (d.extent <= 0) {
      throw Error(Status::invalid_argument, "dimension '" + d.name + "' has extent " + std::to_string(d.extent) +
                                                "; expected a positive number");
    }
  }
  names.clear();
  std::array<std::int64_t, role_names.size()> totals{};
  for (std::size_t i = 0; i < variables_.size(); ++i) {
    const Variable& v = variables_[i];
    if (v.name.empty()) {
      throw Error(Status::invalid_argument, "variable " + std::to_string(i) + " of the layout has no name");
    }
    if (!names.insert(v.name).second) {
      throw Error(Status::invalid_argument, "variable '" + v.name + "' stands twice in the layout");
    }
    std::int64_t count = 1;
    for (std::size_t j = 0; j < v.dimensions.size(); ++j) {
      const auto found = std::find_if(dimensions_.begin(), dimensions_.end(),
                                      [&](const Dimension& d) { return d.name == v.dimensions[j]; });
      if (found == dimensions_.end()) {
        throw Error(Status::invalid_argument, "variable '" + v.name + "' has the dimension '" + v.dimensions[j] +
                                                  "', which the layout does not declare" +
                                                  suggestion(v.dimensions[j], names_of(dimensions_)));
      }
      if (found->kind == DimensionKind::sample) {
        throw Error(Status::invalid_argument, "variable '" + v.name + "' lists the sample dimension '" +
                                                  v.dimensions[j] + "'; it is never listed");
      }
      if (std::find(v.dimensions.begin(), v.dimensions.begin() + static_cast<std::ptrdiff_t>(j), v.dimensions[j]) !=
          v.dimensions.begin() + static_cast<std::ptrdiff_t>(j)) {
        throw Error(Status::invalid_argument,
                    "variable '" + v.name + "' has the dimension '" + v.dimensions[j] + "' twice");
      }
      if (count > largest / found->extent) {
        throw Error(Status::invalid_argument, "variable '" + v.name + "' has more elements than 2^63");
      }
      count *= found->extent;
    }
    auto& total = totals[static_cast<std::size_t>(v.role)];
    if (count > largest - total) {
      throw Error(Status::invalid_argument, std::string("the variables of role ") + to_string(v.role) +
                                                " have more elements than 2^63 together (at '" + v.name + "')");
    }
    total += count;
  }
}

const Dimension& StateLayout::dimension(std::string_view name) const {
  for (const auto& d : dimensions_) {
    if (d.name == name) return d;
  }
  throw Error(Status::not_found, "the layout has no dimension '" + std::string(name) + "'" +
                                     suggestion(name, names_of(dimensions_)));
}

const Variable& StateLayout::variable(std::string_view name) const {
  for (const auto& v : variables_) {
    if (v.name == name) return v;
  }
  throw Error(Status::not_found,
              "the layout has no variable '" + std::string(name) + "'" + suggestion(name, names_of(variables_)));
}

bool StateLayout::has_variable(std::string_view name) const noexcept {
  return std::any_of(variables_.begin(), variables_.end(), [&](const Variable& v) { return v.name == name; });
}

std::vector<Variable> StateLayout::with_role(Role role) const {
  std::vector<Variable> found;
  std::copy_if(variables_.begin(), variables_.end(), std::back_inserter(found),
               [&](const Variable& v) { return v.role == role; });
  return found;
}

bool StateLayout::is_ragged(const Variable& variable) const {
  return std::any_of(variable.dimensions.begin(), variable.dimensions.end(),
                     [&](const std::string& name) { return dimension(name).ragged; });
}

std::int64_t StateLayout::elements(const Variable& variable) const {
  std::int64_t count = 1;
  for (const auto& name : variable.dimensions) count *= dimension(name).extent;
  return count;
}

std::int64_t StateLayout::elements(Role role) const {
  std::int64_t count = 0;
  for (const auto& v : variables_) {
    if (v.role == role) count += elements(v);
  }
  return count;
}

std::int64_t StateLayout::offset(std::string_view name) const {
  const Variable& wanted = variable(name);
  std::int64_t offset = 0;
  for (const auto& v : variables_) {
    if (&v == &wanted) break;
    if (v.role == wanted.role) offset += elements(v);
  }
  return offset;
}

const char* to_string(DimensionKind kind) noexcept {
  const auto i = static_cast<std::size_t>(kind);
  return i < kind_names.size() ? kind_names[i] : "unknown";
}

const char* to_string(Role role) noexcept {
  const auto i = static_cast<std::size_t>(role);
  return i < role_names.size() ? role_names[i] : "unknown";
}

DimensionKind dimension_kind_from(std::string_view text) {
  return static_cast<DimensionKind>(find_word(text, kind_names, "dimension kind"));
}

Role role_from(std::string_view text) { return static_cast<Role>(find_word(text, role_names, "role")); }

std::string nearest_name(std::string_view name, const std::vector<std::string>& candidates) {
  const auto lower = [](char c) { return std::tolower(static_cast<unsigned char>(c)); };
  // A third of the letters may be wrong, and always one.
  std::size_t best = std::max<std::size_t>(1, name.size() / 3) + 1;
  std::string nearest;
  // Edit distance with neighbours swapped as one slip; rows of the table i-2, i-1 and i.
  std::vector<std::size_t> before, last, row;
  for (const auto& candidate : candidates) {
    row.resize(candidate.size() + 1);
    for (std::size_t j = 0; j < row.size(); ++j) row[j] = j;
    for (std::size_t i = 1; i <= name.size(); ++i) {
      before = std::exchange(last, row);
      row[0] = i;
      for (std::size_t j = 1; j < row.size(); ++j) {
        const auto same = [&](std::size_t a, std::size_t b) { return lower(name[a]) == lower(candidate[b]); };
        row[j] = std::min({last[j - 1] + (same(i - 1, j - 1) ? 0 : 1), last[j] + 1, row[j - 1] + 1});
        if (i > 1 && j > 1 && same(i - 1, j - 2) && same(i - 2, j - 1)) row[j] = std::min(row[j], before[j - 2] + 1);
      }
    }
    // A name that is wrong in every letter of the candidate is no hint.
    if (row.back() < best && row.back() < candidate.size()) {
      best = row.back();
      nearest = candidate;
    }
  }
  return nearest;
}

}  // namespace lavoisier
