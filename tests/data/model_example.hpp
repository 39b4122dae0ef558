#ifndef LAVOISIER_TESTS_MODEL_EXAMPLE_HPP
#define LAVOISIER_TESTS_MODEL_EXAMPLE_HPP

#include <lavoisier/files.hpp>
#include <lavoisier/model_file.hpp>
#include <lavoisier/status.hpp>

#include <cstring>
#include <string>
#include <vector>

namespace lavoisier::tests {

/// A small model of a column: moisture with a layer mass of its own in every sample, and a law without one.
inline ModelFile column_model() {
  const auto variable = [](const char* name, const char* units, Role role, std::vector<std::string> dimensions = {}) {
    Variable v;
    v.name = name;
    v.units = units;
    v.role = role;
    v.dimensions = std::move(dimensions);
    return v;
  };
  ModelFile file;
  auto& model = file.description;
  std::vector<Variable> variables = {variable("ps", "Pa", Role::input),
                                     variable("evaporation", "kg m-2 s-1", Role::input),
                                     variable("dsigma", "1", Role::input, {"level"}),
                                     variable("dq", "s-1", Role::output, {"level"}),
                                     variable("rain", "kg m-2 s-1", Role::output),
                                     variable("snow", "kg m-2 s-1", Role::output)};
  variables[0].standard_name = "surface_air_pressure";
  variables[0].long_name = "Luftdruck am Boden, \"µ\" \\ 気圧";  // text that JSON has to escape, and text beyond ASCII
  variables[0].accepted_units = {"pascal", "N m-2"};
  variables[3].coordinates = {"level"};
  model.layout = StateLayout({{"level", DimensionKind::level, 3, false}}, variables);
  model.constants = {{"g", "m s-2", 9.80665}, {"third", "1", 1.0 / 3.0}};

  const auto sym = [](const char* name) { return Expression::symbol(name); };
  Law moisture;
  moisture.name = "moisture";
  moisture.equation = "sum(level, ps*dsigma/g*dq) = evaporation - rain";
  moisture.units = "kg m-2 s-1";
  moisture.terms = {{"dq", sym("ps") * sym("dsigma") / sym("g")}, {"rain", Expression(1.0)}};
  moisture.right_hand_side = sym("evaporation") * Expression(1.0);
  moisture.physics_tolerance = 0.1;  // not a number that text keeps without care
  Law share;
  share.name = "share";
  share.equation = "snow = rain/3 + 0.1*sum(level, dsigma)";
  share.units = "kg m-2 s-1";
  share.terms = {{"snow", Expression(1.0)}, {"rain", -sym("third")}};
  share.right_hand_side = Expression(0.1) * Expression::sum("level", sym("dsigma"));
  share.scope = LawScope::global;
  model.laws = {moisture, share};

  model.heads = {{"water", "gaussian_diagonal", {"dq", "rain", "snow"}, "conditional"}};
  model.graph = {{"standardize", {"inputs"}, {"x0"}, {{"mean", "input.mean"}, {"scale", "input.scale"}}, {}},
                 {"dense", {"x0"}, {"outputs"}, {{"weight", "w"}, {"bias", "b"}}, {{"note", "by hand"}}}};
  model.provenance = {{"version", "0.1.0"}, {"domain", "column"}};

  const std::vector<double> minimum = {5e4, 0.0, 0.1, 0.1, 0.1}, maximum = {1.1e5, 1e-4, 0.8, 0.8, 0.8};
  const std::vector<double> mean = {1e5, 5e-5, 0.3, 0.3, 0.4}, scale = {1e4, 1e-5, 0.1, 0.1, 0.1};
  std::vector<float> weight(25), bias(5);
  for (std::size_t i = 0; i < weight.size(); ++i) weight[i] = 0.25f * static_cast<float>(i) - 3.0f;
  for (std::size_t i = 0; i < bias.size(); ++i) bias[i] = -0.5f * static_cast<float>(i);
  file.add(Tensor::from("input.minimum", {5}, std::span<const double>(minimum)));
  file.add(Tensor::from("input.maximum", {5}, std::span<const double>(maximum)));
  file.add(Tensor::from("w", {5, 5}, std::span<const float>(weight)));
  file.add(Tensor::from("b", {5}, std::span<const float>(bias)));
  file.add(Tensor::from("input.mean", {5}, std::span<const double>(mean)));
  file.add(Tensor::from("input.scale", {5}, std::span<const double>(scale)));
  Tensor mask;
  mask.name = "mask";
  mask.type = TensorType::u8;
  mask.shape = {3};
  mask.bytes = {std::byte{1}, std::byte{0}, std::byte{1}};
  file.add(mask);
  return file;
}

/// A model whose last value comes from a node that runs a subgraph.
inline ModelFile model_with_a_subgraph() {
  ModelFile file = column_model();
  auto& model = file.description;
  model.graph[1].outputs = {"condition"};
  model.graph.push_back({"sample", {"condition"}, {"outputs"}, {}, {{"subgraph", "denoiser"}}});
  model.subgraphs["denoiser"] = {
      {"concat", {"state", "condition"}, {"joined"}, {}, {}},
      {"dense", {"joined"}, {"prediction"}, {{"weight", "w"}, {"bias", "b"}}, {{"note", "\"inner\""}}}};
  return file;
}

/// A model file taken apart, to be changed and put together with a digest that holds.
struct OpenedFile {
  std::string header, data;

  explicit OpenedFile(const std::vector<std::byte>& bytes) {
    std::uint64_t size = 0;
    std::memcpy(&size, bytes.data(), 8);
    const char* text = reinterpret_cast<const char*>(bytes.data());
    header.assign(text + 8, static_cast<std::size_t>(size));
    data.assign(text + 8 + size, bytes.size() - 8 - static_cast<std::size_t>(size));
  }

  /// Replaces the only occurrence.
  OpenedFile& replace(const std::string& from, const std::string& to) {
    const auto at = header.find(from);
    if (at == std::string::npos || header.find(from, at + 1) != std::string::npos) {
      throw Error(Status::internal, "a test changes what is not there once: " + from);
    }
    header.replace(at, from.size(), to);
    return *this;
  }

  std::vector<std::byte> sealed(bool pad = true) const {
    std::string text = header;
    if (pad) {
      text.erase(text.find_last_not_of(' ') + 1);
      text.append((8 - text.size() % 8) % 8, ' ');
    }
    const std::string key = "\"sha256\":\"";
    const auto at = text.find(key);
    const bool has = at != std::string::npos && at + key.size() + 64 <= text.size();
    if (has) text.replace(at + key.size(), 64, std::string(64, '0'));
    const std::uint64_t size = text.size();
    std::string all(reinterpret_cast<const char*>(&size), 8);
    all += text + data;
    if (has) all.replace(8 + at + key.size(), 64, sha256(std::as_bytes(std::span(all))));
    const auto bytes = std::as_bytes(std::span(all));
    return {bytes.begin(), bytes.end()};
  }
};

}  // namespace lavoisier::tests

#endif
