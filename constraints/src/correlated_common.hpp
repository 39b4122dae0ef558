#ifndef LAVOISIER_CORRELATED_COMMON_HPP
#define LAVOISIER_CORRELATED_COMMON_HPP

// What the two families of correlated Gaussians share: checks of shapes and numbers, dense and elementwise pieces.

#include "conditioning.hpp"
#include "crps.hpp"
#include "parallel.hpp"

#include <lavoisier/correlated_gaussian.hpp>

#include <initializer_list>

namespace lavoisier::detail {

using Batch = Eigen::Ref<const RowMatrix>;

/// An argument whose rows of sample s must be finite: rows_a_sample of them, one after another.
struct Finite {
  const Batch* values;
  Eigen::Index rows_a_sample;

  bool holds(Eigen::Index s) const noexcept {
    const double* first = row(*values, s * rows_a_sample);
    for (Eigen::Index i = 0; i < rows_a_sample * values->cols(); ++i)
      if (!std::isfinite(first[i])) return false;
    return true;
  }
};

inline bool all_hold(std::initializer_list<Finite> inputs, Eigen::Index s) noexcept {
  for (const Finite& input : inputs)
    if (!input.holds(s)) return false;
  return true;
}

/// K of an argument of (N K) x columns; shape_mismatch otherwise.
Eigen::Index draws_a_sample(const char* function, const char* argument, const Batch& values, Eigen::Index samples,
                            Eigen::Index columns);
/// m distinct outputs, or none.
void require_dependent(const char* function, const std::vector<Eigen::Index>& dependent, Eigen::Index m,
                       Eigen::Index n);
/// 1 / (n score_scale).
Eigen::VectorXd score_weights_of(const char* function, const Eigen::VectorXd& score_scale, Eigen::Index outputs);

/// log N(N'y; N'mu, N'SN) for a singular S, by dense matrices; NaN if N'SN is singular. A: m x n.
double dense_null_space_log_density(const Eigen::MatrixXd& A, const Eigen::MatrixXd& S, const Eigen::VectorXd& delta);

/// Squared error: mean over the outputs of ((y - m) / scale)^2; mean_bar gets its gradient.
double weighted_squared_error(Eigen::Index outputs, const double* mean, const double* y,
                              const Eigen::VectorXd& score_scale, double* mean_bar) noexcept;
/// Mean over the outputs of CRPS / scale; the bars get its gradients.
double weighted_marginal_crps(Eigen::Index outputs, const double* mean, const double* variance, const double* y,
                              const Eigen::VectorXd& weight, double* mean_bar, double* variance_bar) noexcept;

template <class Real>
void store(const std::vector<Real>& from, double* to) noexcept {
  for (std::size_t i = 0; i < from.size(); ++i) to[i] = to_double(from[i]);
}

inline void set_nan_rows(RowMatrix& matrix, Eigen::Index s, Eigen::Index rows_a_sample) {
  matrix.middleRows(s * rows_a_sample, rows_a_sample).setConstant(not_a_number);
}

inline std::vector<Status> all_ok(Eigen::Index samples) {
  return std::vector<Status>(static_cast<std::size_t>(samples), Status::ok);
}

}  // namespace lavoisier::detail

#endif
