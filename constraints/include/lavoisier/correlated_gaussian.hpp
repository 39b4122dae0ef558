#ifndef LAVOISIER_CORRELATED_GAUSSIAN_HPP
#define LAVOISIER_CORRELATED_GAUSSIAN_HPP

// The exact conditional law given A y = d of Gaussians whose outputs are correlated, batched. Two families:
//   low rank: S = diag(s^2) + U U', per sample;     full: S = L L', one L for the batch.
//
// Shapes: N samples, n outputs, m rows (laws), r columns of U. A: m x n, shared by the batch, or (N m) x n, one block
// of m rows a sample, one after another. d: N x m. Units: physical or standardised, as long as all agree. FP64; samples
// whose laws or variances lose digits (a scaled pivot of W below 1e-4, or less than 1e-3 of an output's variance left)
// are computed in double-double. Samples are independent: one that fails has a status and NaN rows, and leaves the
// others bitwise unchanged. Results depend neither on `threads` (0: all) nor on the place in the batch; sums over the
// batch (gradients of L) are cut into parts that do not depend on the threads.
// Errors: shape_mismatch; invalid_argument for a shared A with a zero row or a number that is not finite, or an L that
// is not finite. Status of a sample: non_finite (input), invalid_argument (negative deviation), rank_deficient (laws or
// covariance).
// Formulas and derivations: docs/method.md; conditioning and marginal expectation: arXiv 2502.05416.
//
// Known components are outputs of no variance: s_j = 0 and U_j = 0, or row and column j of L zero. They stay at mu_j,
// move to the right-hand side and leave the density. s_j = 0 with U_j != 0 is an ordinary output.

#include <lavoisier/conditional_gaussian.hpp>

#include <vector>

