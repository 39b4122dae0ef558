#include <lavoisier/domain.hpp>
#include <lavoisier/status.hpp>
#include <lavoisier/tolerances.hpp>

#include "netcdf_file.hpp"
#include "temporary_folder.hpp"

#include <gtest/gtest.h>

#include <algorithm>
#include <array>
#include <cmath>
#include <filesystem>
#include <fstream>
#include <limits>
#include <numbers>
#include <string>
#include <vector>

namespace lavoisier::test {
namespace {

namespace fs = std::filesystem;

const fs::path ocean_file = "/usr/share/ferret-vis/data/esku_heat_budget.cdf";  // Debian's ferret-datasets
constexpr std::size_t input_count = 11;
constexpr std::size_t output_count = 6;

TEST(OceanHeatBudget, HasTheSamplesAndTheSplitOfThePublication) {
  LoadReport report;
  const SampleSet set = load_samples(load_domain("ocean_heat_budget"), {ocean_file}, {}, &report);
  EXPECT_EQ(set.samples, 19985);
  EXPECT_EQ(report.cells, 12 * 46 * 72);
  EXPECT_EQ(report.empty, 12 * 46 * 72 - 19985);
  EXPECT_EQ(report.incomplete, 0);
  EXPECT_EQ(std::count(set.subset.begin(), set.subset.end(), Subset::training), 13432);
  EXPECT_EQ(std::count(set.subset.begin(), set.subset.end(), Subset::validation), 3597);
  EXPECT_EQ(std::count(set.subset.begin(), set.subset.end(), Subset::test), 2956);
  EXPECT_EQ(set.inputs.size(), 19985 * input_count);
  EXPECT_EQ(set.outputs.size(), 19985 * output_count);
  EXPECT_EQ(set.column.size(), 19985U);
  EXPECT_EQ(set.step.size(), 19985U);
  EXPECT_EQ(set.source, ocean_file.string());
}

TEST(OceanHeatBudget, HasTheMeansOfAnIndependentReading) {
  const SampleSet set = load_samples(load_domain("ocean_heat_budget"), {ocean_file});
  // Computed with another program from the file's own fields; latitude and month means from the counts of points.
  const std::array<double, 7> inputs = {7.4055103827870905,  17.618179259444585, 0.47410362459344507, 11.176480016262197,
                                        3.2105919283212407, 0.6492939528865399, 1011.4781085814361};
  const std::array<double, 6> outputs = {150.32707030272704, 50.93730923192394, 99.3897610708031,
                                         91.1356517388041,   6.402911949587191, 1.851224355766825};
  // That program summed in single precision.
  const auto mean = [&](const std::vector<double>& values, std::size_t width, std::size_t at) {
    double sum = 0.0;
    for (std::size_t s = 0; s < 19985; ++s) sum += values[s * width + at];
    return sum / 19985.0;
  };
  for (std::size_t i = 0; i < inputs.size(); ++i) EXPECT_NEAR(mean(set.inputs, input_count, i), inputs[i], 1e-5 * inputs[i]);
  for (std::size_t i = 0; i < outputs.size(); ++i)
    EXPECT_NEAR(mean(set.outputs, output_count, i), outputs[i], 1e-5 * outputs[i]);
}

TEST(OceanHeatBudget, ClosesToThePublishedRounding) {
  const Domain domain = load_domain("ocean_heat_budget");
  const SampleSet set = load_samples(domain, {ocean_file});
  double worst = 0.0;
  for (const auto& law : domain.laws) {
    EXPECT_EQ(law.physics_tolerance, tolerances::physics::ocean_heat_budget);
    EXPECT_EQ(law.units, "W m-2");
    for (std::size_t s = 0; s < 19985; ++s) {
      double residual = -law.right_hand_side.evaluate_constant();
      for (const auto& term : law.terms)
        residual += term.coefficient.evaluate_constant() *
                    set.outputs[s * output_count + static_cast<std::size_t>(domain.layout.offset(term.variable))];
      worst = std::max(worst, std::abs(residual));
    }
  }
  EXPECT_NEAR(worst, 0.01002, 5e-6);
  EXPECT_LE(worst, tolerances::physics::ocean_heat_budget);
}

TEST(OceanHeatBudget, ConvertsUnitsAndMakesAngles) {
  const Domain domain = load_domain("ocean_heat_budget");
  const SampleReader reader(domain, ocean_file, true);
  ASSERT_EQ(reader.cells(), 12 * 46 * 72);
  const auto axes = reader.axes();
  ASSERT_EQ(axes.size(), 3U);
  EXPECT_EQ(axes[1].name, "ESKUY");
  EXPECT_EQ(axes[1].bounds.size(), 2U * 46U);
  EXPECT_EQ(axes[1].bounds[0], -90.0);
  EXPECT_EQ(axes[1].bounds[91], 90.0);
  const auto raw = tests::stored_values(ocean_file, "SST");
  std::int64_t seen = 0;
  for (const std::int64_t first : {0L, 5000L, 20001L}) {
    const auto piece = reader.read(first, 777);
    for (std::int64_t i = 0; i < 777; ++i) {
      const std::int64_t cell = first + i;
      const std::int64_t month = cell / (46 * 72);
      const std::int64_t row = cell / 72 % 46;
      const double* const x = piece.inputs.data() + static_cast<std::size_t>(i) * input_count;
      const double latitude = axes[1].values[static_cast<std::size_t>(row)];
      EXPECT_NEAR(x[7], std::sin(latitude * std::numbers::pi / 180), 1e-15);
      EXPECT_NEAR(x[8], std::cos(latitude * std::numbers::pi / 180), 1e-15);
      EXPECT_NEAR(x[9], std::sin(2 * std::numbers::pi * static_cast<double>(month) / 12), 1e-15);
      EXPECT_NEAR(x[10], std::cos(2 * std::numbers::pi * static_cast<double>(month) / 12), 1e-15);
      EXPECT_EQ(piece.column[static_cast<std::size_t>(i)], static_cast<std::uint64_t>(cell % (46 * 72)));
      EXPECT_EQ(piece.step[static_cast<std::size_t>(i)], static_cast<std::uint64_t>(month));
      if (piece.complete[static_cast<std::size_t>(i)] != 0) {
        EXPECT_EQ(x[1], raw[static_cast<std::size_t>(cell)]);
        ++seen;
      } else {
        EXPECT_EQ(piece.empty[static_cast<std::size_t>(i)], 1);
        EXPECT_TRUE(std::isnan(x[1]));
      }
    }
  }
  EXPECT_GT(seen, 500);
  EXPECT_EQ(reader.describe(46 * 72 + 72 + 3), "TIME = 1096.485, ESKUY = -86, ESKUX = 35");
}

TEST(OceanHeatBudget, CarriesTheSpellingsOfTheFile) {
  const Domain domain = load_domain("ocean_heat_budget");
  EXPECT_EQ(domain.layout.variable("SLP").accepted_units, std::vector<std::string>{"MB"});
  EXPECT_EQ(domain.layout.variable("FDH").accepted_units, std::vector<std::string>{"W/M2"});
  // The same spelling means a temperature here and a difference of temperatures there.
  EXPECT_EQ(domain.layout.variable("SST").accepted_units, std::vector<std::string>{"DEG C"});
  EXPECT_EQ(domain.layout.variable("SAT").accepted_units, std::vector<std::string>{"DEG C"});
  EXPECT_EQ(domain.layout.variable("SAT").units, "K");
}

/// A small file of a small domain, with whatever is wrong.
class SmallFile : public testing::Test {
 protected:
  static constexpr double nan = std::numeric_limits<double>::quiet_NaN();

