#include <lavoisier/linear_constraints.hpp>
#include <lavoisier/status.hpp>

#include "laws.hpp"

#include <gtest/gtest.h>

#include <cmath>
#include <limits>

namespace lavoisier {
namespace {

using tests::make_law;
using tests::make_variable;
using tests::number;
using tests::symbol;

StateLayout layout() {
  return StateLayout({{"level", DimensionKind::level, 2, false}},
                     {make_variable("a", Role::input), make_variable("m", Role::input, {"level"}),
                      make_variable("p", Role::output), make_variable("u", Role::output, {"level"})});
}

TEST(Closure, IsTheBudgetOfEveryTerm) {
  const Law law = make_law("budget", {{"p", number(2)}, {"u", symbol("m")}}, symbol("a"));
  RowMatrix inputs(2, 3), outputs(2, 3);
  inputs << 1.0, 10.0, 20.0, -4.0, 1.0, 1.0;
  outputs << 3.0, 0.5, -0.25, 1.0, 2.0, -8.0;
  const Closure result = closure(law, layout(), {}, inputs, outputs);
  RowMatrix terms(2, 3);
  terms << 6.0, 0.0, 1.0, 2.0, -6.0, -4.0;
  EXPECT_EQ(result.terms, terms);
  EXPECT_EQ(result.residual, Eigen::Vector2d(5.0, 0.0));
  // Every product counts, also where a profile's sum cancels.
  EXPECT_EQ(result.term_magnitude, Eigen::Vector2d(6.0 + 5.0 + 5.0 + 1.0, 2.0 + 2.0 + 8.0 + 4.0));
}

TEST(Closure, RelativeResidualOfNothingIsZero) {
  EXPECT_EQ(relative_residual(0.0, 0.0), 0.0);
  EXPECT_EQ(relative_residual(-3.0, 6.0), 0.5);
  EXPECT_TRUE(std::isinf(relative_residual(1.0, 0.0)));
  // What is no number is no closure.
  EXPECT_TRUE(std::isnan(relative_residual(std::numeric_limits<double>::quiet_NaN(), 1.0)));
}

TEST(Closure, ChecksShapes) {
  const Law law = make_law("budget", {{"p", number(2)}});
  EXPECT_THROW(closure(law, layout(), {}, RowMatrix(2, 3), RowMatrix(2, 2)), Error);
  EXPECT_THROW(closure(law, layout(), {}, RowMatrix(1, 3), RowMatrix(2, 3)), Error);
  EXPECT_EQ(closure(law, layout(), {}, RowMatrix(0, 3), RowMatrix(0, 3)).residual.size(), 0);
}

}  // namespace
}  // namespace lavoisier
