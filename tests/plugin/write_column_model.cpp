// write_column_model OUTPUT: a model file of the column physics of examples/04_fortran_column_physics without training:
// the scheme's own linear response as the mean, 5 % of each output's spread as the deviation.

#include "linear_gaussian_graph.hpp"

#include <lavoisier/law.hpp>
#include <lavoisier/model_file.hpp>

#include <cmath>
#include <cstdio>

using namespace lavoisier;

namespace {

constexpr int levels = 10, inputs = 2 * levels + 1, outputs = levels + 2;
// As in column_physics.f90.
constexpr double heat_capacity = 1004.64 * 1.0e5 / levels / 9.80665, relaxation = heat_capacity / (20 * 86400.0);
constexpr double exchange = 5.0, lapse = 6.0, surface_exchange = 15.0;

void scheme(const double* x, double* y) {
  const double *t = x, *equilibrium = x + levels;
  double &sensible = y[levels], &radiation = y[levels + 1];
  sensible = surface_exchange * (x[2 * levels] - t[0]);
  radiation = 0.0;
  for (int k = 0; k < levels; ++k) {
    y[k] = relaxation * (equilibrium[k] - t[k]);
    radiation += y[k];
  }
  y[0] += sensible;
  for (int k = 0; k + 1 < levels; ++k) {
    const double up = exchange * (t[k] - t[k + 1] - lapse);
    y[k] -= up;
    y[k + 1] += up;
  }
}

void write(const std::string& path) {
  std::vector<double> mean(inputs), scale(inputs, 20.0), low(inputs, 150.0), high(inputs, 350.0);
  for (int k = 0; k < levels; ++k) mean[static_cast<std::size_t>(k)] = 290.0 - lapse * k;
  for (int k = 0; k < levels; ++k) mean[static_cast<std::size_t>(levels + k)] = 285.0 - lapse * k;
  mean[2 * levels] = 292.0;
  std::vector<double> output_mean(outputs), output_scale(outputs, 30.0), floor{1e-4};
  scheme(mean.data(), output_mean.data());
  // In standardised units, a column of the response for a unit step of an input; then log deviations, all the same.
  std::vector<float> weight(2 * outputs * inputs, 0.0f), bias(2 * outputs, 0.0f);
  for (int i = 0; i < inputs; ++i) {
    auto x = mean;
    const auto at = static_cast<std::size_t>(i);
    x[at] += scale[at];
    std::vector<double> y(outputs);
    scheme(x.data(), y.data());
    for (std::size_t o = 0; o < outputs; ++o)
      weight[o * inputs + at] = static_cast<float>((y[o] - output_mean[o]) / output_scale[o]);
  }
  for (std::size_t o = 0; o < outputs; ++o) bias[outputs + o] = static_cast<float>(std::log(0.05));

  ModelFile file;
  auto& description = file.description;
  const auto variable = [](const char* name, const char* units, Role role, bool over_levels) {
    Variable made;
    made.name = name;
    made.units = units;
    made.role = role;
    if (over_levels) made.dimensions = {"level"};
    return made;
  };
  description.layout = StateLayout(
      {{"level", DimensionKind::level, levels, false}},
      {variable("t", "K", Role::input, true), variable("t_equilibrium", "K", Role::input, true),
       variable("t_surface", "K", Role::input, false), variable("heating", "W m-2", Role::output, true),
       variable("sensible", "W m-2", Role::output, false), variable("radiation", "W m-2", Role::output, false)});
  Law law;
  law.name = "heat";
  law.equation = "sum(heating, level) = sensible + radiation";
  law.units = "W m-2";
  law.terms = {{"heating", Expression(1.0)}, {"sensible", Expression(-1.0)}, {"radiation", Expression(-1.0)}};
  description.laws = {law};
  description.heads = {{"fluxes", "gaussian_diagonal", {"heating", "sensible", "radiation"}, "conditional"}};
  description.provenance = {{"domain", "column_physics"}, {"method", "linear response"}};
  const auto add = [&](const char* name, const std::vector<double>& values) {
    file.add(Tensor::from(name, {static_cast<std::int64_t>(values.size())}, std::span<const double>(values)));
  };
  add("input.minimum", low);
  add("input.maximum", high);
  add("input.mean", mean);
  add("input.scale", scale);
  add("output.mean", output_mean);
  add("output.scale", output_scale);
  add("head.floor", floor);
  file.add(Tensor::from("dense0.weight", {2 * outputs, inputs}, std::span<const float>(weight)));
  file.add(Tensor::from("dense0.bias", {2 * outputs}, std::span<const float>(bias)));
  description.graph = tests::linear_gaussian_graph();
  file.write(path);
}

}  // namespace

int main(int argc, char** argv) {
  if (argc != 2) {
    std::fprintf(stderr, "usage: %s OUTPUT\n", argv[0]);
    return 1;
  }
  try {
    write(argv[1]);
    return 0;
  } catch (const std::exception& error) {
    std::fprintf(stderr, "%s\n", error.what());
    return 2;
  }
}
