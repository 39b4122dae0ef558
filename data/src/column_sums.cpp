#include <lavoisier/column_sums.hpp>
#include <lavoisier/status.hpp>

#include <algorithm>

namespace lavoisier {
namespace {

using Steps = std::vector<ExpressionStep>;

bool sums_columns(const Steps& steps) {
  return std::any_of(steps.begin(), steps.end(), [](const ExpressionStep& step) {
    return step.op == ExpressionOp::sum && step.name == columns_dimension;
  });
}

}  // namespace

// '#' cannot stand in a name of a domain file.
std::string column_sum_name(std::size_t k) { return "sum over columns #" + std::to_string(k); }

Expression without_column_sums(const Expression& expression, std::vector<Expression>& totals) {
  // `original`: of each operand, with its sums, to find one inside another.
  struct Operand {
    Steps original, replaced;
  };
  std::vector<Operand> stack;
  for (const ExpressionStep& step : expression.program()) {
    switch (step.op) {
      case ExpressionOp::number:
      case ExpressionOp::symbol: stack.push_back({{step}, {step}}); break;
      case ExpressionOp::negate:
      case ExpressionOp::sum: {
        Operand& operand = stack.back();
        if (step.op == ExpressionOp::sum && step.name == columns_dimension) {
          if (sums_columns(operand.original))
            throw Error(Status::unsupported, "a sum over all columns inside another: " + expression.text());
          const Expression summed(operand.original);
          const auto known = std::find(totals.begin(), totals.end(), summed);
          const auto k = static_cast<std::size_t>(known - totals.begin());
          if (known == totals.end()) totals.push_back(summed);
          operand.replaced = {{ExpressionOp::symbol, 0.0, column_sum_name(k)}};
        } else {
          operand.replaced.push_back(step);
        }
        operand.original.push_back(step);
        break;
      }
      default: {
        const Operand right = std::move(stack.back());
        stack.pop_back();
        Operand& left = stack.back();
        left.original.insert(left.original.end(), right.original.begin(), right.original.end());
        left.replaced.insert(left.replaced.end(), right.replaced.begin(), right.replaced.end());
        left.original.push_back(step);
        left.replaced.push_back(step);
      }
    }
  }
  return Expression(std::move(stack.back().replaced));
}

}  // namespace lavoisier
