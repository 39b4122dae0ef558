#ifndef LAVOISIER_ESTIMATORS_HPP
#define LAVOISIER_ESTIMATORS_HPP

// Gradients of E f(Y), Y ~ N(mu, diag(s^2)) given A y = d, with respect to mu and s, for a loss f of one draw that is
// known only by its value and gradient. Losses with a closed form are in exact_losses.hpp and training_losses.hpp.
// Shapes, units and errors as in conditional_gaussian.hpp; derivations in docs/method.md.

#include <lavoisier/conditional_gaussian.hpp>

#include <cstdint>
#include <functional>
#include <string>
#include <vector>

namespace lavoisier {

/// p = P'g, g the gradient of f at a draw y; r = A mu - d, lambda = W^-1 r, m the conditional mean.
enum class Estimator {
  exact,                 ///< closed forms only: estimate_gradient refuses it
  marginal_expectation,  ///< d/d log s_j = -2 s_j^2 p_j (A'lambda)_j: biased, blind to dispersion (arXiv 2502.05416)
  pathwise,              ///< through the draw: unbiased (arXiv 2502.05416, constrained reparameterisation)
  score_function,        ///< (f - mean of the other draws' f) times the gradient of the log density: unbiased
  rao_blackwell,         ///< pathwise averaged over A z given y: p_j [(y - m)_j - 2 s_j^2 (A'lambda)_j]: unbiased
  rao_blackwell_shrunk   ///< the dispersion term p_j (y - m)_j times c <= 1: biased by (c - 1) of that term's mean
};
const char* to_string(Estimator estimator) noexcept;
/// invalid_argument lists the legal words and names the nearest one.
Estimator estimator_from(const std::string& word);

/// Standard normal quantile (Wichura, Appl. Statist. 37, 1988, AS 241, PPND16): relative error about 1e-16.
/// u in (0, 1); NaN outside, infinite at 0 and 1.
double inverse_normal_cdf(double u) noexcept;

/// f(y) of sample (its row in the batch) at a draw y (n); writes df/dy to gradient (n). Called from several threads at
/// once, in any order; what it throws is thrown by estimate_gradient. A value or gradient that is not finite makes the
/// sample non_finite.
using DrawLoss = std::function<double(Eigen::Index sample, const double* y, double* gradient)>;

/// Over what c is estimated: each sample's own gradient over calls (B^2 and Var differ from sample to sample), or the
/// gradient summed over a call's samples, as a bias of the last layer sees it: Var of the mean falls as 1/N there, so
/// that c tends to 1.
enum class ShrinkageLevel { sample, batch };

/// What past draws say, carried by the caller from call to call: curvature b of f along each output (secant: sum of
/// g_i (y - m)_i over sum of (y - m)_i^2) and the moments that c is made of. A call reads the state of the calls before
/// it, then adds its own draws: the control variate stays unbiased.
class EstimatorState {
 public:
  /// slots: 1, shared by all samples, or as many as there are sample ids (each id < slots has its own).
  /// memory in (0, 1]: what a call's sums are multiplied by at the next. invalid_argument otherwise.
  explicit EstimatorState(Eigen::Index outputs, Eigen::Index slots = 1, double memory = 1.0);

  Eigen::Index outputs() const noexcept { return products_.cols(); }
  Eigen::Index slots() const noexcept { return products_.rows(); }
  /// b, 0 where there are no draws yet.
  Eigen::VectorXd curvature(Eigen::Index slot = 0) const;
  /// c = (B^2 - C) / (B^2 + Var), clipped to [0, 1]: B^2 the squared mean of the dispersion term (in log s), Var the
  /// variance of its estimate, C its covariance with the rest of the gradient. It minimises the mean squared error. 1
  /// before there is a variance (two calls; at the batch level, where slot does not matter, one call of two draws).
  double shrinkage(ShrinkageLevel level, Eigen::Index slot = 0) const;

 private:
  friend struct EstimatorAccess;
  RowMatrix products_, squares_;           // slots x n: sums of g_i (y - m)_i and (y - m)_i^2
  RowMatrix dispersion_sum_, rest_sum_;    // slots x n
  RowMatrix moments_;                      // slots x 3, see estimators.cpp
  Eigen::VectorXd batch_;                  // 4
  double memory_;
};

struct EstimatorOptions {
  Estimator estimator = Estimator::rao_blackwell;
  int draws = 4;             ///< K >= 1 a sample
  std::uint64_t seed = 0;    ///< with stream, step and a sample's id: the address of its draws (random.hpp), so that
  std::uint64_t stream = 0;  ///< gradients depend neither on threads nor on place in the batch
  std::uint64_t step = 0;
  std::vector<std::uint64_t> sample_ids;  ///< N; empty: 0 ... N - 1
  ShrinkageLevel level = ShrinkageLevel::batch;
};

struct EstimatedGradient {
  Eigen::VectorXd value;       ///< N: mean of f over the draws
  GaussianGradient gradient;   ///< of E f, a sample
  std::vector<Status> status;  ///< N: ok, non_finite, invalid_argument, rank_deficient
};

/// Mean over K draws. The Rao-Blackwell estimators with K > 1 draw a Latin hypercube (each coordinate of the noise
/// stratified over the K draws: each draw is an exact one, the draws are dependent, so they must not feed a loss of
/// pairs of draws), and with a state subtract b (y - m) from g and add its expectation s_j sum_i P_ij^2 b_i back. K = 1:
/// neither. A known component (s_j = 0) has gradient 0 in s, but under pathwise; score_function gives such a sample
/// invalid_argument. Errors: unsupported for `exact`; invalid_argument for draws < 1, ids without a slot, or
/// rao_blackwell_shrunk without a state.
EstimatedGradient estimate_gradient(const RowMatrix& A, const Eigen::Ref<const RowMatrix>& mean,
                                    const Eigen::Ref<const RowMatrix>& standard_deviation,
                                    const Eigen::Ref<const RowMatrix>& d, const DrawLoss& loss,
                                    const EstimatorOptions& estimator = {}, EstimatorState* state = nullptr,
                                    const BatchOptions& options = {});

}  // namespace lavoisier

#endif
