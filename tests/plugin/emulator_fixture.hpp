#ifndef LAVOISIER_TESTS_PLUGIN_EMULATOR_FIXTURE_HPP
#define LAVOISIER_TESTS_PLUGIN_EMULATOR_FIXTURE_HPP

#include "oracle.hpp"

#include <lavoisier/emulator.hpp>
#include <model_builder.hpp>

#include <gtest/gtest.h>

#include <algorithm>
#include <cstring>
#include <limits>
#include <memory>
#include <random>
#include <string>
#include <vector>

namespace lavoisier::tests {

/// Kokkos runs for the whole test program.
class KokkosEnvironment : public ::testing::Environment {
 public:
  void SetUp() override {
    InitializeOptions options;
    options.threads = 2;
    initialize(options);
  }
  void TearDown() override { finalize(); }
};

inline std::shared_ptr<const Model> model_of(ModelFile file) {
  const auto bytes = file.serialize();
  return Model::parse(bytes.data(), bytes.size(), "by hand");
}

/// Host fields of a model over some columns: inputs filled at random within the training range, outputs with a marker.
template <class Real>
struct Fields {
  static constexpr Real untouched = static_cast<Real>(-987654.5);
  std::int64_t columns = 0;
  std::vector<std::vector<Real>> inputs, outputs;
  std::vector<InputField> input_fields;
  std::vector<OutputField> output_fields;

  Fields(const Model& model, std::int64_t count, unsigned seed = 7, double range = 3.5) : columns(count) {
    std::mt19937 generator(seed);
    std::uniform_real_distribution<double> uniform(-range, range);
    constexpr Precision precision = sizeof(Real) == 4 ? Precision::f32 : Precision::f64;
    for (const auto& variable : model.inputs()) {
      auto& data = inputs.emplace_back(static_cast<std::size_t>(count * variable.elements));
      for (Real& x : data) x = static_cast<Real>(uniform(generator));
      InputField field;
      field.name = variable.name.c_str();
      field.units = variable.units.c_str();
      field.data = data.data();
      field.precision = precision;
      field.columns = count;
      field.elements = variable.elements;
      field.column_stride = variable.elements;
      input_fields.push_back(field);
    }
    for (const auto& variable : model.outputs()) {
      auto& data = outputs.emplace_back(static_cast<std::size_t>(count * variable.elements), untouched);
      OutputField field;
      field.name = variable.name.c_str();
      field.units = variable.units.c_str();
      field.data = data.data();
      field.precision = precision;
      field.columns = count;
      field.elements = variable.elements;
      field.column_stride = variable.elements;
      output_fields.push_back(field);
    }
  }

  RunArguments arguments() {
    RunArguments a;
    a.inputs = input_fields.data();
    a.input_count = input_fields.size();
    a.outputs = output_fields.data();
    a.output_count = output_fields.size();
    a.columns = columns;
    return a;
  }
  void reset() {
    for (auto& data : outputs) std::fill(data.begin(), data.end(), untouched);
  }
  /// Flat inputs of one column, layout order.
  std::vector<double> flat(std::int64_t c) const {
    std::vector<double> x;
    for (std::size_t v = 0; v < inputs.size(); ++v)
      for (std::int64_t e = 0; e < input_fields[v].elements; ++e)
        x.push_back(static_cast<double>(inputs[v][static_cast<std::size_t>(c * input_fields[v].elements + e)]));
    return x;
  }
  std::vector<double> flat_outputs(std::int64_t c) const {
    std::vector<double> y;
    for (std::size_t v = 0; v < outputs.size(); ++v)
      for (std::int64_t e = 0; e < output_fields[v].elements; ++e)
        y.push_back(static_cast<double>(outputs[v][static_cast<std::size_t>(c * output_fields[v].elements + e)]));
    return y;
  }
};

/// A run in chunks of at most `chunk` columns, each given where it lies in the whole fields.
inline void run_in_chunks(Workspace& workspace, const Model& model, Fields<double>& fields, std::int64_t chunk) {
  for (std::int64_t first = 0; first < fields.columns; first += chunk) {
    Fields<double> part(model, 0);
    part.columns = std::min(chunk, fields.columns - first);
    for (std::size_t v = 0; v < part.input_fields.size(); ++v) {
      part.input_fields[v].data = fields.inputs[v].data() + first * part.input_fields[v].elements;
      part.input_fields[v].columns = part.columns;
    }
    for (std::size_t v = 0; v < part.output_fields.size(); ++v) {
      part.output_fields[v].data = fields.outputs[v].data() + first * part.output_fields[v].elements;
      part.output_fields[v].columns = part.columns;
    }
    auto arguments = part.arguments();
    arguments.first_column_id = static_cast<std::uint64_t>(first);
    workspace.run(arguments);
  }
}

template <class Real>
bool same_bits(const std::vector<std::vector<Real>>& a, const std::vector<std::vector<Real>>& b) {
  if (a.size() != b.size()) return false;
  for (std::size_t v = 0; v < a.size(); ++v)
    if (a[v].size() != b[v].size() || std::memcmp(a[v].data(), b[v].data(), a[v].size() * sizeof(Real)) != 0)
      return false;
  return true;
}

template <class Body>
void expect_error(Status status, const std::string& part, Body&& body) {
  try {
    body();
    ADD_FAILURE() << "expected an Error with '" << part << "'";
  } catch (const Error& error) {
    EXPECT_EQ(static_cast<int>(error.status()), static_cast<int>(status)) << error.what();
    EXPECT_NE(std::string(error.what()).find(part), std::string::npos) << "in: " << error.what();
  }
}

}  // namespace lavoisier::tests

#endif
