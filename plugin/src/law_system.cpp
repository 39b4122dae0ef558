#include "law_system.hpp"

#include <lavoisier/status.hpp>
#include <lavoisier/tolerances.hpp>

#include <algorithm>
#include <cmath>
#include <map>

namespace lavoisier::detail {
namespace {

// Largest straight-line program that a file may unroll to: a bound on what a hostile or mistaken file can make us
// allocate. 2^16 operations are far beyond any column's laws.
constexpr std::size_t largest_program = std::size_t{1} << 16;
// The same for the values met on the way, and for the laws' coefficients (rows are dense while rank is decided).
constexpr std::size_t most_values = std::size_t{1} << 22;
constexpr std::size_t most_coefficients = std::size_t{1} << 26;

double apply(ScalarCode code, double a, double b) {
  switch (code) {
    case ScalarCode::add: return a + b;
    case ScalarCode::subtract: return a - b;
    case ScalarCode::multiply: return a * b;
    case ScalarCode::divide: return a / b;
    case ScalarCode::negate: return -a;
  }
  return 0.0;
}

/// A value of the symbolic evaluation: operands over dimensions, row-major.
struct Symbolic {
  std::vector<std::string> dimensions;
  std::vector<std::int64_t> extents;
  std::vector<ScalarOperand> elements;
};

std::int64_t product(const std::vector<std::int64_t>& extents) {
  std::int64_t size = 1;
  for (const auto extent : extents) size *= extent;
  return size;
}

class Unroller {
 public:
  Unroller(const ModelDescription& description, ScalarProgram& program)
      : description_(description), program_(program) {}

  ScalarOperand scalar(const Expression& expression, const std::string& where) {
    const Symbolic value = evaluate(expression, where);
    if (!value.dimensions.empty())
      throw Error(Status::invalid_format, where + ": expected one number, found a value over dimension '" +
                                              value.dimensions.front() + "'");
    return value.elements.front();
  }

 private:
  ScalarOperand emit(ScalarCode code, const ScalarOperand& a, const ScalarOperand& b, const std::string& where) {
    const bool unary = code == ScalarCode::negate;
    if (a.kind == ScalarOperand::Kind::number && (unary || b.kind == ScalarOperand::Kind::number)) {
      ScalarOperand folded;
      folded.number = apply(code, a.number, b.number);
      return folded;
    }
    if (program_.operations.size() >= largest_program)
      throw Error(Status::unsupported, where + ": more than " + std::to_string(largest_program) + " operations");
    program_.operations.push_back({code, a, b});
    ScalarOperand result;
    result.kind = ScalarOperand::Kind::result;
    result.index = static_cast<std::int32_t>(program_.operations.size() - 1);
    return result;
  }

  void count(std::int64_t values, const std::string& where) {
    if (values > static_cast<std::int64_t>(most_values - values_))
      throw Error(Status::unsupported, where + ": more than " + std::to_string(most_values) + " values on the way");
    values_ += static_cast<std::size_t>(values);
  }

  Symbolic symbol(const std::string& name, const std::string& where) {
    for (const auto& constant : description_.constants) {
      if (constant.name != name) continue;
      Symbolic value;
      value.elements.resize(1);
      value.elements[0].number = constant.value;
      return value;
    }
    if (description_.layout.has_variable(name)) {
      const Variable& variable = description_.layout.variable(name);
      if (variable.role == Role::input) {
        Symbolic value;
        value.dimensions = variable.dimensions;
        for (const auto& dimension : variable.dimensions) {
          const Dimension& found = description_.layout.dimension(dimension);
          if (found.ragged)
            throw Error(Status::unsupported, where + ": the ragged dimension '" + dimension + "' of '" + name + "'");
          value.extents.push_back(found.extent);
        }
        const std::int64_t offset = description_.layout.offset(name);
        const std::int64_t size = product(value.extents);
        count(size, where);
        value.elements.resize(static_cast<std::size_t>(size));
        for (std::int64_t i = 0; i < size; ++i) {
          value.elements[static_cast<std::size_t>(i)].kind = ScalarOperand::Kind::input;
          value.elements[static_cast<std::size_t>(i)].index = static_cast<std::int32_t>(offset + i);
        }
        return value;
      }
    }
    throw Error(Status::unsupported,
                where + ": '" + name + "' is neither an input nor a constant; coordinates are not supported in laws yet");
  }

