#ifndef LAVOISIER_L1_PROJECTION_HPP
#define LAVOISIER_L1_PROJECTION_HPP

// l1_layer: the point on the laws that is nearest in L1, as constraint layers take it (after Stoian et al., 2024).

#include <lavoisier/metric_projection.hpp>

namespace lavoisier {

/// y minimises sum_j |y_j - z_j| / scale_j subject to A y = d; an output of scale zero stays.
struct L1Projection {
  RowMatrix y;                 ///< N x n
  RowMatrix scale;             ///< N x n: scale_j on the m outputs that moved (the optimal basis), zero elsewhere
  std::vector<Status> status;  ///< N: ok, non_finite, invalid_argument, rank_deficient, internal (no optimum was reached)
};
/// Shapes, units and errors as metric_projection; scale: 1 x n. An exact simplex method on sum |delta| with A delta = d - A z:
/// from a column-pivoted basis, steepest column first with the whole line searched, Bland's rule after steps that gain
/// nothing; ties go to the first output. Every sample starts from the laws' own basis, so that its result depends on
/// nothing but itself. One law: the whole residual goes to the output of the largest |a_j| scale_j.
///
/// The map is linear by pieces: y = metric_projection(A, scale of the result, z, d), and that is also where its adjoint
/// (I - E_B A_B^-1 A)', by metric_projection_adjoint, and the variances of its piece, by projected_moments, come from.
L1Projection l1_projection(const RowMatrix& A, const Eigen::VectorXd& scale, const Eigen::Ref<const RowMatrix>& z,
                           const Eigen::Ref<const RowMatrix>& d, const BatchOptions& options = {});

}  // namespace lavoisier

#endif