  static Domain domain(const std::string& empty = "\"all missing\"") {
    return parse_domain("format = 1\nname = \"small\"\ntitle = \"small\"\n"
                        "samples = { dimensions = [\"t\", \"x\"], column = [\"x\"], empty = " + empty + " }\n"
                        "source_units = { \"DEG C\" = \"degC\" }\n"
                        "inputs.T = { units = \"K\" }\ninputs.h = { units = \"m\", source = \"height\" }\n"
                        "outputs.f = { units = \"W m-2\" }\noutputs.g = { units = \"W m-2\" }\n"
                        "laws.sum = \"f = g\"\n",
                        "small.toml");
  }

  struct Content {
    std::vector<double> temperature{10, 20, 30, 40, 50, 60};
    std::vector<double> height{1, 2, 3, 4, 5, 6};
    std::vector<double> f{1, 2, 3, 4, 5, 6};
    std::string temperature_units = "DEG C", height_units = "km", f_name = "f";
    bool swapped = false;
  };

  void write(const Content& content) const {
    tests::NetcdfFile file(file_);
    const int t = file.dimension("t", 2);
    const int x = file.dimension("x", 3);
    const std::vector<int> shape = {t, x};
    const int temperature = file.variable("T", NC_FLOAT, shape, {{"units", content.temperature_units}});
    const int height = file.variable("height", NC_DOUBLE, content.swapped ? std::vector<int>{x, t} : shape,
                                     {{"units", content.height_units}});
    const int f = file.variable(content.f_name, NC_DOUBLE, shape, {{"units", "kW m-2"}});
    const int g = file.variable("g", NC_DOUBLE, shape, {{"units", "W m-2"}});
    file.write(temperature, content.temperature);
    file.write(height, content.height);
    file.write(f, content.f);
    file.write(g, content.f);
  }

