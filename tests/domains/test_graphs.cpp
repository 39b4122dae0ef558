// Samples that are graphs of different sizes: how a file's ragged arrays come to lie at capacity, and what is refused.

#include <lavoisier/domain.hpp>
#include <lavoisier/status.hpp>

#include "expect_error.hpp"
#include "graph_file.hpp"
#include "temporary_folder.hpp"

#include <gtest/gtest.h>

#include <algorithm>
#include <cmath>
#include <numeric>
#include <string>
#include <vector>

namespace lavoisier::test {
namespace {

using tests::expect_error;
using tests::Rings;

class Graphs : public testing::Test {
 protected:
  static Domain domain(const std::string& from = "", const std::string& to = "") {
    std::string text = tests::rings_domain;
    const auto at = text.find(from);
    EXPECT_NE(at, std::string::npos) << from;
    if (!from.empty()) text.replace(at, from.size(), to);
    return parse_domain(text, "rings.toml");
  }
  void refused(Status status, const std::string& from, const std::string& to, const std::string& message) {
    expect_error(status, [&] { domain(from, to); }, message);
  }
  template <class Change>
  void refused_file(Status status, const Change& change, const std::string& first, const std::string& second = "") {
    Rings rings(10);
    change(rings);
    rings.write(file_);
    expect_error(status, [&] { load_samples(domain(), {file_}); }, "rings.nc", first, second);
  }
  tests::TemporaryFolder folder_;
  std::filesystem::path file_ = folder_.path() / "rings.nc";
};

TEST_F(Graphs, LieAtCapacityWithWhatIsAbsentMarked) {
  const Rings rings(10);
  rings.write(file_);
  const Domain d = domain();
  std::vector<std::string> names;
  for (const Variable& variable : d.layout.variables()) names.push_back(variable.name);
  EXPECT_EQ(names, (std::vector<std::string>{"atom_count", "element", "place", "length", "total", "bond_from", "bond_to", "charge"}));
  const SampleSet set = load_samples(d, {file_});
  ASSERT_EQ(set.samples, 10);
  const std::int64_t width = set.input_elements();
  EXPECT_EQ(width, 1 + 7 + 14 + 8 + 1 + 8 + 8);
  for (std::int64_t s = 0; s < 10; ++s) {
    const auto n = static_cast<std::int64_t>(3 + s % 5), first = static_cast<std::int64_t>(rings.first_atom[static_cast<std::size_t>(s)]);
    const auto x = [&](const char* name, std::int64_t i) {
      return set.inputs[static_cast<std::size_t>(s * width + d.layout.offset(name) + i)];
    };
    const auto stored = [&](const std::vector<double>& all, std::int64_t i) { return all[static_cast<std::size_t>(i)]; };
    EXPECT_EQ(x("atom_count", 0), static_cast<double>(n));
    EXPECT_EQ(x("total", 0), stored(rings.total, s));
    for (std::int64_t i = 0; i < 7; ++i) {
      EXPECT_EQ(x("element", i), i < n ? stored(rings.kind, first + i) : -1.0) << s << ' ' << i;
      EXPECT_EQ(set.outputs[static_cast<std::size_t>(s * 7 + i)], i < n ? stored(rings.q, first + i) : 0.0);
      for (std::int64_t k = 0; k < 2; ++k)
        EXPECT_NEAR(x("place", 2 * i + k), i < n ? 0.01 * stored(rings.place, 2 * (first + i) + k) : 0.0, 1e-15);
    }
    for (std::int64_t i = 0; i < 8; ++i) {
      EXPECT_EQ(x("bond_from", i), i < n ? stored(rings.a, first + i) : -1.0);
      EXPECT_EQ(x("bond_to", i), i < n ? stored(rings.b, first + i) : -1.0);
      EXPECT_NEAR(x("length", i), i < n ? 10.0 * stored(rings.length, first + i) : 0.0, 1e-12);
    }
  }
  EXPECT_EQ(set.column, (std::vector<std::uint64_t>{0, 1, 2, 3, 4, 5, 6, 7, 8, 9}));
}

TEST_F(Graphs, PiecesAreTheSameAsTheWhole) {
  Rings(10).write(file_);
  const SampleReader reader(domain(), file_, true);
  EXPECT_EQ(reader.cells(), 10);
  EXPECT_EQ(reader.describe(4), "ring 4");
  const SampleReader::Piece whole = reader.read(0, 10);
  for (std::int64_t first = 0; first < 10; first += 3) {
    const std::int64_t count = std::min<std::int64_t>(3, 10 - first);
    const SampleReader::Piece piece = reader.read(first, count);
    const auto same = [&](const auto& part, const auto& all) {
      const std::size_t width = all.size() / 10;
      return part.size() == width * static_cast<std::size_t>(count) &&
             std::equal(part.begin(), part.end(), all.begin() + static_cast<std::ptrdiff_t>(width) * first);
    };
    EXPECT_TRUE(same(piece.inputs, whole.inputs) && same(piece.outputs, whole.outputs) && same(piece.masked, whole.masked));
  }
  for (std::int64_t s = 0; s < 10; ++s)
    for (std::int64_t i = 0; i < 7; ++i) EXPECT_EQ(whole.masked[static_cast<std::size_t>(s * 7 + i)], i < 3 + s % 5 ? 0 : 1);
}

TEST_F(Graphs, ASplitCoversEveryCategory) {
  const Rings rings(40);
  rings.write(file_);
  int elsewhere = 0;
  for (int seed = 0; seed < 12; ++seed) {
    const SampleSet set = load_samples(domain("seed = 3", "seed = " + std::to_string(seed)), {file_});
    EXPECT_EQ(set.subset[0], Subset::training) << seed;  // the third element is in the first ring alone
    EXPECT_EQ(std::count(set.subset.begin(), set.subset.end(), Subset::test), 8);
    const SampleSet free = load_samples(domain("covering = \"element\", validation = 0.2, test = 0.2, seed = 3",
                                               "validation = 0.2, test = 0.2, seed = " + std::to_string(seed)), {file_});
    elsewhere += free.subset[0] != Subset::training ? 1 : 0;
    if (free.subset[0] == Subset::training) {
      EXPECT_EQ(free.subset, set.subset) << "the first permutation that covers is taken";
    }
  }
  EXPECT_GT(elsewhere, 0);
}

TEST_F(Graphs, FilesOfInputsAloneAreRead) {
  Rings(10).write(file_, false);
  const SampleReader reader(domain(), file_, false);
  EXPECT_TRUE(reader.has_split());
  EXPECT_EQ(reader.read(0, 10).outputs.size(), 0U);
  EXPECT_EQ(reader.read(0, 10).masked.size(), 70U);
  expect_error(Status::not_found, [&] { SampleReader(domain(), file_, true); }, "\"q\"");
}

TEST_F(Graphs, DomainFilesAreRefusedWithTheirPlace) {
  refused(Status::invalid_format, ", from = \"a\", to = \"b\"", "", "rings.toml:8");
  refused(Status::invalid_format, ", to = \"b\"", "", "\"to\"");
  refused(Status::invalid_format, "ragged = true, extent = 8, source = { offsets = \"first_bond\", from = \"a\", to = \"b\" }", "extent = 8", "graphs need two dimensions");
  refused(Status::invalid_format, "{ offsets = \"first_atom\" }", "\"first_atom\"", "rings.toml:7");
  refused(Status::shape_mismatch, "outputs.charge = { units = \"e\", dimensions = [\"atom\"]",
          "outputs.charge = { units = \"e\", dimensions = [\"bond\"]", "rings.toml:14");
  refused(Status::invalid_format, "laws.total", "outputs.spin = { units = \"1\", dimensions = [\"atom\"] }\nlaws.total",
          "graphs have one output; found \"charge\" and \"spin\"");
  refused(Status::shape_mismatch, "dimensions = [\"bond\"], source = \"bond_length\"",
          "dimensions = [\"bond\"], source = \"bond_length\", category = true", "rings.toml:12");
  refused(Status::shape_mismatch, "[\"atom\", \"axis\"]", "[\"axis\", \"atom\"]", "\"place\"");
  refused(Status::unsupported, "inputs.total = { units = \"e\" }", "inputs.total = { units = \"angstrom\", value = \"sum(bond, length)\" }", "rings.toml:13");
  refused(Status::unsupported, "covering = \"element\"", "covering = \"elment\"", "did you mean \"element\"?");
  refused(Status::unsupported, "kind = \"random\", covering = \"element\", validation = 0.2, test = 0.2, seed = 3",
          "kind = \"groups\", variable = \"a\", modulus = 3, test = [1], validation = [2]", "graphs are split by rows");
  refused(Status::invalid_format, "inputs.total = { units = \"e\" }", "inputs.bond_from = { units = \"1\" }\ninputs.total = { units = \"e\" }",
          "\"bond_from\" is declared twice");
  refused(Status::unsupported, "sum(atom, charge) = total\", tolerance = 1e-12 }",
          "sum(columns, sum(atom, charge)) = 0\", tolerance = 1e-12, scope = \"global\" }", "are graphs");
  expect_error(Status::unsupported,
               [] {
                 parse_domain("format = 1\nname = \"t\"\ntitle = \"t\"\nsamples = { table = true }\n"
                              "inputs.x = { units = \"1\", category = true }\noutputs.y = { units = \"1\" }\n", "t.toml");
               },
               "t.toml:5", "\"category\" is for nodes of graphs");
}

TEST_F(Graphs, LawsThatWouldDependOnTheCapacityAreRefused) {
  const std::string law = "\"sum(atom, charge) = total\"", start = "rings.toml:15";
  const auto with = [&](const std::string& equation) { return "\"" + equation + "\""; };
  const std::string constants = "dimensions.axis";
  const auto say = [&](const std::string& equation, const std::string& message) {
    expect_error(Status::unsupported,
                 [&] {
                   std::string text = tests::rings_domain;
                   text.replace(text.find(law), law.size(), with(equation));
                   text.replace(text.find(constants), 0,
                                "constants.c = { value = 0.1, units = \"e\" }\nconstants.d = { value = 0.1, units = \"e angstrom-1\" }\n"
                                "constants.l = { value = 1.2, units = \"angstrom\" }\n");
                   parse_domain(text, "rings.toml");
                 },
                 "rings.toml:18", message);
  };
  say("sum(atom, charge) = c * sum(atom, element)", "\"element\" holds categories");
  say("sum(atom, charge) = d * sum(bond, length - l)", "with the extents of atom and bond");
  say("sum(atom, element * charge) = 0", "coefficients of laws of graphs");
  EXPECT_NO_THROW(domain("sum(atom, charge) = total", "sum(atom, charge) = 2 * total"));
  std::string text = tests::rings_domain;
  text.replace(text.find(law), law.size(), with("2 * sum(atom, charge) = d * sum(bond, length) + c"));
  text.replace(text.find(constants), 0,
               "constants.c = { value = 0.1, units = \"e\" }\nconstants.d = { value = 0.1, units = \"e angstrom-1\" }\n");
  EXPECT_NO_THROW(parse_domain(text, "rings.toml"));
}

TEST_F(Graphs, SamplesCanBeReadWhereTheyCannotBeSplit) {
  Rings rings(10);
  double next = 0.0;
  for (double& kind : rings.kind) kind = next++;  // each atom an element of its own: none can be spared
  rings.write(file_);
  const SampleReader reader(domain(), file_, false);
  EXPECT_FALSE(reader.has_split());
  EXPECT_EQ(reader.read(0, 10).complete, std::vector<std::uint8_t>(10, 1));
  expect_error(Status::invalid_argument, [&] { reader.require_split(); }, "do the training graphs have all 50 categories");
  expect_error(Status::invalid_argument, [&] { load_samples(domain(), {file_}); }, "all 50 categories");
}

TEST_F(Graphs, AMissingCategoryIsAnIncompleteGraphAndNoCategory) {
  Rings rings(40);
  rings.kind[5] = std::nan("");
  rings.write(file_);
  LoadOptions options;
  options.drop_incomplete = true;
  LoadReport report;
  const SampleSet set = load_samples(domain(), {file_}, options, &report);
  EXPECT_EQ(set.samples, 39);
  EXPECT_EQ(report.incomplete, 1);
  EXPECT_EQ(set.subset[0], Subset::training);
}

TEST_F(Graphs, AnotherSplitIsCheckedAsTheirOwn) {
  Domain d = domain();
  Split groups;
  groups.kind = Split::Kind::groups;
  expect_error(Status::unsupported, [&] { use_split(d, groups, "other.toml"); }, "other.toml", "rings", "graphs are split by rows");
  Split random;
  random.kind = Split::Kind::random;
  random.covering = "elment";
  expect_error(Status::unsupported, [&] { use_split(d, random, "other.toml"); }, "did you mean \"element\"?");
  random.covering = "element";
  use_split(d, random, "other.toml");
  EXPECT_EQ(d.split->covering, "element");
}

TEST_F(Graphs, FilesAreRefusedWithGraphAndElement) {
  refused(Status::unsupported, "dimensions.axis = { kind = \"channel\", extent = 2 }",
          "dimensions.axis = { kind = \"channel\", extent = 2, source = { dimension = \"axis\", first = 1 } }", "no \"first\"");
  refused(Status::invalid_format, "graphs = \"ring\"", "graphs = \"realization\"", "choose another name");
  refused(Status::invalid_format, "graphs = \"ring\"", "graphs = \"a b\"", "rings.toml:4");
  refused(Status::invalid_format, "graphs = \"ring\"", "graphs = \"atom\"", "\"atom\" is declared twice");
  {
    Rings(10).write(file_);
    const Domain other = domain("dimensions.axis = { kind = \"channel\", extent = 2 }",
                                "dimensions.axis = { kind = \"channel\", extent = 2, source = \"plane\" }");
    expect_error(Status::shape_mismatch, [&] { load_samples(other, {file_}); }, "has the dimension \"axis\" where \"plane\" was expected");
  }
  refused_file(Status::invalid_format, [](Rings& r) { r.first_atom = {0}; }, "expected at least one ring, found none");

  refused_file(Status::invalid_format, [](Rings& r) { r.first_atom[0] = 1; }, "first_atom", "found 1 at index 0");
  refused_file(Status::invalid_format, [](Rings& r) { r.first_bond[4] = 2; }, "first_bond", "found 2 at index 4");
  refused_file(Status::out_of_range, [](Rings& r) { r.first_atom[1] = 0; }, "ring 0", "at least one atom");
  refused_file(Status::out_of_range, [](Rings& r) { r.first_atom[5] += 2; }, "ring 4", "at most 7 elements of \"atom\", found 9");
  refused_file(Status::shape_mismatch, [](Rings& r) { r.first_bond.pop_back(); }, "offsets of 10 graphs", "of 9");
  refused_file(Status::shape_mismatch, [](Rings& r) { r.first_atom[10] -= 1; }, "\"kind\" has extents (50), expected (49)");
  refused_file(Status::out_of_range, [](Rings& r) { r.b[5] = 4; }, "ring 1: \"b\"[2]", "from 0 to 3, found 4");
  refused_file(Status::out_of_range, [](Rings& r) { r.a[0] = -1; }, "ring 0: \"a\"[0]", "found -1");
  refused_file(Status::out_of_range, [](Rings& r) { r.kind[4] = -3; }, "ring 1: \"kind\"[1]", "whole number from 0");
  refused_file(Status::unit_mismatch, [](Rings& r) { r.length_units = "kg"; }, "bond_length", "kg");
  refused_file(Status::non_finite, [](Rings& r) { r.q[4] = std::nan(""); }, "ring 1", "charge[1]");
  Rings rings(10);
  rings.length[3] = std::nan("");
  rings.write(file_);
  LoadOptions options;
  options.drop_incomplete = true;
  LoadReport report;
  EXPECT_EQ(load_samples(domain(), {file_}, options, &report).samples, 9);
  EXPECT_EQ(report.incomplete, 1);
}

TEST_F(Graphs, ACategoryThatNoSplitCoversIsRefused) {
  Rings rings(3);  // floor(.4 x 3) rows are not for training
  rings.kind = {0, 0, 0, 1, 1, 1, 1, 2, 2, 2, 2, 2};
  rings.write(file_);
  expect_error(Status::invalid_argument,
               [&] { load_samples(domain("validation = 0.2, test = 0.2", "validation = 0.0, test = 0.4"), {file_}); },
               "all 3 categories of \"element\"");
}

TEST(PartialCharges, TheReferenceDataLoadAndClose) {
  const std::filesystem::path path = "../shared/data/mof_charges.nc";
  if (!std::filesystem::exists(path)) GTEST_SKIP() << path << " is not here: charges of metal-organic frameworks";
  const Domain d = load_domain("partial_charges");
  const SampleSet set = load_samples(d, {path});
  EXPECT_EQ(set.samples, 1957);
  EXPECT_EQ(std::count(set.subset.begin(), set.subset.end(), Subset::training), 1371);
  EXPECT_EQ(std::count(set.subset.begin(), set.subset.end(), Subset::validation), 195);
  double atoms = 0.0, largest = 0.0;
  const std::int64_t width = set.input_elements(), nodes = set.output_elements();
  std::vector<bool> trained(100), all(100);
  for (std::int64_t s = 0; s < set.samples; ++s) {
    const double* const x = &set.inputs[static_cast<std::size_t>(s * width)];
    const double* const y = &set.outputs[static_cast<std::size_t>(s * nodes)];
    atoms += x[0];
    largest = std::max(largest, std::abs(std::accumulate(y, y + nodes, 0.0)));
    for (std::int64_t i = 0; i < static_cast<std::int64_t>(x[0]); ++i) {
      const auto element = static_cast<std::size_t>(x[d.layout.offset("element") + i]);
      all.at(element) = true;
      if (set.subset[static_cast<std::size_t>(s)] == Subset::training) trained.at(element) = true;
    }
  }
  EXPECT_EQ(atoms, 290807.0);
  EXPECT_LE(largest, d.laws.front().physics_tolerance);
  EXPECT_EQ(trained, all);
}

}  // namespace
}  // namespace lavoisier::test
