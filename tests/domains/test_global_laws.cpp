// Laws over all columns in domain files: what they become, what is refused, and the weights and numbers of steps that
// they name.

#include <lavoisier/column_sums.hpp>
#include <lavoisier/domain.hpp>
#include <lavoisier/status.hpp>

#include "netcdf_file.hpp"
#include "temporary_folder.hpp"

#include <gtest/gtest.h>

#include <cmath>
#include <fstream>
#include <map>
#include <numbers>
#include <string>
#include <vector>

namespace lavoisier::test {
namespace {

using Values = std::vector<double>;

/// A domain in which `law` is line 19.
std::string domain_with(const std::string& law) {
  return R"(format = 1
name = "table"
title = "Equations over all columns"
samples = { dimensions = ["time", "y", "x"], column = ["y", "x"], empty = "all missing" }
dimensions.level = { kind = "level", extent = 4 }
constants.L = { value = 2.5e6, units = "J kg-1" }
inputs.rain = { units = "kg m-2 s-1" }
inputs.sigma = { units = "1", dimensions = ["level"] }
outputs.A = { units = "W m-2" }
outputs.K = { units = "kW m-2" }
outputs.E = { units = "kg m-2 s-1" }
outputs.dq = { units = "W m-2", dimensions = ["level"] }
outputs.TC = { units = "degC" }
weights.area = { latitude = "y", longitude = "x" }
weights.mass = { source = "m", units = "kg" }
step_values.mean_A = { units = "W m-2" }
step_values.total = { units = "W" }
definitions.latent = "L * E"
)" + law + "\n";
}

const std::string before = "laws.law = { scope = \"global\", equation = \"";

std::string global(const std::string& equation) { return domain_with(before + equation + "\" }"); }

constexpr std::size_t columns = 3;

// Three columns' numbers.
ExpressionValue lookup(const std::string& name) {
  static const std::map<std::string, Values> of_columns = {{"rain", {2, 3, 4}}, {"area", {1, 2, 5}}, {"mass", {10, 20, 30}}};
  if (const auto found = of_columns.find(name); found != of_columns.end()) return {{"columns"}, {columns}, found->second, {}};
  if (name == "sigma") return {{"level"}, {4}, {0.1, 0.2, 0.3, 0.4}, {}};
  static const std::map<std::string, double> scalars = {{"L", 2.5e6}, {"mean_A", 7.0}, {"total", 40.0}};
  return {{}, {}, {scalars.at(name)}, {}};
}

struct GoodCase {
  std::string equation, units;
  std::map<std::string, Values> rows;  ///< coefficients of each column, or of each level (the same in every column)
  double right_hand_side = 0.0;
};

class GoodGlobalEquation : public testing::TestWithParam<GoodCase> {};

TEST_P(GoodGlobalEquation, BecomesThisRow) {
  const GoodCase& expected = GetParam();
  const Domain domain = parse_domain(global(expected.equation), "table.toml");
  EXPECT_TRUE(domain.laws.empty());
  ASSERT_EQ(domain.global_laws.size(), 1U);
  const Law& law = domain.global_laws.front().law;
  EXPECT_EQ(law.scope, LawScope::global);
  EXPECT_EQ(law.name, "law");
  EXPECT_EQ(law.equation, expected.equation);
  EXPECT_EQ(law.units, expected.units);
  ASSERT_EQ(law.terms.size(), expected.rows.size());
  for (const auto& term : law.terms) {
    ASSERT_TRUE(expected.rows.contains(term.variable)) << term.variable;
    const Values& wanted = expected.rows.at(term.variable);
    Values found = term.coefficient.evaluate(lookup).values;
    if (found.size() == 1) found.assign(wanted.size(), found.front());
    ASSERT_EQ(found.size(), wanted.size());
    for (std::size_t i = 0; i < found.size(); ++i)
      EXPECT_NEAR(found[i], wanted[i], 1e-15 * std::abs(wanted[i])) << term.variable << " " << i;
  }
  EXPECT_NEAR(law.right_hand_side.evaluate_scalar(lookup), expected.right_hand_side,
              1e-15 * std::abs(expected.right_hand_side));
}

// Shares of the areas 1, 2 and 5, times a factor.
Values shares(double factor = 1) { return {factor * 0.125, factor * 0.25, factor * 0.625}; }

INSTANTIATE_TEST_SUITE_P(
    Table, GoodGlobalEquation,
    testing::Values(
        GoodCase{"mean(area, A) = mean_A", "W m-2", {{"A", shares()}}, 7},
        GoodCase{"mean_A = mean(area, A)", "W m-2", {{"A", shares(-1)}}, -7},
        GoodCase{"sum(columns, area * A) = 0", "kg s-3", {{"A", {1, 2, 5}}}, 0},
        GoodCase{"sum(columns, A) = 0", "W m-2", {{"A", {1, 1, 1}}}, 0},
        GoodCase{"sum(columns, area * A) / sum(columns, area) = mean_A", "W m-2", {{"A", shares()}}, 7},
        GoodCase{"sum(columns, area * (A - mean_A)) = 0", "kg s-3", {{"A", {1, 2, 5}}}, 56},
        GoodCase{"mean(area, K) = mean_A", "kW m-2", {{"K", shares()}}, 0.007},
        GoodCase{"mean(area, A - L * E) = 0", "W m-2", {{"A", shares()}, {"E", shares(-2.5e6)}}, 0},
        GoodCase{"mean(area, latent) = mean_A", "W m-2", {{"E", shares(2.5e6)}}, 7},
        GoodCase{"mean(area, E - rain) = 0", "kg m-2 s-1", {{"E", shares()}}, 3.5},
        GoodCase{"mean(area, 2 * A) + mean(area, A) / 2 = 3 * mean_A", "W m-2", {{"A", shares(2.5)}}, 21},
        GoodCase{"mean(area * mass, A) = mean_A", "W m-2", {{"A", {10.0 / 200, 40.0 / 200, 150.0 / 200}}}, 7},
        GoodCase{"mean(area, TC) = mean(mass, TC)", "degC", {{"TC", {0.125 - 10.0 / 60, 0.25 - 20.0 / 60, 0.625 - 0.5}}}, 0},
        GoodCase{"mean(area, sum(level, sigma * dq)) = mean_A", "W m-2",
                 {{"dq", {0.0125, 0.025, 0.0375, 0.05, 0.025, 0.05, 0.075, 0.1, 0.0625, 0.125, 0.1875, 0.25}}}, 7},
        GoodCase{"sum(level, sum(columns, dq)) = 0", "W m-2", {{"dq", {1, 1, 1, 1}}}, 0},
        GoodCase{"sum(columns, area * (A + L * (rain - E))) = 0", "kg s-3",
                 {{"A", {1, 2, 5}}, {"E", {-2.5e6, -5e6, -12.5e6}}}, -7e7}));

TEST(GlobalEquation, AMeanOfEqualWeightsCountsColumns) {
  const Domain domain = parse_domain(global("mean(1, A) = mean_A"), "table.toml");
  EXPECT_EQ(domain.global_laws[0].law.terms[0].coefficient.text(), "1/sum(columns, 1)");
  std::vector<Expression> totals;
  EXPECT_EQ(without_column_sums(domain.global_laws[0].law.terms[0].coefficient, totals).text(), "1/" + column_sum_name(0));
  ASSERT_EQ(totals.size(), 1U);
  EXPECT_EQ(totals[0].evaluate_constant(), 1.0);
}

TEST(GlobalEquation, SumsOverColumnsAreTakenOutOnce) {
  std::vector<Expression> totals;
  const auto sym = [](const char* name) { return Expression::symbol(name); };
  const Expression sum = Expression::sum("columns", sym("w")), other = Expression::sum("columns", sym("w") * sym("q"));
  const Expression split = without_column_sums(sym("w") / sum - other / sum, totals);
  ASSERT_EQ(totals.size(), 2U);
  EXPECT_EQ(totals[0], sym("w"));
  EXPECT_EQ(totals[1], sym("w") * sym("q"));
  EXPECT_EQ(split, sym("w") / sym(column_sum_name(0).c_str()) -
                       sym(column_sum_name(1).c_str()) / sym(column_sum_name(0).c_str()));
  EXPECT_THROW(without_column_sums(Expression::sum("columns", sym("w") / sum), totals), Error);
}

struct BadCase {
  std::string equation;
  Status status;
  std::size_t offset;  ///< of the equation's character
  std::string message;
};

class BadGlobalEquation : public testing::TestWithParam<BadCase> {};

TEST_P(BadGlobalEquation, IsRefusedHere) {
  const BadCase& expected = GetParam();
  const std::size_t column = before.size() + expected.offset + 1;
  try {
    parse_domain(global(expected.equation), "table.toml");
    FAIL() << "accepted: " << expected.equation;
  } catch (const Error& error) {
    EXPECT_EQ(status_name(error.status()), std::string(status_name(expected.status)));
    EXPECT_EQ(error.what(), "table.toml:19:" + std::to_string(column) + ": law law: " + expected.message + "\n  " + before +
                                expected.equation + "\" }\n  " + std::string(column - 1, ' ') + "^");
  }
}

constexpr auto format_error = Status::invalid_format;
const std::string varies =
    "over all columns there is one number a step; here something varies over columns: take sum(columns, ...) or "
    "mean(WEIGHT, ...)";

INSTANTIATE_TEST_SUITE_P(
    Table, BadGlobalEquation,
    testing::Values(
        BadCase{"A = mean_A", format_error, 2, varies}, BadCase{"mean(area, A) = A", format_error, 14, varies},
        BadCase{"mean(area, A) = L * rain", format_error, 14, varies},
        BadCase{"area * mean(mass, A) = 0", format_error, 5, "area varies over columns, over which mean(mass, A) is already summed"},
        BadCase{"mean(area, dq) = 0", format_error, 15,
                "over all columns there is one number a step; here something varies over level: take sum(level, ...)"},
        BadCase{"mean(area, A) = E", Status::unit_mismatch, 14,
                "mean(area, A) [W m-2] and E [kg m-2 s-1] cannot be equal: kg m-2 s-1 is not kg s-3"},
        BadCase{"sum(columns, mass * A) = total", Status::unit_mismatch, 23,
                "sum(columns, mass * A) [kg2 s-3] and total [W] cannot be equal: m2 kg s-3 is not kg2 s-3"},
        BadCase{"mean(A, E) = 0", format_error, 5, "a weight cannot hold an output (A): it is fixed before outputs are drawn"},
        BadCase{"mean(sigma, A) = 0", format_error, 5, "a weight is one number a column; sigma varies over level"},
        BadCase{"mean(0, A) = 0", format_error, 5, "a weight of zero: there is no mean"},
        BadCase{"mean(area, mean_A) = mean(area, A)", format_error, 11,
                "mean_A is the same for all columns: it has no mean over them"},
        BadCase{"mean(area, mean(area, A)) = 0", format_error, 11,
                "mean(area, A) is summed over the columns already: expected no such sum inside another"},
        BadCase{"mean(area / sum(columns, area), A) = 0", format_error, 5,
                "area / sum(columns, area) is summed over the columns already: expected no such sum inside another"},
        BadCase{"sum(columns, A * area / sum(columns, area)) = 0", format_error, 4,
                "A * area / sum(columns, area) is summed over the columns already: expected no such sum inside another"},
        BadCase{"sum(columns, total) = sum(columns, A)", format_error, 4,
                "total does not vary over columns: it cannot be summed over it"},
        BadCase{"sum(columns, area * A - mean_A) = 0", format_error, 4,
                "a part of area * A - mean_A does not vary over columns: it cannot be summed over it"},
        BadCase{"sum(level, sum(columns, dq - sigma * total)) = 0", Status::unit_mismatch, 27,
                "dq [W m-2] and sigma * total [W] cannot be subtracted: m2 kg s-3 is not kg s-3"},
        BadCase{"sum(level, sum(columns, dq - sigma * area * mean_A)) = 0", format_error, 15,
                "dq - sigma * area * mean_A varies over level too: sum over that first, then over the columns"},
        BadCase{"sum(level, mean(area, dq - sigma * mean_A)) = 0", format_error, 22,
                "dq - sigma * mean_A varies over level too: sum over that first, then over the columns"},
        BadCase{"mean(area, A * A) = 0", format_error, 13, "not linear: A * A is a product of outputs (A times A)"},
        BadCase{"mean(area A) = 0", format_error, 10, "expected \",\" after the weight, found \"A\""},
        BadCase{"mean(, A) = 0", format_error, 5, "expected a number, a name or \"(\", found \",\""},
        BadCase{"mean(area, A = 0", format_error, 13, "expected an operator or \")\", found \"=\""},
        BadCase{"sum(colums, A) = 0", Status::not_found, 4, "there is no dimension \"colums\"; declared are level"},
        BadCase{"mean(aera, A) = 0", Status::not_found, 5, "\"aera\" is not declared; did you mean \"area\"?"},
        BadCase{"total = 2 * total", format_error, 6, "a law must hold at least one output; this one has none"}));

void expect_refused(const std::string& text, Status status, const std::string& message) {
  try {
    parse_domain(text, "t.toml");
    FAIL() << "accepted: " << message;
  } catch (const Error& error) {
    EXPECT_EQ(status_name(error.status()), std::string(status_name(status)));
    const std::string found = error.what();
    EXPECT_EQ(found.substr(0, found.find('\n')), message);
  }
}

TEST(GlobalLaw, LocalLawsKnowNoColumns) {
  const auto refused = [](const std::string& equation, const std::string& message) {
    expect_refused(domain_with("laws.law = \"" + equation + "\""), format_error, message);
  };
  refused("A = mean_A", "t.toml:19:17: law law: \"mean_A\" is a number of a whole step: a law with scope = \"global\" may name it");
  refused("A * area = 0", "t.toml:19:17: law law: \"area\" is a weight of columns: a law with scope = \"global\" may name it");
  refused("mean(area, A) = 0", "t.toml:19:13: law law: means are over all columns: a law with scope = \"global\" may take them");
  refused("sum(columns, A) = 0", "t.toml:19:17: law law: sums over columns are for laws with scope = \"global\"");
}

TEST(GlobalLaw, KeysAreChecked) {
  expect_refused(domain_with("laws.law = { equation = \"mean(area, A) = 0\", scope = \"world\" }"), format_error,
                 "t.toml:19:54: expected scope = \"local\" (every sample) or \"global\" (all columns of a step), found \"world\"");
  expect_refused(domain_with("laws.law = { equation = \"A = 0\", on_request = true }"), format_error,
                 "t.toml:19:47: local laws always hold: \"on_request\" goes with scope = \"global\"");
  std::string text = global("mean(area, A) = 0");
  text.replace(text.find("dimensions.level"), 16, "dimensions.columns");
  text.replace(text.find("\"level\", extent"), 7, "\"level\"");
  while (text.find("[\"level\"]") != std::string::npos) text.replace(text.find("[\"level\"]"), 9, "[\"columns\"]");
  expect_refused(text, Status::invalid_argument,
                 "t.toml:19:6: law law: law 'law' is over all columns, so no dimension may be called 'columns'");
  const Domain domain = parse_domain(
      domain_with("laws.law = { equation = \"mean(area, A - mean_A) = 0\", scope = \"global\", on_request = true, "
                  "tolerance = 0.5 }"),
      "t.toml");
  EXPECT_TRUE(domain.global_laws[0].on_request);
  EXPECT_EQ(domain.global_laws[0].step_values, std::vector<std::string>{"mean_A"});
  EXPECT_EQ(domain.global_laws[0].law.physics_tolerance, 0.5);
  EXPECT_EQ(all_laws(domain).size(), 1U);
}

TEST(GlobalLaw, WeightsAndStepValuesAreChecked) {
  const std::string base = domain_with("laws.law = { scope = \"global\", equation = \"mean(area, A) = mean_A\" }");
  const auto refused = [&](const std::string& from, const std::string& to, Status status, const std::string& message) {
    std::string text = base;
    expect_refused(text.replace(text.find(from), from.size(), to), status, message);
  };
  refused("latitude = \"y\"", "latitude = \"yy\"", Status::not_found,
          "t.toml:14:29: \"yy\" is no sample dimension; these are time, y, x");
  refused("latitude = \"y\"", "latitude = \"x\"", format_error, "t.toml:14:46: latitude and longitude are the same dimension");
  refused("{ latitude = \"y\", longitude", "{ longitude", format_error,
          "t.toml:14:30: \"longitude\" goes with \"latitude\": the area of a cell");
  refused("longitude = \"x\" }", "longitude = \"x\", units = \"m2\" }", format_error,
          "t.toml:14:59: the area of a cell of the unit sphere has no \"units\" (its units are \"1\")");
  refused("source = \"m\", units = \"kg\"", "source = \"m\"", format_error,
          "t.toml:15:9: [weights.mass] needs the key \"units\": of the file's variable; the area of a cell has \"latitude\" "
          "instead");
  refused("units = \"W\" }", "units = \"WW\" }", Status::unit_mismatch,
          "t.toml:17:31: expected units that UDUNITS can read, found \"WW\"");
  refused("total = { units = \"W\" }", "A = { units = \"W\" }", format_error,
          "t.toml:17:13: \"A\" is declared twice, first in line 9");
  refused("mean_A = { units = \"W m-2\" }", "mean_A = { units = \"W m-2\", reference = \"mean(area, E)\" }",
          Status::unit_mismatch,
          "t.toml:16:53: reference of mean_A: expected a value in W m-2 (kg s-3), found kg m-2 s-1 (kg m-2 s-1)");
  refused("mean_A = { units = \"W m-2\" }", "mean_A = { units = \"W m-2\", reference = \"A\" }", format_error,
          "t.toml:16:54: reference of mean_A: over all columns there is one number a step; here something varies over columns: "
          "take sum(columns, ...) or mean(WEIGHT, ...)");
  refused("total = { units = \"W\" }", "total = { units = \"W m-2\", reference = \"mean(area, A) - mean_A\" }", format_error,
          "t.toml:17:52: reference of total: it cannot be made of \"mean_A\", another number of a step");
  refused("total = { units = \"W\" }", "total = { units = \"W m-2\", reference = \"mean(area, A)\", source = \"t\" }", format_error,
          "t.toml:17:52: a number of a step has either a \"source\" or a \"reference\"");
}

/// Two steps of 2 x 3 cells.
class ColumnsOfAFile : public testing::Test {
 protected:
  ColumnsOfAFile() {
    tests::NetcdfFile file(path_);
    const int t = file.dimension("time", 2), y = file.dimension("y", 2), x = file.dimension("x", 3);
    const int lat = file.variable("y", NC_DOUBLE, {y}, {{"units", "degrees_north"}});
    const int lon = file.variable("x", NC_DOUBLE, {x}, {{"units", "degrees_east"}});
    const int rain = file.variable("rain", NC_DOUBLE, {t, y, x}, {{"units", "kg m-2 s-1"}});
    const int m = file.variable("m", NC_DOUBLE, {x}, {{"units", "g"}});
    const int total = file.variable("power", NC_DOUBLE, {t}, {{"units", "kW"}});
    file.write(lat, {-45, 45});
    file.write(lon, {0, 90, 180});
    file.write(rain, {0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11});
    file.write(m, {1000, 2000, 3000});
    file.write(total, {3, 5});
  }
  static Domain domain(const std::string& steps = "source = \"power\", ") {
    return parse_domain(R"(format = 1
name = "cells"
title = "Cells"
samples = { dimensions = ["time", "y", "x"], column = ["y", "x"], empty = "all missing" }
inputs.rain = { units = "kg m-2 s-1" }
outputs.A = { units = "W m-2" }
weights.area = { latitude = "y", longitude = "x" }
weights.band = { latitude = "y" }
weights.mass = { source = "m", units = "kg" }
step_values.total = { )" + steps + "units = \"W\" }\n",
                        "t.toml");
  }
  tests::TemporaryFolder folder_;
  std::filesystem::path path_ = folder_.path() / "columns.nc";
};

TEST_F(ColumnsOfAFile, HaveWeights) {
  const SampleReader reader(domain(), path_, false);
  const auto weights = reader.weights({0, 2, 4, 11});
  ASSERT_EQ(weights.size(), 12U);
  const double pi = std::numbers::pi;
  for (std::size_t i = 0; i < 4; ++i) {
    EXPECT_DOUBLE_EQ(weights[3 * i], pi / 2) << "a band of sine 1, a quarter round";
    EXPECT_DOUBLE_EQ(weights[3 * i + 1], 2 * pi);
  }
  EXPECT_EQ(weights[2], 1.0);
  EXPECT_EQ(weights[5], 3.0);
  EXPECT_EQ(weights[8], 2.0);
  EXPECT_EQ(weights[11], 3.0);
}

TEST_F(ColumnsOfAFile, HaveStepsWithNumbers) {
  const Domain cells = domain();
  const SampleReader reader(cells, path_, false);
  ASSERT_EQ(reader.step_axes().size(), 1U);
  EXPECT_EQ(reader.step_axes()[0].name, "time");
  EXPECT_EQ(reader.step_values(cells.step_values[0]), (Values{3000, 5000}));
  const Domain wrong = domain("source = \"m\", ");
  try {
    const SampleReader another(wrong, path_, false);
    Domain grams = wrong;
    grams.step_values[0].source->units = "kg";
    another.step_values(grams.step_values[0]);
    FAIL();
  } catch (const Error& error) {
    EXPECT_EQ(std::string(error.what()), "variable \"m\" of \"" + path_.string() +
                                             "\" (step value total): expected the dimensions (time) in this order, found (x)");
  }
}

TEST_F(ColumnsOfAFile, AreReadWithoutWeightsThatNobodyAsksFor) {
  Domain cells = domain();
  cells.weights[2].source.variable = "missing";
  const SampleReader reader(cells, path_, false);
  EXPECT_EQ(reader.read(0, 12).inputs.size(), 12U);
  EXPECT_THROW(reader.weights({0}), Error);
}

TEST(WeightsOfATable, AreColumns) {
  const tests::TemporaryFolder folder;
  const auto path = folder.path() / "t.csv";
  std::ofstream(path) << "q,area\n1,10\n2,20\n3,30\n";
  const Domain domain = parse_domain(R"(format = 1
name = "rows"
title = "Rows"
samples = { table = true }
inputs.q = { units = "1" }
outputs.A = { units = "W" }
weights.area = { units = "m2", source = { column = "area", units = "km2" } }
laws.none = { scope = "global", equation = "mean(area, A) = 0" }
)",
                                     "t.toml");
  const SampleReader reader(domain, path, false);
  EXPECT_EQ(reader.weights({2, 0}), (Values{3e7, 1e7}));
  EXPECT_TRUE(reader.step_axes().empty());
  // What stands for no value, and no attribute says so.
  const auto other = folder.path() / "other.csv";
  std::ofstream(other) << "q,area\n1,10\n2,-999\n3,30\n";
  try {
    SampleReader(domain, other, false).weights({0});
    FAIL() << "accepted";
  } catch (const Error& error) {
    EXPECT_EQ(error.status(), Status::out_of_range);
    EXPECT_STREQ(error.what(), "weight \"area\": expected numbers from 0, found -999000000 (number 1 of 3, from 0)");
  }
}

}  // namespace
}  // namespace lavoisier::test
