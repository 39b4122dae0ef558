#ifndef LAVOISIER_TESTS_PLUGIN_COLUMN_LAWS_HPP
#define LAVOISIER_TESTS_PLUGIN_COLUMN_LAWS_HPP

#include <model_builder.hpp>

namespace lavoisier::tests {

/// An atmospheric column: water and energy over five levels, with each column's own layer masses as coefficients; a law
/// of constants alone; and one that follows from the others in every column.
inline ModelBuilder column_laws() {
  ModelBuilder b;
  b.dimensions = {{"level", DimensionKind::level, 5, false}};
  b.input("mass", "kg m-2", {"level"}).input("dry", "1").input("sun");
  b.output("dq", "s-1", {"level"}).output("rain").output("dT", "K s-1", {"level"}).output("flux");
  b.constants = {{"cp", "J kg-1 K-1", 3.5}, {"L", "J kg-1", 2.5}};
  const auto mass = Expression::symbol("mass");
  const auto law = [&](const std::string& name, std::vector<LawTerm> terms, const Expression& right) {
    Law made;
    made.name = made.equation = name;
    made.units = "W m-2";
    made.terms = std::move(terms);
    made.right_hand_side = right;
    b.laws.push_back(made);
  };
  law("water", {{"dq", mass}, {"rain", Expression(1.0)}}, Expression::symbol("dry"));
  law("energy",
      {{"dT", Expression::symbol("cp") * mass},
       {"rain", -Expression::symbol("L")},
       {"flux", Expression(1.0) + Expression::symbol("dry") / Expression(8.0)}},
      Expression::symbol("sun") - Expression::sum("level", mass) / Expression(9.0));
  law("surface", {{"flux", Expression(2.0)}, {"rain", Expression(-0.5)}}, Expression::symbol("sun"));
  // 2 water + surface
  law("again",
      {{"dq", Expression(2.0) * mass}, {"rain", Expression(1.5)}, {"flux", Expression(2.0)}},
      Expression(2.0) * Expression::symbol("dry") + Expression::symbol("sun"));
  return b;
}

}  // namespace lavoisier::tests

#endif
