#ifndef LAVOISIER_LAW_HPP
#define LAVOISIER_LAW_HPP

#include <lavoisier/expression.hpp>
#include <lavoisier/layout.hpp>

#include <string>
#include <vector>

namespace lavoisier {

/// sum over the elements of `variable` (an output) of coefficient * element. The coefficient's dimensions are among
/// the variable's, over which it broadcasts.
struct LawTerm {
  std::string variable;
  Expression coefficient;
  bool operator==(const LawTerm&) const = default;
};

enum class LawScope {
  local,  ///< holds in every sample
  global  ///< holds for the sum over all samples of a field
};

/// A conservation law, linear in the outputs: sum of terms = right_hand_side (DESIGN, "State and laws": one row of
/// A(x) y = b(x)). The right-hand side is an expression of inputs, constants and coordinates, without dimensions.
struct Law {
  std::string name;
  std::string equation;  ///< as the scientist wrote it
  std::string units;     ///< of every term
  std::vector<LawTerm> terms;
  Expression right_hand_side;
  double physics_tolerance = 0.0;  ///< what a reference run closes to, in `units`; 0: identity tolerance
  LawScope scope = LawScope::local;
  bool operator==(const Law&) const = default;
};

/// A named number that laws use (g, cp, L); travels with the model file and is compared with the host's.
struct Constant {
  std::string name;
  std::string units;
  double value = 0.0;
  bool operator==(const Constant&) const = default;
};

/// Checks terms against a layout: outputs only, known, coefficient dimensions among the variable's; every symbol an
/// input, a constant or a coordinate. Throws Error naming law and term.
void validate_law(const Law& law, const StateLayout& layout, const std::vector<Constant>& constants);

}  // namespace lavoisier

#endif
