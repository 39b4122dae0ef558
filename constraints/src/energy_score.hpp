#ifndef LAVOISIER_ENERGY_SCORE_HPP
#define LAVOISIER_ENERGY_SCORE_HPP

#include "sample_kernel.hpp"

#include <cmath>
#include <vector>

namespace lavoisier::detail {

/// Energy score of one sample and its adjoints. With X = Y - y ~ N(delta, V), phi(u) = E exp(-u |X|^2) and phi_0 that of
/// delta = 0 (E |Y - Y'| = sqrt 2 E |Y - m|):
///   score = 1/(2 sqrt pi) int [(1 - phi(u)) - (1 - phi_0(u)) / sqrt 2] u^-1/2 d log u.
/// S_u = S / (1 + 2 u S), W_u = A S_u A': det(I + 2 u V) = prod (1 + 2 u S_j) det W_u / det W, and with
/// kappa = W_u^-1 A S_u delta, (I + 2 u V)^-1 delta = (delta_j + 2 u S_j a_j'kappa) / (1 + 2 u S_j): sums of terms of one
/// sign, no V. Everything in outputs over their score scale.
class EnergyScore {
 public:
  EnergyScore(std::size_t outputs, std::size_t rows)
      : n_(outputs), m_(rows), cholesky_(rows), W_(rows * rows), kappa_(rows), half_(rows), column_(outputs * rows),
        variance_(outputs), plain_(outputs), delta_(outputs), delta_bar(outputs), trace_bar(outputs),
        variance_bar(outputs) {}

  /// After kernel.set(). m, v: the moments. Leaves adjoints of m (delta_bar), of diag V (trace_bar) and those of S that
  /// run through V alone (variance_bar), in the outputs' own units.
  template <class Kernel>
  Status evaluate(const Kernel& kernel, const double* m, const double* v, const double* y, const double* scale,
                  double& value) noexcept {
    const std::size_t n = n_;
    double square = 0.0, trace = 0.0;
    for (std::size_t j = 0; j < n; ++j) {
      delta_[j] = (m[j] - y[j]) / scale[j];
      variance_[j] = kernel.variance(j) / (scale[j] * scale[j]);
      square += delta_[j] * delta_[j];
      trace += v[j] / (scale[j] * scale[j]);
      for (std::size_t k = 0; k < m_; ++k) column_[j * m_ + k] = scale[j] * kernel.column(j)[k];
      delta_bar[j] = trace_bar[j] = variance_bar[j] = 0.0;
    }
    if (!std::isfinite(square + trace)) return Status::non_finite;
    value = 0.0;
    if (trace == 0.0) {  // Y is known
      value = std::sqrt(square);
      for (std::size_t j = 0; j < n && value > 0.0; ++j) delta_bar[j] = delta_[j] / value / scale[j];
      return Status::ok;
    }
    if (!set_W(0.0)) return Status::rank_deficient;
    const double log_det_W = m_ > 0 ? cholesky_.log_det() : 0.0;
    for (std::size_t j = 0; j < n; ++j) plain_[j] = quadratic(j);
    const double first = std::floor(std::log(smallest_argument / (square + trace)) / step);
    const double last = std::ceil(std::log(largest_argument / trace) / step);
    double node = first;
    for (; node <= last; node += 1.0) {
      const double u = std::exp(step * node), weight = front * step / std::sqrt(u);
      if (!set_W(u)) return Status::rank_deficient;
      double log_det = (m_ > 0 ? cholesky_.log_det() : 0.0) - log_det_W, exponent = 0.0;
      for (std::size_t k = 0; k < m_; ++k) kappa_[k] = 0.0;
      for (std::size_t j = 0; j < n; ++j) {
        const double spread = 1.0 + 2.0 * u * variance_[j];
        log_det += std::log1p(2.0 * u * variance_[j]);
        exponent += delta_[j] * delta_[j] / spread;
        const double share = variance_[j] / spread * delta_[j];
        for (std::size_t k = 0; k < m_; ++k) kappa_[k] += share * column_[j * m_ + k];
      }
      cholesky_.half_solve(kappa_.data(), half_.data());
      double cross = 0.0;
      for (std::size_t k = 0; k < m_; ++k) cross += half_[k] * half_[k];
      exponent = u * (exponent + 2.0 * u * cross);
      cholesky_.solve(kappa_.data(), kappa_.data());
      const double phi_0 = std::exp(-0.5 * log_det), phi = std::exp(-0.5 * log_det - exponent);
      value += weight * (one_over_sqrt_two * std::expm1(-0.5 * log_det) - std::expm1(-0.5 * log_det - exponent));
      for (std::size_t j = 0; j < n; ++j) {
        const double spread = 1.0 + 2.0 * u * variance_[j], a_kappa = dot(j);
        delta_bar[j] += weight * 2.0 * u * phi * (delta_[j] + 2.0 * u * variance_[j] * a_kappa) / spread;
        const double projected = u * (delta_[j] - a_kappa) / spread;  // u P'(I + 2 u V)^-1 delta
        const double of_det = 0.5 * (2.0 * u / spread + quadratic(j) / (spread * spread) - plain_[j]);
        variance_bar[j] +=
            weight * ((phi - one_over_sqrt_two * phi_0) * of_det - 2.0 * phi * projected * projected);
      }
      if (phi_0 * phi_0 < negligible * negligible * u * trace) break;
    }
    // The rule goes on without end: below, 1 - phi = u E |X|^2; above, 1. Both are geometric series.
    const double ratio = std::exp(-0.5 * step);
    const double below = front * step * std::exp(0.5 * step * (first - 1.0)) / (1.0 - ratio);
    value += below * (square + trace - one_over_sqrt_two * trace);
    value += (1.0 - one_over_sqrt_two) * front * step * std::exp(-0.5 * step * (std::min(node, last) + 1.0)) /
             (1.0 - ratio);
    for (std::size_t j = 0; j < n; ++j) {
      delta_bar[j] = (delta_bar[j] + 2.0 * below * delta_[j]) / scale[j];
      trace_bar[j] = below * (1.0 - one_over_sqrt_two) / (scale[j] * scale[j]);
      variance_bar[j] /= scale[j] * scale[j];
    }
    return Status::ok;
  }

