#include "column_selection.hpp"
#include "field_binding.hpp"
#include "floating_point_environment.hpp"
#include "law_expressions.hpp"
#include "model.hpp"
#include "tile.hpp"

#include <lavoisier/column_sums.hpp>
#include <lavoisier/exact_sum.hpp>
#include <lavoisier/model_global_laws.hpp>

#include <algorithm>
#include <cmath>
#include <string>

namespace lavoisier {

using detail::ScalarOperand;

struct ModelGlobalLaws::Implementation {
  /// A law's coefficients by output element, and its right-hand side.
  struct Row {
    std::vector<std::pair<std::int64_t, ScalarOperand>> entries;
    ScalarOperand right_hand_side;
    detail::ScalarProgram once;  ///< of the right-hand side
  };

  std::shared_ptr<const Model> model;
  const detail::Program* program = nullptr;
  std::vector<LawInfo> laws;
  std::vector<HostNumberInfo> numbers;
  detail::ScalarProgram summed, scalars;
  std::vector<ScalarOperand> totals;  ///< what is summed, of `summed`
  std::vector<Row> rows;
  std::vector<ExactSum> sums;
  std::vector<double> values;         ///< of the sums

  explicit Implementation(std::shared_ptr<const Model> owner) : model(std::move(owner)) {
    const auto* found = dynamic_cast<const detail::ProgramModel*>(model.get());
    if (found == nullptr)
      throw Error(Status::invalid_argument, "global laws need a model made by Model::load or Model::parse");
    program = &found->program();
    const ModelDescription& description = found->description();
    std::vector<const Law*> stated;
    std::vector<Expression> sums_over_columns;
    struct Split {
      std::vector<Expression> coefficients;
      Expression right_hand_side;
    };
    std::vector<Split> split;
    for (const Law& law : description.laws) {
      if (law.scope != LawScope::global) continue;
      stated.push_back(&law);
      laws.push_back({law.name, law.equation, law.units, law.physics_tolerance});
      Split parts;
      for (const LawTerm& term : law.terms) {
        note_numbers(term.coefficient, description.layout);
        parts.coefficients.push_back(without_column_sums(term.coefficient, sums_over_columns));
      }
      note_numbers(law.right_hand_side, description.layout);
      parts.right_hand_side = without_column_sums(law.right_hand_side, sums_over_columns);
      for (const std::string& name : parts.right_hand_side.symbols())
        if (description.layout.has_variable(name) && description.layout.variable(name).role == Role::input)
          throw Error(Status::unsupported, "law '" + law.name + "': its right-hand side names the input '" + name +
                                               "' outside a sum over the columns");
      split.push_back(std::move(parts));
    }
    sums.resize(sums_over_columns.size());
    values.assign(sums.size(), std::nan(""));

    // Numbers of the host and sums lie behind the inputs, as inputs.
    ModelDescription wider = description;
    std::vector<Variable> variables = description.layout.with_role(Role::input);
    for (const HostNumberInfo& number : numbers) variables.push_back(scalar_input(number.name));
    for (std::size_t k = 0; k < sums.size(); ++k) variables.push_back(scalar_input(column_sum_name(k)));
    for (const Variable& output : description.layout.with_role(Role::output)) variables.push_back(output);
    wider.layout = StateLayout(description.layout.dimensions(), variables);
    detail::LawExpressions of_sums(wider, program->coordinates, summed), of_laws(wider, program->coordinates, scalars);
    for (const Expression& sum : sums_over_columns) totals.push_back(of_sums.scalar(sum, "a sum over the columns"));
    for (std::size_t l = 0; l < stated.size(); ++l) {
      const std::string where = "law '" + stated[l]->name + "'";
      Row& row = rows.emplace_back();
      for (std::size_t t = 0; t < stated[l]->terms.size(); ++t) {
        const std::string& variable = stated[l]->terms[t].variable;
        const auto coefficients = of_laws.coefficients({variable, split[l].coefficients[t]}, where);
        const std::int64_t offset = description.layout.offset(variable);
        for (std::size_t e = 0; e < coefficients.size(); ++e)
          row.entries.emplace_back(offset + static_cast<std::int64_t>(e), coefficients[e]);
      }
      detail::LawExpressions once(wider, program->coordinates, row.once);
      row.right_hand_side = once.scalar(split[l].right_hand_side, where);
    }
  }

