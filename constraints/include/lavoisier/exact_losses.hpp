#ifndef LAVOISIER_EXACT_LOSSES_HPP
#define LAVOISIER_EXACT_LOSSES_HPP

// Losses whose expectation over the conditional law of a diagonal Gaussian given A y = d has a closed form, or one that
// a single one-dimensional quadrature gives to rounding: `exact` of estimators.hpp, no draws, no variance. Value and
// gradients with respect to mean and standard deviation are fused; no n x n matrix is built. CRPS and likelihood are in
// training_losses.hpp; shapes, units, errors and failed samples as there. y need not be on the laws.
//
// score_scale: n positive numbers in the units of the outputs; outputs are divided by them before they are compared.
// invalid_argument names the one that is not positive.

#include <lavoisier/training_losses.hpp>

namespace lavoisier {

/// Expected squared error: mean over the outputs of E (Y_i - y_i)^2 / score_scale_i^2 = ((m_i - y_i)^2 + v_i) / ...
/// Its least value is at variance 0: it trains means, not deviations.
BatchLoss conditional_squared_error_loss(const RowMatrix& A, const Eigen::Ref<const RowMatrix>& mean,
                                         const Eigen::Ref<const RowMatrix>& standard_deviation,
                                         const Eigen::Ref<const RowMatrix>& d, const Eigen::Ref<const RowMatrix>& y,
                                         const Eigen::VectorXd& score_scale, const BatchOptions& options = {});

/// Expected absolute error: mean over the outputs of E |Y_i - y_i| / score_scale_i (folded normals). Not a proper score:
/// its least value is at variance 0. The CRPS is this less sqrt(v_i / pi).
BatchLoss conditional_absolute_error_loss(const RowMatrix& A, const Eigen::Ref<const RowMatrix>& mean,
                                          const Eigen::Ref<const RowMatrix>& standard_deviation,
                                          const Eigen::Ref<const RowMatrix>& d, const Eigen::Ref<const RowMatrix>& y,
                                          const Eigen::VectorXd& score_scale, const BatchOptions& options = {});

/// Energy score E |Y - y| - 1/2 E |Y - Y'|, |.| the Euclidean norm of outputs over score_scale (Gneiting and Raftery,
/// J. Am. Stat. Assoc. 102, 2007, eq. 22, beta = 1). By E |X| = 1/(2 sqrt pi) int (1 - E exp(-u |X|^2)) u^-3/2 du on a
/// trapezoidal rule in log u (docs/method.md): relative error below 1e-9, O(Q n m^2) a sample, Q about 50 to 120.
BatchLoss conditional_energy_loss(const RowMatrix& A, const Eigen::Ref<const RowMatrix>& mean,
                                  const Eigen::Ref<const RowMatrix>& standard_deviation,
                                  const Eigen::Ref<const RowMatrix>& d, const Eigen::Ref<const RowMatrix>& y,
                                  const Eigen::VectorXd& score_scale, const BatchOptions& options = {});

/// Variogram score of order 1 (Scheuerer and Hamill, Mon. Wea. Rev. 143, 2015): sum over pairs i < j of
/// w_ij (E |Y_i - Y_j| - |y_i - y_j|)^2, outputs over score_scale. pair_weights: n x n, its upper triangle read, not
/// negative; empty: one over the number of pairs. O(n^2 m) a sample. A difference Y_i - Y_j whose variance is below
/// 1e-14 of v_i + v_j counts as fixed. n >= 2.
BatchLoss conditional_variogram_loss(const RowMatrix& A, const Eigen::Ref<const RowMatrix>& mean,
                                     const Eigen::Ref<const RowMatrix>& standard_deviation,
                                     const Eigen::Ref<const RowMatrix>& d, const Eigen::Ref<const RowMatrix>& y,
                                     const Eigen::VectorXd& score_scale, const RowMatrix& pair_weights = {},
                                     const BatchOptions& options = {});

}  // namespace lavoisier

#endif
