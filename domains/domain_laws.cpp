#include "domain_parser.hpp"

#include "graph_section.hpp"

#include <lavoisier/linear_constraints.hpp>
#include <lavoisier/tolerances.hpp>

#include <algorithm>

namespace lavoisier::detail {
namespace {

// Tolerances that a domain file may name instead of stating a number.
const std::map<std::string, double>& named_tolerances() {
  static const std::map<std::string, double> table = {
      {"atmospheric_column_energy", tolerances::physics::atmospheric_column_energy},
      {"atmospheric_column_water", tolerances::physics::atmospheric_column_water},
      {"ocean_heat_budget", tolerances::physics::ocean_heat_budget},
      {"chemical_process_cstr", tolerances::physics::chemical_process_cstr},
      {"chemical_process_plant", tolerances::physics::chemical_process_plant}};
  return table;
}

}  // namespace

void DomainParser::references(const Section& top) {
  context_.global = true;
  for (const auto& entry : top.entries("step_values")) {
    const toml::node* const node = entry.value->as_table()->get("reference");
    if (node == nullptr) continue;
    const std::string what = "reference of " + entry.key, text = equation_text(*node, what);
    const auto value = std::find_if(domain_.step_values.begin(), domain_.step_values.end(),
                                    [&](const StepValue& one) { return one.name == entry.key; });
    Law law;
    located(what, position(*node), [&] { law = detail::parse_total(entry.key, text, noting(what)); });
    collect_notes(what);
    for (const std::string& name : diagnostics_of(law))
      if (context_.symbols.at(name).kind == detail::Symbol::Kind::step_value)
        text_.fail(Status::invalid_format, fmt::format("{}: it cannot be made of \"{}\", another number of a step", what, name),
                   position(*node));
    const Unit own(domain_.layout.variable(entry.key).units), found(law.units);
    if (!found.convertible_to(own))
      text_.fail(Status::unit_mismatch,
                 fmt::format("{}: expected a value in {} ({}), found {} ({})", what, own.text(), own.base_text(), found.text(),
                             found.base_text()),
                 position(*node));
    value->conversion = found.conversion_to(own);
    checked(law, what, entry.at);
    value->reference = std::move(law);
  }
  context_.global = false;
}

std::vector<std::string> DomainParser::diagnostics_of(const Law& law) const {
  std::vector<std::string> names = law.right_hand_side.symbols(), result;
  for (const LawTerm& term : law.terms) {
    const auto more = term.coefficient.symbols();
    names.insert(names.end(), more.begin(), more.end());
  }
  for (const std::string& name : names)
    if (domain_.layout.has_variable(name) && domain_.layout.variable(name).role == Role::diagnostic &&
        std::find(result.begin(), result.end(), name) == result.end())
      result.push_back(name);
  return result;
}

void DomainParser::checked(const Law& law, const std::string& what, Position at) const {
  try {
    validate_law(law, domain_.layout, domain_.constants);
  } catch (const Error& error) {
    text_.fail(error.status(), what + ": " + error.what(), at);
  }
}

void DomainParser::definitions(const Section& top) {
  for (const auto& entry : top.entries("definitions")) {
    declare(entry.key, entry.at);
    const std::string equation = equation_text(*entry.value, "definition " + entry.key);
    detail::Symbol symbol;
    symbol.kind = detail::Symbol::Kind::definition;
    located("definition " + entry.key, position(*entry.value), [&] {
      symbol.definition = detail::parse_expression(equation, noting("definition " + entry.key));
    });
    symbol.dimensions = symbol.definition.dimensions;
    symbol.unit = symbol.definition.unit;
    collect_notes("definition " + entry.key);
    context_.symbols[entry.key] = std::move(symbol);
  }
}

const detail::EquationContext& DomainParser::noting(const std::string&) {
  pending_notes_.clear();
  context_.notes = &pending_notes_;
  return context_;
}

void DomainParser::collect_notes(const std::string& what) {
  for (const auto& note : pending_notes_) domain_.notes.push_back(what + ": " + note);
  pending_notes_.clear();
}

std::string DomainParser::equation_text(const toml::node& node, const std::string& what) const {
  if (!node.is_string())
    text_.fail(Status::invalid_format,
               fmt::format("expected an equation as a text for {}, found {}", what, type_name(node)), position(node));
  return *node.value<std::string>();
}

void DomainParser::laws(const Section& top) {
  for (const auto& entry : top.entries("laws")) {
    const std::string what = "law " + entry.key;
    Position literal = position(*entry.value);
    std::string equation;
    double tolerance = 0.0;
    std::optional<Unit> stated;
    Position stated_at;
    bool global = false, on_request = false;
    if (entry.value->is_table()) {
      const Section one = section(*entry.value, what, entry.at, {"equation", "tolerance", "units", "scope", "on_request"});
      equation = one.string("equation", "left = right");
      literal = one.where("equation");
      if (one.has("tolerance")) tolerance = read_tolerance(one);
      if (one.has("units")) {
        stated_at = one.where("units");
        stated = unit(one.string("units", ""), stated_at);
      }
      global = read_scope(one);
      on_request = one.boolean("on_request");
      if (on_request && !global)
        one.fail(Status::invalid_format, "local laws always hold: \"on_request\" goes with scope = \"global\"", "on_request");
    } else {
      equation = equation_text(*entry.value, what);
    }
    if (entry.key.empty()) text_.fail(Status::invalid_format, "a law needs a name", entry.at);
    Law law;
    context_.global = global;
    located(what, literal, [&] { law = detail::parse_law(entry.key, equation, noting(what)); });
    context_.global = false;
    collect_notes(what);
    if (stated) {
      // A check on the scientist's own expectation; the law keeps the units of its left side.
      if (!stated->same_as(Unit(law.units)))
        text_.fail(Status::unit_mismatch,
                   fmt::format("{}: expected terms in {}, found {}", what, stated->text(), law.units), stated_at);
      law.units = stated->text();
    }
    law.physics_tolerance = tolerance;
    checked(law, what, entry.at);
    law_positions_[entry.key] = entry.at;
    if (global) require_plain_samples(what, entry.at);
    if (domain_.graphs && !global) {
      std::string flaw;
      try {
        flaw = detail::flaw_of_graph_law(law, domain_);
      } catch (const Error& error) {
        text_.fail(error.status(), error.what(), entry.at);
      }
      if (!flaw.empty()) text_.fail(Status::unsupported, what + ": " + flaw, entry.at);
    }
    if (!global) {
      domain_.laws.push_back(std::move(law));
      continue;
    }
    GlobalLaw made{std::move(law), on_request, {}};
    for (const std::string& name : diagnostics_of(made.law))
      if (context_.symbols.at(name).kind == detail::Symbol::Kind::step_value) made.step_values.push_back(name);
    domain_.global_laws.push_back(std::move(made));
  }
  check_consistency();
}

bool DomainParser::read_scope(const Section& law) {
  if (!law.has("scope")) return false;
  const std::string word = law.string("scope", "");
  if (word != "local" && word != "global")
    law.fail(Status::invalid_format,
             fmt::format("expected scope = \"local\" (every sample) or \"global\" (all columns of a step), found \"{}\"", word),
             "scope");
  return word == "global";
}

double DomainParser::read_tolerance(const Section& law) const {
  const auto& node = law.required("tolerance", "");
  if (!node.is_string()) {
    const double value = law.number("tolerance", "");
    if (value < 0.0) law.fail(Status::invalid_format, "expected a tolerance of 0 or more", "tolerance");
    return value;
  }
  const std::string word = *node.value<std::string>();
  const auto found = named_tolerances().find(word);
  if (found != named_tolerances().end()) return found->second;
  std::vector<std::string> names;
  for (const auto& [name, value] : named_tolerances()) names.push_back(name);
  law.fail(Status::not_found,
           fmt::format("expected a number or the name of a tolerance ({}), found \"{}\"", listed(names), word),
           "tolerance");
}

void DomainParser::check_consistency() {
  if (domain_.laws.empty()) return;
  const bool fixed = std::none_of(layout_dimensions_.begin(), layout_dimensions_.end(),
                                  [](const Dimension& d) { return d.ragged; });
  if (!fixed) return;
  try {
    const LinearConstraints constraints(domain_.layout, domain_.laws, domain_.constants);
  } catch (const Error& error) {
    // The last of the laws that the message names is the one to look at.
    const std::string message = error.what();
    Position at = law_positions_.at(domain_.laws.back().name);
    for (const auto& law : domain_.laws)
      if (message.find("'" + law.name + "'") != std::string::npos) at = law_positions_.at(law.name);
    text_.fail(error.status(), message, at);
  }
}

}  // namespace lavoisier::detail
