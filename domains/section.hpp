#ifndef LAVOISIER_DOMAINS_SECTION_HPP
#define LAVOISIER_DOMAINS_SECTION_HPP

// Tables of a TOML file, read with errors that point at the place.

#include <lavoisier/layout.hpp>
#include <lavoisier/status.hpp>

#include "source_text.hpp"

#include <fmt/format.h>
#include <toml++/toml.h>

#include <algorithm>
#include <cmath>
#include <cstdint>
#include <limits>
#include <string>
#include <utility>
#include <vector>

namespace lavoisier::detail {

inline std::string listed(const std::vector<std::string>& items) {
  std::string text;
  for (const auto& item : items) text += (text.empty() ? "" : ", ") + item;
  return text;
}

inline Position position(const toml::node& node) { return {node.source().begin.line, node.source().begin.column}; }
inline Position position(const toml::key& key) { return {key.source().begin.line, key.source().begin.column}; }

inline const char* type_name(const toml::node& node) {
  switch (node.type()) {
    case toml::node_type::table: return "a table";
    case toml::node_type::array: return "an array";
    case toml::node_type::string: return "a text";
    case toml::node_type::integer: return "an integer";
    case toml::node_type::floating_point: return "a number";
    case toml::node_type::boolean: return "a truth value";
    case toml::node_type::none: return "nothing";
    default: return "a date or a time";
  }
}

/// A table of the file with what it is called in messages; every key that it may have must be named at construction.
class Section {
 public:
  Section(const SourceText& text, const toml::table& table, std::string name, Position at,
          const std::vector<std::string>& legal)
      : text_(text), table_(table), name_(std::move(name)), at_(at) {
    for (const auto& [key, value] : table) {
      const std::string word(key.str());
      if (std::find(legal.begin(), legal.end(), word) != legal.end()) continue;
      const std::string near = nearest_name(word, legal);
      text.fail(Status::invalid_format,
                fmt::format("unknown key \"{}\" in {}; {}", word, name_,
                            near.empty() ? "legal are " + listed(legal) : "did you mean \"" + near + "\"?"),
                position(key));
    }
  }

  const SourceText& text() const { return text_; }
  const std::string& name() const { return name_; }
  Position at() const { return at_; }
  bool has(const std::string& key) const { return table_.contains(key); }
  Position where(const std::string& key) const { return has(key) ? position(*table_.get(key)) : at_; }

  [[noreturn]] void fail(Status status, const std::string& message, const std::string& key) const {
    text_.fail(status, message, where(key));
  }

  const toml::node& required(const std::string& key, const std::string& meaning) const {
    if (const auto* const node = table_.get(key)) return *node;
    text_.fail(Status::invalid_format, fmt::format("{} needs the key \"{}\": {}", name_, key, meaning), at_);
  }

  [[noreturn]] void wrong_type(const toml::node& node, const std::string& key, const std::string& expected) const {
    text_.fail(Status::invalid_format,
               fmt::format("expected {} for \"{}\" in {}, found {}", expected, key, name_, type_name(node)),
               position(node));
  }

  std::string string(const std::string& key, const std::string& meaning) const {
    const auto& node = required(key, meaning);
    if (!node.is_string()) wrong_type(node, key, "a text");
    return *node.value<std::string>();
  }
  std::string string_or_empty(const std::string& key) const { return has(key) ? string(key, "") : std::string(); }

  double number(const std::string& key, const std::string& meaning) const {
    const auto& node = required(key, meaning);
    if (!node.is_number()) wrong_type(node, key, "a number");
    const double value = *node.value<double>();
    if (!std::isfinite(value)) wrong_type(node, key, "a finite number");
    return value;
  }
  double positive(const std::string& key, const std::string& meaning) const {
    const double value = number(key, meaning);
    if (!(value > 0.0))
      fail(Status::invalid_format, fmt::format("expected a number above 0 for \"{}\" in {}, found {}", key, name_, value),
           key);
    return value;
  }
  std::int64_t integer(const std::string& key, const std::string& meaning) const {
    const auto& node = required(key, meaning);
    if (!node.is_integer()) wrong_type(node, key, "an integer");
    return *node.value<std::int64_t>();
  }
  bool boolean(const std::string& key) const {
    if (!has(key)) return false;
    const auto& node = *table_.get(key);
    if (!node.is_boolean()) wrong_type(node, key, "true or false");
    return *node.value<bool>();
  }
  std::vector<std::string> strings(const std::string& key, const std::string& meaning) const {
    const auto& node = required(key, meaning);
    if (!node.is_array()) wrong_type(node, key, "an array of texts");
    std::vector<std::string> result;
    for (const auto& item : *node.as_array()) {
      if (!item.is_string()) wrong_type(item, key, "an array of texts");
      const auto word = *item.value<std::string>();
      if (std::find(result.begin(), result.end(), word) != result.end())
        text_.fail(Status::invalid_format, fmt::format("\"{}\" stands twice in \"{}\" of {}", word, key, name_),
                   position(item));
      result.push_back(word);
    }
    return result;
  }
  std::vector<int> integers(const std::string& key, const std::string& meaning) const {
    const auto& node = required(key, meaning);
    if (!node.is_array()) wrong_type(node, key, "an array of integers");
    std::vector<int> result;
    for (const auto& item : *node.as_array()) {
      if (!item.is_integer()) wrong_type(item, key, "an array of integers");
      const auto value = *item.value<std::int64_t>();
      if (value < 0 || value > std::numeric_limits<int>::max()) wrong_type(item, key, "integers from 0");
      result.push_back(static_cast<int>(value));
    }
    return result;
  }

  std::vector<double> numbers(const std::string& key, const std::string& meaning) const {
    const auto& node = required(key, meaning);
    if (!node.is_array()) wrong_type(node, key, "an array of numbers");
    std::vector<double> result;
    for (const auto& item : *node.as_array()) {
      if (!item.is_number() || !std::isfinite(*item.value<double>())) wrong_type(item, key, "an array of finite numbers");
      result.push_back(*item.value<double>());
    }
    return result;
  }

  /// The entries of a sub-table in the order of the file (toml++ sorts by name); empty if there is none.
  struct Entry {
    std::string key;
    const toml::node* value;
    Position at;  ///< of the key
  };
  std::vector<Entry> entries(const std::string& key) const {
    std::vector<Entry> result;
    if (!has(key)) return result;
    const auto& node = *table_.get(key);
    if (!node.is_table()) wrong_type(node, key, "a table");
    for (const auto& [name, value] : *node.as_table()) result.push_back({std::string(name.str()), &value, position(name)});
    std::sort(result.begin(), result.end(), [](const Entry& a, const Entry& b) {
      return std::pair(a.at.line, a.at.column) < std::pair(b.at.line, b.at.column);
    });
    return result;
  }

 private:
  const SourceText& text_;
  const toml::table& table_;
  std::string name_;
  Position at_;
};

/// The file's root table; Error(invalid_format) where the text is not TOML.
inline toml::table parse_toml(const SourceText& text) {
  try {
    return toml::parse(text.text(), text.origin());
  } catch (const toml::parse_error& error) {
    text.fail(Status::invalid_format, "not TOML: " + std::string(error.description()),
              {error.source().begin.line, error.source().begin.column});
  }
}

}  // namespace lavoisier::detail

#endif
