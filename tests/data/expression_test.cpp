#include "expect_error.hpp"

#include <lavoisier/expression.hpp>
#include <lavoisier/status.hpp>

#include <gtest/gtest.h>

#include <cmath>
#include <limits>
#include <map>

namespace {

using namespace lavoisier;
using tests::expect_error;
using Op = ExpressionOp;

Expression sym(const std::string& name) { return Expression::symbol(name); }

SymbolLookup table(std::map<std::string, ExpressionValue> values) {
  return [values = std::move(values)](const std::string& name) {
    const auto found = values.find(name);
    if (found == values.end()) throw Error(Status::not_found, "no symbol '" + name + "'");
    return found->second;
  };
}

ExpressionValue number(double value) { return {{}, {}, {value}, {}}; }

const SymbolLookup nothing = table({});

TEST(Expression, TextKeepsTheOrderOfOperations) {
  const auto a = sym("a"), b = sym("b"), c = sym("c");
  EXPECT_EQ((a - (b - c)).text(), "a - (b - c)");
  EXPECT_EQ((a - b - c).text(), "a - b - c");
  EXPECT_EQ((a + (b + c)).text(), "a + (b + c)");
  EXPECT_EQ((a * (b + c)).text(), "a*(b + c)");
  EXPECT_EQ((a / (b * c)).text(), "a/(b*c)");
  EXPECT_EQ((-(a + b)).text(), "-(a + b)");
  EXPECT_EQ((-a * b).text(), "-a*b");
  EXPECT_EQ((a - -b).text(), "a - -b");
  EXPECT_EQ(Expression::sum("level", a * b).text(), "sum(level, a*b)");
  EXPECT_EQ((Expression(2.5) * a).text(), "2.5*a");
  EXPECT_EQ((a - Expression(-1.0)).text(), "a - -1");
}

TEST(Expression, Constants) {
  const Expression e = (Expression(6.0) - Expression(2.0)) / Expression(3.0) * -Expression(0.5) + Expression(1.0);
  EXPECT_TRUE(e.is_constant());
  EXPECT_EQ(e.evaluate_constant(), (6.0 - 2.0) / 3.0 * -0.5 + 1.0);
  EXPECT_EQ(Expression().evaluate_constant(), 0.0);
  EXPECT_FALSE(sym("g").is_constant());
  EXPECT_FALSE(Expression::sum("x", Expression(1.0)).is_constant());
  expect_error(Status::invalid_argument, [] { sym("g").evaluate_constant(); }, "'g'");
  EXPECT_EQ((sym("b") * sym("a") + sym("b")).symbols(), (std::vector<std::string>{"b", "a"}));
}

TEST(Expression, BroadcastsLeftDimensionsFirst) {
  const auto lookup = table({{"u", {{"y", "x"}, {2, 3}, {1, 2, 3, 4, 5, 6}, {}}},
                             {"w", {{"x", "z"}, {3, 2}, {10, 20, 30, 40, 50, 60}, {}}},
                             {"s", number(100)}});
  const auto product = (sym("u") * sym("w")).evaluate(lookup);
  EXPECT_EQ(product.dimensions, (std::vector<std::string>{"y", "x", "z"}));
  EXPECT_EQ(product.extents, (std::vector<std::int64_t>{2, 3, 2}));
  EXPECT_EQ(product.values, (std::vector<double>{10, 20, 60, 80, 150, 180, 40, 80, 150, 200, 300, 360}));
  const auto swapped = (sym("w") - sym("u")).evaluate(lookup);
  EXPECT_EQ(swapped.dimensions, (std::vector<std::string>{"x", "z", "y"}));
  EXPECT_EQ(swapped.values, (std::vector<double>{9, 6, 19, 16, 28, 25, 38, 35, 47, 44, 57, 54}));
  EXPECT_EQ((sym("s") + sym("u")).evaluate(lookup).values, (std::vector<double>{101, 102, 103, 104, 105, 106}));
  EXPECT_EQ(Expression::sum("x", sym("u")).evaluate(lookup).values, (std::vector<double>{6, 15}));
  EXPECT_EQ(Expression::sum("y", sym("u")).evaluate(lookup).values, (std::vector<double>{5, 7, 9}));
  EXPECT_EQ(Expression::sum("y", Expression::sum("x", sym("u"))).evaluate_scalar(lookup), 21.0);
}

TEST(Expression, SumsRunInIndexOrder) {
  // In any other order these three give another number.
  const auto lookup = table({{"u", {{"x"}, {3}, {1e16, 1.0, -1e16}, {}}}, {"v", {{"x"}, {3}, {1e16, -1e16, 1.0}, {}}}});
  EXPECT_EQ(Expression::sum("x", sym("u")).evaluate_scalar(lookup), 0.0);
  EXPECT_EQ(Expression::sum("x", sym("v")).evaluate_scalar(lookup), 1.0);
}

TEST(Expression, SumsSkipMaskedCells) {
  const double nan = std::numeric_limits<double>::quiet_NaN();
  const auto lookup = table({{"u", {{"y", "x"}, {2, 2}, {1, nan, nan, nan}, {1, 0, 0, 0}}},
                             {"area", {{"y", "x"}, {2, 2}, {3, 5, 7, 9}, {}}},
                             {"land", {{"x"}, {2}, {nan, nan}, {0, 0}}},
                             {"none", {{"x"}, {0}, {}, {}}}});
  const auto total = [](const Expression& e) { return Expression::sum("y", Expression::sum("x", e)); };
  EXPECT_EQ(total(sym("u") * sym("area")).evaluate_scalar(lookup), 3.0);
  const auto rows = Expression::sum("x", sym("u")).evaluate(lookup);
  EXPECT_EQ(rows.values[0], 1.0);
  EXPECT_EQ(rows.valid, (std::vector<std::uint8_t>{1, 0}));
  expect_error(Status::non_finite, [&] { Expression::sum("x", sym("land")).evaluate_scalar(lookup); }, "masked");
  // A sample that has none of a ragged dimension: nothing adds up to nothing.
  EXPECT_EQ(Expression::sum("x", sym("none")).evaluate_scalar(lookup), 0.0);
}

TEST(Expression, RefusesWhatHasNoMeaning) {
  const auto lookup = table({{"u", {{"x"}, {2}, {1, 2}, {}}},
                             {"v", {{"x"}, {3}, {1, 2, 3}, {}}},
                             {"short", {{"x"}, {3}, {1, 2}, {}}},
                             {"twice", {{"x", "x"}, {1, 1}, {1}, {}}},
                             {"flags", {{"x"}, {2}, {1, 2}, {1}}}});
  expect_error(Status::shape_mismatch, [&] { (sym("u") + sym("v")).evaluate(lookup); }, "'x'", "x 2", "x 3");
  expect_error(Status::shape_mismatch, [&] { Expression::sum("y", sym("u")).evaluate(lookup); }, "'y'");
  expect_error(Status::shape_mismatch, [&] { Expression::sum("y", Expression(1.0)).evaluate(lookup); }, "'y'");
  expect_error(Status::shape_mismatch, [&] { sym("u").evaluate_scalar(lookup); }, "single number");
  expect_error(Status::not_found, [&] { sym("w").evaluate(lookup); }, "'w'");
  for (const char* name : {"short", "twice", "flags"}) {
    expect_error(Status::shape_mismatch, [&] { sym(name).evaluate(lookup); }, name);
  }
  expect_error(Status::non_finite, [] { Expression(std::numeric_limits<double>::infinity()); }, "inf");
}

TEST(Expression, FunctionsOfValuesThatAReaderMakes) {
  const auto lookup = table({{"u", {{"x"}, {3}, {-1.0, 4.0, std::numeric_limits<double>::quiet_NaN()}, {}}},
                             {"two", {{}, {}, {2.0}, {}}}});
  const auto values = [&](Op op, std::vector<Expression> operands) {
    return Expression::function(op, operands).evaluate(lookup).values;
  };
  EXPECT_EQ(values(Op::minimum, {sym("u"), sym("two")})[0], -1.0);
  EXPECT_EQ(values(Op::minimum, {sym("u"), sym("two")})[1], 2.0);
  EXPECT_EQ(values(Op::maximum, {sym("two"), sym("u")})[0], 2.0);
  EXPECT_EQ(values(Op::maximum, {sym("two"), sym("u")})[1], 4.0);
  for (const Op op : {Op::minimum, Op::maximum}) {  // what is no number does not vanish
    EXPECT_TRUE(std::isnan(values(op, {sym("u"), sym("two")})[2]));
    EXPECT_TRUE(std::isnan(values(op, {sym("two"), sym("u")})[2]));
  }
  EXPECT_EQ(values(Op::exponential, {sym("two")})[0], std::exp(2.0));
  EXPECT_EQ(values(Op::logarithm, {sym("two")})[0], std::log(2.0));
  EXPECT_EQ(values(Op::square_root, {sym("u")})[1], 2.0);
  const Expression made = Expression::function(Op::maximum, {sym("u") + sym("two"), Expression(0.0)}) * sym("two");
  EXPECT_EQ(made.text(), "max(u + two, 0)*two");
  EXPECT_TRUE(made.has_functions());
  EXPECT_FALSE((sym("u") + sym("two")).has_functions());
  expect_error(Status::internal, [] { Expression::function(Op::minimum, {Expression(1.0)}); }, "operands");
}

TEST(Expression, ProgramsAreChecked) {
  const auto make = [](std::vector<ExpressionStep> program) { return Expression(std::move(program)); };
  const ExpressionStep one{Op::number, 1.0, {}}, add{Op::add, 0.0, {}};
  EXPECT_EQ(make({one, one, add}).evaluate(nothing).values[0], 2.0);
  const auto bad = Status::invalid_format;
  expect_error(bad, [&] { make({}); }, "leaves 0");
  expect_error(bad, [&] { make({one, one}); }, "leaves 2");
  expect_error(bad, [&] { make({one, add}); }, "2 operands", "found 1");
  expect_error(bad, [&] { make({{Op::negate, 0.0, {}}}); }, "step 0");
  expect_error(bad, [&] { make({{Op::symbol, 0.0, ""}}); }, "name");
  expect_error(bad, [&] { make({one, {Op::sum, 0.0, ""}}); }, "name");
  expect_error(bad, [&] { make({{Op::number, 1.0, "x"}}); }, "name");
  expect_error(bad, [&] { make({one, one, {Op::add, 3.0, {}}}); }, "number");
  expect_error(bad, [&] { make({{static_cast<Op>(99), 0.0, {}}}); }, "unknown");
  expect_error(bad, [&] { make({{Op::number, std::numeric_limits<double>::quiet_NaN(), {}}}); }, "finite");
  expect_error(bad, [&] { make(std::vector<ExpressionStep>(70000, one)); }, "65536");
}

}  // namespace
