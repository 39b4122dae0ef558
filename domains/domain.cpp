#include <lavoisier/domain.hpp>
#include <lavoisier/files.hpp>
#include <lavoisier/linear_constraints.hpp>
#include <lavoisier/tolerances.hpp>
#include <lavoisier/units.hpp>

#include "equation.hpp"
#include "read_source.hpp"
#include "section.hpp"
#include "shipped.hpp"
#include "split.hpp"

#include <algorithm>
#include <cmath>
#include <limits>
#include <set>

namespace lavoisier {
namespace {

using detail::listed;
using detail::Position;
using detail::position;
using detail::Section;
using detail::SourceText;
using detail::type_name;

constexpr std::int64_t format_version = 1;

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

bool is_identifier(const std::string& name) {
  if (name.empty() || (std::isdigit(static_cast<unsigned char>(name.front())) != 0)) return false;
  return std::all_of(name.begin(), name.end(),
                     [](char c) { return (std::isalnum(static_cast<unsigned char>(c)) != 0) || c == '_'; });
}

class DomainParser {
 public:
  DomainParser(const std::string& text, const std::string& origin) : text_(text, origin) {}

  Domain parse() {
    const toml::table root = detail::parse_toml(text_);
    const Section top(text_, root, "the domain file", {1, 1},
                      {"format", "name", "title", "description", "reference", "samples", "split", "source_units",
                       "dimensions", "constants", "definitions", "inputs", "outputs", "laws"});
    head(top);
    samples(top);
    source_units(top, "source_units", domain_.source_units);
    dimensions(top);
    constants(top);
    context_.reading = true;
    variables(top, "inputs", Role::input);
    variables(top, "outputs", Role::output);
    context_.reading = false;
    if (!any_of_role(Role::input)) text_.fail(Status::invalid_format, "a domain needs at least one input", {1, 1});
    if (!any_of_role(Role::output)) text_.fail(Status::invalid_format, "a domain needs at least one output", {1, 1});
    domain_.layout = StateLayout(layout_dimensions_, variables_);
    empty_rule(top);
    split(top);
    definitions(top);
    made_of_outputs();
    laws(top);
    domain_.digest = sha256(std::as_bytes(std::span(text_.text().data(), text_.text().size())));
    return std::move(domain_);
  }

 private:
  SourceText text_;
  Domain domain_;
  std::vector<Dimension> layout_dimensions_;
  std::vector<Variable> variables_;
  std::map<std::string, Position> declared_;  ///< every name of an equation
  detail::EquationContext context_;

  bool any_of_role(Role role) const {
    return std::any_of(variables_.begin(), variables_.end(), [&](const Variable& v) { return v.role == role; });
  }

  Section section(const toml::node& node, const std::string& name, Position at,
                  const std::vector<std::string>& legal) const {
    if (!node.is_table())
      text_.fail(Status::invalid_format, fmt::format("expected a table for {}, found {}", name, type_name(node)),
                 position(node));
    return Section(text_, *node.as_table(), name, at, legal);
  }

  Unit unit(const std::string& spelling, Position at) const { return detail::read_unit(text_, spelling, at); }

  void declare(const std::string& name, Position at) {
    if (!is_identifier(name))
      text_.fail(Status::invalid_format,
                 fmt::format("\"{}\" cannot be used in equations: expected letters, digits and _, no digit first", name),
                 at);
    if (name == "sum") text_.fail(Status::invalid_format, "\"sum\" is a word of equations: choose another name", at);
    const auto [earlier, fresh] = declared_.emplace(name, at);
    if (!fresh)
      text_.fail(Status::invalid_format,
                 fmt::format("\"{}\" is declared twice, first in line {}", name, earlier->second.line), at);
  }

  void head(const Section& top) {
    const auto format = top.integer("format", "the version of this format, 1");
    if (format != format_version)
      top.fail(Status::unsupported_version, fmt::format("expected format = {}, found {}", format_version, format), "format");
    domain_.name = top.string("name", "what the domain is called");
    if (!is_identifier(domain_.name))
      top.fail(Status::invalid_format,
               fmt::format("expected a name of letters, digits and _, found \"{}\"", domain_.name), "name");
    domain_.title = top.string("title", "one line that says what the domain is");
    domain_.description = top.string_or_empty("description");
    domain_.reference = top.string_or_empty("reference");
  }

