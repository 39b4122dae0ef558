#ifndef LAVOISIER_FUSED_LOSSES_HPP
#define LAVOISIER_FUSED_LOSSES_HPP

#include "sample_kernel.hpp"

#include <lavoisier/training_losses.hpp>

#include <optional>
#include <vector>

namespace lavoisier::detail {

/// conditional_crps_loss for tiles of samples that share `laws` (null: they don't); `weight`: 1 / (n score_scale). Fills rows of `loss` and returns the
/// samples that are left to SampleKernel: bad input, W near singular, outputs of large leverage, known outputs; all of
/// them where the laws are too many for tiles. The bits are SampleKernel's.
std::vector<Eigen::Index> fused_conditional_crps(const LawMatrix* laws, const Eigen::Ref<const RowMatrix>& mean,
                                                 const Eigen::Ref<const RowMatrix>& standard_deviation,
                                                 const Eigen::Ref<const RowMatrix>& d,
                                                 const Eigen::Ref<const RowMatrix>& y, const Eigen::VectorXd& weight,
                                                 const BatchOptions& options, BatchLoss& loss);

/// conditional_log_density for tiles of samples, likewise: fills value and, where it has rows, gradient of `density`; returns the
/// samples that are left.
std::vector<Eigen::Index> fused_conditional_log_density(const LawMatrix* laws, const Eigen::Ref<const RowMatrix>& mean,
                                                        const Eigen::Ref<const RowMatrix>& standard_deviation,
                                                        const Eigen::Ref<const RowMatrix>& d,
                                                        const Eigen::Ref<const RowMatrix>& y,
                                                        const BatchOptions& options, LogDensity& density);

/// conditional_log_density with one row of deviations for all samples: as fused_conditional_log_density, gradients of
/// each sample. `kernel` has these deviations, their leverages, marginal variances and A A'.
std::vector<Eigen::Index> fused_shared_log_density(const SampleKernel<-1>& kernel, const LawMatrix& laws,
                                                   const Eigen::Ref<const RowMatrix>& mean,
                                                   const Eigen::Ref<const RowMatrix>& standard_deviation,
                                                   const Eigen::Ref<const RowMatrix>& d,
                                                   const Eigen::Ref<const RowMatrix>& y, const BatchOptions& options,
                                                   LogDensity& density);

/// fused_conditional_crps with one row of deviations for all samples: W, its factor, leverages and variances once. Values and gradients
/// in mu have SampleKernel's bits; the gradient in s (1 x n) is the sum over the samples, in one order. Status of s itself
/// (then of every sample) or of single samples, whose rows, and the gradient in s, are NaN. Nothing where the laws are too
/// many for tiles, rows may be dropped, or the sample is one that FP64 does not hold.
std::optional<BatchLoss> fused_shared_conditional_crps(const LawMatrix& laws, const Eigen::Ref<const RowMatrix>& mean,
                                                       const Eigen::Ref<const RowMatrix>& standard_deviation,
                                                       const Eigen::Ref<const RowMatrix>& d,
                                                       const Eigen::Ref<const RowMatrix>& y,
                                                       const Eigen::VectorXd& weight, const BatchOptions& options);

/// CRPS of a row of n normal marginals, vectorised: value, d/d m, d/d v.
void gaussian_crps_row(const double* from_mean, const double* sigma, const double* inverse_sigma, Eigen::Index count,
                       double* value, double* mean_bar, double* variance_bar);

}  // namespace lavoisier::detail

#endif
