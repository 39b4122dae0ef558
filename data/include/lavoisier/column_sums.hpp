#ifndef LAVOISIER_COLUMN_SUMS_HPP
#define LAVOISIER_COLUMN_SUMS_HPP

#include <lavoisier/expression.hpp>

#include <string>
#include <vector>

namespace lavoisier {

/// What laws over all columns (LawScope::global) call the columns of one step where they sum over them: no dimension of
/// a layout.
inline constexpr const char* columns_dimension = "columns";

/// The expression with the symbol column_sum_name(k) in the place of each sum over the columns. What is summed is
/// totals[k]: added, unless it is there already. Error(unsupported) for a sum over the columns inside another.
Expression without_column_sums(const Expression& expression, std::vector<Expression>& totals);
std::string column_sum_name(std::size_t k);

}  // namespace lavoisier

#endif
