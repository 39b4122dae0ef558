#ifndef LAVOISIER_TESTS_MODEL_BUILDER_HPP
#define LAVOISIER_TESTS_MODEL_BUILDER_HPP

// Model files by hand: small networks with known weights, for tests and benchmarks of what runs them.

#include <lavoisier/law.hpp>
#include <lavoisier/model_file.hpp>

#include <cmath>
#include <cstdint>
#include <random>
#include <string>
#include <vector>

namespace lavoisier::tests {

struct ModelBuilder {
  std::vector<Dimension> dimensions;
  std::vector<Variable> variables;
  std::vector<Law> laws;
  std::vector<Constant> constants;
  std::vector<std::int64_t> hidden{32, 32};  ///< widths of the dense layers before the head
  std::string strategy = "conditional";      ///< none, projection, post_hoc, conditional
  std::string parametrization = "softplus";
  bool layer_norm = false;                   ///< behind the first hidden layer
  bool residual = false;                     ///< add() around the second hidden layer, if the widths are the same
  double floor = 1e-4;
  std::vector<double> output_mean, output_scale;  ///< empty: 10 i, 5 + i
  double range = 4.0;                             ///< inputs train on [-range, range], mean 0.1 i, scale 1 + 0.1 i
  unsigned seed = 1;

  ModelBuilder& input(const std::string& name, const std::string& units = "1", std::vector<std::string> over = {}) {
    return variable(name, units, Role::input, std::move(over));
  }
  ModelBuilder& output(const std::string& name, const std::string& units = "W m-2", std::vector<std::string> over = {}) {
    return variable(name, units, Role::output, std::move(over));
  }
  ModelBuilder& variable(const std::string& name, const std::string& units, Role role, std::vector<std::string> over) {
    Variable made;
    made.name = name;
    made.units = units;
    made.role = role;
    made.dimensions = std::move(over);
    if (units == "W m-2") made.accepted_units = {"W/m2"};
    variables.push_back(made);
    return *this;
  }
  /// sum of coefficient * variable = right_hand_side
  ModelBuilder& law(const std::string& name, const std::vector<std::pair<std::string, double>>& terms,
                    const Expression& right_hand_side = Expression(0.0)) {
    Law made;
    made.name = name;
    made.units = "W m-2";
    for (const auto& [variable_name, coefficient] : terms)
      made.terms.push_back({variable_name, Expression(coefficient)});
    made.right_hand_side = right_hand_side;
    made.equation = name;
    laws.push_back(made);
    return *this;
  }

