#ifndef LAVOISIER_MODELS_NETWORK_PLAN_HPP
#define LAVOISIER_MODELS_NETWORK_PLAN_HPP

#include <lavoisier/model_file.hpp>
#include <lavoisier/training.hpp>

#include <algorithm>
#include <cstdint>
#include <map>
#include <span>
#include <string>
#include <vector>

namespace lavoisier::detail {

/// One array of weights within the flat vector of all.
struct Parameter {
  std::string name;                 ///< the tensor's name in the model file
  std::vector<std::int64_t> shape;  ///< dense weight: outputs x inputs
  std::int64_t offset = 0;
  std::int64_t fan_in = 0;          ///< terms of a sum of the layer that it belongs to; 0 for norms
  bool decays = false;              ///< weight decay: matrices only
  std::vector<double> fixed = {};   ///< values that training leaves as they are; empty: trained
  std::int64_t fixed_from = -1;     ///< rows of a matrix from this one on that it leaves; -1: none
  std::int64_t elements() const;
};

/// A value that a network reads.
struct Port {
  std::string name;
  std::int64_t width = 0;
  bool operator==(const Port&) const = default;
};

/// The network between standardised inputs and the head, as the graph of operations that the model file holds. What is
/// trained and what is exported are the same list.
struct NetworkPlan {
  std::vector<GraphOperation> operations;  ///< docs/model-file.md lists them
  std::vector<Parameter> parameters;
  std::map<std::string, std::vector<double>> constants;  ///< F64 tensors that are not trained, by name
  std::string input = "x0";                ///< name of the standardised inputs
  std::string output = "head";             ///< name of the value that the head reads
  std::int64_t inputs = 0, outputs = 0;    ///< widths of these two
  std::vector<Port> more;                  ///< what it reads besides `input`: columns behind it, in this order
  std::int64_t size = 0;                   ///< length of the flat vector

  std::int64_t columns() const;            ///< of a row of all that it reads
  /// Makes deviations of a head those of all samples: rows of the last matrix's second half (raw deviations) stay as they are, and
  /// start as zero by level_deviations; their biases are trained.
  void share_deviations();
  /// Sets the gradient of fixed parameters to zero: Adam then leaves them.
  void hold_fixed(std::span<float> gradient) const;
};

/// Dense layers of the given widths with an activation behind each but the last; `outputs` wide at the end. With
/// `linear_skip` a dense layer of the inputs is added to it, whose weights (the first two parameters) are left as they are.
NetworkPlan plan_mlp(const MlpOptions& options, std::int64_t inputs, std::int64_t outputs);

/// The plan of a model file's graph, between its `standardize` and its `gaussian_head`, and its weights.
/// Error(invalid_format) names the operation that this release doesn't know or that doesn't fit.
NetworkPlan plan_of(const ModelFile& model, std::vector<float>& weights);

/// The plan of a list of nodes that reads `ports` (the first is `input`) and makes `output`; its weights are appended to
/// `weights` and its parameters' offsets count within the plan. Errors as above.
NetworkPlan plan_of(std::span<const GraphOperation> nodes, const std::vector<Port>& ports, const std::string& output,
                    const ModelFile& model, std::vector<float>& weights);

/// Uniform weights, from Philox: the same everywhere. `options.initialization`, by variance: "lecun" 1 / fan in in every
/// layer (LeCun et al. 1998); "he" 2 / fan in in hidden layers (He et al. 2015), 1 / fan in in the last; "torch" 1 / (3 fan
/// in) for weights and biases (PyTorch's default). Biases of the first two are zero, but for those of the last
/// layer's second half (raw scales), which give `options.initial_deviation` if it makes a `head`. Norms start as the identity.
/// `first`: number of the plan's first parameter among those of all networks that are trained together.
std::vector<double> initial_weights(const NetworkPlan& plan, const MlpOptions& options, std::uint64_t seed,
                                    std::uint64_t first = 0, bool head = true);

/// Rows [first, first + count) of the last layer start as the same number for every sample: weights zero, biases `raw`. So that
/// deviations do not start scattered.
template <class Real>
void level_rows(const NetworkPlan& plan, std::span<Real> weights, std::int64_t first, std::int64_t count, Real raw) {
  const Parameter& bias = plan.parameters.back();
  const Parameter& weight = plan.parameters[plan.parameters.size() - 2];
  const std::int64_t row = weight.elements() / weight.shape[0];
  std::fill_n(weights.begin() + weight.offset + first * row, count * row, Real(0));
  std::fill_n(weights.begin() + bias.offset + first, count, raw);
}

/// The same for the second half of a head's rows, its raw deviations: they start as their first bias says.
template <class Real>
void level_deviations(const NetworkPlan& plan, std::span<Real> weights) {
  const Parameter& bias = plan.parameters.back();
  const std::int64_t half = bias.elements() / 2;
  level_rows(plan, weights, half, half, weights[static_cast<std::size_t>(bias.offset + half)]);
}

/// Streams of the training's own random numbers: key (seed, stream).
enum class TrainingStream : std::uint64_t {
  weights = 1, shuffle = 2, dropout = 3, input_noise = 4, draws = 5, latent = 6, diffusion = 7, judging = 8
};

/// A permutation of 0..count-1 (Fisher and Yates) that depends on seed and epoch alone, so that a resumed training
/// continues as if it had never stopped.
std::vector<std::int64_t> permutation(std::int64_t count, std::uint64_t seed, std::int64_t epoch);

/// Factors of 0 and 1 / (1 - share) that depend on seed, step, layer and place alone; `share` in units of 2^-16.
/// `first`: place of the first one among those of the batch.
void dropout_factors(std::span<float> factors, double share, std::uint64_t seed, std::int64_t step, std::int64_t layer,
                     std::int64_t first = 0);

/// Adds normal noise that depends on seed, step and place alone to standardised inputs. `first`: place of the first one
/// among those of the batch.
void add_input_noise(std::span<float> inputs, double deviation, std::uint64_t seed, std::int64_t step,
                     std::int64_t first = 0);

}  // namespace lavoisier::detail

#endif