  // Result dimensions: the left operand's, then the right one's new ones (Expression::evaluate).
  Symbolic combine(ScalarCode code, const Symbolic& a, const Symbolic& b, const std::string& where) {
    Symbolic result;
    result.dimensions = a.dimensions;
    result.extents = a.extents;
    for (std::size_t j = 0; j < b.dimensions.size(); ++j) {
      const auto at = std::find(a.dimensions.begin(), a.dimensions.end(), b.dimensions[j]);
      if (at == a.dimensions.end()) {
        result.dimensions.push_back(b.dimensions[j]);
        result.extents.push_back(b.extents[j]);
      } else if (a.extents[static_cast<std::size_t>(at - a.dimensions.begin())] != b.extents[j]) {
        throw Error(Status::invalid_format, where + ": dimension '" + b.dimensions[j] + "' has two extents");
      }
    }
    std::int64_t size = 1;
    for (const auto extent : result.extents) {
      size *= extent;  // both below most_values
      count(size, where);
    }
    result.elements.reserve(static_cast<std::size_t>(size));
    std::vector<std::int64_t> index(result.dimensions.size(), 0);
    const auto pick = [&](const Symbolic& operand) {
      std::int64_t flat = 0;
      for (std::size_t j = 0; j < operand.dimensions.size(); ++j) {
        const auto at = std::find(result.dimensions.begin(), result.dimensions.end(), operand.dimensions[j]);
        flat = flat * operand.extents[j] + index[static_cast<std::size_t>(at - result.dimensions.begin())];
      }
      return operand.elements[static_cast<std::size_t>(flat)];
    };
    for (std::int64_t i = 0; i < size; ++i) {
      result.elements.push_back(emit(code, pick(a), pick(b), where));
      for (std::size_t j = index.size(); j-- > 0;) {
        if (++index[j] < result.extents[j]) break;
        index[j] = 0;
      }
    }
    return result;
  }

  Symbolic sum(const Symbolic& operand, const std::string& dimension, const std::string& where) {
    const auto at = std::find(operand.dimensions.begin(), operand.dimensions.end(), dimension);
    if (at == operand.dimensions.end())
      throw Error(Status::invalid_format, where + ": sum over '" + dimension + "', which the operand does not have");
    const std::size_t axis = static_cast<std::size_t>(at - operand.dimensions.begin());
    Symbolic result;
    std::int64_t outer = 1, inner = 1;
    for (std::size_t j = 0; j < operand.dimensions.size(); ++j) {
      if (j == axis) continue;
      result.dimensions.push_back(operand.dimensions[j]);
      result.extents.push_back(operand.extents[j]);
      (j < axis ? outer : inner) *= operand.extents[j];
    }
    const std::int64_t extent = operand.extents[axis];
    for (std::int64_t o = 0; o < outer; ++o)
      for (std::int64_t i = 0; i < inner; ++i) {
        ScalarOperand total;
        for (std::int64_t e = 0; e < extent; ++e)
          total = emit(ScalarCode::add, total, operand.elements[static_cast<std::size_t>((o * extent + e) * inner + i)],
                       where);
        result.elements.push_back(total);
      }
    return result;
  }

  Symbolic evaluate(const Expression& expression, const std::string& where) {
    std::vector<Symbolic> stack;
    const auto pop = [&]() {
      if (stack.empty()) throw Error(Status::invalid_format, where + ": an operator without operands");
      Symbolic value = std::move(stack.back());
      stack.pop_back();
      return value;
    };
    for (const auto& step : expression.program()) {
      switch (step.op) {
        case ExpressionOp::number: {
          Symbolic value;
          value.elements.resize(1);
          value.elements[0].number = step.number;
          stack.push_back(std::move(value));
          break;
        }
        case ExpressionOp::symbol: stack.push_back(symbol(step.name, where)); break;
        case ExpressionOp::negate: {
          Symbolic value = pop();
          for (auto& element : value.elements) element = emit(ScalarCode::negate, element, {}, where);
          stack.push_back(std::move(value));
          break;
        }
        case ExpressionOp::sum: stack.push_back(sum(pop(), step.name, where)); break;
        case ExpressionOp::add:
        case ExpressionOp::subtract:
        case ExpressionOp::multiply:
        case ExpressionOp::divide: {
          const Symbolic right = pop();
          const Symbolic left = pop();
          const ScalarCode code = step.op == ExpressionOp::add        ? ScalarCode::add
                                  : step.op == ExpressionOp::subtract ? ScalarCode::subtract
                                  : step.op == ExpressionOp::multiply ? ScalarCode::multiply
                                                                      : ScalarCode::divide;
          stack.push_back(combine(code, left, right, where));
          break;
        }
      }
    }
    Symbolic value = pop();
    if (!stack.empty()) throw Error(Status::invalid_format, where + ": more than one value is left");
    return value;
  }

