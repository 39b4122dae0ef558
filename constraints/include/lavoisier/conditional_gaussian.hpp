#ifndef LAVOISIER_CONDITIONAL_GAUSSIAN_HPP
#define LAVOISIER_CONDITIONAL_GAUSSIAN_HPP

// The exact conditional law of a diagonal Gaussian given A y = d, batched: the oracle of every test, and what models
// train with. arXiv 2502.05416; formulas as corrected in docs/method.md.
//
// Shapes: N samples, n outputs, m rows. A: m x n, shared by the batch, or (N m) x n, m rows of each sample, one sample
// after another. mean, standard_deviation: N x n. d: N x m. Everything FP64, physical or standardised units, as long as
// A and d agree with them. Samples are independent: one that fails (its status is not ok) leaves the others bitwise
// unchanged, and its own row NaN. Errors: shape_mismatch; for a shared A, invalid_argument for a zero row or a number
// that is not finite. In a stacked A these are the sample's status: rank_deficient, and non_finite.
// A standard_deviation of 1 x n is that of every sample: in conditional_moments and _draw, their adjoints,
// conditional_log_density, and the CRPS and likelihood losses. Variances, their adjoints and gradients in s are then
// 1 x n, the latter summed over the samples in their order and NaN if one failed. O(n m) a sample where A is shared,
// no row is to be dropped and W is far from singular, else the cost of N x n. Moments need a shared A for it.
// A sample whose W is near singular on scaled rows is computed in twice the digits (docs/method.md, "Limits").
// Cost a sample: O(n m^2 + m^3), with variances O(n m^2 + m^4).

#include <lavoisier/linear_constraints.hpp>
#include <lavoisier/status.hpp>

#include <vector>

