#ifndef LAVOISIER_SAMPLE_KERNEL_HPP
#define LAVOISIER_SAMPLE_KERNEL_HPP

// One sample of the conditional law of a diagonal Gaussian: what every batched function is made of. A thread owns a
// kernel; nothing is allocated after its construction. Formulas and their derivations: docs/method.md.

#include "law_matrix.hpp"

#include <lavoisier/tolerances.hpp>

#include <algorithm>
#include <limits>

namespace lavoisier::detail {

inline constexpr double log_two_pi = 1.8378770664093454836;

template <int Rows>
class SampleKernel {
 public:
  explicit SampleKernel(const LawMatrix& laws)
      : laws_(&laws),
        whole_(laws.rows),
        part_(laws.rows),
        variance_(laws.outputs),
        leverage_(laws.outputs),
        half_(laws.outputs * laws.rows),
        W_(laws.rows * laws.rows),
        d_(laws.rows),
        lambda_(laws.rows),
        row_(laws.rows),
        u_(laws.rows),
        product_(laws.rows * laws.rows),
        prefix_(laws.rows * laws.rows),
        suffix_((stored_limit() + 1) * laws.rows * laws.rows),
        special_(),
        marginal_mean(laws.outputs),
        marginal_variance(laws.outputs),
        mean_bar(laws.outputs),
        variance_bar(laws.outputs) {
    special_.reserve(laws.outputs);
  }

  std::size_t outputs() const noexcept { return laws_->outputs; }
  std::size_t rows() const noexcept { return whole_.size(); }

  /// Variances, W and its factor, d. The kernel keeps pointers to nothing.
  Status set(const double* mean, const double* deviation, const double* d) noexcept {
    const std::size_t n = outputs(), m = rows();
    for (std::size_t j = 0; j < n; ++j)
      if (!std::isfinite(mean[j]) || !std::isfinite(deviation[j])) return Status::non_finite;
    for (std::size_t k = 0; k < m; ++k)
      if (!std::isfinite(d[k])) return Status::non_finite;
    for (std::size_t j = 0; j < n; ++j)
      if (deviation[j] < 0.0) return Status::invalid_argument;
    for (std::size_t j = 0; j < n; ++j) {
      variance_[j] = deviation[j] * deviation[j];
      if (!std::isfinite(variance_[j])) return Status::non_finite;
    }
    for (std::size_t k = 0; k < m; ++k) d_[k] = d[k] * laws_->row_scale[k];
    fill(W_.data(), 0.0);
    for (std::size_t j = 0; j < n; ++j) add_outer(W_.data(), j, variance_[j]);
    return whole_.factorize(W_.data()) ? Status::ok : Status::rank_deficient;
  }

  /// After set(), a sample of the same deviations: its right-hand side.
  Status set_right_hand_side(const double* mean, const double* d) noexcept {
    for (std::size_t j = 0; j < outputs(); ++j)
      if (!std::isfinite(mean[j])) return Status::non_finite;
    for (std::size_t k = 0; k < rows(); ++k) {
      if (!std::isfinite(d[k])) return Status::non_finite;
      d_[k] = d[k] * laws_->row_scale[k];
    }
    return Status::ok;
  }

  /// lambda = W^-1 (A z - d), kept for the adjoints.
  void set_lambda(const double* z) noexcept { solve_residual(z, lambda_.data()); }

  /// y = z - S A' W^-1 (A z - d), and once more: the first pass leaves a residual that grows with cond(W).
  void move_onto_laws(const double* z, double* y) noexcept {
    const std::size_t n = outputs();
    set_lambda(z);
    for (std::size_t j = 0; j < n; ++j) y[j] = z[j] - variance_[j] * dot(j, lambda_.data());
    solve_residual(y, row_.data());
    for (std::size_t j = 0; j < n; ++j) y[j] -= variance_[j] * dot(j, row_.data());
  }

