#ifndef LAVOISIER_PROJECTED_LOSSES_HPP
#define LAVOISIER_PROJECTED_LOSSES_HPP

// Losses of the strategies that map the network's Gaussian onto the laws by a fixed metric (`projection`, `completion`,
// one linear piece of `l1_layer`), the squared errors of all, and the penalty. Shapes and faults as in metric_projection.hpp,
// results as in training_losses.hpp.

#include <lavoisier/metric_projection.hpp>
#include <lavoisier/training_losses.hpp>

namespace lavoisier {

/// CRPS of the marginals of the projected Gaussian: mean over the outputs of CRPS_i / score_scale_i.
BatchLoss projected_crps_loss(const RowMatrix& A, const Eigen::Ref<const RowMatrix>& metric,
                              const Eigen::Ref<const RowMatrix>& mean,
                              const Eigen::Ref<const RowMatrix>& standard_deviation,
                              const Eigen::Ref<const RowMatrix>& d, const Eigen::Ref<const RowMatrix>& y,
                              const Eigen::VectorXd& score_scale, const BatchOptions& options = {});

/// Minus the log density, on the laws' surface, of the projected Gaussian N(P mu + ..., P S P'), which has rank n - m.
/// Where m outputs move (completion) it is that of the free coordinates, log N(y_F; mu_F, S_F) + log |det A_D|
/// - 1/2 log det(A A'). A zero standard deviation is invalid_argument for an output that moves; one that stays is known
/// then, and leaves the density. y must be on the laws (law_violated).
BatchLoss projected_likelihood_loss(const RowMatrix& A, const Eigen::Ref<const RowMatrix>& metric,
                                    const Eigen::Ref<const RowMatrix>& mean,
                                    const Eigen::Ref<const RowMatrix>& standard_deviation,
                                    const Eigen::Ref<const RowMatrix>& d, const Eigen::Ref<const RowMatrix>& y,
                                    const BatchOptions& options = {});

/// Mean over the outputs of ((m_i - y_i) / score_scale_i)^2, m the constrained mean: of the network itself, of the
/// projected Gaussian (metric held fixed), of the conditional law (whose mean depends on the standard deviations).
BatchLoss gaussian_squared_error_loss(const Eigen::Ref<const RowMatrix>& mean, const Eigen::Ref<const RowMatrix>& y,
                                      const Eigen::VectorXd& score_scale, const BatchOptions& options = {});
BatchLoss projected_squared_error_loss(const RowMatrix& A, const Eigen::Ref<const RowMatrix>& metric,
                                       const Eigen::Ref<const RowMatrix>& mean, const Eigen::Ref<const RowMatrix>& d,
                                       const Eigen::Ref<const RowMatrix>& y, const Eigen::VectorXd& score_scale,
                                       const BatchOptions& options = {});
BatchLoss conditional_mean_squared_error_loss(const RowMatrix& A, const Eigen::Ref<const RowMatrix>& mean,
                                         const Eigen::Ref<const RowMatrix>& standard_deviation,
                                         const Eigen::Ref<const RowMatrix>& d, const Eigen::Ref<const RowMatrix>& y,
                                         const Eigen::VectorXd& score_scale, const BatchOptions& options = {});

/// `penalty`: adds weight |R (A mean - d)|^2 to each sample's value and its gradient to that of the mean; R scales the rows
/// of A to unit norm, so that the units of a law do not weigh. A sample that has failed stays as it is; a zero row is
/// invalid_argument for a shared A, rank_deficient for a sample's own.
void add_law_penalty(BatchLoss& loss, const RowMatrix& A, const Eigen::Ref<const RowMatrix>& mean,
                     const Eigen::Ref<const RowMatrix>& d, double weight);

}  // namespace lavoisier

#endif
