#ifndef LAVOISIER_METRIC_PROJECTION_HPP
#define LAVOISIER_METRIC_PROJECTION_HPP

// Maps onto the laws that move outputs by a fixed share of the residual, batched, with their adjoints:
//   y = z - D^2 A' (A D^2 A')^-1 (A z - d),  D = diag(scale),
// the point on {A y = d} nearest to z in the metric D^-2. An output of scale zero stays. Which scale is which strategy:
//   projection (Chen et al., KKT-hPINN, 2024): the outputs' standardisation (ones in standardised units);
//   completion (Donti et al., DC3, 2021; Beucler et al., 2021): the m dependent outputs positive, zero elsewhere;
//   variance_projection (Hansen et al., ProbConserv, 2023): the network's standard deviations, a row a sample.
//
// Shapes: N samples, n outputs, m rows. A: m x n, or (N m) x n, one block a sample. scale: 1 x n, or N x n. z, mean,
// standard_deviation: N x n. d: N x m. FP64, any units that agree. What is wrong with A or scale that all samples share
// is an Error (invalid_argument, rank_deficient); a sample's own fault (non_finite, invalid_argument, rank_deficient) is
// its status and a NaN row, and leaves the others bitwise unchanged. Errors: shape_mismatch.

#include <lavoisier/conditional_gaussian.hpp>

#include <vector>

namespace lavoisier {

struct ProjectedBatch {
  RowMatrix y;                 ///< N x n
  std::vector<Status> status;  ///< N
};
/// Two passes: relative residual 1e-14. O(n m) a sample where A and scale are shared, O(n m^2 + m^3) where not.
ProjectedBatch metric_projection(const RowMatrix& A, const Eigen::Ref<const RowMatrix>& scale,
                                 const Eigen::Ref<const RowMatrix>& z, const Eigen::Ref<const RowMatrix>& d,
                                 const BatchOptions& options = {});
/// From d/dy: d/dz = P' y_bar and, for each sample, d/dscale (for a scale that the network makes; zero where scale is).
struct MetricProjectionGradient {
  RowMatrix z, scale;  ///< N x n
};
MetricProjectionGradient metric_projection_adjoint(const RowMatrix& A, const Eigen::Ref<const RowMatrix>& scale,
                                                   const Eigen::Ref<const RowMatrix>& z,
                                                   const Eigen::Ref<const RowMatrix>& d,
                                                   const Eigen::Ref<const RowMatrix>& y_bar,
                                                   const BatchOptions& options = {});

/// Mean and marginal variances diag(P S P') of the projected N(mean, diag(standard_deviation^2)), scale held fixed.
struct ProjectedMoments {
  RowMatrix mean, variance;    ///< N x n
  std::vector<Status> status;  ///< N
};
ProjectedMoments projected_moments(const RowMatrix& A, const Eigen::Ref<const RowMatrix>& scale,
                                   const Eigen::Ref<const RowMatrix>& mean,
                                   const Eigen::Ref<const RowMatrix>& standard_deviation,
                                   const Eigen::Ref<const RowMatrix>& d, const BatchOptions& options = {});

/// The m outputs that completion computes: columns of A diag(scale), rows of unit norm, in the order of a column-pivoted
/// orthogonalisation. For a stack of A, the column whose worst sample is best, so that one set serves all. An output with
/// scale zero is none of them. Ties: the first. Error(rank_deficient) where there is no such set (a pivot below
/// tolerances::identity::rank), naming row count and, for a stack, the sample.
std::vector<Eigen::Index> dependent_outputs(const RowMatrix& A, Eigen::Index rows, const Eigen::VectorXd& scale);
/// Refuses a set that the laws do not determine: invalid_argument (another number of outputs than of laws, one named
/// twice or out of range), rank_deficient (degenerate; names the sample of a stack).
void require_dependent(const RowMatrix& A, Eigen::Index rows, const Eigen::VectorXd& scale,
                       const std::vector<Eigen::Index>& dependent);
/// scale where an output is dependent, zero elsewhere.
Eigen::VectorXd completion_scale(const Eigen::VectorXd& scale, const std::vector<Eigen::Index>& dependent);

}  // namespace lavoisier

#endif