  void samples(const Section& top) {
    const auto& node = top.required("samples", "which dimensions of a file make samples");
    if (node.is_table() && node.as_table()->contains("images")) {
      const Section images = section(node, "[samples] of images", position(node), {"images", "dequantise"});
      if (!images.boolean("images")) images.fail(Status::invalid_format, "expected images = true, or no such key", "images");
      domain_.images = ImageOptions{images.boolean("dequantise")};
      domain_.sample_dimensions = domain_.column_dimensions = {"image"};
      return;
    }
    if (node.is_table() && node.as_table()->contains("table")) {
      const Section table =
          section(node, "[samples] of a table", position(node), {"table", "delimiter", "comment", "missing"});
      if (!table.boolean("table")) table.fail(Status::invalid_format, "expected table = true, or no such key", "table");
      domain_.table = CsvOptions();
      domain_.table->delimiter = character(table, "delimiter", ',');
      domain_.table->comment = character(table, "comment", '\0');
      if (domain_.table->delimiter == domain_.table->comment)
        table.fail(Status::invalid_format, "the delimiter and the comment mark are the same character", "comment");
      if (table.has("missing")) domain_.table->missing = table.strings("missing", "");
      domain_.sample_dimensions = domain_.column_dimensions = {"sample"};
      return;
    }
    const Section samples = section(node, "[samples]", position(node), {"dimensions", "column", "empty", "coordinates"});
    domain_.sample_dimensions = samples.strings("dimensions", "the file's dimensions that make samples, slowest first");
    if (domain_.sample_dimensions.empty())
      samples.fail(Status::invalid_format, "expected at least one sample dimension", "dimensions");
    if (samples.has("coordinates")) domain_.coordinates = samples.strings("coordinates", "");
    domain_.column_dimensions = samples.strings("column", "those of them that number columns; the others number steps");
    for (const auto& name : domain_.column_dimensions) {
      const auto& all = domain_.sample_dimensions;
      if (std::find(all.begin(), all.end(), name) != all.end()) continue;
      const std::string near = nearest_name(name, all);
      samples.fail(Status::not_found,
                   fmt::format("\"{}\" is no sample dimension; {}", name,
                               near.empty() ? "these are " + listed(all) : "did you mean \"" + near + "\"?"),
                   "column");
    }
  }

  static char character(const Section& section, const std::string& key, char otherwise) {
    if (!section.has(key)) return otherwise;
    const std::string text = section.string(key, "");
    if (text.size() != 1 || text[0] < 0 || text[0] == '"' || text[0] == '\n' || text[0] == '\r')
      section.fail(Status::invalid_format,
                   fmt::format("expected one ASCII character other than a quote for \"{}\", found \"{}\"", key, text), key);
    return text[0];
  }

  void empty_rule(const Section& top) {
    if (domain_.by_rows()) return;
    const auto& node = top.required("samples", "");
    const Section samples = section(node, "[samples]", position(node), {"dimensions", "column", "empty", "coordinates"});
    const auto& rule = samples.required(
        "empty", "\"all missing\", or the inputs that are all missing where a cell is no sample (land)");
    if (rule.is_string()) {
      if (*rule.value<std::string>() != "all missing")
        samples.fail(Status::invalid_format,
                     fmt::format("expected \"all missing\" or an array of inputs for \"empty\", found \"{}\"",
                                 *rule.value<std::string>()),
                     "empty");
      return;
    }
    domain_.empty = samples.strings("empty", "");
    if (domain_.empty.empty())
      samples.fail(Status::invalid_format, "expected \"all missing\" or at least one input", "empty");
    std::vector<std::string> fields;
    for (const auto& [name, source] : domain_.sources)
      if (source.is_field() && domain_.layout.variable(name).role == Role::input) fields.push_back(name);
    for (const auto& name : domain_.empty) {
      if (std::find(fields.begin(), fields.end(), name) != fields.end()) continue;
      const std::string near = nearest_name(name, fields);
      samples.fail(Status::not_found,
                   fmt::format("\"{}\" is no input that is read from a field; {}", name,
                               near.empty() ? "these are " + listed(fields) : "did you mean \"" + near + "\"?"),
                   "empty");
    }
  }

  void split(const Section& top) {
    if (!top.has("split")) return;
    domain_.split = detail::read_split(top, domain_.sample_dimensions);
  }