  const ModelDescription& description_;
  ScalarProgram& program_;
  std::size_t values_ = 0;
};

double value_of(const ScalarOperand& operand, const std::vector<double>& inputs, const std::vector<double>& results) {
  switch (operand.kind) {
    case ScalarOperand::Kind::number: return operand.number;
    case ScalarOperand::Kind::input: return inputs[static_cast<std::size_t>(operand.index)];
    case ScalarOperand::Kind::result: return results[static_cast<std::size_t>(operand.index)];
  }
  return 0.0;
}

std::vector<double> evaluate(const ScalarProgram& program, const std::vector<double>& inputs) {
  std::vector<double> results;
  results.reserve(program.operations.size());
  for (const auto& operation : program.operations)
    results.push_back(apply(operation.code, value_of(operation.left, inputs, results),
                            value_of(operation.right, inputs, results)));
  std::vector<double> values;
  for (const auto& result : program.results) values.push_back(value_of(result, inputs, results));
  return values;
}

}  // namespace

LawSystem compile_laws(const ModelDescription& description, const std::vector<double>& input_minimum,
                       const std::vector<double>& input_maximum) {
  LawSystem system;
  const StateLayout& layout = description.layout;
  const auto outputs = static_cast<std::size_t>(layout.elements(Role::output));
  Unroller unroller(description, system.right_hand_side);

  std::vector<std::vector<double>> rows;  // dense, one a law
  if (!description.laws.empty() && outputs > most_coefficients / description.laws.size())
    throw Error(Status::unsupported, std::to_string(description.laws.size()) + " laws over " + std::to_string(outputs) +
                                         " output elements: more than this release can hold");
  system.term_begin.push_back(0);
  for (const auto& law : description.laws) {
    const std::string where = "law '" + law.name + "'";
    if (law.scope == LawScope::global)
      throw Error(Status::unsupported, where + " holds for the sum over all columns; this release runs local laws only");
    std::vector<double> row(outputs, 0.0);
    for (const auto& term : law.terms) {
      if (!layout.has_variable(term.variable) || layout.variable(term.variable).role != Role::output)
        throw Error(Status::invalid_format, where + ": '" + term.variable + "' is no output");
      bool constant = term.coefficient.is_constant();
      double coefficient = 0.0;
      if (constant) {
        coefficient = term.coefficient.evaluate_constant();
      } else {
        // Products of numbers and named constants are constant too.
        ScalarProgram scratch;
        Unroller folder(description, scratch);
        const auto symbols = term.coefficient.symbols();
        constant = std::all_of(symbols.begin(), symbols.end(), [&](const std::string& symbol) {
          return std::any_of(description.constants.begin(), description.constants.end(),
                             [&](const Constant& c) { return c.name == symbol; });
        });
        if (constant) coefficient = folder.scalar(term.coefficient, where).number;
      }
      if (!constant)
        throw Error(Status::unsupported, where + ": the coefficient of '" + term.variable + "' (" +
                                             term.coefficient.text() +
                                             ") varies by column; this release runs constant coefficients only");
      if (!std::isfinite(coefficient))
        throw Error(Status::non_finite, where + ": the coefficient of '" + term.variable + "' is not finite");
      const std::int64_t offset = layout.offset(term.variable);
      const std::int64_t elements = layout.elements(layout.variable(term.variable));
      if (static_cast<std::size_t>(elements) > most_coefficients - system.term_element.size())
        throw Error(Status::unsupported, where + ": more coefficients than this release can hold");
      for (std::int64_t e = 0; e < elements; ++e) {
        system.term_element.push_back(static_cast<std::int32_t>(offset + e));
        system.term_coefficient.push_back(coefficient);
        row[static_cast<std::size_t>(offset + e)] += coefficient;
      }
    }
    system.term_begin.push_back(static_cast<std::int32_t>(system.term_element.size()));
    system.right_hand_side.results.push_back(unroller.scalar(law.right_hand_side, where));
    system.laws.push_back({law.name, law.equation, law.units, law.physics_tolerance});
    rows.push_back(std::move(row));
  }

  // Independent rows: each scaled to unit norm and freed, twice, from the rows kept before it (as
  // constraints/LinearConstraints decides). A dependent row must agree with them in its right-hand side too: that is
  // looked at in four points of the training range.
  std::vector<std::vector<double>> basis, combination;  // orthonormal rows, and each in terms of the kept rows
  for (std::size_t l = 0; l < rows.size(); ++l) {
    // Squares of coefficients may leave the range of double; their ratios to the largest don't.
    double largest = 0.0, norm = 0.0;
    for (const double a : rows[l]) largest = std::max(largest, std::abs(a));
    for (const double a : rows[l])
      if (a != 0.0) norm += (a / largest) * (a / largest);
    norm = largest * std::sqrt(norm);
    if (!std::isfinite(norm))
      throw Error(Status::non_finite, "law '" + system.laws[l].name + "': its coefficients are not finite together");
    if (!(norm > 0.0)) throw Error(Status::invalid_format, "law '" + system.laws[l].name + "' has no coefficient but zero");
    std::vector<double> rest(rows[l]);
    for (double& a : rest) a /= norm;
    std::vector<double> weights(basis.size(), 0.0);
    for (int pass = 0; pass < 2; ++pass)
      for (std::size_t b = 0; b < basis.size(); ++b) {
        double dot = 0.0;
        for (std::size_t i = 0; i < outputs; ++i) dot += rest[i] * basis[b][i];
        for (std::size_t i = 0; i < outputs; ++i) rest[i] -= dot * basis[b][i];
        weights[b] += dot;
      }
    double left = 0.0;
    for (const double a : rest) left += a * a;
    left = std::sqrt(left);
    // The row as scaled = sum weights[b] basis[b] (+ left * new basis row).
    std::vector<double> in_rows(system.row_law.size() + 1, 0.0);  // -> in terms of kept rows (unscaled)
    for (std::size_t b = 0; b < basis.size(); ++b)
      for (std::size_t j = 0; j < combination[b].size(); ++j) in_rows[j] += weights[b] * combination[b][j];
    if (left > tolerances::identity::rank) {
      for (double& a : rest) a /= left;
      std::vector<double> own(system.row_law.size() + 1, 0.0);
      for (std::size_t j = 0; j + 1 < own.size(); ++j) own[j] = -in_rows[j] / left;
      own.back() = 1.0 / (norm * left);
      basis.push_back(std::move(rest));
      combination.push_back(std::move(own));
      system.row_law.push_back(static_cast<std::int32_t>(l));
      continue;
    }
    for (int point = 0; point < 4; ++point) {
      std::vector<double> inputs(input_minimum.size());
      for (std::size_t i = 0; i < inputs.size(); ++i) {
        const double t = 0.25 * point + 0.6180339887 * static_cast<double>(i);
        inputs[i] = input_minimum[i] + (t - std::floor(t)) * (input_maximum[i] - input_minimum[i]);
      }
      const std::vector<double> d = evaluate(system.right_hand_side, inputs);
      double implied = 0.0, size = std::abs(d[l]);
      std::string names;
      for (std::size_t j = 0; j < system.row_law.size(); ++j) {
        const double part = norm * in_rows[j] * d[static_cast<std::size_t>(system.row_law[j])];
        implied += part;
        size += std::abs(part);
        if (std::abs(in_rows[j]) > tolerances::identity::rank)
          names += (names.empty() ? "'" : ", '") + system.laws[static_cast<std::size_t>(system.row_law[j])].name + "'";
      }
      if (std::abs(implied - d[l]) > 1e-9 * size)
        throw Error(Status::inconsistent_laws, "law '" + system.laws[l].name + "' contradicts " + names);
    }
  }

  // Rows, columns and products of A.
  const std::size_t m = system.row_law.size();
  system.row_begin.push_back(0);
  for (std::size_t k = 0; k < m; ++k) {
    const auto& row = rows[static_cast<std::size_t>(system.row_law[k])];
    for (std::size_t i = 0; i < outputs; ++i) {
      if (row[i] == 0.0) continue;
      system.row_element.push_back(static_cast<std::int32_t>(i));
      system.row_coefficient.push_back(row[i]);
    }
    system.row_begin.push_back(static_cast<std::int32_t>(system.row_element.size()));
  }
  system.column_begin.push_back(0);
  for (std::size_t i = 0; i < outputs; ++i) {
    for (std::size_t k = 0; k < m; ++k) {
      const double a = rows[static_cast<std::size_t>(system.row_law[k])][i];
      if (a == 0.0) continue;
      system.column_row.push_back(static_cast<std::int32_t>(k));
      system.column_coefficient.push_back(a);
    }
    system.column_begin.push_back(static_cast<std::int32_t>(system.column_row.size()));
  }
  system.pair_begin.push_back(0);
  for (std::size_t k = 0; k < m; ++k)
    for (std::size_t l = 0; l <= k; ++l) {
      const auto& a = rows[static_cast<std::size_t>(system.row_law[k])];
      const auto& b = rows[static_cast<std::size_t>(system.row_law[l])];
      for (std::size_t i = 0; i < outputs; ++i) {
        if (a[i] == 0.0 || b[i] == 0.0) continue;
        system.pair_element.push_back(static_cast<std::int32_t>(i));
        system.pair_product.push_back(a[i] * b[i]);
      }
      system.pair_begin.push_back(static_cast<std::int32_t>(system.pair_element.size()));
    }
  return system;
}

}  // namespace lavoisier::detail
