#ifndef LAVOISIER_TESTS_EQUATION_CASES_HPP
#define LAVOISIER_TESTS_EQUATION_CASES_HPP

#include <string>

namespace lavoisier::test {

/// A domain in which every equation of the tables is the law `law`, in line 21 (so that messages are the same for all).
inline std::string domain_with(const std::string& equation) {
  return R"(format = 1
name = "table"
title = "Equations of the tests"
samples = { dimensions = ["time", "x"], column = ["x"], empty = "all missing" }
dimensions.level = { kind = "level", extent = 4 }
constants.g = { value = 10.0, units = "m s-2" }
constants.L = { value = 2.5e6, units = "J kg-1" }
inputs.rain = { units = "kg m-2 s-1" }
inputs.T = { units = "degC" }
inputs.ps = { units = "Pa" }
inputs.sigma = { units = "1", dimensions = ["level"] }
outputs.A = { units = "W m-2" }
outputs.B = { units = "W m-2" }
outputs.K = { units = "kW m-2" }
outputs.E = { units = "kg m-2 s-1" }
outputs.dq = { units = "g kg-1 s-1", dimensions = ["level"] }
outputs.TC = { units = "degC" }
outputs.TK = { units = "K" }
definitions.mass = "ps * sigma / g"
definitions.both = "A + B"
laws.law = ")" + equation +
         "\"\n";
}

}  // namespace lavoisier::test

#endif