namespace lavoisier {

/// N(mu, diag(s^2) + U U') of each sample. Refers to its arrays.
struct LowRankGaussian {
  Eigen::Ref<const RowMatrix> mean;                ///< N x n
  Eigen::Ref<const RowMatrix> standard_deviation;  ///< N x n: s
  Eigen::Ref<const RowMatrix> factor;              ///< N x (n r): U, n x r row-major a sample
};

/// N(mu, L L') with one L for the batch. Refers to its arrays.
struct FullGaussian {
  Eigen::Ref<const RowMatrix> mean;   ///< N x n
  Eigen::Ref<const RowMatrix> lower;  ///< n x n: L; its lower triangle is read
};

struct LowRankGradient {
  RowMatrix mean;                ///< N x n
  RowMatrix standard_deviation;  ///< N x n
  RowMatrix factor;              ///< N x (n r)
};

struct FullGradient {
  RowMatrix mean;   ///< N x n
  RowMatrix lower;  ///< n x n lower triangle: the sum over the samples that are ok
};

/// A value or rows a sample, and what became of each.
struct BatchRows {
  RowMatrix value;
  std::vector<Status> status;  ///< N
};

/// Mean m = mu - S A' W^-1 (A mu - d) (two passes) and diag(V), V = S - S A' W^-1 A S. A variance of less than about
/// 1e-27 of its S_jj is 0. Full, shared A: W is factorised once, O(n m) a sample.
ConditionalMoments conditional_moments(const RowMatrix& A, const LowRankGaussian& gaussian,
                                       const Eigen::Ref<const RowMatrix>& d, const BatchOptions& options = {});
ConditionalMoments conditional_moments(const RowMatrix& A, const FullGaussian& gaussian,
                                       const Eigen::Ref<const RowMatrix>& d, const BatchOptions& options = {});
/// Adjoint of conditional_moments: O(n m^2 + m^3 + n r m + n r^2) a sample, no n x n matrix, for the low-rank family.
LowRankGradient conditional_moments_adjoint(const RowMatrix& A, const LowRankGaussian& gaussian,
                                            const Eigen::Ref<const RowMatrix>& d,
                                            const Eigen::Ref<const RowMatrix>& mean_bar,
                                            const Eigen::Ref<const RowMatrix>& variance_bar,
                                            const BatchOptions& options = {});
FullGradient conditional_moments_adjoint(const RowMatrix& A, const FullGaussian& gaussian,
                                         const Eigen::Ref<const RowMatrix>& d,
                                         const Eigen::Ref<const RowMatrix>& mean_bar,
                                         const Eigen::Ref<const RowMatrix>& variance_bar,
                                         const BatchOptions& options = {});

/// V x, one vector a sample (N x n); V is never built. m: the number of laws (A alone does not tell a batch's).
BatchRows conditional_covariance_product(const RowMatrix& A, Eigen::Index m, const LowRankGaussian& gaussian,
                                         const Eigen::Ref<const RowMatrix>& x, const BatchOptions& options = {});
BatchRows conditional_covariance_product(const RowMatrix& A, Eigen::Index m, const FullGaussian& gaussian,
                                         const Eigen::Ref<const RowMatrix>& x, const BatchOptions& options = {});

/// Exact draws from standard normals, K a sample, one sample's after another: z = mu + s e + U w (e and w side by side,
/// (N K) x (n + r)) or z = mu + L e ((N K) x n); y = z - S A' W^-1 (A z - d), then once more. (N K) x n.
BatchRows conditional_draw(const RowMatrix& A, const LowRankGaussian& gaussian, const Eigen::Ref<const RowMatrix>& d,
                           const Eigen::Ref<const RowMatrix>& normals, const BatchOptions& options = {});
BatchRows conditional_draw(const RowMatrix& A, const FullGaussian& gaussian, const Eigen::Ref<const RowMatrix>& d,
                           const Eigen::Ref<const RowMatrix>& normals, const BatchOptions& options = {});
/// Adjoint of conditional_draw (pathwise): the sum over a sample's K draws.
LowRankGradient conditional_draw_adjoint(const RowMatrix& A, const LowRankGaussian& gaussian,
                                         const Eigen::Ref<const RowMatrix>& d,
                                         const Eigen::Ref<const RowMatrix>& normals,
                                         const Eigen::Ref<const RowMatrix>& y_bar, const BatchOptions& options = {});
FullGradient conditional_draw_adjoint(const RowMatrix& A, const FullGaussian& gaussian,
                                      const Eigen::Ref<const RowMatrix>& d, const Eigen::Ref<const RowMatrix>& normals,
                                      const Eigen::Ref<const RowMatrix>& y_bar, const BatchOptions& options = {});
/// Rao-Blackwell form of the pathwise gradient: from draws y ((N K) x n) and y_bar = grad f(y) alone, the mean of the
/// pathwise gradient over A z given y. Unbiased, and no element has a larger variance than pathwise. Summed over a
/// sample's K draws. Needs a regular covariance (known components aside): rank_deficient otherwise.
LowRankGradient rao_blackwell_gradient(const RowMatrix& A, const LowRankGaussian& gaussian,
                                       const Eigen::Ref<const RowMatrix>& d, const Eigen::Ref<const RowMatrix>& y,
                                       const Eigen::Ref<const RowMatrix>& y_bar, const BatchOptions& options = {});
FullGradient rao_blackwell_gradient(const RowMatrix& A, const FullGaussian& gaussian,
                                    const Eigen::Ref<const RowMatrix>& d, const Eigen::Ref<const RowMatrix>& y,
                                    const Eigen::Ref<const RowMatrix>& y_bar, const BatchOptions& options = {});

struct DensityOptions {
  bool with_gradient = false;
  /// Empty: with respect to the surface measure of {A y = d}. m outputs whose columns of A are independent: with
  /// respect to Lebesgue measure of the other outputs (reduced coordinates); rank_deficient where they are not.
  std::vector<Eigen::Index> dependent;
  int threads = 0;
};

template <class Gradient>
struct CorrelatedScore {
  Eigen::VectorXd value;       ///< N
  Gradient gradient;           ///< of each sample's value (L: of their sum); empty unless asked for
  std::vector<Status> status;  ///< N
};

/// log p(y | A y = d) = log N(y; mu, S) - log N(d; A mu, W) - 1/2 log det(A A'), or - log |det A_D| in reduced
/// coordinates. y must be on the laws: law_violated above tolerances::identity::relative_fp32. -infinity where y
/// differs from a known component. A covariance that is singular beyond its known components is rank_deficient.
CorrelatedScore<LowRankGradient> conditional_log_density(const RowMatrix& A, const LowRankGaussian& gaussian,
                                                         const Eigen::Ref<const RowMatrix>& d,
                                                         const Eigen::Ref<const RowMatrix>& y,
                                                         const DensityOptions& options = {});
CorrelatedScore<FullGradient> conditional_log_density(const RowMatrix& A, const FullGaussian& gaussian,
                                                      const Eigen::Ref<const RowMatrix>& d,
                                                      const Eigen::Ref<const RowMatrix>& y,
                                                      const DensityOptions& options = {});

/// Entropy of the conditional law, surface measure: (n - m)/2 log(2 pi e) + 1/2 (log det S - log det W + log det A A').
/// N x 1.
BatchRows conditional_entropy(const RowMatrix& A, Eigen::Index m, const LowRankGaussian& gaussian,
                              const BatchOptions& options = {});
BatchRows conditional_entropy(const RowMatrix& A, Eigen::Index m, const FullGaussian& gaussian,
                              const BatchOptions& options = {});

/// log N(N'y; N'mu, N'SN), N an orthonormal null basis of A: what the unconstrained Gaussian scores on the same
/// coordinates. N x 1. rank_deficient where N'SN is singular; a singular S is computed by dense matrices.
BatchRows null_space_log_density(const RowMatrix& A, Eigen::Index m, const LowRankGaussian& gaussian,
                                 const Eigen::Ref<const RowMatrix>& y, const BatchOptions& options = {});
BatchRows null_space_log_density(const RowMatrix& A, Eigen::Index m, const FullGaussian& gaussian,
                                 const Eigen::Ref<const RowMatrix>& y, const BatchOptions& options = {});

/// Closed-form losses with their gradients. CRPS: mean over the outputs of CRPS_j / score_scale_j of the marginals.
CorrelatedScore<LowRankGradient> conditional_crps_loss(const RowMatrix& A, const LowRankGaussian& gaussian,
                                                       const Eigen::Ref<const RowMatrix>& d,
                                                       const Eigen::Ref<const RowMatrix>& y,
                                                       const Eigen::VectorXd& score_scale,
                                                       const BatchOptions& options = {});
CorrelatedScore<FullGradient> conditional_crps_loss(const RowMatrix& A, const FullGaussian& gaussian,
                                                    const Eigen::Ref<const RowMatrix>& d,
                                                    const Eigen::Ref<const RowMatrix>& y,
                                                    const Eigen::VectorXd& score_scale,
                                                    const BatchOptions& options = {});
/// Squared error of the conditional mean: mean over the outputs of ((y_j - m_j) / score_scale_j)^2.
CorrelatedScore<LowRankGradient> conditional_squared_error_loss(const RowMatrix& A, const LowRankGaussian& gaussian,
                                                                const Eigen::Ref<const RowMatrix>& d,
                                                                const Eigen::Ref<const RowMatrix>& y,
                                                                const Eigen::VectorXd& score_scale,
                                                                const BatchOptions& options = {});
CorrelatedScore<FullGradient> conditional_squared_error_loss(const RowMatrix& A, const FullGaussian& gaussian,
                                                             const Eigen::Ref<const RowMatrix>& d,
                                                             const Eigen::Ref<const RowMatrix>& y,
                                                             const Eigen::VectorXd& score_scale,
                                                             const BatchOptions& options = {});
/// Likelihood: minus conditional_log_density.
CorrelatedScore<LowRankGradient> conditional_likelihood_loss(const RowMatrix& A, const LowRankGaussian& gaussian,
                                                             const Eigen::Ref<const RowMatrix>& d,
                                                             const Eigen::Ref<const RowMatrix>& y,
                                                             const BatchOptions& options = {});
CorrelatedScore<FullGradient> conditional_likelihood_loss(const RowMatrix& A, const FullGaussian& gaussian,
                                                          const Eigen::Ref<const RowMatrix>& d,
                                                          const Eigen::Ref<const RowMatrix>& y,
                                                          const BatchOptions& options = {});

}  // namespace lavoisier

#endif