  /// leverage_j = S_j a_j' W^-1 a_j, and which of them pass 1/2 (fewer than twice the rows: they sum to their number).
  void set_leverages() noexcept {
    const std::size_t n = outputs();
    special_.clear();
    for (std::size_t j = 0; j < n; ++j) {
      whole_.half_solve(laws_->column(j), half(j));
      leverage_[j] = variance_[j] * dot_of_halves(j, j);
      if (leverage_[j] > 0.5) special_.push_back(j);
    }
    set_suffixes();
  }

  /// Diagonal of V without cancellation; after set_leverages().
  void variances(double* v) noexcept {
    const std::size_t n = outputs(), m = rows();
    if (m == n) {  // as many laws as outputs leave nothing open
      for (std::size_t j = 0; j < n; ++j) v[j] = 0.0;
      return;
    }
    for (std::size_t j = 0; j < n; ++j) v[j] = variance_[j] * (1.0 - leverage_[j]);
    fill(prefix_.data(), 0.0);
    for (std::size_t q = 0; q < special_.size(); ++q) {
      const std::size_t j = special_[q];
      v[j] = 0.0;
      if (factorize_without(q)) {
        part_.half_solve(laws_->column(j), u_.data());
        double h = 0.0;
        for (std::size_t k = 0; k < m; ++k) h += u_[k] * u_[k];
        v[j] = variance_[j] / (1.0 + variance_[j] * h);
      }
      add_outer(prefix_.data(), j, variance_[j]);
    }
  }

  /// p = P' y_bar for an adjoint y_bar.
  void project_adjoint(const double* y_bar, double* p) noexcept {
    const std::size_t n = outputs(), m = rows();
    for (std::size_t k = 0; k < m; ++k) row_[k] = 0.0;
    for (std::size_t j = 0; j < n; ++j) {
      const double weight = variance_[j] * y_bar[j];
      const double* a = laws_->column(j);
      for (std::size_t k = 0; k < m; ++k) row_[k] += weight * a[k];
    }
    whole_.solve(row_.data(), row_.data());
    for (std::size_t j = 0; j < n; ++j) p[j] = y_bar[j] - dot(j, row_.data());
  }

  /// Adjoint of mean and variances together; after set_lambda() and set_leverages(). Outputs of large leverage are
  /// summed without their own term, as their variances are.
  void moments_adjoint(const double* deviation, const double* m_bar, const double* v_bar, double* mu_bar,
                       double* deviation_bar) noexcept {
    const std::size_t n = outputs(), m = rows();
    if (m == n) {
      for (std::size_t j = 0; j < n; ++j) mu_bar[j] = deviation_bar[j] = 0.0;
      return;
    }
    project_adjoint(m_bar, mu_bar);
    fill(product_.data(), 0.0);
    // Sum over i of v_bar_i P_ij^2 with P_ij = -S_i x_i'x_j, x = L^-1 D a: a quadratic form for the ordinary outputs,
    // and term by term for those of large leverage, whose share of a matrix would swamp the rest.
    for (std::size_t i = 0; i < n; ++i) {
      if (leverage_[i] > 0.5) continue;
      const double weight = v_bar[i] * variance_[i] * variance_[i];
      const double* x = half(i);
      for (std::size_t k = 0; k < m; ++k)
        for (std::size_t l = 0; l <= k; ++l) product_[k * m + l] += weight * x[k] * x[l];
    }
    for (std::size_t j = 0; j < n; ++j) {
      if (leverage_[j] > 0.5) continue;
      const double* x = half(j);
      double squares = v_bar[j] * (1.0 - 2.0 * leverage_[j]);
      for (std::size_t k = 0; k < m; ++k) {
        double below = 0.0;
        for (std::size_t l = 0; l < k; ++l) below += product_[k * m + l] * x[l];
        squares += x[k] * (2.0 * below + product_[k * m + k] * x[k]);
      }
      for (const std::size_t i : special_) {
        const double P_ij = variance_[i] * dot_of_halves(i, j);
        squares += v_bar[i] * P_ij * P_ij;
      }
      deviation_bar[j] = squares;
    }
    fill(prefix_.data(), 0.0);
    for (std::size_t q = 0; q < special_.size(); ++q) {
      const std::size_t j = special_[q];
      double diagonal = 0.0;  // P_jj
      if (factorize_without(q)) {
        part_.solve(laws_->column(j), u_.data());
        diagonal = 1.0 / (1.0 + variance_[j] * dot(j, u_.data()));
        for (std::size_t k = 0; k < m; ++k) u_[k] *= diagonal;
      } else {
        whole_.solve(laws_->column(j), u_.data());
      }
      double squares = v_bar[j] * diagonal * diagonal;
      double p = diagonal * m_bar[j];
      for (std::size_t i = 0; i < n; ++i) {
        if (i == j) continue;
        const double P_ij = -variance_[i] * dot(i, u_.data());
        squares += v_bar[i] * P_ij * P_ij;
        p += m_bar[i] * P_ij;
      }
      deviation_bar[j] = squares;
      mu_bar[j] = p;
      add_outer(prefix_.data(), j, variance_[j]);
    }
    for (std::size_t j = 0; j < n; ++j)
      deviation_bar[j] = 2.0 * deviation[j] * (deviation_bar[j] - mu_bar[j] * dot(j, lambda_.data()));
  }

