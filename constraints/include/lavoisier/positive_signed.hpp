#ifndef LAVOISIER_POSITIVE_SIGNED_HPP
#define LAVOISIER_POSITIVE_SIGNED_HPP

// Positive and signed outputs together: p, independent, each of a positive law of its own; q given p is
// N(mean, diag(standard_deviation^2)) given A_q q = d - A_p p. Every draw is positive and on the laws. This law is "p,
// then q given p and the laws"; it is not the product of the two conditioned on the laws.
//
// Shapes: N samples, n_p positive and n_q signed outputs, m rows. a, b, zero: N x n_p; mean, standard_deviation:
// N x n_q; d: N x m; A = [A_p A_q]: m x (n_p + n_q), shared, or N m x (n_p + n_q), a block of m rows a sample. A_q must
// have full row rank in each sample, on scaled rows. A row among positives alone is refused by name: draw its outputs by
// gamma_given_sum, pass them as PositiveFamily::given, and leave the row out.
//
// Samples are independent: one that fails leaves the others bitwise unchanged, its row is NaN, and `message` names the
// sample (and law) of the first. Status: non_finite; invalid_argument (a parameter outside its domain); rank_deficient;
// law_violated (q off the laws); out_of_range (a positive output that its law does not reach; a draw that overflows);
// unsupported (stacked A: a row among positives). Errors: shape_mismatch; unsupported or invalid_argument for a shared A
// with such a row, or a zero one.

#include <lavoisier/draw_options.hpp>

#include <string>
#include <vector>

namespace lavoisier {

enum class PositiveFamily {
  log_normal,         ///< log p ~ N(a, b^2), b > 0
  gamma,              ///< shape a > 0, rate b > 0
  hurdle_log_normal,  ///< 0 with probability `zero`, 0 < zero < 1, else log-normal
  hurdle_gamma,       ///< 0 with probability `zero`, else gamma
  given               ///< p = a >= 0: known, or drawn elsewhere; b and zero are not read
};

struct PositiveSigned {
  std::vector<PositiveFamily> families;  ///< n_p
  RowMatrix a, b, zero;                  ///< `zero` may be empty where no family has an atom
  RowMatrix mean, standard_deviation;
  RowMatrix A, d;
};

/// Gradients, in the shapes of PositiveSigned.
struct PositiveSignedGradient {
  RowMatrix a, b, zero, mean, standard_deviation;
};

struct PositiveSignedDraw {
  RowMatrix p, q;  ///< N x n_p, > 0 or exactly 0; N x n_q
  std::vector<Status> status;
  std::string message;
};
/// One draw a sample. Elements: i for p_i (a hurdle's atom by block 0, the rest after it), n_p + j for q_j.
PositiveSignedDraw positive_signed_draw(const PositiveSigned& law, const DrawOptions& options = {});

enum class SignedEstimator {
  pathwise,
  rao_blackwell  ///< of the standard deviations: averaged over A z given q; unbiased, never of more variance
};
/// Gradient of a loss of that draw from d loss / d p and d loss / d q and the same options. p pathwise (gamma:
/// implicit), with the derivative through q's right-hand side, p_bar - A_p' G' q_bar. `zero` is left 0: an atom has no
/// pathwise gradient, see hurdle_score_function. For `given`: the gradient in p, as a's.
PositiveSignedGradient positive_signed_draw_adjoint(const PositiveSigned& law, const Eigen::Ref<const RowMatrix>& p_bar,
                                                    const Eigen::Ref<const RowMatrix>& q_bar, SignedEstimator estimator,
                                                    const DrawOptions& options = {});
/// Score-function gradient of E loss in `zero` from K >= 2 draws a sample, leave-one-out baseline. loss: N x K; p:
/// N K x n_p, the K draws of a sample one after another. To be added to the others' pathwise gradients.
RowMatrix hurdle_score_function(const PositiveSigned& law, const Eigen::Ref<const RowMatrix>& p,
                                const Eigen::Ref<const RowMatrix>& loss);

/// Mean and marginal variances of q given p.
struct SignedMoments {
  RowMatrix mean, variance;  ///< N x n_q
  std::vector<Status> status;
  std::string message;
};
SignedMoments signed_moments_given(const PositiveSigned& law, const Eigen::Ref<const RowMatrix>& p,
                                   const LawOptions& options = {});

/// Means and marginal variances of everything, in closed form: E q = m(E p), Var q = V + G A_p Var(p) A_p' G'.
struct PositiveSignedMoments {
  RowMatrix p_mean, p_variance, q_mean, q_variance;
  std::vector<Status> status;
  std::string message;
};
PositiveSignedMoments positive_signed_moments(const PositiveSigned& law, const LawOptions& options = {});

enum class PositiveSignedMeasure {
  product,  ///< of (p, N_q' q): counting measure at atoms, Lebesgue elsewhere; surface measure of {A_q q = d - A_p p}
  surface   ///< of the whole surface {A (p, q) = d}, outputs at an atom left out
};
/// log p(p) + log N(q; mean, S) - log N(d - A_p p; A_q mean, W) - 1/2 log det(A_q A_q'), and its gradient in all
/// parameters. `given` outputs add nothing; their a has gradient 0.
struct PositiveSignedLogDensity {
  Eigen::VectorXd value;            ///< N
  PositiveSignedGradient gradient;  ///< empty unless asked for
  std::vector<Status> status;
  std::string message;
};
PositiveSignedLogDensity positive_signed_log_density(const PositiveSigned& law, const Eigen::Ref<const RowMatrix>& p,
                                                     const Eigen::Ref<const RowMatrix>& q,
                                                     PositiveSignedMeasure measure, bool with_gradient,
                                                     const LawOptions& options = {});

/// log p(p) of the positive outputs alone, and its gradient in a, b and zero: the rest of `law` is not read.
PositiveSignedLogDensity positive_log_density(const PositiveSigned& law, const Eigen::Ref<const RowMatrix>& p,
                                              bool with_gradient, const LawOptions& options = {});

/// CRPS of every output under the mixture over p, from `draws` >= 2 independent draws of p: the mean of E|Y - y| less
/// half the mean over pairs of E|Y - Y'|, q given p in closed form (the mixture's score; not the average of scores given
/// p). Unbiased. Elements: draw * n_p + i.
struct PositiveSignedCrps {
  RowMatrix p, q;                   ///< N x n_p, N x n_q
  PositiveSignedGradient gradient;  ///< of the sum over outputs; empty unless asked for
  std::vector<Status> status;
  std::string message;
};
/// With the gradient of a hurdle's atom (score function, the estimate without the draw as its baseline): draws >= 3.
PositiveSignedCrps positive_signed_crps(const PositiveSigned& law, const Eigen::Ref<const RowMatrix>& p,
                                        const Eigen::Ref<const RowMatrix>& q, int draws, bool with_gradient,
                                        const DrawOptions& options = {});

}  // namespace lavoisier

#endif
