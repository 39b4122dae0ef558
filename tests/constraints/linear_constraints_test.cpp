#include <lavoisier/linear_constraints.hpp>
#include <lavoisier/status.hpp>

#include "laws.hpp"

#include <gtest/gtest.h>

#include <functional>
#include <string>
#include <vector>

namespace lavoisier {
namespace {

using tests::make_law;
using tests::make_variable;
using tests::number;
using tests::symbol;

/// Inputs a, b and profile T over level; outputs p, q, r, s and profile u over level.
StateLayout layout() {
  return StateLayout({{"level", DimensionKind::level, 3, false}},
                     {make_variable("a", Role::input), make_variable("b", Role::input),
                      make_variable("T", Role::input, {"level"}), make_variable("p", Role::output),
                      make_variable("q", Role::output), make_variable("r", Role::output),
                      make_variable("s", Role::output), make_variable("u", Role::output, {"level"})});
}

void expect_error(Status status, const std::vector<std::string>& names, const std::function<void()>& call) {
  try {
    call();
  } catch (const Error& error) {
    EXPECT_EQ(error.status(), status) << error.what();
    for (const std::string& name : names)
      EXPECT_NE(std::string(error.what()).find(name), std::string::npos) << error.what() << " does not name " << name;
    return;
  }
  ADD_FAILURE() << "nothing was thrown, expected " << status_name(status);
}

TEST(Laws, OfTheOceanHeatBudgetAreTwoRows) {
  const StateLayout ocean({}, {make_variable("FSR", Role::output), make_variable("FUL", Role::output),
                               make_variable("FDR", Role::output), make_variable("FLH", Role::output),
                               make_variable("FSH", Role::output), make_variable("FDH", Role::output)});
  const LinearConstraints laws(
      ocean,
      {make_law("net_radiation", {{"FDR", number(1)}, {"FSR", number(-1)}, {"FUL", number(1)}}),
       make_law("net_heat", {{"FDH", number(1)}, {"FDR", number(-1)}, {"FLH", number(1)}, {"FSH", number(1)}})},
      {});
  RowMatrix A(2, 6);
  A << -1, 1, 1, 0, 0, 0, 0, 0, -1, 1, 1, 1;
  ASSERT_TRUE(laws.shared());
  EXPECT_EQ(laws.A(), A);
  EXPECT_EQ(laws.right_hand_side(RowMatrix(3, 0)), RowMatrix::Zero(3, 2));
  EXPECT_DOUBLE_EQ(laws.report()[0].scaled_pivot, 1.0);
}

TEST(Laws, RedundantOnesAreMergedAndNamed) {
  const LinearConstraints laws(layout(),
                               {make_law("first", {{"p", number(1)}, {"q", number(2)}}, number(3)),
                                make_law("other", {{"s", number(1)}, {"p", number(1)}}, number(7)),
                                make_law("second", {{"q", number(1)}, {"r", number(-1)}}, number(5)),
                                make_law("sum", {{"p", number(2)}, {"q", number(5)}, {"r", number(-1)}}, number(11))},
                               {});
  EXPECT_EQ(laws.rows(), 3);
  EXPECT_EQ(laws.laws().size(), 4u);
  ASSERT_EQ(laws.report().size(), 4u);
  EXPECT_FALSE(laws.report()[2].redundant);
  EXPECT_TRUE(laws.report()[3].redundant);
  EXPECT_EQ(laws.report()[3].implied_by, (std::vector<std::string>{"first", "second"}));
  EXPECT_LT(laws.report()[3].scaled_pivot, 1e-14);
}

TEST(Laws, ContradictionsNameTheLaws) {
  expect_error(Status::inconsistent_laws, {"'sum'", "'first'", "'second'"}, [] {
    LinearConstraints(layout(),
                      {make_law("first", {{"p", number(1)}, {"q", number(2)}}, number(3)),
                       make_law("second", {{"q", number(1)}, {"r", number(-1)}}, number(5)),
                       make_law("sum", {{"p", number(2)}, {"q", number(5)}, {"r", number(-1)}}, number(11.001))},
                      {});
  });
}

TEST(Laws, WithRightHandSidesOfInputsAreComparedAsFunctions) {
  const auto with = [](const Expression& b) {
    return LinearConstraints(layout(),
                             {make_law("first", {{"p", number(1)}, {"q", number(1)}}, symbol("a")),
                              make_law("second", {{"q", number(1)}, {"r", number(1)}}, symbol("b") * symbol("a")),
                              make_law("difference", {{"p", number(10)}, {"r", number(-10)}}, b)},
                             {});
  };
  // 10 a (1 - b), written otherwise.
  const LinearConstraints laws = with(number(10) * (symbol("a") - symbol("a") * symbol("b")));
  EXPECT_EQ(laws.rows(), 2);
  EXPECT_EQ(laws.report()[2].implied_by, (std::vector<std::string>{"first", "second"}));
  EXPECT_EQ(with(number(10) * symbol("a") * (number(1) - symbol("b"))).rows(), 2);
  expect_error(Status::inconsistent_laws, {"'difference'", "'first'", "'second'"},
               [&] { with(number(10) * (symbol("a") - symbol("b"))); });
  expect_error(Status::inconsistent_laws, {"'difference'"},
               [&] { with(number(10) * (symbol("a") - symbol("a") * symbol("b")) + number(1e-6)); });
}

TEST(Laws, RankDoesNotDependOnUnits) {
  // The same two laws, one in units of 1e-15 and one of 1e15; then a copy of the first in its own units.
  const LinearConstraints laws(
      layout(),
      {make_law("small", {{"p", number(1e-15)}, {"q", number(2e-15)}}, number(3e-15)),
       make_law("large", {{"q", number(1e15)}, {"r", number(-1e15)}}, number(0)),
       make_law("copy", {{"p", number(1e9)}, {"q", number(2e9)}}, number(3e9))},
      {});
  EXPECT_EQ(laws.rows(), 2);
  EXPECT_EQ(laws.report()[2].implied_by, std::vector<std::string>{"small"});
}

TEST(Laws, NearlyDependentOnesAreKeptAndReported) {
  const LinearConstraints laws(layout(),
                               {make_law("first", {{"p", number(1)}, {"q", number(1)}}),
                                make_law("near", {{"p", number(1)}, {"q", number(1 + 1e-7)}}, number(1))},
                               {});
  EXPECT_EQ(laws.rows(), 2);
  EXPECT_NEAR(laws.report()[1].scaled_pivot, 0.5e-7, 1e-9);
}

TEST(Laws, AsManyAsOutputsAreLegalAndMoreAreRedundantOrWrong) {
  const StateLayout two({}, {make_variable("p", Role::output), make_variable("q", Role::output)});
  const std::vector<Law> both = {make_law("first", {{"p", number(1)}}, number(1)),
                                 make_law("second", {{"p", number(1)}, {"q", number(1)}}, number(3))};
  EXPECT_EQ(LinearConstraints(two, both, {}).rows(), 2);
  std::vector<Law> three = both;
  three.push_back(make_law("third", {{"q", number(4)}}, number(8)));
  EXPECT_EQ(LinearConstraints(two, three, {}).rows(), 2);
  three.back() = make_law("third", {{"q", number(4)}}, number(9));
  expect_error(Status::inconsistent_laws, {"'third'", "'first'", "'second'"},
               [&] { LinearConstraints(two, three, {}); });
  EXPECT_EQ(LinearConstraints(two, {}, {}).rows(), 0);
  EXPECT_EQ(LinearConstraints(two, {}, {}).A().cols(), 2);
}

TEST(Laws, BadOnesAreNamed) {
  expect_error(Status::invalid_argument, {"'nothing'"}, [] {
    LinearConstraints(layout(), {make_law("nothing", {{"p", number(0)}, {"q", number(0)}}, number(1))}, {});
  });
  expect_error(Status::invalid_argument, {"'cancels'"}, [] {
    LinearConstraints(layout(), {make_law("cancels", {{"p", number(1)}, {"p", number(-1)}}, number(0))}, {});
  });
  expect_error(Status::non_finite, {"'bad'", "'q'"}, [] {
    LinearConstraints(layout(), {make_law("bad", {{"p", number(1)}, {"q", number(0) / number(0)}})}, {});
  });
  expect_error(Status::non_finite, {"'bad'"}, [] {
    LinearConstraints(layout(),
                      {make_law("bad", {{"p", number(1)}}, number(1) / number(0))}, {});
  });
  expect_error(Status::invalid_argument, {"'twice'"}, [] {
    LinearConstraints(layout(),
                      {make_law("twice", {{"p", number(1)}}), make_law("twice", {{"q", number(1)}})}, {});
  });
  expect_error(Status::invalid_argument, {"'a'"}, [] {
    LinearConstraints(layout(), {make_law("law", {{"p", symbol("a")}})}, {{"a", "1", 2.0}});
  });
}

TEST(Laws, ConstantsAndProfilesMakeRows) {
  // Lv p + sum over levels of T u = a: the profile's coefficient changes with the sample.
  const LinearConstraints laws(
      layout(), {make_law("energy", {{"p", symbol("Lv")}, {"u", symbol("T")}}, symbol("a") * symbol("Lv")),
                 make_law("mass", {{"u", number(1)}, {"q", number(-1)}})},
      {{"Lv", "J kg-1", 2.5e6}});
  EXPECT_FALSE(laws.shared());
  EXPECT_EQ(laws.rows(), 2);
  expect_error(Status::unsupported, {}, [&] { static_cast<void>(laws.A()); });
  const std::vector<double> inputs = {3.0, 4.0, 10.0, 20.0, 30.0};
  RowMatrix A(2, 7);
  A << 2.5e6, 0, 0, 0, 10, 20, 30, 0, -1, 0, 0, 1, 1, 1;
  EXPECT_EQ(laws.A(inputs), A);
  RowMatrix batch(2, 5);
  batch << 3, 4, 10, 20, 30, 5, 6, 1, 2, 3;
  RowMatrix b(2, 2);
  b << 7.5e6, 0, 12.5e6, 0;
  EXPECT_EQ(laws.right_hand_side(batch), b);
  expect_error(Status::shape_mismatch, {}, [&] { laws.A(std::span(inputs).first(4)); });
  expect_error(Status::shape_mismatch, {}, [&] { laws.right_hand_side(batch.leftCols(3)); });
}

TEST(Laws, ThatLoseRankForSomeSamplesOnlyAreKept) {
  // Equal where a = 1; else two laws.
  const LinearConstraints laws(layout(),
                               {make_law("first", {{"p", number(1)}, {"q", number(1)}}, number(1)),
                                make_law("second", {{"p", number(1)}, {"q", symbol("a")}}, number(1))},
                               {});
  EXPECT_EQ(laws.rows(), 2);
  // Equal everywhere: (a + b) p + (a + b) q = a + b is the first law.
  const Expression sum = symbol("a") + symbol("b");
  const LinearConstraints same(layout(),
                               {make_law("first", {{"p", number(1)}, {"q", number(1)}}, number(1)),
                                make_law("second", {{"p", sum}, {"q", sum}}, sum)},
                               {});
  EXPECT_EQ(same.rows(), 1);
  EXPECT_TRUE(same.report()[1].redundant);
}

TEST(Laws, OverTheWholeFieldAreNoRows) {
  Law global = make_law("global", {{"p", number(1)}});
  global.scope = LawScope::global;
  const LinearConstraints laws(layout(), {global, make_law("local", {{"q", number(1)}})}, {});
  EXPECT_EQ(laws.rows(), 1);
  EXPECT_EQ(laws.laws().size(), 2u);
  EXPECT_EQ(laws.report().size(), 1u);
}

}  // namespace
}  // namespace lavoisier
