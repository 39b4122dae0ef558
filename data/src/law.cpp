#include <lavoisier/column_sums.hpp>
#include <lavoisier/law.hpp>
#include <lavoisier/status.hpp>

#include <algorithm>
#include <cmath>
#include <optional>

namespace lavoisier {

namespace {

// The dimensions of a value, or nothing where they are not known before the host registers a coordinate.
using Dimensions = std::optional<std::vector<std::string>>;

struct Checker {
  const StateLayout& layout;
  const std::vector<Constant>& constants;
  bool global = false;  ///< may sum over the columns, and name what belongs to them (diagnostics: weights)

  bool is_dimension(const std::string& name) const {
    return std::any_of(layout.dimensions().begin(), layout.dimensions().end(),
                       [&](const Dimension& d) { return d.name == name; });
  }

  bool is_coordinate(const std::string& name) const {
    return std::any_of(layout.variables().begin(), layout.variables().end(), [&](const Variable& v) {
      return std::find(v.coordinates.begin(), v.coordinates.end(), name) != v.coordinates.end();
    });
  }

  std::vector<std::string> known_names() const {
    std::vector<std::string> names;
    for (const auto& c : constants) names.push_back(c.name);
    for (const auto& d : layout.dimensions()) names.push_back(d.name);
    for (const auto& v : layout.variables()) {
      if (v.role == Role::input || (global && v.role == Role::diagnostic)) names.push_back(v.name);
      names.insert(names.end(), v.coordinates.begin(), v.coordinates.end());
    }
    return names;
  }

  Dimensions dimensions_of_symbol(const std::string& name, const std::string& where) const {
    if (std::any_of(constants.begin(), constants.end(), [&](const Constant& c) { return c.name == name; })) {
      return std::vector<std::string>{};
    }
    if (layout.has_variable(name)) {
      const Variable& variable = layout.variable(name);
      if (variable.role == Role::output) {
        throw Error(Status::invalid_argument, where + " contains the output '" + name +
                                                  "': a law must be linear in the outputs (no product or quotient of "
                                                  "two, no division by one)");
      }
      if (variable.role == Role::input || global || is_coordinate(name) || is_dimension(name)) return variable.dimensions;
      throw Error(Status::invalid_argument, where + " contains the diagnostic '" + name +
                                                "'; only inputs, constants and coordinates are known to a model");
    }
    if (is_dimension(name)) return std::vector<std::string>{name};
    if (is_coordinate(name)) return std::nullopt;
    const std::string nearest = nearest_name(name, known_names());
    throw Error(Status::not_found, where + " contains '" + name + "', which is no input, constant or coordinate" +
                                       (nearest.empty() ? std::string() : "; did you mean '" + nearest + "'?"));
  }

  Dimensions dimensions_of(const Expression& expression, const std::string& where) const {
    if (expression.has_functions())
      throw Error(Status::unsupported, where + " is " + expression.text() +
                                           ": a law holds sums, products and quotients, and no other function");
    std::vector<Dimensions> stack;
    for (const auto& step : expression.program()) {
      switch (step.op) {
        case ExpressionOp::number:
          stack.emplace_back(std::vector<std::string>{});
          break;
        case ExpressionOp::symbol:
          stack.push_back(dimensions_of_symbol(step.name, where));
          break;
        case ExpressionOp::negate:
          break;
        case ExpressionOp::sum: {
          auto& operand = stack.back();
          if (global && step.name == columns_dimension) break;  // every value there is one a column
          if (!is_dimension(step.name)) {
            throw Error(Status::not_found,
                        where + " sums over '" + step.name + "', which the layout does not declare as a dimension");
          }
          if (operand) {
            const auto at = std::find(operand->begin(), operand->end(), step.name);
            if (at == operand->end()) {
              throw Error(Status::shape_mismatch,
                          where + " sums over the dimension '" + step.name + "', which its operand does not have");
            }
            operand->erase(at);
          }
          break;
        }
        default: {
          const Dimensions right = std::move(stack.back());
          stack.pop_back();
          auto& left = stack.back();
          if (!left || !right) {
            left.reset();
          } else {
            for (const auto& name : *right) {
              if (std::find(left->begin(), left->end(), name) == left->end()) left->push_back(name);
            }
          }
        }
      }
    }
    return stack.back();
  }
};

}  // namespace

void validate_law(const Law& law, const StateLayout& layout, const std::vector<Constant>& constants) {
  if (law.name.empty()) {
    throw Error(Status::invalid_argument, "a law has no name (its equation is '" + law.equation + "')");
  }
  const std::string law_text = "law '" + law.name + "'";
  if (law.terms.empty()) {
    throw Error(Status::invalid_argument, law_text + " has no term with an output: nothing can be made to obey it");
  }
  if (!std::isfinite(law.physics_tolerance) || law.physics_tolerance < 0.0) {
    throw Error(Status::invalid_argument, law_text + " has the physics tolerance " +
                                              std::to_string(law.physics_tolerance) + "; expected 0 or more");
  }
  const Checker checker{layout, constants, law.scope == LawScope::global};
  if (checker.global && checker.is_dimension(columns_dimension)) {
    throw Error(Status::invalid_argument, law_text + " is over all columns, so no dimension may be called '" +
                                              columns_dimension + "'");
  }
  for (std::size_t i = 0; i < law.terms.size(); ++i) {
    const LawTerm& term = law.terms[i];
    const std::string where = law_text + ", term " + std::to_string(i + 1) + " ('" + term.variable + "')";
    if (!layout.has_variable(term.variable)) {
      std::vector<std::string> outputs;
      for (const auto& v : layout.with_role(Role::output)) outputs.push_back(v.name);
      const std::string nearest = nearest_name(term.variable, outputs);
      throw Error(Status::not_found, where + ": the layout has no such variable" +
                                         (nearest.empty() ? std::string() : "; did you mean '" + nearest + "'?"));
    }
    const Variable& variable = layout.variable(term.variable);
    if (variable.role != Role::output) {
      throw Error(Status::invalid_argument, where + ": expected an output, found a variable of role " +
                                                to_string(variable.role) + "; it belongs on the right-hand side");
    }
    const auto dimensions = checker.dimensions_of(term.coefficient, where + ": the coefficient");
    if (!dimensions) continue;
    for (const auto& name : *dimensions) {
      if (std::find(variable.dimensions.begin(), variable.dimensions.end(), name) == variable.dimensions.end()) {
        throw Error(Status::shape_mismatch, where + ": the coefficient has the dimension '" + name +
                                                "', which the variable does not have");
      }
    }
  }
  const auto dimensions = checker.dimensions_of(law.right_hand_side, law_text + ": the right-hand side");
  if (dimensions && !dimensions->empty()) {
    throw Error(Status::shape_mismatch, law_text + ": the right-hand side must be a single number; it has the dimension '" +
                                            dimensions->front() + "' (sum over it)");
  }
}

}  // namespace lavoisier
