// Domains whose samples are the rows of a CSV file.

#include <lavoisier/domain.hpp>
#include <lavoisier/linear_constraints.hpp>
#include <lavoisier/status.hpp>
#include <lavoisier/tolerances.hpp>

#include "expect_error.hpp"
#include "temporary_folder.hpp"

#include <gtest/gtest.h>

#include <algorithm>
#include <cmath>
#include <fstream>
#include <numeric>
#include <set>
#include <string>
#include <vector>

namespace lavoisier::tests {
namespace {

const std::string base = R"(format = 1
name = "mixer"
title = "Two streams become one"
[samples]
table = true
[split]
kind = "sequential"
validation = 0.2
test = 0.2
[inputs.hot]
units = "mol s-1"
source = "hot [mol/s]"
[inputs.T]
units = "K"
source = { column = "T [C]", units = "degC" }
[outputs.cold]
units = "mol s-1"
source = { column = "cold [kmol/h]", units = "kmol h-1" }
[outputs.mixed]
units = "mol s-1"
[laws]
moles = { equation = "mixed = hot + cold", tolerance = 1e-9 }
)";

std::string replaced(const std::string& from, const std::string& to) {
  std::string text = base;
  const auto at = text.find(from);
  EXPECT_NE(at, std::string::npos) << from;
  return text.replace(at, from.size(), to);
}

struct Bad {
  std::string from, to;
  Status status;
  std::string message;
};

class BadTable : public testing::TestWithParam<Bad> {};

TEST_P(BadTable, IsRefusedHere) {
  const Bad& bad = GetParam();
  try {
    parse_domain(replaced(bad.from, bad.to), "mixer.toml");
    FAIL() << "accepted";
  } catch (const Error& error) {
    const std::string text = error.what();
    EXPECT_EQ(error.status(), bad.status) << text;
    EXPECT_EQ(text.substr(0, text.find('\n')), "mixer.toml:" + bad.message);
  }
}

constexpr auto format_error = Status::invalid_format;

INSTANTIATE_TEST_SUITE_P(
    Table, BadTable,
    testing::Values(
        Bad{"table = true", "table = false", format_error, "5:9: expected table = true, or no such key"},
        Bad{"table = true", "table = 1", format_error,
            "5:9: expected true or false for \"table\" in [samples] of a table, found an integer"},
        Bad{"table = true", "table = true\ndimensions = [\"x\"]", format_error,
            "6:1: unknown key \"dimensions\" in [samples] of a table; legal are table, delimiter, comment, missing"},
        Bad{"table = true", "table = true\ndelimiter = \";;\"", format_error,
            "6:13: expected one ASCII character other than a quote for \"delimiter\", found \";;\""},
        Bad{"table = true", "table = true\ncomment = \",\"", format_error,
            "6:11: the delimiter and the comment mark are the same character"},
        Bad{"kind = \"sequential\"", "kind = \"sequental\"", format_error,
            "7:8: unknown kind \"sequental\" of a split; did you mean \"sequential\"?"},
        Bad{"validation = 0.2", "validation = 1.2", format_error,
            "8:14: expected a share from 0 to below 1 for \"validation\" in [split], found 1.2"},
        Bad{"validation = 0.2", "validation = 0.8", format_error, "9:8: this split leaves no row for training"},
        Bad{"validation = 0.2", "validation = 0.2\nseed = 1", format_error,
            "9:1: unknown key \"seed\" in [split]; legal are kind, test, validation"},
        Bad{"kind = \"sequential\"\nvalidation = 0.2\ntest = 0.2",
            "kind = \"indices\"\nvalidation = [1, 2]\ntest = [2]", format_error,
            "8:14: row 2 of \"validation\" is used twice"},
        Bad{"kind = \"sequential\"\nvalidation = 0.2\ntest = 0.2",
            "axis = \"row\"\nwidth = 1.0\nmodulus = 3\ntest = [0]\nvalidation = [1]", Status::not_found,
            "7:8: \"row\" is no sample dimension; these are sample"},
        Bad{"[outputs.mixed]", "[outputs.member]", format_error,
            "19:10: \"member\" is what a column of every generated table is called: choose another name"},
        Bad{"column = \"T [C]\"", "variable = \"T [C]\"", format_error,
            "15:12: unknown key \"variable\" in the source of T; legal are column, axis, index, units, transform, "
            "period, magnitude"},
        Bad{"units = \"degC\"", "units = \"kg\"", Status::unit_mismatch,
            "15:38: expected units that convert to \"K\" (K), found \"kg\" (kg)"}));

class Table : public testing::Test {
 protected:
  std::filesystem::path write(const std::string& text, const std::string& name = "t.csv") const {
    const auto path = folder_.path() / name;
    std::ofstream(path, std::ios::binary) << text;
    return path;
  }
  TemporaryFolder folder_;
};

const std::string rows =
    "T [C],mixed,note,cold [kmol/h],hot [mol/s]\n"
    "20,3,a,3.6,2\n30,5,b,7.2,3\n40,2,c,3.6,1\n50,4,d,7.2,2\n60,9,e,14.4,5\n";

TEST_F(Table, RowsAreSamplesInTheDomainsUnits) {
  const Domain domain = parse_domain(base, "mixer.toml");
  ASSERT_TRUE(domain.table.has_value());
  const SampleSet set = load_samples(domain, {write(rows)});
  ASSERT_EQ(set.samples, 5);
  const std::vector<double> inputs = {2, 293.15, 3, 303.15, 1, 313.15, 2, 323.15, 5, 333.15};
  const std::vector<double> outputs = {1, 3, 2, 5, 1, 2, 2, 4, 4, 9};
  for (std::size_t i = 0; i < inputs.size(); ++i) EXPECT_NEAR(set.inputs[i], inputs[i], 1e-12) << i;
  for (std::size_t i = 0; i < outputs.size(); ++i) EXPECT_NEAR(set.outputs[i], outputs[i], 1e-12) << i;
  EXPECT_EQ(set.column, (std::vector<std::uint64_t>{0, 1, 2, 3, 4}));
  EXPECT_EQ(set.step, (std::vector<std::uint64_t>(5, 0)));
  EXPECT_EQ(set.subset, (std::vector<Subset>{Subset::training, Subset::training, Subset::training, Subset::validation,
                                             Subset::test}));
  const SampleReader reader(domain, write(rows), true);
  EXPECT_EQ(reader.describe(3), "sample 3, line 5");
  EXPECT_EQ(reader.place(3, "cold"), (folder_.path() / "t.csv").string() + ":5:8");
  ASSERT_EQ(reader.axes().size(), 1U);
  EXPECT_EQ(reader.axes()[0].name, "sample");
  EXPECT_EQ(reader.axes()[0].values.back(), 4.0);
}

TEST_F(Table, FilesFollowEachOther) {
  const Domain domain = parse_domain(base, "mixer.toml");
  const SampleSet set = load_samples(domain, {write(rows), write(rows.substr(0, rows.find("40,")), "u.csv")});
  ASSERT_EQ(set.samples, 7);
  EXPECT_EQ(set.column, (std::vector<std::uint64_t>{0, 1, 2, 3, 4, 5, 6}));
  EXPECT_EQ(set.step, (std::vector<std::uint64_t>(7, 0)));
}

TEST_F(Table, MissingCellsAreNamedOrDropped) {
  const Domain domain = parse_domain(replaced("table = true", "table = true\nmissing = [\"NA\"]"), "mixer.toml");
  const auto path = write("T [C],mixed,cold [kmol/h],hot [mol/s]\n20,3,3.6,2\n30,NA,,3\n40,2,3.6,1\n");
  try {
    load_samples(domain, {path});
    FAIL() << "accepted";
  } catch (const Error& error) {
    EXPECT_EQ(error.status(), Status::non_finite);
    EXPECT_EQ(error.what(), path.string() +
                                ":3:7: expected a number for every variable, found none for cold, mixed; rows like "
                                "this can be left out (drop incomplete)");
  }
  LoadOptions options;
  options.drop_incomplete = true;
  LoadReport report;
  const SampleSet set = load_samples(domain, {path}, options, &report);
  EXPECT_EQ(set.column, (std::vector<std::uint64_t>{0, 2})) << "a row keeps its number";
  EXPECT_EQ(report.incomplete, 1);
  EXPECT_EQ(report.empty, 0);
}

TEST_F(Table, UnknownColumnsAreNamed) {
  const Domain domain = parse_domain(base, "mixer.toml");
  const auto path = write("T [C],mixed,cold [kmol/s],hot [mol/s]\n20,3,3.6,2\n");
  expect_error(
      Status::not_found, [&] { load_samples(domain, {path}); },
      path.string() + ":1:1: no column \"cold [kmol/h]\"; did you mean \"cold [kmol/s]\"?");
}

std::vector<std::int64_t> of(const std::vector<Subset>& subsets, Subset which) {
  std::vector<std::int64_t> rows_of;
  for (std::size_t i = 0; i < subsets.size(); ++i)
    if (subsets[i] == which) rows_of.push_back(static_cast<std::int64_t>(i));
  return rows_of;
}

TEST(RowSplit, SequentialIsThePublishedOne) {
  // range(0, n_train), then n_val = int(.2 n), then n_test = int(.2 n): 1943 -> 1167, 388, 388.
  Split split;
  split.kind = Split::Kind::sequential;
  split.validation_share = split.test_share = 0.2;
  const auto subsets = subsets_of_rows(split, 1943);
  EXPECT_EQ(of(subsets, Subset::training).size(), 1167U);
  EXPECT_EQ(of(subsets, Subset::validation).front(), 1167);
  EXPECT_EQ(of(subsets, Subset::validation).back(), 1554);
  EXPECT_EQ(of(subsets, Subset::test).front(), 1555);
  EXPECT_EQ(of(subsets, Subset::test).back(), 1942);
  split.test_share = 0.29;
  EXPECT_EQ(of(subsets_of_rows(split, 100), Subset::test).size(), 29U);
}

TEST(RowSplit, RandomIsAPermutationOfItsSeedAlone) {
  Split split;
  split.kind = Split::Kind::random;
  split.validation_share = 0.1;
  split.test_share = 0.3;
  split.seed = 7;
  const auto first = subsets_of_rows(split, 10000), again = subsets_of_rows(split, 10000);
  EXPECT_EQ(first, again);
  const auto test = of(first, Subset::test);
  EXPECT_EQ(test.size(), 3000U);
  EXPECT_EQ(of(first, Subset::validation).size(), 1000U);
  split.seed = 8;
  EXPECT_NE(subsets_of_rows(split, 10000), first);
  // Uniform over the rows: the mean row of a sample of 3000 without replacement, 5 deviations.
  const double mean = std::accumulate(test.begin(), test.end(), 0.0) / 3000.0;
  EXPECT_NEAR(mean, 4999.5, 5.0 * 10000.0 / std::sqrt(12.0 * 3000.0) * std::sqrt(0.7));
}

TEST(RowSplit, IndicesComeFromTheFileItselfOrAnother) {
  const TemporaryFolder folder;
  std::ofstream(folder.path() / "rows.toml") << "validation = [4]\ntest = [0, 3]\n";
  const std::string sequential = "kind = \"sequential\"\nvalidation = 0.2\ntest = 0.2";
  for (const std::string text :
       {"kind = \"indices\"\nvalidation = [4]\ntest = [0, 3]", "kind = \"indices\"\nfile = \"rows.toml\""}) {
    const Domain domain = parse_domain(replaced(sequential, text), (folder.path() / "mixer.toml").string());
    const auto subsets = subsets_of_rows(*domain.split, 5);
    EXPECT_EQ(of(subsets, Subset::test), (std::vector<std::int64_t>{0, 3}));
    EXPECT_EQ(of(subsets, Subset::validation), (std::vector<std::int64_t>{4}));
    expect_error(
        Status::out_of_range, [&] { subsets_of_rows(*domain.split, 4); }, "row 4 for validation", "there are 4 rows");
  }
  expect_error(
      Status::not_found,
      [&] { parse_domain(replaced(sequential, "kind = \"indices\"\nfile = \"no.toml\""), "mixer.toml"); },
      "mixer.toml:8:8");
}

TEST(RowSplit, BlocksCountRowsToo) {
  const TemporaryFolder folder;
  const Domain domain =
      parse_domain(replaced("kind = \"sequential\"\nvalidation = 0.2\ntest = 0.2",
                            "axis = \"sample\"\nwidth = 2.0\nmodulus = 3\ntest = [0]\nvalidation = [2]"),
                   "mixer.toml");
  std::ofstream(folder.path() / "t.csv") << rows;
  const SampleSet set = load_samples(domain, {folder.path() / "t.csv"});
  EXPECT_EQ(set.subset,
            (std::vector<Subset>{Subset::test, Subset::test, Subset::training, Subset::training, Subset::validation}));
}

TEST(RowSplit, OfAProtocolStandsForItself) {
  const std::string text =
      "name = \"p\"\nscaling = \"max_abs\"\n[split]\nkind = \"random\"\nseed = 3\ntest = 0.1\nvalidation = 0.1\n";
  const auto split = read_split(text, "p.toml", {"sample"});
  ASSERT_TRUE(split.has_value());
  EXPECT_EQ(split->kind, Split::Kind::random);
  EXPECT_EQ(split->seed, 3U);
  EXPECT_FALSE(read_split("name = \"p\"\n", "p.toml", {"sample"}).has_value());
  expect_error(
      Status::invalid_format,
      [&] {
        (void)read_split(text, "p.toml", {"time", "lat"});
      },
      "p.toml:4:8", "needs one sample dimension");
}

class Shipped : public testing::TestWithParam<std::pair<const char*, const char*>> {};

TEST_P(Shipped, ClosesToItsStatedToleranceOnThePublishedTable) {
  const auto [name, file] = GetParam();
  const Domain domain = load_domain(name);
  ASSERT_TRUE(domain.table.has_value());
  const std::filesystem::path path = std::filesystem::path("../shared/data") / file;
  if (!std::filesystem::exists(path))
    GTEST_SKIP() << "no " << path << ": the published table is not part of the project";
  const SampleSet set = load_samples(domain, {path});
  const Eigen::Map<const RowMatrix> x(set.inputs.data(), set.samples, set.input_elements());
  const Eigen::Map<const RowMatrix> y(set.outputs.data(), set.samples, set.output_elements());
  for (const Law& law : domain.laws) {
    const double worst = closure(law, domain.layout, domain.constants, x, y).residual.cwiseAbs().maxCoeff();
    EXPECT_LE(worst, law.physics_tolerance) << law.name;
    EXPECT_GE(worst, 0.9 * law.physics_tolerance) << law.name << ": the tolerance is looser than the data";
  }
}

INSTANTIATE_TEST_SUITE_P(ChemicalProcess, Shipped,
                         testing::Values(std::pair("chemical_process_cstr", "benchmark_CSTR.csv"),
                                         std::pair("chemical_process_plant", "benchmark_plant.csv")));

}  // namespace
}  // namespace lavoisier::tests