  void expect_error(Status status, const std::string& message, const LoadOptions& options = {}) const {
    try {
      load_samples(domain(), {file_}, options);
      FAIL() << "accepted";
    } catch (const Error& error) {
      EXPECT_EQ(status_name(error.status()), std::string(status_name(status)));
      std::string text = error.what();
      for (auto at = text.find(file_.string()); at != std::string::npos; at = text.find(file_.string()))
        text.replace(at, file_.string().size(), "FILE");
      EXPECT_EQ(text, message);
    }
  }

  tests::TemporaryFolder folder_;
  fs::path file_ = folder_.path() / "small.nc";
};

TEST_F(SmallFile, IsReadInTheDomainsUnits) {
  write({});
  const SampleSet set = load_samples(domain(), {file_});
  ASSERT_EQ(set.samples, 6);
  EXPECT_EQ(set.inputs, (std::vector<double>{283.15, 1000, 293.15, 2000, 303.15, 3000, 313.15, 4000, 323.15, 5000, 333.15, 6000}));
  EXPECT_EQ(set.outputs[0], 1000.0);
  EXPECT_EQ(set.outputs[1], 1.0);
  EXPECT_EQ(set.column, (std::vector<std::uint64_t>{0, 1, 2, 0, 1, 2}));
  EXPECT_EQ(set.step, (std::vector<std::uint64_t>{0, 0, 0, 1, 1, 1}));
  EXPECT_TRUE(set.subset.empty());
}

TEST_F(SmallFile, StepsCountOnFromFileToFile) {
  write({});
  const SampleSet set = load_samples(domain(), {file_, file_});
  ASSERT_EQ(set.samples, 12);
  EXPECT_EQ(set.step[6], 2U);
  EXPECT_EQ(set.step[11], 3U);
}

TEST_F(SmallFile, PiecesAreTheWhole) {
  Content content;
  content.temperature[4] = nan;
  write(content);
  const Domain small = domain();
  const SampleReader reader(small, file_, true);
  const auto whole = reader.read(0, 6);
  for (const std::int64_t size : {1, 4, 5}) {
    std::vector<double> inputs;
    std::vector<std::uint8_t> complete;
    for (std::int64_t first = 0; first < 6; first += size) {
      const auto piece = reader.read(first, std::min<std::int64_t>(size, 6 - first));
      inputs.insert(inputs.end(), piece.inputs.begin(), piece.inputs.end());
      complete.insert(complete.end(), piece.complete.begin(), piece.complete.end());
    }
    EXPECT_EQ(complete, whole.complete);
    ASSERT_EQ(inputs.size(), whole.inputs.size());
    for (std::size_t i = 0; i < inputs.size(); ++i)
      EXPECT_TRUE(inputs[i] == whole.inputs[i] || (std::isnan(inputs[i]) && std::isnan(whole.inputs[i])));
  }
  EXPECT_THROW(reader.read(0, 7), Error);
}

TEST_F(SmallFile, NanInARowIsRefusedOrDropped) {
  Content content;
  content.temperature[4] = nan;
  write(content);
  const std::string message =
      "\"FILE\", row 4 (t = 1, x = 1): expected a number for every variable, found none for T; rows like this can be left "
      "out (drop incomplete)";
  expect_error(Status::non_finite, message);
  LoadOptions drop;
  drop.drop_incomplete = true;
  LoadReport report;
  const SampleSet set = load_samples(domain(), {file_}, drop, &report);
  EXPECT_EQ(set.samples, 5);
  EXPECT_EQ(report.incomplete, 1);
  EXPECT_EQ(report.empty, 0);
}

TEST_F(SmallFile, LandIsWhatTheDomainSays) {
  Content content;
  content.temperature[4] = content.height[4] = nan;
  write(content);
  expect_error(Status::non_finite,
               "\"FILE\", row 4 (t = 1, x = 1): expected a number for every variable, found none for T, h; rows like this "
               "can be left out (drop incomplete)");
  LoadReport report;
  EXPECT_EQ(load_samples(domain("[\"T\"]"), {file_}, {}, &report).samples, 5);
  EXPECT_EQ(report.empty, 1);
  content.f[4] = nan;
  write(content);
  EXPECT_EQ(load_samples(domain(), {file_}, {}, &report).samples, 5);
  EXPECT_EQ(report.empty, 1);
}

TEST_F(SmallFile, WithoutOutputsNeedsNone) {
  Content content;
  content.f_name = "other";
  write(content);
  LoadOptions inputs_only;
  inputs_only.with_outputs = false;
  const SampleSet set = load_samples(domain(), {file_}, inputs_only);
  EXPECT_EQ(set.samples, 6);
  EXPECT_TRUE(set.outputs.empty());
}

TEST_F(SmallFile, MissingVariableNamesTheNearest) {
  Content content;
  content.f_name = "ff";
  write(content);
  expect_error(Status::not_found, "no variable \"f\" in \"FILE\"; did you mean \"ff\"?");
}

TEST_F(SmallFile, UnmappedUnitsAreNamed) {
  Content content;
  content.temperature_units = "GRAD KELVIN";
  write(content);
  expect_error(Status::unit_mismatch,
               "variable \"T\" of \"FILE\": expected units that convert to \"K\", found \"GRAD KELVIN\", which neither "
               "UDUNITS nor the domain's source_units knows; add a line \"GRAD KELVIN\" = \"K\" there if that is what it "
               "means");
}

TEST_F(SmallFile, UnitsOfAnotherDimensionAreRefused) {
  Content content;
  content.height_units = "s";
  write(content);
  expect_error(Status::unit_mismatch,
               "variable \"height\" of \"FILE\": expected units that convert to \"m\" (m), found \"s\" (s)");
  content.height_units = "DEG C";
  write(content);
  expect_error(Status::unit_mismatch,
               "variable \"height\" of \"FILE\": expected units that convert to \"m\" (m), found \"DEG C\", which "
               "source_units reads as \"degC\" (K @ 273.15)");
}

TEST_F(SmallFile, AnotherShapeIsRefused) {
  Content content;
  content.swapped = true;
  write(content);
  expect_error(Status::shape_mismatch,
               "variable \"height\" of \"FILE\": expected the dimensions (t = 2, x = 3), found (x = 3, t = 2)");
}

TEST_F(SmallFile, MissingFileAndNoNetcdf) {
  expect_error(Status::not_found, "no file \"FILE\"");
  std::ofstream(file_) << "temperature,height\n1,2\n";
  expect_error(Status::invalid_format,
               "expected a NetCDF file, found something else or a file cut short at \"FILE\" (NetCDF: Unknown file format)");
}

}  // namespace
}  // namespace lavoisier::test
