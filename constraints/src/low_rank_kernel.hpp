#ifndef LAVOISIER_LOW_RANK_KERNEL_HPP
#define LAVOISIER_LOW_RANK_KERNEL_HPP

// One sample of N(mu, diag(s^2) + U U') given A y = d. A thread owns a kernel. Formulas: docs/method.md, "Correlated
// outputs".

#include "conditioning.hpp"
#include "low_rank_inverse.hpp"
#include "sample_kernel.hpp"

namespace lavoisier::detail {

template <class Real>
class LowRankKernel : public Conditioning<Real> {
 public:
  using Base = Conditioning<Real>;
  using Base::K, Base::W, Base::S_diagonal, Base::gain, Base::m, Base::n, Base::dot, Base::laws;

  LowRankKernel(std::size_t rows, std::size_t outputs, std::size_t rank)
      : Base(rows, outputs), r(rank), inverse(outputs, rank), d(m), lambda(m), x(m), z(n), mean(n), v(n), p(n), q(n),
        b(n), squares(n), AU(m * r), projected(n * r), small(m * r), Ux(r), Uy(r), w(r), mean_bar(n),
        deviation_bar(n), factor_bar(n * r) {}

  /// Takes a sample; keeps the pointers.
  Status set(const LawMatrix& laws_of_sample, const double* mu, const double* s, const double* U, const double* rhs,
             bool variances) noexcept {
    mu_ = mu;
    s_ = s;
    U_ = U;
    for (std::size_t k = 0; k < m * r; ++k) AU[k] = 0.0;
    for (std::size_t j = 0; j < n; ++j) {
      const double* a = laws_of_sample.column(j);
      for (std::size_t k = 0; k < m; ++k)
        for (std::size_t c = 0; c < r; ++c) AU[k * r + c] += Real(a[k]) * U[j * r + c];
    }
    for (std::size_t k = 0; k < m * m; ++k) W[k] = 0.0;
    for (std::size_t j = 0; j < n; ++j) {
      const double* a = laws_of_sample.column(j);
      const Real variance = Real(s[j]) * s[j];
      Real* k_j = K.data() + j * m;
      for (std::size_t k = 0; k < m; ++k) {
        const Real own = variance * a[k];
        for (std::size_t l = 0; l <= k; ++l) W[k * m + l] += own * a[l];
        Real sum = own;
        for (std::size_t c = 0; c < r; ++c) sum += AU[k * r + c] * U[j * r + c];
        k_j[k] = sum;
      }
      Real total = variance;
      for (std::size_t c = 0; c < r; ++c) total += Real(U[j * r + c]) * U[j * r + c];
      if (!std::isfinite(to_double(total))) return Status::non_finite;
      S_diagonal[j] = total;
    }
    for (std::size_t k = 0; k < m; ++k)
      for (std::size_t l = 0; l <= k; ++l)
        for (std::size_t c = 0; c < r; ++c) W[k * m + l] += AU[k * r + c] * AU[l * r + c];
    for (std::size_t k = 0; k < m; ++k) d[k] = rhs == nullptr ? Real(0.0) : Real(rhs[k]) * laws_of_sample.row_scale[k];
    const Status status = Base::condition(laws_of_sample);
    if (status != Status::ok) return status;
    for (std::size_t j = 0; j < n; ++j) mean_bar[j] = deviation_bar[j] = 0.0;
    for (std::size_t j = 0; j < n * r; ++j) factor_bar[j] = 0.0;
    if (variances) Base::set_variances(v.data());
    return Status::ok;
  }
  bool precise(bool with_inverse) const noexcept {
    return Base::smallest_pivot() >= enough_pivot && Base::share >= enough_share &&
           (!with_inverse || inverse.smallest_pivot() >= enough_pivot);
  }
  bool set_inverse() noexcept { return inverse.set(s_, U_); }

  /// mean, lambda and b = A' lambda.
  void set_mean() noexcept {
    for (std::size_t j = 0; j < n; ++j) z[j] = mu_[j];
    Base::move_onto_laws(z.data(), d.data(), lambda.data(), mean.data(), x.data());
    Base::law_combination(lambda.data(), b.data());
  }
  /// z = mu + s e + U w of a draw's normals, moved onto the laws into p.
  void draw(const double* normals) noexcept {
    for (std::size_t j = 0; j < n; ++j) {
      Real sum = Real(s_[j]) * normals[j] + mu_[j];
      for (std::size_t c = 0; c < r; ++c) sum += Real(U_[j * r + c]) * normals[n + c];
      z[j] = sum;
    }
    Base::move_onto_laws(z.data(), d.data(), lambda.data(), p.data(), x.data());
  }

