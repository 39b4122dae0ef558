#include "law_values.hpp"

#include <lavoisier/status.hpp>

#include <algorithm>

namespace lavoisier::detail {

LawValues::LawValues(const StateLayout& layout, const std::vector<Constant>& constants) : layout_(&layout) {
  for (const Variable& variable : layout.with_role(Role::input)) {
    Input input;
    input.dimensions = variable.dimensions;
    for (const std::string& dimension : variable.dimensions)
      input.extents.push_back(layout.dimension(dimension).extent);
    input.offset = static_cast<std::size_t>(layout.offset(variable.name));
    input.count = static_cast<std::size_t>(layout.elements(variable));
    input_variables_.emplace(variable.name, std::move(input));
  }
  for (const Constant& constant : constants) {
    if (layout.has_variable(constant.name))
      throw Error(Status::invalid_argument, "'" + constant.name + "' is both a constant and a variable of the layout");
    if (!constants_.emplace(constant.name, constant.value).second)
      throw Error(Status::invalid_argument, "constant '" + constant.name + "' is given twice");
  }
}

bool LawValues::is_shared(const Expression& expression) const {
  const std::vector<std::string> symbols = expression.symbols();
  return std::none_of(symbols.begin(), symbols.end(),
                      [&](const std::string& name) { return input_variables_.contains(name); });
}

ExpressionValue LawValues::look_up(const std::string& name) const {
  if (const auto constant = constants_.find(name); constant != constants_.end())
    return {{}, {}, {constant->second}, {}};
  const auto input = input_variables_.find(name);
  if (input == input_variables_.end() || input->second.offset + input->second.count > inputs_.size())
    throw Error(Status::not_found, "a law names '" + name + "', which is neither a constant nor an input at hand");
  const auto first = inputs_.begin() + static_cast<std::ptrdiff_t>(input->second.offset);
  return {input->second.dimensions, input->second.extents,
          std::vector<double>(first, first + static_cast<std::ptrdiff_t>(input->second.count)), {}};
}

double LawValues::scalar(const Expression& expression) const {
  return expression.evaluate_scalar([this](const std::string& name) { return look_up(name); });
}

std::vector<double> LawValues::coefficients(const LawTerm& term) const {
  const Variable& variable = layout_->variable(term.variable);
  const ExpressionValue value =
      term.coefficient.evaluate([this](const std::string& name) { return look_up(name); });
  const std::size_t rank = variable.dimensions.size();
  std::vector<std::size_t> extents(rank), strides(rank, 0);
  std::size_t stride = 1;
  for (std::size_t q = value.dimensions.size(); q-- > 0;) {
    const auto place = std::find(variable.dimensions.begin(), variable.dimensions.end(), value.dimensions[q]);
    if (place == variable.dimensions.end())
      throw Error(Status::shape_mismatch, "the coefficient of '" + term.variable + "' has the dimension '" +
                                              value.dimensions[q] + "', which the variable does not have");
    strides[static_cast<std::size_t>(place - variable.dimensions.begin())] = stride;
    stride *= static_cast<std::size_t>(value.extents[q]);
  }
  for (std::size_t q = 0; q < rank; ++q)
    extents[q] = static_cast<std::size_t>(layout_->dimension(variable.dimensions[q]).extent);
  std::vector<double> result(static_cast<std::size_t>(layout_->elements(variable)));
  std::vector<std::size_t> index(rank, 0);
  for (double& coefficient : result) {
    std::size_t place = 0;
    for (std::size_t q = 0; q < rank; ++q) place += index[q] * strides[q];
    // A masked coefficient leaves its element out of the law.
    coefficient = value.valid.empty() || value.valid[place] != 0 ? value.values[place] : 0.0;
    for (std::size_t q = rank; q-- > 0;) {
      if (++index[q] < extents[q]) break;
      index[q] = 0;
    }
  }
  return result;
}

}  // namespace lavoisier::detail
