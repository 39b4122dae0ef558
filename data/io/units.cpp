#include <lavoisier/status.hpp>
#include <lavoisier/units.hpp>

#include <udunits2.h>

#include <algorithm>
#include <cmath>
#include <cstdlib>
#include <mutex>
#include <sstream>
#include <vector>

namespace lavoisier {
namespace {

// UDUNITS keeps its status and its parser's state in globals.
std::mutex& udunits_mutex() {
  static std::mutex mutex;
  return mutex;
}

ut_system* system_locked() {
  static ut_system* const system = [] {
    ut_set_error_message_handler(ut_ignore);
    return ut_read_xml(nullptr);
  }();
  if (system == nullptr) {
    const char* const path = std::getenv("UDUNITS2_XML_PATH");
    throw Error(Status::not_found,
                std::string("expected UDUNITS' unit database ") +
                    (path != nullptr ? "where UDUNITS2_XML_PATH says (" + std::string(path) + ")"
                                     : "where the UDUNITS library was told at its build") +
                    ", found none; install libudunits2-data or set UDUNITS2_XML_PATH to udunits2.xml");
  }
  return system;
}

const ut_unit* raw(const std::shared_ptr<const void>& unit) { return static_cast<const ut_unit*>(unit.get()); }

std::shared_ptr<const void> own(ut_unit* unit) {
  return {unit, [](const void* p) {
            const std::lock_guard lock(udunits_mutex());
            ut_free(const_cast<ut_unit*>(static_cast<const ut_unit*>(p)));
          }};
}

std::string format_locked(const ut_unit* unit, unsigned options) {
  std::string buffer(256, '\0');
  while (true) {
    const int length = ut_format(unit, buffer.data(), buffer.size(), UT_ASCII | options);
    if (length < 0) return "(a unit without a spelling)";
    if (static_cast<std::size_t>(length) < buffer.size()) {
      buffer.resize(static_cast<std::size_t>(length));
      break;
    }
    buffer.assign(static_cast<std::size_t>(length) + 1, '\0');
  }
  // UDUNITS joins factors with a full stop in an order of its own; people write a space, and what divides last.
  const auto is_digit = [](char c) { return c >= '0' && c <= '9'; };
  for (std::size_t i = 1; i + 1 < buffer.size(); ++i)
    if (buffer[i] == '.' && !is_digit(buffer[i + 1])) buffer[i] = ' ';
  if (buffer.find_first_of("()@") != std::string::npos) return buffer;
  std::vector<std::string> factors;
  std::istringstream words(buffer);
  for (std::string word; words >> word;) factors.push_back(word);
  const auto rank = [&](const std::string& f) { return is_digit(f.front()) ? 0 : f.find('-') == std::string::npos ? 1 : 2; };
  std::stable_sort(factors.begin(), factors.end(),
                   [&](const std::string& a, const std::string& b) { return rank(a) < rank(b); });
  std::string text;
  for (const auto& factor : factors) text += (text.empty() ? "" : " ") + factor;
  return text;
}

// A unit's scale alone: a product drops the origin.
ut_unit* without_origin_locked(const ut_unit* unit) {
  return ut_multiply(unit, ut_get_dimensionless_unit_one(ut_get_system(unit)));
}

std::optional<UnitConversion> conversion_locked(const ut_unit* from, const ut_unit* to) {
  if (ut_compare(from, to) == 0) return UnitConversion{};
  if (ut_are_convertible(from, to) == 0) return std::nullopt;
  cv_converter* const full = ut_get_converter(const_cast<ut_unit*>(from), const_cast<ut_unit*>(to));
  if (full == nullptr) return std::nullopt;
  const double at_zero = cv_convert_double(full, 0.0);
  const double at_one = cv_convert_double(full, 1.0);
  const double at_two = cv_convert_double(full, 2.0);
  cv_free(full);
  // UDUNITS also converts between reciprocals (s and Hz) and logarithms; neither is a conversion of a quantity.
  if (!std::isfinite(at_zero) || !std::isfinite(at_one) || !std::isfinite(at_two)) return std::nullopt;
  const double size = std::abs(at_zero) + std::abs(at_one) + std::abs(at_two);
  if (std::abs((at_two - at_one) - (at_one - at_zero)) > 1e-9 * size) return std::nullopt;
  if (at_zero == 0.0) return UnitConversion{at_one, 0.0};
  // With an origin the difference at_one - at_zero would cancel: take the scale from the units without origin.
  double factor = at_one - at_zero;
  ut_unit* const from_scale = without_origin_locked(from);
  ut_unit* const to_scale = without_origin_locked(to);
  if (from_scale != nullptr && to_scale != nullptr) {
    if (cv_converter* const scale = ut_get_converter(from_scale, to_scale)) {
      const double exact = cv_convert_double(scale, 1.0);
      if (std::abs(exact - factor) <= 1e-9 * (std::abs(exact) + std::abs(at_zero))) factor = exact;
      cv_free(scale);
    }
  }
  ut_free(from_scale);
  ut_free(to_scale);
  return UnitConversion{factor, at_zero};
}

// Blanks at the ends mean nothing to a person and stop UDUNITS.
std::string trimmed(const std::string& text) {
  const auto first = text.find_first_not_of(" \t");
  if (first == std::string::npos) return {};
  return text.substr(first, text.find_last_not_of(" \t") - first + 1);
}

}  // namespace

Unit::Unit() : text_("1") {
  static const std::shared_ptr<const void> one = [] {
    const std::lock_guard lock(udunits_mutex());
    // Never freed: units may outlive every other static.
    return std::shared_ptr<const void>(ut_get_dimensionless_unit_one(system_locked()), [](const void*) {});
  }();
  unit_ = one;
}

Unit::Unit(std::shared_ptr<const void> unit) : unit_(std::move(unit)) {
  const std::lock_guard lock(udunits_mutex());
  text_ = format_locked(raw(unit_), 0);
}

std::optional<Unit> Unit::parse(const std::string& text) {
  const std::string spelling = trimmed(text);
  if (spelling.empty()) return std::nullopt;
  ut_unit* unit = nullptr;
  {
    const std::lock_guard lock(udunits_mutex());
    unit = ut_parse(system_locked(), spelling.c_str(), UT_UTF8);
  }
  if (unit == nullptr) return std::nullopt;
  Unit result;
  result.unit_ = own(unit);
  result.text_ = spelling;
  return result;
}

Unit::Unit(const std::string& text) : Unit() {
  auto unit = parse(text);
  if (!unit) throw Error(Status::unit_mismatch, "expected units that UDUNITS can read, found \"" + text + "\"");
  *this = std::move(*unit);
}

std::string Unit::base_text() const {
  const std::lock_guard lock(udunits_mutex());
  return format_locked(raw(unit_), UT_DEFINITION);
}

bool Unit::has_origin() const {
  const std::lock_guard lock(udunits_mutex());
  ut_unit* const scale = without_origin_locked(raw(unit_));
  if (scale == nullptr) return true;  // logarithms and times since a date
  const auto conversion = conversion_locked(raw(unit_), scale);
  ut_free(scale);
  return !conversion || conversion->offset != 0.0;
}

bool Unit::is_dimensionless() const {
  const std::lock_guard lock(udunits_mutex());
  return ut_is_dimensionless(raw(unit_)) != 0;
}

bool Unit::same_as(const Unit& other) const {
  const std::lock_guard lock(udunits_mutex());
  const auto conversion = conversion_locked(raw(unit_), raw(other.unit_));
  return conversion && conversion->identity();
}

bool Unit::convertible_to(const Unit& other) const {
  const std::lock_guard lock(udunits_mutex());
  return conversion_locked(raw(unit_), raw(other.unit_)).has_value();
}

UnitConversion Unit::conversion_to(const Unit& other) const {
  {
    const std::lock_guard lock(udunits_mutex());
    if (const auto conversion = conversion_locked(raw(unit_), raw(other.unit_))) return *conversion;
  }
  throw Error(Status::unit_mismatch, "\"" + text_ + "\" (" + base_text() + ") cannot be converted to \"" +
                                         other.text_ + "\" (" + other.base_text() + ")");
}

Unit operator*(const Unit& a, const Unit& b) {
  ut_unit* unit = nullptr;
  {
    const std::lock_guard lock(udunits_mutex());
    unit = ut_multiply(raw(a.unit_), raw(b.unit_));
  }
  if (unit == nullptr)
    throw Error(Status::unit_mismatch, "units \"" + a.text_ + "\" and \"" + b.text_ + "\" cannot be multiplied");
  return Unit(own(unit));
}

Unit operator/(const Unit& a, const Unit& b) {
  ut_unit* unit = nullptr;
  {
    const std::lock_guard lock(udunits_mutex());
    unit = ut_divide(raw(a.unit_), raw(b.unit_));
  }
  if (unit == nullptr)
    throw Error(Status::unit_mismatch, "units \"" + a.text_ + "\" cannot be divided by \"" + b.text_ + "\"");
  return Unit(own(unit));
}

Unit Unit::root() const {
  ut_unit* unit = nullptr;
  {
    const std::lock_guard lock(udunits_mutex());
    unit = ut_root(raw(unit_), 2);
  }
  if (unit == nullptr) throw Error(Status::unit_mismatch, "\"" + text_ + "\" has no square root among units");
  return Unit(own(unit));
}

}  // namespace lavoisier
