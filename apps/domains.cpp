#include "artefact.hpp"
#include "closure_statistics.hpp"
#include "commands.hpp"
#include "describe.hpp"
#include "terminal.hpp"

#include <lavoisier/domain.hpp>

#include <fmt/format.h>
#include <nlohmann/json.hpp>

#include <algorithm>
#include <cmath>

namespace lavoisier::cli {
namespace {

using nlohmann::ordered_json;

int list_domains(const Arguments& arguments) {
  Table table({"domain", "laws", "title"});
  table.left(2);
  ordered_json json;
  json["domains"] = ordered_json::array();
  for (const std::string& name : shipped_domains()) {
    const Domain domain = load_domain(name);
    table.add({name, fmt::format("{}", domain.laws.size() + domain.global_laws.size()), domain.title});
    json["domains"].push_back({{"name", name}, {"title", domain.title}, {"laws", domain.laws.size() + domain.global_laws.size()}});
  }
  if (!arguments.flag("quiet")) {
    fmt::print("{}\nlavoisier domains NAME prints one; lavoisier domains FILE.toml checks your own\n", table.text());
  }
  write_json(arguments, json.dump(2) + "\n");
  return exit_ok;
}

/// Where a variable's numbers come from, if not from the file's field of its name.
std::string source_text(const Domain& domain, const Variable& variable) {
  const Source& source = domain.sources.at(variable.name);
  std::string text;
  if (source.value) return source.value->text();
  if (source.of_outputs) return "of images: " + source.of_outputs->text();
  if (source.axis) {
    text = (source.index ? "index along " : "coordinate ") + source.variable;
  } else if (source.block != BlockQuantity::none) {
    static const char* const quantities[] = {"", "mean", "contrast", "spread", "weight", "valid share"};
    text = fmt::format("{} of blocks of {}", quantities[static_cast<std::size_t>(source.block)], source.variable);
  } else if (!source.magnitude.empty()) {
    text = fmt::format("magnitude of {}", fmt::join(source.magnitude, ", "));
  } else if (source.variable != variable.name) {
    text = source.variable;
  }
  std::vector<std::string> where;
  for (const std::string& name : variable.dimensions) {
    const FileDimension& there = domain.file_dimensions.at(name);
    const std::int64_t extent = domain.layout.dimension(name).extent;
    if (there.part) where.push_back(fmt::format("{} {} to {} (from 0)", there.name, there.first, there.first + extent - 1));
  }
  for (const auto& [name, index] : source.at) where.push_back(fmt::format("{} {} (from 0)", name, index));
  if (!where.empty()) text = fmt::format("{}, {}", text.empty() ? variable.name : text, fmt::join(where, ", "));
  static const char* const transforms[] = {"", "sine", "cosine", "logarithm", "square root"};
  if (source.transform != Transform::none) {
    text = fmt::format("{} of {}{}", transforms[static_cast<std::size_t>(source.transform)],
                       text.empty() ? variable.name : text, source.units.empty() ? "" : " in " + source.units);
  }
  return text;
}

void print_sources(const Domain& domain) {
  if (domain.images)
    fmt::print("\nSamples are images: \"pixel\" over (channel, y, x), grey ones over (y, x), from 0 to 1{}\n",
               domain.images->dequantise ? ", with noise within a step of 8 bits" : "");
  if (domain.graphs) {
    const Graphs& graphs = *domain.graphs;
    const auto most = [&](const std::string& dimension) { return domain.layout.dimension(dimension).extent; };
    fmt::print("\nSamples are graphs: at most {} elements of {} (from \"{}\") and {} of {} (from \"{}\") each\n", most(graphs.node), graphs.node,
               graphs.node_offsets, most(graphs.edge), graphs.edge, graphs.edge_offsets);
  }
  std::string text;
  for (const Variable& v : domain.layout.variables()) {
    if (v.role == Role::diagnostic) continue;
    const std::string source = source_text(domain, v);
    if (!source.empty()) text += fmt::format("  {}: {}\n", v.name, source);
  }
  for (const ArrayConstant& constant : domain.array_constants) {
    text += fmt::format("  {} = {:g}{} over {}\n", constant.name, fmt::join(constant.values, ", "),
                        constant.units == "1" ? "" : " " + constant.units, fmt::join(constant.dimensions, ", "));
  }
  for (const Weight& weight : domain.weights) {
    text += fmt::format("  {}: {}\n", weight.name,
                        weight.latitude.empty()
                            ? weight.source.variable
                            : fmt::format("area of a cell of {}{} on the unit sphere", weight.latitude,
                                          weight.longitude.empty() ? "" : " x " + weight.longitude));
  }
  if (!text.empty()) fmt::print("\nWhere values come from, if not from the file's field of that name\n{}", text);
}

/// What laws over all columns need beside columns, and which of them are on request.
void print_global(const Domain& domain) {
  for (const StepValue& value : domain.step_values) {
    fmt::print("  {}, a number a step: {}\n", value.name,
               value.source      ? "the file's " + value.source->variable
               : value.reference ? value.reference->equation + " of the reference's outputs, or --global"
                                 : "--global " + value.name + "=VALUE");
  }
  for (const GlobalLaw& law : domain.global_laws) {
    if (law.on_request) fmt::print("  {} is on request: generate --global-laws all\n", law.law.name);
  }
}

void print_series(const Domain& domain) {
  static const char* const objectives[] = {"largest mean log growth", "least variance", "best mean less variance"};
  const SeriesOptions& series = *domain.series;
  const PortfolioTarget& target = series.target;
  fmt::print("\nSamples are dates of a table of prices: column \"{}\"{}", series.date,
             series.asset.empty() ? ", a column an asset" : fmt::format(", assets in \"{}\", prices in \"{}\"", series.asset, series.price));
  if (series.from) fmt::print(", from {}", date_text(*series.from));
  if (series.until) fmt::print(", until {}", date_text(*series.until));
  fmt::print("\n  outputs: weights with the {}{} over the {} periods behind a date, {}\n", objectives[static_cast<std::size_t>(target.objective)],
             target.objective == PortfolioTarget::Objective::mean_variance ? fmt::format(" (risk aversion {:g})", target.risk_aversion) : "",
             series.horizon, target.short_sales ? "short sales allowed" : "no short sales");
  fmt::print("    {:g} of them, {:g} of weights as equal as the laws allow{}\n", 1.0 - target.equal_share, target.equal_share,
             target.ridge > 0.0 ? fmt::format("; ridge {:g}", target.ridge) : "");
  print_sources(domain);
}

/// The values of a step value, all of a few and else their range.
std::string step_values_text(const std::vector<double>& values) {
  constexpr std::size_t few = 24;
  if (values.size() <= few) {
    std::string text;
    for (const double value : values) text += (text.empty() ? "" : ", ") + significant(value);
    return text;
  }
  const auto [least, most] = std::minmax_element(values.begin(), values.end());
  return fmt::format("{} to {} in {} steps", significant(*least), significant(*most), values.size());
}

}  // namespace

const Command& domains_command() {
  static const Command command = {
      "domains",
      "lists domains; prints one's variables, units and laws; checks a domain file",
      "lavoisier domains ocean_heat_budget --data esku_heat_budget.cdf",
      "domain",
      {
          {"domain", "NAME|FILE", "print and check this one (may stand alone)", "", false},
          {"data", "FILE", "how well this file (NetCDF; CSV for a domain of tables; images) closes under its laws", "", false},
      }};
  return command;
}

int run_domains(const Arguments& arguments) {
  if (!arguments.has("domain")) {
    if (arguments.has("data")) throw UsageError("--data needs a domain");
    return list_domains(arguments);
  }
  const Domain domain = load_domain(arguments.text("domain"));
  const bool quiet = arguments.flag("quiet");
  if (!quiet) {
    fmt::print("{}: {}\n", bold(domain.name), domain.title);
    if (!domain.description.empty()) fmt::print("{}\n", domain.description);
    if (!domain.reference.empty()) fmt::print("reference: {}\n", domain.reference);
    fmt::print("file: {} (sha256 {})\n\nVariables\n{}\nLaws\n{}", domain.file.string(), domain.digest,
               describe_variables(domain.layout), describe_laws(domain.layout, all_laws(domain), domain.constants));
    print_global(domain);
    if (domain.series) {
      print_series(domain);
    } else if (domain.table) {
      fmt::print("\nColumns of a CSV file; its rows are the samples\n");
      for (const Variable& v : domain.layout.variables()) {
        if (v.role == Role::diagnostic) continue;
        const Source& source = domain.sources.at(v.name);
        if (source.is_field() && source.magnitude.empty()) {
          fmt::print("  {}: \"{}\", in {}\n", v.name, source.variable,
                     source.file_units.empty() ? source.units : source.file_units);
        }
      }
    } else {
      print_sources(domain);
    }
    for (const std::string& note : domain.notes) fmt::print("note: {}\n", note);
    if (!domain.source_units.empty()) {
      fmt::print("\nUnits as spelt in files\n");
      for (const auto& [spelling, units] : domain.source_units) fmt::print("  \"{}\" = {}\n", spelling, units);
    }
    if (domain.split) {
      fmt::print("\nSplit: {}\n", describe(*domain.split));
    }
  }
  ordered_json json = ordered_json::parse(describe_json(domain.layout, all_laws(domain), domain.constants));
  json["name"] = domain.name;
  json["title"] = domain.title;
  json["sha256"] = domain.digest;
  bool pass = true;
  if (arguments.has("data")) {
    const FileClosure closure = close_file(domain, arguments.text("data"));
    const std::string table = closure_table(closure, &pass);
    if (!quiet) {
      fmt::print("\nClosure of {}: {} complete cells of {}", arguments.text("data"), closure.complete, closure.cells);
      if (closure.incomplete > 0) fmt::print(", {} with some values missing", closure.incomplete);
      if (domain.split) {
        fmt::print("; {} training, {} validation, {} test", closure.subset_count[0], closure.subset_count[1],
                   closure.subset_count[2]);
      }
      fmt::print("\n{}", table);
      for (const auto& [name, values] : closure.step_values) {
        fmt::print("  {} [{}], by step: {}\n", name, domain.layout.variable(name).units, step_values_text(values));
      }
      for (const std::string& note : closure.notes) fmt::print("note: {}\n", note);
    }
    if (!closure.step_values.empty()) {
      json["step_values"] = ordered_json::object();
      for (const auto& [name, values] : closure.step_values) {
        for (const double value : values) json["step_values"][name].push_back(std::isfinite(value) ? ordered_json(value) : nullptr);
      }
    }
    json["closure"] = ordered_json::parse(closure_json(closure));
    json["cells"] = {{"complete", closure.complete}, {"incomplete", closure.incomplete}, {"all", closure.cells}};
    if (domain.split) {
      json["subsets"] = {{"training", closure.subset_count[0]},
                         {"validation", closure.subset_count[1]},
                         {"test", closure.subset_count[2]}};
    }
    json["pass"] = pass;
  }
  write_json(arguments, json.dump(2) + "\n");
  return pass ? exit_ok : exit_check;
}

}  // namespace lavoisier::cli
