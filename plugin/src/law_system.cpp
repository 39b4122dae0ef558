#include "law_system.hpp"

#include "law_expressions.hpp"
#include "law_rank.hpp"

#include <lavoisier/status.hpp>

#include <algorithm>
#include <cmath>
#include <utility>

namespace lavoisier::detail {
namespace {

// Coefficients that a file may have (rows are dense while rank is decided).
constexpr std::size_t most_coefficients = std::size_t{1} << 26;
// Choices of inputs in the training range at which laws are compared.
constexpr int probes = 4;

using Kind = ScalarOperand::Kind;
/// A row of A: what stands at which element, ascending.
using SparseRow = std::vector<std::pair<std::int32_t, ScalarOperand>>;

/// The terms of one law, added to the system's; and its row, terms of one element summed in the file's order.
SparseRow add_terms(LawSystem& system, LawExpressions& expressions, const StateLayout& layout, const Law& law,
                    std::vector<ScalarOperand>& terms, const std::string& where) {
  SparseRow row;
  for (const auto& term : law.terms) {
    if (!layout.has_variable(term.variable) || layout.variable(term.variable).role != Role::output)
      throw Error(Status::invalid_format, where + ": '" + term.variable + "' is no output");
    const auto first = static_cast<std::int32_t>(layout.offset(term.variable));
    if (static_cast<std::size_t>(layout.elements(layout.variable(term.variable))) > most_coefficients - terms.size())
      throw Error(Status::unsupported, where + ": more coefficients than this release can hold");
    const auto coefficients = expressions.coefficients(term, where);
    for (std::size_t e = 0; e < coefficients.size(); ++e) {
      const ScalarOperand& coefficient = coefficients[e];
      if (coefficient.kind == Kind::number && !std::isfinite(coefficient.number))
        throw Error(Status::non_finite, where + ": the coefficient of '" + term.variable + "' is not finite");
      const std::int32_t element = first + static_cast<std::int32_t>(e);
      system.term_element.push_back(element);
      terms.push_back(coefficient);
      row.emplace_back(element, coefficient);
    }
  }
  std::stable_sort(row.begin(), row.end(), [](const auto& a, const auto& b) { return a.first < b.first; });
  std::size_t last = 0;
  for (std::size_t i = 1; i < row.size(); ++i) {
    if (row[i].first == row[last].first)
      row[last].second = expressions.sum(row[last].second, row[i].second, where);
    else
      row[++last] = row[i];
  }
  if (!row.empty()) row.resize(last + 1);
  std::erase_if(row, [](const auto& entry) { return entry.second.kind == Kind::number && entry.second.number == 0.0; });
  system.term_begin.push_back(static_cast<std::int32_t>(system.term_element.size()));
  return row;
}

/// Points of the training range: each input runs through its own, all at another pace.
std::vector<double> probe(int point, const std::vector<double>& minimum, const std::vector<double>& maximum) {
  std::vector<double> inputs(minimum.size());
  for (std::size_t i = 0; i < inputs.size(); ++i) {
    const double t = 0.25 * point + 0.6180339887 * static_cast<double>(i);
    inputs[i] = minimum[i] + (t - std::floor(t)) * (maximum[i] - minimum[i]);
  }
  return inputs;
}

/// All rows of A for one choice of inputs.
std::vector<std::vector<double>> dense_rows(const std::vector<SparseRow>& rows, std::size_t outputs,
                                            const std::vector<double>& inputs, const std::vector<double>& results) {
  std::vector<std::vector<double>> made;
  for (const auto& row : rows) {
    auto& dense = made.emplace_back(outputs, 0.0);
    for (const auto& [element, operand] : row) dense[static_cast<std::size_t>(element)] = value_of(operand, inputs, results);
  }
  return made;
}

/// The first row that says nothing about the outputs: only zeros, or what is no finite number; -1: none.
std::ptrdiff_t useless_row(const std::vector<std::vector<double>>& rows) {
  const auto found = std::find_if(rows.begin(), rows.end(), [](const std::vector<double>& row) {
    return !std::all_of(row.begin(), row.end(), [](double a) { return std::isfinite(a); }) ||
           std::all_of(row.begin(), row.end(), [](double a) { return a == 0.0; });
  });
  return found == rows.end() ? -1 : found - rows.begin();
}

/// The laws where their rank is decided: all right-hand sides at one A, or each with its own. Of A that varies, a point
/// where a law has no usable row (a division by what is zero there) says nothing.
std::vector<LawPoint> law_points(const LawSystem& system, const std::vector<SparseRow>& rows, std::size_t outputs,
                                 const std::vector<double>& minimum, const std::vector<double>& maximum) {
  std::vector<LawPoint> points;
  std::ptrdiff_t useless = -1;
  for (int p = 0; p < probes; ++p) {
    const std::vector<double> inputs = probe(p, minimum, maximum), results = evaluate(system.scalars, inputs);
    if (p == 0 || system.varies) {
      LawPoint made{dense_rows(rows, outputs, inputs, results), {}};
      if (system.varies) {
        const std::ptrdiff_t here = useless_row(made.rows);
        useless = here >= 0 ? here : useless;
        if (here >= 0) continue;
      }
      points.push_back(std::move(made));
    }
    std::vector<double>& d = points.back().right_hand_sides.emplace_back();
    for (const auto& operand : system.right_hand_side) d.push_back(value_of(operand, inputs, results));
  }
  if (points.empty())
    throw Error(Status::non_finite, "law '" + system.laws[static_cast<std::size_t>(useless)].name +
                                        "': its coefficients are zero or no finite numbers in every part of the training "
                                        "range that was tried");
  return points;
}

/// Rows, columns and products of A from the rows that are kept.
void lay_out(LawSystem& system, const std::vector<SparseRow>& rows, std::size_t outputs) {
  std::vector<std::vector<std::pair<std::int32_t, std::int32_t>>> columns(outputs);  // row, entry
  std::vector<std::int32_t> entry_of;
  const auto number = [&](std::int32_t entry) { return system.row_coefficient[static_cast<std::size_t>(entry)]; };
  system.row_begin.push_back(0);
  for (std::size_t k = 0; k < system.row_law.size(); ++k) {
    for (const auto& [element, operand] : rows[static_cast<std::size_t>(system.row_law[k])]) {
      columns[static_cast<std::size_t>(element)].emplace_back(static_cast<std::int32_t>(k),
                                                              static_cast<std::int32_t>(system.row_element.size()));
      system.row_element.push_back(element);
      system.row_coefficient.push_back(operand.number);
      if (system.varies) system.row_operand.push_back(operand);
    }
    system.row_begin.push_back(static_cast<std::int32_t>(system.row_element.size()));
  }
  system.column_begin.push_back(0);
  for (const auto& column : columns) {
    for (const auto& [row, entry] : column) {
      system.column_row.push_back(row);
      system.column_coefficient.push_back(number(entry));
      if (system.varies) system.column_entry.push_back(entry);
    }
    system.column_begin.push_back(static_cast<std::int32_t>(system.column_row.size()));
  }
  system.pair_begin.push_back(0);
  const auto at = [](std::int32_t i) { return static_cast<std::size_t>(i); };
  for (std::size_t k = 0; k < system.row_law.size(); ++k)
    for (std::size_t l = 0; l <= k; ++l) {
      std::int32_t left = system.row_begin[k], right = system.row_begin[l];
      while (left < system.row_begin[k + 1] && right < system.row_begin[l + 1]) {
        const std::int32_t a = system.row_element[at(left)], b = system.row_element[at(right)];
        if (a == b) {
          system.pair_element.push_back(a);
          system.pair_product.push_back(number(left) * number(right));
          if (system.varies) {
            system.pair_left.push_back(left);
            system.pair_right.push_back(right);
          }
        }
        left += a <= b;
        right += b <= a;
      }
      system.pair_begin.push_back(static_cast<std::int32_t>(system.pair_element.size()));
    }
}

}  // namespace

LawSystem compile_laws(const ModelDescription& description, const Coordinates& coordinates,
                       const std::vector<double>& input_minimum, const std::vector<double>& input_maximum) {
  LawSystem system;
  const StateLayout& layout = description.layout;
  const auto outputs = static_cast<std::size_t>(layout.elements(Role::output));
  if (!description.laws.empty() && outputs > most_coefficients / description.laws.size())
    throw Error(Status::unsupported, std::to_string(description.laws.size()) + " laws over " + std::to_string(outputs) +
                                         " output elements: more than this release can hold");
  LawExpressions expressions(description, coordinates, system.scalars);
  std::vector<SparseRow> rows;  // one a law
  std::vector<ScalarOperand> terms;
  system.term_begin.push_back(0);
  for (const auto& law : description.laws) {
    const std::string where = "law '" + law.name + "'";
    if (law.scope == LawScope::global) continue;  // no row of a column: global_laws.hpp
    rows.push_back(add_terms(system, expressions, layout, law, terms, where));
    system.right_hand_side.push_back(expressions.scalar(law.right_hand_side, where));
    system.laws.push_back({law.name, law.equation, law.units, law.physics_tolerance});
  }
  system.varies =
      std::any_of(terms.begin(), terms.end(), [](const ScalarOperand& term) { return term.kind != Kind::number; });
  for (const auto& term : terms) system.term_coefficient.push_back(term.number);
  if (system.varies) system.term_operand = std::move(terms);
  system.row_law = independent_laws(system.laws, law_points(system, rows, outputs, input_minimum, input_maximum));
  for (std::int32_t l = 0; l < system.count(); ++l)
    if (std::find(system.row_law.begin(), system.row_law.end(), l) == system.row_law.end()) system.dependent.push_back(l);
  lay_out(system, rows, outputs);
  return system;
}

}  // namespace lavoisier::detail
