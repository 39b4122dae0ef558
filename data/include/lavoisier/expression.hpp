#ifndef LAVOISIER_EXPRESSION_HPP
#define LAVOISIER_EXPRESSION_HPP

#include <cstdint>
#include <functional>
#include <span>
#include <string>
#include <vector>

namespace lavoisier {

/// The last five are for values that a reader makes (inputs of a domain): laws and model files have none of them.
enum class ExpressionOp {
  number, symbol, add, subtract, multiply, divide, negate, sum,
  exponential, logarithm, square_root, minimum, maximum
};

/// One step of a postfix program.
struct ExpressionStep {
  ExpressionOp op = ExpressionOp::number;
  double number = 0.0;  ///< for number
  std::string name;     ///< symbol: the variable, constant or coordinate; sum: the dimension summed over
  bool operator==(const ExpressionStep&) const = default;
};

/// A value over named dimensions, row-major in the order of `dimensions`; no dimensions: one number.
/// `valid` is empty (all valid) or holds one flag an element: masked cells are skipped by sums.
struct ExpressionValue {
  std::vector<std::string> dimensions;
  std::vector<std::int64_t> extents;
  std::vector<double> values;
  std::vector<std::uint8_t> valid;
};

/// Looks a symbol up for one sample; throws Error(not_found) for an unknown one.
using SymbolLookup = std::function<ExpressionValue(const std::string& name)>;

/// A typed expression of inputs, constants and coordinates: numbers, + - x /, unary -, sums over named dimensions in
/// index order with masked cells skipped; in a law no other function (DESIGN, "State and laws"). Evaluated in FP64, the
/// same operations in the same order everywhere, so that constraints, models and plugin agree bit for bit.
class Expression {
 public:
  Expression() : Expression(0.0) {}
  explicit Expression(double number);
  /// From a stored program; throws Error(invalid_format) if it does not leave exactly one value.
  explicit Expression(std::vector<ExpressionStep> program);

  static Expression symbol(std::string name);
  static Expression sum(std::string dimension, const Expression& operand);
  /// `op` is one of the last five: of one operand, of two for minimum and maximum.
  static Expression function(ExpressionOp op, const std::vector<Expression>& operands);

  friend Expression operator+(const Expression& a, const Expression& b);
  friend Expression operator-(const Expression& a, const Expression& b);
  friend Expression operator*(const Expression& a, const Expression& b);
  friend Expression operator/(const Expression& a, const Expression& b);
  friend Expression operator-(const Expression& a);
  bool operator==(const Expression&) const = default;

  const std::vector<ExpressionStep>& program() const noexcept { return program_; }
  bool is_constant() const noexcept;             ///< no symbols and no sums
  bool has_functions() const noexcept;           ///< other than sums
  std::vector<std::string> symbols() const;      ///< each once, in order of first use
  std::string text() const;                      ///< infix, for people

  /// Value for one sample. Operands broadcast over each other's dimensions (result: lhs dimensions, then rhs's new
  /// ones). A sum starts from 0; one whose cells are all masked is masked, one over no cell is 0. Errors: not_found
  /// (symbol), shape_mismatch (one dimension with two extents; sum over a missing one).
  ExpressionValue evaluate(const SymbolLookup& lookup) const;
  /// evaluate() of an expression that has no dimensions; shape_mismatch otherwise, non_finite where it is masked.
  double evaluate_scalar(const SymbolLookup& lookup) const;
  double evaluate_constant() const;              ///< of a constant expression; invalid_argument otherwise

 private:
  std::vector<ExpressionStep> program_;
};

}  // namespace lavoisier

#endif
