#ifndef LAVOISIER_SPECIAL_FUNCTIONS_HPP
#define LAVOISIER_SPECIAL_FUNCTIONS_HPP

// log Gamma, digamma, trigamma, and how a gamma variate moves with its shape. Relative errors ~1e-13 (tests).

#include <cmath>

namespace lavoisier::detail {

/// log Gamma(x), x > 0: Stirling's series (DLMF 5.11.1) above 12, by the recurrence below. std::lgamma writes a global.
inline double log_gamma_function(double x) noexcept {
  double product = 1.0;
  while (x < 12.0) product *= x++;
  const double z = 1.0 / (x * x);
  const double series =
      (1.0 / 12 + z * (-1.0 / 360 + z * (1.0 / 1260 + z * (-1.0 / 1680 + z * (1.0 / 1188 + z * (-691.0 / 360360 + z / 156)))))) /
      x;
  return (x - 0.5) * std::log(x) - x + 0.91893853320467274178 + series - std::log(product);
}

/// psi(x), x > 0 (DLMF 5.11.2, 5.5.2).
inline double digamma(double x) noexcept {
  double sum = 0.0;
  while (x < 12.0) sum += 1.0 / x++;
  const double z = 1.0 / (x * x);
  const double series =
      z * (1.0 / 12 - z * (1.0 / 120 - z * (1.0 / 252 - z * (1.0 / 240 - z * (1.0 / 132 - z * (691.0 / 32760 - z / 12))))));
  return std::log(x) - 0.5 / x - series - sum;
}

/// psi'(x), x > 0.
inline double trigamma(double x) noexcept {
  double sum = 0.0;
  for (; x < 12.0; x += 1.0) sum += 1.0 / (x * x);
  const double z = 1.0 / (x * x);
  const double series =
      z * (1.0 / 6 - z * (1.0 / 30 - z * (1.0 / 42 - z * (1.0 / 30 - z * (5.0 / 66 - z * (691.0 / 2730 - z * 7.0 / 6))))));
  return sum + 1.0 / x + 0.5 * z + series / x;
}

/// Nodes and weights of 48-point Gauss-Legendre on (0, 1), by Newton's method on the recurrence; once a program.
struct GaussLegendre {
  static constexpr int count = 48;
  double node[count], weight[count];
  GaussLegendre() noexcept {
    for (int i = 0; i < count; ++i) {
      double x = std::cos(3.14159265358979323846 * (i + 0.75) / (count + 0.5)), slope = 1.0;
      for (int step = 0; step < 20; ++step) {
        double before = 1.0, value = x;
        for (int k = 2; k <= count; ++k) {
          const double next = ((2 * k - 1) * x * value - (k - 1) * before) / k;
          before = value;
          value = next;
        }
        slope = count * (x * value - before) / (x * x - 1.0);
        x -= value / slope;
      }
      node[i] = 0.5 * (1.0 + x);
      weight[i] = 1.0 / ((1.0 - x * x) * slope * slope);
    }
  }
};

/// d log x / d a of a gamma variate x of shape a and unit scale at fixed quantile: -(dP/da) / (x p(x)), P the
/// regularised lower incomplete gamma function (Figurnov, Mohamed and Mnih 2018, eq. 5). From log x, so that shapes
/// whose variates underflow have it too. Every form is a sum of terms of one sign (but for terms next to nothing):
///  below the middle, x < exp psi(a + 1), a < 50:  (S (psi(a + 1) - log x) - S') / a, S = sum_n x^n / ((a+1)...(a+n));
///  otherwise, with t = x e^w:  the integral of e^(a w - x (e^w - 1)) |log x + w - psi(a)| over w < 0 or w > 0.
inline double log_gamma_shape_derivative(double a, double log_x) noexcept {
  const double middle = digamma(a + 1.0);
  const double x = std::exp(log_x);
  const bool below = log_x < middle;
  if (below && a < 50.0) {
    double term = 1.0, harmonic = 0.0, sum = 1.0, slope = 0.0;
    for (int n = 1; n < 100000; ++n) {
      term *= x / (a + n);
      harmonic += 1.0 / (a + n);
      sum += term;
      slope += term * harmonic;
      if (term * (1.0 + harmonic) < 1e-18 * (sum + slope)) break;
    }
    return (sum * (middle - log_x) + slope) / a;
  }
  static const GaussLegendre rule;
  // exp(-44) is below rounding: the range ends where the concave exponent passes it, found by Newton's method from beyond.
  const double sign = below ? -1.0 : 1.0;
  const auto exponent = [&](double w) { return a * (sign * w) - x * std::expm1(sign * w); };
  double end = std::sqrt(88.0 / (below ? a : x));
  while (exponent(end) > -44.0) end *= 1.5;
  for (int step = 0; step < 30; ++step) {
    const double move = (exponent(end) + 44.0) / (sign * (a - x * std::exp(sign * end)));
    end -= move;
    if (std::abs(move) < 1e-3 * end) break;
  }
  const double psi = middle - 1.0 / a;
  double sum = 0.0;
  for (int i = 0; i < GaussLegendre::count; ++i) {
    const double w = end * rule.node[i];
    sum += rule.weight[i] * std::exp(exponent(w)) * (sign * (log_x - psi) + w);
  }
  return end * sum;
}

}  // namespace lavoisier::detail

#endif
