#include "domain_parser.hpp"

#include "graph_section.hpp"
#include "over_columns.hpp"
#include "series_section.hpp"

#include <algorithm>

namespace lavoisier::detail {

void DomainParser::source_units(const Section& owner, const std::string& key, std::map<std::string, std::string>& into) const {
  for (const auto& entry : owner.entries(key)) {
    if (!entry.value->is_string())
      text_.fail(Status::invalid_format,
                 fmt::format("expected units as a text for the spelling \"{}\", found {}", entry.key,
                             type_name(*entry.value)),
                 position(*entry.value));
    const auto spelling = *entry.value->value<std::string>();
    unit(spelling, position(*entry.value));
    into[entry.key] = spelling;
  }
}

void DomainParser::constants(const Section& top) {
  for (const auto& entry : top.entries("constants")) {
    const bool array = entry.value->is_table() && entry.value->as_table()->contains("values");
    const Section one = section(*entry.value, "constant " + entry.key, entry.at,
                                array ? std::vector<std::string>{"values", "units", "dimensions"}
                                      : std::vector<std::string>{"value", "units"});
    declare(entry.key, entry.at);
    if (array) {
      array_constant(one, entry.key);
      continue;
    }
    const Constant constant{entry.key, one.string("units", "of the value"), one.number("value", "the constant's number")};
    detail::Symbol symbol;
    symbol.unit = unit(constant.units, one.where("units"));
    context_.symbols[entry.key] = symbol;
    domain_.constants.push_back(constant);
  }
}

std::vector<std::string> DomainParser::declared_dimensions(const Section& owner) const {
  const auto names = owner.strings("dimensions", "declared under [dimensions]");
  for (const auto& name : names) {
    const auto& known = context_.dimensions;
    if (std::find(known.begin(), known.end(), name) != known.end()) continue;
    const std::string near = nearest_name(name, known);
    owner.fail(Status::not_found,
               fmt::format("there is no dimension \"{}\"{}", name,
                           !near.empty()   ? "; did you mean \"" + near + "\"?"
                           : known.empty() ? "; this domain declares none"
                                           : "; declared are " + listed(known)),
               "dimensions");
  }
  return names;
}

void DomainParser::array_constant(const Section& one, const std::string& name) {
  ArrayConstant constant{name, one.string("units", "of the values"), declared_dimensions(one),
                         one.numbers("values", "one an element, the last dimension fastest")};
  if (constant.dimensions.empty())
    one.fail(Status::invalid_format, "expected at least one dimension; one number is a \"value\"", "dimensions");
  std::size_t expected = 1;
  std::string shape;
  for (const auto& dimension : layout_dimensions_)
    for (const auto& own : constant.dimensions)
      if (own == dimension.name) {
        expected *= static_cast<std::size_t>(dimension.extent);
        shape += fmt::format("{}{} = {}", shape.empty() ? "" : ", ", own, dimension.extent);
      }
  if (constant.values.size() != expected)
    one.fail(Status::shape_mismatch,
             fmt::format("constant {}: expected {} values ({}), found {}", name, expected, shape, constant.values.size()),
             "values");
  detail::Symbol symbol;
  symbol.kind = detail::Symbol::Kind::array_constant;
  symbol.unit = unit(constant.units, one.where("units"));
  symbol.dimensions = constant.dimensions;
  context_.symbols[name] = symbol;
  domain_.array_constants.push_back(std::move(constant));
}

void DomainParser::count_elements(const Section& one, const Variable& variable) {
  std::int64_t elements = 1;
  for (const auto& dimension : layout_dimensions_)
    for (const auto& own : variable.dimensions)
      if (own == dimension.name && elements <= most_elements) elements *= dimension.extent;
  elements_ += elements;
  if (elements_ > most_elements)
    one.fail(Status::invalid_format,
             fmt::format("expected variables of at most {} elements in all, found more from \"{}\" on", most_elements,
                         variable.name),
             "dimensions");
}

void DomainParser::variables(const Section& top, const std::string& key, Role role) {
  for (const auto& entry : top.entries(key)) {
    const Section one = section(*entry.value, "[" + key + "." + entry.key + "]", entry.at,
                                {"units", "source", "value", "of_outputs", "source_units", "standard_name", "long_name", "dimensions", "network", "category"});
    declare(entry.key, entry.at);
    variable_positions_[entry.key] = entry.at;
    if (domain_.table && (entry.key == "sample" || entry.key == "member"))
      text_.fail(Status::invalid_format,
                 fmt::format("\"{}\" is what a column of every generated table is called: choose another name", entry.key),
                 entry.at);
    Variable variable;
    variable.name = entry.key;
    variable.role = role;
    variable.units = one.string("units", "in which the domain holds the variable, as UDUNITS reads them");
    const Unit own = unit(variable.units, one.where("units"));
    variable.standard_name = one.string_or_empty("standard_name");
    variable.long_name = one.string_or_empty("long_name");
    if (one.has("dimensions")) variable.dimensions = declared_dimensions(one);
    count_elements(one, variable);
    Source source = one.has("value")        ? read_value(one, variable, own)
                    : one.has("of_outputs") ? read_of_outputs(one, variable)
                                            : detail::read_source(one, variable, own, domain_);
    fits_blocks(one, variable, source);
    detail::read_category(one, variable, source, domain_);
    if (one.has("network")) {
      if (role == Role::output) one.fail(Status::invalid_format, "\"network\" says whether it is given an input", "network");
      if (!one.boolean("network")) domain_.unseen.push_back(variable.name);
    }
    source_units(one, "source_units", source.source_units);
    accept_spellings(variable, own, source);
    domain_.sources[entry.key] = std::move(source);

    detail::Symbol symbol;
    symbol.kind = role == Role::output ? detail::Symbol::Kind::output : detail::Symbol::Kind::value;
    symbol.unit = own;
    symbol.per_column = true;
    symbol.dimensions = variable.dimensions;
    context_.symbols[entry.key] = symbol;
    variables_.push_back(std::move(variable));
  }
}

void DomainParser::weights(const Section& top) {
  for (const auto& entry : top.entries("weights")) {
    require_plain_samples("weight " + entry.key, entry.at);
    const Section one = section(*entry.value, "[weights." + entry.key + "]", entry.at,
                                {"latitude", "longitude", "source", "units", "standard_name", "long_name"});
    Variable declared;
    domain_.weights.push_back(detail::read_weight(one, entry.key, domain_, declared));
    declare_diagnostic(entry, std::move(declared), detail::Symbol::Kind::weight);
  }
}

void DomainParser::step_values(const Section& top) {
  for (const auto& entry : top.entries("step_values")) {
    require_plain_samples("step value " + entry.key, entry.at);
    const Section one = section(*entry.value, "[step_values." + entry.key + "]", entry.at,
                                {"units", "source", "reference", "standard_name", "long_name"});
    Variable declared;
    domain_.step_values.push_back(detail::read_step_value(one, entry.key, domain_, declared));
    declare_diagnostic(entry, std::move(declared), detail::Symbol::Kind::step_value);
  }
}

void DomainParser::declare_diagnostic(const Section::Entry& entry, Variable variable, detail::Symbol::Kind kind) {
  declare(entry.key, entry.at);
  detail::Symbol symbol;
  symbol.kind = kind;
  symbol.per_column = kind == detail::Symbol::Kind::weight;
  symbol.unit = Unit(variable.units);
  context_.symbols[entry.key] = symbol;
  variables_.push_back(std::move(variable));
}

Source DomainParser::read_value(const Section& variable, const Variable& declared, const Unit& own) {
  const std::string name = "input " + declared.name;
  if (declared.role != Role::input)
    variable.fail(Status::invalid_format, "an output is read from the file: \"value\" is for inputs", "value");
  for (const char* other : {"source", "source_units"})
    if (variable.has(other))
      variable.fail(Status::invalid_format, fmt::format("an input has either a \"value\" or a \"{}\"", other), other);
  const std::string text = variable.string("value", "");
  detail::LinearForm form;
  located(name, variable.where("value"), [&] { form = detail::parse_expression(text, noting(name)); });
  collect_notes(name);
  auto wanted = declared.dimensions, found = form.dimensions;
  std::sort(wanted.begin(), wanted.end());
  std::sort(found.begin(), found.end());
  if (wanted != found)
    variable.fail(Status::shape_mismatch,
                  fmt::format("{}: expected dimensions = [{}], those of its value, found [{}]", name,
                              listed(form.dimensions), listed(declared.dimensions)),
                  variable.has("dimensions") ? "dimensions" : "value");
  if (!form.any_unit && !form.unit.convertible_to(own))
    variable.fail(Status::unit_mismatch,
                  fmt::format("{}: expected a value in {} ({}), found {} ({})", name, declared.units, own.base_text(),
                              form.unit.text(), form.unit.base_text()),
                  "value");
  Source source;
  source.units = declared.units;
  source.value = form.constant.get();
  if (!form.any_unit) source.value_conversion = form.unit.conversion_to(own);
  return source;
}

Source DomainParser::read_of_outputs(const Section& variable, const Variable& declared) {
  if (declared.role != Role::input)
    variable.fail(Status::invalid_format, "\"of_outputs\" is for inputs", "of_outputs");
  if (!domain_.images)
    variable.fail(Status::unsupported, "\"of_outputs\" is for images; other files hold their inputs", "of_outputs");
  for (const char* other : {"source", "source_units"})
    if (variable.has(other))
      variable.fail(Status::invalid_format, fmt::format("an input has either \"of_outputs\" or a \"{}\"", other), other);
  of_outputs_.push_back({declared.name, variable.string("of_outputs", ""), variable.where("of_outputs"), variable.at(),
                         unit(declared.units, variable.where("units"))});
  Source source;  // of a table or NetCDF: the field of its name
  source.variable = declared.name;
  source.units = declared.units;
  return source;
}

void DomainParser::made_of_outputs() {
  for (const OfOutputs& one : of_outputs_) {
    const std::string name = "input " + one.name;
    detail::LinearForm form;
    located(name, one.literal, [&] { form = detail::parse_expression(one.text, noting(name)); });
    collect_notes(name);
    const Variable& declared = domain_.layout.variable(one.name);
    auto wanted = declared.dimensions, found = form.dimensions;
    std::sort(wanted.begin(), wanted.end());
    std::sort(found.begin(), found.end());
    if (wanted != found)
      text_.fail(Status::shape_mismatch,
                 fmt::format("{}: expected dimensions = [{}], those of its value, found [{}]", name, listed(form.dimensions),
                             listed(declared.dimensions)),
                 one.literal);
    if (!form.any_unit && !form.unit.convertible_to(one.own))
      text_.fail(Status::unit_mismatch,
                 fmt::format("{}: expected a value in {} ({}), found {} ({})", name, declared.units, one.own.base_text(),
                             form.unit.text(), form.unit.base_text()),
                 one.literal);
    Expression value = form.constant.get();
    bool any = !form.constant.is(0.0);
    for (const detail::LinearTerm& term : form.terms) {
      Expression part = Expression::symbol(term.variable);
      if (!term.coefficient.is(1.0)) part = term.coefficient.get() * part;
      for (const std::string& dimension : term.summed) part = Expression::sum(dimension, part);
      value = any ? value + part : part;
      any = true;
    }
    for (const std::string& symbol : value.symbols())
      if (domain_.layout.has_variable(symbol) && domain_.layout.variable(symbol).role == Role::input)
        text_.fail(Status::invalid_format, fmt::format("{}: expected outputs and constants, found the input \"{}\"", name, symbol),
                   one.literal);
    if (form.terms.empty())
      text_.fail(Status::invalid_format, fmt::format("{}: expected at least one output", name), one.literal);
    Source& source = domain_.sources.at(one.name);
    source.of_outputs = std::move(value);
    if (!form.any_unit) source.value_conversion = form.unit.conversion_to(one.own);
  }
}

void DomainParser::accept_spellings(Variable& variable, const Unit& own, const Source& source) const {
  if (source.transform != Transform::none || source.index) return;
  auto spellings = domain_.source_units;
  for (const auto& [spelling, units] : source.source_units) spellings[spelling] = units;
  for (const auto& [spelling, units] : spellings)
    if (spelling != variable.units && Unit(units).same_as(own)) variable.accepted_units.push_back(spelling);
}

}  // namespace lavoisier::detail
