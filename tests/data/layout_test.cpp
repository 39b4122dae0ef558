#include "expect_error.hpp"

#include <lavoisier/layout.hpp>
#include <lavoisier/sample_set.hpp>
#include <lavoisier/status.hpp>

#include <gtest/gtest.h>

#include <set>
#include <string>

namespace {

using namespace lavoisier;
using tests::expect_error;

Variable variable(const std::string& name, Role role, std::vector<std::string> dimensions = {}) {
  Variable v;
  v.name = name;
  v.units = "1";
  v.role = role;
  v.dimensions = std::move(dimensions);
  return v;
}

StateLayout example() {
  return StateLayout({{"level", DimensionKind::level, 5, false}, {"atom", DimensionKind::atom, 7, true}},
                     {variable("ps", Role::input), variable("T", Role::input, {"level"}),
                      variable("q", Role::output, {"level"}), variable("rain", Role::output),
                      variable("charge", Role::output, {"atom"}), variable("cape", Role::diagnostic)});
}

TEST(Status, EveryStatusHasItsOwnName) {
  std::set<std::string> names;
  for (int i = 0; i <= static_cast<int>(Status::internal); ++i) names.insert(status_name(static_cast<Status>(i)));
  EXPECT_EQ(names.size(), 20u);
  EXPECT_EQ(names.count("unknown"), 0u);
  EXPECT_STREQ(status_name(Status::unit_mismatch), "unit_mismatch");
  EXPECT_STREQ(status_name(static_cast<Status>(1000)), "unknown");
}

TEST(Status, RequirementSaysWhatAndWhere) {
  expect_error(Status::internal, [] { LAVOISIER_REQUIRE(1 + 1 == 3, "sums must hold"); }, "sums must hold", "1 + 1 == 3",
               "layout_test.cpp:");
  EXPECT_NO_THROW(LAVOISIER_REQUIRE(1 + 1 == 2, ""));
}

TEST(StateLayout, CountsAndOffsets) {
  const auto layout = example();
  EXPECT_EQ(layout.elements(Role::input), 6);
  EXPECT_EQ(layout.elements(Role::output), 13);
  EXPECT_EQ(layout.elements(Role::diagnostic), 1);
  EXPECT_EQ(layout.offset("ps"), 0);
  EXPECT_EQ(layout.offset("T"), 1);
  EXPECT_EQ(layout.offset("q"), 0);
  EXPECT_EQ(layout.offset("rain"), 5);
  EXPECT_EQ(layout.offset("charge"), 6);
  EXPECT_EQ(layout.offset("cape"), 0);
  EXPECT_TRUE(layout.is_ragged(layout.variable("charge")));
  EXPECT_FALSE(layout.is_ragged(layout.variable("q")));
  EXPECT_EQ(layout.with_role(Role::output).size(), 3u);
  EXPECT_EQ(layout.with_role(Role::output)[1].name, "rain");
  EXPECT_EQ(layout, example());
}

TEST(StateLayout, NamesTheNearest) {
  const auto layout = example();
  expect_error(Status::not_found, [&] { layout.variable("rian"); }, "'rian'", "'rain'");
  expect_error(Status::not_found, [&] { layout.dimension("levels"); }, "'levels'", "'level'");
  expect_error(Status::not_found, [&] { layout.offset("nothing_like_it"); }, "'nothing_like_it'");
}

TEST(StateLayout, RefusesWhatMakesNoSense) {
  const auto bad = Status::invalid_argument;
  expect_error(bad, [] { StateLayout({{"", DimensionKind::x, 1, false}}, {}); }, "no name");
  expect_error(bad, [] { StateLayout({{"x", DimensionKind::x, 0, false}}, {}); }, "'x'", "0");
  expect_error(bad, [] { StateLayout({{"x", DimensionKind::x, -3, false}}, {}); }, "-3");
  expect_error(bad, [] { StateLayout({{"x", DimensionKind::x, 2, false}, {"x", DimensionKind::x, 2, false}}, {}); }, "'x'");
  expect_error(bad, [] { StateLayout({}, {variable("", Role::input)}); }, "no name");
  expect_error(bad, [] { StateLayout({}, {variable("a", Role::input), variable("a", Role::output)}); }, "'a'");
  expect_error(bad, [] { StateLayout({}, {variable("a", Role::input, {"z"})}); }, "'a'", "'z'");
  expect_error(bad, [] {
    StateLayout({{"x", DimensionKind::x, 2, false}}, {variable("a", Role::input, {"x", "x"})});
  }, "twice");
  expect_error(bad, [] {
    StateLayout({{"s", DimensionKind::sample, 2, false}}, {variable("a", Role::input, {"s"})});
  }, "sample dimension");
  const std::int64_t huge = std::int64_t{1} << 40;
  expect_error(bad, [&] {
    StateLayout({{"x", DimensionKind::x, huge, false}, {"y", DimensionKind::y, huge, false}},
                {variable("a", Role::input, {"x", "y"})});
  }, "2^63");
  const std::int64_t large = std::int64_t{1} << 62;
  expect_error(bad, [&] {
    StateLayout({{"x", DimensionKind::x, large, false}},
                {variable("a", Role::input, {"x"}), variable("b", Role::input, {"x"})});
  }, "'b'");
}

TEST(StateLayout, Words) {
  for (const auto kind : {DimensionKind::sample, DimensionKind::level, DimensionKind::y, DimensionKind::x,
                          DimensionKind::channel, DimensionKind::atom, DimensionKind::bond, DimensionKind::lag}) {
    EXPECT_EQ(dimension_kind_from(to_string(kind)), kind);
  }
  for (const auto role : {Role::input, Role::output, Role::diagnostic}) EXPECT_EQ(role_from(to_string(role)), role);
  expect_error(Status::invalid_format, [] { dimension_kind_from("depth"); }, "depth", "level");
  expect_error(Status::invalid_format, [] { role_from(""); }, "output");
}

TEST(NearestName, FindsSlipsAndNothingElse) {
  const std::vector<std::string> names = {"members", "seed", "output", "FDR"};
  EXPECT_EQ(nearest_name("memebrs", names), "members");
  EXPECT_EQ(nearest_name("fdr", names), "FDR");
  EXPECT_EQ(nearest_name("outptu", names), "output");
  EXPECT_EQ(nearest_name("temperature", names), "");
  EXPECT_EQ(nearest_name("x", names), "");
  EXPECT_EQ(nearest_name("", names), "");
  EXPECT_EQ(nearest_name("a", {}), "");
}

SampleSet samples() {
  SampleSet set;
  set.layout = StateLayout({}, {variable("a", Role::input), variable("b", Role::input), variable("c", Role::output)});
  set.samples = 4;
  set.inputs = {0, 1, 10, 11, 20, 21, 30, 31};
  set.outputs = {100, 110, 120, 130};
  set.subset = {Subset::training, Subset::test, Subset::training, Subset::validation};
  set.column = {5, 6, 7, 8};
  set.step = {0, 0, 1, 1};
  set.source = "by hand";
  return set;
}

TEST(SampleSet, SelectsRowsInOrder) {
  const auto chosen = select(samples(), std::vector<std::int64_t>{3, 0, 3});
  EXPECT_EQ(chosen.samples, 3);
  EXPECT_EQ(chosen.inputs, (std::vector<double>{30, 31, 0, 1, 30, 31}));
  EXPECT_EQ(chosen.outputs, (std::vector<double>{130, 100, 130}));
  EXPECT_EQ(chosen.column, (std::vector<std::uint64_t>{8, 5, 8}));
  EXPECT_EQ(chosen.step, (std::vector<std::uint64_t>{1, 0, 1}));
  EXPECT_EQ(chosen.subset[1], Subset::training);
  EXPECT_EQ(chosen.source, "by hand");
  const auto training = select(samples(), Subset::training);
  EXPECT_EQ(training.outputs, (std::vector<double>{100, 120}));
  EXPECT_EQ(select(samples(), std::vector<std::int64_t>{}).samples, 0);
}

TEST(SampleSet, RefusesRowsAndShapesThatAreNotThere) {
  expect_error(Status::out_of_range, [] { select(samples(), std::vector<std::int64_t>{0, 4}); }, "row 4", "0 to 3");
  expect_error(Status::out_of_range, [] { select(samples(), std::vector<std::int64_t>{-1}); }, "-1");
  auto broken = samples();
  broken.inputs.pop_back();
  expect_error(Status::shape_mismatch, [&] { select(broken, std::vector<std::int64_t>{0}); }, "inputs", "7");
  auto whole = samples();
  whole.subset.clear();
  expect_error(Status::invalid_argument, [&] { select(whole, Subset::test); }, "no split");
  for (const auto subset : {Subset::training, Subset::validation, Subset::test}) {
    EXPECT_EQ(subset_from(to_string(subset)), subset);
  }
  expect_error(Status::invalid_argument, [] { subset_from("tests"); }, "validation");
}

}  // namespace
