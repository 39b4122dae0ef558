#include <lavoisier/domain.hpp>
#include <lavoisier/status.hpp>

#include "equation_cases.hpp"

#include <gtest/gtest.h>

#include <cmath>
#include <map>
#include <string>
#include <vector>

namespace lavoisier::test {
namespace {

using Values = std::vector<double>;

// One sample's numbers for the symbols of domain_with().
ExpressionValue lookup(const std::string& name) {
  static const std::map<std::string, double> scalars = {
      {"g", 10.0}, {"L", 2.5e6}, {"rain", 2.0}, {"T", 3.0}, {"ps", 1000.0}};
  if (name == "sigma") return {{"level"}, {4}, {0.1, 0.2, 0.3, 0.4}, {}};
  return {{}, {}, {scalars.at(name)}, {}};
}

struct GoodCase {
  std::string equation;
  std::string units;
  std::map<std::string, Values> row;
  double right_hand_side = 0.0;
  std::string note;
};

class GoodEquation : public testing::TestWithParam<GoodCase> {};

TEST_P(GoodEquation, BecomesThisRow) {
  const GoodCase& expected = GetParam();
  const Domain domain = parse_domain(domain_with(expected.equation), "table.toml");
  ASSERT_EQ(domain.laws.size(), 1U);
  const Law& law = domain.laws.front();
  EXPECT_EQ(law.name, "law");
  EXPECT_EQ(law.equation, expected.equation);
  EXPECT_EQ(law.units, expected.units);
  std::map<std::string, Values> row;
  for (const auto& term : law.terms) {
    EXPECT_FALSE(row.contains(term.variable)) << term.variable << " stands twice";
    row[term.variable] = term.coefficient.evaluate(lookup).values;
  }
  ASSERT_EQ(row.size(), expected.row.size());
  for (const auto& [name, values] : expected.row) {
    ASSERT_TRUE(row.contains(name)) << name;
    ASSERT_EQ(row[name].size(), values.size()) << name;
    for (std::size_t i = 0; i < values.size(); ++i)
      EXPECT_NEAR(row[name][i], values[i], 1e-15 * std::abs(values[i])) << name << " " << i;
  }
  EXPECT_NEAR(law.right_hand_side.evaluate_scalar(lookup), expected.right_hand_side,
              1e-15 * std::abs(expected.right_hand_side));
  EXPECT_FALSE(std::signbit(law.right_hand_side.evaluate_scalar(lookup)) && expected.right_hand_side == 0.0);
  EXPECT_EQ(domain.notes, expected.note.empty() ? std::vector<std::string>{}
                                                : std::vector<std::string>{"law law: " + expected.note});
}

// Coefficients of dq where it is summed with the mass of a layer, ps sigma / g, and turned from g to kg.
Values layers(double factor) { return {10 * factor, 20 * factor, 30 * factor, 40 * factor}; }

INSTANTIATE_TEST_SUITE_P(
    Table, GoodEquation,
    testing::Values(
        GoodCase{"A = B", "W m-2", {{"A", {1}}, {"B", {-1}}}, 0, ""},
        GoodCase{"  A  =B  ", "W m-2", {{"A", {1}}, {"B", {-1}}}, 0, ""},
        GoodCase{"A = -(-(B))", "W m-2", {{"A", {1}}, {"B", {-1}}}, 0, ""},
        GoodCase{"-A = -B", "W m-2", {{"A", {-1}}, {"B", {1}}}, 0, ""},
        GoodCase{"A = +B", "W m-2", {{"A", {1}}, {"B", {-1}}}, 0, ""},
        GoodCase{"A = 0", "W m-2", {{"A", {1}}}, 0, ""},
        GoodCase{"0 = A + B", "W m-2", {{"A", {-1}}, {"B", {-1}}}, 0, ""},
        GoodCase{"A + A = B", "W m-2", {{"A", {2}}, {"B", {-1}}}, 0, ""},
        GoodCase{"A - (B - A) = B", "W m-2", {{"A", {2}}, {"B", {-2}}}, 0, ""},
        GoodCase{"2 * (A + B) / 4 = A", "W m-2", {{"A", {-0.5}}, {"B", {0.5}}}, 0, ""},
        GoodCase{"A * 2 = B / 2", "W m-2", {{"A", {2}}, {"B", {-0.5}}}, 0, ""},
        GoodCase{"A=.5*B+1.5e0*B", "W m-2", {{"A", {1}}, {"B", {-2}}}, 0, ""},
        GoodCase{"A = 12 / 2 / 3 * B", "W m-2", {{"A", {1}}, {"B", {-2}}}, 0, ""},
        GoodCase{"A = B - 1 * K", "W m-2", {{"A", {1}}, {"B", {-1}}, {"K", {1000}}}, 0,
                 "1 * K is converted from kW m-2 to W m-2 (times 1000)"},
        GoodCase{"K = A + B", "kW m-2", {{"K", {1}}, {"A", {-0.001}}, {"B", {-0.001}}}, 0,
                 "A + B is converted from W m-2 to kW m-2 (times 0.001)"},
        GoodCase{"K = both", "kW m-2", {{"K", {1}}, {"A", {-0.001}}, {"B", {-0.001}}}, 0,
                 "both is converted from W m-2 to kW m-2 (times 0.001)"},
        GoodCase{"A = L * E", "W m-2", {{"A", {1}}, {"E", {-2.5e6}}}, 0, ""},
        GoodCase{"A - L * rain = B", "W m-2", {{"A", {1}}, {"B", {-1}}}, 5e6, ""},
        GoodCase{"A = B - L * (rain - E)", "W m-2", {{"A", {1}}, {"B", {-1}}, {"E", {-2.5e6}}}, -5e6, ""},
        GoodCase{"A / L + rain = E", "kg m-2 s-1", {{"A", {1 / 2.5e6}}, {"E", {-1}}}, -2, ""},
        GoodCase{"TC = T", "degC", {{"TC", {1}}}, 3, ""},
        GoodCase{"A * ps / (2 * ps) = B", "W m-2", {{"A", {0.5}}, {"B", {-1}}}, 0, ""},
        GoodCase{"sum(level, sigma) * A = B", "W m-2", {{"A", {1}}, {"B", {-1}}}, 0, ""},
        GoodCase{"sum(level, ps * sigma / g * dq) = E", "kg m-2 s-1", {{"dq", layers(1e-3)}, {"E", {-1}}}, 0,
                 "sum(level, ps * sigma / g * dq) is converted from 0.001 kg m-2 s-1 to kg m-2 s-1 (times 0.001)"},
        GoodCase{"E = rain + sum(level, mass * dq)", "kg m-2 s-1", {{"E", {1}}, {"dq", layers(-1e-3)}}, 2,
                 "sum(level, mass * dq) is converted from 0.001 kg m-2 s-1 to kg m-2 s-1 (times 0.001)"},
        GoodCase{"sum(level, 2 * dq) = sum(level, dq)", "g kg-1 s-1", {{"dq", {1}}}, 0, ""},
        GoodCase{"sum(level, dq / sigma) = 0", "0.001 Hz", {{"dq", {1 / 0.1, 1 / 0.2, 1 / 0.3, 1 / 0.4}}}, 0, ""},
        GoodCase{"sum(level, dq) = 0", "g kg-1 s-1", {{"dq", {1}}}, 0, ""}));

struct BadCase {
  std::string equation;
  Status status;
  std::size_t column;  ///< in line 21, where `laws.law = "` takes 12
  std::string message;
};

class BadEquation : public testing::TestWithParam<BadCase> {};

TEST_P(BadEquation, IsRefusedHere) {
  const BadCase& expected = GetParam();
  try {
    parse_domain(domain_with(expected.equation), "table.toml");
    FAIL() << "accepted: " << expected.equation;
  } catch (const Error& error) {
    EXPECT_EQ(status_name(error.status()), std::string(status_name(expected.status)));
    EXPECT_EQ(error.what(), "table.toml:21:" + std::to_string(expected.column) + ": law law: " + expected.message +
                                "\n  laws.law = \"" + expected.equation + "\"\n  " +
                                std::string(expected.column - 1, ' ') + "^");
  }
}

constexpr auto format_error = Status::invalid_format;
constexpr auto unit_error = Status::unit_mismatch;

INSTANTIATE_TEST_SUITE_P(
    Units, BadEquation,
    testing::Values(
        BadCase{"A + E = B", unit_error, 15, "A [W m-2] and E [kg m-2 s-1] cannot be added: kg m-2 s-1 is not kg s-3"},
        BadCase{"A = E", unit_error, 15, "A [W m-2] and E [kg m-2 s-1] cannot be equal: kg m-2 s-1 is not kg s-3"},
        BadCase{"A = B - E", unit_error, 19,
                "B [W m-2] and E [kg m-2 s-1] cannot be subtracted: kg m-2 s-1 is not kg s-3"},
        BadCase{"A = L * E * 2 + g", unit_error, 27,
                "L * E * 2 [kg s-3] and g [m s-2] cannot be added: m s-2 is not kg s-3"},
        BadCase{"A = 5", unit_error, 15, "A [W m-2] and 5 [1] cannot be equal: 1 is not kg s-3"},
        BadCase{"A = T * E", unit_error, 19,
                "product of T [degC] and E [kg m-2 s-1]: the zero of degC is a convention, so the product would mean "
                "nothing; declare it in units without an origin (K), values are converted when they are read"},
        BadCase{"A = E / T", unit_error, 19,
                "quotient of T [degC] and E [kg m-2 s-1]: the zero of degC is a convention, so the quotient would mean "
                "nothing; declare it in units without an origin (K), values are converted when they are read"},
        BadCase{"TK = T", unit_error, 16,
                "TK [K] and T [degC] have different zero points: declare both in the same units (values are converted "
                "when they are read)"}));

INSTANTIATE_TEST_SUITE_P(
    Linearity, BadEquation,
    testing::Values(
        BadCase{"A * B = 0", format_error, 15, "not linear: A * B is a product of outputs (A times B)"},
        BadCase{"A * both = 0", format_error, 15, "not linear: A * both is a product of outputs (A times A, B)"},
        BadCase{"A / B = 1", format_error, 15, "not linear: A / B divides by an output (B)"},
        BadCase{"ps / (A - B) = 1", format_error, 16, "not linear: ps / (A - B) divides by an output (A, B)"},
        BadCase{"A = B / 0", format_error, 19, "B / 0 divides by zero"},
        BadCase{"rain = 2 * rain", format_error, 18, "a law must hold at least one output; this one has none"},
        BadCase{"A - A = 0", format_error, 19,
                "the outputs of this law cancel: nothing is left that it could constrain"}));

INSTANTIATE_TEST_SUITE_P(
    Names, BadEquation,
    testing::Values(
        BadCase{"A = FLUX", Status::not_found, 17,
                "\"FLUX\" is not declared; declared are A, B, E, K, L, T, TC, TK, both, dq, g, mass, ps, rain, sigma"},
        BadCase{"A = bothe", Status::not_found, 17, "\"bothe\" is not declared; did you mean \"both\"?"},
        BadCase{"A = log(B)", format_error, 17,
                "a law has no function but sum; make an input of log(...) ([inputs.NAME] value = \"log(...)\") and name that"},
        BadCase{"A = sin(B)", format_error, 17,
                "there is no function \"sin\" in equations; sum(dimension, expression) is the only one"},
        BadCase{"sum(levl, dq) = E", Status::not_found, 17,
                "there is no dimension \"levl\"; did you mean \"level\"?"}));

INSTANTIATE_TEST_SUITE_P(
    Sums, BadEquation,
    testing::Values(
        BadCase{"dq = 0", format_error, 16,
                "a law is one number a sample; this one varies over level: take sum(level, ...)"},
        BadCase{"sum(level, A) = B", format_error, 17, "A does not vary over level: it cannot be summed over it"},
        BadCase{"sum(level, mass * dq + rain) = E", format_error, 17,
                "a part of mass * dq + rain does not vary over level: it cannot be summed over it"},
        BadCase{"sum(level, mass * dq) * sigma = E", format_error, 35,
                "sigma varies over level, over which sum(level, mass * dq) is already summed"},
        BadCase{"sum(level, sum(level, dq)) = E", format_error, 17,
                "sum(level, dq) does not vary over level: it cannot be summed over it"},
        BadCase{"sum(level, dq * dq) = E", format_error, 27,
                "not linear: dq * dq is a product of outputs (dq times dq)"},
        BadCase{"sum(level dq) = E", format_error, 23, "expected \",\" after the dimension, found \"d\""},
        BadCase{"sum(, dq) = E", format_error, 17, "expected the dimension to sum over, found \",\""},
        BadCase{"E = sum(level, mass * dq", format_error, 20, "this \"(\" is never closed"}));

INSTANTIATE_TEST_SUITE_P(
    Syntax, BadEquation,
    testing::Values(
        BadCase{"", format_error, 13, "expected a number, a name or \"(\", found the end of the equation"},
        BadCase{"L * A", format_error, 18, "expected an equation, left = right, found no \"=\""},
        BadCase{"A = B = K", format_error, 19, "expected one \"=\", found a second one"},
        BadCase{"A == B", format_error, 15, "expected one \"=\", found \"==\""},
        BadCase{"= A", format_error, 13, "expected a number, a name or \"(\", found \"=\""},
        BadCase{"A =", format_error, 16, "expected a number, a name or \"(\", found the end of the equation"},
        BadCase{"A = B +", format_error, 20, "expected a number, a name or \"(\", found the end of the equation"},
        BadCase{"A B = K", format_error, 15, "expected an operator or \"=\", found \"B\""},
        BadCase{"A = (B", format_error, 17, "this \"(\" is never closed"},
        BadCase{"(A = B", format_error, 16, "expected an operator or \")\", found \"=\""},
        BadCase{"A = B)", format_error, 18, "expected an operator or the end, found \")\""},
        BadCase{"A = 2B", format_error, 18, "expected an operator after 2, found \"B\""},
        BadCase{"A = 1.2.3 * B", format_error, 20, "expected an operator after 1.2, found \".\""},
        BadCase{"A = 1e999 * B", format_error, 17, "expected a number that a double can hold"},
        BadCase{"A = B ^ 2", format_error, 19, "\"^\" is not part of the language: write a product (x * x)"},
        BadCase{"A = B ** 2", format_error, 19, "\"**\" is not part of the language: write a product (x * x)"},
        BadCase{"A = B $ K", format_error, 19, "expected an operator or the end, found \"$\""},
        BadCase{"A = B \xC3\xA9 K", format_error, 19, "expected an operator or the end, found \"\xC3\xA9\""}));

TEST(EquationPosition, FollowsEscapesAndLines) {
  const std::string head = domain_with("A = B");
  const std::string body = head.substr(0, head.find("laws.law"));
  const auto where = [&](const std::string& law) -> std::string {
    try {
      parse_domain(body + law, "t.toml");
    } catch (const Error& error) {
      const std::string text = error.what();
      return text.substr(0, text.find(": "));
    }
    return "accepted";
  };
  EXPECT_EQ(where("laws.law = \"A\\t= \\u0042 + X9\"\n"), "t.toml:21:27");
  EXPECT_EQ(where("laws.law = \"\"\"\nA =\n  B + X9\"\"\"\n"), "t.toml:23:7");
  EXPECT_EQ(where("laws.law = \"\"\"A = \\\n   X9\"\"\"\n"), "t.toml:22:4");
  EXPECT_EQ(where("laws.law = 'A = X9'\n"), "t.toml:21:17");
  EXPECT_EQ(where("laws.law = { tolerance = 1, equation = \"A = X9\" }\n"), "t.toml:21:45");
  EXPECT_EQ(where("definitions.bad = \"A + X9\"\n"), "t.toml:21:24");
}

}  // namespace
}  // namespace lavoisier::test
