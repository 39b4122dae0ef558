#include "series_section.hpp"

#include "portfolio_target.hpp"

#include <lavoisier/units.hpp>

namespace lavoisier::detail {
namespace {

const std::vector<std::string> objectives = {"growth", "minimum_variance", "mean_variance"};  // as in Objective

PortfolioTarget read_target(const Section& top) {
  const auto& node = top.required("target", "which weights are learned: objective, short_sales, equal_share and so on");
  if (!node.is_table()) top.wrong_type(node, "target", "a table");
  const Section target(top.text(), *node.as_table(), "[target]", position(node),
                       {"objective", "short_sales", "risk_aversion", "ridge", "equal_share"});
  PortfolioTarget result;
  const std::string word = target.string("objective", "growth, minimum_variance or mean_variance");
  const auto found = std::find(objectives.begin(), objectives.end(), word);
  if (found == objectives.end()) {
    const std::string near = nearest_name(word, objectives);
    target.fail(Status::invalid_format,
                fmt::format("unknown objective \"{}\"; {}", word,
                            near.empty() ? "there are " + listed(objectives) : "did you mean \"" + near + "\"?"),
                "objective");
  }
  using Objective = PortfolioTarget::Objective;
  result.objective = static_cast<Objective>(found - objectives.begin());
  result.short_sales = target.boolean("short_sales");
  if (result.short_sales && result.objective == Objective::growth)
    target.fail(Status::unsupported, "growth has no short sales: with them its best weights may have no bound", "short_sales");
  if (result.objective == Objective::mean_variance)
    result.risk_aversion = target.positive("risk_aversion", "what variance costs: w m - risk_aversion / 2 w S w is largest");
  else if (target.has("risk_aversion"))
    target.fail(Status::invalid_format, "\"risk_aversion\" goes with objective = \"mean_variance\"", "risk_aversion");
  if (target.has("ridge")) {
    result.ridge = target.number("ridge", "");
    if (result.objective == Objective::growth) target.fail(Status::invalid_format, "growth has no variance: \"ridge\" goes with the others", "ridge");
    if (result.ridge < 0.0)
      target.fail(Status::invalid_format, fmt::format("expected a ridge of 0 or more, found {}", result.ridge), "ridge");
  }
  result.equal_share = target.number("equal_share", "how much of weights as equal as the laws allow is mixed in, from 0 to below 1");
  if (!(result.equal_share >= 0.0 && result.equal_share < 1.0))
    target.fail(Status::invalid_format, fmt::format("expected a share from 0 to below 1 for \"equal_share\" in [target], found {}", result.equal_share),
                "equal_share");
  return result;
}

Position place_of(const Section& top, const char* table, const std::string& name) {
  for (const auto& entry : top.entries(table))
    if (entry.key == name) return entry.at;
  return top.at();
}

void check_input(const Domain& domain, const Section& top, const Variable& input, std::int64_t assets) {
  const Source& source = domain.sources.at(input.name);
  const Position at = place_of(top, "inputs", input.name);
  if (source.value || source.axis) return;
  if (!source.magnitude.empty() || source.transform != Transform::none || !source.file_units.empty() || source.variable != "log_return")
    top.text().fail(Status::not_found,
                    fmt::format("input {}: expected source = \"log_return\", or a \"value\" made of such inputs; a series has no other fields",
                                input.name),
                    at);
  const auto is = [&](std::size_t d, DimensionKind kind) { return domain.layout.dimension(input.dimensions[d]).kind == kind; };
  if (input.dimensions.size() != 2 || !is(0, DimensionKind::lag) || domain.layout.dimension(input.dimensions[1]).extent != assets)
    top.text().fail(Status::shape_mismatch,
                    fmt::format("input {}: expected two dimensions, the first of the kind lag, the second with the extent {} (an element an "
                                "output), found [{}]",
                                input.name, assets, listed(input.dimensions)),
                    at);
  if (!Unit(input.units).same_as(Unit()))
    top.text().fail(Status::unit_mismatch, fmt::format("input {}: a logarithm of a ratio has units = \"1\", found \"{}\"", input.name, input.units), at);
}

}  // namespace

const std::vector<std::string>& series_keys() {
  static const std::vector<std::string> keys = {"series", "date", "asset", "price", "from", "until", "horizon",
                                                "delimiter", "comment", "missing"};
  return keys;
}

std::int64_t read_day(const Section& section, const std::string& key, const std::string& meaning) {
  const auto& node = section.required(key, meaning);
  std::string text;
  if (node.is_date()) {
    const toml::date date = *node.value<toml::date>();
    text = fmt::format("{:04}-{:02}-{:02}", date.year, date.month, date.day);
  } else {
    text = section.string(key, meaning);
  }
  if (const auto day = day_from(text)) return *day;
  section.fail(Status::invalid_format, fmt::format("expected a date such as 2004-08-31 for \"{}\", found \"{}\"", key, text), key);
}

SeriesOptions read_series(const Section& samples, const Section& top) {
  if (!samples.boolean("series")) samples.fail(Status::invalid_format, "expected series = true, or no such key", "series");
  SeriesOptions result;
  result.date = samples.string("date", "the column of dates");
  if (samples.has("asset") != samples.has("price"))
    samples.fail(Status::invalid_format, "\"asset\" and \"price\" are the columns of a long table: expected both, or none where each asset has a column",
                 samples.has("asset") ? "asset" : "price");
  result.asset = samples.string_or_empty("asset");
  result.price = samples.string_or_empty("price");
  if (samples.has("from")) result.from = read_day(samples, "from", "");
  if (samples.has("until")) result.until = read_day(samples, "until", "");
  if (result.from && result.until && *result.until <= *result.from)
    samples.fail(Status::invalid_format, "expected \"until\" behind \"from\"", "until");
  result.horizon = samples.integer("horizon", "how many periods behind its date a portfolio is held");
  if (result.horizon < 1 || result.horizon > 1000000)
    samples.fail(Status::invalid_format, fmt::format("expected a horizon of 1 to 1000000 periods, found {}", result.horizon), "horizon");
  result.target = read_target(top);
  if (result.horizon < 2 && result.target.objective != PortfolioTarget::Objective::growth)
    samples.fail(Status::invalid_format, "a variance is of two periods or more: expected a horizon of at least 2", "horizon");
  return result;
}

std::vector<std::string> assets_of(const Domain& domain) {
  std::vector<std::string> assets;
  for (const Variable& output : domain.layout.with_role(Role::output)) assets.push_back(domain.sources.at(output.name).variable);
  return assets;
}

void require_series_split(const Split& split) {
  using Kind = Split::Kind;
  if (split.kind == Kind::random || split.kind == Kind::groups || split.kind == Kind::files)
    throw Error(Status::unsupported,
                "dates of a series follow each other: expected a split of the kind dates, sequential, block, boxes or indices");
}

void check_series(const Domain& domain, const Section& top) {
  const std::vector<Variable> outputs = domain.layout.with_role(Role::output);
  std::vector<std::string> seen;
  for (const Variable& output : outputs) {
    const Position at = place_of(top, "outputs", output.name);
    const Source& source = domain.sources.at(output.name);
    if (!output.dimensions.empty())
      top.text().fail(Status::shape_mismatch, fmt::format("output {}: an output is the weight of one asset: expected no dimensions", output.name), at);
    if (!Unit(output.units).same_as(Unit()))
      top.text().fail(Status::unit_mismatch, fmt::format("output {}: a weight has units = \"1\", found \"{}\"", output.name, output.units), at);
    if (!source.file_units.empty())
      top.text().fail(Status::invalid_format, fmt::format("output {}: expected source = \"the asset in the table\"; prices need no units", output.name), at);
    if (std::find(seen.begin(), seen.end(), source.variable) != seen.end())
      top.text().fail(Status::invalid_format, fmt::format("output {}: the asset \"{}\" has two outputs", output.name, source.variable), at);
    seen.push_back(source.variable);
  }
  bool any = false;
  for (const Variable& input : domain.layout.with_role(Role::input)) {
    check_input(domain, top, input, static_cast<std::int64_t>(outputs.size()));
    any = any || domain.sources.at(input.name).is_field();
  }
  if (!any) top.text().fail(Status::invalid_format, "a series needs an input with source = \"log_return\"", top.where("inputs"));
  if (domain.laws.empty()) top.text().fail(Status::invalid_format, "a portfolio needs a law, the sum of its weights", top.at());
  try {
    portfolio_problem(domain.layout, domain.laws, domain.constants, domain.series->target);
  } catch (const Error& error) {
    top.fail(error.status(), error.what(), "target");
  }
  if (!domain.split) return;
  try {
    require_series_split(*domain.split);
  } catch (const Error& error) {
    top.fail(error.status(), error.what(), "split");
  }
}

}  // namespace lavoisier::detail