  /// p = P' g; adds p to the mean's gradient and sym[-p b'] to the covariance's.
  void add_projected(const double* g) noexcept {
    Base::project_adjoint(g, x.data(), p.data());
    for (std::size_t j = 0; j < n; ++j) mean_bar[j] += p[j];
    add_symmetric(p.data(), b.data(), -1.0);
  }
  /// Gradient of S += weight sym[left right'], carried on to s and U.
  void add_symmetric(const Real* left, const Real* right, double weight) noexcept {
    transpose_product(left, Ux.data());
    transpose_product(right, Uy.data());
    for (std::size_t j = 0; j < n; ++j) {
      deviation_bar[j] += Real(2.0 * weight * s_[j]) * left[j] * right[j];
      for (std::size_t c = 0; c < r; ++c)
        factor_bar[j * r + c] += weight * (left[j] * Uy[c] + right[j] * Ux[c]);
    }
  }
  /// Gradient of z = mu + s e + U w: from p, e (n) and w (r).
  template <class In>
  void add_normals(const Real* left, const In* e, const In* u) noexcept {
    for (std::size_t j = 0; j < n; ++j) {
      deviation_bar[j] += left[j] * e[j];
      for (std::size_t c = 0; c < r; ++c) factor_bar[j * r + c] += left[j] * u[c];
    }
  }
  /// Gradient of diag(V): S += P' diag(v_bar) P.
  void add_variances(const double* v_bar) noexcept {
    Base::squares_of_projection(v_bar, squares.data());
    for (std::size_t j = 0; j < n; ++j) deviation_bar[j] += Real(2.0 * s_[j]) * squares[j];
    for (std::size_t k = 0; k < m * r; ++k) small[k] = 0.0;
    for (std::size_t j = 0; j < n; ++j) {
      const Real* g = gain.data() + j * m;
      for (std::size_t c = 0; c < r; ++c) {
        Real sum = U_[j * r + c];  // (P U)_jc
        for (std::size_t k = 0; k < m; ++k) sum -= g[k] * AU[k * r + c];
        projected[j * r + c] = sum * (2.0 * v_bar[j]);
        for (std::size_t k = 0; k < m; ++k) small[k * r + c] += g[k] * projected[j * r + c];
      }
    }
    for (std::size_t j = 0; j < n; ++j) {
      const double* a = laws().column(j);
      for (std::size_t c = 0; c < r; ++c) {
        Real sum = projected[j * r + c];
        for (std::size_t k = 0; k < m; ++k) sum -= a[k] * small[k * r + c];
        factor_bar[j * r + c] += sum;
      }
    }
  }

  /// One draw's Rao-Blackwell gradient; after set_mean() and set_inverse().
  void add_rao_blackwell(const double* y, const double* g) noexcept {
    add_projected(g);
    for (std::size_t j = 0; j < n; ++j) z[j] = Real(y[j]) - mean[j];
    inverse.apply(z.data(), q.data(), w.data());
    for (std::size_t j = 0; j < n; ++j) q[j] *= s_[j];
    add_normals(p.data(), q.data(), w.data());
  }

  /// After set_mean() and set_inverse(); the gradient into the bars if asked for.
  Status log_density(const double* y, const std::vector<Eigen::Index>& dependent, bool with_gradient,
                     double& value) noexcept {
    if (Base::largest_relative_residual(y, d.data()) > tolerances::identity::relative_fp32)
      return Status::law_violated;
    bool known_components_agree = true;
    for (std::size_t j = 0; j < n; ++j) {
      // y - mean, without the rounding of the mean.
      Real step = 0.0;
      for (std::size_t k = 0; k < m; ++k) step += K[j * m + k] * lambda[k];
      z[j] = Real(y[j]) - mu_[j] + step;
      if (inverse.known(j))
        known_components_agree &=
            std::abs(y[j] - mu_[j]) <= tolerances::identity::relative_fp64 * (std::abs(y[j]) + std::abs(mu_[j]));
    }
    inverse.apply(z.data(), q.data(), w.data());
    const double measure = surface(dependent);
    if (!std::isfinite(measure)) return Status::rank_deficient;
    value = -0.5 * (static_cast<double>(inverse.free_outputs()) - static_cast<double>(m)) * log_two_pi -
            0.5 * to_double(inverse.square(q.data(), w.data())) - 0.5 * inverse.log_det() + 0.5 * Base::log_det_W() -
            measure;
    if (!known_components_agree) value = -std::numeric_limits<double>::infinity();
    if (!with_gradient) return Status::ok;
    add_symmetric(q.data(), q.data(), 0.5);
    add_symmetric(q.data(), b.data(), -1.0);
    // - 1/2 (S^-1 - A' W^-1 A): its diagonal, and its product with U.
    for (std::size_t j = 0; j < n; ++j) {
      mean_bar[j] = inverse.known(j) ? b[j] : q[j];
      if (inverse.ordinary(j)) deviation_bar[j] -= (inverse.diagonal(j) - Base::law_square(j)) * s_[j];
    }
    for (std::size_t c = 0; c < r; ++c) {
      for (std::size_t j = 0; j < n; ++j) z[j] = U_[j * r + c];
      inverse.apply(z.data(), q.data(), w.data());
      for (std::size_t k = 0; k < m; ++k) x[k] = AU[k * r + c];
      Base::solve(x.data(), x.data());
      for (std::size_t j = 0; j < n; ++j) factor_bar[j * r + c] -= q[j] - dot(j, x.data());
    }
    for (std::size_t j = 0; j < n; ++j) {
      if (!inverse.known(j)) continue;
      deviation_bar[j] = 0.0;
      for (std::size_t c = 0; c < r; ++c) factor_bar[j * r + c] = 0.0;
    }
    return Status::ok;
  }
  /// 1/2 log det(A A') or log |det A_D|, of scaled rows (their scales cancel against those of W).
  double surface(const std::vector<Eigen::Index>& dependent) noexcept {
    if (m == 0) return 0.0;
    if (dependent.empty()) return 0.5 * Base::log_det_gram([&](std::size_t j) { return inverse.known(j); });
    for (const Eigen::Index j : dependent)
      if (inverse.known(static_cast<std::size_t>(j))) return std::nan("");
    return Base::log_det_dependent(dependent);
  }
  double entropy() noexcept {
    const double free = static_cast<double>(inverse.free_outputs()) - static_cast<double>(m);
    return 0.5 * free * (log_two_pi + 1.0) + 0.5 * (inverse.log_det() - Base::log_det_W()) + surface({});
  }

