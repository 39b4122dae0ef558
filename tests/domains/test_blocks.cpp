// Domains whose samples are blocks of cells of a grid: means, weights, neighbourhoods, masks, what is refused; the shipped
// ones on their data.

#include <lavoisier/blocks.hpp>
#include <lavoisier/domain.hpp>
#include <lavoisier/linear_constraints.hpp>
#include <lavoisier/status.hpp>
#include <lavoisier/tolerances.hpp>

#include "netcdf_file.hpp"
#include "temporary_folder.hpp"

#include <gtest/gtest.h>

#include <algorithm>
#include <cmath>
#include <filesystem>
#include <fstream>
#include <iterator>
#include <limits>
#include <numbers>
#include <string>
#include <vector>

namespace lavoisier::test {
namespace {

namespace fs = std::filesystem;
constexpr double nan = std::numeric_limits<double>::quiet_NaN();
const fs::path data_folder = "/usr/share/ferret-vis/data";  // Debian's ferret-datasets

std::string content(const fs::path& path) {
  std::ifstream file(path);
  return {std::istreambuf_iterator<char>(file), {}};
}

const std::string blocks_text = R"(format = 1
name = "blocks"
title = "Blocks of the tests"
samples = { dimensions = ["z", "lat", "lon"], column = ["lat", "lon"], empty = "all missing" }
dimensions.y = { kind = "y", extent = 2, source = { block = "lat" } }
dimensions.x = { kind = "x", extent = 3, source = { block = "lon" } }
dimensions.near_y = { kind = "y", extent = 3, source = { neighbours = "lat" } }
dimensions.near_x = { kind = "x", extent = 3, source = { neighbours = "lon" } }
inputs.coarse = { units = "K", source = { variable = "T", block = "mean" } }
inputs.around = { units = "K", dimensions = ["near_y", "near_x"], source = { variable = "T", block = "mean" } }
inputs.contrast = { units = "K", dimensions = ["near_y", "near_x"], source = { variable = "T", block = "contrast" }, source_units = { "degC" = "K" } }
inputs.spread = { units = "K", source = { variable = "T", block = "spread", least = 0.5 }, source_units = { "degC" = "K" } }
inputs.valid = { units = "1", dimensions = ["near_y", "near_x"], source = { variable = "T", block = "valid" } }
inputs.weight = { units = "1", dimensions = ["y", "x"], source = { variable = "T", block = "weight" } }
inputs.depth = { units = "m", source = { axis = "z" } }
outputs.T = { units = "K", dimensions = ["y", "x"] }
laws.mean = "sum(y, sum(x, weight * T)) = coarse"
)";

std::string replaced(const std::string& from, const std::string& to) {
  std::string text = blocks_text;
  const auto at = text.find(from);
  EXPECT_NE(at, std::string::npos) << from;
  return text.replace(at, from.size(), to);
}

/// Relative, of all laws and samples.
double largest_residual(const Domain& domain, const SampleSet& set) {
  const Eigen::Map<const RowMatrix> x(set.inputs.data(), set.samples, set.input_elements());
  const Eigen::Map<const RowMatrix> y(set.outputs.data(), set.samples, set.output_elements());
  double largest = 0.0;
  for (const Law& law : domain.laws) {
    const Closure c = closure(law, domain.layout, domain.constants, x, y);
    for (Eigen::Index s = 0; s < x.rows(); ++s)
      largest = std::max(largest, relative_residual(c.residual[s], c.term_magnitude[s]));
  }
  return largest;
}

/// Five latitudes, two of them a block (the last is left over); six longitudes around the globe; two depths.
class BlocksOfAGrid : public testing::Test {
 protected:
  static constexpr int nz = 2, ny = 5, nx = 6;
  std::vector<double> lat = {-60, -30, 0, 30, 60}, lon = {30, 90, 150, 210, 270, 330};
  std::vector<double> T;  ///< degC; NaN: missing

  BlocksOfAGrid() {
    for (int i = 0; i < nz * ny * nx; ++i) T.push_back(10.0 + std::sin(1.7 * i) + 0.1 * i);
    T[at(0, 0, 1)] = nan;                          // one cell of block 0
    for (int y = 0; y < 2; ++y)
      for (int x = 3; x < 6; ++x) T[at(1, y, x)] = nan;  // all of block 5
  }
  static std::size_t at(int z, int y, int x) { return static_cast<std::size_t>((z * ny + y) * nx + x); }

