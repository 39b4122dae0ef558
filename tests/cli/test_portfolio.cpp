// Portfolios from a domain file and a table of prices: checked, trained, generated, validated and tried on the past by the
// command line alone.

#include "command.hpp"
#include "price_tables.hpp"

#include <nlohmann/json.hpp>

#include <algorithm>
#include <cmath>
#include <map>

namespace {

using namespace lavoisier::testing;
using lavoisier::tests::long_table;
using lavoisier::tests::random_prices;
using lavoisier::tests::series_domain;
using lavoisier::tests::stocks_file;
using lavoisier::tests::wide_table;
using nlohmann::json;

const std::string least_variance = "objective = \"minimum_variance\"\nridge = 0.1\nequal_share = 0.2\n";
const std::string split = "[split]\nkind = \"sequential\"\nvalidation = 0.2\ntest = 0.2\n";

class Portfolio : public testing::Test {
 protected:
  Portfolio() {
    write("own.toml", series_domain(3, "horizon = 4", least_variance, "", split));
    write("p.csv", wide_table(random_prices(120, 3)));
  }
  void write(const std::string& name, const std::string& text) const { std::ofstream(folder_ / name) << text; }
  std::string file(const std::string& name) const { return (folder_ / name).string(); }
  json read(const std::string& name) const { return json::parse(content(folder_ / name)); }
  void train(const std::string& domain = "own.toml", const std::string& prices = "p.csv", const std::string& how = "--head gamma") const {
    const Outcome trained = run("train --domain " + file(domain) + " --data " + file(prices) + " " + how +
                                " --hidden 8 --epochs 4 --batch 16 --seed 1 --quiet --output " + file("m.safetensors"));
    ASSERT_EQ(trained.code, 0) << trained.err;
  }
  void generate(const std::string& output, const std::string& more = "", const std::string& prices = "p.csv") const {
    const Outcome generated = run("generate --model " + file("m.safetensors") + " --inputs " + file(prices) + " --members 5 --quiet --output " +
                                  file(output) + " " + more);
    ASSERT_EQ(generated.code, 0) << generated.err;
  }
  std::string backtest(const std::string& candidate, const std::string& more = "") const {
    return "backtest --domain " + file("own.toml") + " --candidate " + file(candidate) + " --prices " + file("p.csv") + " " + more;
  }
  static const json& portfolio(const json& report, const std::string& name) {
    for (const json& one : report["portfolios"])
      if (one["name"] == name) return one;
    throw std::runtime_error("no portfolio " + name);
  }
  Folder folder_;
};

TEST_F(Portfolio, TheDomainAndItsPricesAreChecked) {
  const Outcome checked = run("domains " + file("own.toml") + " --data " + file("p.csv"));
  EXPECT_EQ(checked.code, 0) << checked.out << checked.err;
  EXPECT_SAYS(checked.out, "Samples are dates of a table of prices: column \"day\", a column an asset");
  EXPECT_SAYS(checked.out, "weights with the least variance over the 4 periods behind a date, no short sales");
  EXPECT_SAYS(checked.out, "w_B: B");
  // 120 dates, 3 before and 4 behind each; three are left out before each of the two later subsets.
  EXPECT_SAYS(checked.out, "107 complete cells of 120; 66 training, 21 validation, 20 test");
  EXPECT_SAYS(run("inspect " + file("p.csv") + " --domain " + file("own.toml")).out, "CSV table of 120 rows");
}

TEST_F(Portfolio, TrainGenerateValidateBacktest) {
  train();
  generate("w.csv", "--subset test");
  const Outcome valid = run("validate --domain " + file("own.toml") + " --candidate " + file("w.csv") + " --reference " + file("p.csv") +
                            " --subset test --quiet --json " + file("v.json"));
  EXPECT_EQ(valid.code, 0) << valid.err;
  EXPECT_EQ(read("v.json")["cells"], 20);
  const Outcome tried = run(backtest("w.csv", "--subset test --cost 25 --json " + file("b.json") + " --history " + file("h.csv")));
  ASSERT_EQ(tried.code, 0) << tried.out << tried.err;
  EXPECT_SAYS(tried.out, "no short sales");
  const json report = read("b.json");
  EXPECT_EQ(report["pass"], true);
  // The first test date is number 96; the last whose holding period the table has is 112.
  EXPECT_EQ(report["from"], lavoisier::date_text(11323 + 7 * 96));
  EXPECT_EQ(report["periods"], 20);
  EXPECT_EQ(report["rebalancings"], 4);
  EXPECT_NEAR(report["periods_per_year"].get<double>(), 365.25 / 7, 1e-9);
  const json& own = portfolio(report, "candidate");
  EXPECT_LE(own["laws"][0]["max_relative"].get<double>(), 1e-14);
  EXPECT_GT(own["least_weight"]["value"].get<double>(), 0.0);
  EXPECT_EQ(own["members"]["count"], 5);
  EXPECT_GT(own["turnover"].get<double>(), 0.0);
  EXPECT_EQ(portfolio(report, "buy and hold")["turnover"], 0.0);
  EXPECT_EQ(portfolio(report, "buy and hold")["cost"], 0.0);
  EXPECT_NEAR(portfolio(report, "equal weights")["cost"].get<double>(), 0.0025 * portfolio(report, "equal weights")["turnover"].get<double>() * 20 * 7 / 365.25, 1e-12);
  // What was least variable in hindsight is less so than what was not known.
  EXPECT_LT(portfolio(report, "hindsight")["volatility"].get<double>(), own["volatility"].get<double>());
  const std::string history = content(folder_ / "h.csv");
  EXPECT_EQ(history.substr(0, history.find('\n')), "portfolio,date,value,return,turnover,cost,w_A,w_B,w_C");
  EXPECT_EQ(std::count(history.begin(), history.end(), '\n'), 1 + 4 * 20);

  // The same from NetCDF, and with all dates generated; members' mean is that of the CSV.
  generate("all");
  const Outcome grid = run(backtest("all", "--subset test --cost 25 --quiet --json " + file("g.json")));
  ASSERT_EQ(grid.code, 0) << grid.err;
  EXPECT_EQ(read("g.json")["portfolios"][0]["value"], own["value"]);
  EXPECT_EQ(read("g.json")["portfolios"][0]["members"], own["members"]);
  const Outcome monthly = run(backtest("all", "--every 1 --quiet --json " + file("e.json")));
  ASSERT_EQ(monthly.code, 0) << monthly.err;
  EXPECT_EQ(read("e.json")["periods"], 113);
  EXPECT_EQ(read("e.json")["rebalancings"], 112);

  // The last dates have weights, though nobody knows yet what will have been best.
  generate("now.csv");
  EXPECT_SAYS(content(folder_ / "now.csv"), "\n5,119,");
}

TEST_F(Portfolio, EqualWeightsOfATableAreTheBaseline) {
  // A table of weights without members, a row a date of the prices.
  std::string weights = "w_A,w_B,w_C\n";
  for (int t = 0; t < 120; ++t) weights += "0.25,0.25,0.5\n";
  write("fixed.csv", weights);
  const Outcome tried = run(backtest("fixed.csv", "--quiet --json " + file("b.json")));
  EXPECT_EQ(tried.code, 0) << tried.err;
  // By hand: four periods each.
  const auto prices = random_prices(120, 3);
  double value = 1.0;
  for (std::size_t t = 3; t + 4 <= 119; t += 4)
    value *= 0.25 * prices[t + 4][0] / prices[t][0] + 0.25 * prices[t + 4][1] / prices[t][1] + 0.5 * prices[t + 4][2] / prices[t][2];
  EXPECT_NEAR(read("b.json")["portfolios"][0]["value"].get<double>(), value, 1e-12);
  double equal = 1.0;
  for (std::size_t t = 3; t + 4 <= 119; t += 4)
    equal *= (prices[t + 4][0] / prices[t][0] + prices[t + 4][1] / prices[t][1] + prices[t + 4][2] / prices[t][2]) / 3;
  EXPECT_NEAR(portfolio(read("b.json"), "equal weights")["value"].get<double>(), equal, 1e-9);
}

TEST_F(Portfolio, WhatBreaksALawOrIsShortFails) {
  const auto tried = [&](const std::string& row) {
    std::string weights = "w_A,w_B,w_C\n";
    for (int t = 0; t < 120; ++t) weights += t == 51 ? row + "\n" : "0.25,0.25,0.5\n";
    write("fixed.csv", weights);
    return run(backtest("fixed.csv", "--json " + file("b.json")));
  };
  const Outcome broken = tried("0.25,0.25,0.51");
  EXPECT_EQ(broken.code, 3);
  EXPECT_SAYS(broken.out, "member 1, " + lavoisier::date_text(11323 + 7 * 51));
  EXPECT_NEAR(portfolio(read("b.json"), "candidate")["laws"][0]["max_abs"].get<double>(), 0.01, 1e-12);
  const Outcome short_sold = tried("-0.25,0.25,1.0");
  EXPECT_EQ(short_sold.code, 3);
  EXPECT_SAYS(short_sold.out, "least weight -0.25, A on " + lavoisier::date_text(11323 + 7 * 51));
  EXPECT_EQ(read("b.json")["pass"], false);
}

TEST_F(Portfolio, MissingDatesAndPricesAreNamed) {
  std::string weights = "member,sample,w_A,w_B,w_C\n";
  for (int t = 0; t < 120; ++t)
    if (t != 31) weights += "1," + std::to_string(t) + ",0.25,0.25,0.5\n";
  write("gap.csv", weights);
  const Outcome gap = run(backtest("gap.csv"));
  EXPECT_EQ(gap.code, 2);
  EXPECT_SAYS(gap.err, "member 1 of candidate has no weights for sample 31, " + lavoisier::date_text(11323 + 7 * 31));
  // Date 31 is no date of these.
  EXPECT_EQ(run(backtest("gap.csv", "--subset test --quiet")).code, 0);
  std::string prices = content(folder_ / "p.csv");
  const std::string day = "\n" + lavoisier::date_text(11323 + 7 * 60) + ",";
  const auto at = prices.find(day) + day.size();
  prices.erase(at, prices.find(',', at) - at);
  write("p.csv", prices);
  const Outcome missing = run(backtest("gap.csv", "--subset all"));
  EXPECT_EQ(missing.code, 2);
  EXPECT_SAYS(missing.err, "p.csv:62:12: no price of A on " + lavoisier::date_text(11323 + 7 * 60));
  const Outcome trained = run("train --domain " + file("own.toml") + " --data " + file("p.csv") + " --quiet --output " + file("m.safetensors"));
  EXPECT_EQ(trained.code, 2);
  EXPECT_SAYS(trained.err, "p.csv:62:12: no price of A on ");
}

TEST_F(Portfolio, MisuseIsRefused) {
  write("fixed.csv", "w_A,w_B,w_C\n0.25,0.25,0.5\n");
  EXPECT_SAYS(run("backtest --domain ocean_heat_budget --candidate x --prices " + file("p.csv")).err, "expected a domain whose samples are dates of prices");
  EXPECT_EQ(run("backtest --domain ocean_heat_budget --candidate x --prices " + file("p.csv")).code, 1);
  EXPECT_EQ(run(backtest("fixed.csv", "--cost -1")).code, 1);
  EXPECT_EQ(run(backtest("fixed.csv", "--subset tests")).code, 1);
  EXPECT_SAYS(run("backtest --domain " + file("own.toml") + " --candidate hindsight=" + file("fixed.csv") + " --prices " + file("p.csv")).err,
              "'hindsight' is the name of a portfolio that is always shown");
  EXPECT_SAYS(run(backtest("fixed.csv")).err, "expected 120 rows");
  EXPECT_SAYS(run(backtest("fixed.csv", "--every 1000")).err, "no date of the subset has the prices of its window and of 1000 periods behind it");
}

TEST_F(Portfolio, WeightsOfOtherDatesAndOutputsOverInputsAreRefused) {
  train();
  // The same prices without the first twelve dates: row k would be taken for a date twelve before its own.
  std::string later = content(folder_ / "p.csv");
  std::size_t line = later.find('\n') + 1, end = line;
  for (int i = 0; i < 12; ++i) end = later.find('\n', end) + 1;
  write("later.csv", later.erase(line, end - line));
  generate("w.csv", "", "later.csv");
  const Outcome shifted = run(backtest("w.csv", "--subset validation"));
  EXPECT_EQ(shifted.code, 2) << shifted.out;
  EXPECT_SAYS(shifted.err, "of the 108 dates of another table");
  generate("own.csv");
  const std::string before = content(folder_ / "p.csv");
  const Outcome over = run(backtest("own.csv", "--history " + file("p.csv")));
  EXPECT_EQ(over.code, 1);
  EXPECT_SAYS(over.err, "would be written over another file");
  EXPECT_EQ(run(backtest("own.csv", "--json " + file("own.csv"))).code, 1);
  EXPECT_EQ(run(backtest("own.csv", "--json " + file("r.txt") + " --history " + file("r.txt"))).code, 1);
  EXPECT_EQ(content(folder_ / "p.csv"), before);
  EXPECT_EQ(run(backtest("own.csv", "--quiet")).code, 0);
}

TEST_F(Portfolio, SectorsAndShortSales) {
  write("sectors.toml", series_domain(4, "asset = \"name\"\nprice = \"price\"\nhorizon = 4", least_variance,
                                      "first = \"w_A + w_B = 0.7\"\nsecond = \"w_C + w_D = 0.3\"", split));
  write("l.csv", long_table(random_prices(100, 4)));
  train("sectors.toml", "l.csv");
  generate("w.csv", "", "l.csv");
  const Outcome sectors = run("backtest --domain " + file("sectors.toml") + " --candidate " + file("w.csv") + " --prices " + file("l.csv") + " --quiet --json " +
                              file("b.json"));
  EXPECT_EQ(sectors.code, 0) << sectors.err;
  EXPECT_EQ(read("b.json")["portfolios"][0]["laws"].size(), 2U);
  write("short.toml", series_domain(4, "asset = \"name\"\nprice = \"price\"\nhorizon = 4",
                                    "objective = \"mean_variance\"\nrisk_aversion = 20.0\nshort_sales = true\nridge = 0.5\nequal_share = 0.5\n", "", split));
  train("short.toml", "l.csv", "--model spectral_temporal --window 3 --series 4 --channels 4 --blocks 1");
  generate("s.csv", "", "l.csv");
  const Outcome short_sold = run("backtest --domain " + file("short.toml") + " --candidate " + file("s.csv") + " --prices " + file("l.csv") +
                                 " --quiet --json " + file("b.json"));
  EXPECT_EQ(short_sold.code, 0) << short_sold.err;
  EXPECT_LT(read("b.json")["portfolios"][0]["least_weight"]["value"].get<double>(), 0.0) << "nothing was sold short";
}

TEST_F(Portfolio, RealPrices) {
  if (!std::filesystem::exists(stocks_file)) GTEST_SKIP() << "no " << stocks_file << " (Debian's python3-vega-datasets)";
  const std::string stocks = stocks_file;
  const Outcome checked = run("domains portfolio --data " + stocks);
  EXPECT_EQ(checked.code, 0) << checked.err;
  EXPECT_SAYS(checked.out, "95 complete cells of 123");
  ASSERT_EQ(run("train --config configs/portfolio.conf --data " + stocks + " --epochs 5 --quiet --output " + file("m.safetensors")).code, 0);
  ASSERT_EQ(run("generate --model " + file("m.safetensors") + " --inputs " + stocks + " --subset test --members 10 --quiet --output " + file("w.csv")).code, 0);
  const Outcome tried = run("backtest --domain portfolio --candidate " + file("w.csv") + " --prices " + stocks + " --subset test --quiet --json " + file("b.json"));
  EXPECT_EQ(tried.code, 0) << tried.err;
  const json report = read("b.json");
  EXPECT_EQ(report["from"], "2007-01-01");
  EXPECT_LE(report["portfolios"][0]["laws"][0]["max_relative"].get<double>(), 1e-14);
}

}  // namespace