  /// P_ij over i for every output j of large leverage, in their order: special().size() x outputs. After set_leverages().
  void special_columns(double* P) noexcept {
    const std::size_t n = outputs(), m = rows();
    fill(prefix_.data(), 0.0);
    for (std::size_t q = 0; q < special_.size(); ++q, P += n) {
      const std::size_t j = special_[q];
      double diagonal = 0.0;
      if (factorize_without(q)) {
        part_.solve(laws_->column(j), u_.data());
        diagonal = 1.0 / (1.0 + variance_[j] * dot(j, u_.data()));
        for (std::size_t k = 0; k < m; ++k) u_[k] *= diagonal;
      } else {
        whole_.solve(laws_->column(j), u_.data());
      }
      for (std::size_t i = 0; i < n; ++i) P[i] = -variance_[i] * dot(i, u_.data());
      P[j] = diagonal;
      add_outer(prefix_.data(), j, variance_[j]);
    }
  }
  const std::vector<std::size_t>& special() const noexcept { return special_; }
  const ScaledCholesky<Rows>& factor() const noexcept { return whole_; }

  /// log density of y on the laws with respect to their surface measure, and its gradients unless null. With y - m and
  /// not y - mu in the exponent: the two quadratic forms of the formula cancel where r is large against W.
  /// `variances_are_set`: marginal_variance holds them already, and set_gram() was called.
  Status log_density(const double* mean, const double* deviation, const double* y, double& value, double* mean_bar_out,
                     double* deviation_bar_out, bool variances_are_set = false) noexcept {
    const std::size_t n = outputs(), m = rows();
    for (std::size_t j = 0; j < n; ++j)
      if (!std::isfinite(y[j])) return Status::non_finite;
    if (largest_relative_residual(y) > tolerances::identity::relative_fp32) return Status::law_violated;
    set_lambda(mean);
    double quadratic = 0.0, log_det_S = 0.0;
    std::size_t free = 0;
    bool known_components_agree = true;
    for (std::size_t j = 0; j < n; ++j) {
      if (deviation[j] == 0.0) {
        known_components_agree &= std::abs(y[j] - mean[j]) <=
                                  tolerances::identity::relative_fp64 * (std::abs(y[j]) + std::abs(mean[j]));
        continue;
      }
      const double from_mean = (y[j] - mean[j]) / deviation[j] + deviation[j] * dot(j, lambda_.data());
      quadratic += from_mean * from_mean;
      log_det_S += 2.0 * std::log(deviation[j]);
      ++free;
    }
    if (!variances_are_set) set_gram(deviation);
    const double gram = gram_;
    if (!std::isfinite(gram)) return Status::rank_deficient;
    // The scales of the rows cancel between W and A A'.
    value = -0.5 * (static_cast<double>(free) - static_cast<double>(m)) * log_two_pi - 0.5 * quadratic -
            0.5 * log_det_S + 0.5 * whole_.log_det() - 0.5 * gram;
    if (!known_components_agree) value = -std::numeric_limits<double>::infinity();
    if (mean_bar_out == nullptr) return Status::ok;
    if (!variances_are_set) {
      set_leverages();
      variances(marginal_variance.data());
    }
    for (std::size_t j = 0; j < n; ++j) {
      if (deviation[j] == 0.0) {
        // A known component acts through the right-hand side alone.
        mean_bar_out[j] = dot(j, lambda_.data());
        deviation_bar_out[j] = 0.0;
        continue;
      }
      const double a_lambda = dot(j, lambda_.data());
      const double from_mean = (y[j] - mean[j]) / variance_[j] + a_lambda;
      mean_bar_out[j] = from_mean;
      deviation_bar_out[j] = deviation[j] * from_mean * (from_mean - 2.0 * a_lambda) -
                             marginal_variance[j] / (variance_[j] * deviation[j]);
    }
    return Status::ok;
  }

