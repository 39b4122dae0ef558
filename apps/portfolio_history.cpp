#include "portfolio_history.hpp"

#include <lavoisier/files.hpp>
#include <lavoisier/status.hpp>

#include <fmt/format.h>

#include <algorithm>
#include <cmath>
#include <cstdlib>
#include <limits>
#include <span>

namespace lavoisier::cli {
namespace {

/// Of the values: mean and standard deviation (n - 1).
std::pair<double, double> moments(const std::vector<double>& values) {
  const double n = static_cast<double>(values.size());
  double mean = 0.0, squares = 0.0;
  for (const double value : values) mean += value / n;
  for (const double value : values) squares += (value - mean) * (value - mean);
  return {mean, values.size() > 1 ? std::sqrt(squares / (n - 1.0)) : std::numeric_limits<double>::quiet_NaN()};
}

void summarise(PortfolioHistory& history, const HistoryOptions& options) {
  const double years = static_cast<double>(history.periods.size()) / options.periods_per_year;
  const double root = std::sqrt(options.periods_per_year), safe = std::pow(1.0 + options.risk_free, 1.0 / options.periods_per_year) - 1.0;
  std::vector<double> returns, excess;
  double highest = 1.0;
  for (const HistoryPeriod& period : history.periods) {
    returns.push_back(period.net_return);
    excess.push_back(period.net_return - safe);
    highest = std::max(highest, period.value);
    history.drawdown = std::max(history.drawdown, 1.0 - period.value / highest);
    history.turnover += period.turnover / years;
    history.cost += period.cost;
  }
  history.value = history.periods.back().value;
  history.annual_return = std::pow(history.value, 1.0 / years) - 1.0;
  history.volatility = moments(returns).second * root;
  const auto [mean, deviation] = moments(excess);
  history.sharpe = deviation > 0.0 ? mean / deviation * root : std::numeric_limits<double>::quiet_NaN();
}

}  // namespace

PortfolioHistory portfolio_history(const PriceTable& prices, const std::vector<Rebalance>& rebalances, std::int64_t end,
                                   const HistoryOptions& options) {
  bool ordered = !rebalances.empty() && rebalances.front().date >= 0 && rebalances.back().date < end && end < prices.dates();
  for (std::size_t i = 1; i < rebalances.size(); ++i) ordered = ordered && rebalances[i - 1].date < rebalances[i].date;
  if (!ordered)
    throw Error(Status::invalid_argument, "expected rebalancings in ascending order of their dates, before the end of the history");
  PortfolioHistory history;
  auto next = rebalances.begin();
  std::vector<double> weights;
  double value = 1.0;
  for (std::int64_t date = rebalances.front().date; date < end; ++date) {
    HistoryPeriod period;
    if (next != rebalances.end() && next->date == date) {
      for (std::size_t a = 0; a < weights.size(); ++a) period.turnover += 0.5 * std::abs(next->weights[a] - weights[a]);
      weights = (next++)->weights;
    }
    period.cost = options.cost * period.turnover;
    period.weights = weights;
    period.date = date + 1;
    double gross = 0.0;
    for (std::size_t a = 0; a < weights.size(); ++a) gross += weights[a] * prices.simple_return(date + 1, a);
    if (!std::isfinite(gross))
      throw Error(Status::non_finite, fmt::format("{}; a portfolio is held then", prices.missing(prices.complete(date) ? date + 1 : date)));
    period.net_return = (1.0 - period.cost) * (1.0 + gross) - 1.0;
    value *= 1.0 + period.net_return;
    if (!(value > 0.0))
      throw Error(Status::out_of_range, fmt::format("nothing is left of the portfolio on {}: its return is {:.4g}", date_text(prices.day(date + 1)),
                                                    period.net_return));
    period.value = value;
    for (std::size_t a = 0; a < weights.size(); ++a) weights[a] *= (1.0 + prices.simple_return(date + 1, a)) / (1.0 + gross);
    history.periods.push_back(std::move(period));
  }
  summarise(history, options);
  return history;
}

std::string dates_text(const PriceTable& prices, std::int64_t first) {
  std::string days;
  for (std::int64_t date = 0; date < first; ++date) days += date_text(prices.day(date)) + "\n";
  return fmt::format("{} sha256:{}", first, sha256(std::as_bytes(std::span(days.data(), days.size()))));
}

void require_dates(const std::string& text, const PriceTable& prices, const std::filesystem::path& weights) {
  if (text.empty()) return;
  const std::int64_t count = std::atoll(text.c_str());
  if (count > 0 && count <= prices.dates() && text == dates_text(prices, count)) return;
  throw Error(Status::invalid_argument,
              fmt::format("{}: its weights are of the {} dates of another table than {}, which has {} from {} on: the same table is needed, to "
                          "which later dates may have come",
                          weights.string(), count, prices.path().string(), prices.dates(), date_text(prices.day(0))));
}

}  // namespace lavoisier::cli
