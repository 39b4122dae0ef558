#include <lavoisier/csv_reader.hpp>
#include <lavoisier/status.hpp>

#include "expect_error.hpp"
#include "temporary_folder.hpp"

#include <gtest/gtest.h>

#include <cmath>
#include <cstdint>
#include <fstream>
#include <string>
#include <vector>

namespace lavoisier::tests {
namespace {

class Csv : public testing::Test {
 protected:
  std::filesystem::path write(const std::string& text, const std::string& name = "t.csv") const {
    const auto path = folder_.path() / name;
    std::ofstream(path, std::ios::binary) << text;
    return path;
  }
  std::vector<double> all(const CsvReader& reader) const {
    std::vector<std::size_t> columns;
    for (std::size_t c = 0; c < reader.columns().size(); ++c) columns.push_back(c);
    return reader.read(columns, 0, reader.rows());
  }
  TemporaryFolder folder_;
};

TEST_F(Csv, ReadsWhatTheStandardWrites) {
  const CsvReader reader(
      write("\xEF\xBB\xBF\"T, [K]\", x ,\"a \"\"b\"\"\",note\r\n"
            "1,+2.5, -3e2 ,plain\r\n"
            "\"4\",.5,0x,\"two\r\nlines, and a comma\"\r\n"
            "7,8,9,Z\xC3\xBCrich"));
  EXPECT_EQ(reader.columns(), (std::vector<std::string>{"T, [K]", "x", "a \"b\"", "note"}));
  ASSERT_EQ(reader.rows(), 3);
  EXPECT_EQ(reader.read({0, 1}, 0, 3), (std::vector<double>{1, 2.5, 4, .5, 7, 8}));
  EXPECT_EQ(reader.read({2}, 0, 1), (std::vector<double>{-300}));
  EXPECT_EQ(reader.read({2, 0, 2}, 2, 1), (std::vector<double>{9, 7, 9}));
  EXPECT_EQ(reader.line(0), 2);
  EXPECT_EQ(reader.line(2), 5) << "the row before has a line break in a cell";
  EXPECT_EQ(reader.place(1, 1), reader.path().string() + ":3:5");
  EXPECT_EQ(reader.column("x"), 1U);
}

TEST_F(Csv, NumbersAreReadToTheLastBit) {
  const CsvReader reader(write("x\n0.1\n4.9406564584124654e-324\n1.7976931348623157e308\n-0\n450.09469116684335\n"));
  const auto x = reader.read({0}, 0, 5);
  EXPECT_EQ(x, (std::vector<double>{0.1, 4.9406564584124654e-324, 1.7976931348623157e308, 0.0, 450.09469116684335}));
  EXPECT_TRUE(std::signbit(x[3]));
}

TEST_F(Csv, MissingValuesAreNaN) {
  CsvOptions options;
  options.missing = {"NA", "-999"};
  const CsvReader reader(write("x,y,z\n,NaN,1\nNA,-999, \n-999.0,\"\",nan\n"), options);
  const auto values = all(reader);
  const std::vector<bool> missing = {true, true, false, true, true, true, false, true, true};
  for (std::size_t i = 0; i < missing.size(); ++i) EXPECT_EQ(std::isnan(values[i]), missing[i]) << i;
  EXPECT_EQ(values[6], -999.0) << "another spelling than the one listed";
}

TEST_F(Csv, CommentsDelimitersAndBlankLines) {
  CsvOptions options;
  options.comment = '#';
  options.delimiter = ';';
  const CsvReader reader(write("# made by hand, \"unclosed\n\nx;y\n1;2\n\r\n# between\n3;4\n\n"), options);
  EXPECT_EQ(all(reader), (std::vector<double>{1, 2, 3, 4}));
  EXPECT_EQ(reader.line(1), 7);
  // One column: a blank line is a missing value.
  const CsvReader single(write("x\n1\n\n3\n"));
  ASSERT_EQ(single.rows(), 3);
  EXPECT_TRUE(std::isnan(single.read({0}, 1, 1)[0]));
  expect_error(
      Status::invalid_argument,
      [&] {
        CsvReader(write("x\n1\n"), {'"', '\0', {}});
      },
      "delimiter");
  expect_error(
      Status::invalid_argument,
      [&] {
        CsvReader(write("x\n1\n"), {'#', '#', {}});
      },
      "same character");
}

TEST_F(Csv, AnyPieceInAnyOrderEqualsTheWhole) {
  std::string text = "a,\"b\nc\",d\n";
  const std::int64_t rows = 1009;
  for (std::int64_t r = 0; r < rows; ++r)
    text += std::to_string(r) + ",\"text" + std::string(static_cast<std::size_t>(r % 97), 'x') + "\n\"," +
            std::to_string(-r) + "\n";
  const CsvReader reader(write(text));
  ASSERT_EQ(reader.rows(), rows);
  std::uint64_t state = 1;
  for (int k = 0; k < 300; ++k) {
    state = state * 6364136223846793005ULL + 1442695040888963407ULL;
    const auto first = static_cast<std::int64_t>((state >> 33) % static_cast<std::uint64_t>(rows));
    const std::int64_t count = std::min<std::int64_t>(static_cast<std::int64_t>((state >> 20) % 200), rows - first);
    const auto values = reader.read({2, 0}, first, count);
    for (std::int64_t i = 0; i < count; ++i) {
      ASSERT_EQ(values[static_cast<std::size_t>(2 * i)], -static_cast<double>(first + i));
      ASSERT_EQ(values[static_cast<std::size_t>(2 * i + 1)], static_cast<double>(first + i));
    }
    ASSERT_EQ(reader.line(first), 3 + 2 * first);
  }
  expect_error(
      Status::out_of_range, [&] { (void)reader.read({0}, rows, 1); }, "1009");
  expect_error(
      Status::out_of_range, [&] { (void)reader.read({3}, 0, 1); }, "column 3");
}

TEST_F(Csv, AnyBytesAreReadOrRefusedAndNamesSurviveQuoting) {
  std::uint64_t state = 99;
  const auto draw = [&](std::uint64_t below) {
    state = state * 6364136223846793005ULL + 1442695040888963407ULL;
    return static_cast<std::size_t>((state >> 33) % below);
  };
  const std::vector<std::string> pieces = {",",    ",",  "\n",       "\n",   "1", "1", "-2.5e3",      "\"",
                                           "\r\n", "\r", "\xC3\xBC", "\xC3", " ", "#", "\xEF\xBB\xBF"};
  int read = 0;
  for (int k = 0; k < 3000; ++k) {
    std::string text;
    for (std::size_t n = draw(14); n > 0; --n) text += pieces[draw(pieces.size())];
    try {
      const CsvReader reader(write(text));
      (void)all(reader);
      (void)reader.line(reader.rows() - 1);
      ++read;
    } catch (const Error& error) {
      ASSERT_EQ(error.status(), Status::invalid_format) << error.what();
    }
  }
  EXPECT_GT(read, 10);
  for (int k = 0; k < 300; ++k) {
    std::string name = "x";
    for (std::size_t n = draw(8); n > 0; --n)
      name += std::vector<std::string>{",", "\"", "\n", " ", "\xC3\xBC", "a", ";"}[draw(7)];
    const CsvReader reader(write(csv_cell(name) + ",y\n1,2\n"));
    ASSERT_EQ(reader.columns().front(), name);
    ASSERT_EQ(reader.read({1, 0}, 0, 1), (std::vector<double>{2, 1}));
  }
}

struct BadFile {
  std::string text, message;  ///< the message behind the file's name
};

class BadCsv : public testing::TestWithParam<BadFile> {};

TEST_P(BadCsv, IsRefusedHere) {
  const TemporaryFolder folder;
  const auto path = folder.path() / "bad.csv";
  std::ofstream(path, std::ios::binary) << GetParam().text;
  try {
    const CsvReader reader(path);
    std::vector<std::size_t> columns;
    for (std::size_t c = 0; c < reader.columns().size(); ++c) columns.push_back(c);
    (void)reader.read(columns, 0, reader.rows());
    FAIL() << "accepted";
  } catch (const Error& error) {
    EXPECT_EQ(error.status(), Status::invalid_format);
    EXPECT_EQ(error.what(), path.string() + ":" + GetParam().message);
  }
}

using std::string_literals::operator""s;

INSTANTIATE_TEST_SUITE_P(
    Table, BadCsv,
    testing::Values(
        BadFile{"", "1:1: expected a header row, found an empty file"},
        BadFile{"\xEF\xBB\xBF\n\n", "1:1: expected a header row, found an empty file"},
        BadFile{"x,y\n", "2:1: expected at least one row below the header, found none"},
        BadFile{"x,y\n1,2\n3\n", "3:2: expected 2 cells as in the header, found 1: none for \"y\""},
        BadFile{"x,y,z\n1\n", "2:2: expected 3 cells as in the header, found 1: none for \"y\", \"z\""},
        BadFile{"x,y\n1,2,3\n", "2:5: expected 2 cells as in the header, found 3"},
        BadFile{"x,y\n1,2,\n", "2:5: expected 2 cells as in the header, found 3"},
        BadFile{"x,y, x\n1,2,3\n", "1:5: column \"x\" stands twice, as columns 1 and 3"},
        BadFile{"x,,z\n1,2,3\n", "1:3: column 2 has no name"},
        BadFile{"x,T [K]\n1,2\n3,warm\n", "3:3: column \"T [K]\": expected a number, found \"warm\""},
        BadFile{"x\n1.5.2\n", "2:1: column \"x\": expected a number, found \"1.5.2\""},
        BadFile{"x\n1 2\n", "2:1: column \"x\": expected a number, found \"1 2\""},
        BadFile{"x\n0x10\n", "2:1: column \"x\": expected a number, found \"0x10\""},
        BadFile{"x\n-inf\n", "2:1: column \"x\": expected a number, found \"-inf\""},
        BadFile{"x\n+-1\n", "2:1: column \"x\": expected a number, found \"+-1\""},
        BadFile{"x\n1e400\n",
                "2:1: column \"x\": expected a number, found \"1e400\", which is beyond the range of double precision"},
        BadFile{"x\n\"3,14\"\n",
                "2:1: column \"x\": expected a number, found \"3,14\": decimals are set off by a point"},
        BadFile{"x,y\n1,\"2\n3,4\n", "2:3: a quote that is never closed"},
        BadFile{"x,y\n1,2\"\n",
                "2:4: a quote within a cell that does not begin with one: put the whole cell in quotes and double it"},
        BadFile{"x,y\n\"1\"2,3\n", "2:4: expected \",\" or the end of the line behind a closing quote"},
        BadFile{"x,y\n1,2\r3,4\n", "2:4: a carriage return without a line feed"},
        BadFile{"x,\xE9\n1,2\n", "1:3: expected UTF-8, found a character cut short"},
        BadFile{"\xC3\xBC,y\n1,\xFF\n", "2:3: expected UTF-8, found the byte 0xFF"},
        BadFile{"\xC3\xBC,y\n1,\xC0\xAF\n", "2:3: expected UTF-8, found the byte 0xC0"},
        BadFile{"\xC3\xBC\xC3\xBC,\xED\xA0\x80\n1,2\n", "1:4: expected UTF-8, found the byte 0xA0"},
        BadFile{"x\n1\n\xC3", "3:1: expected UTF-8, found a character cut short"},
        BadFile{"CDF\x01\x00\x00"s, "1:4: expected text, found the byte 0x01"},
        BadFile{"x,y\n1,\0\n"s, "2:3: expected text, found the byte 0x00"}));

TEST_F(Csv, FilesThatAreNone) {
  expect_error(
      Status::not_found, [&] { CsvReader(folder_.path() / "none.csv"); }, "no file");
  expect_error(
      Status::io_error, [&] { CsvReader{folder_.path()}; }, "the folder");
  const CsvReader reader(write("\n\nflow,level\n1,2\n"));
  try {
    (void)reader.column("flw");
    FAIL() << "found";
  } catch (const Error& error) {
    EXPECT_EQ(error.status(), Status::not_found);
    EXPECT_EQ(error.what(), reader.path().string() + ":3:1: no column \"flw\"; did you mean \"flow\"?");
  }
  expect_error(
      Status::not_found, [&] { (void)reader.column("pressure"); }, "there are \"flow\", \"level\"");
}

TEST_F(Csv, CellsAreQuotedWhereTheyMustBe) {
  EXPECT_EQ(csv_cell("F_EB"), "F_EB");
  EXPECT_EQ(csv_cell("a,b"), "\"a,b\"");
  EXPECT_EQ(csv_cell("say \"x\""), "\"say \"\"x\"\"\"");
  EXPECT_EQ(csv_cell(" x"), "\" x\"");
}

}  // namespace
}  // namespace lavoisier::tests
