#ifndef LAVOISIER_CONDITIONAL_COUNTS_HPP
#define LAVOISIER_CONDITIONAL_COUNTS_HPP

// Poisson counts given their sums: y_j ~ Poisson(exp(log_rate_j)), independent, given A y = d, where the rows of A are
// disjoint groups that hold every output once, each with one weight w > 0 and d_k / w an integer K >= 0. A group is then
// multinomial(K, exp(log_rate) / sum): of the rates only the proportions are identified. With unequal weights the law is
// no multinomial (weights 1, 2, 3, sum 6: mean .990, 1.953, .368 against .923, 1.846, .462), and is refused.
//
// Shapes: N samples, n outputs, m rows. log_rate: N x n. d: N x m. A: m x n, shared, or N m x n, a block of m rows a
// sample. Samples are independent: one that fails leaves the others bitwise unchanged, its row is NaN, and `message`
// names the law and the sample of the first. Status: non_finite; invalid_argument (d_k / w no integer, y no count);
// inconsistent_laws (d_k / w < 0); law_violated (y off its sums); out_of_range (K > 2^53); unsupported (stacked A:
// unequal weights, groups that overlap). Errors: shape_mismatch; unsupported or invalid_argument for a shared A that is
// no such law, naming it.

#include <lavoisier/draw_options.hpp>

#include <string>
#include <vector>

namespace lavoisier {

struct CountDraw {
  RowMatrix y;  ///< N x n, whole numbers, on the laws
  std::vector<Status> status;
  std::string message;
};
/// One draw a sample: binomials of what is left, in order of the outputs (element: the output's index).
CountDraw poisson_given_sum_draw(const RowMatrix& A, const Eigen::Ref<const RowMatrix>& log_rate,
                                 const Eigen::Ref<const RowMatrix>& d, const DrawOptions& options = {});

/// Mean K pi_j and variance K pi_j (1 - pi_j) of the marginals, which are binomial.
struct CountMoments {
  RowMatrix mean, variance;  ///< N x n
  std::vector<Status> status;
  std::string message;
};
CountMoments poisson_given_sum_moments(const RowMatrix& A, const Eigen::Ref<const RowMatrix>& log_rate,
                                       const Eigen::Ref<const RowMatrix>& d, const LawOptions& options = {});
/// Adjoint of the moments: the gradient in log_rate (N x n) of any loss of mean and variance, such as the squared error.
RowMatrix poisson_given_sum_moments_adjoint(const RowMatrix& A, const Eigen::Ref<const RowMatrix>& log_rate,
                                            const Eigen::Ref<const RowMatrix>& d,
                                            const Eigen::Ref<const RowMatrix>& mean_bar,
                                            const Eigen::Ref<const RowMatrix>& variance_bar,
                                            const LawOptions& options = {});

/// log P(y | A y = d), counting measure; its gradient in log_rate is y - K pi.
struct CountLogDensity {
  Eigen::VectorXd value;  ///< N
  RowMatrix gradient;     ///< N x n; empty unless asked for
  std::vector<Status> status;
  std::string message;
};
CountLogDensity poisson_given_sum_log_density(const RowMatrix& A, const Eigen::Ref<const RowMatrix>& log_rate,
                                              const Eigen::Ref<const RowMatrix>& d,
                                              const Eigen::Ref<const RowMatrix>& y, bool with_gradient,
                                              const LawOptions& options = {});

/// log P(y) of the independent counts, without laws; its gradient in log_rate is y - exp(log_rate). Status:
/// invalid_argument (y no count), non_finite.
CountLogDensity poisson_log_density(const Eigen::Ref<const RowMatrix>& log_rate, const Eigen::Ref<const RowMatrix>& y,
                                    bool with_gradient, const LawOptions& options = {});

/// Score-function gradient of E loss(y) in log_rate from K >= 2 draws a sample, each with the mean of the others' losses
/// as its baseline (leave one out: unbiased). loss: N x K; draws: N K x n, the K draws of a sample one after another.
RowMatrix poisson_given_sum_score_function(const RowMatrix& A, const Eigen::Ref<const RowMatrix>& log_rate,
                                           const Eigen::Ref<const RowMatrix>& d,
                                           const Eigen::Ref<const RowMatrix>& draws,
                                           const Eigen::Ref<const RowMatrix>& loss, const LawOptions& options = {});

/// Always throws Error(unsupported): counts are constant in the rates almost everywhere, so the pathwise gradient is 0
/// and not the gradient of the expectation.
[[noreturn]] void poisson_given_sum_pathwise();

}  // namespace lavoisier

#endif
