// write_ocean_model OCEAN OUTPUT: a model file of the ocean heat budget without training: fluxes linear in the inputs, by
// least squares over every complete point, deviations the residuals'. It stands in where a test needs a model of the
// right variables and plausible numbers, and LibTorch need not be there.

#include "linear_gaussian_graph.hpp"

#include <lavoisier/law.hpp>
#include <lavoisier/model_file.hpp>
#include <lavoisier/netcdf_reader.hpp>

#include <algorithm>
#include <cmath>
#include <cstdio>

using namespace lavoisier;

namespace {

constexpr int inputs = 11, outputs = 6;
const char* const input_names[inputs] = {"SPD", "SST", "SAT", "AH", "SAH", "CLD", "SLP",
                                         "sin_latitude", "cos_latitude", "sin_month", "cos_month"};
const char* const input_units[inputs] = {"m s-1", "degC", "K", "g kg-1", "g kg-1", "1", "hPa", "1", "1", "1", "1"};
const char* const output_names[outputs] = {"FSR", "FUL", "FDR", "FLH", "FSH", "FDH"};

void write(const std::string& ocean, const std::string& path) {
  const NetcdfReader reader(ocean);
  const auto latitude = reader.axis("ESKUY").values;
  const std::size_t longitudes = reader.axis("ESKUX").values.size(), cells = latitude.size() * longitudes;
  std::vector<std::vector<double>> x(inputs), y(outputs);
  std::vector<std::vector<double>> fields;
  for (int i = 0; i < 7; ++i) fields.push_back(reader.read(input_names[i]));
  for (int i = 0; i < outputs; ++i) fields.push_back(reader.read(output_names[i]));
  constexpr double pi = 3.14159265358979323846;
  for (std::size_t at = 0; at < fields[0].size(); ++at) {
    bool complete = true;
    for (const auto& field : fields) complete = complete && std::isfinite(field[at]);
    if (!complete) continue;
    for (std::size_t i = 0; i < 7; ++i) x[i].push_back(fields[i][at]);
    const double angle = 2.0 * pi * static_cast<double>(at / cells) / 12.0;
    const double north = latitude[at % cells / longitudes] * pi / 180.0;
    x[7].push_back(std::sin(north));
    x[8].push_back(std::cos(north));
    x[9].push_back(std::sin(angle));
    x[10].push_back(std::cos(angle));
    for (std::size_t i = 0; i < outputs; ++i) y[i].push_back(fields[7 + i][at]);
  }
  const std::size_t points = x[0].size();
  std::vector<double> mean(inputs), scale(inputs), low(inputs), high(inputs), output_mean(outputs), output_scale(outputs);
  const auto moments = [&](const std::vector<double>& v, double& m, double& s) {
    m = s = 0.0;
    for (const double a : v) m += a / static_cast<double>(points);
    for (const double a : v) s += (a - m) * (a - m) / static_cast<double>(points);
    s = std::sqrt(s);
  };
  for (std::size_t i = 0; i < inputs; ++i) {
    moments(x[i], mean[i], scale[i]);
    low[i] = *std::min_element(x[i].begin(), x[i].end());
    high[i] = *std::max_element(x[i].begin(), x[i].end());
  }
  for (std::size_t i = 0; i < outputs; ++i) moments(y[i], output_mean[i], output_scale[i]);
  // Normal equations in standardised units.
  std::vector<float> weight(2 * outputs * inputs, 0.0f), bias(2 * outputs, 0.0f);
  for (std::size_t o = 0; o < outputs; ++o) {
    double a[inputs][inputs + 1] = {};
    for (std::size_t p = 0; p < points; ++p)
      for (std::size_t i = 0; i < inputs; ++i) {
        const double u = (x[i][p] - mean[i]) / scale[i];
        for (std::size_t j = 0; j < inputs; ++j) a[i][j] += u * (x[j][p] - mean[j]) / scale[j];
        a[i][inputs] += u * (y[o][p] - output_mean[o]) / output_scale[o];
      }
    for (std::size_t i = 0; i < inputs; ++i) a[i][i] *= 1.001;
    for (std::size_t i = 0; i < inputs; ++i)
      for (std::size_t k = 0; k < inputs; ++k) {
        if (k == i) continue;
        const double factor = a[k][i] / a[i][i];
        for (std::size_t j = i; j <= inputs; ++j) a[k][j] -= factor * a[i][j];
      }
    double rest = 0.0;
    for (std::size_t i = 0; i < inputs; ++i) weight[o * inputs + i] = static_cast<float>(a[i][inputs] / a[i][i]);
    for (std::size_t p = 0; p < points; ++p) {
      double fit = (y[o][p] - output_mean[o]) / output_scale[o];
      for (std::size_t i = 0; i < inputs; ++i)
        fit -= static_cast<double>(weight[o * inputs + i]) * (x[i][p] - mean[i]) / scale[i];
      rest += fit * fit / static_cast<double>(points);
    }
    bias[outputs + o] = static_cast<float>(0.5 * std::log(rest));
  }

  ModelFile file;
  auto& description = file.description;
  std::vector<Variable> variables;
  for (int i = 0; i < inputs + outputs; ++i) {
    Variable variable;
    variable.name = i < inputs ? input_names[i] : output_names[i - inputs];
    variable.units = i < inputs ? input_units[i] : "W m-2";
    variable.role = i < inputs ? Role::input : Role::output;
    variables.push_back(variable);
  }
  description.layout = StateLayout({}, variables);
  const auto law = [&](const char* name, const char* equation, std::vector<std::pair<const char*, double>> terms) {
    Law made;
    made.name = name;
    made.equation = equation;
    made.units = "W m-2";
    made.physics_tolerance = 0.0101;
    for (const auto& [variable, coefficient] : terms) made.terms.push_back({variable, Expression(coefficient)});
    description.laws.push_back(made);
  };
  law("net_radiation", "FDR = FSR - FUL", {{"FDR", 1.0}, {"FSR", -1.0}, {"FUL", 1.0}});
  law("net_heat", "FDH = FDR - FLH - FSH", {{"FDH", 1.0}, {"FDR", -1.0}, {"FLH", 1.0}, {"FSH", 1.0}});
  description.heads = {{"fluxes", "gaussian_diagonal", {output_names, output_names + outputs}, "conditional"}};
  description.provenance = {{"domain", "ocean_heat_budget"}, {"method", "least squares"}};
  const auto add = [&](const char* name, const std::vector<double>& values) {
    file.add(Tensor::from(name, {static_cast<std::int64_t>(values.size())}, std::span<const double>(values)));
  };
  add("input.minimum", low);
  add("input.maximum", high);
  add("input.mean", mean);
  add("input.scale", scale);
  add("output.mean", output_mean);
  add("output.scale", output_scale);
  add("head.floor", {1e-4});
  file.add(Tensor::from("dense0.weight", {2 * outputs, inputs}, std::span<const float>(weight)));
  file.add(Tensor::from("dense0.bias", {2 * outputs}, std::span<const float>(bias)));
  description.graph = tests::linear_gaussian_graph();
  file.write(path);
}

}  // namespace

int main(int argc, char** argv) {
  if (argc != 3) {
    std::fprintf(stderr, "usage: %s OCEAN OUTPUT\n", argv[0]);
    return 1;
  }
  try {
    write(argv[1], argv[2]);
    return 0;
  } catch (const std::exception& error) {
    std::fprintf(stderr, "%s\n", error.what());
    return 2;
  }
}
