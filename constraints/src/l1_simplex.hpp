#ifndef LAVOISIER_L1_SIMPLEX_HPP
#define LAVOISIER_L1_SIMPLEX_HPP

#include <lavoisier/status.hpp>

#include <cstddef>
#include <vector>

namespace lavoisier::detail {

/// min sum_j |delta_j| subject to B delta = b, B m x n with rows of unit norm, by a tableau of [B | I]. Any basis is
/// feasible, since the signs of delta are free: the primal simplex method needs no first phase.
class L1Simplex {
 public:
  L1Simplex(std::size_t outputs, std::size_t rows);

  /// A rows x outputs, row-major. Starts from the basis of a column-pivoted orthogonalisation.
  Status set(const double* A, const double* scale);
  /// The optimal basis for residual r = d - A z in the units of A. internal: no optimum within the cap of steps.
  Status solve(const double* residual);
  /// Outputs of the basis, one a row of the tableau.
  const std::vector<std::size_t>& basis() const noexcept { return basis_; }

 private:
  double& at(std::size_t row, std::size_t column) noexcept { return tableau_[row * width() + column]; }
  std::size_t width() const noexcept { return outputs_ + rows_; }
  bool start(const std::vector<std::size_t>& basis);
  void pivot(std::size_t row, std::size_t column) noexcept;

  std::size_t outputs_, rows_;
  std::vector<double> B_, row_scale_, tableau_, first_tableau_, x_, b_, sign_, price_;
  std::vector<std::size_t> basis_, first_basis_;
  std::vector<char> basic_;
};

}  // namespace lavoisier::detail

#endif
