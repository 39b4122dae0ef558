#ifndef LAVOISIER_UNITS_HPP
#define LAVOISIER_UNITS_HPP

#include <memory>
#include <optional>
#include <string>
#include <string_view>

namespace lavoisier {

/// value in the other unit = factor * value + offset.
struct UnitConversion {
  double factor = 1.0;
  double offset = 0.0;
  bool identity() const noexcept { return factor == 1.0 && offset == 0.0; }
  double operator()(double value) const noexcept { return identity() ? value : factor * value + offset; }
};

/// A unit as UDUNITS-2 reads it. Values are immutable and cheap to copy. Safe to use from several threads.
/// UDUNITS' database is read once, from UDUNITS2_XML_PATH or where the library was told at its build;
/// Error(not_found) where it isn't there. UDUNITS itself prints nothing.
class Unit {
 public:
  /// The dimensionless unit "1".
  Unit();
  /// Error(unit_mismatch) quotes a spelling that UDUNITS can't read.
  explicit Unit(const std::string& text);
  /// The same, without an error. An empty text is no unit.
  static std::optional<Unit> parse(const std::string& text);

  /// As given to the constructor; for a product or quotient UDUNITS' own spelling ("kg m-2 s-1").
  const std::string& text() const noexcept { return text_; }
  /// In base units ("kg s-3"), for messages that explain why two units differ.
  std::string base_text() const;

  /// Measured from an origin of its own (degC, degF, "hours since ..."): differences scale, values do not.
  bool has_origin() const;
  bool is_dimensionless() const;
  /// The same unit, however spelt ("W m-2" and "kg s-3").
  bool same_as(const Unit& other) const;
  /// A linear conversion exists (reciprocals and logarithms don't count).
  bool convertible_to(const Unit& other) const;
  /// Error(unit_mismatch) names both units and their base units.
  UnitConversion conversion_to(const Unit& other) const;

  friend Unit operator*(const Unit& a, const Unit& b);
  friend Unit operator/(const Unit& a, const Unit& b);
  /// The square root; Error(unit_mismatch) where it is no unit (of kg).
  Unit root() const;

 private:
  explicit Unit(std::shared_ptr<const void> unit);
  std::shared_ptr<const void> unit_;  // ut_unit
  std::string text_;
};

}  // namespace lavoisier

#endif
