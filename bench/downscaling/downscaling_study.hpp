#ifndef LAVOISIER_BENCH_DOWNSCALING_STUDY_HPP
#define LAVOISIER_BENCH_DOWNSCALING_STUDY_HPP

// Downscaling by networks with and without laws and by interpolation, scored on regions that training has not seen.

#include <lavoisier/domain.hpp>
#include <lavoisier/linear_constraints.hpp>
#include <lavoisier/training.hpp>

#include <cstdint>
#include <filesystem>
#include <string>

namespace lavoisier::bench {

/// Gaussian marginals of the cells of all blocks, blocks x cells; a deviation of 0 is a number that is certain.
struct BlockForecast {
  RowMatrix mean, deviation;
};

/// Means over the cells that have a value, in the units of the output.
struct DownscalingScores {
  double rmse = 0.0, crps = 0.0, coverage90 = 0.0;
  double largest_violation = 0.0, violation_rms = 0.0;  ///< of the block means, of draws (of the mean where nothing is drawn)
  double relative_violation = 0.0;                      ///< largest, of the law's terms
  double training_seconds = 0.0;
  std::int64_t best_epoch = 0;
};

class DownscalingStudy {
 public:
  /// `factor`: cells of a block along each dimension, instead of the domain's; 0: the domain's. `limit`: of the training
  /// blocks, evenly chosen, as large a share of the validation blocks; 0: all.
  DownscalingStudy(const std::string& domain, int factor, const std::filesystem::path& data, std::int64_t limit);

  const SampleSet& samples() const noexcept { return samples_; }
  const LinearConstraints& constraints() const noexcept { return constraints_; }
  const Domain& domain() const noexcept { return domain_; }

  /// A strategy of the library: marginals in closed form, violations of `members` draws of the plugin.
  DownscalingScores train_and_score(const TrainingOptions& options, Subset subset, int members) const;
  /// The layer of softmax (softmax_layer.hpp) behind the same network; scores of `members` draws.
  DownscalingScores softmax(const TrainingOptions& options, Subset subset, int members) const;
  /// The linear least-squares fit alone, moved onto the law: a number for each cell, no distribution.
  DownscalingScores linear(Subset subset) const;
  /// Bilinear between the means at the centres of the blocks; `conservative`: the block's mean is then put right by adding
  /// one number to its cells. `dressed`: a Gaussian around it, whose deviation is each cell's error in training.
  DownscalingScores bilinear(Subset subset, bool conservative, bool dressed) const;

  /// Scores of marginals, and of what a block's mean misses for the mean.
  DownscalingScores score(const SampleSet& of, const BlockForecast& forecast) const;

 private:
  RowMatrix interpolated(const SampleSet& of, bool conservative) const;
  std::string text_;  ///< of the domain file
  Domain domain_;
  LinearConstraints constraints_;
  SampleSet samples_;
  std::int64_t coarse_ = 0, contrast_ = 0, halo_ = 0;  ///< places among the inputs; blocks on each side
};

}  // namespace lavoisier::bench

#endif