  static Variable scalar_input(const std::string& name) {
    Variable made;
    made.name = name;
    made.role = Role::input;
    return made;
  }

  void note_numbers(const Expression& expression, const StateLayout& layout) {
    for (const std::string& name : expression.symbols()) {
      if (!layout.has_variable(name) || layout.variable(name).role != Role::diagnostic) continue;
      const auto known = std::find_if(numbers.begin(), numbers.end(), [&](const auto& one) { return one.name == name; });
      if (known == numbers.end()) numbers.push_back({name, layout.variable(name).units});
    }
  }

  /// The host's, in the order of `numbers`.
  std::vector<const HostNumber*> bind(const HostNumber* given, std::size_t count) const {
    std::vector<const HostNumber*> bound(numbers.size(), nullptr);
    for (std::size_t i = 0; i < count; ++i) {
      const std::string name = given[i].name != nullptr ? given[i].name : "";
      const auto at = std::find_if(numbers.begin(), numbers.end(), [&](const auto& one) { return one.name == name; });
      if (at == numbers.end()) throw Error(Status::not_found, "no law over all columns names '" + name + "'");
      if (given[i].values == nullptr) throw Error(Status::invalid_argument, "the values of '" + name + "' are null");
      if (given[i].units != nullptr && at->units != given[i].units)
        throw Error(Status::unit_mismatch, "'" + name + "': expected units '" + at->units + "', found '" + given[i].units + "'");
      bound[static_cast<std::size_t>(at - numbers.begin())] = &given[i];
    }
    for (std::size_t i = 0; i < bound.size(); ++i)
      if (bound[i] == nullptr)
        throw Error(Status::not_found, "laws over all columns need '" + numbers[i].name + "' [" + numbers[i].units +
                                           "], which was not given");
    return bound;
  }

