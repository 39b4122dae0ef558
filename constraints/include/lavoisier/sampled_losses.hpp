#ifndef LAVOISIER_SAMPLED_LOSSES_HPP
#define LAVOISIER_SAMPLED_LOSSES_HPP

// Proper scores of K draws of N(mu, diag(s^2)) given A y = d, and unbiased estimates of the gradients of their
// expectations with respect to mu and s. Their exact counterparts are conditional_crps_loss (training_losses.hpp) and
// conditional_energy_loss (exact_losses.hpp). Shapes, units, errors and failed samples as there; derivations in
// docs/method.md.

#include <lavoisier/estimators.hpp>
#include <lavoisier/training_losses.hpp>

namespace lavoisier {

/// Fair scores: unbiased in K (Ferro, Quart. J. Roy. Met. Soc. 140, 2014). Y_k, y over score_scale.
enum class SampleScore {
  crps,   ///< mean over the outputs of mean_k |Y_k - y| - sum_{k<l} |Y_k - Y_l| / (K (K - 1))
  energy  ///< the same with |.| the Euclidean norm over the outputs
};

/// Mean over pairs of K >= 2 independent draws (options.draws). Estimators, of the score as a function of all draws:
/// marginal_expectation (unbiased in mu alone), pathwise, rao_blackwell (each draw's own term averaged over A z given
/// that draw), score_function (each term by the log densities of its own draws; baselines of the other draws), and
/// rao_blackwell_shrunk, whose c is that of this call's samples together: needs no state, but makes a sample's
/// gradient in s depend on the others. No Latin hypercube and no control variate: pairs need independent draws.
/// options.level is not used. Errors: unsupported for `exact`; invalid_argument for draws < 2 or a score_scale that is
/// not positive; shape_mismatch.
BatchLoss estimate_score_gradient(const RowMatrix& A, const Eigen::Ref<const RowMatrix>& mean,
                                  const Eigen::Ref<const RowMatrix>& standard_deviation,
                                  const Eigen::Ref<const RowMatrix>& d, const Eigen::Ref<const RowMatrix>& y,
                                  const Eigen::VectorXd& score_scale, SampleScore score,
                                  const EstimatorOptions& estimator = {}, const BatchOptions& options = {});

}  // namespace lavoisier

#endif
