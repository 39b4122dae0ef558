#include <lavoisier/domain.hpp>
#include <lavoisier/files.hpp>
#include <lavoisier/linear_constraints.hpp>
#include <lavoisier/tolerances.hpp>
#include <lavoisier/units.hpp>

#include "equation.hpp"
#include "graph_section.hpp"
#include "over_columns.hpp"
#include "read_source.hpp"
#include "section.hpp"
#include "series_section.hpp"
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
// Beyond what a sample of a field or of columns has: laws and networks over so many numbers fit no memory.
constexpr std::int64_t most_elements = std::int64_t{1} << 24;

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
                       "dimensions", "constants", "definitions", "inputs", "outputs", "weights", "step_values", "laws",
                       "target"});
    head(top);
    samples(top);
    source_units(top, "source_units", domain_.source_units);
    dimensions(top);
    blocks(top);
    constants(top);
    context_.reading = true;
    graphs(top);
    variables(top, "inputs", Role::input);
    if (domain_.graphs) detail::add_edge_ends(domain_, variables_);
    variables(top, "outputs", Role::output);
    if (domain_.graphs) detail::require_graph_variables(text_, variables_, *domain_.graphs, variable_positions_);
    context_.reading = false;
    if (!any_of_role(Role::input)) text_.fail(Status::invalid_format, "a domain needs at least one input", {1, 1});
    if (!any_of_role(Role::output)) text_.fail(Status::invalid_format, "a domain needs at least one output", {1, 1});
    weights(top);
    step_values(top);
    domain_.layout = StateLayout(layout_dimensions_, variables_);
    empty_rule(top);
    within(top);
    split(top);
    definitions(top);
    references(top);
    made_of_outputs();
    laws(top);
    if (domain_.series) detail::check_series(domain_, top);
    domain_.digest = sha256(std::as_bytes(std::span(text_.text().data(), text_.text().size())));
    return std::move(domain_);
  }

 private:
  SourceText text_;
  Domain domain_;
  std::vector<Dimension> layout_dimensions_;
  std::int64_t elements_ = 0;  ///< of all variables
  std::vector<Variable> variables_;
  std::map<std::string, Position> declared_;  ///< every name of an equation
  std::map<std::string, Position> variable_positions_;
  detail::EquationContext context_;

  std::vector<std::string> names_of(Role role) const {
    std::vector<std::string> names;
    for (const Variable& variable : variables_)
      if (variable.role == role) names.push_back(variable.name);
    return names;
  }

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
    if (node.is_table() && node.as_table()->contains("graphs")) {
      const Section graphs = section(node, "[samples] of graphs", position(node), {"graphs"});
      domain_.graphs.emplace();
      domain_.sample_dimensions = domain_.column_dimensions = {graphs.string("graphs", "what a sample is called: \"structure\"")};
      return;
    }
    const bool series = node.is_table() && node.as_table()->contains("series");
    if (!series && top.has("target"))
      top.fail(Status::invalid_format, "\"target\" goes with [samples] of a series: series = true", "target");
    if (series || (node.is_table() && node.as_table()->contains("table"))) {
      const Section table = series ? section(node, "[samples] of a series", position(node), detail::series_keys())
                                   : section(node, "[samples] of a table", position(node), {"table", "delimiter", "comment", "missing"});
      if (series)
        domain_.series = detail::read_series(table, top);
      else if (!table.boolean("table"))
        table.fail(Status::invalid_format, "expected table = true, or no such key", "table");
      domain_.table = CsvOptions();
      domain_.table->delimiter = character(table, "delimiter", ',');
      domain_.table->comment = character(table, "comment", '\0');
      if (domain_.table->delimiter == domain_.table->comment)
        table.fail(Status::invalid_format, "the delimiter and the comment mark are the same character", "comment");
      if (table.has("missing")) domain_.table->missing = table.strings("missing", "");
      domain_.sample_dimensions = domain_.column_dimensions = {"sample"};
      return;
    }
    const Section samples = section(node, "[samples]", position(node), {"dimensions", "column", "empty", "coordinates", "within"});
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
    const Section samples = section(node, "[samples]", position(node), {"dimensions", "column", "empty", "coordinates", "within"});
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

  void within(const Section& top) {
    const auto& node = top.required("samples", "");
    if (domain_.table || !node.as_table()->contains("within")) return;
    std::vector<std::string> legal = domain_.sample_dimensions;
    const std::vector<std::string> inputs = names_of(Role::input);
    legal.insert(legal.end(), inputs.begin(), inputs.end());
    const toml::node& table = *node.as_table()->get("within");
    const Section ranges = section(table, "\"within\"", position(table), legal);
    for (const std::string& name : legal) {
      if (!ranges.has(name)) continue;
      const std::vector<double> range = ranges.numbers(name, "");
      if (range.size() != 2 || !(range[0] < range[1]))
        ranges.fail(Status::invalid_format,
                    fmt::format("expected an interval [low, high) of \"{}\" with low below high", name), name);
      const bool coordinate = std::find(inputs.begin(), inputs.end(), name) == inputs.end();
      if (!coordinate && !domain_.layout.variable(name).dimensions.empty())
        ranges.fail(Status::shape_mismatch, fmt::format("expected an input of one number a sample, found \"{}\"", name), name);
      domain_.within[name] = {range[0], range[1]};
    }
  }

  /// Which dimensions number the cells of blocks and the blocks of neighbourhoods.
  void blocks(const Section& top) {
    using Numbers = FileDimension::Numbers;
    const auto& samples = domain_.sample_dimensions;
    std::map<std::pair<Numbers, std::string>, const Dimension*> found;
    const Section::Entry* first = nullptr;
    const auto entries = top.entries("dimensions");
    for (const auto& entry : entries) {
      const FileDimension& there = domain_.file_dimensions.at(entry.key);
      if (there.numbers == Numbers::indices) continue;
      if (first == nullptr) first = &entry;
      const Dimension& own = *std::find_if(layout_dimensions_.begin(), layout_dimensions_.end(),
                                           [&](const Dimension& one) { return one.name == entry.key; });
      if (!found.emplace(std::pair(there.numbers, there.name), &own).second)
        text_.fail(Status::invalid_format, fmt::format("a second dimension of the blocks along \"{}\"", there.name), entry.at);
      if (there.numbers == Numbers::neighbours && own.extent % 2 == 0)
        text_.fail(Status::invalid_format,
                   fmt::format("expected an odd extent of a neighbourhood, with as many blocks on each side, found {}", own.extent),
                   entry.at);
    }
    if (first == nullptr) return;
    const auto of = [&](Numbers numbers, std::size_t from_last) -> const Dimension* {
      const auto at = found.find({numbers, samples[samples.size() - from_last]});
      return at == found.end() ? nullptr : at->second;
    };
    if (samples.size() < 2)
      text_.fail(Status::invalid_format, "blocks need two sample dimensions, their y and their x", first->at);
    const Dimension *y = of(Numbers::block, 2), *x = of(Numbers::block, 1);
    const Dimension *near_y = of(Numbers::neighbours, 2), *near_x = of(Numbers::neighbours, 1);
    const std::size_t known = (y != nullptr) + (x != nullptr) + (near_y != nullptr) + (near_x != nullptr);
    if (y == nullptr || x == nullptr || (near_y == nullptr) != (near_x == nullptr) || known != found.size())
      text_.fail(Status::invalid_format,
                 fmt::format("blocks are of the last two sample dimensions: expected one dimension with source = {{ block = "
                             "\"{}\" }}, one with {{ block = \"{}\" }}, and neighbours of both or of none",
                             samples[samples.size() - 2], samples.back()),
                 first->at);
    if (!domain_.coordinates.empty())
      text_.fail(Status::unsupported, "a domain with blocks has no \"coordinates\": they are of the file's cells", first->at);
    Blocks made{y->name, x->name, {}, {}, y->extent, x->extent, 0, 0};
    if (near_y != nullptr) {
      made.near_y = near_y->name;
      made.near_x = near_x->name;
      made.halo_y = near_y->extent / 2;
      made.halo_x = near_x->extent / 2;
    }
    domain_.blocks = made;
  }

  /// Which dimensions number the nodes and edges of graphs; declares the inputs that come of them.
  void graphs(const Section& top) {
    if (!domain_.graphs) return;
    detail::read_graph_dimensions(top, layout_dimensions_, domain_);
    const Position at = position(top.required("dimensions", ""));
    for (const std::string& name : {domain_.graphs->count(), domain_.graphs->from(), domain_.graphs->to()}) declare(name, at);
    detail::add_node_count(domain_, variables_);
  }

  void fits_blocks(const Section& one, const Variable& variable, const Source& source) const {
    if (!domain_.blocks || !source.is_field() || source.block != BlockQuantity::none) return;
    if (!source.magnitude.empty())
      one.fail(Status::unsupported, "a domain with blocks reads no magnitudes", "source");
    const std::vector<std::string> cells = {domain_.blocks->y, domain_.blocks->x};
    if (variable.dimensions == cells) return;
    one.fail(Status::shape_mismatch,
             fmt::format("a field of a domain with blocks is read cell by cell: expected dimensions = [{}], found [{}]{}",
                         listed(cells), listed(variable.dimensions),
                         variable.role == Role::input ? "; what is made of a block has source = { block = \"mean\", ... }" : ""),
             one.has("dimensions") ? "dimensions" : "units");
  }

  void split(const Section& top) {
    if (!top.has("split")) return;
    domain_.split = detail::read_split(top, domain_.sample_dimensions);
    if (const std::string found = detail::misfit_of_graphs(*domain_.split, domain_); !found.empty())
      top.fail(Status::unsupported, found, "split");
    if (domain_.split->kind == Split::Kind::dates && !domain_.series)
      top.fail(Status::unsupported, "a split by dates is of a series: [samples] with series = true", "split");
    if (domain_.blocks && domain_.split && domain_.split->kind == Split::Kind::groups)
      top.fail(Status::unsupported, "blocks of cells have no groups: a split by a variable; boxes and bands of an axis divide them", "split");
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
      if (dimension.extent > most_elements)
        one.fail(Status::invalid_format,
                 fmt::format("expected an extent of at most {}, found {}", most_elements, dimension.extent), "extent");
      dimension.ragged = one.boolean("ragged") && !domain_.graphs;  // graphs: the layout is at capacity
      domain_.file_dimensions[entry.key] = file_dimension(one, entry.key);
      layout_dimensions_.push_back(dimension);
      context_.dimensions.push_back(entry.key);
    }
  }

  FileDimension file_dimension(const Section& dimension, const std::string& name) const {
    FileDimension result{name, 0, false};
    if (!dimension.has("source")) return result;
    if (domain_.graphs && dimension.boolean("ragged")) return result;  // offsets: read_graph_dimensions
    if (domain_.table) dimension.fail(Status::invalid_format, "a table has no dimensions of its own", "source");
    const auto& node = dimension.required("source", "");
    if (node.is_string()) {
      result.name = *node.value<std::string>();
    } else {
      const Section one = section(node, "the source of " + name, position(node), {"dimension", "first", "block", "neighbours"});
      if (one.has("dimension") + one.has("block") + one.has("neighbours") != 1)
        text_.fail(Status::invalid_format,
                   fmt::format("{} needs one of \"dimension\", \"block\" (cells of a block of a sample dimension) and "
                               "\"neighbours\" (blocks around one)",
                               one.name()),
                   one.at());
      for (const auto& [key, numbers] : {std::pair("block", FileDimension::Numbers::block),
                                         std::pair("neighbours", FileDimension::Numbers::neighbours)})
        if (one.has(key)) return sample_blocks(one, key, numbers);
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

  FileDimension sample_blocks(const Section& one, const std::string& key, FileDimension::Numbers numbers) const {
    FileDimension result{one.string(key, ""), 0, false, numbers};
    if (one.has("first")) one.fail(Status::invalid_format, "\"first\" goes with \"dimension\"", "first");
    const auto& samples = domain_.sample_dimensions;
    if (std::find(samples.begin(), samples.end(), result.name) == samples.end())
      one.fail(Status::not_found,
               fmt::format("\"{}\" is no sample dimension; these are {}", result.name, listed(samples)), key);
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

  /// Those of all variables so far.
  void count_elements(const Section& one, const Variable& variable) {
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

  void variables(const Section& top, const std::string& key, Role role) {
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

  /// Laws over all columns, and what they need, know cells as NetCDF files and tables have them.
  void require_plain_samples(const std::string& what, Position at) const {
    const char* const other = domain_.images           ? "are images"
                              : domain_.graphs         ? "are graphs"
                              : domain_.series         ? "are dates of a series"
                              : domain_.blocks         ? "are blocks of cells"
                              : !domain_.within.empty() ? "are cells \"within\" ranges"
                                                        : nullptr;
    if (other != nullptr)
      text_.fail(Status::unsupported, fmt::format("{}: laws over all columns are not to be had where samples {}", what, other), at);
  }

  void weights(const Section& top) {
    for (const auto& entry : top.entries("weights")) {
      require_plain_samples("weight " + entry.key, entry.at);
      const Section one = section(*entry.value, "[weights." + entry.key + "]", entry.at,
                                  {"latitude", "longitude", "source", "units", "standard_name", "long_name"});
      Variable declared;
      domain_.weights.push_back(detail::read_weight(one, entry.key, domain_, declared));
      declare_diagnostic(entry, std::move(declared), detail::Symbol::Kind::weight);
    }
  }

  void step_values(const Section& top) {
    for (const auto& entry : top.entries("step_values")) {
      require_plain_samples("step value " + entry.key, entry.at);
      const Section one = section(*entry.value, "[step_values." + entry.key + "]", entry.at,
                                  {"units", "source", "reference", "standard_name", "long_name"});
      Variable declared;
      domain_.step_values.push_back(detail::read_step_value(one, entry.key, domain_, declared));
      declare_diagnostic(entry, std::move(declared), detail::Symbol::Kind::step_value);
    }
  }

  void declare_diagnostic(const Section::Entry& entry, Variable variable, detail::Symbol::Kind kind) {
    declare(entry.key, entry.at);
    detail::Symbol symbol;
    symbol.kind = kind;
    symbol.per_column = kind == detail::Symbol::Kind::weight;
    symbol.unit = Unit(variable.units);
    context_.symbols[entry.key] = symbol;
    variables_.push_back(std::move(variable));
  }

  /// What step values are, in outputs of the reference: behind definitions, which they may use.
  void references(const Section& top) {
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

  /// The weights and step values that a law names.
  std::vector<std::string> diagnostics_of(const Law& law) const {
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

  void checked(const Law& law, const std::string& what, Position at) const {
    try {
      validate_law(law, domain_.layout, domain_.constants);
    } catch (const Error& error) {
      text_.fail(error.status(), what + ": " + error.what(), at);
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
  std::map<std::string, Position> law_positions_;

  static bool read_scope(const Section& law) {
    if (!law.has("scope")) return false;
    const std::string word = law.string("scope", "");
    if (word != "local" && word != "global")
      law.fail(Status::invalid_format,
               fmt::format("expected scope = \"local\" (every sample) or \"global\" (all columns of a step), found \"{}\"", word),
               "scope");
    return word == "global";
  }

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

std::vector<Law> all_laws(const Domain& domain) {
  std::vector<Law> laws = domain.laws;
  for (const GlobalLaw& global : domain.global_laws) laws.push_back(global.law);
  return laws;
}

std::vector<std::string> shipped_domains() {
  std::vector<std::string> names;
  for (const auto& [name, text] : detail::shipped_domain_files()) names.push_back(name);
  return names;
}

std::string read_toml_file(const std::filesystem::path& path, std::uintmax_t most) {
  std::error_code none;
  const auto kind = std::filesystem::status(path, none).type();
  using Kind = std::filesystem::file_type;
  if (kind != Kind::regular && kind != Kind::not_found && kind != Kind::directory)  // those two: read_file says so
    throw Error(Status::invalid_format, fmt::format("\"{}\": expected a file, found a device, a pipe or a socket", path.string()));
  if (const std::uintmax_t size = std::filesystem::file_size(path, none); !none && size > most)
    throw Error(Status::invalid_format,
                fmt::format("\"{}\": expected a file of at most {} bytes, found {}", path.string(), most, size));
  const auto bytes = read_file(path);
  return {reinterpret_cast<const char*>(bytes.data()), bytes.size()};
}

Domain load_domain(const std::string& name_or_file) {
  const auto& shipped = detail::shipped_domain_files();
  if (looks_like_a_path(name_or_file)) {
    Domain domain = parse_domain(read_toml_file(name_or_file, 4 << 20), name_or_file);
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