 private:
  // The integrand is analytic for |Im log u| < pi / 2: a step h errs by about exp(-pi^2 / h) = 2e-11. Nodes lie on one
  // grid for all samples, so that the adjoint is the derivative of what is computed.
  static constexpr double step = 0.4;
  static constexpr double smallest_argument = 1e-7, largest_argument = 1e30, negligible = 1e-13;
  static constexpr double front = 0.28209479177387814347;  // 1 / (2 sqrt pi)
  static constexpr double one_over_sqrt_two = 0.70710678118654752440;

  bool set_W(double u) noexcept {
    for (std::size_t k = 0; k < m_ * m_; ++k) W_[k] = 0.0;
    for (std::size_t j = 0; j < n_; ++j) {
      const double weight = variance_[j] / (1.0 + 2.0 * u * variance_[j]);
      const double* a = column_.data() + j * m_;
      for (std::size_t k = 0; k < m_; ++k) {
        const double left = weight * a[k];
        for (std::size_t l = 0; l <= k; ++l) W_[k * m_ + l] += left * a[l];
      }
    }
    return cholesky_.factorize(W_.data());
  }
  double quadratic(std::size_t j) noexcept {  // a_j' W_u^-1 a_j
    cholesky_.half_solve(column_.data() + j * m_, half_.data());
    double sum = 0.0;
    for (std::size_t k = 0; k < m_; ++k) sum += half_[k] * half_[k];
    return sum;
  }
  double dot(std::size_t j) const noexcept {
    double sum = 0.0;
    for (std::size_t k = 0; k < m_; ++k) sum += column_[j * m_ + k] * kappa_[k];
    return sum;
  }

  std::size_t n_, m_;
  ScaledCholesky<-1> cholesky_;
  std::vector<double> W_, kappa_, half_, column_, variance_, plain_, delta_;

 public:
  std::vector<double> delta_bar, trace_bar, variance_bar;
};

}  // namespace lavoisier::detail

#endif
