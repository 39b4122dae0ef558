// Variables with dimensions of their own: where they lie in files, what is made of them, what is refused.

#include <lavoisier/domain.hpp>
#include <lavoisier/files.hpp>
#include <lavoisier/linear_constraints.hpp>
#include <lavoisier/status.hpp>

#include "netcdf_file.hpp"
#include "temporary_folder.hpp"

#include <gtest/gtest.h>

#include <cmath>
#include <filesystem>
#include <functional>
#include <limits>
#include <string>
#include <vector>

namespace lavoisier::test {
namespace {

namespace fs = std::filesystem;
constexpr double nan = std::numeric_limits<double>::quiet_NaN();

// Three layers of which the domain's `moist` are the last two; the file's dimension has another name.
const std::string columns = R"(format = 1
name = "columns"
title = "Columns of the tests"
samples = { dimensions = ["time", "x"], column = ["x"], empty = "all missing", coordinates = ["height"] }
split = { kind = "groups", variable = "year", modulus = 3, test = [2], validation = [1] }
dimensions.level = { kind = "level", extent = 3, source = "lev" }
dimensions.moist = { kind = "level", extent = 2, source = { dimension = "lev", first = 1 } }
constants.g = { value = 10.0, units = "m s-2" }
constants.thickness = { values = [0.2, 0.3, 0.5], dimensions = ["level"], units = "1" }
inputs.ps = { units = "Pa" }
inputs.T = { units = "K", dimensions = ["level"] }
inputs.q = { units = "kg kg-1", dimensions = ["moist"], source = "hum" }
inputs.wind = { units = "m s-1", source = { magnitude = ["u", "v"], at = { lev = 2 } } }
inputs.log_ps = { units = "1", source = { variable = "ps", transform = "logarithm", units = "hPa" } }
inputs.root_ps = { units = "1", source = { variable = "eta", transform = "square_root", units = "1" } }
inputs.mass = { units = "kg m-2", dimensions = ["level"], value = "thickness * ps / g" }
outputs.heating = { units = "W kg-1", dimensions = ["level"] }
outputs.flux = { units = "W m-2" }
laws.energy = "sum(level, mass * heating) = flux"
)";

std::string replaced(const std::string& from, const std::string& to) {
  std::string text = columns;
  const auto at = text.find(from);
  EXPECT_NE(at, std::string::npos) << from;
  EXPECT_EQ(text.find(from, at + 1), std::string::npos) << from << " stands twice";
  return text.replace(at, from.size(), to);
}

class Columns : public testing::Test {
 protected:
  static constexpr int times = 2, widths = 2, cells = 4;

  struct Content {
    std::vector<double> ps = {100000, 90000, 80000, 70000};
    std::vector<double> year = {1990, 1980, 2000, 1980};
    std::size_t levels = 3;
    bool ps_on_levels = false;
    double first_temperature = 0.0, eta = 4.0, u = 3.0;
    std::vector<double> lev = {};  // other values than 0.1, 1.1, ...
    std::string lev_name = "lev", lev_units = "1";
  };

