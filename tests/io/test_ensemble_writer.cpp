#include <lavoisier/ensemble_writer.hpp>
#include <lavoisier/files.hpp>
#include <lavoisier/status.hpp>

#include "netcdf_file.hpp"
#include "temporary_folder.hpp"

#include <gtest/gtest.h>

#include <sys/mount.h>
#include <sys/resource.h>
#include <sys/wait.h>
#include <unistd.h>

#include <algorithm>
#include <cmath>
#include <csignal>
#include <cstring>
#include <filesystem>
#include <fstream>
#include <limits>
#include <string>
#include <tuple>
#include <vector>

namespace lavoisier::test {
namespace {

namespace fs = std::filesystem;

EnsembleOptions small_options(const fs::path& folder) {
  EnsembleOptions options;
  options.folder = folder;
  options.stem = "flux";
  options.axes.push_back({"TIME", "hour since 0000-01-01 00:00:00", {{"time_origin", "1-JAN-0000"}}, {366, 1096}, {}});
  options.axes.push_back(
      {"Y", "degrees_north", {{"edges", "YEDGES"}}, {-60, 0, 60}, {-90, -30, -30, 30, 30, 90}});
  options.axes.push_back({"X", "degrees_east", {{"modulo", " "}}, {20, 25, 30, 35, 40}, {}});
  options.fields.push_back({"F", "W m-2", "surface_upward_latent_heat_flux", "latent heat flux"});
  options.fields.push_back({"G", "W m-2", "", ""});
  options.global_attributes = {{"title", "A test"}, {"source", "tests"}, {"history", "made"}};
  return options;
}

std::vector<std::string> names_in(const fs::path& folder) {
  std::vector<std::string> names;
  for (const auto& entry : fs::directory_iterator(folder)) names.push_back(entry.path().filename().string());
  std::sort(names.begin(), names.end());
  return names;
}

class Writing : public testing::Test {
 protected:
  tests::TemporaryFolder temporary_;
  fs::path folder_ = temporary_.path() / "files";  // not there yet
};

void expect_error(Status status, const std::string& message, const auto& call) {
  try {
    call();
    FAIL() << "accepted";
  } catch (const Error& error) {
    EXPECT_EQ(status_name(error.status()), std::string(status_name(status)));
    EXPECT_EQ(std::string(error.what()), message);
  }
}

TEST_F(Writing, AnAttributeMayFollowTheValues) {
  EnsembleWriter writer(small_options(folder_));
  expect_error(Status::invalid_argument, "no member is open", [&] { writer.attribute("late", "text"); });
  for (const int member : {1, 2}) {
    writer.open(member);
    writer.write("F", 0, std::vector<double>(30, member));
    writer.attribute("late", member == 1 ? "first" : "second");
    writer.write("G", 0, std::vector<double>(30, 0.5));
    writer.close();
  }
  for (const auto& [name, text, value] : {std::tuple("flux_0001.nc", "first", 1.0), std::tuple("flux_0002.nc", "second", 2.0)}) {
    EXPECT_EQ(tests::stored_text(folder_ / name, "", "late"), text);
    EXPECT_EQ(tests::stored_text(folder_ / name, "", "title"), "A test");
    EXPECT_EQ(tests::stored_values(folder_ / name, "F"), std::vector<double>(30, value));
    EXPECT_EQ(tests::stored_values(folder_ / name, "G"), std::vector<double>(30, 0.5));
  }
}

TEST_F(Writing, AMemberIsACompleteCfFile) {
  EnsembleWriter writer(small_options(folder_));
  writer.open(7);
  EXPECT_FALSE(fs::exists(folder_ / "flux_0007.nc"));
  std::vector<double> f(30), g(30);
  for (std::size_t i = 0; i < 30; ++i) {
    f[i] = std::sqrt(static_cast<double>(i)) - 2;
    g[i] = 1e-3 * static_cast<double>(i);
  }
  f[4] = std::numeric_limits<double>::quiet_NaN();
  writer.write("F", 0, f);
  writer.write("G", 0, g);
  const fs::path path = writer.close();
  EXPECT_EQ(path, folder_ / "flux_0007.nc");
  EXPECT_EQ(names_in(folder_), std::vector<std::string>{"flux_0007.nc"});

  auto stored = tests::stored_values(path, "F");
  EXPECT_EQ(stored[4], NC_FILL_DOUBLE);
  stored[4] = f[4] = 0;
  EXPECT_EQ(stored, f);
  EXPECT_EQ(tests::stored_values(path, "G"), g);
  EXPECT_EQ(tests::stored_values(path, "realization"), std::vector<double>{7});
  EXPECT_EQ(tests::stored_values(path, "Y_bnds"), (std::vector<double>{-90, -30, -30, 30, 30, 90}));
  EXPECT_EQ(tests::stored_text(path, "", "Conventions"), "CF-1.8");
  EXPECT_EQ(tests::stored_text(path, "", "source"), "tests");
  EXPECT_EQ(tests::stored_text(path, "F", "units"), "W m-2");
  EXPECT_EQ(tests::stored_text(path, "F", "standard_name"), "surface_upward_latent_heat_flux");
  EXPECT_EQ(tests::stored_text(path, "F", "coordinates"), "realization");
  EXPECT_EQ(tests::stored_text(path, "G", "standard_name"), "");
  EXPECT_EQ(tests::stored_text(path, "realization", "standard_name"), "realization");
  EXPECT_EQ(tests::stored_text(path, "Y", "standard_name"), "latitude");
  EXPECT_EQ(tests::stored_text(path, "Y", "bounds"), "Y_bnds");
  EXPECT_EQ(tests::stored_text(path, "Y", "edges"), "");
  EXPECT_EQ(tests::stored_text(path, "X", "axis"), "X");
  EXPECT_EQ(tests::stored_text(path, "X", "modulo"), "");
  EXPECT_EQ(tests::stored_text(path, "TIME", "units"), "hour since 0000-01-01 00:00:00");
  EXPECT_EQ(tests::stored_text(path, "TIME", "calendar"), "proleptic_gregorian");
}

TEST_F(Writing, IndicesAreNoCoordinatesOfElements) {
  EnsembleOptions options = small_options(folder_);
  FileAxis axis{"level", "1", {}, {0, 1}, {}, true};
  options.element_axes.push_back(axis);
  options.fields.push_back({"H", "K s-1", "", "", {"level"}});
  EnsembleWriter writer(options);
  writer.open(1);
  const NetcdfReader made(writer.close());
  EXPECT_EQ(made.extent("level"), 2);
  EXPECT_FALSE(made.has_variable("level"));
  EXPECT_TRUE(made.axis("level").counted);
  EXPECT_FALSE(made.axis("Y").counted);
}

TEST_F(Writing, FieldsHaveDimensionsOfTheirOwn) {
  EnsembleOptions options = small_options(folder_);
  options.element_axes.push_back({"level", "1", {{"formula_terms", "sigma: level"}, {"positive", "down"}}, {0.2, 0.7},
                                  {0, 0.4, 0.4, 1}});
  options.coordinates.push_back({"height", "m", {{"standard_name", "surface_altitude"}, {"bounds", "none"}}, {1, 2}, {}});
  for (int i = 0; i < 15; ++i) options.coordinates[0].values.push_back(i);
  options.fields.push_back({"H", "K s-1", "", "", {"level"}});
  std::vector<double> h(60);
  for (std::size_t i = 0; i < h.size(); ++i) h[i] = 0.5 * static_cast<double>(i);
  EnsembleWriter writer(options);
  writer.open(1);
  for (std::int64_t first = 0; first < 28; first += 7)  // the last two cells are never given
    writer.write("H", first, std::span<const double>(h).subspan(static_cast<std::size_t>(2 * first), 14));
  expect_error(Status::invalid_argument, "field \"H\": expected 2 values a cell, found 3 in all",
               [&] { writer.write("H", 0, std::vector<double>(3)); });
  expect_error(Status::invalid_argument, "cells 29 to 31 of field \"H\", whose grid has 30",
               [&] { writer.write("H", 29, std::vector<double>(4)); });
  const fs::path path = writer.close();
  for (std::size_t i = 56; i < 60; ++i) h[i] = NC_FILL_DOUBLE;
  EXPECT_EQ(tests::stored_values(path, "H"), h);
  EXPECT_EQ(tests::stored_values(path, "G"), std::vector<double>(30, NC_FILL_DOUBLE));
  EXPECT_EQ(tests::stored_values(path, "level_bnds"), (std::vector<double>{0, 0.4, 0.4, 1}));
  EXPECT_EQ(tests::stored_text(path, "level", "formula_terms"), "");
  EXPECT_EQ(tests::stored_text(path, "level", "positive"), "down");
  EXPECT_EQ(tests::stored_values(path, "height"), options.coordinates[0].values);
  EXPECT_EQ(tests::stored_text(path, "height", "bounds"), "");
  EXPECT_EQ(tests::stored_text(path, "H", "coordinates"), "height realization");

  options.fields.back().dimensions = {"lev"};
  expect_error(Status::invalid_argument, "field \"H\": there is no element axis \"lev\"",
               [&] { const EnsembleWriter other(options); });
  options.fields.pop_back();
  options.coordinates[0].values.pop_back();
  expect_error(Status::invalid_argument, "coordinate \"height\": expected 15 values, found 14",
               [&] { const EnsembleWriter other(options); });
}

TEST_F(Writing, PiecesOfAnySizeMakeTheSameValues) {
  EnsembleOptions options = small_options(folder_);
  options.axes[0].values.assign(700, 0);
  for (std::size_t i = 0; i < 700; ++i) options.axes[0].values[i] = static_cast<double>(i);
  options.axes[0].units = "days since 2001-01-01";
  const std::int64_t cells = 700 * 15;
  std::vector<double> f(static_cast<std::size_t>(cells));
  for (std::size_t i = 0; i < f.size(); ++i) f[i] = std::sin(static_cast<double>(i));
  std::vector<float> single(f.begin(), f.end());
  const std::vector<double> rounded(single.begin(), single.end());
  for (const auto storage : {Storage::f64, Storage::f32})
    for (const int compression : {0, 4}) {
      options.storage = storage;
      options.compression = compression;
      EnsembleWriter writer(options);
      std::int64_t member = 0;
      for (const std::int64_t size : {1, 7, 1000, 10500}) {
        writer.open(++member);
        for (std::int64_t first = 0; first < cells; first += size) {
          const auto count = static_cast<std::size_t>(std::min(size, cells - first));
          const std::span<const double> piece(f.data() + first, count);
          writer.write("F", first, piece);
          writer.write("G", first, piece);
        }
        const auto path = writer.close();
        EXPECT_EQ(tests::stored_values(path, "F"), storage == Storage::f64 ? f : rounded) << size;
        EXPECT_EQ(tests::stored_values(path, "G"), storage == Storage::f64 ? f : rounded) << size;
        EXPECT_EQ(tests::stored_text(path, "TIME", "calendar"), "standard");
      }
    }
}

TEST_F(Writing, AnyOrderAndGaps) {
  EnsembleWriter writer(small_options(folder_));
  writer.open(1);
  const std::vector<double> one = {1, 2, 3};
  writer.write("F", 20, one);
  writer.write("F", 4, one);
  writer.write("F", 7, one);
  writer.write("F", 5, std::vector<double>{9});
  const auto stored = tests::stored_values(writer.close(), "F");
  std::vector<double> expected(30, NC_FILL_DOUBLE);
  expected[20] = expected[4] = expected[7] = 1;
  expected[21] = expected[8] = 2;
  expected[22] = expected[6] = expected[9] = 3;
  expected[5] = 9;
  EXPECT_EQ(stored, expected);
}

TEST_F(Writing, AnUnfinishedMemberLeavesNothing) {
  {
    EnsembleWriter writer(small_options(folder_));
    writer.open(1);
    writer.write("F", 0, std::vector<double>(10, 1.0));
  }
  EXPECT_EQ(names_in(folder_), std::vector<std::string>{});
  EXPECT_FALSE(hdf5_write_failed());
}

TEST_F(Writing, AnOlderFileStaysUntilTheNewOneIsComplete) {
  fs::create_directories(folder_);
  std::ofstream(folder_ / "flux_0001.nc") << "old";
  {
    EnsembleWriter writer(small_options(folder_));
    writer.open(1);
  }
  EXPECT_EQ(fs::file_size(folder_ / "flux_0001.nc"), 3U);
  EnsembleWriter writer(small_options(folder_));
  writer.open(1);
  EXPECT_GT(fs::file_size(writer.close()), 1000U);
}

TEST_F(Writing, WrongCallsAreRefused) {
  const auto with = [&](const auto& change) {
    EnsembleOptions options = small_options(folder_);
    change(options);
    return options;
  };
  const auto refuse = [&](const std::string& message, const auto& change) {
    expect_error(Status::invalid_argument, message, [&] { EnsembleWriter{with(change)}; });
  };
  refuse("expected a plain file name as stem, found \"a/b\"", [](auto& o) { o.stem = "a/b"; });
  refuse("an ensemble file needs at least one field", [](auto& o) { o.fields.clear(); });
  refuse("CF names are letters, digits and _, a letter first; found the field \"2x\"", [](auto& o) { o.fields[0].name = "2x"; });
  refuse("the name \"G\" of a field is taken", [](auto& o) { o.fields[0].name = "G"; });
  refuse("the name \"realization\" of a field is taken", [](auto& o) { o.fields[0].name = "realization"; });
  refuse("field \"F\" has no units", [](auto& o) { o.fields[0].units.clear(); });
  refuse("axis \"Y\": expected 6 bounds, found 5", [](auto& o) { o.axes[1].bounds.pop_back(); });
  refuse("expected a compression of 0 to 9, found 10", [](auto& o) { o.compression = 10; });

  EnsembleWriter writer(small_options(folder_));
  const std::vector<double> values(5, 1.0);
  expect_error(Status::invalid_argument, "open() a member before values are written", [&] { writer.write("F", 0, values); });
  expect_error(Status::invalid_argument, "no member is open", [&] { writer.close(); });
  expect_error(Status::invalid_argument, "expected a member number from 1, found 0", [&] { writer.open(0); });
  writer.open(1);
  expect_error(Status::invalid_argument, "close() the member in progress before the next is opened", [&] { writer.open(2); });
  expect_error(Status::invalid_argument, "no field \"H\" in this ensemble; it has F, G", [&] { writer.write("H", 0, values); });
  expect_error(Status::invalid_argument, "cells 26 to 31 of field \"F\", whose grid has 30", [&] { writer.write("F", 26, values); });
  expect_error(Status::non_finite, "field \"F\", cell 3: inf cannot be stored as double",
               [&] { writer.write("F", 3, std::vector<double>{std::numeric_limits<double>::infinity()}); });
}

TEST_F(Writing, AValueBeyondFloatIsRefused) {
  EnsembleOptions options = small_options(folder_);
  options.storage = Storage::f32;
  EnsembleWriter writer(options);
  writer.open(1);
  expect_error(Status::out_of_range, "field \"F\", cell 1: 1e+39 cannot be stored as float",
               [&] { writer.write("F", 0, std::vector<double>{1, 1e39}); });
}

TEST_F(Writing, AFolderThatCannotBeWrittenIsNamed) {
  fs::create_directories(folder_);
  std::ofstream(folder_ / "file") << "x";
  expect_error(Status::io_error,
               "cannot make the folder \"" + (folder_ / "file" / "deeper").string() + "\": Not a directory",
               [&] { EnsembleWriter{small_options(folder_ / "file" / "deeper")}; });
  if (::geteuid() == 0) {
    // Root may write anywhere but here.
    expect_error(Status::io_error, "cannot make the folder \"/proc/lavoisier\": No such file or directory",
                 [&] { EnsembleWriter{small_options("/proc/lavoisier")}; });
  } else {
    fs::permissions(folder_, fs::perms::owner_read | fs::perms::owner_exec);
    EnsembleWriter writer(small_options(folder_));
    expect_error(Status::io_error, "cannot make \"" + (folder_ / "flux_0001.nc").string() + "\": Permission denied",
                 [&] { writer.open(1); });
    fs::permissions(folder_, fs::perms::owner_all);
  }
}

/// Runs `body` in a process of its own and returns what it reports: after a failed write HDF5 must never end normally.
template <class Body>
std::string in_child(const Body& body) {
  int ends[2];
  if (::pipe(ends) != 0) return "no pipe";
  const pid_t child = ::fork();
  if (child == 0) {
    std::string text;
    try {
      text = body();
    } catch (const Error& error) {
      text = std::string(status_name(error.status())) + "|" + (hdf5_write_failed() ? "failed" : "sound") + "|" + error.what();
    }
    const auto written = ::write(ends[1], text.data(), text.size());
    ::_exit(written == static_cast<ssize_t>(text.size()) ? 0 : 1);
  }
  ::close(ends[1]);
  std::string text;
  char buffer[4096];
  for (ssize_t got = 0; (got = ::read(ends[0], buffer, sizeof buffer)) > 0;) text.append(buffer, static_cast<std::size_t>(got));
  ::close(ends[0]);
  int status = 0;
  ::waitpid(child, &status, 0);
  if (!WIFEXITED(status) || WEXITSTATUS(status) != 0) text += " (the process ended badly)";
  return text;
}

EnsembleOptions large_options(const fs::path& folder, std::size_t steps) {
  EnsembleOptions options = small_options(folder);
  options.axes[0].values.resize(steps);
  for (std::size_t i = 0; i < steps; ++i) options.axes[0].values[i] = static_cast<double>(i);
  options.axes[2].values.resize(1000);
  for (std::size_t i = 0; i < 1000; ++i) options.axes[2].values[i] = static_cast<double>(i);
  return options;
}

void write_member(EnsembleWriter& writer, std::int64_t steps) {
  std::vector<double> values(3000);
  for (std::int64_t t = 0; t < steps; ++t) {
    for (std::size_t i = 0; i < values.size(); ++i) values[i] = std::sin(static_cast<double>(i + 3000 * t));
    writer.write("F", t * 3000, values);
    writer.write("G", t * 3000, values);
  }
}

/// A file system of 20 MB, where this user may mount one.
class SmallDisk : public Writing {
 protected:
  void SetUp() override {
    fs::create_directories(folder_);
    if (::mount("tmpfs", folder_.c_str(), "tmpfs", 0, "size=20m") != 0)
      GTEST_SKIP() << "a full disk is not tested: this user may not mount a tmpfs (" << std::strerror(errno) << ")";
    mounted_ = true;
  }
  void TearDown() override {
    if (mounted_) ::umount(folder_.c_str());
  }
  bool mounted_ = false;
};

TEST_F(SmallDisk, TooLittleSpaceIsSeenBeforeTheFileBegins) {
  const std::string report = in_child([&]() -> std::string {
    EnsembleWriter writer(large_options(folder_, 500));  // 24 MB
    writer.open(1);
    return "accepted";
  });
  const std::string name = "\"" + (folder_ / "flux_0001.nc").string() + "\"";
  EXPECT_EQ(report.rfind("no_space|sound|" + name + " needs 24.1 MB (", 0), 0U) << report;
  EXPECT_NE(report.find("found 21 MB (20971520 bytes) free in \"" + folder_.string() + "\""), std::string::npos) << report;
  EXPECT_EQ(names_in(folder_), std::vector<std::string>{});
}

TEST_F(SmallDisk, ADiskThatFillsUpDuringTheWrite) {
  for (const int compression : {0, 1}) {
    const std::string report = in_child([&]() -> std::string {
      EnsembleOptions options = large_options(folder_, 250);  // 12 MB
      options.compression = compression;
      EnsembleWriter writer(options);
      writer.open(1);
      writer.write("F", 0, std::vector<double>(3000, 1.0));
      const std::string filler(15 << 20, 'x');
      std::ofstream(folder_ / "filler") << filler;
      try {
        write_member(writer, 250);
        writer.close();
      } catch (const Error&) {
        // No further file is begun in this process, and destruction of what is left is safe.
        try {
          writer.open(2);
          return "went on";
        } catch (const Error& second) {
          if (second.status() != Status::io_error) return "another error";
        }
        throw;
      }
      return "accepted";
    });
    EXPECT_EQ(report.rfind("no_space|failed|the disk filled up while ", 0), 0U) << report;
    EXPECT_NE(report.find("No space left on device"), std::string::npos) << report;
    EXPECT_NE(report.find((folder_ / "flux_0001.nc").string()), std::string::npos) << report;
    EXPECT_EQ(names_in(folder_), std::vector<std::string>{"filler"}) << "nothing half-written stays";
    fs::remove(folder_ / "filler");
  }
}

TEST_F(Writing, AnyOtherFailureOfTheSystemIsReported) {
  const std::string report = in_child([&]() -> std::string {
    std::signal(SIGXFSZ, SIG_IGN);
    const rlimit limit = {4 << 20, 4 << 20};  // files of at most 4 MB
    ::setrlimit(RLIMIT_FSIZE, &limit);
    EnsembleWriter writer(large_options(folder_, 250));
    writer.open(1);
    write_member(writer, 250);
    writer.close();
    return "accepted";
  });
  EXPECT_EQ(report.rfind("io_error|failed|cannot write ", 0), 0U) << report;
  EXPECT_NE(report.find("File too large"), std::string::npos) << report;
  EXPECT_EQ(names_in(folder_), std::vector<std::string>{});
}

}  // namespace
}  // namespace lavoisier::test