  ModelFile build() const {
    ModelFile file;
    auto& description = file.description;
    description.layout = StateLayout(dimensions, variables);
    description.laws = laws;
    description.constants = constants;
    const std::int64_t inputs = description.layout.elements(Role::input);
    const std::int64_t outputs = description.layout.elements(Role::output);
    Head head;
    head.name = "outputs";
    head.family = "gaussian_diagonal";
    head.strategy = strategy;
    for (const auto& v : variables)
      if (v.role == Role::output) head.variables.push_back(v.name);
    description.heads = {head};
    description.provenance = {{"version", "test"}, {"domain", "by hand"}};

    std::mt19937 generator(seed);
    std::vector<double> low(size(inputs), -range), high(size(inputs), range), mean(size(inputs)), scale(size(inputs));
    for (std::size_t i = 0; i < mean.size(); ++i) {
      mean[i] = 0.1 * static_cast<double>(i);
      scale[i] = 1.0 + 0.1 * static_cast<double>(i);
    }
    add64(file, "input.minimum", low);
    add64(file, "input.maximum", high);
    add64(file, "input.mean", mean);
    add64(file, "input.scale", scale);
    auto& graph = description.graph;
    graph.push_back({"standardize", {"inputs"}, {"x"}, {{"mean", "input.mean"}, {"scale", "input.scale"}}, {}});
    std::string last = "x";
    std::int64_t width = inputs;
    int number = 0;
    const auto dense = [&](std::int64_t n) {
      const std::string name = "dense" + std::to_string(number++);
      std::vector<float> weight(size(n) * size(width)), bias(size(n));
      std::uniform_real_distribution<float> uniform(-1.0f, 1.0f);
      const float bound = 1.5f / std::sqrt(static_cast<float>(width));
      for (float& w : weight) w = bound * uniform(generator);
      for (float& b : bias) b = 0.2f * uniform(generator);
      file.add(Tensor::from(name + ".weight", {n, width}, std::span<const float>(weight)));
      file.add(Tensor::from(name + ".bias", {n}, std::span<const float>(bias)));
      graph.push_back({"dense", {last}, {name}, {{"weight", name + ".weight"}, {"bias", name + ".bias"}}, {}});
      last = name;
      width = n;
    };
    for (std::size_t layer = 0; layer < hidden.size(); ++layer) {
      const std::string before = last;
      const std::int64_t width_before = width;
      dense(hidden[layer]);
      if (layer_norm && layer == 0) {
        std::vector<float> weight(size(width)), bias(size(width));
        std::uniform_real_distribution<float> uniform(0.5f, 1.5f);
        for (float& w : weight) w = uniform(generator);
        for (float& b : bias) b = uniform(generator) - 1.0f;
        file.add(Tensor::from("norm.weight", {width}, std::span<const float>(weight)));
        file.add(Tensor::from("norm.bias", {width}, std::span<const float>(bias)));
        graph.push_back({"layer_norm", {last}, {"norm"}, {{"weight", "norm.weight"}, {"bias", "norm.bias"}},
                         {{"epsilon", "1e-5"}}});
        last = "norm";
      }
      const std::string active = "silu" + std::to_string(layer);
      graph.push_back({"silu", {last}, {active}, {}, {}});
      last = active;
      if (residual && layer == 1 && width == width_before) {
        graph.push_back({"add", {before, last}, {"sum"}, {}, {}});
        last = "sum";
      }
    }
    dense(2 * outputs);
    std::vector<double> to_mean = output_mean, to_scale = output_scale;
    for (std::int64_t i = 0; output_mean.empty() && i < outputs; ++i) to_mean.push_back(10.0 * static_cast<double>(i));
    for (std::int64_t i = 0; output_scale.empty() && i < outputs; ++i) to_scale.push_back(5.0 + static_cast<double>(i));
    add64(file, "output.mean", to_mean);
    add64(file, "output.scale", to_scale);
    add64(file, "head.floor", {floor});
    graph.push_back({"gaussian_head", {last}, {"mean", "deviation"},
                     {{"output_mean", "output.mean"}, {"output_scale", "output.scale"}, {"floor", "head.floor"}},
                     {{"parametrization", parametrization}}});
    graph.push_back({"normal_noise", {}, {"e"}, {}, {{"site", "0"}}});
    graph.push_back({"gaussian_draw", {"mean", "deviation", "e"}, {"z"}, {}, {}});
    if (strategy == "none")
      graph.push_back({"identity", {"z"}, {"outputs"}, {}, {}});
    else if (strategy == "projection")
      graph.push_back({"constrain", {"z", "deviation"}, {"outputs"}, {{"scale", "output.scale"}}, {{"metric", "scale"}}});
    else
      graph.push_back({"constrain", {"z", "deviation"}, {"outputs"}, {}, {{"metric", "covariance"}}});
    return file;
  }

  /// The ocean heat budget's shape: 11 inputs, 6 fluxes, 2 laws.
  static ModelBuilder ocean() {
    ModelBuilder b;
    for (const char* name : {"SPD", "SST", "SAT", "AH", "SAH", "CLD", "SLP", "sin_lat", "cos_lat", "sin_month", "cos_month"})
      b.input(name);
    for (const char* name : {"FSR", "FUL", "FDR", "FLH", "FSH", "FDH"}) b.output(name);
    b.law("radiation", {{"FDR", 1.0}, {"FSR", -1.0}, {"FUL", 1.0}});
    b.law("net_heat", {{"FDH", 1.0}, {"FDR", -1.0}, {"FLH", 1.0}, {"FSH", 1.0}});
    return b;
  }

 private:
  static std::size_t size(std::int64_t n) { return static_cast<std::size_t>(n); }
  static void add64(ModelFile& file, const std::string& name, const std::vector<double>& values) {
    file.add(Tensor::from(name, {static_cast<std::int64_t>(values.size())}, std::span<const double>(values)));
  }
};

}  // namespace lavoisier::tests

#endif
