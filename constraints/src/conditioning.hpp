#ifndef LAVOISIER_CONDITIONING_HPP
#define LAVOISIER_CONDITIONING_HPP

// What conditioning on A y = d is made of for any covariance S that can give K = S A' and its own diagonal: W = A K and
// its factor, leverages, moves onto the laws, adjoints. Nothing is allocated after construction. Real: the working
// precision. Formulas: docs/method.md, "Correlated outputs".

#include "law_matrix.hpp"

#include <lavoisier/tolerances.hpp>

#include <algorithm>
#include <cmath>
#include <limits>
#include <vector>

namespace lavoisier::detail {

/// Below these double is not enough, and the sample is computed in double-double.
inline constexpr double enough_pivot = 1e-4;
inline constexpr double enough_share = 1e-3;

template <class Real>
class Conditioning {
 public:
  Conditioning(std::size_t number_of_rows, std::size_t number_of_outputs)
      : n(number_of_outputs),
        m(number_of_rows),
        K(n * m),
        W(m * m),
        gain(n * m),
        S_diagonal(n),
        factor_(m),
        gram_factor_(m),
        half_(m),
        square_(m * m) {}

  /// After K and S_diagonal are set and W (lower triangle) is summed.
  Status condition(const LawMatrix& laws) noexcept {
    laws_ = &laws;
    share = 1.0;
    return factor_.factorize(W.data()) ? Status::ok : Status::rank_deficient;
  }
  double smallest_pivot() const noexcept { return factor_.smallest_pivot(); }
  double log_det_W() const noexcept { return factor_.log_det(); }
  const LawMatrix& laws() const noexcept { return *laws_; }

  Real dot(std::size_t j, const Real* x) const noexcept {
    const double* a = laws_->column(j);
    Real sum = 0.0;
    for (std::size_t k = 0; k < m; ++k) sum += a[k] * x[k];
    return sum;
  }

  /// x = A z - d (row-scaled d).
  void residual(const Real* z, const Real* d, Real* x) const noexcept {
    for (std::size_t k = 0; k < m; ++k) x[k] = -d[k];
    for (std::size_t j = 0; j < n; ++j) {
      const double* a = laws_->column(j);
      for (std::size_t k = 0; k < m; ++k) x[k] += a[k] * z[j];
    }
  }
  /// y = z - K W^-1 (A z - d), and once more: the first pass leaves a residual that grows with cond(W). lambda is that
  /// of z. y may be z.
  void move_onto_laws(const Real* z, const Real* d, Real* lambda, Real* y, Real* scratch) const noexcept {
    for (int pass = 0; pass < 2; ++pass) {
      Real* x = pass == 0 ? lambda : scratch;
      residual(pass == 0 ? z : y, d, x);
      factor_.solve(x, x);
      for (std::size_t j = 0; j < n; ++j) {
        const Real* k_j = K.data() + j * m;
        Real step = 0.0;
        for (std::size_t k = 0; k < m; ++k) step += k_j[k] * x[k];
        y[j] = (pass == 0 ? z[j] : y[j]) - step;
      }
    }
  }
  void solve(const Real* b, Real* x) const noexcept { factor_.solve(b, x); }

  /// x = G' g, p = P' g = g - A' x.
  template <class In>
  void project_adjoint(const In* g, Real* x, Real* p) const noexcept {
    for (std::size_t k = 0; k < m; ++k) x[k] = 0.0;
    for (std::size_t j = 0; j < n; ++j) {
      const Real* k_j = K.data() + j * m;
      for (std::size_t k = 0; k < m; ++k) x[k] += k_j[k] * g[j];
    }
    factor_.solve(x, x);
    for (std::size_t j = 0; j < n; ++j) p[j] = Real(g[j]) - dot(j, x);
  }
  /// b = A' x.
  void law_combination(const Real* x, Real* b) const noexcept {
    for (std::size_t j = 0; j < n; ++j) b[j] = dot(j, x);
  }

  /// G = K W^-1, diag(V) = S_jj - k_j' W^-1 k_j, and the least share of its variance that the laws leave an output.
  void set_variances(Real* v) noexcept {
    share = 1.0;
    const double rounding = 64.0 * static_cast<double>(n + m) * epsilon_of<Real>;
    for (std::size_t j = 0; j < n; ++j) {
      const Real* k_j = K.data() + j * m;
      factor_.half_solve(k_j, half_.data());
      Real h = 0.0;
      for (std::size_t k = 0; k < m; ++k) h += half_[k] * half_[k];
      factor_.solve(k_j, gain.data() + j * m);
      v[j] = S_diagonal[j] - h;
      const double S_jj = to_double(S_diagonal[j]), left = to_double(v[j]);
      if (m == n || !(left > rounding * S_jj)) v[j] = 0.0;
      if (m < n && S_jj > 0.0) share = std::min(share, left / S_jj);
    }
  }
  /// diag(P' diag(weight) P)_j = weight_j (1 - 2 (G A)_jj) + a_j' (G' diag(weight) G) a_j; after set_variances().
  template <class In>
  void squares_of_projection(const In* weight, Real* squares) noexcept {
    for (std::size_t k = 0; k < m * m; ++k) square_[k] = 0.0;
    for (std::size_t i = 0; i < n; ++i) {
      const Real* g = gain.data() + i * m;
      for (std::size_t k = 0; k < m; ++k) {
        const Real left = g[k] * weight[i];
        for (std::size_t l = 0; l <= k; ++l) square_[k * m + l] += left * g[l];
      }
    }
    for (std::size_t j = 0; j < n; ++j) {
      const double* a = laws_->column(j);
      Real sum = Real(weight[j]) * (Real(1.0) - Real(2.0) * dot(j, gain.data() + j * m));
      for (std::size_t k = 0; k < m; ++k) {
        Real below = 0.0;
        for (std::size_t l = 0; l < k; ++l) below += square_[k * m + l] * a[l];
        sum += a[k] * (Real(2.0) * below + square_[k * m + k] * a[k]);
      }
      squares[j] = sum;
    }
  }
  /// a_j' W^-1 a_j.
  Real law_square(std::size_t j) noexcept {
    factor_.half_solve(laws_->column(j), half_.data());
    Real h = 0.0;
    for (std::size_t k = 0; k < m; ++k) h += half_[k] * half_[k];
    return h;
  }

