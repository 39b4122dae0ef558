#include <lavoisier/domain.hpp>
#include <lavoisier/files.hpp>

#include "domain_parser.hpp"
#include "graph_section.hpp"
#include "series_section.hpp"
#include "shipped.hpp"

#include <algorithm>
#include <span>

namespace lavoisier {
namespace detail {
namespace {

constexpr std::int64_t format_version = 1;

bool is_identifier(const std::string& name) {
  if (name.empty() || (std::isdigit(static_cast<unsigned char>(name.front())) != 0)) return false;
  return std::all_of(name.begin(), name.end(),
                     [](char c) { return (std::isalnum(static_cast<unsigned char>(c)) != 0) || c == '_'; });
}

}  // namespace

Domain DomainParser::parse() {
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

std::vector<std::string> DomainParser::names_of(Role role) const {
  std::vector<std::string> names;
  for (const Variable& variable : variables_)
    if (variable.role == role) names.push_back(variable.name);
  return names;
}

bool DomainParser::any_of_role(Role role) const {
  return std::any_of(variables_.begin(), variables_.end(), [&](const Variable& v) { return v.role == role; });
}

Section DomainParser::section(const toml::node& node, const std::string& name, Position at,
                const std::vector<std::string>& legal) const {
  if (!node.is_table())
    text_.fail(Status::invalid_format, fmt::format("expected a table for {}, found {}", name, type_name(node)),
               position(node));
  return Section(text_, *node.as_table(), name, at, legal);
}

void DomainParser::declare(const std::string& name, Position at) {
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

void DomainParser::head(const Section& top) {
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

}  // namespace detail

namespace {

bool looks_like_a_path(const std::string& name) {
  return name.find('/') != std::string::npos || (name.size() > 5 && name.ends_with(".toml"));
}

}  // namespace

Domain parse_domain(const std::string& text, const std::string& origin) { return detail::DomainParser(text, origin).parse(); }

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
                            name_or_file, detail::listed(shipped_domains()),
                            near.empty() ? "" : " (did you mean \"" + near + "\"?)"));
  }
  Domain domain = parse_domain(found->second, name_or_file + ".toml");
  domain.file = name_or_file + ".toml";
  return domain;
}

}  // namespace lavoisier
