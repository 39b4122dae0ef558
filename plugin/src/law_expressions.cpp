#include "law_expressions.hpp"

#include <lavoisier/status.hpp>

#include <algorithm>

namespace lavoisier::detail {
namespace {

// Largest straight-line program that a file may unroll to: a bound on what a hostile or mistaken file can make us
// allocate. 2^16 operations are far beyond any column's laws.
constexpr std::size_t largest_program = std::size_t{1} << 16;
// The same for the values met on the way.
constexpr std::size_t most_values = std::size_t{1} << 22;

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

std::int64_t product(const std::vector<std::int64_t>& extents) {
  std::int64_t size = 1;
  for (const auto extent : extents) size *= extent;
  return size;
}

}  // namespace

ScalarOperand LawExpressions::scalar(const Expression& expression, const std::string& where) {
  const Symbolic value = evaluate(expression, where);
  if (!value.dimensions.empty())
    throw Error(Status::invalid_format, where + ": expected one number, found a value over dimension '" +
                                            value.dimensions.front() + "'");
  return value.elements.front();
}

std::vector<ScalarOperand> LawExpressions::coefficients(const LawTerm& term, const std::string& where) {
  const StateLayout& layout = description_.layout;
  const Variable& variable = layout.variable(term.variable);
  const Symbolic value = evaluate(term.coefficient, where);
  const std::size_t rank = variable.dimensions.size();
  std::vector<std::int64_t> extents(rank), strides(rank, 0);
  for (std::size_t q = 0; q < rank; ++q) extents[q] = layout.dimension(variable.dimensions[q]).extent;
  std::int64_t stride = 1;
  for (std::size_t q = value.dimensions.size(); q-- > 0;) {
    const auto place = std::find(variable.dimensions.begin(), variable.dimensions.end(), value.dimensions[q]);
    if (place == variable.dimensions.end())
      throw Error(Status::invalid_format, where + ": the coefficient of '" + term.variable + "' has the dimension '" +
                                              value.dimensions[q] + "', which the variable does not have");
    strides[static_cast<std::size_t>(place - variable.dimensions.begin())] = stride;
    stride *= value.extents[q];
  }
  const std::int64_t elements = layout.elements(variable);
  if (value.dimensions.empty()) return std::vector<ScalarOperand>(static_cast<std::size_t>(elements), value.elements.front());
  count(elements, where);
  std::vector<ScalarOperand> result;
  result.reserve(static_cast<std::size_t>(elements));
  std::vector<std::int64_t> index(rank, 0);
  for (std::int64_t i = 0; i < elements; ++i) {
    std::int64_t place = 0;
    for (std::size_t q = 0; q < rank; ++q) place += index[q] * strides[q];
    result.push_back(value.elements[static_cast<std::size_t>(place)]);
    for (std::size_t q = rank; q-- > 0;) {
      if (++index[q] < extents[q]) break;
      index[q] = 0;
    }
  }
  return result;
}

ScalarOperand LawExpressions::emit(ScalarCode code, const ScalarOperand& a, const ScalarOperand& b,
                                   const std::string& where) {
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

void LawExpressions::count(std::int64_t values, const std::string& where) {
  if (values > static_cast<std::int64_t>(most_values - values_))
    throw Error(Status::unsupported, where + ": more than " + std::to_string(most_values) + " values on the way");
  values_ += static_cast<std::size_t>(values);
}

LawExpressions::Symbolic LawExpressions::symbol(const std::string& name, const std::string& where) {
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
  if (const auto at = coordinates_.find(name); at != coordinates_.end() && at->second.placed) {
    const Coordinate& coordinate = at->second;
    count(static_cast<std::int64_t>(coordinate.values.size()), where);
    Symbolic value;
    value.dimensions = coordinate.dimensions;
    value.extents = coordinate.extents;
    value.elements.resize(coordinate.values.size());
    for (std::size_t i = 0; i < coordinate.values.size(); ++i) value.elements[i].number = coordinate.values[i];
    return value;
  }
  throw Error(Status::unsupported, where + ": '" + name +
                                       "' is neither an input nor a constant, and the model file has no values of a "
                                       "coordinate of this name");
}

// Result dimensions: the left operand's, then the right one's new ones (Expression::evaluate).
LawExpressions::Symbolic LawExpressions::combine(ScalarCode code, const Symbolic& a, const Symbolic& b,
                                                 const std::string& where) {
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

LawExpressions::Symbolic LawExpressions::sum(const Symbolic& operand, const std::string& dimension,
                                             const std::string& where) {
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

LawExpressions::Symbolic LawExpressions::evaluate(const Expression& expression, const std::string& where) {
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
      case ExpressionOp::exponential:
      case ExpressionOp::logarithm:
      case ExpressionOp::square_root:
      case ExpressionOp::minimum:
      case ExpressionOp::maximum:
        throw Error(Status::invalid_format, where + ": a law holds sums, products and quotients, and no other function");
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
  return results;
}

}  // namespace lavoisier::detail
