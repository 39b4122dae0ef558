#include "global_terms.hpp"

#include "options.hpp"

#include <lavoisier/column_sums.hpp>
#include <lavoisier/status.hpp>

#include <fmt/format.h>
#include <fmt/ranges.h>

#include <algorithm>
#include <charconv>
#include <cmath>
#include <limits>

namespace lavoisier::cli {
namespace {

constexpr std::int64_t cells_a_read = 32768;

/// Element (column, index over `dimensions`) of a value that may lack any of these; `f(column, element, value)`.
template <typename Function>
void spread(const ExpressionValue& value, const std::vector<std::string>& dimensions,
            const std::vector<std::int64_t>& extents, std::size_t columns, const Function& f) {
  const std::size_t rank = dimensions.size();
  std::vector<std::int64_t> strides(rank, 0);
  std::int64_t of_column = 0, stride = 1;
  for (std::size_t d = value.dimensions.size(); d-- > 0; stride *= value.extents[d]) {
    const auto at = std::find(dimensions.begin(), dimensions.end(), value.dimensions[d]);
    (at == dimensions.end() ? of_column : strides[static_cast<std::size_t>(at - dimensions.begin())]) = stride;
  }
  std::int64_t elements = 1;
  for (const std::int64_t extent : extents) elements *= extent;
  for (std::size_t c = 0; c < columns; ++c) {
    std::vector<std::int64_t> index(rank, 0);
    for (std::int64_t e = 0; e < elements; ++e) {
      std::int64_t place = static_cast<std::int64_t>(c) * of_column;
      for (std::size_t q = 0; q < rank; ++q) place += index[q] * strides[q];
      f(c, static_cast<std::size_t>(e), value.values[static_cast<std::size_t>(place)]);
      for (std::size_t q = rank; q-- > 0;) {
        if (++index[q] < extents[q]) break;
        index[q] = 0;
      }
    }
  }
}

/// The number of a total's symbol; none for other names.
std::optional<std::size_t> total_of(const std::string& name, std::size_t totals) {
  for (std::size_t k = 0; k < totals; ++k)
    if (name == column_sum_name(k)) return k;
  return std::nullopt;
}

}  // namespace

Columns columns_of(const SampleReader& reader, const SampleReader::Piece& piece, const std::optional<Subset>& subset,
                   std::size_t input_elements, bool weights) {
  Columns columns;
  for (std::size_t c = 0; c < piece.column.size(); ++c) {
    if (subset && piece.subset[c] != *subset) continue;
    const auto row = piece.inputs.begin() + static_cast<std::ptrdiff_t>(c * input_elements);
    const auto end = row + static_cast<std::ptrdiff_t>(input_elements);
    if (!std::all_of(row, end, [](double x) { return std::isfinite(x); })) continue;
    columns.cell.push_back(piece.first + static_cast<std::int64_t>(c));
    columns.inputs.insert(columns.inputs.end(), row, end);
    columns.step.push_back(piece.step[c]);
  }
  if (weights) columns.weights = reader.weights(columns.cell);
  return columns;
}

ColumnRows rows_of(const Columns& columns) {
  return {columns.cell.size(), columns.inputs.data(), columns.weights.data(), columns.step.data()};
}

GlobalTerms::GlobalTerms(const Domain& domain, std::vector<Law> laws, std::size_t steps)
    : layout_(domain.layout), constants_(domain.constants), laws_(std::move(laws)),
      inputs_(static_cast<std::size_t>(domain.layout.elements(Role::input))),
      outputs_(static_cast<std::size_t>(domain.layout.elements(Role::output))) {
  for (const Weight& weight : domain.weights) weights_.push_back(weight.name);
  for (const Law& law : laws_) {
    Terms terms;
    for (const LawTerm& term : law.terms) terms.coefficients.push_back(without_column_sums(term.coefficient, totals_));
    terms.right_hand_side = without_column_sums(law.right_hand_side, totals_);
    terms_.push_back(std::move(terms));
  }
  sums_.assign(totals_.size(), std::vector<LongSum>(steps));
}

ExpressionValue GlobalTerms::lookup(const std::string& name, const ColumnRows& columns) const {
  for (const Constant& constant : constants_)
    if (constant.name == name) return {{}, {}, {constant.value}, {}};
  ExpressionValue value;
  value.dimensions = {columns_dimension};
  value.extents = {static_cast<std::int64_t>(columns.count)};
  if (layout_.has_variable(name) && layout_.variable(name).role == Role::input) {
    const Variable& variable = layout_.variable(name);
    for (const std::string& dimension : variable.dimensions) {
      value.dimensions.push_back(dimension);
      value.extents.push_back(layout_.dimension(dimension).extent);
    }
    const auto offset = static_cast<std::size_t>(layout_.offset(name)), size = static_cast<std::size_t>(layout_.elements(variable));
    for (std::size_t c = 0; c < columns.count; ++c) {
      const double* const from = columns.inputs + c * inputs_ + offset;
      value.values.insert(value.values.end(), from, from + size);
    }
    return value;
  }
  const auto weight = std::find(weights_.begin(), weights_.end(), name);
  const auto total = total_of(name, totals_.size());
  for (std::size_t c = 0; c < columns.count; ++c) {
    if (weight != weights_.end())
      value.values.push_back(columns.weights[c * weights_.size() + static_cast<std::size_t>(weight - weights_.begin())]);
    else if (total)
      value.values.push_back(sums_[*total][columns.step[c]].value());
    else
      value.values.push_back(of_step(name, columns.step[c]).values.front());
  }
  return value;
}

ExpressionValue GlobalTerms::of_step(const std::string& name, std::size_t step) const {
  for (const Constant& constant : constants_)
    if (constant.name == name) return {{}, {}, {constant.value}, {}};
  if (const auto total = total_of(name, totals_.size())) return {{}, {}, {sums_[*total][step].value()}, {}};
  const auto found = numbers_.find(name);
  LAVOISIER_REQUIRE(found != numbers_.end(), "\"" + name + "\" is no number of a step");
  return {{}, {}, {found->second[step]}, {}};
}

void GlobalTerms::add(const ColumnRows& columns) {
  if (columns.count == 0) return;
  for (std::size_t k = 0; k < totals_.size(); ++k) {
    const ExpressionValue value = totals_[k].evaluate([&](const std::string& name) { return lookup(name, columns); });
    spread(value, {}, {}, columns.count,
           [&](std::size_t c, std::size_t, double x) { sums_[k][columns.step[c]].add(x); });
  }
}

std::vector<double> GlobalTerms::coefficients(const ColumnRows& columns) const {
  std::vector<double> result(columns.count * laws_.size() * outputs_, 0.0);
  if (columns.count == 0) return result;
  for (std::size_t l = 0; l < laws_.size(); ++l)
    for (std::size_t t = 0; t < laws_[l].terms.size(); ++t) {
      const Variable& variable = layout_.variable(laws_[l].terms[t].variable);
      std::vector<std::int64_t> extents;
      for (const std::string& dimension : variable.dimensions) extents.push_back(layout_.dimension(dimension).extent);
      const auto offset = static_cast<std::size_t>(layout_.offset(variable.name));
      const ExpressionValue value =
          terms_[l].coefficients[t].evaluate([&](const std::string& name) { return lookup(name, columns); });
      spread(value, variable.dimensions, extents, columns.count, [&](std::size_t c, std::size_t e, double x) {
        if (!std::isfinite(x))
          throw Error(Status::non_finite, fmt::format("law '{}': the coefficient of '{}' is no finite number at step {} "
                                                      "(weights that sum to 0?)",
                                                      laws_[l].name, variable.name, columns.step[c]));
        result[(c * laws_.size() + l) * outputs_ + offset + e] += x;
      });
    }
  return result;
}

double GlobalTerms::right_hand_side(std::size_t law, std::size_t step) const {
  const double value =
      terms_[law].right_hand_side.evaluate_scalar([&](const std::string& name) { return of_step(name, step); });
  if (!std::isfinite(value))
    throw Error(Status::non_finite, fmt::format("law '{}': its right-hand side is no finite number at step {}",
                                                laws_[law].name, step));
  return value;
}

std::map<std::string, double> given_step_values(const Domain& domain, const std::vector<std::string>& words) {
  std::vector<std::string> names;
  for (const StepValue& value : domain.step_values) names.push_back(value.name);
  std::map<std::string, double> result;
  for (const std::string& word : words) {
    const std::size_t equal = word.find('=');
    const std::string name = word.substr(0, equal);
    if (std::find(names.begin(), names.end(), name) == names.end())
      throw UsageError(fmt::format("--global {}: domain '{}' has no step value '{}'{}", word, domain.name, name,
                                   suggestion(name, names)));
    double number = 0.0;
    const char* const end = word.data() + word.size();
    const auto read = equal == std::string::npos ? std::from_chars_result{end, std::errc::invalid_argument}
                                                 : std::from_chars(word.data() + equal + 1, end, number);
    if (read.ec != std::errc() || read.ptr != end || !std::isfinite(number))
      throw UsageError(fmt::format("--global {}: expected {}=VALUE, a number in '{}'", word, name,
                                   domain.layout.variable(name).units));
    if (!result.emplace(name, number).second) throw UsageError(fmt::format("--global: '{}' is given twice", name));
  }
  return result;
}

namespace {

/// What a file's own outputs make of step values, over the columns that take part.
void add_references(const Domain& domain, const std::filesystem::path& file, const std::optional<Subset>& subset,
                    const std::vector<const StepValue*>& wanted, GlobalTerms& terms, std::size_t steps,
                    StepNumbers& numbers) {
  const SampleReader reader(domain, file, true);
  const auto ni = static_cast<std::size_t>(domain.layout.elements(Role::input));
  const std::size_t n = terms.output_elements(), k = wanted.size();
  std::vector<std::vector<LongSum>> sums(k, std::vector<LongSum>(steps));
  std::vector<bool> used(steps, false);
  for (std::int64_t first = 0; first < reader.cells(); first += cells_a_read) {
    const SampleReader::Piece piece = reader.read(first, std::min(cells_a_read, reader.cells() - first));
    const Columns columns = columns_of(reader, piece, subset, ni, true);
    const std::vector<double> B = terms.coefficients(rows_of(columns));
    for (std::size_t c = 0; c < columns.cell.size(); ++c) {
      const double* const y = &piece.outputs[static_cast<std::size_t>(columns.cell[c] - first) * n];
      used[columns.step[c]] = true;
      for (std::size_t l = 0; l < k; ++l)
        for (std::size_t i = 0; i < n; ++i) {
          const double b = B[(c * k + l) * n + i];
          if (b == 0.0) continue;
          if (!std::isfinite(y[i]))
            throw Error(Status::non_finite,
                        fmt::format("{}: '{}' is made of the reference's outputs, and the cell at {} has inputs but not all of "
                                    "these; give --global {}=VALUE",
                                    file.string(), wanted[l]->name, reader.describe(columns.cell[c]), wanted[l]->name));
          sums[l][columns.step[c]].add(b * y[i]);
        }
    }
  }
  for (std::size_t l = 0; l < k; ++l) {
    std::vector<double>& values = numbers[wanted[l]->name];
    values.assign(steps, std::numeric_limits<double>::quiet_NaN());
    for (std::size_t s = 0; s < steps; ++s) {
      if (!used[s]) continue;
      sums[l][s].add(-terms.right_hand_side(l, s));
      values[s] = wanted[l]->conversion(sums[l][s].value());
    }
  }
}

}  // namespace

GlobalProblem global_problem(const Domain& domain, const SampleReader& reader, const std::filesystem::path& file,
                             const std::optional<Subset>& subset, std::vector<GlobalLaw> laws,
                             const std::map<std::string, double>& given) {
  GlobalProblem problem;
  problem.step_axes = reader.step_axes();
  for (const FileAxis& axis : problem.step_axes) problem.steps *= axis.values.size();
  problem.laws = std::move(laws);
  if (problem.laws.empty()) return problem;

  std::vector<Law> of_outputs, of_references;
  std::vector<const StepValue*> references;
  StepNumbers numbers;
  for (const GlobalLaw& global : problem.laws) {
    of_outputs.push_back(global.law);
    for (const std::string& name : global.step_values) {
      const auto value = std::find_if(domain.step_values.begin(), domain.step_values.end(),
                                      [&](const StepValue& one) { return one.name == name; });
      if (const auto number = given.find(name); number != given.end()) {
        numbers[name].assign(problem.steps, number->second);
      } else if (value->source) {
        if (!numbers.contains(name)) numbers[name] = reader.step_values(*value);
      } else if (!value->reference) {
        throw Error(Status::not_found, fmt::format("law '{}' needs '{}' [{}], which no file holds: give --global {}=VALUE",
                                                   global.law.name, name, domain.layout.variable(name).units, name));
      } else if (std::find(references.begin(), references.end(), &*value) == references.end()) {
        references.push_back(&*value);
        of_references.push_back(*value->reference);
      }
    }
  }
  problem.terms.emplace(domain, std::move(of_outputs), problem.steps);
  GlobalTerms reference_terms(domain, std::move(of_references), problem.steps);
  const auto ni = static_cast<std::size_t>(domain.layout.elements(Role::input));
  for (std::int64_t first = 0; first < reader.cells(); first += cells_a_read) {
    const Columns columns = columns_of(reader, reader.read(first, std::min(cells_a_read, reader.cells() - first)), subset,
                                       ni, true);
    problem.terms->add(rows_of(columns));
    reference_terms.add(rows_of(columns));
  }
  if (!references.empty()) {
    try {
      add_references(domain, file, subset, references, reference_terms, problem.steps, numbers);
    } catch (const Error& error) {
      if (error.status() != Status::not_found) throw;
      throw Error(Status::not_found,
                  fmt::format("'{}' is made of the reference's outputs, which {} lacks: give --global {}=VALUE ({})",
                              references.front()->name, file.string(), references.front()->name, error.what()));
    }
  }
  problem.terms->set(std::move(numbers));
  return problem;
}

GlobalProblem global_problem_of_all(const Domain& domain, const SampleReader& reader, const std::filesystem::path& file,
                                    const std::optional<Subset>& subset, const std::map<std::string, double>& given,
                                    const std::vector<std::string>& asked, std::vector<std::string>& notes, bool all_needed) {
  std::vector<GlobalLaw> laws;
  for (const GlobalLaw& law : domain.global_laws) {
    const bool required = (all_needed && !law.on_request) || std::find(asked.begin(), asked.end(), law.law.name) != asked.end();
    if (!required) {
      try {
        global_problem(domain, reader, file, subset, {law}, given);
      } catch (const Error& error) {
        notes.push_back(fmt::format("law {} is left out: {}", law.law.name, error.what()));
        continue;
      }
    }
    laws.push_back(law);
  }
  return global_problem(domain, reader, file, subset, std::move(laws), given);
}

}  // namespace lavoisier::cli