  /// log N(N'y; N'mu, N'SN) of delta = y - mu, and its gradients in mu and deviation unless null. With T = A S^-1 A':
  /// det(N'SN) = det(S) det(T) / det(A A'), and the quadratic form is that of delta less its part in the laws' rows.
  /// Uses the kernel's variances for 1/S. Deviations are positive.
  double null_space_log_density(const double* delta, const double* deviation, double* mean_bar_out,
                                double* deviation_bar_out) noexcept {
    const std::size_t n = outputs(), m = rows();
    double log_det_S = 0.0;
    for (std::size_t j = 0; j < n; ++j) {
      variance_[j] = 1.0 / (deviation[j] * deviation[j]);
      if (!std::isfinite(variance_[j]) || !(variance_[j] > 0.0) || !std::isfinite(delta[j])) return std::nan("");
      log_det_S += 2.0 * std::log(deviation[j]);
    }
    fill(W_.data(), 0.0);
    for (std::size_t j = 0; j < n; ++j) add_outer(W_.data(), j, variance_[j]);
    for (std::size_t k = 0; k < m; ++k) lambda_[k] = 0.0;
    if (!whole_.factorize(W_.data())) return std::nan("");
    for (std::size_t j = 0; j < n; ++j) {
      const double* a = laws_->column(j);
      for (std::size_t k = 0; k < m; ++k) lambda_[k] += a[k] * (variance_[j] * delta[j]);
    }
    whole_.solve(lambda_.data(), lambda_.data());
    const double gram = log_det_gram(deviation);
    double quadratic = 0.0;
    for (std::size_t j = 0; j < n; ++j) {
      const double rest = (delta[j] - dot(j, lambda_.data())) / deviation[j];
      quadratic += rest * rest;
      if (mean_bar_out == nullptr) continue;
      whole_.half_solve(laws_->column(j), u_.data());
      double leverage_of_row = 0.0;
      for (std::size_t k = 0; k < m; ++k) leverage_of_row += u_[k] * u_[k];
      leverage_of_row *= variance_[j];
      mean_bar_out[j] = rest / deviation[j];
      deviation_bar_out[j] = (rest * rest - (1.0 - leverage_of_row)) / deviation[j];
    }
    return -0.5 * (static_cast<double>(n) - static_cast<double>(m)) * log_two_pi - 0.5 * quadratic -
           0.5 * (log_det_S + whole_.log_det() - gram);
  }

  double variance(std::size_t j) const noexcept { return variance_[j]; }
  double leverage(std::size_t j) const noexcept { return leverage_[j]; }
  double dot(std::size_t j, const double* x) const noexcept {
    const double* a = laws_->column(j);
    double sum = 0.0;
    for (std::size_t k = 0; k < rows(); ++k) sum += a[k] * x[k];
    return sum;
  }
  const double* lambda() const noexcept { return lambda_.data(); }
  /// log det(A A') of scaled rows over the outputs that are not known (deviation > 0); NaN if singular.
  double log_det_gram(const double* deviation) noexcept {
    fill(product_.data(), 0.0);
    for (std::size_t j = 0; j < outputs(); ++j)
      if (deviation[j] > 0.0) add_outer(product_.data(), j, 1.0);
    return part_.factorize(product_.data()) ? part_.log_det() : std::nan("");
  }

  void set_gram(const double* deviation) noexcept { gram_ = log_det_gram(deviation); }

