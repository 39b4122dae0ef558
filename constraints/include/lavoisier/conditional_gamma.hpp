#ifndef LAVOISIER_CONDITIONAL_GAMMA_HPP
#define LAVOISIER_CONDITIONAL_GAMMA_HPP

// Gammas given weighted sums: the rows of A are disjoint groups that hold every output once. For a group of one sign,
// w_j > 0 and the right-hand side k > 0, y_j = (k / w_j) u_j with u ~ Dirichlet(concentration): the law of gammas of
// these shapes whose rates are proportional to the weights (only then is it Dirichlet; the rates' size cancels). k = 0:
// all are zero. A group of both signs, sum w_i p_i - sum w'_i p'_i = d: the negative side's total is max(-d, 0) + T and
// the positive side's max(d, 0) + T, T ~ log-normal(slack_location, slack_scale), and each side is split by a Dirichlet
// of its own. Variates are drawn and divided as logarithms, so that concentrations of 1e-3 and less survive (a share
// below e^-745 is then 0).
//
// Shapes: N samples, n outputs, m rows. A: m x n, shared, or N m x n, a block of m rows a sample. Samples are
// independent: one that fails leaves the others bitwise unchanged, its row is NaN, and `message` names the law and the
// sample of the first. Status: non_finite; invalid_argument (a concentration or slack_scale that is not positive);
// inconsistent_laws (k < 0 for positive weights); law_violated (y off the laws, or negative); out_of_range (log-density
// where an output is 0: it is infinite or zero there); unsupported (stacked A: groups that overlap). Errors:
// shape_mismatch; unsupported or invalid_argument for a shared A that is no such law, naming it. Nested groups are not
// offered: split a total first, then its parts with the parts' totals as d.

#include <lavoisier/draw_options.hpp>

#include <string>
#include <vector>

namespace lavoisier {

struct GammaGivenSum {
  RowMatrix A;
  RowMatrix concentration;  ///< N x n, > 0
  RowMatrix d;              ///< N x m
  RowMatrix slack_location, slack_scale;  ///< N x m, of log T; read for rows of both signs; empty if there are none
};

/// Gradients, in the shapes of GammaGivenSum; the slack's are empty where it is.
struct GammaGradient {
  RowMatrix concentration, slack_location, slack_scale;
};

struct GammaDraw {
  RowMatrix y;  ///< N x n, on the laws
  std::vector<Status> status;
  std::string message;
};
/// One draw a sample. Elements: the output's index for its gamma, n + row for a row's T.
GammaDraw gamma_given_sum_draw(const GammaGivenSum& law, const DrawOptions& options = {});
/// Pathwise gradient of a loss of that draw, from d loss / d y (N x n) and the same options: gammas by implicit
/// reparameterisation (Figurnov, Mohamed and Mnih 2018).
GammaGradient gamma_given_sum_draw_adjoint(const GammaGivenSum& law, const Eigen::Ref<const RowMatrix>& y_bar,
                                           const DrawOptions& options = {});

/// Mean and variance of the marginals (scaled betas; times the total's moments in rows of both signs).
struct GammaMoments {
  RowMatrix mean, variance;  ///< N x n
  std::vector<Status> status;
  std::string message;
};
GammaMoments gamma_given_sum_moments(const GammaGivenSum& law, const LawOptions& options = {});
/// Adjoint of the moments. A one-sign group's mean is blind to the sum of its concentrations: a loss of means alone
/// cannot train it.
GammaGradient gamma_given_sum_moments_adjoint(const GammaGivenSum& law, const Eigen::Ref<const RowMatrix>& mean_bar,
                                              const Eigen::Ref<const RowMatrix>& variance_bar,
                                              const LawOptions& options = {});

enum class DensityMeasure {
  surface,  ///< of {A y = d}: orthonormal coordinates
  reduced   ///< Lebesgue measure of all outputs but the last of each row
};
/// log-density at y, in physical units. A row with k = 0 adds nothing (its outputs are an atom at 0).
struct GammaLogDensity {
  Eigen::VectorXd value;   ///< N
  GammaGradient gradient;  ///< empty unless asked for
  std::vector<Status> status;
  std::string message;
};
GammaLogDensity gamma_given_sum_log_density(const GammaGivenSum& law, const Eigen::Ref<const RowMatrix>& y,
                                            DensityMeasure measure, bool with_gradient,
                                            const LawOptions& options = {});

/// Entropy with respect to the surface measure, and its gradient in the concentrations. Rows of both signs have no
/// closed form: status unsupported.
GammaLogDensity gamma_given_sum_entropy(const GammaGivenSum& law, bool with_gradient, const LawOptions& options = {});

}  // namespace lavoisier

#endif
