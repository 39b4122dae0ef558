// Domains whose samples are dates of a table of prices.

#include <lavoisier/domain.hpp>
#include <lavoisier/linear_constraints.hpp>
#include <lavoisier/status.hpp>

#include "expect_error.hpp"
#include "price_tables.hpp"
#include "temporary_folder.hpp"

#include <gtest/gtest.h>

#include <algorithm>
#include <cmath>
#include <fstream>
#include <string>
#include <vector>

namespace lavoisier::tests {
namespace {

const std::string growth = "objective = \"growth\"\nequal_share = 0.0\n";
const std::string least_variance = "objective = \"minimum_variance\"\nequal_share = 0.0\n";

class Series : public testing::Test {
 protected:
  std::filesystem::path write(const std::string& text, const std::string& name = "p.csv") const {
    const auto path = folder_.path() / name;
    std::ofstream(path, std::ios::binary) << text;
    return path;
  }
  SampleSet load(const std::string& domain, const std::string& table, const LoadOptions& options = {}) const {
    return load_samples(parse_domain(domain, "own.toml"), {write(table)}, options);
  }
  /// The weights that the first complete window's date has.
  std::vector<double> target(const std::string& domain, const std::vector<std::vector<double>>& behind) const {
    std::vector<std::vector<double>> returns(3, std::vector<double>(behind.front().size(), 0.01));
    returns.insert(returns.end(), behind.begin(), behind.end());
    const SampleSet set = load(domain, wide_table(prices_of(returns)));
    EXPECT_EQ(set.samples, 1);
    return set.outputs;
  }
  TemporaryFolder folder_;
};

TEST(Dates, AreReadInTheFormsThatAreUnambiguous) {
  EXPECT_EQ(day_from("1970-01-01"), 0);
  EXPECT_EQ(day_from("2000-03-01"), 11017);
  for (const char* text : {"Mar 1 2000", "mar 01 2000", "March 1, 2000", "1 March 2000", "1  Mar 2000"}) EXPECT_EQ(day_from(text), 11017) << text;
  for (const char* text : {"", "2000", "2000-3-1", "2000-02-30", "01/03/2000", "Mar 32 2000", "Mar 1 00", "1 2 2000", "Marc 1 2000", "2000-03-01T00", "Mar 1 2000 x",
                           "2000-0a-01", "-001-01-01", "1, Mar 2000"})
    EXPECT_FALSE(day_from(text)) << text;
  EXPECT_EQ(date_text(11017), "2000-03-01");
  EXPECT_EQ(date_text(-1), "1969-12-31");
}

TEST_F(Series, WindowsAreReturnsUpToTheirDateTheOldestFirst) {
  const Prices prices = random_prices(12, 2);
  const SampleSet set = load(series_domain(2, "horizon = 2", growth), wide_table(prices));
  // Three returns before, two behind: of 12 dates those from 3 to 9.
  ASSERT_EQ(set.samples, 7);
  EXPECT_EQ(set.column.front(), 3U);
  EXPECT_EQ(set.column.back(), 9U);
  EXPECT_EQ(set.step, std::vector<std::uint64_t>(7, 0));
  for (std::int64_t s = 0; s < set.samples; ++s)
    for (int lag = 0; lag < 3; ++lag)
      for (int a = 0; a < 2; ++a) {
        const auto at = static_cast<std::size_t>(s + 1 + lag), asset = static_cast<std::size_t>(a);
        EXPECT_NEAR(set.inputs[static_cast<std::size_t>(s * 6 + lag * 2 + a)], std::log(prices[at][asset] / prices[at - 1][asset]), 1e-15);
      }
  // A long table with dates in words holds the same; without outputs the last dates are samples too.
  const std::string of_long = series_domain(2, "asset = \"name\"\nprice = \"price\"\nhorizon = 2", growth);
  EXPECT_EQ(load(of_long, long_table(prices)).inputs, set.inputs);
  EXPECT_EQ(load(of_long, long_table(prices)).outputs, set.outputs);
  LoadOptions inputs;
  inputs.with_outputs = false;
  EXPECT_EQ(load(of_long, long_table(prices), inputs).column.back(), 11U);
  const SampleReader reader(parse_domain(of_long, "own.toml"), write(long_table(prices)), true);
  EXPECT_EQ(reader.describe(4), "sample 4, 2001-01-29");
}

TEST_F(Series, NothingIsSeenOfWhatComesLater) {
  const std::string domain = series_domain(3, "horizon = 4", least_variance);
  const Prices prices = random_prices(40, 3);
  const SampleSet before = load(domain, wide_table(prices));
  for (const std::size_t changed : {20U, 21U, 39U}) {
    Prices others = prices;
    for (std::size_t t = changed; t < others.size(); ++t)
      for (double& price : others[t]) price *= 1.0 + 0.3 * std::sin(3.0 * price);
    const SampleSet after = load(domain, wide_table(others));
    ASSERT_EQ(after.samples, before.samples);
    for (std::int64_t s = 0; s < before.samples; ++s) {
      const auto date = before.column[static_cast<std::size_t>(s)];
      const auto same = [&](const std::vector<double>& a, const std::vector<double>& b, std::int64_t width) {
        return std::equal(a.begin() + s * width, a.begin() + (s + 1) * width, b.begin() + s * width);
      };
      EXPECT_EQ(same(before.inputs, after.inputs, 9), date < changed) << "inputs of date " << date << ", prices from " << changed << " changed";
      EXPECT_EQ(same(before.outputs, after.outputs, 3), date + 4 < changed) << "outputs of date " << date;
    }
  }
}

TEST_F(Series, GrowthIsTheBestConstantMix) {
  // One period: all in the better asset.
  const auto corner = target(series_domain(2, "horizon = 1", growth), {{0.10, 0.02}});
  EXPECT_NEAR(corner[0], 1.0, 1e-7);
  EXPECT_GT(corner[1], 0.0);
  // Doubling and halving against cash: half in each (Kelly 1956).
  const auto half = target(series_domain(2, "horizon = 2", growth), {{1.0, 0.0}, {-0.5, 0.0}});
  EXPECT_NEAR(half[0], 0.5, 1e-8);
  EXPECT_NEAR(half[1], 0.5, 1e-8);
  // Mixed with equal weights.
  const auto mixed = target(series_domain(2, "horizon = 1", "objective = \"growth\"\nequal_share = 0.4\n"), {{0.10, 0.02}});
  EXPECT_NEAR(mixed[1], 0.2, 1e-7);
}

TEST_F(Series, LeastVarianceIsInverseToTheVariances) {
  const double a = 0.1, b = 0.05;
  const std::vector<std::vector<double>> uncorrelated = {{a, b}, {-a, b}, {a, -b}, {-a, -b}};
  const auto plain = target(series_domain(2, "horizon = 4", least_variance), uncorrelated);
  EXPECT_NEAR(plain[0], b * b / (a * a + b * b), 1e-9);
  const double ridge = 0.2, added = ridge * (a * a + b * b) / 2;
  const auto ridged = target(series_domain(2, "horizon = 4", least_variance + "ridge = 0.2\n"), uncorrelated);
  EXPECT_NEAR(ridged[0], (b * b + added) / (a * a + b * b + 2 * added), 1e-9);
  // A third that moves with the first and more: least in it, and none short.
  std::vector<std::vector<double>> three;
  for (const auto& row : uncorrelated) three.push_back({row[0], row[1], 3 * row[0]});
  const auto bound = target(series_domain(3, "horizon = 4", least_variance), three);
  EXPECT_NEAR(bound[2], 0.0, 1e-8);
  EXPECT_GT(bound[2], 0.0);
  EXPECT_NEAR(bound[0], plain[0], 1e-7);
  // With short sales it is sold: w = (-3, 0, 1) / -2 of the two that move together has no variance, so the second is left out.
  const auto short_sold = target(series_domain(3, "horizon = 4", least_variance + "short_sales = true\nridge = 1e-6\n"), three);
  EXPECT_NEAR(short_sold[0], 1.5, 1e-3);
  EXPECT_NEAR(short_sold[2], -0.5, 1e-3);
  expect_error(
      Status::rank_deficient, [&] { target(series_domain(3, "horizon = 4", least_variance + "short_sales = true\n"), three); },
      "p.csv", "sample 3, 2001-01-22", "needs a ridge above 0");
}

TEST_F(Series, MeanAndVarianceAreTradedOff) {
  const double a = 0.1, b = 0.05, m = 0.05, gamma = 4.0;
  std::vector<std::vector<double>> returns = {{a, b}, {-a, b}, {a, -b}, {-a, -b}};
  for (auto& row : returns) row[0] += m;
  const double expected = (gamma * b * b + m) / (gamma * (a * a + b * b));  // 1.2: the second is sold short
  const auto found = target(series_domain(2, "horizon = 4", "objective = \"mean_variance\"\nrisk_aversion = 4.0\nshort_sales = true\nequal_share = 0.0\n"), returns);
  EXPECT_NEAR(found[0], expected, 1e-12);
  EXPECT_NEAR(found[1], 1.0 - expected, 1e-12);
  const auto bound = target(series_domain(2, "horizon = 4", "objective = \"mean_variance\"\nrisk_aversion = 4.0\nequal_share = 0.0\n"), returns);
  EXPECT_NEAR(bound[0], 1.0, 1e-7);
}

TEST_F(Series, TargetsObeyAllLawsAndAreBestAmongWhatDoes) {
  const std::string laws = "first = \"w_A + w_B = 0.6\"\nsecond = \"w_C + w_D + w_E = 0.4\"\nbudget = \"w_A + w_B + w_C + w_D + w_E = 1\"";
  for (const std::string& goal : {growth, least_variance}) {
    const Domain domain = parse_domain(series_domain(5, "horizon = 6", goal, laws), "own.toml");
    const Prices prices = random_prices(60, 5);
    const SampleSet set = load_samples(domain, {write(wide_table(prices))});
    const auto objective = [&](std::size_t date, const std::vector<double>& w) {
      double sum = 0.0, squares = 0.0, logs = 0.0;
      for (std::size_t t = date + 1; t <= date + 6; ++t) {
        double r = 0.0;
        for (std::size_t i = 0; i < 5; ++i) r += w[i] * (prices[t][i] / prices[t - 1][i] - 1.0);
        sum += r;
        squares += r * r;
        logs += std::log1p(r);
      }
      return goal == growth ? logs / 6 : sum * sum / 36 - squares / 6;
    };
    for (std::int64_t s = 0; s < set.samples; ++s) {
      const std::vector<double> w(set.outputs.begin() + s * 5, set.outputs.begin() + (s + 1) * 5);
      EXPECT_NEAR(w[0] + w[1], 0.6, 2e-16);
      EXPECT_NEAR(w[2] + w[3] + w[4], 0.4, 2e-16);
      EXPECT_GT(*std::min_element(w.begin(), w.end()), 0.0);
      const auto date = static_cast<std::size_t>(set.column[static_cast<std::size_t>(s)]);
      const double best = objective(date, w);
      // The problem is convex: what is nowhere better near by is nowhere better.
      for (const auto& [from, to] : {std::pair(0, 1), {1, 0}, {2, 3}, {3, 4}, {4, 2}, {3, 2}, {4, 3}, {2, 4}}) {
        std::vector<double> moved = w;
        const double step = std::min(1e-3, moved[static_cast<std::size_t>(from)]);
        moved[static_cast<std::size_t>(from)] -= step;
        moved[static_cast<std::size_t>(to)] += step;
        EXPECT_LE(objective(date, moved), best + 1e-10) << "date " << date << ", " << from << " to " << to;
      }
    }
  }
  const auto equal = equal_weights(parse_domain(series_domain(5, "horizon = 6", growth, laws), "own.toml"));
  for (std::size_t i = 0; i < 5; ++i) EXPECT_NEAR(equal[i], i < 2 ? 0.3 : 0.4 / 3, 1e-9);
}

TEST_F(Series, SubsetsDoNotShareTheirPeriods) {
  const Prices prices = random_prices(60, 2);
  // Dates 30 (2001-07-30) and 45 (2001-11-12).
  const std::string dates = "[split]\nkind = \"dates\"\nvalidation = 2001-07-30\ntest = \"2001-11-12\"\n";
  const std::string shares = "[split]\nkind = \"sequential\"\nvalidation = 0.25\ntest = 0.25\n";
  for (const std::string& split : {dates, shares}) {
    const Domain domain = parse_domain(series_domain(2, "horizon = 5", growth, "", split), "own.toml");
    const SampleSet set = load_samples(domain, {write(wide_table(prices))});
    std::vector<std::uint64_t> first(3, 1000), last(3, 0);
    for (std::size_t s = 0; s < set.column.size(); ++s) {
      const auto subset = static_cast<std::size_t>(set.subset[s]);
      first[subset] = std::min(first[subset], set.column[s]);
      last[subset] = std::max(last[subset], set.column[s]);
    }
    EXPECT_EQ(first, (std::vector<std::uint64_t>{3, 30, 45}));
    EXPECT_EQ(last, (std::vector<std::uint64_t>{25, 40, 54})) << "the last held period ends where the next subset's first begins";
    // Generation has all of them.
    const SampleReader inputs(domain, write(wide_table(prices)), false);
    const auto piece = inputs.read(0, inputs.cells());
    EXPECT_EQ(std::count(piece.complete.begin(), piece.complete.end(), 1), 57);
    EXPECT_EQ(piece.subset[29], Subset::training);
  }
}

TEST_F(Series, TrainingBehindATestSharesNoPeriodsEither) {
  // Dates 15 to 29 are for test, 30 to 44 for validation.
  const std::string split = "[split]\naxis = \"sample\"\nwidth = 15.0\nmodulus = 4\ntest = [1]\nvalidation = [2]\n";
  const SampleSet set = load(series_domain(2, "horizon = 3", growth, "", split), wide_table(random_prices(60, 2)));
  std::vector<std::uint64_t> training, validation;
  for (std::size_t s = 0; s < set.column.size(); ++s) {
    if (set.subset[s] == Subset::training) training.push_back(set.column[s]);
    if (set.subset[s] == Subset::validation) validation.push_back(set.column[s]);
  }
  EXPECT_EQ(training, (std::vector<std::uint64_t>{3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 47, 48, 49, 50, 51, 52, 53, 54, 55, 56}));
  EXPECT_EQ(validation, (std::vector<std::uint64_t>{32, 33, 34, 35, 36, 37, 38, 39, 40, 41, 42, 43, 44}));
}

TEST_F(Series, MissingPricesAreNamedOrLeftOut) {
  Prices prices = random_prices(20, 2);
  std::string table = wide_table(prices);
  const std::string cell = fmt::format("2001-03-12,{},", prices[10][0]);
  const auto at = table.find(cell) + cell.size();
  table.erase(at, table.find('\n', at) - at);
  const std::string domain = series_domain(2, "horizon = 2", growth);
  expect_error(
      Status::non_finite, [&] { load(domain, table); }, "p.csv:12:", ": no price of B on 2001-03-12, which sample 8, 2001-02-26 needs; dates like this can be left out");
  LoadOptions options;
  options.drop_incomplete = true;
  const SampleSet set = load(domain, table, options);
  EXPECT_EQ(set.column, (std::vector<std::uint64_t>{3, 4, 5, 6, 7, 14, 15, 16, 17}));
  // In a long table the row is not there; "from" begins behind it.
  std::string rows = long_table(prices);
  const auto row = rows.find("B,Mar 12 2001");
  rows.erase(row, rows.find('\n', row) + 1 - row);
  const std::string of_long = "asset = \"name\"\nprice = \"price\"\nhorizon = 2\n";
  expect_error(Status::non_finite, [&] { load(series_domain(2, of_long, growth), rows); }, "p.csv: no price of B on 2001-03-12");
  EXPECT_EQ(load(series_domain(2, of_long + "from = 2001-03-19", growth), rows).samples, 4);
  EXPECT_EQ(load(series_domain(2, of_long + "until = \"2001-03-05\"", growth), rows).samples, 5);
}

TEST_F(Series, BadTablesAreNamedWithLineAndColumn) {
  const std::string wide = series_domain(2, "horizon = 1", growth), of_long = series_domain(2, "asset = \"name\"\nprice = \"price\"\nhorizon = 1", growth);
  struct Bad {
    std::string domain, table;
    Status status;
    std::string message;
  };
  const std::string head = "day,A,B\n2001-01-01,1,2\n";
  const std::string names = "name,day,price\nA,Jan 1 2001,1\n";
  for (const Bad& bad : std::vector<Bad>{
           {wide, head + "2001-01-01,1,2\n", Status::invalid_format, "p.csv:3:1: expected dates in ascending order, found 2001-01-01 twice"},
           {wide, head + "2000-12-31,1,2\n", Status::invalid_format, "p.csv:3:1: expected dates in ascending order, found 2000-12-31 behind 2001-01-01"},
           {wide, head + "01/02/2001,1,2\n", Status::invalid_format, "p.csv:3:1: column \"day\": expected a date such as 2004-08-31 or Aug 31 2004, found \"01/02/2001\""},
           {wide, head + "2001-01-02,1\n", Status::invalid_format, "p.csv:3:13: expected 3 cells as in the header, found 2: none for \"B\""},
           {wide, head + "2001-01-02,1,x\n", Status::invalid_format, "p.csv:3:14: column \"B\": expected a number, found \"x\""},
           {wide, head + "2001-01-02,1,0\n", Status::out_of_range, "p.csv:3:14: column \"B\": expected a price above 0, found 0"},
           {wide, head + "2001-01-02,-2,1\n", Status::out_of_range, "p.csv:3:12: column \"A\": expected a price above 0, found -2"},
           {wide, "day,A,C\n2001-01-01,1,2\n", Status::not_found, "p.csv:1:1: no column \"B\""},
           {wide, "date,A,B\n2001-01-01,1,2\n", Status::not_found, "p.csv:1:1: no column \"day\""},
           {wide, head, Status::shape_mismatch, "p.csv: expected prices at two dates or more, found 1"},
           {of_long, names + "B,Jan 1 2001,3\nA,Jan 1 2001,4\n", Status::invalid_format, "p.csv:4:3: expected dates of A in ascending order, found 2001-01-01 twice"},
           {of_long, names + "B,Jan 1 2001,3\nB,Dec 1 2000,4\n", Status::invalid_format, "p.csv:4:3: expected dates of B in ascending order, found 2000-12-01 behind"},
           {of_long, names + "B,Jan 2 2001,-1\n", Status::out_of_range, "p.csv:3:14: column \"price\": expected a price above 0, found -1"},
           {of_long, names + "BB,Jan 2 2001,1\n", Status::not_found, "p.csv: column \"name\" has no row with \"B\"; did you mean \"BB\"?"}})
    expect_error(bad.status, [&] { load(bad.domain, bad.table); }, bad.message);
  // What belongs to no asset may hold anything.
  EXPECT_EQ(load(of_long, long_table(random_prices(8, 2)) + "C,never,much\n").samples, 4);
}

TEST_F(Series, WhatNoWeightsOrNumbersMeetIsRefused) {
  const auto refused = [&](const std::string& domain, const std::string& table, const std::string& message) {
    try {
      load(domain, table);
      ADD_FAILURE() << "accepted; expected: " << message;
    } catch (const Error& error) {
      EXPECT_NE(std::string(error.what()).find(message), std::string::npos) << error.what();
    }
  };
  const std::string domain = series_domain(2, "horizon = 3", least_variance);
  refused(domain, wide_table(random_prices(6, 2)), "expected more than 6 dates (3 periods before a date and 3 behind it), found 6");
  Prices prices = random_prices(12, 2);
  prices[5][1] = 1e-308;
  refused(domain, wide_table(prices), "the return of B is beyond all numbers, from a price of 1e-308");
  prices[5][1] = 1e300;
  refused(domain, wide_table(prices), "too large for a variance");
}

TEST(SeriesDomain, IsRefusedWhereItMakesNoSense) {
  struct Bad {
    std::string text, message;
  };
  const std::string plain = series_domain(2, "horizon = 3", growth);
  const auto with = [&](const std::string& from, const std::string& to) {
    std::string text = plain;
    const auto at = text.find(from);
    EXPECT_NE(at, std::string::npos) << from;
    return text.replace(at, from.size(), to);
  };
  ASSERT_NO_THROW(parse_domain(plain, "own.toml"));
  for (const Bad& bad : std::vector<Bad>{
           {with("horizon = 3", "horizon = 0"), "own.toml:7:11: expected a horizon of 1 to 1000000 periods, found 0"},
           {with("horizon = 3", "horizon = 3\nasset = \"name\""), "own.toml:8:9: \"asset\" and \"price\" are the columns of a long table"},
           {with("horizon = 3", "horizon = 3\nfrom = \"soon\""), "own.toml:8:8: expected a date such as 2004-08-31 for \"from\", found \"soon\""},
           {with("horizon = 3", "horizon = 3\nfrom = 2004-01-02\nuntil = 2004-01-02"), "own.toml:9:9: expected \"until\" behind \"from\""},
           {with("horizon = 3", "horizon = 3\nlags = 3"), "own.toml:8:1: unknown key \"lags\" in [samples] of a series"},
           {with("\"growth\"", "\"groth\""), "own.toml:9:13: unknown objective \"groth\"; did you mean \"growth\"?"},
           {with("equal_share = 0.0", "equal_share = 1.0"), "own.toml:10:15: expected a share from 0 to below 1"},
           {with("equal_share = 0.0", "equal_share = 0.0\nshort_sales = true"), "growth has no short sales"},
           {with("equal_share = 0.0", "equal_share = 0.0\nrisk_aversion = 2.0"), "\"risk_aversion\" goes with objective = \"mean_variance\""},
           {with("equal_share = 0.0", "equal_share = 0.0\nridge = 0.1"), "\"ridge\" goes with the others"},
           {series_domain(2, "horizon = 1", least_variance), "a variance is of two periods or more"},
           {with("extent = 2", "extent = 3"), "input returns: expected two dimensions, the first of the kind lag, the second with the extent 2"},
           {with("source = \"log_return\"", "source = \"price\""), "input returns: expected source = \"log_return\""},
           {with("source = \"B\"", "source = \"A\""), "output w_B: the asset \"A\" has two outputs"},
           {with("{ units = \"1\", source = \"B\" }", "{ units = \"percent\", source = \"B\" }"), "output w_B: a weight has units = \"1\", found \"percent\""},
           {with("w_A + w_B = 1", "w_A + w_B = 0"), "without short sales weights are above 0: none such meet all the laws"},
           {with("w_A + w_B = 1", "w_A + w_B = -1"), "without short sales weights are above 0: none such meet all the laws"},
           {with("w_A + w_B = 1", "w_A - w_B = 0"), "or these leave one without a bound"},
           {series_domain(2, "horizon = 3", growth, "", "[split]\nkind = \"random\"\nvalidation = 0.1\ntest = 0.1\n"), "dates of a series follow each other"},
           {series_domain(2, "horizon = 3", growth, "", "[split]\nkind = \"dates\"\nvalidation = 2001-01-01\ntest = 2001-01-01\n"),
            "expected test dates behind those for validation"},
           {"format = 1\nname = \"t\"\ntitle = \"t\"\n[samples]\ntable = true\n[target]\nobjective = \"growth\"\n", "\"target\" goes with [samples] of a series"}}) {
    try {
      parse_domain(bad.text, "own.toml");
      ADD_FAILURE() << "accepted, expected: " << bad.message;
    } catch (const Error& error) {
      EXPECT_NE(std::string(error.what()).find(bad.message), std::string::npos) << error.what() << "\nexpected: " << bad.message;
    }
  }
}

class ShippedSeries : public testing::TestWithParam<const char*> {};

TEST_P(ShippedSeries, ObeysItsLawsOnRealPrices) {
  if (!std::filesystem::exists(stocks_file)) GTEST_SKIP() << "no " << stocks_file << " (Debian's python3-vega-datasets)";
  const Domain domain = load_domain(GetParam());
  const SampleSet set = load_samples(domain, {stocks_file});
  // 123 months, twelve before and six behind each; five are left out before each of the two later subsets.
  EXPECT_EQ(set.samples, 123 - 12 - 6 - 10);
  const Eigen::Map<const RowMatrix> x(set.inputs.data(), set.samples, set.input_elements());
  const Eigen::Map<const RowMatrix> y(set.outputs.data(), set.samples, set.output_elements());
  for (const Law& law : domain.laws)
    EXPECT_LE(closure(law, domain.layout, domain.constants, x, y).residual.cwiseAbs().maxCoeff(), 2e-15) << law.name;
  EXPECT_EQ(y.minCoeff() > 0.0, !domain.series->target.short_sales);
  EXPECT_LE(x.cwiseAbs().maxCoeff(), 1.0);
}

INSTANTIATE_TEST_SUITE_P(Portfolio, ShippedSeries, testing::Values("portfolio", "portfolio_sectors", "portfolio_long_short"));

}  // namespace
}  // namespace lavoisier::tests