  /// log N(N'y; N'mu, N'SN), with T = A S^-1 A' in the place of W: NaN where S or T is singular. Replaces set().
  double null_space_log_density(const LawMatrix& laws_of_sample, const double* mu, const double* s, const double* U,
                                const double* y) noexcept {
    mu_ = mu;
    s_ = s;
    U_ = U;
    if (!set_inverse() || inverse.free_outputs() != n) return std::nan("");
    for (std::size_t k = 0; k < m; ++k) {
      for (std::size_t j = 0; j < n; ++j) z[j] = laws_of_sample.column(j)[k];
      inverse.apply(z.data(), q.data(), w.data());
      for (std::size_t l = 0; l <= k; ++l) W[k * m + l] = 0.0;
      for (std::size_t j = 0; j < n; ++j)
        for (std::size_t l = 0; l <= k; ++l) W[k * m + l] += q[j] * laws_of_sample.column(j)[l];
    }
    if (Base::condition(laws_of_sample) != Status::ok) return std::nan("");
    for (std::size_t j = 0; j < n; ++j) z[j] = Real(y[j]) - mu[j];
    inverse.apply(z.data(), q.data(), w.data());
    for (std::size_t k = 0; k < m; ++k) x[k] = 0.0;
    for (std::size_t j = 0; j < n; ++j)
      for (std::size_t k = 0; k < m; ++k) x[k] += laws().column(j)[k] * q[j];
    Base::solve(x.data(), x.data());
    for (std::size_t j = 0; j < n; ++j) z[j] -= dot(j, x.data());
    inverse.apply(z.data(), q.data(), w.data());
    return -0.5 * (static_cast<double>(n) - static_cast<double>(m)) * log_two_pi -
           0.5 * to_double(inverse.square(q.data(), w.data())) - 0.5 * (inverse.log_det() + Base::log_det_W()) +
           surface({});
  }

  /// product = V x.
  void covariance_product(const double* vector, Real* product) noexcept {
    Base::project_adjoint(vector, x.data(), p.data());  // V x = S P' x
    transpose_product(p.data(), Ux.data());
    for (std::size_t j = 0; j < n; ++j) {
      Real sum = Real(s_[j]) * s_[j] * p[j];
      for (std::size_t c = 0; c < r; ++c) sum += U_[j * r + c] * Ux[c];
      product[j] = sum;
    }
  }

  std::size_t r;
  LowRankInverse<Real> inverse;
  std::vector<Real> d, lambda, x, z, mean, v, p, q, b, squares, AU, projected, small, Ux, Uy, w;
  std::vector<Real> mean_bar, deviation_bar, factor_bar;

 private:
  void transpose_product(const Real* left, Real* result) const noexcept {
    for (std::size_t c = 0; c < r; ++c) result[c] = 0.0;
    for (std::size_t j = 0; j < n; ++j)
      for (std::size_t c = 0; c < r; ++c) result[c] += U_[j * r + c] * left[j];
  }
  const double *mu_ = nullptr, *s_ = nullptr, *U_ = nullptr;
};

}  // namespace lavoisier::detail

#endif
