#ifndef LAVOISIER_TESTS_PLUGIN_HEAD_MODELS_HPP
#define LAVOISIER_TESTS_PLUGIN_HEAD_MODELS_HPP

// Models of outputs that are not Gaussian, by hand: the networks are the identity, inputs are raw values.

#include "emulator_fixture.hpp"

namespace lavoisier::tests {

/// Inputs `raw` (the head's values) and `d0`, `d1`; `n` outputs in one variable each, y0, y1, ...
struct HandModel {
  ModelFile file;
  std::int64_t raw, n;

  HandModel(std::int64_t raw_values, std::int64_t outputs, const std::string& family) : raw(raw_values), n(outputs) {
    auto& d = file.description;
    std::vector<Variable> variables;
    const auto add = [&](const std::string& name, Role role, std::vector<std::string> over) {
      Variable one;
      one.name = name;
      one.units = "1";
      one.role = role;
      one.dimensions = std::move(over);
      variables.push_back(one);
    };
    add("raw", Role::input, {"i"});
    add("d0", Role::input, {});
    add("d1", Role::input, {});
    Head head{"outputs", family, {}, "conditional"};
    for (std::int64_t j = 0; j < n; ++j) {
      add("y" + std::to_string(j), Role::output, {});
      head.variables.push_back("y" + std::to_string(j));
    }
    d.layout = StateLayout({{"i", DimensionKind::level, raw, false}}, variables);
    d.heads = {head};
    const auto inputs = static_cast<std::size_t>(raw + 2);
    tensor("input.minimum", std::vector<double>(inputs, -1e6));
    tensor("input.maximum", std::vector<double>(inputs, 1e6));
    node("select", {"inputs"}, {"x"}, {}, {{"begin", "0"}, {"length", std::to_string(raw)}});
    node("single", {"x"}, {"h"});
  }
  void tensor(const std::string& name, const std::vector<double>& values) {
    file.add(Tensor::from(name, {static_cast<std::int64_t>(values.size())}, std::span<const double>(values)));
  }
  void indices(const std::string& name, const std::vector<std::int64_t>& values) {
    file.add(Tensor::from(name, {static_cast<std::int64_t>(values.size())}, std::span<const std::int64_t>(values)));
  }
  void node(const std::string& op, std::vector<std::string> from, std::vector<std::string> to,
            std::map<std::string, std::string> tensors = {}, std::map<std::string, std::string> attributes = {}) {
    file.description.graph.push_back({op, std::move(from), std::move(to), std::move(tensors), std::move(attributes)});
  }
  void law(const std::string& name, const std::vector<std::pair<std::int64_t, double>>& terms,
           const std::string& right) {
    Law made;
    made.name = made.equation = name;
    made.units = "1";
    for (const auto& [output, coefficient] : terms)
      made.terms.push_back({"y" + std::to_string(output), Expression(coefficient)});
    made.right_hand_side = Expression::symbol(right);
    file.description.laws.push_back(made);
  }
};

/// q0, p1, p2, q3, p4, q5: every law of a positive output but the plain log-normal, and two laws.
inline const std::vector<std::int64_t> positive_elements = {1, 2, 4};
inline const std::vector<std::int64_t> signed_elements = {0, 3, 5};

/// `positive_scale`: of the Gaussian head at the positive outputs, whose draw there is not used.
inline HandModel mixed_model(const std::string& parametrization = "exp",
                             const std::string& laws = "hurdle_gamma,gamma,hurdle_log_normal",
                             double positive_scale = 0.0) {
  HandModel made(14, 6, "positive_signed");
  made.law("first", {{0, 1.0}, {1, -1.0}, {2, 2.0}, {3, 1.0}}, "d0");
  made.law("second", {{3, 1.0}, {4, 0.5}, {5, -1.0}}, "d1");
  made.tensor("mean", {1.0, 0.0, 0.0, -2.0, 0.0, 0.5});
  made.tensor("scale", {2.0, positive_scale, positive_scale, 1.0, positive_scale, 3.0});
  made.tensor("floor", {0.01});
  made.tensor("positive.scale", {1.0, 1.0, 1.0});
  made.indices("positive.elements", positive_elements);
  made.node("slice", {"h"}, {"g"}, {}, {{"begin", "0"}, {"length", "12"}});
  made.node("gaussian_head", {"g"}, {"m", "s"},
            {{"output_mean", "mean"}, {"output_scale", "scale"}, {"floor", "floor"}},
            {{"parametrization", parametrization}});
  made.node("normal_noise", {}, {"e"}, {}, {{"site", "0"}});
  made.node("gaussian_draw", {"m", "s", "e"}, {"z"});
  made.node("positive_draw", {"h", "z", "s"}, {"z2", "s2"},
            {{"elements", "positive.elements"}, {"scale", "positive.scale"}, {"floor", "floor"}},
            {{"laws", laws}, {"parametrization", parametrization}, {"site", "3"}});
  made.node("constrain", {"z2", "s2"}, {"outputs"}, {}, {{"metric", "covariance"}});
  return made;
}

inline HandModel shares_model(const std::vector<std::pair<std::int64_t, double>>& second = {{2, 0.5}, {3, 1.0}, {4, 4.0}}) {
  HandModel made(5, 5, "gamma");
  made.law("first", {{0, 1.0}, {1, 3.0}}, "d0");
  made.law("second", second, "d1");
  made.tensor("floor", {0.01});
  made.node("dirichlet_draw", {"h"}, {"outputs"}, {{"floor", "floor"}},
            {{"parametrization", "softplus"}, {"site", "2"}});
  return made;
}

inline HandModel counts_model(const std::string& op, double weight = 2.0) {
  HandModel made(5, 5, "poisson");
  made.law("first", {{0, 1.0}, {3, 1.0}}, "d0");
  made.law("second", {{1, 2.0}, {2, 2.0}, {4, weight}}, "d1");
  made.tensor("rate", {1.0, 3.0, 0.5, 20.0, 7.0});
  made.node(op, {"h"}, {"outputs"}, {{"scale", "rate"}}, {{"site", "1"}});
  return made;
}

/// Raw values within +-1.5; right-hand sides d0 + column and d1 + 2 column.
inline Fields<double> fields_of(const Model& model, const HandModel& made, std::int64_t columns, double d0, double d1) {
  Fields<double> fields(model, columns, 7, 1.5);
  for (std::int64_t c = 0; c < columns; ++c) {
    for (std::int64_t i = 0; i < made.raw; ++i) {
      double& x = fields.inputs[0][static_cast<std::size_t>(c * made.raw + i)];
      x = static_cast<double>(static_cast<float>(x));  // as the graph rounds it
    }
    fields.inputs[1][static_cast<std::size_t>(c)] = d0 + static_cast<double>(c);
    fields.inputs[2][static_cast<std::size_t>(c)] = d1 + 2.0 * static_cast<double>(c);
  }
  return fields;
}

}  // namespace lavoisier::tests

#endif
