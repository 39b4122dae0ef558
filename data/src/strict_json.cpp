#include "strict_json.hpp"

#include <lavoisier/status.hpp>

#include <nlohmann/json.hpp>

#include <algorithm>
#include <limits>
#include <unordered_set>

namespace lavoisier::detail {

namespace {

constexpr std::size_t deepest = 16;
// A value takes some hundred bytes in memory and two in a file: without a bound, a hostile header of 64 MiB costs
// gigabytes.
constexpr std::size_t most_values = std::size_t{1} << 20;

class Builder {
 public:
  explicit Builder(const std::string& origin) : origin_(origin) {}
  Json take() { return std::move(root_); }

  bool null() { return add(Json{}); }
  bool boolean(bool value) {
    Json json;
    json.kind = Json::Kind::boolean;
    json.boolean = value;
    return add(std::move(json));
  }
  bool number_integer(std::int64_t value) { fail("the number " + std::to_string(value) + " is negative"); }
  bool number_unsigned(std::uint64_t value) {
    Json json;
    json.kind = Json::Kind::integer;
    json.integer = value;
    return add(std::move(json));
  }
  bool number_float(double, const std::string& text) { fail("the number " + text + " is no plain integer below 2^64"); }
  bool string(std::string& value) {
    Json json;
    json.kind = Json::Kind::string;
    json.text = std::move(value);
    return add(std::move(json));
  }
  bool binary(nlohmann::json::binary_t&) { fail("binary data"); }
  bool start_object(std::size_t) { return open(Json::Kind::object); }
  bool start_array(std::size_t) { return open(Json::Kind::array); }
  bool key(std::string& value) {
    if (!stack_.back().seen.insert(value).second) fail("the key '" + value + "' stands twice in one object");
    stack_.back().key = std::move(value);
    return true;
  }
  bool end_object() { return close(); }
  bool end_array() { return close(); }
  bool parse_error(std::size_t position, const std::string&, const nlohmann::json::exception& error) {
    fail("no valid JSON at byte " + std::to_string(position) + ": " + error.what());
  }

 private:
  struct Level {
    Json json;
    std::string key;
    std::unordered_set<std::string> seen;
  };

  [[noreturn]] void fail(const std::string& what) const { throw Error(Status::invalid_format, origin_ + ": " + what); }

  bool open(Json::Kind kind) {
    if (stack_.size() == deepest) fail("nested deeper than " + std::to_string(deepest) + " levels");
    stack_.emplace_back();
    stack_.back().json.kind = kind;
    return true;
  }
  bool close() {
    Json json = std::move(stack_.back().json);
    stack_.pop_back();
    return add(std::move(json));
  }
  bool add(Json json) {
    if (++values_ > most_values) fail("more than " + std::to_string(most_values) + " values");
    if (stack_.empty()) {
      root_ = std::move(json);
    } else if (auto& level = stack_.back(); level.json.kind == Json::Kind::array) {
      level.json.items.push_back(std::move(json));
    } else {
      level.json.members.emplace_back(std::move(level.key), std::move(json));
    }
    return true;
  }

  const std::string& origin_;
  std::vector<Level> stack_;
  std::size_t values_ = 0;
  Json root_;
};

const char* kind_name(Json::Kind kind) {
  switch (kind) {
    case Json::Kind::null: return "null";
    case Json::Kind::boolean: return "true or false";
    case Json::Kind::integer: return "an integer";
    case Json::Kind::string: return "a string";
    case Json::Kind::array: return "an array";
    case Json::Kind::object: return "an object";
  }
  return "something else";
}

void require_kind(const Place& place, const Json& json, Json::Kind kind) {
  if (json.kind != kind) {
    place.fail(std::string("expected ") + kind_name(kind) + ", found " + kind_name(json.kind));
  }
}

}  // namespace

const Json* Json::find(std::string_view key) const {
  const auto at = std::find_if(members.begin(), members.end(), [&](const auto& member) { return member.first == key; });
  return at == members.end() ? nullptr : &at->second;
}

Json parse_json(std::string_view text, const std::string& origin) {
  // The parser takes a NUL byte for the end of its input.
  if (text.find('\0') != std::string_view::npos) {
    throw Error(Status::invalid_format, origin + ": a NUL byte in JSON text");
  }
  Builder builder(origin);
  nlohmann::json::sax_parse(text, &builder, nlohmann::json::input_format_t::json, true);
  return builder.take();
}

void Place::fail(const std::string& what) const { throw Error(Status::invalid_format, path_ + ": " + what); }

void Place::keys(const std::vector<std::string_view>& expected) const {
  require_kind(*this, *json_, Json::Kind::object);
  for (const auto& [key, value] : json_->members) {
    if (std::find(expected.begin(), expected.end(), key) == expected.end()) {
      std::string legal;
      for (const auto name : expected) legal += (legal.empty() ? "" : ", ") + std::string(name);
      fail("unknown key '" + key + "'; the keys are " + legal);
    }
  }
  for (const auto name : expected) {
    if (json_->find(name) == nullptr) fail("the key '" + std::string(name) + "' is missing");
  }
}

Place Place::member(std::string_view key) const {
  require_kind(*this, *json_, Json::Kind::object);
  const Json* found = json_->find(key);
  if (found == nullptr) fail("the key '" + std::string(key) + "' is missing");
  return Place(*found, path_ + "." + std::string(key));
}

std::vector<Place> Place::items() const {
  require_kind(*this, *json_, Json::Kind::array);
  std::vector<Place> places;
  for (std::size_t i = 0; i < json_->items.size(); ++i) {
    places.emplace_back(json_->items[i], path_ + "[" + std::to_string(i) + "]");
  }
  return places;
}

std::vector<std::pair<std::string, Place>> Place::members() const {
  require_kind(*this, *json_, Json::Kind::object);
  std::vector<std::pair<std::string, Place>> places;
  for (const auto& [key, value] : json_->members) places.emplace_back(key, Place(value, path_ + "." + key));
  return places;
}

const std::string& Place::text() const {
  require_kind(*this, *json_, Json::Kind::string);
  return json_->text;
}

bool Place::boolean() const {
  require_kind(*this, *json_, Json::Kind::boolean);
  return json_->boolean;
}

std::int64_t Place::integer() const {
  require_kind(*this, *json_, Json::Kind::integer);
  if (json_->integer > static_cast<std::uint64_t>(std::numeric_limits<std::int64_t>::max())) {
    fail("the number " + std::to_string(json_->integer) + " is larger than 2^63 - 1");
  }
  return static_cast<std::int64_t>(json_->integer);
}

std::vector<std::string> Place::texts() const {
  std::vector<std::string> found;
  for (const auto& item : items()) found.push_back(item.text());
  return found;
}

}  // namespace lavoisier::detail
