#include <lavoisier/netcdf_reader.hpp>
#include <lavoisier/status.hpp>

#include "expect_error.hpp"
#include "netcdf_file.hpp"
#include "temporary_folder.hpp"

#include <gtest/gtest.h>

#include <cmath>
#include <filesystem>
#include <fstream>
#include <limits>
#include <numeric>
#include <string>
#include <vector>

namespace lavoisier::test {
namespace {

namespace fs = std::filesystem;

class NetcdfReading : public testing::TestWithParam<int> {
 protected:
  void SetUp() override {
    file_ = folder_ / "file.nc";
    tests::NetcdfFile file(file_, NC_CLOBBER | GetParam());
    const int t = file.dimension("t", NC_UNLIMITED);
    const int y = file.dimension("y", 3);
    const int x = file.dimension("x", 5);
    const int two = file.dimension("two", 2);
    const int edge = file.dimension("edge", 4);
    const int times = file.variable("t", NC_DOUBLE, {t}, {{"units", "days since 2000-01-01"}, {"bounds", "t_bounds"}});
    const int t_bounds = file.variable("t_bounds", NC_DOUBLE, {t, two});
    const int ys = file.variable("y", NC_FLOAT, {y}, {{"units", "degrees_north"}, {"edges", "edges"}, {"modulo", " "}});
    const int edges = file.variable("edges", NC_FLOAT, {edge});
    const int plain = file.variable("plain", NC_FLOAT, {t, y, x}, {{"units", "W/M2"}, {"long_name", "a plain one "}});
    const int packed = file.variable("packed", NC_SHORT, {x}, {{"units", "K"}});
    file.attribute(packed, "scale_factor", NC_DOUBLE, {0.5});
    file.attribute(packed, "add_offset", NC_DOUBLE, {100});
    file.attribute(packed, "valid_range", NC_SHORT, {0, 10});
    const int missing = file.variable("missing", NC_FLOAT, {x});
    file.attribute(missing, "missing_value", NC_DOUBLE, {1e34, -999});
    const int number = file.variable("number", NC_INT, {});
    file.variable("never_written", NC_DOUBLE, {x});
    file.variable("text", NC_CHAR, {x});
    values_.resize(60);
    std::iota(values_.begin(), values_.end(), 0.5);
    nc_enddef(file.id());
    const std::size_t start[3] = {0, 0, 0};
    const std::size_t count[3] = {4, 3, 5};
    const std::vector<double> four = {0, 1, 2, 3};
    const std::vector<double> eight = {0, 1, 1, 2, 2, 3, 3, 4};
    const std::size_t pair[2] = {4, 2};
    tests::NetcdfFile::check(nc_put_vara_double(file.id(), times, start, count, four.data()));
    tests::NetcdfFile::check(nc_put_vara_double(file.id(), t_bounds, start, pair, eight.data()));
    tests::NetcdfFile::check(nc_put_vara_double(file.id(), plain, start, count, values_.data()));
    file.write(ys, {-60, 0, 60});
    file.write(edges, {-90, -30, 30, 90});
    file.write(packed, {-1, 0, 5, 10, 11});
    file.write(missing, {1, 1e34, -999, 9.96920996838687e36, 5});
    file.write(number, {7});
  }

