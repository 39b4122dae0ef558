#ifndef LAVOISIER_APPS_MARGINAL_SCORES_HPP
#define LAVOISIER_APPS_MARGINAL_SCORES_HPP

// Scores of a trained model for `train` and `compare`: in closed form where its marginals are Gaussian, else of members drawn.

#include <lavoisier/linear_constraints.hpp>
#include <lavoisier/model_file.hpp>
#include <lavoisier/sample_set.hpp>
#include <lavoisier/sample_source.hpp>

#include <optional>
#include <string>
#include <vector>

namespace lavoisier::cli {

struct MarginalScores {
  std::vector<std::string> variables;      ///< one an output element
  std::vector<double> rmse, crps, coverage90, mse_scaled, crps_scaled;
  std::vector<double> mae;                 ///< mean absolute deviation of the mean; empty: score_validation() other than of graphs
  std::vector<double> r2;                  ///< score_marginals: 1 - mse / variance of the samples; NaN: they are constant
  double nll = 0.0;                        ///< mean a sample, physical units, null space of the laws; NaN: no density
  double target_distance = 0.0;            ///< how far targets were moved onto the laws for nll, largest
  int members = 0;                         ///< drawn; 0: in closed form
  double mean_rmse() const;
  double mean_crps() const;
  double mean_coverage90() const;
  double mean_mse_scaled() const;
  double mean_crps_scaled() const;
  double mean_r2() const;
  double mean_mae() const;
};

/// Whether a model's outputs have Gaussian marginals in closed form: no noise goes through a network or a sampling loop.
bool has_marginals(const ModelFile& model);
/// Members that are drawn where there are none.
inline constexpr int members_scored = 24;

/// Scores on `samples`; Kokkos must be initialised for a model without marginals in closed form. `output_scale` (one an
/// output element): the unit of mse_scaled and crps_scaled: standard deviations of the training subset, or magnitudes over
/// all samples where the network was trained with scaling max_abs.
MarginalScores score_marginals(const ModelFile& model, const LinearConstraints& constraints, const SampleSet& samples,
                               const std::vector<double>& output_scale);

/// Scores on the validation samples, which are read a piece at a time: means over all. mse_scaled: in physical units.
MarginalScores score_validation(const ModelFile& model, const LinearConstraints& constraints,
                                const SampleSource& samples);

/// Standard deviation of each output element.
std::vector<double> output_deviations(const SampleSet& samples);
/// Largest absolute value of each output element (1 where all are 0): the unit of scaling max_abs.
std::vector<double> output_magnitudes(const SampleSet& samples);

}  // namespace lavoisier::cli

#endif