  /// log det(A A') over the outputs that are not known, of scaled rows as W's: NaN if singular.
  template <class Known>
  double log_det_gram(const Known& known) noexcept {
    for (std::size_t k = 0; k < m * m; ++k) square_[k] = 0.0;
    for (std::size_t j = 0; j < n; ++j) {
      if (known(j)) continue;
      const double* a = laws_->column(j);
      for (std::size_t k = 0; k < m; ++k)
        for (std::size_t l = 0; l <= k; ++l) square_[k * m + l] += Real(a[k]) * a[l];
    }
    return gram_factor_.factorize(square_.data()) ? gram_factor_.log_det() : std::nan("");
  }
  /// log |det A_D| of scaled rows, D = dependent outputs: by elimination with row pivoting; NaN if singular.
  double log_det_dependent(const std::vector<Eigen::Index>& dependent) noexcept {
    double sum = 0.0;
    for (std::size_t c = 0; c < m; ++c)
      for (std::size_t k = 0; k < m; ++k) square_[k * m + c] = laws_->column(static_cast<std::size_t>(dependent[c]))[k];
    for (std::size_t c = 0; c < m; ++c) {
      std::size_t best = c;
      for (std::size_t k = c + 1; k < m; ++k)
        if (std::abs(to_double(square_[k * m + c])) > std::abs(to_double(square_[best * m + c]))) best = k;
      const double pivot = std::abs(to_double(square_[best * m + c]));
      if (!(pivot > tolerances::identity::rank)) return std::nan("");  // rows are of unit norm
      sum += std::log(pivot);
      if (best != c)
        std::swap_ranges(square_.begin() + static_cast<std::ptrdiff_t>(c * m),
                         square_.begin() + static_cast<std::ptrdiff_t>((c + 1) * m),
                         square_.begin() + static_cast<std::ptrdiff_t>(best * m));
      for (std::size_t k = c + 1; k < m; ++k) {
        const Real ratio = square_[k * m + c] / square_[c * m + c];
        for (std::size_t l = c; l < m; ++l) square_[k * m + l] -= ratio * square_[c * m + l];
      }
    }
    return sum;
  }

  /// Largest |A y - d| relative to the law's own terms.
  double largest_relative_residual(const double* y, const Real* d) const noexcept {
    double worst = 0.0;
    for (std::size_t k = 0; k < m; ++k) {
      Real residual = -d[k];
      double magnitude = std::abs(to_double(d[k]));
      for (std::size_t j = 0; j < n; ++j) {
        residual += Real(laws_->column(j)[k]) * y[j];
        magnitude += std::abs(laws_->column(j)[k] * y[j]);
      }
      worst = std::max(worst, relative_residual(to_double(residual), magnitude));
    }
    return worst;
  }

  std::size_t n, m;
  std::vector<Real> K;           ///< n x m: S A'
  std::vector<Real> W;           ///< m x m, lower triangle
  std::vector<Real> gain;        ///< n x m: G, after set_variances()
  std::vector<Real> S_diagonal;  ///< n
  double share = 1.0;            ///< least V_jj / S_jj, after set_variances()

 private:
  const LawMatrix* laws_ = nullptr;
  ScaledCholesky<-1, Real> factor_, gram_factor_;
  std::vector<Real> half_, square_;
};

/// A of every sample in the form the kernels read: once where it is shared, or one block at a time.
class BatchLaws {
 public:
  /// m laws, N samples: A is m x n or (N m) x n.
  BatchLaws(const char* function, const RowMatrix& A, Eigen::Index m, Eigen::Index samples)
      : A_(&A), m_(m), shared_(A.rows() == m) {
    if (!shared_) require_shape(function, "A", A.rows(), A.cols(), samples * m, A.cols());
    if (shared_) whole_.emplace_back(A);
  }
  bool shared() const noexcept { return shared_; }
  std::size_t rows() const noexcept { return static_cast<std::size_t>(m_); }
  std::size_t outputs() const noexcept { return static_cast<std::size_t>(A_->cols()); }
  /// Scratch for of(): one a thread.
  LawMatrix scratch() const { return LawMatrix(rows(), outputs()); }
  const LawMatrix& of(Eigen::Index s, LawMatrix& scratch) const noexcept {
    if (shared_) return whole_.front();
    scratch.assign(A_->data() + s * m_ * A_->cols(), static_cast<std::size_t>(A_->cols()));
    return scratch;
  }
  const LawMatrix& whole() const noexcept { return whole_.front(); }

 private:
  const RowMatrix* A_;
  Eigen::Index m_;
  bool shared_;
  std::vector<LawMatrix> whole_;
};

}  // namespace lavoisier::detail

#endif