  // T(lev, time, x) and hum(time, lev, x) in float, the others as usual; a number tells its place.
  void write(const Content& content) const { write(content, file_); }
  static void write(const Content& content, const fs::path& path) {
    tests::NetcdfFile file(path);
    const int time = file.dimension("time", times), x = file.dimension("x", widths);
    const int lev = file.dimension("lev", content.levels), two = file.dimension("bnds", 2);
    const std::size_t n = content.levels;
    const int levels =
        file.variable(content.lev_name, NC_DOUBLE, {lev},
                      {{"units", content.lev_units}, {"bounds", "lev_bnds"}, {"positive", "down"}});
    const int bounds = file.variable("lev_bnds", NC_DOUBLE, {lev, two});
    const int height = file.variable("height", NC_FLOAT, {x}, {{"units", "m"}, {"standard_name", "surface_altitude"}});
    std::vector<int> ps_shape = {time, x};
    if (content.ps_on_levels) ps_shape.push_back(lev);
    const int ps = file.variable("ps", NC_DOUBLE, ps_shape, {{"units", "Pa"}});
    const int T = file.variable("T", NC_FLOAT, {lev, time, x}, {{"units", "degC"}});
    const int hum = file.variable("hum", NC_DOUBLE, {time, lev, x}, {{"units", "g kg-1"}});
    const int u = file.variable("u", NC_FLOAT, {time, x, lev}, {{"units", "m s-1"}});
    const int v = file.variable("v", NC_FLOAT, {time, x, lev}, {{"units", "km s-1"}});
    const int eta = file.variable("eta", NC_FLOAT, {time, x}, {{"units", "1"}});
    const int year = file.variable("year", NC_INT, {time, x}, {{"units", "1"}});
    const int heating = file.variable("heating", NC_DOUBLE, {time, x, lev}, {{"units", "kW kg-1"}});
    const int flux = file.variable("flux", NC_DOUBLE, {time, x}, {{"units", "W m-2"}});
    std::vector<double> centres, edges, temperature, humidity, heat, wind(cells * n, 1e9), north(cells * n, 1e9);
    for (std::size_t l = 0; l < n; ++l) {
      centres.push_back(0.1 + static_cast<double>(l));
      edges.push_back(static_cast<double>(l));
      edges.push_back(static_cast<double>(l) + 1);
      for (int c = 0; c < cells; ++c) temperature.push_back(10.0 * static_cast<double>(l) + c);
    }
    temperature[0] = content.first_temperature;
    for (int t = 0; t < times; ++t)
      for (std::size_t l = 0; l < n; ++l)
        for (int i = 0; i < widths; ++i) humidity.push_back(100.0 * t + 10.0 * static_cast<double>(l) + i);
    for (int c = 0; c < cells; ++c) {
      wind[c * n + n - 1] = content.u;
      north[c * n + n - 1] = 0.004;
      for (std::size_t l = 0; l < n; ++l) heat.push_back(c + 0.1 * static_cast<double>(l));
    }
    file.write(levels, content.lev.empty() ? centres : content.lev);
    file.write(bounds, edges);
    file.write(height, {5, 6});
    std::vector<double> pressure = content.ps;
    if (content.ps_on_levels) pressure.assign(cells * n, 1.0);
    file.write(ps, pressure);
    file.write(T, temperature);
    file.write(hum, humidity);
    file.write(u, wind);
    file.write(v, north);
    file.write(eta, std::vector<double>(cells, content.eta));
    file.write(year, content.year);
    file.write(heating, heat);
    file.write(flux, {1, 2, 3, 4});
  }

  std::string error_of(const std::string& text, Status status) const {
    try {
      load_samples(parse_domain(text, "columns.toml"), {file_});
    } catch (const Error& error) {
      EXPECT_EQ(status_name(error.status()), std::string(status_name(status)));
      std::string message = error.what();
      for (auto at = message.find(file_.string()); at != std::string::npos; at = message.find(file_.string()))
        message.replace(at, file_.string().size(), "FILE");
      return message;
    }
    return "accepted";
  }

