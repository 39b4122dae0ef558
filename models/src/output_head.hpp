#ifndef LAVOISIER_MODELS_OUTPUT_HEAD_HPP
#define LAVOISIER_MODELS_OUTPUT_HEAD_HPP

// Heads whose outputs are not all Gaussian (docs/generators.md, "Heads"): which outputs have which law, what that asks
// of the targets, and the loss from raw values.

#include "head_loss.hpp"

#include <lavoisier/layout.hpp>
#include <lavoisier/positive_signed.hpp>
#include <lavoisier/sample_source.hpp>

#include <functional>
#include <span>
#include <string>
#include <vector>

namespace lavoisier::detail {

struct GeneratorContext;
struct NetworkPlan;
struct TrainingData;
struct TargetRules;

enum class HeadFamily { gaussian, mixed, gamma, poisson };

/// An output of a positive law; `element` counts the layout's outputs.
struct PositiveOutput {
  Eigen::Index element = 0;
  PositiveFamily law = PositiveFamily::log_normal;
};

struct OutputHead {
  HeadFamily family = HeadFamily::gaussian;
  std::vector<PositiveOutput> positive;  ///< by element; empty where sums are given
  bool given_sums = false;               ///< gamma, poisson: drawn given the laws' sums
  Eigen::VectorXd scale;                 ///< poisson: the unit of the rates, counts
};

/// "log_normal", "gamma", "hurdle_log_normal" or "hurdle_gamma", and back. Error(invalid_argument) lists them.
PositiveFamily positive_law_from(const std::string& word);
const char* to_string(PositiveFamily law) noexcept;

/// Error(invalid_argument) names what a head does not admit and what is legal; asks no data.
void require_head(const TrainingOptions& options);

/// How targets are scaled and moved onto the laws.
TargetRules target_rules(const StateLayout& layout, const TrainingOptions& options);

/// Errors: invalid_argument, law_violated (a target that its law does not reach: output and sample named).
OutputHead output_head(const SampleSource& samples, const LinearConstraints& constraints, const TrainingOptions& options,
                       TrainingData& data);

/// Numbers that the network makes a sample.
std::int64_t raw_values(const OutputHead& head, std::int64_t outputs);
/// Biases of a head that is not Gaussian: scale as the data's, relative deviations `initial_deviation`, atoms 1/2.
void start_head(const GeneratorContext& context, const NetworkPlan& plan, std::span<float> weights);

/// Loss of each row from raw values, as HeadLoss.
using RowLoss = std::function<Eigen::VectorXd(
    const Eigen::Ref<const RowMatrix>& h, const Eigen::Ref<const RowMatrix>& y, const Eigen::Ref<const RowMatrix>& d,
    RowMatrix* h_bar, const RowMatrix& A, const DrawAddress& draws)>;
RowLoss make_row_loss(const GeneratorContext& context, int threads);

/// Parameters of positive outputs from the raw values of rows, in units of their scales, and their derivatives.
struct PositiveValues {
  RowMatrix a, b, zero;  ///< rows x positive outputs, as PositiveSigned has them
  RowMatrix deviation, slope, atom_slope;
};
PositiveValues positive_values(const Eigen::Ref<const RowMatrix>& h, const std::vector<PositiveOutput>& positive,
                               Eigen::Index outputs, bool exponential, double floor);

}  // namespace lavoisier::detail

#endif