  void source_units(const Section& owner, const std::string& key, std::map<std::string, std::string>& into) const {
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

  void dimensions(const Section& top) {
    for (const auto& entry : top.entries("dimensions")) {
      const Section one =
          section(*entry.value, "[dimensions." + entry.key + "]", entry.at, {"kind", "extent", "ragged", "source"});
      declare(entry.key, entry.at);
      Dimension dimension;
      dimension.name = entry.key;
      try {
        dimension.kind = dimension_kind_from(one.string("kind", "level, y, x, channel, atom, bond or lag"));
      } catch (const Error& error) {
        one.fail(error.status(), error.what(), "kind");
      }
      dimension.extent = one.integer("extent", "how many elements (for a ragged one: the most)");
      if (dimension.extent < 1)
        one.fail(Status::invalid_format, fmt::format("expected an extent of at least 1, found {}", dimension.extent),
                 "extent");
      dimension.ragged = one.boolean("ragged");
      domain_.file_dimensions[entry.key] = file_dimension(one, entry.key);
      layout_dimensions_.push_back(dimension);
      context_.dimensions.push_back(entry.key);
    }
  }

  FileDimension file_dimension(const Section& dimension, const std::string& name) const {
    FileDimension result{name, 0, false};
    if (!dimension.has("source")) return result;
    if (domain_.table) dimension.fail(Status::invalid_format, "a table has no dimensions of its own", "source");
    const auto& node = dimension.required("source", "");
    if (node.is_string()) {
      result.name = *node.value<std::string>();
    } else {
      const Section one = section(node, "the source of " + name, position(node), {"dimension", "first"});
      result.name = one.string("dimension", "the file's name of it");
      if (one.has("first")) {
        result.first = one.integer("first", "");
        result.part = true;
        if (result.first < 0 || result.first > std::numeric_limits<std::int32_t>::max())
          one.fail(Status::invalid_format,
                   fmt::format("expected an index from 0 to {}, found {}", std::numeric_limits<std::int32_t>::max(),
                               result.first),
                   "first");
      }
    }
    const auto& samples = domain_.sample_dimensions;
    if (std::find(samples.begin(), samples.end(), result.name) != samples.end())
      dimension.fail(Status::invalid_format, fmt::format("\"{}\" is a sample dimension", result.name), "source");
    return result;
  }

  void constants(const Section& top) {
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

  std::vector<std::string> declared_dimensions(const Section& owner) const {
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

  void array_constant(const Section& one, const std::string& name) {
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

  void variables(const Section& top, const std::string& key, Role role) {
    for (const auto& entry : top.entries(key)) {
      const Section one = section(*entry.value, "[" + key + "." + entry.key + "]", entry.at,
                                  {"units", "source", "value", "of_outputs", "source_units", "standard_name", "long_name", "dimensions"});
      declare(entry.key, entry.at);
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
      Source source = one.has("value")        ? read_value(one, variable, own)
                      : one.has("of_outputs") ? read_of_outputs(one, variable)
                                              : detail::read_source(one, variable, own, domain_);
      source_units(one, "source_units", source.source_units);
      accept_spellings(variable, own, source);
      domain_.sources[entry.key] = std::move(source);

      detail::Symbol symbol;
      symbol.kind = role == Role::output ? detail::Symbol::Kind::output : detail::Symbol::Kind::value;
      symbol.unit = own;
      symbol.dimensions = variable.dimensions;
      context_.symbols[entry.key] = symbol;
      variables_.push_back(std::move(variable));
    }
  }

  /// An input that is made of inputs before it.
  Source read_value(const Section& variable, const Variable& declared, const Unit& own) {
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

  /// An input that is made of outputs: of what, is known when they and the definitions are.
  struct OfOutputs {
    std::string name, text;
    Position literal, at;
    Unit own;
  };
  std::vector<OfOutputs> of_outputs_;

  Source read_of_outputs(const Section& variable, const Variable& declared) {
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

  void made_of_outputs() {
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

  // Literal spellings that mean the variable's own units travel with the model file: the plugin has no UDUNITS.
  void accept_spellings(Variable& variable, const Unit& own, const Source& source) const {
    if (source.transform != Transform::none || source.index) return;
    auto spellings = domain_.source_units;
    for (const auto& [spelling, units] : source.source_units) spellings[spelling] = units;
    for (const auto& [spelling, units] : spellings)
      if (spelling != variable.units && Unit(units).same_as(own)) variable.accepted_units.push_back(spelling);
  }

  void definitions(const Section& top) {
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

  std::vector<std::string> pending_notes_;
  const detail::EquationContext& noting(const std::string&) {
    pending_notes_.clear();
    context_.notes = &pending_notes_;
    return context_;
  }
  void collect_notes(const std::string& what) {
    for (const auto& note : pending_notes_) domain_.notes.push_back(what + ": " + note);
    pending_notes_.clear();
  }

  std::string equation_text(const toml::node& node, const std::string& what) const {
    if (!node.is_string())
      text_.fail(Status::invalid_format,
                 fmt::format("expected an equation as a text for {}, found {}", what, type_name(node)), position(node));
    return *node.value<std::string>();
  }

  template <class Function>
  void located(const std::string& what, Position literal, const Function& function) const {
    try {
      function();
    } catch (const detail::EquationError& error) {
      text_.fail(error.status(), what + ": " + error.what(), text_.inside_literal(literal, error.offset()));
    }
  }

  void laws(const Section& top) {
    for (const auto& entry : top.entries("laws")) {
      const std::string what = "law " + entry.key;
      Position literal = position(*entry.value);
      std::string equation;
      double tolerance = 0.0;
      std::optional<Unit> stated;
      Position stated_at;
      LawScope scope = LawScope::local;
      if (entry.value->is_table()) {
        const Section one = section(*entry.value, what, entry.at, {"equation", "tolerance", "units"});
        equation = one.string("equation", "left = right");
        literal = one.where("equation");
        if (one.has("tolerance")) tolerance = read_tolerance(one);
        if (one.has("units")) {
          stated_at = one.where("units");
          stated = unit(one.string("units", ""), stated_at);
        }
      } else {
        equation = equation_text(*entry.value, what);
      }
      if (entry.key.empty()) text_.fail(Status::invalid_format, "a law needs a name", entry.at);
      Law law;
      located(what, literal, [&] { law = detail::parse_law(entry.key, equation, noting(what)); });
      collect_notes(what);
      if (stated) {
        // A check on the scientist's own expectation; the law keeps the units of its left side.
        if (!stated->same_as(Unit(law.units)))
          text_.fail(Status::unit_mismatch,
                     fmt::format("{}: expected terms in {}, found {}", what, stated->text(), law.units), stated_at);
        law.units = stated->text();
      }
      law.physics_tolerance = tolerance;
      law.scope = scope;
      try {
        validate_law(law, domain_.layout, domain_.constants);
      } catch (const Error& error) {
        text_.fail(error.status(), what + ": " + error.what(), entry.at);
      }
      law_positions_[entry.key] = entry.at;
      domain_.laws.push_back(std::move(law));
    }
    check_consistency();
  }
  std::map<std::string, Position> law_positions_;

  double read_tolerance(const Section& law) const {
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

  // Contradictions show as soon as the coefficients are numbers; the others are found with the data.
  void check_consistency() {
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
};

bool looks_like_a_path(const std::string& name) {
  return name.find('/') != std::string::npos || (name.size() > 5 && name.ends_with(".toml"));
}

}  // namespace

Domain parse_domain(const std::string& text, const std::string& origin) { return DomainParser(text, origin).parse(); }

std::vector<std::string> shipped_domains() {
  std::vector<std::string> names;
  for (const auto& [name, text] : detail::shipped_domain_files()) names.push_back(name);
  return names;
}

Domain load_domain(const std::string& name_or_file) {
  const auto& shipped = detail::shipped_domain_files();
  if (looks_like_a_path(name_or_file)) {
    const auto bytes = read_file(name_or_file);
    Domain domain =
        parse_domain(std::string(reinterpret_cast<const char*>(bytes.data()), bytes.size()), name_or_file);
    domain.file = name_or_file;
    return domain;
  }
  const auto found = shipped.find(name_or_file);
  if (found == shipped.end()) {
    const std::string near = nearest_name(name_or_file, shipped_domains());
    throw Error(Status::not_found,
                fmt::format("no domain \"{}\"; shipped are {}{}; a file of your own is given by its path (NAME.toml)",
                            name_or_file, listed(shipped_domains()),
                            near.empty() ? "" : " (did you mean \"" + near + "\"?)"));
  }
  Domain domain = parse_domain(found->second, name_or_file + ".toml");
  domain.file = name_or_file + ".toml";
  return domain;
}

}  // namespace lavoisier
