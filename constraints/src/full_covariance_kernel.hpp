#ifndef LAVOISIER_FULL_COVARIANCE_KERNEL_HPP
#define LAVOISIER_FULL_COVARIANCE_KERNEL_HPP

// N(mu, L L') given A y = d: what depends on A and L alone (once where A is shared), and a sample's work. Formulas:
// docs/method.md, "Correlated outputs".

#include "conditioning.hpp"
#include "sample_kernel.hpp"

namespace lavoisier::detail {

/// What gradients of L are summed from; the outer products that A and L share are taken once, in finish().
struct FullSums {
  FullSums(std::size_t rows, std::size_t outputs)
      : lower(outputs * outputs), with_lambda(outputs * rows), variance_bar(outputs) {}
  void clear_shared() noexcept {
    std::fill(with_lambda.begin(), with_lambda.end(), 0.0);
    std::fill(variance_bar.begin(), variance_bar.end(), 0.0);
    densities = 0.0;
    variances = false;
  }
  void add(const FullSums& other) noexcept {
    for (std::size_t i = 0; i < lower.size(); ++i) lower[i] += other.lower[i];
    for (std::size_t i = 0; i < with_lambda.size(); ++i) with_lambda[i] += other.with_lambda[i];
    for (std::size_t i = 0; i < variance_bar.size(); ++i) variance_bar[i] += other.variance_bar[i];
    densities += other.densities;
    variances |= other.variances;
  }

  std::vector<double> lower;         ///< n x n, lower triangle
  std::vector<double> with_lambda;   ///< n x m: sum of p lambda'
  std::vector<double> variance_bar;  ///< n
  double densities = 0.0;            ///< how many log densities
  bool variances = false;
};

template <class Real>
class FullKernel : public Conditioning<Real> {
 public:
  using Base = Conditioning<Real>;
  using Base::K, Base::W, Base::S_diagonal, Base::gain, Base::m, Base::n, Base::dot, Base::laws;

  FullKernel(std::size_t rows, std::size_t outputs)
      : Base(rows, outputs), B(n * m), v(n), known_(n), column_(m), other_(m), third_(m) {}

  /// L: n x n row-major with its rows `stride` apart.
  Status set(const LawMatrix& laws_of_sample, const double* L, bool variances) noexcept {
    L_ = L;
    free_ = 0;
    regular_ = true;
    log_det_ = 0.0;
    for (std::size_t j = 0; j < n; ++j) {
      bool zero = true;
      for (std::size_t l = 0; l <= j; ++l) zero &= at(j, l) == 0.0;
      for (std::size_t i = j; i < n; ++i) zero &= at(i, j) == 0.0;
      known_[j] = zero;
      if (zero) continue;
      ++free_;
      regular_ &= at(j, j) != 0.0;
      log_det_ += 2.0 * std::log(std::abs(at(j, j)));
    }
    for (std::size_t i = 0; i < n * m; ++i) B[i] = 0.0;
    for (std::size_t i = 0; i < n; ++i) {
      const double* a = laws_of_sample.column(i);
      for (std::size_t j = 0; j <= i; ++j)
        for (std::size_t k = 0; k < m; ++k) B[j * m + k] += Real(at(i, j)) * a[k];
    }
    for (std::size_t k = 0; k < m * m; ++k) W[k] = 0.0;
    for (std::size_t j = 0; j < n; ++j) {
      const Real* b_j = B.data() + j * m;
      for (std::size_t k = 0; k < m; ++k)
        for (std::size_t l = 0; l <= k; ++l) W[k * m + l] += b_j[k] * b_j[l];
      Real* k_j = K.data() + j * m;
      for (std::size_t k = 0; k < m; ++k) k_j[k] = 0.0;
      Real total = 0.0;
      for (std::size_t l = 0; l <= j; ++l) {
        total += Real(at(j, l)) * at(j, l);
        for (std::size_t k = 0; k < m; ++k) k_j[k] += at(j, l) * B[l * m + k];
      }
      if (!std::isfinite(to_double(total))) return Status::non_finite;
      S_diagonal[j] = total;
    }
    const Status status = Base::condition(laws_of_sample);
    if (status == Status::ok && variances) Base::set_variances(v.data());
    return status;
  }
  bool precise() const noexcept { return Base::smallest_pivot() >= enough_pivot && Base::share >= enough_share; }

  bool known(std::size_t j) const noexcept { return known_[j]; }
  bool regular() const noexcept { return regular_; }
  std::size_t free_outputs() const noexcept { return free_; }
  double log_det() const noexcept { return log_det_; }
  double at(std::size_t i, std::size_t j) const noexcept { return L_[i * n + j]; }

  /// x = L b; x = L' b.
  template <class In>
  void multiply(const In* b, Real* x) const noexcept {
    for (std::size_t i = 0; i < n; ++i) {
      Real sum = 0.0;
      for (std::size_t j = 0; j <= i; ++j) sum += Real(at(i, j)) * b[j];
      x[i] = sum;
    }
  }
  void multiply_transposed(const Real* b, Real* x) const noexcept {
    for (std::size_t j = 0; j < n; ++j) x[j] = 0.0;
    for (std::size_t i = 0; i < n; ++i)
      for (std::size_t j = 0; j <= i; ++j) x[j] += at(i, j) * b[i];
  }
  /// t = L^-1 b and q = L^-T t, 0 for known components.
  void solve_lower(const Real* b, Real* t) const noexcept {
    for (std::size_t i = 0; i < n; ++i) {
      t[i] = 0.0;
      if (known_[i]) continue;
      Real sum = b[i];
      for (std::size_t j = 0; j < i; ++j) sum -= at(i, j) * t[j];
      t[i] = sum / at(i, i);
    }
  }
  void solve_upper(const Real* t, Real* q) const noexcept {
    for (std::size_t i = 0; i < n; ++i) q[i] = t[i];
    for (std::size_t i = n; i-- > 0;) {
      if (known_[i]) {
        q[i] = 0.0;
        continue;
      }
      q[i] = q[i] / at(i, i);
      for (std::size_t j = 0; j < i; ++j) q[j] -= at(i, j) * q[i];
    }
  }
  /// (A L)' lambda = L' b for b = A' lambda.
  void law_normals(const Real* lambda, Real* x) const noexcept {
    for (std::size_t j = 0; j < n; ++j) {
      Real sum = 0.0;
      for (std::size_t k = 0; k < m; ++k) sum += B[j * m + k] * lambda[k];
      x[j] = sum;
    }
  }

