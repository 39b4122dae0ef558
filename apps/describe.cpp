#include "describe.hpp"

#include "terminal.hpp"

#include <lavoisier/linear_constraints.hpp>

#include <fmt/format.h>
#include <nlohmann/json.hpp>

namespace lavoisier::cli {
namespace {

std::string dimensions_text(const StateLayout& layout, const Variable& variable) {
  std::string text;
  for (const std::string& name : variable.dimensions) {
    const Dimension& d = layout.dimension(name);
    text += (text.empty() ? "" : " x ") + fmt::format("{} ({}{})", name, d.ragged ? "up to " : "", d.extent);
  }
  return text;
}

/// Coefficients of one law in the elements of a variable, as short as they can be said.
std::string coefficients_text(const StateLayout& layout, const LinearConstraints& constraints, Eigen::Index row,
                              const Variable& variable) {
  const Law& law = constraints.independent_laws()[static_cast<std::size_t>(row)];
  if (!constraints.shared()) {
    for (const LawTerm& term : law.terms) {
      if (term.variable != variable.name) continue;
      return term.coefficient.is_constant() ? fmt::format("{:g}", term.coefficient.evaluate_constant())
                                            : term.coefficient.text();
    }
    return "0";
  }
  const auto values = constraints.A().row(row).segment(layout.offset(variable.name), layout.elements(variable));
  const double low = values.minCoeff(), high = values.maxCoeff();
  return low == high ? fmt::format("{:g}", low) : fmt::format("{:g} to {:g}", low, high);
}

std::vector<Law> local_laws(const std::vector<Law>& all) {
  std::vector<Law> laws;
  std::copy_if(all.begin(), all.end(), std::back_inserter(laws), [](const Law& law) { return law.scope == LawScope::local; });
  return laws;
}

/// The rows of A, a column a variable.
std::string matrix_text(const StateLayout& layout, const LinearConstraints& constraints) {
  constexpr std::size_t most_columns = 34;
  const std::vector<Variable> outputs = layout.with_role(Role::output);
  if (outputs.size() + 2 > most_columns) return {};
  std::vector<std::string> header = {"row"};
  for (const Variable& v : outputs) {
    const std::int64_t n = layout.elements(v);
    header.push_back(n == 1 ? v.name : fmt::format("{}[{}]", v.name, n));
  }
  header.push_back("= b");
  Table table(header);
  for (Eigen::Index i = 0; i < constraints.rows(); ++i) {
    const Law& law = constraints.independent_laws()[static_cast<std::size_t>(i)];
    std::vector<std::string> row = {law.name};
    for (const Variable& v : outputs) row.push_back(coefficients_text(layout, constraints, i, v));
    row.push_back(law.right_hand_side.text());
    table.add(row);
  }
  return table.text();
}

}  // namespace

std::string describe_variables(const StateLayout& layout) {
  Table table({"variable", "role", "units", "dimensions", "meaning"});
  for (std::size_t column = 1; column < 5; ++column) table.left(column);
  for (Role role : {Role::input, Role::output, Role::diagnostic}) {
    for (const Variable& v : layout.with_role(role)) {
      table.add({v.name, to_string(v.role), v.units, dimensions_text(layout, v),
                 v.long_name.empty() ? v.standard_name : v.long_name});
    }
  }
  return table.text();
}

std::string describe_laws(const StateLayout& layout, const std::vector<Law>& all,
                          const std::vector<Constant>& constants) {
  if (all.empty()) return "  no laws\n";
  std::string text;
  std::size_t name_width = 0;
  for (const Law& law : all) name_width = std::max(name_width, law.name.size());
  for (const Law& law : all) {
    text += fmt::format("  {:<{}}  {}  [{}]{}{}\n", law.name, name_width, law.equation, law.units,
                        law.scope == LawScope::global ? ", over all columns of a step" : "",
                        law.physics_tolerance > 0.0 ? fmt::format(", reference data within {:g}", law.physics_tolerance)
                                                    : std::string());
    if (law.scope != LawScope::global) continue;
    std::string terms;
    for (const LawTerm& term : law.terms)
      terms += fmt::format("{}({}) {}", terms.empty() ? "" : " + ", term.coefficient.text(), term.variable);
    text += fmt::format("  {:<{}}  summed over them: {}; = {}\n", "", name_width, terms, law.right_hand_side.text());
  }
  const std::vector<Law> laws = local_laws(all);
  const LinearConstraints constraints(layout, laws, constants);
  for (const Constant& c : constants) text += fmt::format("  {} = {} {}\n", c.name, c.value, c.units);
  text += fmt::format("\nMatrix: {} independent of {} laws over {} output elements\n", constraints.rows(), laws.size(),
                      constraints.outputs());
  for (const LawReport& report : constraints.report()) {
    if (report.redundant) {
      text += fmt::format("  {} follows from {} and is left out\n", report.law, fmt::join(report.implied_by, ", "));
    }
  }
  text += matrix_text(layout, constraints);
  if (!constraints.shared()) text += "  coefficients that name inputs differ from sample to sample\n";
  return text;
}

std::string describe_json(const StateLayout& layout, const std::vector<Law>& all,
                          const std::vector<Constant>& constants) {
  const std::vector<Law> laws = local_laws(all);
  nlohmann::ordered_json json;
  json["variables"] = nlohmann::ordered_json::array();
  for (const Variable& v : layout.variables()) {
    json["variables"].push_back({{"name", v.name},
                                 {"role", to_string(v.role)},
                                 {"units", v.units},
                                 {"dimensions", v.dimensions},
                                 {"standard_name", v.standard_name},
                                 {"long_name", v.long_name}});
  }
  json["laws"] = nlohmann::ordered_json::array();
  const LinearConstraints constraints(layout, laws, constants);
  for (std::size_t i = 0; i < laws.size(); ++i) {
    const LawReport& report = constraints.report()[i];
    json["laws"].push_back({{"name", laws[i].name},
                            {"equation", laws[i].equation},
                            {"units", laws[i].units},
                            {"physics_tolerance", laws[i].physics_tolerance},
                            {"scope", "local"},
                            {"redundant", report.redundant},
                            {"implied_by", report.implied_by}});
  }
  for (const Law& law : all) {
    if (law.scope != LawScope::global) continue;
    nlohmann::ordered_json terms = nlohmann::ordered_json::array();
    for (const LawTerm& term : law.terms) terms.push_back({{"variable", term.variable}, {"coefficient", term.coefficient.text()}});
    json["laws"].push_back({{"name", law.name},
                            {"equation", law.equation},
                            {"units", law.units},
                            {"physics_tolerance", law.physics_tolerance},
                            {"scope", "global"},
                            {"terms", terms},
                            {"right_hand_side", law.right_hand_side.text()}});
  }
  json["rank"] = constraints.rows();
  return json.dump();
}

}  // namespace lavoisier::cli
