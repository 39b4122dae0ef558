#include "artefact.hpp"
#include "candidate.hpp"
#include "closure_statistics.hpp"
#include "commands.hpp"
#include "named_paths.hpp"
#include "portfolio_history.hpp"
#include "scores.hpp"
#include "terminal.hpp"

#include <lavoisier/domain.hpp>
#include <lavoisier/files.hpp>
#include <lavoisier/status.hpp>
#include <lavoisier/tolerances.hpp>

#include <fmt/format.h>
#include <nlohmann/json.hpp>

#include <algorithm>
#include <cmath>
#include <limits>
#include <optional>

namespace lavoisier::cli {
namespace {

using nlohmann::ordered_json;

ordered_json number(double value) { return std::isfinite(value) ? ordered_json(value) : ordered_json(nullptr); }

/// The figures of a history, by their names in JSON.
const std::vector<std::pair<const char*, double PortfolioHistory::*>>& figures() {
  static const std::vector<std::pair<const char*, double PortfolioHistory::*>> all = {
      {"annual_return", &PortfolioHistory::annual_return}, {"volatility", &PortfolioHistory::volatility},
      {"sharpe", &PortfolioHistory::sharpe},               {"max_drawdown", &PortfolioHistory::drawdown},
      {"turnover", &PortfolioHistory::turnover},           {"cost", &PortfolioHistory::cost},
      {"value", &PortfolioHistory::value}};
  return all;
}

struct LeastWeight {
  double value = std::numeric_limits<double>::infinity();
  std::string asset;
  std::int64_t date = -1;
};

struct StrategyResult {
  std::string name;
  PortfolioHistory history;
  // Of an ensemble:
  std::int64_t members = 0;
  std::vector<PortfolioHistory> of_members;
  std::vector<LawStatistics> laws;
  double tolerance = 0.0;
  LeastWeight least;
  bool pass = true;
};

/// Dates at which portfolios are chosen, and the last at which they are held.
struct Plan {
  std::vector<std::int64_t> dates;
  std::int64_t end = 0;
};

Plan plan(const Domain& domain, const PriceTable& prices, const SampleReader& reader, const std::optional<Subset>& subset, std::int64_t every) {
  const SampleReader::Piece all = reader.read(0, reader.cells());
  const auto wanted = [&](std::int64_t date) { return !subset || all.subset[static_cast<std::size_t>(date)] == *subset; };
  const auto usable = [&](std::int64_t date) { return all.complete[static_cast<std::size_t>(date)] != 0 && wanted(date); };
  // So that what would have been best is known at each date.
  const std::int64_t last = prices.dates() - 1 - std::max(every, domain.series->horizon);
  Plan result;
  std::int64_t date = 0;
  while (date <= last && !usable(date)) ++date;
  for (; date <= last && wanted(date); date += every) {
    if (!usable(date))
      throw Error(Status::non_finite, fmt::format("{}, which {} needs", reader.place(date, {}), reader.describe(date)));
    result.dates.push_back(date);
  }
  for (std::int64_t later = date; later <= last; ++later)
    if (wanted(later) && subset && !wanted(date))
      throw Error(Status::unsupported, fmt::format("the dates of the subset are not one run: {} is no part of it, {} is", date_text(prices.day(date)),
                                                   date_text(prices.day(later))));
  if (result.dates.empty())
    throw Error(Status::invalid_argument,
                fmt::format("{}: no date of the subset has the prices of its window and of {} periods behind it", prices.path().string(),
                            std::max(every, domain.series->horizon)));
  result.end = result.dates.back() + every;
  return result;
}

PortfolioHistory told(const std::string& who, const PriceTable& prices, const std::vector<Rebalance>& rebalances, std::int64_t end,
                      const HistoryOptions& options) {
  try {
    return portfolio_history(prices, rebalances, end, options);
  } catch (const Error& error) {
    throw Error(error.status(), who + ": " + error.what());
  }
}

/// The ensemble's mean, each member, and how they obey the laws.
StrategyResult of_ensemble(const NamedPaths& paths, const Domain& domain, const PriceTable& prices, const SampleReader& reader, const Plan& plan,
                           const HistoryOptions& options) {
  const Candidate candidate(paths, domain, reader.axes(), reader.element_coordinates());
  require_dates(candidate.attribute("lavoisier_dates"), prices, candidate.file(0));
  StrategyResult result;
  result.name = candidate.name();
  result.members = candidate.members();
  result.tolerance = candidate.stored_as_float() ? tolerances::identity::relative_fp32 : tolerances::identity::relative_fp64;
  const std::size_t assets = prices.assets().size(), inputs = static_cast<std::size_t>(domain.layout.elements(Role::input));
  ClosureStatistics closure(domain);
  std::vector<std::vector<Rebalance>> members(static_cast<std::size_t>(candidate.members()));
  std::vector<Rebalance> mean;
  for (const std::int64_t date : plan.dates) {
    mean.push_back({date, std::vector<double>(assets, 0.0)});
    const std::vector<double> none(inputs, 0.0);  // no law of a portfolio reads inputs
    const std::vector<std::int64_t> cell = {date};
    const std::vector<double> one = {1.0};
    for (std::int64_t member = 0; member < candidate.members(); ++member) {
      std::vector<double> weights(assets);
      candidate.read(member, date, 1, weights.data());
      for (std::size_t a = 0; a < assets; ++a) {
        if (!std::isfinite(weights[a]))
          throw Error(Status::not_found, fmt::format("{}: member {} of {} has no weights for {}", candidate.file(member).string(), member + 1, result.name,
                                                     reader.describe(date)));
        if (weights[a] < result.least.value) result.least = {weights[a], prices.assets()[a], date};
        mean.back().weights[a] += weights[a] / static_cast<double>(candidate.members());
      }
      closure.add(none, weights, cell, one, member);
      members[static_cast<std::size_t>(member)].push_back({date, std::move(weights)});
    }
  }
  result.laws = closure.laws();
  for (const LawStatistics& law : result.laws) result.pass = result.pass && judge(law, false, result.tolerance).pass;
  if (!domain.series->target.short_sales && result.least.value < 0.0) result.pass = false;
  result.history = told(result.name, prices, mean, plan.end, options);
  for (std::size_t m = 0; m < members.size(); ++m)
    result.of_members.push_back(told(fmt::format("member {} of {}", m + 1, result.name), prices, members[m], plan.end, options));
  return result;
}

/// Of the members' figures.
double quantile_of(const StrategyResult& strategy, double PortfolioHistory::*figure, double level) {
  std::vector<double> values;
  for (const PortfolioHistory& history : strategy.of_members)
    if (std::isfinite(history.*figure)) values.push_back(history.*figure);
  if (values.empty()) return std::numeric_limits<double>::quiet_NaN();
  std::sort(values.begin(), values.end());
  return quantile(values, level);
}

std::vector<StrategyResult> baselines(const Domain& domain, const std::filesystem::path& file, const PriceTable& prices, const Plan& plan,
                                      const HistoryOptions& options) {
  const std::vector<double> equal = equal_weights(domain);
  // Without a split: no date is left out because its periods overlap another subset's.
  Domain whole = domain;
  whole.split.reset();
  const SampleReader reader(whole, file, true);
  std::vector<Rebalance> steady, best;
  for (const std::int64_t date : plan.dates) {
    steady.push_back({date, equal});
    const SampleReader::Piece piece = reader.read(date, 1);
    if (piece.complete.front() == 0) throw Error(Status::non_finite, fmt::format("{}, which {} needs", reader.place(date, {}), reader.describe(date)));
    best.push_back({date, piece.outputs});
  }
  std::vector<StrategyResult> result(3);
  const std::pair<const char*, std::vector<Rebalance>> all[] = {
      {"equal weights", steady}, {"buy and hold", {steady.front()}}, {"hindsight", best}};
  for (std::size_t i = 0; i < 3; ++i) {
    result[i].name = all[i].first;
    result[i].history = told(result[i].name, prices, all[i].second, plan.end, options);
  }
  return result;
}

void print(const std::vector<StrategyResult>& strategies, const Domain& domain, const PriceTable& prices) {
  const auto percent = [](double value) { return std::isfinite(value) ? fmt::format("{:.2f} %", 100.0 * value) : std::string("-"); };
  Table table({"portfolio", "return a year", "volatility", "Sharpe ratio", "largest drawdown", "turnover a year", "costs", "members' Sharpe, 5 to 95 %"});
  for (const StrategyResult& s : strategies) {
    const PortfolioHistory& h = s.history;
    table.add({s.name, percent(h.annual_return), percent(h.volatility), std::isfinite(h.sharpe) ? fmt::format("{:.3f}", h.sharpe) : "-",
               percent(h.drawdown), fmt::format("{:.3f}", h.turnover), percent(h.cost),
               s.members > 1 ? fmt::format("{:.3f} to {:.3f}", quantile_of(s, &PortfolioHistory::sharpe, 0.05), quantile_of(s, &PortfolioHistory::sharpe, 0.95))
                             : "-"});
  }
  fmt::print("{}", table.text());
  Table laws({"law", "of", "largest |residual|", "largest relative", "tolerance", "", "worst at"});
  for (const std::size_t column : {std::size_t{1}, std::size_t{6}}) laws.left(column);
  for (const StrategyResult& s : strategies) {
    if (s.members == 0) continue;
    for (const LawStatistics& law : s.laws)
      laws.add({law.law.name, s.name, scientific(law.max_absolute), scientific(law.max_relative), scientific(s.tolerance),
                verdict(judge(law, false, s.tolerance).pass),
                law.worst_cell < 0 ? "-" : fmt::format("member {}, {}", law.worst_member + 1, date_text(prices.day(law.worst_cell)))});
    if (!domain.series->target.short_sales)
      laws.add({"no short sales", s.name, scientific(std::max(0.0, -s.least.value)), "-", "0", verdict(s.least.value >= 0.0),
                fmt::format("least weight {:.4g}, {} on {}", s.least.value, s.least.asset, date_text(prices.day(s.least.date)))});
  }
  fmt::print("\nLaws, of every member at every rebalancing\n{}", laws.text());
}

ordered_json json_of(const StrategyResult& s, const PriceTable& prices) {
  ordered_json json;
  json["name"] = s.name;
  for (const auto& [name, figure] : figures()) json[name] = number(s.history.*figure);
  if (s.members == 0) return json;
  ordered_json of_members;
  of_members["count"] = s.members;
  of_members["levels"] = {0.05, 0.5, 0.95};
  for (const auto& [name, figure] : figures())
    for (const double level : {0.05, 0.5, 0.95}) of_members[name].push_back(number(quantile_of(s, figure, level)));
  json["members"] = of_members;
  json["laws"] = ordered_json::array();
  for (const LawStatistics& law : s.laws) {
    ordered_json entry;
    entry["name"] = law.law.name;
    entry["max_abs"] = law.max_absolute;
    entry["max_relative"] = law.max_relative;
    entry["tolerance"] = s.tolerance;
    entry["pass"] = judge(law, false, s.tolerance).pass;
    if (law.worst_cell >= 0) entry["worst"] = {{"member", law.worst_member + 1}, {"date", date_text(prices.day(law.worst_cell))}};
    json["laws"].push_back(entry);
  }
  json["least_weight"] = {{"value", s.least.value}, {"asset", s.least.asset}, {"date", date_text(prices.day(s.least.date))}};
  json["pass"] = s.pass;
  return json;
}

/// A row a portfolio and period.
std::string history_table(const std::vector<StrategyResult>& strategies, const Domain& domain, const PriceTable& prices) {
  std::string text = "portfolio,date,value,return,turnover,cost";
  for (const Variable& output : domain.layout.with_role(Role::output)) text += "," + csv_cell(output.name);
  text += "\n";
  for (const StrategyResult& s : strategies)
    for (const HistoryPeriod& period : s.history.periods) {
      text += fmt::format("{},{},{},{},{},{}", csv_cell(s.name), date_text(prices.day(period.date)), period.value, period.net_return, period.turnover, period.cost);
      for (const double weight : period.weights) text += fmt::format(",{}", weight);
      text += "\n";
    }
  return text;
}

}  // namespace

const Command& backtest_command() {
  static const Command command = {
      "backtest",
      "what portfolios with generated weights would have been worth",
      "lavoisier backtest --domain portfolio --candidate weights.csv --prices stocks.csv --subset test --cost 10",
      "",
      {
          {"domain", "NAME|FILE", "a domain of a series: assets, laws, horizon, split", "", false},
          {"candidate", "[NAME=]PATH", "weights as generate writes them: CSV, or member files or a folder of them", "", true},
          {"baseline", "[NAME=]PATH", "further ensembles shown beside it; they don't change the exit code", "", true},
          {"prices", "FILE", "table of prices (CSV)", "", false},
          {"subset", "NAME", "dates at which portfolios are chosen: all, test, validation or training", "all", false},
          {"every", "N", "periods from one rebalancing to the next; 0: the domain's horizon", "0", false},
          {"cost", "BP", "basis points (hundredths of a per cent) of the value, times the turnover", "0", false},
          {"risk-free", "R", "rate of return a year without risk, compounded, as 0.03", "0", false},
          {"periods-per-year", "P", "0: from the table's dates", "0", false},
          {"history", "FILE", "write values, returns and weights of every period as CSV", "", false},
      }};
  return command;
}

int run_backtest(const Arguments& arguments) {
  const std::vector<NamedPaths> candidates = candidates_from(arguments);
  const std::filesystem::path file = arguments.text("prices");
  const std::string word = arguments.choice("subset", {"all", "test", "validation", "training"});
  const Domain domain = load_domain(arguments.text("domain"));
  if (!domain.series) throw UsageError(fmt::format("--domain: expected a domain whose samples are dates of prices, found '{}'", domain.name));
  std::int64_t every = arguments.integer("every", 0, 1000000);
  if (every == 0) every = domain.series->horizon;
  HistoryOptions options;
  options.cost = arguments.number("cost", 0.0, 10000.0) * 1e-4;
  options.risk_free = arguments.number("risk-free", -0.99, 10.0);
  options.periods_per_year = arguments.number("periods-per-year", 0.0, 1e6);
  std::optional<Subset> subset;
  if (word != "all") {
    if (!domain.split) throw UsageError(fmt::format("--subset {}: domain '{}' has no split", word, domain.name));
    subset = subset_from(word);
  }
  for (const NamedPaths& one : candidates)
    if (one.name == "equal weights" || one.name == "buy and hold" || one.name == "hindsight")
      throw UsageError(fmt::format("--candidate, --baseline: '{}' is the name of a portfolio that is always shown", one.name));
  std::vector<std::filesystem::path> taken = {file, domain.file};
  for (const NamedPaths& one : candidates) taken.insert(taken.end(), one.paths.begin(), one.paths.end());
  for (const char* name : {"json", "history"}) {
    if (!arguments.has(name)) continue;
    const std::filesystem::path path = arguments.text(name);
    for (const std::filesystem::path& other : taken)
      if (std::filesystem::weakly_canonical(path) == std::filesystem::weakly_canonical(other))
        throw UsageError(fmt::format("--{} {} would be written over another file of this command", name, path.string()));
    taken.push_back(path);
    require_writable(path);
  }

  const PriceTable prices = load_prices(domain, file);
  if (options.periods_per_year == 0.0) options.periods_per_year = prices.periods_per_year();
  const SampleReader reader(domain, file, false);
  const Plan dates = plan(domain, prices, reader, subset, every);
  std::vector<StrategyResult> strategies;
  for (const NamedPaths& one : candidates) strategies.push_back(of_ensemble(one, domain, prices, reader, dates, options));
  for (StrategyResult& one : baselines(domain, file, prices, dates, options)) strategies.push_back(std::move(one));
  const bool pass = strategies.front().pass;

  if (!arguments.flag("quiet")) {
    fmt::print("{}: {} to {}, {} periods, rebalanced {} times ({} periods each), {:.4g} periods a year\n\n",
               bold(domain.title), date_text(prices.day(dates.dates.front())), date_text(prices.day(dates.end)), dates.end - dates.dates.front(),
               dates.dates.size() - 1, every, options.periods_per_year);
    print(strategies, domain, prices);
    fmt::print("\n{}: {}\n", strategies.front().name, verdict(pass));
  }
  if (arguments.has("history")) write_file_atomically(arguments.text("history"), history_table(strategies, domain, prices));
  ordered_json json;
  json["pass"] = pass;
  json["from"] = date_text(prices.day(dates.dates.front()));
  json["until"] = date_text(prices.day(dates.end));
  json["periods"] = dates.end - dates.dates.front();
  json["rebalancings"] = dates.dates.size() - 1;
  json["every"] = every;
  json["periods_per_year"] = options.periods_per_year;
  json["portfolios"] = ordered_json::array();
  for (const StrategyResult& one : strategies) json["portfolios"].push_back(json_of(one, prices));
  json["domain"] = {{"name", domain.name}, {"sha256", domain.digest}};
  json["prices"] = {{"file", file.string()}, {"sha256", sha256_of_file(file)}};
  json["subset"] = word;
  json["version"] = version();
  json["created"] = timestamp();
  json["options"] = arguments.resolved();
  write_json(arguments, json.dump(2) + "\n");
  return pass ? exit_ok : exit_check;
}

}  // namespace lavoisier::cli
