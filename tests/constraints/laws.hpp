#ifndef LAVOISIER_TESTS_LAWS_HPP
#define LAVOISIER_TESTS_LAWS_HPP

#include <lavoisier/law.hpp>

#include <string>
#include <utility>
#include <vector>

namespace lavoisier::tests {

inline Expression symbol(const std::string& name) { return Expression::symbol(name); }
inline Expression number(double value) { return Expression(value); }

inline Law make_law(std::string name, std::vector<std::pair<std::string, Expression>> terms,
                    Expression right_hand_side = Expression(0.0)) {
  Law law;
  law.name = std::move(name);
  law.units = "W m-2";
  for (auto& [variable, coefficient] : terms) law.terms.push_back({variable, coefficient});
  law.right_hand_side = std::move(right_hand_side);
  return law;
}

inline Variable make_variable(std::string name, Role role, std::vector<std::string> dimensions = {}) {
  Variable variable;
  variable.name = std::move(name);
  variable.units = "W m-2";
  variable.role = role;
  variable.dimensions = std::move(dimensions);
  return variable;
}

}  // namespace lavoisier::tests

#endif