  tests::TemporaryFolder temporary_;
  fs::path folder_ = temporary_.path(), file_;
  std::vector<double> values_;
};

TEST_P(NetcdfReading, TellsWhatThereIs) {
  const NetcdfReader reader(file_);
  EXPECT_EQ(reader.path(), file_);
  EXPECT_TRUE(reader.has_variable("plain"));
  EXPECT_FALSE(reader.has_variable("plane"));
  const FileVariable variable = reader.variable("plain");
  EXPECT_EQ(variable.units, "W/M2");
  EXPECT_EQ(variable.long_name, "a plain one");
  EXPECT_EQ(variable.dimensions, (std::vector<std::string>{"t", "y", "x"}));
  EXPECT_EQ(variable.extents, (std::vector<std::int64_t>{4, 3, 5}));
}

TEST_P(NetcdfReading, EveryFlatRangeIsTheSameNumbers) {
  const NetcdfReader reader(file_);
  EXPECT_EQ(reader.read("plain"), values_);
  for (std::int64_t first = 0; first <= 60; ++first)
    for (std::int64_t count = 0; first + count <= 60; ++count)
      ASSERT_EQ(reader.read("plain", first, count),
                std::vector<double>(values_.begin() + first, values_.begin() + first + count))
          << first << " " << count;
  EXPECT_EQ(reader.read("number"), std::vector<double>{7});
  EXPECT_THROW(reader.read("plain", 1, 60), Error);
  EXPECT_THROW(reader.read("plain", -1, 1), Error);
}

TEST_P(NetcdfReading, AFileCutShortIsRefusedHoweverLittleIsMissing) {
  const auto size = fs::file_size(file_);
  for (const auto lost : {std::uintmax_t{1}, std::uintmax_t{60}, size / 2}) {
    const fs::path cut = folder_ / "cut.nc";
    fs::copy_file(file_, cut, fs::copy_options::overwrite_existing);
    fs::resize_file(cut, size - lost);
    try {
      const NetcdfReader reader(cut);
      ADD_FAILURE() << "opened without its last " << lost << " bytes";
    } catch (const Error& error) {
      EXPECT_EQ(error.status(), Status::invalid_format);
      EXPECT_NE(std::string(error.what()).find("cut short"), std::string::npos) << error.what();
    }
  }
}

TEST_P(NetcdfReading, MissingAndPackedNumbers) {
  const NetcdfReader reader(file_);
  const auto packed = reader.read("packed");
  EXPECT_TRUE(std::isnan(packed[0]));
  EXPECT_EQ(packed[1], 100);
  EXPECT_EQ(packed[2], 102.5);
  EXPECT_EQ(packed[3], 105);
  EXPECT_TRUE(std::isnan(packed[4]));
  const auto missing = reader.read("missing");
  EXPECT_EQ(missing[0], 1);
  EXPECT_TRUE(std::isnan(missing[1]));
  EXPECT_TRUE(std::isnan(missing[2]));
  EXPECT_TRUE(std::isnan(missing[3]));
  EXPECT_EQ(missing[4], 5);
  for (const double value : reader.read("never_written")) EXPECT_TRUE(std::isnan(value));
}

TEST_P(NetcdfReading, AxesHaveBoundsHoweverTheyAreWritten) {
  const NetcdfReader reader(file_);
  const FileAxis t = reader.axis("t");
  EXPECT_EQ(t.units, "days since 2000-01-01");
  EXPECT_EQ(t.bounds, (std::vector<double>{0, 1, 1, 2, 2, 3, 3, 4}));
  const FileAxis y = reader.axis("y");
  EXPECT_EQ(y.values, (std::vector<double>{-60, 0, 60}));
  EXPECT_EQ(y.bounds, (std::vector<double>{-90, -30, -30, 30, 30, 90}));
  EXPECT_FALSE(y.attributes.contains("modulo"));
  const FileAxis x = reader.axis("x");
  EXPECT_EQ(x.units, "1");
  EXPECT_EQ(x.values, (std::vector<double>{0, 1, 2, 3, 4}));
  EXPECT_TRUE(x.bounds.empty());
}

TEST_P(NetcdfReading, ErrorsNameWhatIsNear) {
  const NetcdfReader reader(file_);
  const auto message = [&](const auto& call, Status status) -> std::string {
    try {
      call();
    } catch (const Error& error) {
      EXPECT_EQ(status_name(error.status()), std::string(status_name(status)));
      return error.what();
    }
    return "accepted";
  };
  const std::string name = "\"" + file_.string() + "\"";
  EXPECT_EQ(message([&] { reader.read("plains"); }, Status::not_found),
            "no variable \"plains\" in " + name + "; did you mean \"plain\"?");
  EXPECT_EQ(message([&] { reader.axis("tw"); }, Status::not_found),
            "no dimension \"tw\" in " + name + "; did you mean \"two\"?");
  EXPECT_EQ(message([&] { reader.read("text"); }, Status::invalid_format),
            "expected numbers in variable \"text\" of " + name + ", found text");
  EXPECT_EQ(message([&] { NetcdfReader{folder_ / "none.nc"}; }, Status::not_found),
            "no file \"" + (folder_ / "none.nc").string() + "\"");
  EXPECT_EQ(message([&] { NetcdfReader{folder_}; }, Status::io_error),
            "expected a NetCDF file, found the folder \"" + folder_.string() + "\"");
}

TEST_P(NetcdfReading, AFileCutShortIsNoSilentZero) {
  fs::resize_file(file_, fs::file_size(file_) / 2);
  const auto read_all = [&] {
    const NetcdfReader reader(file_);
    reader.read("plain");
    reader.read("number");
  };
  try {
    read_all();
    FAIL() << "accepted";
  } catch (const Error& error) {
    EXPECT_TRUE(error.status() == Status::invalid_format || error.status() == Status::io_error) << error.what();
    EXPECT_NE(std::string(error.what()).find(file_.string()), std::string::npos);
  }
}

TEST_P(NetcdfReading, CellsAreReadWithTheirElements) {
  using Kind = FieldAxis::Kind;
  const NetcdfReader reader(file_);
  // plain(t = 4, y = 3, x = 5) holds 0.5, 1.5, ...: cells are t and x, elements the last two of y, the second one first.
  const std::vector<FieldAxis> axes = {{Kind::cell}, {Kind::element, 1, 2, 1}, {Kind::cell}};
  const auto at = [](int t, int y, int x) { return 0.5 + 15 * t + 5 * y + x; };
  for (const int first : {0, 3, 7})
    for (const int count : {1, 4, 13 - first}) {
      const auto values = reader.read_cells("plain", axes, first, count);
      ASSERT_EQ(values.size(), static_cast<std::size_t>(2 * count));
      for (int c = 0; c < count; ++c)
        for (int e = 0; e < 2; ++e) EXPECT_EQ(values[2 * c + e], at((first + c) / 5, e + 1, (first + c) % 5)) << first;
    }
  EXPECT_EQ(reader.read_cells("plain", {{Kind::fixed, 3}, {Kind::cell}, {Kind::fixed, 4}}, 1, 2),
            (std::vector<double>{at(3, 1, 4), at(3, 2, 4)}));
  EXPECT_TRUE(std::isnan(reader.read_cells("missing", {{Kind::cell}}, 1, 1).front()));
  EXPECT_EQ(reader.extent("y"), 3);
  EXPECT_FALSE(reader.has_dimension("z"));
  tests::expect_error(Status::out_of_range, [&] {
    reader.read_cells("plain", {{Kind::cell}, {Kind::element, 2, 2, 1}, {Kind::cell}}, 0, 1);
  },
                      "indices 2 to 3 (from 0) of a dimension of 3");
  tests::expect_error(Status::shape_mismatch, [&] { reader.read_cells("plain", {{Kind::cell}}, 0, 1); }, "expected 1");
  tests::expect_error(Status::out_of_range, [&] { reader.read_cells("plain", axes, 19, 2); }, "which has 20");
}

INSTANTIATE_TEST_SUITE_P(Formats, NetcdfReading, testing::Values(0, NC_64BIT_OFFSET, NC_NETCDF4));

}  // namespace
}  // namespace lavoisier::test
