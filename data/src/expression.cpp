#include <lavoisier/expression.hpp>
#include <lavoisier/status.hpp>

#include <algorithm>
#include <charconv>
#include <cmath>

namespace lavoisier {

namespace {

// A real law needs dozens of steps; the bound keeps a hostile file from costing quadratic time.
constexpr std::size_t longest_program = 65536;

std::vector<ExpressionStep> joined(const Expression& a, const Expression& b, ExpressionOp op) {
  std::vector<ExpressionStep> program = a.program();
  program.insert(program.end(), b.program().begin(), b.program().end());
  program.push_back({op, 0.0, {}});
  return program;
}

std::string shape_text(const ExpressionValue& value) {
  if (value.dimensions.empty()) return "a single number";
  std::string text = "(";
  for (std::size_t i = 0; i < value.dimensions.size(); ++i) {
    text += (i == 0 ? "" : ", ") + value.dimensions[i] + " " + std::to_string(value.extents[i]);
  }
  return text + ")";
}

void check_value(const ExpressionValue& value, const std::string& name) {
  std::size_t count = 1;
  bool good = value.dimensions.size() == value.extents.size();
  for (std::size_t i = 0; good && i < value.extents.size(); ++i) {
    good = value.extents[i] >= 0 &&
           std::find(value.dimensions.begin(), value.dimensions.begin() + static_cast<std::ptrdiff_t>(i),
                     value.dimensions[i]) == value.dimensions.begin() + static_cast<std::ptrdiff_t>(i);
    count *= static_cast<std::size_t>(std::max<std::int64_t>(value.extents[i], 0));
  }
  if (!good || value.values.size() != count || (!value.valid.empty() && value.valid.size() != count)) {
    throw Error(Status::shape_mismatch, "symbol '" + name + "' was given " + std::to_string(value.values.size()) +
                                            " values and " + std::to_string(value.valid.size()) +
                                            " validity flags; its dimensions and extents need " +
                                            std::to_string(count) + " (no dimension twice)");
  }
}

double apply(ExpressionOp op, double a, double b) {
  switch (op) {
    case ExpressionOp::add: return a + b;
    case ExpressionOp::subtract: return a - b;
    case ExpressionOp::multiply: return a * b;
    case ExpressionOp::minimum: return std::isnan(a) || a < b ? a : b;  // not a number stays so, whichever it is
    case ExpressionOp::maximum: return std::isnan(a) || a > b ? a : b;
    default: return a / b;
  }
}

double apply(ExpressionOp op, double a) {
  switch (op) {
    case ExpressionOp::exponential: return std::exp(a);
    case ExpressionOp::logarithm: return std::log(a);
    case ExpressionOp::square_root: return std::sqrt(a);
    default: return -a;
  }
}

bool is_function(ExpressionOp op) { return op >= ExpressionOp::exponential; }
bool has_two_operands(ExpressionOp op) { return op == ExpressionOp::minimum || op == ExpressionOp::maximum; }

const char* function_name(ExpressionOp op) {
  switch (op) {
    case ExpressionOp::exponential: return "exp";
    case ExpressionOp::logarithm: return "log";
    case ExpressionOp::square_root: return "sqrt";
    case ExpressionOp::minimum: return "min";
    default: return "max";
  }
}

// How far one step along each dimension of the result moves in the operand; 0 where the operand lacks it.
std::vector<std::size_t> strides_in(const ExpressionValue& operand, const ExpressionValue& result) {
  std::vector<std::size_t> strides(result.dimensions.size(), 0);
  std::size_t stride = 1;
  for (std::size_t i = operand.dimensions.size(); i-- > 0;) {
    const auto at = std::find(result.dimensions.begin(), result.dimensions.end(), operand.dimensions[i]);
    strides[static_cast<std::size_t>(at - result.dimensions.begin())] = stride;
    stride *= static_cast<std::size_t>(operand.extents[i]);
  }
  return strides;
}

ExpressionValue combine(ExpressionOp op, const ExpressionValue& a, const ExpressionValue& b) {
  ExpressionValue result;
  result.dimensions = a.dimensions;
  result.extents = a.extents;
  for (std::size_t i = 0; i < b.dimensions.size(); ++i) {
    const auto at = std::find(a.dimensions.begin(), a.dimensions.end(), b.dimensions[i]);
    if (at == a.dimensions.end()) {
      result.dimensions.push_back(b.dimensions[i]);
      result.extents.push_back(b.extents[i]);
    } else if (a.extents[static_cast<std::size_t>(at - a.dimensions.begin())] != b.extents[i]) {
      throw Error(Status::shape_mismatch, "dimension '" + b.dimensions[i] + "' has two extents in one expression: " +
                                              shape_text(a) + " and " + shape_text(b));
    }
  }
  std::size_t count = 1;
  for (const auto extent : result.extents) count *= static_cast<std::size_t>(extent);
  const bool masked = !a.valid.empty() || !b.valid.empty();
  result.values.resize(count);
  if (masked) result.valid.resize(count);
  const auto a_strides = strides_in(a, result);
  const auto b_strides = strides_in(b, result);
  std::vector<std::int64_t> index(result.dimensions.size(), 0);
  std::size_t at_a = 0, at_b = 0;
  for (std::size_t i = 0; i < count; ++i) {
    result.values[i] = apply(op, a.values[at_a], b.values[at_b]);
    if (masked) {
      result.valid[i] = static_cast<std::uint8_t>((a.valid.empty() || a.valid[at_a] != 0) &&
                                                  (b.valid.empty() || b.valid[at_b] != 0));
    }
    for (std::size_t d = index.size(); d-- > 0;) {
      at_a += a_strides[d];
      at_b += b_strides[d];
      if (++index[d] < result.extents[d]) break;
      at_a -= a_strides[d] * static_cast<std::size_t>(result.extents[d]);
      at_b -= b_strides[d] * static_cast<std::size_t>(result.extents[d]);
      index[d] = 0;
    }
  }
  return result;
}

ExpressionValue sum_over(const std::string& dimension, const ExpressionValue& operand) {
  const auto at = std::find(operand.dimensions.begin(), operand.dimensions.end(), dimension);
  if (at == operand.dimensions.end()) {
    throw Error(Status::shape_mismatch,
                "sum over dimension '" + dimension + "', which its operand does not have: " + shape_text(operand));
  }
  const auto axis = static_cast<std::size_t>(at - operand.dimensions.begin());
  std::size_t outer = 1, inner = 1;
  const auto extent = static_cast<std::size_t>(operand.extents[axis]);
  for (std::size_t i = 0; i < axis; ++i) outer *= static_cast<std::size_t>(operand.extents[i]);
  for (std::size_t i = axis + 1; i < operand.extents.size(); ++i) inner *= static_cast<std::size_t>(operand.extents[i]);
  ExpressionValue result;
  result.dimensions = operand.dimensions;
  result.extents = operand.extents;
  result.dimensions.erase(result.dimensions.begin() + static_cast<std::ptrdiff_t>(axis));
  result.extents.erase(result.extents.begin() + static_cast<std::ptrdiff_t>(axis));
  const bool masked = !operand.valid.empty() && extent > 0;
  result.values.resize(outer * inner);
  if (masked) result.valid.resize(outer * inner);
  for (std::size_t o = 0; o < outer; ++o) {
    for (std::size_t i = 0; i < inner; ++i) {
      double total = 0.0;
      bool any = false;
      for (std::size_t k = 0; k < extent; ++k) {
        const std::size_t from = (o * extent + k) * inner + i;
        if (masked && operand.valid[from] == 0) continue;
        total += operand.values[from];
        any = true;
      }
      result.values[o * inner + i] = total;
      if (masked) result.valid[o * inner + i] = static_cast<std::uint8_t>(any);
    }
  }
  // Nothing left masked: no mask.
  if (std::all_of(result.valid.begin(), result.valid.end(), [](std::uint8_t v) { return v != 0; })) {
    result.valid.clear();
  }
  return result;
}

std::string number_text(double number) {
  char buffer[32];
  const auto end = std::to_chars(buffer, buffer + sizeof buffer, number).ptr;
  return std::string(buffer, end);
}

}  // namespace

Expression::Expression(double number) : program_{{ExpressionOp::number, number, {}}} {
  if (!std::isfinite(number)) {
    throw Error(Status::non_finite, "a number in an expression must be finite; found " + number_text(number));
  }
}

Expression::Expression(std::vector<ExpressionStep> program) : program_(std::move(program)) {
  const auto refuse = [&](std::size_t at, const std::string& what) {
    throw Error(Status::invalid_format, "expression program, step " + std::to_string(at) + " of " +
                                            std::to_string(program_.size()) + ": " + what);
  };
  if (program_.size() > longest_program) {
    throw Error(Status::invalid_format, "expression program of " + std::to_string(program_.size()) +
                                            " steps; at most " + std::to_string(longest_program) + " are accepted");
  }
  std::size_t depth = 0;
  for (std::size_t i = 0; i < program_.size(); ++i) {
    auto& step = program_[i];
    std::size_t needs = 0;
    bool named = false;
    switch (step.op) {
      case ExpressionOp::number:
        if (!std::isfinite(step.number)) refuse(i, "the number is not finite");
        break;
      case ExpressionOp::symbol:
        named = true;
        break;
      case ExpressionOp::add:
      case ExpressionOp::subtract:
      case ExpressionOp::multiply:
      case ExpressionOp::divide:
      case ExpressionOp::minimum:
      case ExpressionOp::maximum:
        needs = 2;
        break;
      case ExpressionOp::sum:
        needs = 1;
        named = true;
        break;
      case ExpressionOp::negate:
      case ExpressionOp::exponential:
      case ExpressionOp::logarithm:
      case ExpressionOp::square_root:
        needs = 1;
        break;
      default:
        refuse(i, "unknown operation");
    }
    if (named == step.name.empty()) {
      refuse(i, named ? "a symbol or a sum needs a name" : "only symbols and sums have a name");
    }
    if (step.op != ExpressionOp::number && step.number != 0.0) refuse(i, "only numbers carry a number");
    if (depth < needs) {
      refuse(i, "the operation needs " + std::to_string(needs) + " operands, found " + std::to_string(depth));
    }
    depth = depth - needs + 1;
  }
  if (depth != 1) {
    throw Error(Status::invalid_format,
                "an expression program must leave exactly one value; this one leaves " + std::to_string(depth));
  }
}

Expression Expression::symbol(std::string name) {
  return Expression(std::vector<ExpressionStep>{{ExpressionOp::symbol, 0.0, std::move(name)}});
}

Expression Expression::sum(std::string dimension, const Expression& operand) {
  std::vector<ExpressionStep> program = operand.program();
  program.push_back({ExpressionOp::sum, 0.0, std::move(dimension)});
  return Expression(std::move(program));
}

Expression Expression::function(ExpressionOp op, const std::vector<Expression>& operands) {
  LAVOISIER_REQUIRE(is_function(op) && operands.size() == (has_two_operands(op) ? 2U : 1U), "a function and its operands");
  std::vector<ExpressionStep> program;
  for (const Expression& operand : operands)
    program.insert(program.end(), operand.program().begin(), operand.program().end());
  program.push_back({op, 0.0, {}});
  return Expression(std::move(program));
}

Expression operator+(const Expression& a, const Expression& b) { return Expression(joined(a, b, ExpressionOp::add)); }
Expression operator-(const Expression& a, const Expression& b) {
  return Expression(joined(a, b, ExpressionOp::subtract));
}
Expression operator*(const Expression& a, const Expression& b) {
  return Expression(joined(a, b, ExpressionOp::multiply));
}
Expression operator/(const Expression& a, const Expression& b) {
  return Expression(joined(a, b, ExpressionOp::divide));
}
Expression operator-(const Expression& a) {
  std::vector<ExpressionStep> program = a.program();
  program.push_back({ExpressionOp::negate, 0.0, {}});
  return Expression(std::move(program));
}

bool Expression::is_constant() const noexcept {
  return std::none_of(program_.begin(), program_.end(), [](const ExpressionStep& step) {
    return step.op == ExpressionOp::symbol || step.op == ExpressionOp::sum;
  });
}

bool Expression::has_functions() const noexcept {
  return std::any_of(program_.begin(), program_.end(), [](const ExpressionStep& step) { return is_function(step.op); });
}

std::vector<std::string> Expression::symbols() const {
  std::vector<std::string> names;
  for (const auto& step : program_) {
    if (step.op == ExpressionOp::symbol && std::find(names.begin(), names.end(), step.name) == names.end()) {
      names.push_back(step.name);
    }
  }
  return names;
}

std::string Expression::text() const {
  // Binding strength: 1 sums, 2 products, 3 unary minus, 4 atoms.
  struct Piece {
    std::string text;
    int strength;
  };
  std::vector<Piece> stack;
  const auto pop = [&](int strength) {
    Piece piece = std::move(stack.back());
    stack.pop_back();
    return piece.strength < strength ? "(" + piece.text + ")" : std::move(piece.text);
  };
  for (const auto& step : program_) {
    switch (step.op) {
      case ExpressionOp::number:
        stack.push_back({number_text(step.number), std::signbit(step.number) ? 3 : 4});
        break;
      case ExpressionOp::symbol:
        stack.push_back({step.name, 4});
        break;
      case ExpressionOp::negate: {
        std::string operand = pop(4);
        stack.push_back({"-" + operand, 3});
        break;
      }
      case ExpressionOp::sum: {
        std::string operand = pop(0);
        stack.push_back({"sum(" + step.name + ", " + operand + ")", 4});
        break;
      }
      case ExpressionOp::exponential:
      case ExpressionOp::logarithm:
      case ExpressionOp::square_root: {
        std::string operand = pop(0);
        stack.push_back({std::string(function_name(step.op)) + "(" + operand + ")", 4});
        break;
      }
      case ExpressionOp::minimum:
      case ExpressionOp::maximum: {
        std::string right = pop(0);
        std::string left = pop(0);
        stack.push_back({std::string(function_name(step.op)) + "(" + left + ", " + right + ")", 4});
        break;
      }
      default: {
        const bool additive = step.op == ExpressionOp::add || step.op == ExpressionOp::subtract;
        const int strength = additive ? 1 : 2;
        // The right operand of any of the four is bracketed at equal strength: the order of operations is kept.
        std::string right = pop(strength + 1);
        std::string left = pop(strength);
        const char* sign = step.op == ExpressionOp::add        ? " + "
                           : step.op == ExpressionOp::subtract ? " - "
                           : step.op == ExpressionOp::multiply ? "*"
                                                               : "/";
        stack.push_back({left + sign + right, strength});
      }
    }
  }
  return stack.back().text;
}

ExpressionValue Expression::evaluate(const SymbolLookup& lookup) const {
  std::vector<ExpressionValue> stack;
  for (const auto& step : program_) {
    switch (step.op) {
      case ExpressionOp::number:
        stack.push_back({{}, {}, {step.number}, {}});
        break;
      case ExpressionOp::symbol: {
        ExpressionValue value = lookup(step.name);
        check_value(value, step.name);
        stack.push_back(std::move(value));
        break;
      }
      case ExpressionOp::negate:
      case ExpressionOp::exponential:
      case ExpressionOp::logarithm:
      case ExpressionOp::square_root:
        for (auto& value : stack.back().values) value = apply(step.op, value);
        break;
      case ExpressionOp::sum:
        stack.back() = sum_over(step.name, stack.back());
        break;
      default: {
        const ExpressionValue right = std::move(stack.back());
        stack.pop_back();
        stack.back() = combine(step.op, stack.back(), right);
      }
    }
  }
  return std::move(stack.back());
}

double Expression::evaluate_scalar(const SymbolLookup& lookup) const {
  const ExpressionValue value = evaluate(lookup);
  if (!value.dimensions.empty()) {
    throw Error(Status::shape_mismatch,
                "'" + text() + "' must be a single number; it has the shape " + shape_text(value));
  }
  if (!value.valid.empty() && value.valid[0] == 0) {
    throw Error(Status::non_finite, "'" + text() + "' has no value here: all its cells are masked");
  }
  return value.values[0];
}

double Expression::evaluate_constant() const {
  if (!is_constant()) {
    throw Error(Status::invalid_argument, "'" + text() + "' is no constant: it depends on symbols");
  }
  return evaluate_scalar([](const std::string& name) -> ExpressionValue {
    throw Error(Status::internal, "symbol '" + name + "' in a constant expression");
  });
}

}  // namespace lavoisier