namespace lavoisier {

struct BatchOptions {
  int threads = 0;  ///< 0: all. Results do not depend on it.
  /// A row that depends on those before it, for a sample, in the metric of its S: dropped if it agrees with them (to
  /// tolerances::identity::rank of its terms; the kept rows count in densities, entropies and variances), else the
  /// sample is `inconsistent_laws`. Without it, such a sample is `rank_deficient`.
  bool drop_dependent_rows = false;
};

/// Conditional mean m = mu - G (A mu - d) and marginal variances diag(V) without cancellation (DESIGN, "The
/// mathematics"). A zero standard deviation is legal (a known component) as long as W stays regular on scaled rows.
struct ConditionalMoments {
  RowMatrix mean;      ///< N x n
  RowMatrix variance;  ///< N x n
  /// N: ok, non_finite, invalid_argument (negative deviation), rank_deficient, inconsistent_laws (dropping rows)
  std::vector<Status> status;
};
ConditionalMoments conditional_moments(const RowMatrix& A, const Eigen::Ref<const RowMatrix>& mean,
                                       const Eigen::Ref<const RowMatrix>& standard_deviation,
                                       const Eigen::Ref<const RowMatrix>& d, const BatchOptions& options = {});

/// Gradients with respect to mu and s (standard deviation); N x n.
struct GaussianGradient {
  RowMatrix mean;
  RowMatrix standard_deviation;
};
/// Adjoint of conditional_moments: from d/dm and d/dv. O(n m^2) a sample, no n x n matrix.
GaussianGradient conditional_moments_adjoint(const RowMatrix& A, const Eigen::Ref<const RowMatrix>& mean,
                                             const Eigen::Ref<const RowMatrix>& standard_deviation,
                                             const Eigen::Ref<const RowMatrix>& d,
                                             const Eigen::Ref<const RowMatrix>& mean_bar,
                                             const Eigen::Ref<const RowMatrix>& variance_bar,
                                             const BatchOptions& options = {});

/// One exact draw a row from standard normals e (N x n): z = mu + s e, y = z - G (A z - d), then once more.
RowMatrix conditional_draw(const RowMatrix& A, const Eigen::Ref<const RowMatrix>& mean,
                           const Eigen::Ref<const RowMatrix>& standard_deviation,
                           const Eigen::Ref<const RowMatrix>& d, const Eigen::Ref<const RowMatrix>& e,
                           const BatchOptions& options = {});
/// Adjoint of conditional_draw: gradients of mu and s from d/dy (pathwise).
GaussianGradient conditional_draw_adjoint(const RowMatrix& A, const Eigen::Ref<const RowMatrix>& mean,
                                          const Eigen::Ref<const RowMatrix>& standard_deviation,
                                          const Eigen::Ref<const RowMatrix>& d,
                                          const Eigen::Ref<const RowMatrix>& e,
                                          const Eigen::Ref<const RowMatrix>& y_bar,
                                          const BatchOptions& options = {});

/// log p(y | A y = d) with respect to the surface measure: log N(y; mu, S) - log N(d; A mu, W) - 1/2 log det(A A').
/// y must be on the laws (moved there by project_onto_laws): status law_violated where its relative residual is above
/// tolerances::identity::relative_fp32.
/// With `dependent_outputs` (m different outputs), the density of the other n - m outputs: the last term is
/// - log|det A_D|, A_D the columns of the dependent ones (arXiv 2502.05416). For such a sample, A_D singular or a row
/// dropped is rank_deficient, a dependent output with zero deviation invalid_argument.
/// Zero deviation: the output leaves the density and A A'; a y that differs from its mean there has value -inf.
struct LogDensity {
  Eigen::VectorXd value;      ///< N
  GaussianGradient gradient;  ///< of value; empty unless asked for
  std::vector<Status> status;
};
LogDensity conditional_log_density(const RowMatrix& A, const Eigen::Ref<const RowMatrix>& mean,
                                   const Eigen::Ref<const RowMatrix>& standard_deviation,
                                   const Eigen::Ref<const RowMatrix>& d, const Eigen::Ref<const RowMatrix>& y,
                                   bool with_gradient, const BatchOptions& options = {},
                                   const std::vector<Eigen::Index>& dependent_outputs = {});

/// Differential entropy of the conditional law with respect to the surface measure, in nats:
/// (f - r)/2 log(2 pi e) + 1/2 (log det S - log det W + log det(A A')), f outputs of positive deviation, r rows. The
/// gradient in s is v_j / (S_j s_j), 0 where s_j = 0. It depends neither on mu nor on d (rows that are dropped are
/// taken to agree). `rows`: of each sample, where A is stacked; negative: A is shared.
struct ConditionalEntropy {
  Eigen::VectorXd value;         ///< N
  RowMatrix standard_deviation;  ///< N x n, gradient of value; empty unless asked for
  std::vector<Status> status;
};
ConditionalEntropy conditional_entropy(const RowMatrix& A, const Eigen::Ref<const RowMatrix>& standard_deviation,
                                       bool with_gradient, const BatchOptions& options = {}, Eigen::Index rows = -1);

/// log N(N'y; N'mu, N'SN), N an orthonormal null basis of A: what an unconstrained Gaussian scores on the same
/// coordinates, so that `nll` is comparable between strategies. NaN where it is not defined (input that is no number,
/// negative deviation, N'SN singular, a row of a stacked A that is zero or no number). `rows`: of each sample, where A
/// is stacked; negative: A is shared.
Eigen::VectorXd null_space_log_density(const RowMatrix& A, const Eigen::Ref<const RowMatrix>& mean,
                                       const Eigen::Ref<const RowMatrix>& standard_deviation,
                                       const Eigen::Ref<const RowMatrix>& y, const BatchOptions& options = {},
                                       Eigen::Index rows = -1);

/// Closed-form CRPS of N(m, v) at y, elementwise (Gneiting and Raftery 2007, eq. 21), and its gradients; v = 0:
/// |y - m|, with gradient 0 in v.
struct GaussianCrps {
  RowMatrix value;          ///< N x n
  RowMatrix mean_bar;       ///< d value / d m
  RowMatrix variance_bar;   ///< d value / d v
};
GaussianCrps gaussian_crps(const Eigen::Ref<const RowMatrix>& mean, const Eigen::Ref<const RowMatrix>& variance,
                           const Eigen::Ref<const RowMatrix>& y, const BatchOptions& options = {});

/// Moves y orthogonally onto {A y = d} (two passes); returns the largest distance moved (Euclidean, a sample).
double project_onto_laws(const RowMatrix& A, const Eigen::Ref<const RowMatrix>& d, Eigen::Ref<RowMatrix> y);

/// Orthogonal projection of a batch in the metric diag(scale^2): y - D D A' (A D D A')^-1 (A y - d), two passes, and
/// its adjoint. `projection` (KKT-hPINN, Chen et al. 2024).
RowMatrix orthogonal_projection(const RowMatrix& A, const Eigen::VectorXd& scale, const Eigen::Ref<const RowMatrix>& y,
                                const Eigen::Ref<const RowMatrix>& d);
RowMatrix orthogonal_projection_adjoint(const RowMatrix& A, const Eigen::VectorXd& scale,
                                        const Eigen::Ref<const RowMatrix>& y_bar);
/// Marginal variances of the projected N(mu, diag(s^2)): diag(P S P'), N x n, and the adjoint to s.
RowMatrix projected_variance(const RowMatrix& A, const Eigen::VectorXd& scale,
                             const Eigen::Ref<const RowMatrix>& standard_deviation);
RowMatrix projected_variance_adjoint(const RowMatrix& A, const Eigen::VectorXd& scale,
                                     const Eigen::Ref<const RowMatrix>& standard_deviation,
                                     const Eigen::Ref<const RowMatrix>& variance_bar);

}  // namespace lavoisier

#endif
