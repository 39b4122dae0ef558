#ifndef LAVOISIER_METRIC_PROJECTION_HPP
#define LAVOISIER_METRIC_PROJECTION_HPP

#include "law_matrix.hpp"

#include <vector>

namespace lavoisier::detail {

/// Orthogonal projection in the metric diag(scale^2), P = I - G A with G = D D A' (A D D A')^-1: one factorisation a
/// call, and O(n m) a sample. All members are const and may be called from several threads.
class MetricProjection {
 public:
  MetricProjection(const char* function, const RowMatrix& A, const Eigen::VectorXd& scale);

  /// result = y - G (A y - d), two passes. Non-finite input gives a NaN row.
  void apply(const double* y, const double* d, double* result) const;
  /// result = P' y_bar.
  void adjoint(const double* y_bar, double* result) const;
  /// result = diag(P S P').
  void variance(const double* deviation, double* result) const;
  /// deviation_bar of variance().
  void variance_adjoint(const double* deviation, const double* variance_bar, double* result) const;

 private:
  double G_dot_column(std::size_t i, std::size_t j) const noexcept;

  LawMatrix laws_;
  std::vector<double> gain_;      ///< G of scaled rows, outputs x rows
  std::vector<double> leverage_;  ///< (G A)_jj
};

}  // namespace lavoisier::detail

#endif