  void write(const std::string& lon_units = "degrees_east") const {
    tests::NetcdfFile file(file_);
    const int dz = file.dimension("z", nz), dy = file.dimension("lat", ny), dx = file.dimension("lon", nx);
    const int z = file.variable("z", NC_DOUBLE, {dz}, {{"units", "m"}});
    const int y = file.variable("lat", NC_DOUBLE, {dy}, {{"units", "degrees_north"}});
    const int x = file.variable("lon", NC_DOUBLE, {dx}, {{"units", lon_units}});
    const int field = file.variable("T", NC_DOUBLE, {dz, dy, dx}, {{"units", "degC"}});
    file.attribute(field, "_FillValue", NC_DOUBLE, {-999.0});
    std::vector<double> stored = T;
    for (double& value : stored)
      if (std::isnan(value)) value = -999.0;
    file.write(z, {5, 50});
    file.write(y, lat);
    file.write(x, lon);
    file.write(field, stored);
  }

  /// Area of a cell on the sphere, its bounds midway between centres.
  double area(int y) const {
    const double south = lat[static_cast<std::size_t>(y)] - 15.0, north = south + 30.0;
    return (std::sin(north * std::numbers::pi / 180.0) - std::sin(south * std::numbers::pi / 180.0)) * 60.0;
  }
  struct Mean {
    double mean = nan, valid = 0.0, area = 0.0;
  };
  /// By plain loops; Kelvin.
  Mean mean(int z, int by, int bx) const {
    double sum = 0.0, there = 0.0, all = 0.0;
    for (int y = 2 * by; y < 2 * by + 2; ++y)
      for (int x = 3 * bx; x < 3 * bx + 3; ++x) {
        all += area(y);
        if (std::isnan(T[at(z, y, x)])) continue;
        there += area(y);
        sum += area(y) * (T[at(z, y, x)] + 273.15);
      }
    return {there > 0.0 ? sum / there : nan, there / all, there};
  }

