#ifndef LAVOISIER_STRICT_JSON_HPP
#define LAVOISIER_STRICT_JSON_HPP

// Strict reading of the small JSON texts in a model file: duplicate keys, unknown keys, missing keys, numbers that are
// no plain integers and deep nesting are errors. Private to data.

#include <cstdint>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

namespace lavoisier::detail {

struct Json {
  enum class Kind { null, boolean, integer, string, array, object };
  Kind kind = Kind::null;
  bool boolean = false;
  std::uint64_t integer = 0;  ///< no other numbers are accepted
  std::string text;
  std::vector<Json> items;                             ///< of an array
  std::vector<std::pair<std::string, Json>> members;  ///< of an object, in file order

  const Json* find(std::string_view key) const;
};

/// Throws Error(invalid_format), naming `origin` and the place.
Json parse_json(std::string_view text, const std::string& origin);

/// A place in a document, for typed access with messages such as "m.safetensors: layout.variables[2].units: ...".
class Place {
 public:
  Place(const Json& json, std::string path) : json_(&json), path_(std::move(path)) {}

  const std::string& path() const { return path_; }
  [[noreturn]] void fail(const std::string& what) const;

  /// Requires an object with exactly these keys.
  void keys(const std::vector<std::string_view>& expected) const;
  Place member(std::string_view key) const;
  std::vector<Place> items() const;
  std::vector<std::pair<std::string, Place>> members() const;
  const std::string& text() const;
  bool boolean() const;
  std::int64_t integer() const;  ///< 0 .. 2^63 - 1
  std::vector<std::string> texts() const;

 private:
  const Json* json_;
  std::string path_;
};

}  // namespace lavoisier::detail

#endif