  /// Largest |A y - d| relative to the law's own terms.
  double largest_relative_residual(const double* y) noexcept {
    double worst = 0.0;
    for (std::size_t k = 0; k < rows(); ++k) {
      double residual = 0.0, magnitude = std::abs(d_[k]);
      for (std::size_t j = 0; j < outputs(); ++j) {
        const double term = laws_->column(j)[k] * y[j];
        residual += term;
        magnitude += std::abs(term);
      }
      worst = std::max(worst, lavoisier::relative_residual(residual - d_[k], magnitude));
    }
    return worst;
  }

 private:
  /// W without an output is stored for this many; W near singular may bring more, which are summed one by one.
  std::size_t stored_limit() const noexcept { return std::min(2 * laws_->rows, laws_->outputs); }

  double* half(std::size_t j) noexcept { return half_.data() + j * rows(); }
  double dot_of_halves(std::size_t i, std::size_t j) noexcept {
    double sum = 0.0;
    for (std::size_t k = 0; k < rows(); ++k) sum += half(i)[k] * half(j)[k];
    return sum;
  }

  void fill(double* matrix, double value) const noexcept {
    const std::size_t m = rows();
    for (std::size_t k = 0; k < m * m; ++k) matrix[k] = value;
  }

  /// Lower triangle of matrix += weight a_j a_j'.
  void add_outer(double* matrix, std::size_t j, double weight) const noexcept {
    const std::size_t m = rows();
    const double* a = laws_->column(j);
    for (std::size_t k = 0; k < m; ++k) {
      const double left = weight * a[k];
      for (std::size_t l = 0; l <= k; ++l) matrix[k * m + l] += left * a[l];
    }
  }

  void solve_residual(const double* z, double* x) const noexcept {
    const std::size_t n = outputs(), m = rows();
    for (std::size_t k = 0; k < m; ++k) x[k] = 0.0;
    for (std::size_t j = 0; j < n; ++j) {
      const double* a = laws_->column(j);
      for (std::size_t k = 0; k < m; ++k) x[k] += a[k] * z[j];
    }
    for (std::size_t k = 0; k < m; ++k) x[k] -= d_[k];
    whole_.solve(x, x);
  }

  /// suffix_[q] = W of the ordinary outputs and of the special ones after the q-th.
  void set_suffixes() noexcept {
    if (special_.empty() || special_.size() > stored_limit()) return;
    const std::size_t square = rows() * rows(), count = special_.size();
    double* last = suffix_.data() + (count - 1) * square;
    fill(last, 0.0);
    for (std::size_t j = 0; j < outputs(); ++j)
      if (!(leverage_[j] > 0.5)) add_outer(last, j, variance_[j]);
    for (std::size_t q = count - 1; q-- > 0;) {
      double* here = suffix_.data() + q * square;
      std::copy_n(here + square, square, here);
      add_outer(here, special_[q + 1], variance_[special_[q + 1]]);
    }
  }

  /// Factor of W without the q-th special output, prefix_ holding the special ones before it. Sums only: subtracting
  /// the output from W is what loses the digits.
  bool factorize_without(std::size_t q) noexcept {
    const std::size_t square = rows() * rows();
    if (special_.size() > stored_limit()) {
      fill(product2(), 0.0);
      for (std::size_t j = 0; j < outputs(); ++j)
        if (j != special_[q]) add_outer(product2(), j, variance_[j]);
    } else {
      const double* after = suffix_.data() + q * square;
      for (std::size_t k = 0; k < square; ++k) product2()[k] = prefix_[k] + after[k];
    }
    return part_.factorize(product2());
  }
  double* product2() noexcept { return suffix_.data() + stored_limit() * rows() * rows(); }

  const LawMatrix* laws_;
  ScaledCholesky<Rows> whole_, part_;
  std::vector<double> variance_, leverage_, half_, W_, d_, lambda_, row_, u_, product_, prefix_, suffix_;
  std::vector<std::size_t> special_;
  double gram_ = 0.0;

 public:
  std::vector<double> marginal_mean, marginal_variance, mean_bar, variance_bar;  ///< scratch of callers
};

}  // namespace lavoisier::detail

#endif