  tests::TemporaryFolder folder_;
  fs::path file_ = folder_.path() / "grid.nc";
};

TEST_F(BlocksOfAGrid, HaveMeansWeightsAndNeighbourhoods) {
  write();
  const Domain domain = parse_domain(blocks_text, "blocks.toml");
  const SampleReader reader(domain, file_, true);
  ASSERT_EQ(reader.cells(), 2 * 2 * 2);
  const SampleReader::Piece piece = reader.read(0, reader.cells());
  const auto width = static_cast<std::size_t>(domain.layout.elements(Role::input));
  const auto input = [&](int cell, const std::string& name, int element = 0) {
    return piece.inputs[static_cast<std::size_t>(cell) * width + static_cast<std::size_t>(domain.layout.offset(name) + element)];
  };
  for (int cell = 0; cell < 8; ++cell) {
    const int z = cell / 4, by = cell / 2 % 2, bx = cell % 2;
    SCOPED_TRACE(cell);
    const Mean own = mean(z, by, bx);
    if (cell == 5) {  // no value: no sample
      EXPECT_EQ(piece.complete[5], 0);
      EXPECT_EQ(piece.empty[5], 1);
      continue;
    }
    EXPECT_EQ(piece.complete[static_cast<std::size_t>(cell)], 1);
    EXPECT_NEAR(input(cell, "coarse"), own.mean, 1e-12);
    EXPECT_EQ(input(cell, "depth"), z == 0 ? 5.0 : 50.0);
    double squares = 0.0, law = 0.0;
    int neighbours = 0;
    for (int dy = -1; dy <= 1; ++dy)
      for (int dx = -1; dx <= 1; ++dx) {
        const int element = (dy + 1) * 3 + dx + 1;
        const bool inside = by + dy >= 0 && by + dy < 2;
        const Mean other = inside ? mean(z, by + dy, (bx + dx + 2) % 2) : Mean();  // around in longitude
        const bool there = inside && other.valid > 0.0;
        EXPECT_NEAR(input(cell, "around", element), there ? other.mean : own.mean, 1e-12) << element;
        EXPECT_NEAR(input(cell, "contrast", element), there ? other.mean - own.mean : 0.0, 1e-12) << element;
        EXPECT_NEAR(input(cell, "valid", element), there ? other.valid : 0.0, 1e-15) << element;
        if (!there || (dy == 0 && dx == 0)) continue;
        squares += (other.mean - own.mean) * (other.mean - own.mean);
        ++neighbours;
      }
    EXPECT_NEAR(input(cell, "spread"), std::max(0.5, std::sqrt(squares / neighbours)), 1e-12);
    for (int y = 0; y < 2; ++y)
      for (int x = 0; x < 3; ++x) {
        const auto element = static_cast<std::size_t>(cell * 6 + y * 3 + x);
        const double value = T[at(z, 2 * by + y, 3 * bx + x)];
        EXPECT_EQ(piece.masked[element], std::isnan(value) ? 1 : 0);
        EXPECT_NEAR(piece.outputs[element], std::isnan(value) ? own.mean : value + 273.15, 1e-12);
        EXPECT_NEAR(input(cell, "weight", y * 3 + x), std::isnan(value) ? 0.0 : area(2 * by + y) / own.area, 1e-15);
        law += input(cell, "weight", y * 3 + x) * piece.outputs[element];
      }
    EXPECT_NEAR(law, input(cell, "coarse"), 1e-12);
    EXPECT_EQ(piece.column[static_cast<std::size_t>(cell)], static_cast<std::uint64_t>(cell % 4));
    EXPECT_EQ(piece.step[static_cast<std::size_t>(cell)], static_cast<std::uint64_t>(z));
  }
  EXPECT_NE(mean(0, 0, 0).valid, 1.0);
}

TEST_F(BlocksOfAGrid, AreTheSameInPiecesOfAnySize) {
  write();
  const Domain domain = parse_domain(blocks_text, "blocks.toml");
  const SampleReader reader(domain, file_, true);
  const SampleReader::Piece whole = reader.read(0, 8);
  const auto equal = [](double a, double b) { return a == b || (std::isnan(a) && std::isnan(b)); };
  for (std::int64_t first = 0; first < 8; ++first) {
    const SampleReader::Piece one = reader.read(first, 1);
    const auto part = [&](const auto& all, const auto& own) {
      return std::equal(own.begin(), own.end(), all.begin() + first * static_cast<std::int64_t>(own.size()), equal);
    };
    EXPECT_TRUE(part(whole.inputs, one.inputs)) << first;
    EXPECT_TRUE(part(whole.outputs, one.outputs)) << first;
    EXPECT_TRUE(part(whole.masked, one.masked)) << first;
  }
  const SampleReader inputs(domain, file_, false);
  EXPECT_EQ(inputs.read(0, 8).masked, whole.masked);
}

TEST_F(BlocksOfAGrid, HaveTheirOwnAxesBesideThoseOfTheGrid) {
  write();
  const SampleReader reader(parse_domain(blocks_text, "blocks.toml"), file_, true);
  const auto axes = reader.axes();
  ASSERT_EQ(axes.size(), 3U);
  EXPECT_EQ(axes[1].values, (std::vector<double>{-45, 15}));
  EXPECT_EQ(axes[1].bounds, (std::vector<double>{-75, -15, -15, 45}));
  EXPECT_EQ(axes[2].values, (std::vector<double>{90, 270}));
  EXPECT_EQ(axes[2].bounds, (std::vector<double>{0, 180, 180, 360}));
  EXPECT_EQ(reader.grid_axes()[1].values, lat);
  EXPECT_TRUE(reader.grid_axes()[1].bounds.empty());  // the file has none
  const BlockShape shape = *reader.block_shape();
  EXPECT_EQ(shape.blocks(), 8);
  EXPECT_EQ(shape.first_cell(3), (ny + 2) * nx);  // the second row of the second depth
  EXPECT_TRUE(reader.element_axes().empty());
}

TEST_F(BlocksOfAGrid, GoBackToRowsOfTheGrid) {
  const BlockShape shape{1, 5, 7, 2, 3};
  ASSERT_EQ(shape.blocks_x(), 2);
  std::vector<double> blocks;
  for (int i = 0; i < 12; ++i) blocks.push_back(i);
  const std::vector<double> rows = rows_of_blocks(shape, blocks.data());
  const std::vector<double> expected = {0, 1, 2, 6, 7, 8, nan, 3, 4, 5, 9, 10, 11, nan};  // the last column is in no block
  ASSERT_EQ(rows.size(), expected.size());
  for (std::size_t i = 0; i < rows.size(); ++i)
    EXPECT_TRUE(rows[i] == expected[i] || (std::isnan(rows[i]) && std::isnan(expected[i]))) << i;
}

TEST(SamplesOfOtherKinds, HaveNoLawsOverAllColumns) {
  const auto refusal = [](const std::string& text) {
    try {
      parse_domain(text, "d.toml");
    } catch (const Error& error) {
      EXPECT_EQ(error.status(), Status::unsupported) << error.what();
      const std::string message = error.what();
      return message.substr(0, message.find('\n'));
    }
    return std::string("accepted");
  };
  const std::string blocks = content(fs::path(LAVOISIER_DOMAINS_FOLDER) / "downscaling.toml"),
                    images = content(fs::path(LAVOISIER_DOMAINS_FOLDER) / "images.toml"),
                    ocean = content(fs::path(LAVOISIER_DOMAINS_FOLDER) / "ocean_heat_budget.toml");
  const std::string weight = "\n[weights.area]\nlatitude = \"lat\"\n";
  EXPECT_NE(refusal(blocks + weight).find("weight area: laws over all columns are not to be had where samples are blocks of cells"),
            std::string::npos)
      << refusal(blocks + weight);
  EXPECT_NE(refusal(images + weight).find("where samples are images"), std::string::npos) << refusal(images + weight);
  const auto at = ocean.find("empty = \"all missing\"");
  ASSERT_NE(at, std::string::npos);
  const std::string within = std::string(ocean).insert(at, "within = { SST = [0.0, 20.0] }\n");
  EXPECT_NE(refusal(within).find("where samples are cells \"within\" ranges"), std::string::npos) << refusal(within);
}

TEST_F(BlocksOfAGrid, DoNotGoAroundWithoutLongitudes) {
  write("km");
  const Domain domain = parse_domain(blocks_text, "blocks.toml");
  const SampleReader reader(domain, file_, true);
  const SampleReader::Piece piece = reader.read(0, 1);
  // West of the first block there is nothing.
  EXPECT_EQ(piece.inputs[static_cast<std::size_t>(domain.layout.offset("valid")) + 3], 0.0);
  EXPECT_EQ(piece.inputs[static_cast<std::size_t>(domain.layout.offset("contrast")) + 3], 0.0);
  EXPECT_GT(piece.inputs[static_cast<std::size_t>(domain.layout.offset("valid")) + 5], 0.0);
}

TEST_F(BlocksOfAGrid, AreSamplesWithinIntervalsAndSplitByBoxes) {
  write();
  const std::string text = replaced("empty = \"all missing\" }", "empty = \"all missing\", within = { lat = [-50.0, 0.0], depth = [0.0, 10.0] } }\n"
      "split = { kind = \"boxes\", test = [{ lon = [0.0, 100.0] }], validation = [{ lon = [0.0, 300.0], lat = [0.0, 90.0] }] }");
  const Domain domain = parse_domain(text, "blocks.toml");
  LoadReport report;
  const SampleSet set = load_samples(domain, {file_}, {}, &report);
  EXPECT_EQ(set.samples, 2);  // the southern blocks of the first depth
  EXPECT_EQ(report.empty, 6);
  EXPECT_EQ(set.column, (std::vector<std::uint64_t>{0, 1}));
  EXPECT_EQ(set.subset, (std::vector<Subset>{Subset::test, Subset::training}));
  const SampleReader::Piece piece = SampleReader(domain, file_, true).read(0, 8);
  EXPECT_EQ(piece.subset[2], Subset::test);  // in both: test
  EXPECT_EQ(piece.subset[3], Subset::validation);
  EXPECT_EQ(describe(*domain.split), "test where 0 <= lon < 100; validation where 0 <= lat < 90, 0 <= lon < 300; training the rest");
}

TEST_F(BlocksOfAGrid, RefuseWeightsOfRowsWhereCellsAreMissing) {
  std::string text = replaced("dimensions = [\"y\", \"x\"], source = { variable = \"T\", block = \"weight\" }",
                              "dimensions = [\"y\"], source = { variable = \"T\", block = \"weight\" }");
  const std::string law = "sum(y, sum(x, weight * T))";
  text.replace(text.find(law), law.size(), "sum(y, weight * sum(x, T))");
  const Domain domain = parse_domain(text, "blocks.toml");
  write();
  try {
    load_samples(domain, {file_});
    ADD_FAILURE() << "expected an error";
  } catch (const Error& error) {
    EXPECT_EQ(std::string(error.what()),
              "input \"weight\": weights of the rows of a block need values of \"T\" in all its cells, found 5 of 6 in block 0; "
              "declare it over both dimensions of a block");
  }
  T[at(0, 0, 1)] = 3.0;
  write();
  const SampleSet set = load_samples(domain, {file_});
  EXPECT_LE(largest_residual(domain, set), tolerances::identity::relative_fp64);
}

std::string error_of(const std::string& text, Status status) {
  try {
    parse_domain(text, "blocks.toml");
  } catch (const Error& error) {
    EXPECT_EQ(status_name(error.status()), std::string(status_name(status)));
    const std::string message = error.what();
    return message.substr(0, message.find('\n'));
  }
  return "no error";
}

TEST(BlocksOfADomain, SayWhatIsWrong) {
  EXPECT_EQ(error_of(replaced("source = { block = \"lat\" }", "source = { block = \"la\" }"), Status::not_found),
            "blocks.toml:5:61: \"la\" is no sample dimension; these are z, lat, lon");
  EXPECT_EQ(error_of(replaced("source = { block = \"lat\" }", "source = { block = \"z\" }"), Status::invalid_format),
            "blocks.toml:5:12: blocks are of the last two sample dimensions: expected one dimension with source = { block = "
            "\"lat\" }, one with { block = \"lon\" }, and neighbours of both or of none");
  EXPECT_EQ(error_of(replaced("near_y = { kind = \"y\", extent = 3", "near_y = { kind = \"y\", extent = 4"), Status::invalid_format),
            "blocks.toml:7:12: expected an odd extent of a neighbourhood, with as many blocks on each side, found 4");
  EXPECT_EQ(error_of(replaced("block = \"spread\"", "block = \"deviation\""), Status::invalid_format),
            "blocks.toml:12:67: expected one of mean, contrast, spread, weight, valid for \"block\", found \"deviation\"");
  EXPECT_EQ(error_of(replaced("block = \"spread\", least = 0.5", "block = \"mean\", least = 0.5"), Status::invalid_format),
            "blocks.toml:12:83: \"least\" goes with block = \"spread\"");
  EXPECT_EQ(error_of(replaced("outputs.T = { units = \"K\", dimensions = [\"y\", \"x\"] }", "outputs.T = { units = \"K\" }"), Status::shape_mismatch),
            "blocks.toml:16:23: a field of a domain with blocks is read cell by cell: expected dimensions = [y, x], found []");
  EXPECT_EQ(error_of(replaced("inputs.coarse = { units = \"K\", source", "inputs.coarse = { units = \"K\", dimensions = [\"y\", \"x\"], source"),
                     Status::shape_mismatch),
            "blocks.toml:9:45: block = \"mean\": expected dimensions = [] or [near_y, near_x], found [y, x]");
  EXPECT_EQ(error_of(replaced("weight = { units = \"1\"", "weight = { units = \"percent\""), Status::unit_mismatch),
            "blocks.toml:14:27: a share of area: expected units = \"1\", found \"percent\"");
  EXPECT_EQ(error_of(replaced("empty = \"all missing\" }", "empty = \"all missing\", within = { coarse = [1.0, 1.0] } }"), Status::invalid_format),
            "blocks.toml:4:115: expected an interval [low, high) of \"coarse\" with low below high");
  EXPECT_EQ(error_of(replaced("empty = \"all missing\" }", "empty = \"all missing\", within = { around = [1.0, 2.0] } }"), Status::shape_mismatch),
            "blocks.toml:4:115: expected an input of one number a sample, found \"around\"");
  EXPECT_EQ(error_of(replaced("empty = \"all missing\" }", "empty = \"all missing\" }\nsplit = { kind = \"boxes\", test = [{ lon = [100.0, 0.0] }], validation = [] }"),
                     Status::invalid_format),
            "blocks.toml:5:43: expected an interval [low, high) of \"lon\" with low below high");
}

/// Blocks of `factor` x `factor` cells instead of 4 x 4.
Domain with_factor(const std::string& name, int factor) {
  std::string text = content(fs::path(LAVOISIER_DOMAINS_FOLDER) / (name + ".toml"));
  for (const std::string of : {"Y\" }", "X\" }"}) {
    const auto source = text.find(of, text.find("source = { block = \""));
    const auto extent = text.rfind("extent = 4", source);
    text.replace(extent, 10, "extent = " + std::to_string(factor));
  }
  return parse_domain(text, name);
}

std::int64_t count(const SampleSet& set, Subset subset) { return std::count(set.subset.begin(), set.subset.end(), subset); }

TEST(DownscalingDomain, ReadsTheTopographyOfLandInBlocks) {
  const fs::path file = data_folder / "etopo5.cdf";
  if (!fs::exists(file)) GTEST_SKIP() << "there is no " << file << " (ferret-datasets)";
  const Domain domain = load_domain("downscaling");
  LoadReport report;
  const SampleSet set = load_samples(domain, {file}, {}, &report);
  EXPECT_EQ(report.cells, 540 * 1080);
  EXPECT_EQ(report.incomplete, 0);
  EXPECT_EQ(set.samples, 132819);
  EXPECT_EQ(count(set, Subset::training), 85958);
  EXPECT_EQ(count(set, Subset::validation), 26668);
  EXPECT_EQ(count(set, Subset::test), 20193);
  EXPECT_LE(largest_residual(domain, set), tolerances::identity::relative_fp64);
  const auto width = static_cast<std::size_t>(set.input_elements());
  for (std::size_t s = 0; s < static_cast<std::size_t>(set.samples); ++s) ASSERT_GE(set.inputs[s * width], 0.0);
}

TEST(DownscalingDomain, ReadsBlocksOfEight) {
  const fs::path file = data_folder / "etopo5.cdf";
  if (!fs::exists(file)) GTEST_SKIP() << "there is no " << file << " (ferret-datasets)";
  const Domain domain = with_factor("downscaling", 8);
  EXPECT_EQ(domain.layout.elements(Role::output), 64);
  LoadReport report;
  const SampleSet set = load_samples(domain, {file}, {}, &report);
  EXPECT_EQ(report.cells, 270 * 540);
  EXPECT_LE(largest_residual(domain, set), tolerances::identity::relative_fp64);
}

TEST(DownscalingMaskedDomain, LeavesLandOutOfTheMeans) {
  const fs::path file = data_folder / "levitus_climatology.cdf";
  if (!fs::exists(file)) GTEST_SKIP() << "there is no " << file << " (ferret-datasets)";
  const Domain domain = load_domain("downscaling_masked");
  LoadReport report;
  const SampleSet set = load_samples(domain, {file}, {}, &report);
  EXPECT_EQ(report.cells, 20 * 45 * 90);
  EXPECT_EQ(report.incomplete, 0);
  EXPECT_EQ(set.samples, 50791);
  EXPECT_EQ(count(set, Subset::test), 14002);
  EXPECT_LE(largest_residual(domain, set), tolerances::identity::relative_fp64);
  // Coasts: blocks with cells of both kinds.
  const SampleReader reader(domain, file, true);
  const SampleReader::Piece piece = reader.read(0, 45 * 90);
  std::int64_t coasts = 0;
  for (std::size_t b = 0; b < 45 * 90; ++b) {
    const auto land = std::count(piece.masked.begin() + static_cast<std::ptrdiff_t>(b * 16),
                                 piece.masked.begin() + static_cast<std::ptrdiff_t>(b * 16 + 16), 1);
    coasts += land > 0 && land < 16;
    EXPECT_EQ(piece.empty[b], land == 16 ? 1 : 0) << b;
  }
  EXPECT_EQ(coasts, 626);
}

}  // namespace
}  // namespace lavoisier::test