  /// 1/2 log det(A A') or log |det A_D|, of scaled rows; NaN where it is not defined.
  void set_surface(const std::vector<Eigen::Index>& dependent) noexcept {
    surface_ = 0.0;
    if (m == 0) return;
    if (dependent.empty()) {
      surface_ = 0.5 * Base::log_det_gram([&](std::size_t j) { return known(j); });
      return;
    }
    surface_ = Base::log_det_dependent(dependent);
    for (const Eigen::Index j : dependent)
      if (known(static_cast<std::size_t>(j))) surface_ = std::nan("");
  }
  double surface() const noexcept { return surface_; }
  double entropy() const noexcept {
    const double free = static_cast<double>(free_) - static_cast<double>(m);
    return 0.5 * free * (log_two_pi + 1.0) + 0.5 * (log_det_ - Base::log_det_W()) + surface_;
  }

  /// Adds to sums.lower what the sums hold of terms that only A and L shape:
  /// L += - (C A + A' C') L + 2 P' diag(v_bar) P L - densities (L^-T - A' W^-1 A L), C = with_lambda.
  void finish(FullSums& sums) noexcept {
    const std::vector<double>& C = sums.with_lambda;
    for (std::size_t j = 0; j < n; ++j) {
      for (std::size_t k = 0; k < m; ++k) column_[k] = other_[k] = third_[k] = 0.0;
      const Real* b_j = B.data() + j * m;
      for (std::size_t i = j; i < n; ++i)
        for (std::size_t k = 0; k < m; ++k) column_[k] += Real(C[i * m + k]) * at(i, j);
      if (sums.variances)
        for (std::size_t i = 0; i < n; ++i) {
          const Real weighted = projected(i, j) * (2.0 * sums.variance_bar[i]);
          for (std::size_t k = 0; k < m; ++k) other_[k] += gain[i * m + k] * weighted;
        }
      Base::solve(b_j, third_.data());
      for (std::size_t i = j; i < n; ++i) {
        const double* a = laws().column(i);
        Real sum = sums.variances ? projected(i, j) * (2.0 * sums.variance_bar[i]) : Real(0.0);
        for (std::size_t k = 0; k < m; ++k)
          sum += a[k] * (sums.densities * third_[k] - column_[k] - other_[k]) - C[i * m + k] * b_j[k];
        if (i == j && sums.densities > 0.0 && !known_[j]) sum -= Real(sums.densities) / at(j, j);
        sums.lower[i * n + j] += to_double(sum);
        if (sums.densities > 0.0 && (known_[i] || known_[j])) sums.lower[i * n + j] = 0.0;
      }
    }
    sums.clear_shared();
  }

  std::vector<Real> B;  ///< n x m: column j of A L
  std::vector<Real> v;  ///< n: diag(V)

 private:
  /// (P L)_ij
  Real projected(std::size_t i, std::size_t j) const noexcept {
    Real sum = j <= i ? Real(at(i, j)) : Real(0.0);
    for (std::size_t k = 0; k < m; ++k) sum -= gain[i * m + k] * B[j * m + k];
    return sum;
  }
  const double* L_ = nullptr;
  std::vector<unsigned char> known_;
  std::vector<Real> column_, other_, third_;
  std::size_t free_ = 0;
  bool regular_ = true;
  double log_det_ = 0.0, surface_ = 0.0;
};

/// A sample's vectors.
template <class Real>
struct FullSample {
  FullSample(std::size_t rows, std::size_t outputs)
      : d(rows), lambda(rows), x(rows), z(outputs), mean(outputs), p(outputs), q(outputs), t(outputs), b(outputs),
        law_normals(outputs), Lp(outputs) {}

  void set(const FullKernel<Real>& kernel, const double* mu, const double* rhs) noexcept {
    for (std::size_t k = 0; k < kernel.m; ++k)
      d[k] = rhs == nullptr ? Real(0.0) : Real(rhs[k]) * kernel.laws().row_scale[k];
    for (std::size_t j = 0; j < kernel.n; ++j) z[j] = mu[j];
  }
  /// mean, lambda, b = A' lambda and L' b.
  void set_mean(const FullKernel<Real>& kernel) noexcept {
    kernel.move_onto_laws(z.data(), d.data(), lambda.data(), mean.data(), x.data());
  }
  void set_law_vectors(const FullKernel<Real>& kernel) noexcept {
    kernel.law_combination(lambda.data(), b.data());
    kernel.law_normals(lambda.data(), law_normals.data());
  }
  /// p = P' g, Lp = L' p.
  void project(const FullKernel<Real>& kernel, const double* g) noexcept {
    kernel.project_adjoint(g, x.data(), p.data());
    kernel.multiply_transposed(p.data(), Lp.data());
  }

  std::vector<Real> d, lambda, x, z, mean, p, q, t, b, law_normals, Lp;
};

}  // namespace lavoisier::detail

#endif
