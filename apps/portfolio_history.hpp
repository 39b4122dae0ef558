#ifndef LAVOISIER_APPS_PORTFOLIO_HISTORY_HPP
#define LAVOISIER_APPS_PORTFOLIO_HISTORY_HPP

// What a portfolio that is rebalanced to given weights would have been worth (docs/portfolio.md has the definitions).

#include <lavoisier/price_table.hpp>

#include <cstdint>
#include <filesystem>
#include <string>
#include <vector>

namespace lavoisier::cli {

/// Weights to which a portfolio is brought at a date of the table; what they do not sum to is cash without interest.
struct Rebalance {
  std::int64_t date = 0;
  std::vector<double> weights;  ///< one an asset
};

struct HistoryOptions {
  double cost = 0.0;              ///< share of the value, times the turnover
  double risk_free = 0.0;         ///< a year, compounded
  double periods_per_year = 1.0;
};

/// One period of the table, from a date to the next.
struct HistoryPeriod {
  std::int64_t date = 0;          ///< at its end
  double value = 0.0;             ///< at its end; 1 at the beginning of the history
  double net_return = 0.0;        ///< after costs
  double turnover = 0.0, cost = 0.0;  ///< at its beginning: half the sum of the changes of the weights; share of the value
  std::vector<double> weights;    ///< at its beginning, after rebalancing
};

struct PortfolioHistory {
  std::vector<HistoryPeriod> periods;
  double annual_return = 0.0;     ///< geometric
  double volatility = 0.0;        ///< standard deviation (n - 1) of the periods' net returns times the root of periods a year
  double sharpe = 0.0;            ///< mean over standard deviation of excess returns, times the same (Sharpe 1994); NaN without a deviation
  double drawdown = 0.0;          ///< largest loss since a largest value, share of that
  double turnover = 0.0;          ///< a year
  double cost = 0.0;              ///< of all rebalancing, sum of shares of the value
  double value = 1.0;             ///< at the end
};

/// From the first rebalancing, which is neither turnover nor cost, to the date `end`; between rebalancings weights drift with
/// the prices. Errors: invalid_argument where rebalancings are not in ascending order before `end`; non_finite, naming asset
/// and date, for a price that is missing; out_of_range where nothing of the value is left (a date is named).
PortfolioHistory portfolio_history(const PriceTable& prices, const std::vector<Rebalance>& rebalances, std::int64_t end,
                                   const HistoryOptions& options);

/// The dates of a table: "123 sha256:…", how many and a digest of them. `first`: of so many, at most all.
std::string dates_text(const PriceTable& prices, std::int64_t first);

/// Error(invalid_argument) unless `text`, which dates_text() made of the table that weights were generated from, is that of the first
/// dates of this one: weights would be taken for those of other dates. Later dates may have come. An empty text says nothing.
void require_dates(const std::string& text, const PriceTable& prices, const std::filesystem::path& weights);

}  // namespace lavoisier::cli

#endif