  /// Calls f(column, x) for the selected columns, x: inputs, the host's numbers, sums.
  template <class Function>
  void each_column(const RunArguments& arguments, const HostNumber* given, std::size_t count, const Function& f) const {
    const auto bound = bind(given, count);
    std::vector<std::int64_t> columns(static_cast<std::size_t>(std::max<std::int64_t>(arguments.columns, 0))), sorted(columns.size());
    const std::int64_t selected = detail::select_columns(arguments, arguments.columns, columns.data(), sorted.data());
    std::vector<detail::BoundField> fields(program->inputs.size());
    if (selected > 0) detail::bind_inputs_to_read(*program, arguments, fields);
    std::vector<double> x(static_cast<std::size_t>(program->input_elements) + numbers.size());
    x.insert(x.end(), values.begin(), values.end());
    for (std::int64_t s = 0; s < selected; ++s) {
      const std::int64_t column = columns[static_cast<std::size_t>(s)];
      for (const detail::BoundField& field : fields) {
        const std::int64_t shift = field.shift(column, arguments.block_columns);
        for (std::int64_t e = 0; e < field.elements; ++e) {
          const std::int64_t at = shift + e * field.element_stride;
          x[static_cast<std::size_t>(field.offset + e)] = field.f32 ? static_cast<double>(static_cast<const float*>(field.data)[at])
                                                                    : static_cast<const double*>(field.data)[at];
        }
      }
      for (std::size_t i = 0; i < bound.size(); ++i)
        x[static_cast<std::size_t>(program->input_elements) + i] = bound[i]->values[column * bound[i]->column_stride];
      f(column, x);
    }
  }
};

ModelGlobalLaws::ModelGlobalLaws(std::shared_ptr<const Model> model)
    : implementation_(std::make_unique<Implementation>(std::move(model))) {}
ModelGlobalLaws::~ModelGlobalLaws() = default;
ModelGlobalLaws::ModelGlobalLaws(ModelGlobalLaws&&) noexcept = default;
ModelGlobalLaws& ModelGlobalLaws::operator=(ModelGlobalLaws&&) noexcept = default;

const std::vector<LawInfo>& ModelGlobalLaws::laws() const noexcept { return implementation_->laws; }
const std::vector<HostNumberInfo>& ModelGlobalLaws::numbers() const noexcept { return implementation_->numbers; }
bool ModelGlobalLaws::has_sums() const noexcept { return !implementation_->sums.empty(); }

void ModelGlobalLaws::begin() {
  for (ExactSum& sum : implementation_->sums) sum.clear();
}

void ModelGlobalLaws::add(const RunArguments& arguments, const HostNumber* numbers, std::size_t count) {
  Implementation& own = *implementation_;
  if (own.sums.empty()) return;
  const detail::DefaultFloatingPoint environment;
  own.each_column(arguments, numbers, count, [&](std::int64_t, const std::vector<double>& x) {
    const std::vector<double> results = detail::evaluate(own.summed, x);
    for (std::size_t k = 0; k < own.sums.size(); ++k) own.sums[k].add(detail::value_of(own.totals[k], x, results));
  });
}

void ModelGlobalLaws::close(Status mine, Reduce reduce, void* context) {
  Implementation& own = *implementation_;
  constexpr int status_count = static_cast<int>(Status::internal) + 1;
  std::vector<std::int64_t> words(status_count + own.sums.size() * ExactSum::word_count, 0);
  words[static_cast<std::size_t>(std::clamp(static_cast<int>(mine), 0, status_count - 1))] = 1;
  for (std::size_t k = 0; k < own.sums.size(); ++k) own.sums[k].pack(words.data() + status_count + k * ExactSum::word_count);
  if (reduce != nullptr)
    if (const Status status = reduce(context, words.data(), words.size()); status != Status::ok)
      throw Error(status, std::string("ModelGlobalLaws::close: the reduction over ranks failed (") + status_name(status) + ")");
  for (int s = 1; s < status_count; ++s)
    if (words[static_cast<std::size_t>(s)] > 0)
      throw Error(static_cast<Status>(s), std::string("ModelGlobalLaws::close: ") + std::to_string(words[static_cast<std::size_t>(s)]) +
                                              " of the ranks failed before (" + status_name(static_cast<Status>(s)) + ")");
  for (std::size_t k = 0; k < own.sums.size(); ++k) {
    ExactSum sum;
    sum.unpack(words.data() + status_count + k * ExactSum::word_count);
    own.values[k] = sum.value();
  }
}

void ModelGlobalLaws::right_hand_side(const HostNumber* numbers, std::size_t count, double* values) const {
  const Implementation& own = *implementation_;
  const detail::DefaultFloatingPoint environment;
  const auto bound = own.bind(numbers, count);
  std::vector<double> x(static_cast<std::size_t>(own.program->input_elements), std::nan(""));
  for (const HostNumber* number : bound) x.push_back(number->column_stride == 0 ? number->values[0] : std::nan(""));
  x.insert(x.end(), own.values.begin(), own.values.end());
  for (std::size_t l = 0; l < own.rows.size(); ++l) {
    values[l] = detail::value_of(own.rows[l].right_hand_side, x, detail::evaluate(own.rows[l].once, x));
    if (!std::isfinite(values[l]))
      throw Error(Status::non_finite, "law '" + own.laws[l].name + "': its right-hand side is no finite number (sums over columns "
                                                                   "are closed, and numbers of the step have the stride 0?)");
  }
}

void ModelGlobalLaws::coefficients(const RunArguments& arguments, const HostNumber* numbers, std::size_t count,
                                   double* values) const {
  const Implementation& own = *implementation_;
  const detail::DefaultFloatingPoint environment;
  const auto n = static_cast<std::size_t>(own.program->output_elements), k = own.rows.size();
  std::fill(values, values + static_cast<std::size_t>(std::max<std::int64_t>(arguments.columns, 0)) * k * n, 0.0);
  own.each_column(arguments, numbers, count, [&](std::int64_t column, const std::vector<double>& x) {
    const std::vector<double> results = detail::evaluate(own.scalars, x);
    for (std::size_t l = 0; l < k; ++l)
      for (const auto& [element, operand] : own.rows[l].entries) {
        double& to = values[(static_cast<std::size_t>(column) * k + l) * n + static_cast<std::size_t>(element)];
        to += detail::value_of(operand, x, results);
        if (!std::isfinite(to))
          throw Error(Status::non_finite, "law '" + own.laws[l].name + "', column " + std::to_string(column) +
                                              ": a coefficient is no finite number (sums over columns are closed?)");
      }
  });
}

GlobalRows ModelGlobalLaws::rows(const double* coefficients) const noexcept {
  GlobalRows rows;
  rows.coefficients = coefficients;
  rows.row_stride = implementation_->program->output_elements;
  rows.column_stride = static_cast<std::int64_t>(implementation_->rows.size()) * rows.row_stride;
  return rows;
}

}  // namespace lavoisier
