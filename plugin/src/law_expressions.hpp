#ifndef LAVOISIER_PLUGIN_LAW_EXPRESSIONS_HPP
#define LAVOISIER_PLUGIN_LAW_EXPRESSIONS_HPP

#include "law_system.hpp"

#include <cstddef>
#include <string>
#include <vector>

namespace lavoisier::detail {

/// Unrolls expressions of laws into a straight-line program: dimensions are gone, constants and coordinates are numbers,
/// and what is made of numbers alone is a number.
class LawExpressions {
 public:
  /// Adds to `program`. All three must outlive this object.
  LawExpressions(const ModelDescription& description, const Coordinates& coordinates, ScalarProgram& program)
      : description_(description), coordinates_(coordinates), program_(program) {}

  /// Of an expression without dimensions. Errors name `where`: invalid_format, unsupported.
  ScalarOperand scalar(const Expression& expression, const std::string& where);
  /// The coefficient of every element of the term's variable, row-major; over dimensions that the expression lacks it
  /// repeats.
  std::vector<ScalarOperand> coefficients(const LawTerm& term, const std::string& where);
  /// a + b
  ScalarOperand sum(const ScalarOperand& a, const ScalarOperand& b, const std::string& where) {
    return emit(ScalarCode::add, a, b, where);
  }

 private:
  /// A value of the symbolic evaluation: operands over dimensions, row-major.
  struct Symbolic {
    std::vector<std::string> dimensions;
    std::vector<std::int64_t> extents;
    std::vector<ScalarOperand> elements;
  };
  ScalarOperand emit(ScalarCode code, const ScalarOperand& a, const ScalarOperand& b, const std::string& where);
  void count(std::int64_t values, const std::string& where);
  Symbolic symbol(const std::string& name, const std::string& where);
  Symbolic combine(ScalarCode code, const Symbolic& a, const Symbolic& b, const std::string& where);
  Symbolic sum(const Symbolic& operand, const std::string& dimension, const std::string& where);
  Symbolic evaluate(const Expression& expression, const std::string& where);

  const ModelDescription& description_;
  const Coordinates& coordinates_;
  ScalarProgram& program_;
  std::size_t values_ = 0;
};

/// The results of all operations for one column's inputs, and an operand's value among them.
std::vector<double> evaluate(const ScalarProgram& program, const std::vector<double>& inputs);
double value_of(const ScalarOperand& operand, const std::vector<double>& inputs, const std::vector<double>& results);

}  // namespace lavoisier::detail

#endif
