#include <lavoisier/domain.hpp>
#include <lavoisier/files.hpp>
#include <lavoisier/status.hpp>

#include "temporary_folder.hpp"

#include <gtest/gtest.h>

#include <sys/stat.h>

#include <filesystem>
#include <fstream>
#include <span>
#include <string>
#include <vector>

namespace lavoisier::test {
namespace {

const std::string base = R"(format = 1
name = "pipes"
title = "Two pipes"
[samples]
dimensions = ["time", "x"]
column = ["x"]
empty = "all missing"
[split]
axis = "x"
width = 10.0
modulus = 3
test = [0]
validation = [1]
[source_units]
"KG/S" = "kg s-1"
[inputs.inflow]
units = "kg s-1"
source = "IN"
[inputs.season]
units = "1"
source = { axis = "time", index = true, transform = "cosine", period = 4.0 }
[outputs.left]
units = "kg s-1"
[outputs.right]
units = "kg s-1"
[laws]
mass = { equation = "left + right = inflow", tolerance = 0.5 }
)";

std::string replaced(const std::string& from, const std::string& to) {
  std::string text = base;
  const auto at = text.find(from);
  EXPECT_NE(at, std::string::npos) << from;
  EXPECT_EQ(text.find(from, at + 1), std::string::npos) << from << " stands twice";
  return text.replace(at, from.size(), to);
}

TEST(DomainFile, IsReadWhole) {
  const Domain domain = parse_domain(base, "pipes.toml");
  EXPECT_EQ(domain.name, "pipes");
  EXPECT_EQ(domain.title, "Two pipes");
  ASSERT_EQ(domain.layout.variables().size(), 4U);
  // In the file's order, not the alphabet's.
  EXPECT_EQ(domain.layout.variables()[0].name, "inflow");
  EXPECT_EQ(domain.layout.variables()[1].name, "season");
  EXPECT_EQ(domain.layout.variables()[2].name, "left");
  EXPECT_EQ(domain.layout.variables()[0].accepted_units, std::vector<std::string>{"KG/S"});
  EXPECT_TRUE(domain.layout.variables()[1].accepted_units.empty());
  EXPECT_EQ(domain.sources.at("inflow").variable, "IN");
  EXPECT_EQ(domain.sources.at("left").variable, "left");
  EXPECT_TRUE(domain.sources.at("season").index);
  EXPECT_EQ(domain.sources.at("season").transform, Transform::cosine);
  EXPECT_EQ(domain.sources.at("season").period, 4.0);
  ASSERT_TRUE(domain.split.has_value());
  EXPECT_EQ(domain.split->validation, std::vector<int>{1});
  ASSERT_EQ(domain.laws.size(), 1U);
  EXPECT_EQ(domain.laws[0].physics_tolerance, 0.5);
  EXPECT_EQ(domain.digest, sha256(std::as_bytes(std::span(base.data(), base.size()))));
}

TEST(DomainFile, ThatIsNoFileOfItsSizeIsRefused) {
  const tests::TemporaryFolder folder;
  const std::filesystem::path large = folder.path() / "large.toml", pipe = folder.path() / "pipe.toml";
  std::ofstream(large) << base << std::string((4 << 20) - base.size(), '#');
  EXPECT_EQ(load_domain(large.string()).name, "pipes");
  std::ofstream(large, std::ios::app) << '#';
  ASSERT_EQ(::mkfifo(pipe.c_str(), 0600), 0);  // to open it would be to wait for a writer
  const auto refused = [](const std::string& file, Status status, const std::string& expected) {
    try {
      load_domain(file);
      ADD_FAILURE() << file << " accepted";
    } catch (const Error& error) {
      EXPECT_EQ(error.status(), status) << error.what();
      EXPECT_NE(std::string(error.what()).find(expected), std::string::npos) << error.what();
    }
  };
  refused(large.string(), Status::invalid_format, "expected a file of at most 4194304 bytes, found 4194305");
  refused(pipe.string(), Status::invalid_format, "expected a file, found a device, a pipe or a socket");
  refused("/dev/zero", Status::invalid_format, "\"/dev/zero\": expected a file, found a device");
  refused(folder.path().string() + "/none.toml", Status::not_found, "none.toml");
  refused(folder.path().string() + "/", Status::io_error, "");
}

struct BadFile {
  std::string from, to;  ///< what is changed in `base`
  Status status;
  std::string where, message;
};

class BadDomainFile : public testing::TestWithParam<BadFile> {};

TEST_P(BadDomainFile, IsRefusedHere) {
  const BadFile& expected = GetParam();
  try {
    parse_domain(replaced(expected.from, expected.to), "pipes.toml");
    FAIL() << "accepted";
  } catch (const Error& error) {
    EXPECT_EQ(status_name(error.status()), std::string(status_name(expected.status)));
    const std::string text = error.what();
    EXPECT_EQ(text.substr(0, text.find('\n')), "pipes.toml:" + expected.where + ": " + expected.message);
    EXPECT_NE(text.find("^"), std::string::npos);
  }
}

constexpr auto format_error = Status::invalid_format;

INSTANTIATE_TEST_SUITE_P(
    Table, BadDomainFile,
    testing::Values(
        BadFile{"format = 1", "format = 2", Status::unsupported_version, "1:10", "expected format = 1, found 2"},
        BadFile{"format = 1", "", format_error, "1:1",
                "the domain file needs the key \"format\": the version of this format, 1"},
        BadFile{"format = 1", "formt = 1", format_error, "1:1",
                "unknown key \"formt\" in the domain file; did you mean \"format\"?"},
        BadFile{"title = \"Two pipes\"", "title = 2", format_error, "3:9",
                "expected a text for \"title\" in the domain file, found an integer"},
        BadFile{"column = [\"x\"]", "column = [\"y\"]", Status::not_found, "6:10",
                "\"y\" is no sample dimension; these are time, x"},
        BadFile{"\"time\", \"x\"]", "\"x\", \"x\"]", format_error, "5:20",
                "\"x\" stands twice in \"dimensions\" of [samples]"},
        BadFile{"\"all missing\"", "\"land\"", format_error, "7:9",
                "expected \"all missing\" or an array of inputs for \"empty\", found \"land\""},
        BadFile{"\"all missing\"", "[\"season\"]", Status::not_found, "7:9",
                "\"season\" is no input that is read from a field; these are inflow"},
        BadFile{"test = [0]", "test = [3]", format_error, "12:8", "block 3 of \"test\" is beyond the modulus 3"},
        BadFile{"validation = [1]", "validation = [0]", format_error, "13:14",
                "block 0 of \"validation\" is used twice"},
        BadFile{"validation = [1]", "validation = [1, 2]", format_error, "12:8",
                "this split leaves no block for training"},
        BadFile{"width = 10.0", "width = 0", format_error, "10:9",
                "expected a number above 0 for \"width\" in [split], found 0"},
        BadFile{"\"KG/S\" = \"kg s-1\"", "\"KG/S\" = \"no unit\"", Status::unit_mismatch, "15:10",
                "expected units that UDUNITS can read, found \"no unit\""},
        BadFile{"[inputs.season]", "[inputs.2nd]", format_error, "19:9",
                "\"2nd\" cannot be used in equations: expected letters, digits and _, no digit first"},
        BadFile{"[inputs.season]", "[inputs.sum]", format_error, "19:9",
                "\"sum\" is a word of equations: choose another name"},
        BadFile{"[outputs.left]", "[outputs.inflow]", format_error, "22:10",
                "\"inflow\" is declared twice, first in line 16"},
        BadFile{"[outputs.left]\nunits", "[outputs.left]\nunit", format_error, "23:1",
                "unknown key \"unit\" in [outputs.left]; did you mean \"units\"?"},
        BadFile{"source = \"IN\"", "source = { variable = \"IN\", axis = \"x\" }", format_error, "18:10",
                "the source of inflow needs one of \"variable\" (a field of the file), \"axis\" (a coordinate) and "
                "\"magnitude\" (of several fields)"},
        BadFile{"transform = \"cosine\"", "transform = \"tangent\"", format_error, "21:53",
                "expected the transform sine, cosine, logarithm or square_root, found \"tangent\""},
        BadFile{", period = 4.0", "", format_error, "21:10",
                "the source of season needs the key \"period\": of the argument, in its units: sine(2 pi value / "
                "period)"},
        BadFile{"index = true, ", "", format_error, "21:10",
                "the source of season needs the key \"units\": of the transform's argument"},
        BadFile{"tolerance = 0.5", "tolerance = \"loose\"", Status::not_found, "27:58",
                "expected a number or the name of a tolerance (atmospheric_column_energy, "
                "atmospheric_column_water, chemical_process_cstr, chemical_process_plant, ocean_heat_budget), found \"loose\""},
        BadFile{"tolerance = 0.5", "tolerance = -1", format_error, "27:58", "expected a tolerance of 0 or more"},
        BadFile{"tolerance = 0.5", "units = \"kg\"", Status::unit_mismatch, "27:54",
                "law mass: expected terms in kg, found kg s-1"},
        BadFile{"\"left + right = inflow\"", "3", format_error, "27:21",
                "expected a text for \"equation\" in law mass, found an integer"},
        BadFile{"[laws]", "[laws]\nagain = \"2 * left + 2 * right = 2 * inflow + 1\"", Status::unit_mismatch, "27:44",
                "law again: 2 * inflow [kg s-1] and 1 [1] cannot be added: 1 is not kg s-1"}));

TEST(DomainFile, WhatIsNoTomlIsRefusedWithItsPlace) {
  try {
    parse_domain(replaced("title = \"Two pipes\"", "title = \"Two pipes"), "pipes.toml");
    FAIL();
  } catch (const Error& error) {
    EXPECT_EQ(error.status(), Status::invalid_format);
    EXPECT_EQ(std::string(error.what()).rfind("pipes.toml:3:19: not TOML: ", 0), 0U) << error.what();
  }
}

TEST(DomainFile, ContradictoryLawsAreNamedAndRedundantOnesAreFine) {
  EXPECT_NO_THROW(parse_domain(base + "again = \"2 * left + 2 * right = 2 * inflow\"\n", "pipes.toml"));
  try {
    parse_domain(base + "more = \"left + right = 2 * inflow\"\nthird = \"left - right = 0\"\n", "pipes.toml");
    FAIL();
  } catch (const Error& error) {
    EXPECT_EQ(error.status(), Status::inconsistent_laws);
    const std::string text = error.what();
    EXPECT_EQ(text.rfind("pipes.toml:28:1: ", 0), 0U) << text;
    EXPECT_NE(text.find("'more'"), std::string::npos) << text;
    EXPECT_NE(text.find("'mass'"), std::string::npos) << text;
  }
}

TEST(DomainFile, OneThatIsMissingOrUnknownSaysWhatThereIs) {
  try {
    load_domain("ocean_heat_bugdet");
    FAIL();
  } catch (const Error& error) {
    EXPECT_EQ(error.status(), Status::not_found);
    EXPECT_EQ(std::string(error.what()),
              "no domain \"ocean_heat_bugdet\"; shipped are atmospheric_column, atmospheric_column_partial, "
              "chemical_process_cstr, chemical_process_plant, downscaling, downscaling_masked, images, images_blocks, images_cifar10, "
              "ocean_heat_budget, partial_charges, portfolio, portfolio_long_short, portfolio_sectors (did you mean \"ocean_heat_budget\"?); a file "
              "of your own is given by its path (NAME.toml)");
  }
  try {
    load_domain("missing/file.toml");
    FAIL();
  } catch (const Error& error) {
    EXPECT_EQ(error.status(), Status::not_found);
    EXPECT_NE(std::string(error.what()).find("missing/file.toml"), std::string::npos) << error.what();
  }
}

TEST(DomainFile, TheDocumentedExampleWorks) {
  const auto bytes = read_file(std::filesystem::path(LAVOISIER_SOURCE_DIR) / "docs" / "domain-files.md");
  const std::string page(reinterpret_cast<const char*>(bytes.data()), bytes.size());
  const std::string fence = "```toml\n";
  const auto begin = page.find(fence) + fence.size();
  ASSERT_NE(begin, std::string::npos);
  const std::string example = page.substr(begin, page.find("```", begin) - begin);
  const Domain domain = parse_domain(example, "heat.toml");
  ASSERT_EQ(domain.laws.size(), 1U);
  EXPECT_EQ(domain.laws[0].terms.size(), 4U);
  EXPECT_EQ(domain.laws[0].units, "W m-2");
  EXPECT_EQ(domain.laws[0].physics_tolerance, 0.01);
  ASSERT_EQ(domain.constants.size(), 1U);
  // The message of the page is the one that there is.
  try {
    parse_domain(example + "budget = \"FDH = FDR - E\"\n", "heat.toml");
    FAIL();
  } catch (const Error& error) {
    const std::string text = error.what();
    EXPECT_NE(page.find(text.substr(text.find(": law budget"))), std::string::npos) << text;
  }
}

TEST(DomainFile, IsReadFromAPath) {
  const tests::TemporaryFolder folder;
  const auto path = folder.path() / "pipes.toml";
  std::ofstream(path) << base;
  const Domain domain = load_domain(path.string());
  EXPECT_EQ(domain.name, "pipes");
  EXPECT_EQ(domain.file, path);
}

}  // namespace
}  // namespace lavoisier::test