  tests::TemporaryFolder folder_;
  fs::path file_ = folder_.path() / "columns.nc";
};

TEST_F(Columns, AreReadWhereverTheirDimensionsLie) {
  write({});
  const Domain domain = parse_domain(columns, "columns.toml");
  const SampleSet set = load_samples(domain, {file_});
  ASSERT_EQ(set.samples, cells);
  ASSERT_EQ(set.input_elements(), 12);
  ASSERT_EQ(set.output_elements(), 4);
  const std::vector<double> ps = {100000, 90000, 80000, 70000};
  for (int c = 0; c < cells; ++c) {
    const double* const x = &set.inputs[static_cast<std::size_t>(12 * c)];
    EXPECT_EQ(x[0], ps[c]);
    for (int l = 0; l < 3; ++l) EXPECT_NEAR(x[1 + l], (c + l == 0 ? 0 : 10 * l + c) + 273.15, 1e-9);
    for (int l = 0; l < 2; ++l) EXPECT_NEAR(x[4 + l], 1e-3 * (100 * (c / 2) + 10 * (l + 1) + c % 2), 1e-15);
    EXPECT_NEAR(x[6], 5.0, 1e-6);
    EXPECT_DOUBLE_EQ(x[7], std::log(ps[c] / 100));
    EXPECT_EQ(x[8], 2.0);
    for (int l = 0; l < 3; ++l) EXPECT_DOUBLE_EQ(x[9 + l], (l == 0 ? 0.2 : l == 1 ? 0.3 : 0.5) * ps[c] / 10);
    for (int l = 0; l < 3; ++l) EXPECT_DOUBLE_EQ(set.outputs[static_cast<std::size_t>(4 * c + l)], 1000 * (c + 0.1 * l));
    EXPECT_EQ(set.outputs[static_cast<std::size_t>(4 * c + 3)], c + 1);
  }
}

TEST_F(Columns, PiecesAreTheWhole) {
  write({});
  const Domain domain = parse_domain(columns, "columns.toml");
  const SampleReader reader(domain, file_, true);
  const auto whole = reader.read(0, cells);
  for (const std::int64_t size : {1, 3}) {
    std::vector<double> inputs, outputs;
    for (std::int64_t first = 0; first < cells; first += size) {
      const auto piece = reader.read(first, std::min<std::int64_t>(size, cells - first));
      inputs.insert(inputs.end(), piece.inputs.begin(), piece.inputs.end());
      outputs.insert(outputs.end(), piece.outputs.begin(), piece.outputs.end());
    }
    EXPECT_EQ(inputs, whole.inputs);
    EXPECT_EQ(outputs, whole.outputs);
  }
}

TEST_F(Columns, GroupsAreNumberedByAscendingValue) {
  write({});
  const SampleSet set = load_samples(parse_domain(columns, "columns.toml"), {file_});
  // 1980, 1990 and 2000 are the groups 0, 1 and 2.
  EXPECT_EQ(set.subset, (std::vector<Subset>{Subset::validation, Subset::training, Subset::test, Subset::training}));
  EXPECT_EQ(describe(*parse_domain(columns, "columns.toml").split),
            "groups of year, numbered by ascending value, mod 3: test 2, validation 1, training the rest");
  Content content;
  content.year[1] = -2147483647;  // the default fill value of int
  write(content);
  EXPECT_EQ(error_of(columns, Status::non_finite),
            "\"FILE\", row 1 (time = 0, x = 1): expected a number of \"year\", by which the domain splits, found none");
}

TEST_F(Columns, AxesAndCoordinatesOfTheFileAreKept) {
  write({});
  const Domain domain = parse_domain(replaced("dimensions = [\"level\"] }\noutputs.flux", "dimensions = [\"level\"] }\n"
                                              "outputs.moistening = { units = \"W kg-1\", dimensions = [\"moist\"], "
                                              "source = \"heating\" }\n"
                                              "outputs.flux"),
                                     "columns.toml");
  const SampleReader reader(domain, file_, false);
  const auto axes = reader.element_axes();
  ASSERT_EQ(axes.size(), 2U);
  EXPECT_EQ(axes[0].name, "level");
  EXPECT_EQ(axes[0].values, (std::vector<double>{0.1, 1.1, 2.1}));
  EXPECT_EQ(axes[1].name, "moist");
  EXPECT_EQ(axes[1].values, (std::vector<double>{1.1, 2.1}));
  EXPECT_EQ(axes[1].bounds, (std::vector<double>{1, 2, 2, 3}));
  EXPECT_EQ(axes[1].attributes.at("positive"), "down");
  const auto coordinates = reader.coordinates();
  ASSERT_EQ(coordinates.size(), 1U);
  EXPECT_EQ(coordinates[0].name, "height");
  EXPECT_EQ(coordinates[0].units, "m");
  EXPECT_EQ(coordinates[0].axes, std::vector<std::size_t>{1});
  EXPECT_EQ(coordinates[0].values, (std::vector<double>{5, 6}));
}

TEST_F(Columns, LevelsAreThoseOfTheFirstFile) {
  const fs::path second = folder_.path() / "second.nc", third = folder_.path() / "third.nc";
  const Domain domain = parse_domain(replaced("constants.g", "source_units = { MB = \"hPa\" }\nconstants.g"), "columns.toml");
  const auto refused = [&](const Content& other, Status status, const std::string& expected) {
    write(other, second);
    try {
      load_samples(domain, {file_, third, second});
      ADD_FAILURE() << "accepted, expected: " << expected;
    } catch (const Error& error) {
      EXPECT_EQ(error.status(), status) << error.what();
      EXPECT_EQ(std::string(error.what()), expected);
    }
  };
  const std::string at = "\"" + file_.string() + "\"", there = "\"" + second.string() + "\"";
  Content content, none;
  content.lev = {0.0, 300.0, 900.0};
  content.lev_units = "MB";
  none.lev_name = "height_of_levels";
  write(content);
  write(none, third);  // no coordinate variable: nothing to compare
  Content other = content;
  other.lev = {0.0, 30000.02, 90000.0};  // in other units; within 1e-6
  other.lev_units = "Pa";
  write(other, second);
  LoadReport report;
  EXPECT_EQ(load_samples(domain, {file_, third, second}, {}, &report).samples, 3 * cells);
  // The input's own dimension and that of a part are there too.
  ASSERT_EQ(report.coordinates.size(), 2U);
  EXPECT_EQ(report.coordinates[0].dimension, "level");
  EXPECT_EQ(report.coordinates[0].units, "hPa");
  EXPECT_EQ(report.coordinates[0].values, (std::vector<double>{0, 300, 900}));
  EXPECT_EQ(report.coordinates[1].dimension, "moist");
  EXPECT_EQ(report.coordinates[1].values, (std::vector<double>{300, 900}));

  other = content;
  other.lev = {900.0, 300.0, 0.0};
  refused(other, Status::out_of_range,
          "the coordinate of dimension \"level\", value 0, is 900 hPa in " + there + ", 0 hPa in " + at +
              "; expected the same to 1e-06 of it: the order is the opposite one");
  other.lev = {0.0, 300.0, 900.002};
  refused(other, Status::out_of_range,
          "the coordinate of dimension \"level\", value 2, is 900.002 hPa in " + there + ", 900 hPa in " + at +
              "; expected the same to 1e-06 of it");
  other.lev_units = "K";
  refused(other, Status::unit_mismatch,
          "the coordinate of dimension \"level\" is in \"K\" in " + there + ", in \"hPa\" in " + at);
  other = content;
  other.lev[1] = nan;
  refused(other, Status::non_finite, "coordinate \"lev\" of " + there + " has no number at index 1");

  // Where the first file has none they are those of the next that has.
  write(other = content, second);
  EXPECT_EQ(load_samples(domain, {third, second}, {}, &report).samples, 2 * cells);
  ASSERT_EQ(report.coordinates.size(), 2U);
  EXPECT_EQ(report.coordinates[0].origin, there);
  EXPECT_EQ(load_samples(domain, {third}, {}, &report).samples, cells);
  EXPECT_TRUE(report.coordinates.empty());
}

TEST_F(Columns, ModelFilesCarryTheirLevels) {
  const Domain domain = parse_domain(columns, "columns.toml");
  ModelFile model;
  model.description.layout = domain.layout;
  add_coordinates(model, {{"level", "hPa", {0, 300, 900}, "a"}, {"moist", "", {300, 900}, "a"}});
  const ElementCoordinates found = coordinates_of(model, "b");
  ASSERT_EQ(found.size(), 2U);
  EXPECT_EQ(found[0].dimension, "level");
  EXPECT_EQ(found[0].units, "hPa");
  EXPECT_EQ(found[0].values, (std::vector<double>{0, 300, 900}));
  EXPECT_EQ(found[0].origin, "b");
  EXPECT_EQ(found[1].units, "");
  EXPECT_NO_THROW(require_same(found, {{"level", "", {0, 300, 900}, "c"}, {"layer", "", {1}, "c"}}));
  EXPECT_THROW(require_same(found, {{"level", "hPa", {0, 300}, "c"}}), Error);
  EXPECT_THROW(require_same(found, {{"level", "hPa", {1e-9, 300, 900}, "c"}}), Error);  // 1e-6 of zero is zero
}

TEST_F(Columns, ThatLackANumberNameTheElement) {
  Content content;
  content.first_temperature = nan;
  write(content);
  EXPECT_EQ(error_of(columns, Status::non_finite),
            "\"FILE\", row 0 (time = 0, x = 0): expected a number for every variable, found none for T[0]; rows like this "
            "can be left out (drop incomplete)");
  LoadOptions options;
  options.drop_incomplete = true;
  LoadReport report;
  EXPECT_EQ(load_samples(parse_domain(columns, "columns.toml"), {file_}, options, &report).samples, cells - 1);
  EXPECT_EQ(report.incomplete, 1);
  EXPECT_EQ(report.empty, 0);
}

TEST_F(Columns, OfAnotherShapeAreRefused) {
  Content content;
  content.levels = 4;
  write(content);
  EXPECT_EQ(error_of(columns, Status::shape_mismatch),
            "variable \"T\" of \"FILE\": expected the dimensions (time = 2, x = 2, lev = 3), found (lev = 4, time = 2, x = 2)");
  content = {};
  content.ps_on_levels = true;
  write(content);
  EXPECT_EQ(error_of(columns, Status::shape_mismatch),
            "variable \"ps\" of \"FILE\": expected the dimensions (time = 2, x = 2), found (time = 2, x = 2, lev = 3)");
  write({});
  EXPECT_EQ(error_of(replaced("first = 1", "first = 2"), Status::shape_mismatch),
            "variable \"hum\" of \"FILE\": expected the dimensions (time = 2, x = 2, lev with the indices 2 to 3), found "
            "(time = 2, lev = 3, x = 2)");
  EXPECT_EQ(error_of(replaced("lev = 2", "lev = 3"), Status::shape_mismatch),
            "variable \"u\" of \"FILE\": expected the dimensions (time = 2, x = 2, lev with the index 3), found (time = 2, "
            "x = 2, lev = 3)");
  EXPECT_EQ(error_of(replaced("source = \"lev\" }", "source = \"lv\" }"), Status::shape_mismatch),
            "variable \"T\" of \"FILE\": expected the dimensions (time = 2, x = 2, lv = 3), found (lev = 3, time = 2, x = 2)");
  EXPECT_EQ(error_of(replaced("\"year\"", "\"yeer\""), Status::not_found),
            "no variable \"yeer\" in \"FILE\"; did you mean \"year\"?");
  EXPECT_EQ(error_of(replaced("coordinates = [\"height\"]", "coordinates = [\"lev\"]"), Status::ok), "accepted");
}

// What a value with functions is in the first sample, for each level.
struct FunctionCase {
  std::string value, units, dimensions;
  std::vector<double> expected;
};

TEST_F(Columns, ValuesMayHaveFunctions) {
  write({});
  const std::vector<FunctionCase> cases = {
      {"exp((T - freezing) / freezing)", "1", "[\"level\"]", {std::exp(0.0), std::exp(10.0 / 273.15), std::exp(20.0 / 273.15)}},
      {"log(ps / unit_pressure)", "1", "[]", {std::log(1e5)}},
      {"sqrt(ps * unit_pressure)", "hPa", "[]", {std::sqrt(1e5) / 100}},
      {"min(T, freezing)", "K", "[\"level\"]", {273.15, 273.15, 273.15}},
      {"max(T - freezing, 0)", "K", "[\"level\"]", {0, 10, 20}},
      {"max(0, freezing - T) + min(5, 3) * T", "K", "[\"level\"]", {3 * 273.15, 3 * 283.15, 3 * 293.15}},
      {"max(low, ps)", "Pa", "[]", {200000}},
      {"max(ps, low)", "hPa", "[]", {2000}},
      {"min(sum(level, T), freezing)", "K", "[]", {273.15}}};
  for (const FunctionCase& one : cases) {
    const Domain domain = parse_domain(
        replaced("inputs.mass =", "constants.freezing = { value = 273.15, units = \"K\" }\n"
                                  "constants.unit_pressure = { value = 1.0, units = \"Pa\" }\n"
                                  "constants.low = { value = 2000.0, units = \"hPa\" }\n"
                                  "inputs.made = { units = \"" + one.units + "\", dimensions = " + one.dimensions +
                                      ", value = \"" + one.value + "\" }\ninputs.mass ="),
        "columns.toml");
    const SampleSet set = load_samples(domain, {file_});
    const auto at = static_cast<std::size_t>(domain.layout.offset("made"));
    for (std::size_t l = 0; l < one.expected.size(); ++l)
      EXPECT_NEAR(set.inputs[at + l], one.expected[l], 1e-12 * (1.0 + one.expected[l])) << one.value << " " << l;
  }
}

TEST_F(Columns, FunctionsOfWhatTheyAreNotForAreRefused) {
  const auto with = [](const std::string& value, const std::string& units) {
    return replaced("inputs.mass =", "inputs.made = { units = \"" + units + "\", value = \"" + value + "\" }\ninputs.mass =");
  };
  write({});
  const std::string place = "columns.toml:16:";
  const auto first_line = [&](const std::string& value, const std::string& units, Status status) {
    const std::string message = error_of(with(value, units), status);
    return message.substr(0, message.find('\n'));
  };
  EXPECT_EQ(first_line("exp(ps)", "1", Status::unit_mismatch),
            place + "43: input made: exp of ps [Pa]: expected a number without units (1); divide by a constant in Pa");
  EXPECT_EQ(first_line("min(ps, g)", "Pa", Status::unit_mismatch),
            place + "46: input made: ps [Pa] and g [m s-2] cannot be compared: m s-2 is not kg m-1 s-2");
  EXPECT_EQ(first_line("sqrt(ps)", "1", Status::unit_mismatch),
            place + "44: input made: \"Pa\" has no square root among units");
  EXPECT_EQ(first_line("max(ps)", "Pa", Status::invalid_format),
            place + "46: input made: expected \",\" and the second of the two operands of max, found \")\"");
  EXPECT_EQ(first_line("cosh(1)", "1", Status::invalid_format),
            place + "39: input made: there is no function \"cosh\" in equations; there are sum(dimension, expression), exp, "
                    "log, sqrt, min and max");
  EXPECT_EQ(error_of(with("log(1 - 2 * wind / wind)", "1"), Status::non_finite),
            "\"FILE\", row 0 (time = 0, x = 0): expected a number for every variable, found none for made; rows like this can "
            "be left out (drop incomplete)");
}

TEST_F(Columns, TransformsSayWhereTheyHaveNoValue) {
  Content content;
  content.ps[2] = -1.0;
  write(content);
  EXPECT_EQ(error_of(columns, Status::out_of_range),
            "input \"log_ps\" of \"FILE\", row 2 (time = 1, x = 0): expected a number above 0 for a logarithm, found -0.01");
  content = {};
  content.eta = -4.0;
  write(content);
  EXPECT_EQ(error_of(columns, Status::out_of_range),
            "input \"root_ps\" of \"FILE\", row 0 (time = 0, x = 0): expected a number of 0 or more for a square root, found "
            "-4");
}

struct BadFile {
  std::string from, to;  ///< what is changed in `columns`
  Status status;
  std::string where, message;
};

class BadColumns : public testing::TestWithParam<BadFile> {};

TEST_P(BadColumns, AreRefusedHere) {
  const BadFile& expected = GetParam();
  try {
    parse_domain(replaced(expected.from, expected.to), "columns.toml");
    FAIL() << "accepted";
  } catch (const Error& error) {
    EXPECT_EQ(status_name(error.status()), std::string(status_name(expected.status)));
    const std::string text = error.what();
    EXPECT_EQ(text.substr(0, text.find('\n')), "columns.toml:" + expected.where + ": " + expected.message);
  }
}

constexpr auto format_error = Status::invalid_format;

INSTANTIATE_TEST_SUITE_P(
    Dimensions, BadColumns,
    testing::Values(
        BadFile{"source = \"lev\" }", "source = \"x\" }", format_error, "6:59", "\"x\" is a sample dimension"},
        BadFile{"extent = 2", "extent = 4000000000", format_error, "7:47",
                "expected an extent of at most 16777216, found 4000000000"},
        BadFile{"extent = 2", "extent = 16777216", format_error, "12:46",
                "expected variables of at most 16777216 elements in all, found more from \"q\" on"},
        BadFile{"first = 1", "first = -1", format_error, "7:88", "expected an index from 0 to 2147483647, found -1"},
        BadFile{"first = 1", "frist = 1", format_error, "7:80",
                "unknown key \"frist\" in the source of moist; did you mean \"first\"?"},
        BadFile{"{ dimension = \"lev\", first = 1 }", "3", format_error, "7:59",
                "expected a table for the source of moist, found an integer"},
        BadFile{"dimensions = [\"moist\"]", "dimensions = [\"moits\"]", Status::not_found, "12:46",
                "there is no dimension \"moits\"; did you mean \"moist\"?"},
        BadFile{"coordinates = [\"height\"]", "coordinates = \"height\"", format_error, "4:94",
                "expected an array of texts for \"coordinates\" in [samples], found a text"}));

INSTANTIATE_TEST_SUITE_P(
    Constants, BadColumns,
    testing::Values(
        BadFile{"[0.2, 0.3, 0.5]", "[0.2, 0.3]", Status::shape_mismatch, "9:34",
                "constant thickness: expected 3 values (level = 3), found 2"},
        BadFile{"[0.2, 0.3, 0.5]", "[0.2, 0.3, nan]", format_error, "9:45",
                "expected an array of finite numbers for \"values\" in constant thickness, found a number"},
        BadFile{"dimensions = [\"level\"], units = \"1\" }", "dimensions = [], units = \"1\" }", format_error, "9:64",
                "expected at least one dimension; one number is a \"value\""},
        BadFile{", dimensions = [\"level\"], units = \"1\" }", ", units = \"1\" }", format_error, "9:11",
                "constant thickness needs the key \"dimensions\": declared under [dimensions]"},
        BadFile{"mass * heating", "thickness * heating", format_error, "19:27",
                "law energy: \"thickness\" has a number for each level, and laws hold single constants: make an input of it "
                "([inputs.NAME] value = \"... thickness ...\") and name that"}));

INSTANTIATE_TEST_SUITE_P(
    Sources, BadColumns,
    testing::Values(
        BadFile{"magnitude = [\"u\", \"v\"]", "magnitude = [\"u\"]", format_error, "13:57",
                "a magnitude is of at least two components"},
        BadFile{"magnitude = [\"u\", \"v\"]", "magnitude = [\"u\", \"v\"], variable = \"u\"", format_error, "13:43",
                "the source of wind needs one of \"variable\" (a field of the file), \"axis\" (a coordinate) and \"magnitude\" "
                "(of several fields)"},
        BadFile{"lev = 2", "x = 2", format_error, "13:76", "\"x\" is a sample dimension"},
        BadFile{"lev = 2", "lev = -2", format_error, "13:82", "expected an index from 0 for the file's dimension \"lev\""},
        BadFile{"at = { lev = 2 }", "at = {}", format_error, "13:74", "expected at least one dimension = index"},
        BadFile{"source = \"hum\"", "source = { variable = \"hum\", at = { lev = 1 } }", format_error, "12:93",
                "the file's dimension \"lev\" is the variable's own \"moist\""},
        BadFile{"source = \"hum\"", "source = { axis = \"x\" }", format_error, "12:75",
                "a coordinate is one number a sample: expected no dimensions, found [moist]"},
        BadFile{"outputs.flux = { units = \"W m-2\" }",
                "outputs.flux = { units = \"W m-2\", source = { magnitude = [\"a\", \"b\"] } }", format_error, "18:58",
                "an output cannot be a magnitude: it could not be undone"},
        BadFile{"inputs.wind = { units = \"m s-1\"", "inputs.wind = { units = \"degC\"", Status::unit_mismatch, "13:56",
                "a magnitude has units without an origin, found \"degC\""},
        BadFile{"inputs.log_ps = { units = \"1\"", "inputs.log_ps = { units = \"Pa\"", Status::unit_mismatch, "14:27",
                "a logarithm is dimensionless: expected units = \"1\", found \"Pa\""},
        BadFile{", units = \"hPa\"", "", format_error, "14:41",
                "the source of log_ps needs the key \"units\": of the transform's argument"},
        BadFile{"units = \"hPa\"", "units = \"hPa\", period = 1", format_error, "14:109",
                "\"period\" goes with a sine or a cosine"},
        BadFile{"transform = \"square_root\", units = \"1\"", "transform = \"square_root\", units = \"m\"",
                Status::unit_mismatch, "15:97", "expected units whose square root is \"1\" (1), found \"m\" (m)"}));

INSTANTIATE_TEST_SUITE_P(
    Values, BadColumns,
    testing::Values(
        BadFile{"thickness * ps / g", "thickness * heating", Status::not_found, "16:80",
                "input mass: \"heating\" is not declared; declared are T, g, log_ps, ps, q, root_ps, thickness, wind"},
        BadFile{"thickness * ps / g", "ps / g", Status::shape_mismatch, "16:48",
                "input mass: expected dimensions = [], those of its value, found [level]"},
        BadFile{"units = \"kg m-2\", dimensions = [\"level\"]", "units = \"kg m-2\"", Status::shape_mismatch, "16:43",
                "input mass: expected dimensions = [level], those of its value, found []"},
        BadFile{"thickness * ps / g", "thickness * ps", Status::unit_mismatch, "16:67",
                "input mass: expected a value in kg m-2 (kg m-2), found Pa (kg m-1 s-2)"},
        BadFile{"value = \"thickness", "source = \"m\", value = \"thickness", format_error, "16:68",
                "an input has either a \"value\" or a \"source\""},
        BadFile{"outputs.flux = { units = \"W m-2\" }", "outputs.flux = { units = \"W m-2\", value = \"ps\" }", format_error,
                "18:43", "an output is read from the file: \"value\" is for inputs"},
        BadFile{"thickness * ps / g", "ps + * g", format_error, "16:73",
                "input mass: expected a number, a name or \"(\", found \"*\""}));

INSTANTIATE_TEST_SUITE_P(
    Splits, BadColumns,
    testing::Values(
        BadFile{"variable = \"year\", ", "", format_error, "5:9",
                "[split] needs the key \"variable\": of the file, over the samples: equal values are one group"},
        BadFile{"modulus = 3", "modulus = 1", format_error, "5:57", "expected a modulus of 2 to 1000000, found 1"},
        BadFile{"test = [2]", "test = [3]", format_error, "5:67", "group 3 of \"test\" is beyond the modulus 3"},
        BadFile{"validation = [1]", "validation = [2]", format_error, "5:85", "group 2 of \"validation\" is used twice"},
        BadFile{"validation = [1]", "validation = [0, 1]", format_error, "5:67", "this split leaves no group for training"},
        BadFile{"\"groups\"", "\"group\"", format_error, "5:18",
                "unknown kind \"group\" of a split; did you mean \"groups\"?"}));

TEST(ColumnsOfTheDocumentation, Work) {
  const auto bytes = read_file(fs::path(LAVOISIER_SOURCE_DIR) / "docs" / "domain-files.md");
  const std::string page(reinterpret_cast<const char*>(bytes.data()), bytes.size());
  const std::string fence = "```toml\n";
  const auto begin = page.find(fence, page.find("## Arrays")) + fence.size();
  const std::string example = page.substr(begin, page.find("```", begin) - begin);
  const Domain domain = parse_domain("format = 1\nname = \"hybrid\"\ntitle = \"hybrid\"\n" + example +
                                         "[laws]\nheat = \"sum(level, layer_mass * heating) = 0\"\n",
                                     "hybrid.toml");
  EXPECT_EQ(domain.layout.elements(Role::input), 1 + 6 + 8 + 1);
  EXPECT_EQ(domain.sources.at("layer_mass").value->text(), "(a + 0.01*(b*ps))/g");
  EXPECT_EQ(domain.file_dimensions.at("moist_level").first, 2);
}

/// SPEEDY's columns, which are not part of the project.
class Speedy : public testing::TestWithParam<std::string> {};

TEST_P(Speedy, ColumnsAreSplitByStepAndClose) {
  const fs::path path = "../shared/data/speedy_columns.nc";
  if (!fs::exists(path)) GTEST_SKIP() << "no " << path << ": the file is not part of the project";
  const Domain domain = load_domain(GetParam());
  const SampleSet set = load_samples(domain, {path});
  ASSERT_EQ(set.samples, 72480);
  EXPECT_EQ(set.output_elements(), 40);
  const auto count = [&](Subset subset) { return std::count(set.subset.begin(), set.subset.end(), subset); };
  EXPECT_EQ(count(Subset::training), 121 * 480);
  EXPECT_EQ(count(Subset::validation), 15 * 480);
  EXPECT_EQ(count(Subset::test), 15 * 480);
  const Eigen::Map<const RowMatrix> x(set.inputs.data(), set.samples, set.input_elements());
  const Eigen::Map<const RowMatrix> y(set.outputs.data(), set.samples, set.output_elements());
  ASSERT_EQ(domain.laws.size(), 5U);
  for (const Law& law : domain.laws) {
    const Closure found = closure(law, domain.layout, domain.constants, x, y);
    EXPECT_LE(found.residual.cwiseAbs().maxCoeff(), law.physics_tolerance) << law.name;
    EXPECT_GT(found.term_magnitude.maxCoeff(), 1e6 * law.physics_tolerance) << law.name;
  }
}

INSTANTIATE_TEST_SUITE_P(Inputs, Speedy, testing::Values("atmospheric_column", "atmospheric_column_partial"));

}  // namespace
}  // namespace lavoisier::test
