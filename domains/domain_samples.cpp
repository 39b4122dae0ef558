#include "domain_parser.hpp"

#include "graph_section.hpp"
#include "series_section.hpp"
#include "split.hpp"

#include <algorithm>
#include <limits>

namespace lavoisier {

void use_split(Domain& domain, Split split, const std::string& origin) {
  if (const std::string found = detail::misfit(split, domain); !found.empty())
    throw Error(Status::unsupported, fmt::format("{}: domain '{}': {}", origin, domain.name, found));
  if (domain.series) detail::require_series_split(split);
  domain.split = std::move(split);
}

}  // namespace lavoisier

namespace lavoisier::detail {

void DomainParser::samples(const Section& top) {
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
    const std::string name = graphs.string("graphs", "what a sample is called: \"structure\"");
    for (const char* taken : {"member", "realization"})
      if (name == taken)
        graphs.fail(Status::invalid_format, fmt::format("\"{}\" is a word of generated files: choose another name", name), "graphs");
    declare(name, graphs.where("graphs"));
    domain_.sample_dimensions = domain_.column_dimensions = {name};
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

char DomainParser::character(const Section& section, const std::string& key, char otherwise) {
  if (!section.has(key)) return otherwise;
  const std::string text = section.string(key, "");
  if (text.size() != 1 || text[0] < 0 || text[0] == '"' || text[0] == '\n' || text[0] == '\r')
    section.fail(Status::invalid_format,
                 fmt::format("expected one ASCII character other than a quote for \"{}\", found \"{}\"", key, text), key);
  return text[0];
}

void DomainParser::empty_rule(const Section& top) {
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

void DomainParser::within(const Section& top) {
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

void DomainParser::blocks(const Section& top) {
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

void DomainParser::graphs(const Section& top) {
  if (!domain_.graphs) return;
  detail::read_graph_dimensions(top, layout_dimensions_, domain_);
  const Position at = position(top.required("dimensions", ""));
  for (const std::string& name : {domain_.graphs->count(), domain_.graphs->from(), domain_.graphs->to()}) declare(name, at);
  detail::add_node_count(domain_, variables_);
}

void DomainParser::fits_blocks(const Section& one, const Variable& variable, const Source& source) const {
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

void DomainParser::split(const Section& top) {
  if (!top.has("split")) return;
  domain_.split = detail::read_split(top, domain_.sample_dimensions);
  if (const std::string found = misfit(*domain_.split, domain_); !found.empty()) top.fail(Status::unsupported, found, "split");
}

void DomainParser::dimensions(const Section& top) {
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

FileDimension DomainParser::file_dimension(const Section& dimension, const std::string& name) const {
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

FileDimension DomainParser::sample_blocks(const Section& one, const std::string& key, FileDimension::Numbers numbers) const {
  FileDimension result{one.string(key, ""), 0, false, numbers};
  if (one.has("first")) one.fail(Status::invalid_format, "\"first\" goes with \"dimension\"", "first");
  const auto& samples = domain_.sample_dimensions;
  if (std::find(samples.begin(), samples.end(), result.name) == samples.end())
    one.fail(Status::not_found,
             fmt::format("\"{}\" is no sample dimension; these are {}", result.name, listed(samples)), key);
  return result;
}

void DomainParser::require_plain_samples(const std::string& what, Position at) const {
  const char* const other = domain_.images           ? "are images"
                            : domain_.graphs         ? "are graphs"
                            : domain_.series         ? "are dates of a series"
                            : domain_.blocks         ? "are blocks of cells"
                            : !domain_.within.empty() ? "are cells \"within\" ranges"
                                                      : nullptr;
  if (other != nullptr)
    text_.fail(Status::unsupported, fmt::format("{}: laws over all columns are not to be had where samples {}", what, other), at);
}

}  // namespace lavoisier::detail
