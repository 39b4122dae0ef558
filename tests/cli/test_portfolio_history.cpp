// Values of portfolios against numbers worked out by hand.

#include "portfolio_history.hpp"

#include <lavoisier/status.hpp>

#include "expect_error.hpp"
#include "price_tables.hpp"
#include "temporary_folder.hpp"

#include <gtest/gtest.h>

#include <cmath>
#include <fstream>

namespace lavoisier::cli {
namespace {

using namespace lavoisier::tests;

class History : public testing::Test {
 protected:
  PriceTable table(const std::string& text) const {
    const auto path = folder_.path() / "p.csv";
    std::ofstream(path) << text;
    SeriesOptions options;
    options.date = "day";
    return PriceTable(path, {}, options, {"A", "B"});
  }
  TemporaryFolder folder_;
};

// A doubles, stays, halves; B stays, halves, doubles.
const std::string four_dates = "day,A,B\n2001-01-01,10,8\n2001-02-01,20,8\n2001-03-01,20,4\n2001-04-01,10,8\n";

TEST_F(History, ThreePeriodsByHand) {
  // Half in each, rebalanced at each date. 1: (1 + 1 + .5 x 1) = 1.5; weights drift to 2/3, 1/3: turnover 1/6.
  // 2: half in each loses a quarter: 1.125; drift to 2/3, 1/3. 3: half of -.5 and half of 1: 1.25.
  HistoryOptions options;
  options.periods_per_year = 12.0;
  const PriceTable prices = table(four_dates);
  const std::vector<Rebalance> all = {{0, {.5, .5}}, {1, {.5, .5}}, {2, {.5, .5}}};
  const PortfolioHistory free = portfolio_history(prices, all, 3, options);
  ASSERT_EQ(free.periods.size(), 3U);
  const double returns[] = {0.5, -0.25, 0.25};
  double value = 1.0;
  for (std::size_t i = 0; i < 3; ++i) {
    EXPECT_NEAR(free.periods[i].net_return, returns[i], 1e-15);
    EXPECT_NEAR(free.periods[i].value, value *= 1.0 + returns[i], 1e-15);
    EXPECT_NEAR(free.periods[i].turnover, i == 0 ? 0.0 : 1.0 / 6.0, 1e-15);
    EXPECT_EQ(free.periods[i].date, static_cast<std::int64_t>(i) + 1);
    EXPECT_EQ(free.periods[i].cost, 0.0);
  }
  EXPECT_NEAR(free.value, 1.40625, 1e-15);
  EXPECT_NEAR(free.annual_return, std::pow(1.40625, 4.0) - 1.0, 1e-12);
  // Mean 1/6, squares (1/3)^2 + (5/12)^2 + (1/12)^2 = 7/24.
  EXPECT_NEAR(free.volatility, std::sqrt(7.0 / 48.0 * 12.0), 1e-14);
  EXPECT_NEAR(free.sharpe, (1.0 / 6.0) / std::sqrt(7.0 / 48.0) * std::sqrt(12.0), 1e-14);
  EXPECT_NEAR(free.drawdown, 0.25, 1e-15);
  EXPECT_NEAR(free.turnover, (1.0 / 3.0) / 0.25, 1e-14) << "a year: three periods are a quarter";
  EXPECT_EQ(free.cost, 0.0);

  // With 1.2 % of the turnover each rebalancing costs .002 of the value; the first purchase costs nothing.
  options.cost = 0.012;
  const PortfolioHistory dear = portfolio_history(prices, all, 3, options);
  EXPECT_NEAR(dear.periods[0].net_return, 0.5, 1e-15);
  EXPECT_NEAR(dear.periods[1].net_return, 0.998 * 0.75 - 1.0, 1e-15);
  EXPECT_NEAR(dear.value, 1.40625 * 0.998 * 0.998, 1e-14);
  EXPECT_NEAR(dear.cost, 0.004, 1e-16);

  // A safe return of 1 % a period.
  options.cost = 0.0;
  options.risk_free = std::pow(1.01, 12.0) - 1.0;
  EXPECT_NEAR(portfolio_history(prices, all, 3, options).sharpe, (1.0 / 6.0 - 0.01) / std::sqrt(7.0 / 48.0) * std::sqrt(12.0), 1e-12);
}

TEST_F(History, WhatIsHeldDriftsWithoutTurnover) {
  const PriceTable prices = table(four_dates);
  const PortfolioHistory held = portfolio_history(prices, {{0, {.5, .5}}}, 3, {.cost = 0.5, .periods_per_year = 12.0});
  EXPECT_EQ(held.turnover, 0.0);
  EXPECT_EQ(held.cost, 0.0);
  // Back at the prices of the beginning.
  EXPECT_NEAR(held.value, 1.0, 1e-15);
  EXPECT_NEAR(held.periods[1].weights[0], 2.0 / 3.0, 1e-15);
  EXPECT_NEAR(held.periods[2].weights[0], 0.8, 1e-15);
  EXPECT_NEAR(held.drawdown, 1.0 / 3.0, 1e-15);
  // To rebalance to where it has drifted is no turnover.
  const PortfolioHistory same = portfolio_history(prices, {{0, {.5, .5}}, {1, {2.0 / 3.0, 1.0 / 3.0}}}, 3, {.cost = 0.5, .periods_per_year = 12.0});
  EXPECT_NEAR(same.value, held.value, 1e-15);
  EXPECT_NEAR(same.turnover, 0.0, 1e-14);
}

TEST_F(History, ShortSalesAndCash) {
  const PriceTable prices = table(four_dates);
  // A sold short, to -.5: the first period loses half.
  const PortfolioHistory short_sold = portfolio_history(prices, {{0, {-.5, 1.5}}}, 1, {});
  EXPECT_NEAR(short_sold.value, 0.5, 1e-15);
  EXPECT_TRUE(std::isnan(short_sold.sharpe)) << "one period has no deviation";
  // A quarter in A, the rest in cash.
  EXPECT_NEAR(portfolio_history(prices, {{0, {.25, 0.0}}}, 1, {}).value, 1.25, 1e-15);
  expect_error(Status::out_of_range, [&] { portfolio_history(prices, {{0, {-1.0, 2.0}}}, 3, {}); }, "nothing is left of the portfolio on 2001-02-01");
}

TEST_F(History, GapsAndDisorderAreRefused) {
  const PriceTable gap = table("day,A,B\n2001-01-01,10,8\n2001-02-01,20,\n2001-03-01,20,4\n");
  expect_error(Status::non_finite, [&] { portfolio_history(gap, {{0, {.5, .5}}}, 2, {}); }, "p.csv:3:15: no price of B on 2001-02-01");
  const PriceTable prices = table(four_dates);
  for (const std::vector<Rebalance>& bad : std::vector<std::vector<Rebalance>>{{}, {{1, {1, 0}}, {1, {1, 0}}}, {{2, {1, 0}}, {1, {1, 0}}}, {{3, {1, 0}}}})
    expect_error(Status::invalid_argument, [&] { portfolio_history(prices, bad, 3, {}); }, "ascending order");
  expect_error(Status::invalid_argument, [&] { portfolio_history(prices, {{0, {1, 0}}}, 4, {}); }, "ascending order");
}

TEST_F(History, YearsAreThoseOfTheDates) {
  EXPECT_NEAR(table(four_dates).periods_per_year(), 3.0 / (90.0 / 365.25), 1e-12);
}

}  // namespace
}  // namespace lavoisier::cli
