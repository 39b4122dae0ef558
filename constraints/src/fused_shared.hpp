#ifndef LAVOISIER_FUSED_SHARED_HPP
#define LAVOISIER_FUSED_SHARED_HPP

#include <lavoisier/conditional_gaussian.hpp>

namespace lavoisier::detail {

/// One row of deviations for a batch of several samples.
inline bool is_shared(const Eigen::Ref<const RowMatrix>& mean, const Eigen::Ref<const RowMatrix>& deviation) {
  return deviation.rows() == 1 && mean.rows() != 1 && deviation.cols() == mean.cols();
}

inline RowMatrix sum_of_rows(const RowMatrix& rows) {
  RowMatrix sum = RowMatrix::Zero(1, rows.cols());
  for (Eigen::Index s = 0; s < rows.rows(); ++s)
    for (Eigen::Index j = 0; j < rows.cols(); ++j) sum(0, j) += rows(s, j);
  return sum;
}

// The functions of conditional_gaussian.hpp where is_shared(): W, its factor, leverages and variances once, O(n m) a
// sample. Variances, and gradients in s (summed over the samples in their order; NaN if one failed), are 1 x n. Where
// A is stacked, rows may be dropped, or FP64 does not hold W, the row of deviations is repeated; moments of a stacked A
// are refused (shape_mismatch): their variances differ.
ConditionalMoments shared_conditional_moments(const RowMatrix& A, const Eigen::Ref<const RowMatrix>& mean,
                                              const Eigen::Ref<const RowMatrix>& standard_deviation,
                                              const Eigen::Ref<const RowMatrix>& d, const BatchOptions& options);
GaussianGradient shared_conditional_moments_adjoint(const RowMatrix& A, const Eigen::Ref<const RowMatrix>& mean,
                                                    const Eigen::Ref<const RowMatrix>& standard_deviation,
                                                    const Eigen::Ref<const RowMatrix>& d,
                                                    const Eigen::Ref<const RowMatrix>& mean_bar,
                                                    const Eigen::Ref<const RowMatrix>& variance_bar,
                                                    const BatchOptions& options);
RowMatrix shared_conditional_draw(const RowMatrix& A, const Eigen::Ref<const RowMatrix>& mean,
                                  const Eigen::Ref<const RowMatrix>& standard_deviation,
                                  const Eigen::Ref<const RowMatrix>& d, const Eigen::Ref<const RowMatrix>& e,
                                  const BatchOptions& options);
GaussianGradient shared_conditional_draw_adjoint(const RowMatrix& A, const Eigen::Ref<const RowMatrix>& mean,
                                                 const Eigen::Ref<const RowMatrix>& standard_deviation,
                                                 const Eigen::Ref<const RowMatrix>& d,
                                                 const Eigen::Ref<const RowMatrix>& e,
                                                 const Eigen::Ref<const RowMatrix>& y_bar,
                                                 const BatchOptions& options);
LogDensity shared_conditional_log_density(const RowMatrix& A, const Eigen::Ref<const RowMatrix>& mean,
                                          const Eigen::Ref<const RowMatrix>& standard_deviation,
                                          const Eigen::Ref<const RowMatrix>& d, const Eigen::Ref<const RowMatrix>& y,
                                          bool with_gradient, const BatchOptions& options,
                                          const std::vector<Eigen::Index>& dependent_outputs);

}  // namespace lavoisier::detail

#endif
