#include "expect_error.hpp"

#include <lavoisier/law.hpp>
#include <lavoisier/status.hpp>

#include <gtest/gtest.h>

#include <limits>

namespace {

using namespace lavoisier;
using tests::expect_error;

Variable variable(const std::string& name, Role role, std::vector<std::string> dimensions = {},
                  std::vector<std::string> coordinates = {}) {
  Variable v;
  v.name = name;
  v.units = "1";
  v.role = role;
  v.dimensions = std::move(dimensions);
  v.coordinates = std::move(coordinates);
  return v;
}

Expression sym(const std::string& name) { return Expression::symbol(name); }

const StateLayout layout({{"level", DimensionKind::level, 3, false}, {"lag", DimensionKind::lag, 2, false}},
                         {variable("ps", Role::input), variable("dsigma", Role::input, {"level"}),
                          variable("evaporation", Role::input), variable("past", Role::input, {"lag"}),
                          variable("dq", Role::output, {"level"}, {"area"}), variable("rain", Role::output),
                          variable("cape", Role::diagnostic)});
const std::vector<Constant> constants = {{"g", "m s-2", 9.80665}};

Law moisture() {
  Law law;
  law.name = "moisture";
  law.equation = "sum(level, ps*dsigma/g*dq) = evaporation - rain";
  law.units = "kg m-2 s-1";
  law.terms = {{"dq", sym("ps") * sym("dsigma") / sym("g")}, {"rain", Expression(1.0)}};
  law.right_hand_side = sym("evaporation");
  return law;
}

TEST(Law, AcceptsWhatIsLinearInTheOutputs) {
  EXPECT_NO_THROW(validate_law(moisture(), layout, constants));
  auto law = moisture();
  law.terms[0].coefficient = sym("area") * sym("ps");           // a coordinate that the host registers
  law.right_hand_side = Expression::sum("level", sym("level"));  // a dimension's own coordinate
  EXPECT_NO_THROW(validate_law(law, layout, constants));
  law.right_hand_side = Expression::sum("lag", sym("past") * sym("evaporation"));
  EXPECT_NO_THROW(validate_law(law, layout, constants));
}

TEST(Law, RefusalsNameLawAndTerm) {
  const auto refused = [&](Status status, auto change, const std::string& part) {
    auto law = moisture();
    change(law);
    expect_error(status, [&] { validate_law(law, layout, constants); }, "law 'moisture'", part);
  };
  refused(Status::invalid_argument, [](Law& l) { l.terms[0].coefficient = sym("rain"); }, "linear in the outputs");
  refused(Status::invalid_argument, [](Law& l) { l.right_hand_side = Expression(1.0) / sym("rain"); }, "'rain'");
  refused(Status::invalid_argument, [](Law& l) { l.terms[1].coefficient = sym("cape"); }, "diagnostic 'cape'");
  refused(Status::not_found, [](Law& l) { l.terms[1].variable = "rian"; }, "did you mean 'rain'");
  refused(Status::invalid_argument, [](Law& l) { l.terms[1].variable = "ps"; }, "expected an output");
  refused(Status::not_found, [](Law& l) { l.right_hand_side = sym("evaporatoin"); }, "did you mean 'evaporation'");
  refused(Status::shape_mismatch, [](Law& l) { l.terms[1].coefficient = sym("dsigma"); }, "term 2 ('rain')");
  refused(Status::shape_mismatch, [](Law& l) { l.terms[0].coefficient = sym("past"); }, "'lag'");
  refused(Status::shape_mismatch, [](Law& l) { l.right_hand_side = sym("dsigma"); }, "single number");
  refused(Status::shape_mismatch, [](Law& l) { l.right_hand_side = Expression::sum("lag", sym("dsigma")); }, "'lag'");
  refused(Status::not_found, [](Law& l) { l.right_hand_side = Expression::sum("time", sym("dsigma")); }, "'time'");
  refused(Status::invalid_argument, [](Law& l) { l.terms.clear(); }, "no term");
  refused(Status::invalid_argument, [](Law& l) { l.physics_tolerance = -1.0; }, "tolerance");
  refused(Status::invalid_argument, [](Law& l) { l.physics_tolerance = std::numeric_limits<double>::quiet_NaN(); }, "tolerance");
  auto nameless = moisture();
  nameless.name.clear();
  expect_error(Status::invalid_argument, [&] { validate_law(nameless, layout, constants); }, "no name");
}

TEST(Law, OverAllColumnsMaySumThemAndNameWhatBelongsToThem) {
  auto law = moisture();
  law.scope = LawScope::global;
  law.terms = {{"rain", sym("cape") / Expression::sum("columns", sym("cape"))}};
  law.right_hand_side = sym("cape") + Expression::sum("columns", sym("evaporation") * Expression::sum("level", sym("dsigma")));
  EXPECT_NO_THROW(validate_law(law, layout, constants));
  law.scope = LawScope::local;
  expect_error(Status::invalid_argument, [&] { validate_law(law, layout, constants); }, "diagnostic 'cape'");
  law.terms = {{"rain", Expression::sum("columns", sym("ps"))}};
  expect_error(Status::not_found, [&] { validate_law(law, layout, constants); }, "sums over 'columns'");
  law.scope = LawScope::global;
  law.right_hand_side = sym("dsigma");
  expect_error(Status::shape_mismatch, [&] { validate_law(law, layout, constants); }, "single number");
}

}  // namespace
