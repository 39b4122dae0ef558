#ifndef LAVOISIER_TRAINING_LOSSES_HPP
#define LAVOISIER_TRAINING_LOSSES_HPP

// What training minimises, fused: value and gradients with respect to the network's mean and standard deviation in one
// pass over a sample. Shapes and units as in conditional_gaussian.hpp; A is shared or stacked in the `conditional`
// losses, shared in those of `projection`. A sample that fails has a status, a NaN value
// and NaN gradients, and leaves the others bitwise unchanged.

#include <lavoisier/conditional_gaussian.hpp>

#include <vector>

namespace lavoisier {

struct BatchLoss {
  Eigen::VectorXd value;       ///< N: the loss of each sample
  GaussianGradient gradient;   ///< of each sample's own value (divide by N for the mean over the batch)
  std::vector<Status> status;  ///< N: ok, non_finite, invalid_argument (deviation), rank_deficient, law_violated,
                               ///< inconsistent_laws

  /// Mean over the samples, summed in their order; NaN if one failed.
  double mean() const;
};

/// CRPS: mean over the outputs of CRPS_i / score_scale_i (positive; n of them).
/// `conditional`: of the marginals of the exact conditional law (conditional_moments, then gaussian_crps).
BatchLoss conditional_crps_loss(const RowMatrix& A, const Eigen::Ref<const RowMatrix>& mean,
                                const Eigen::Ref<const RowMatrix>& standard_deviation,
                                const Eigen::Ref<const RowMatrix>& d, const Eigen::Ref<const RowMatrix>& y,
                                const Eigen::VectorXd& score_scale, const BatchOptions& options = {});
/// `none` (and `post_hoc`, which trains as `none` does): of the Gaussian itself.
BatchLoss gaussian_crps_loss(const Eigen::Ref<const RowMatrix>& mean,
                             const Eigen::Ref<const RowMatrix>& standard_deviation,
                             const Eigen::Ref<const RowMatrix>& y, const Eigen::VectorXd& score_scale,
                             const BatchOptions& options = {});

/// Likelihood: minus the log density, a sample (not an output). y must be on the laws where there are laws.
/// `conditional`: minus conditional_log_density.
BatchLoss conditional_likelihood_loss(const RowMatrix& A, const Eigen::Ref<const RowMatrix>& mean,
                                      const Eigen::Ref<const RowMatrix>& standard_deviation,
                                      const Eigen::Ref<const RowMatrix>& d, const Eigen::Ref<const RowMatrix>& y,
                                      const BatchOptions& options = {});
/// `none`: minus log N(y; mu, S), all n outputs. A zero standard deviation is invalid_argument here.
BatchLoss gaussian_likelihood_loss(const Eigen::Ref<const RowMatrix>& mean,
                                   const Eigen::Ref<const RowMatrix>& standard_deviation,
                                   const Eigen::Ref<const RowMatrix>& y, const BatchOptions& options = {});

}  // namespace lavoisier

#endif
