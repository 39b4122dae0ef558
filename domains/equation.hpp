#ifndef LAVOISIER_DOMAINS_EQUATION_HPP
#define LAVOISIER_DOMAINS_EQUATION_HPP

#include <lavoisier/law.hpp>
#include <lavoisier/status.hpp>
#include <lavoisier/units.hpp>

#include <cstddef>
#include <map>
#include <optional>
#include <string>
#include <vector>

namespace lavoisier::detail {

/// What is wrong with an equation, and at which of its characters (byte offset).
class EquationError : public Error {
 public:
  EquationError(Status status, const std::string& message, std::size_t offset)
      : Error(status, message), offset_(offset) {}
  std::size_t offset() const noexcept { return offset_; }

 private:
  std::size_t offset_;
};

/// A coefficient: a plain number as long as it is one, so that programs stay short.
struct Coefficient {
  std::optional<double> number = 0.0;
  Expression expression;

  static Coefficient of(double value) { return {value, Expression()}; }
  static Coefficient of(Expression e) { return {std::nullopt, std::move(e)}; }
  Expression get() const { return number ? Expression(*number) : expression; }
  bool is(double value) const { return number && *number == value; }
};

/// One output's part in a linear form: the sum over `summed` of coefficient * variable.
struct LinearTerm {
  std::string variable;
  Coefficient coefficient;
  std::vector<std::string> summed;
};

/// A value that is linear in the outputs: terms + constant.
struct LinearForm {
  std::vector<LinearTerm> terms;
  Coefficient constant;
  std::vector<std::string> dimensions;  ///< of the value
  Unit unit;
  bool spelt = false;                   ///< the units are a variable's or a constant's own, not a product's
  bool any_unit = false;                ///< the number 0, which agrees with everything
  bool over_columns = false;            ///< holds a sum over the columns
  std::string text;                     ///< for messages
};

/// What a name in an equation may be.
struct Symbol {
  enum class Kind { output, value, definition, array_constant, weight, step_value } kind = Kind::value;
  bool per_column = false;  ///< differs from column to column: inputs, outputs, weights
  Unit unit;
  std::vector<std::string> dimensions;
  LinearForm definition;
};

struct EquationContext {
  std::map<std::string, Symbol> symbols;
  std::vector<std::string> dimensions;
  std::vector<std::string>* notes = nullptr;  ///< conversions done, one line each
  bool reading = false;  ///< of a value that a reader makes, which is no part of a model file: array constants and functions
  bool global = false;   ///< over all columns: sum(columns, ...), mean(...), weights, step values
};

/// Reads an expression: numbers, names, + - * /, unary + and -, parentheses, sum(dimension, expression); where `reading`,
/// exp, log, sqrt, min and max too; over all columns also sum(columns, expression) and mean(weight, expression), which is
/// sum(columns, weight * expression) / sum(columns, weight). What differs from column to column then has the dimension
/// `columns`. Units are carried
/// through every operator; terms of a sum in convertible units are converted to the first one's, and noted.
/// Errors (EquationError): invalid_format (syntax, not linear, dimensions), not_found (names), unit_mismatch.
LinearForm parse_expression(const std::string& text, const EquationContext& context);

/// Reads `left = right` into a law with name, equation, units, terms and right-hand side.
Law parse_law(const std::string& name, const std::string& equation, const EquationContext& context);

/// An expression of outputs over all columns, one number a step, as a law: its value is the sum of terms - right-hand
/// side.
Law parse_total(const std::string& name, const std::string& text, const EquationContext& context);

}  // namespace lavoisier::detail

#endif
