#ifndef LAVOISIER_TESTS_MODELS_PROBLEMS_SAMPLES_HPP
#define LAVOISIER_TESTS_MODELS_PROBLEMS_SAMPLES_HPP

// Problems whose right answer is known: data, options of a training, and what is measured. Tests assert what
// bench/closed_form.cpp prints.

#include "../synthetic.hpp"

#include <lavoisier/training.hpp>

#include <cmath>
#include <functional>
#include <string>
#include <utility>
#include <vector>

namespace lavoisier::test {

/// What a trained model reaches beside the exact value.
struct Figure {
  double found = 0.0, exact = 0.0;
  double difference() const { return (found - exact) / std::abs(exact); }  ///< relative
};

/// One draw for each sample.
using Draws = std::function<RowMatrix(const ModelFile&, const SampleSet&, std::uint64_t member)>;

inline double normal_of_row(std::uint64_t row, std::uint64_t element) {
  return random::normal({21, 0}, {.column = row, .element = element});
}

/// Samples of a layout x -> y, every fifth for validation.
inline SampleSet samples_of(const StateLayout& layout, const RowMatrix& x, const RowMatrix& y) {
  SampleSet samples;
  samples.layout = layout;
  samples.samples = y.rows();
  samples.source = "synthetic";
  samples.inputs.assign(x.data(), x.data() + x.size());
  samples.outputs.assign(y.data(), y.data() + y.size());
  for (Eigen::Index row = 0; row < y.rows(); ++row) {
    samples.subset.push_back(row % 5 == 4 ? Subset::validation : Subset::training);
    samples.column.push_back(static_cast<std::uint64_t>(row));
    samples.step.push_back(0);
  }
  return samples;
}

inline Eigen::Map<const RowMatrix> inputs_of(const SampleSet& samples) {
  return {samples.inputs.data(), samples.samples, samples.input_elements()};
}
inline Eigen::Map<const RowMatrix> outputs_of(const SampleSet& samples) {
  return {samples.outputs.data(), samples.samples, samples.output_elements()};
}

inline StateLayout layout_of(Eigen::Index inputs, Eigen::Index outputs) {
  std::vector<Variable> variables;
  for (Eigen::Index i = 0; i < inputs; ++i) variables.push_back(scalar("x" + std::to_string(i), Role::input));
  for (Eigen::Index i = 0; i < outputs; ++i) variables.push_back(scalar("y" + std::to_string(i), Role::output));
  return StateLayout({}, variables);
}

/// sum(y) = an input.
inline std::vector<Law> sum_law(Eigen::Index outputs, const std::string& input = "x0") {
  std::vector<std::pair<std::string, double>> terms;
  for (Eigen::Index i = 0; i < outputs; ++i) terms.push_back({"y" + std::to_string(i), 1.0});
  return {linear_law("sum", terms, Expression::symbol(input), 1e-8)};
}

inline TrainingOptions options_for(const std::string& generator) {
  TrainingOptions options;
  options.generator.name = generator;
  const bool latent = generator == "vae" || generator == "ladder_vae";
  options.loss = latent ? Loss::likelihood : Loss::squared_error;
  options.strategy = Strategy::none;
  options.network.hidden = {64, 64};
  options.epochs = 40;
  options.batch = 200;
  options.learning_rate = 4e-3;
  options.threads = 1;
  return options;
}

inline Strategy strategy_of(bool with_law) { return with_law ? Strategy::conditional : Strategy::none; }

}  // namespace lavoisier::test

#endif
