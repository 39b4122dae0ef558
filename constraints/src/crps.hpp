#ifndef LAVOISIER_CRPS_HPP
#define LAVOISIER_CRPS_HPP

#include <lavoisier/elementary.hpp>

namespace lavoisier::detail {

struct Crps {
  double value, mean_bar, variance_bar;
};

/// CRPS of N(m, sigma^2) at m + from_mean: sigma (z (2 Phi(z) - 1) + 2 phi(z) - 1/sqrt(pi)); inverse = 1 / sigma. A
/// known output (sigma 0) scores |y - m|; its derivative in the variance is infinite, and given as 0: nothing there is
/// to be trained. Branch-free: the same bits alone and in a vectorised loop.
LAVOISIER_INLINE Crps crps_of_normal_given(double from_mean, double sigma, double inverse) {
  using elementary::detail::choose;
  constexpr double one_over_sqrt_pi = 0.56418958354775628695;
  constexpr double one_over_sqrt_two = 0.70710678118654752440;
  constexpr double one_over_sqrt_two_pi = 0.39894228040143267794;
  const double z = from_mean * inverse;
  const double density = elementary::exp(-0.5 * z * z);
  const double excess = 2.0 * one_over_sqrt_two_pi * density - one_over_sqrt_pi;
  const double both_sides = elementary::erf(z * one_over_sqrt_two, density);  // 2 Phi(z) - 1
  const bool known = sigma == 0.0;
  const double away = choose(from_mean > 0.0, -1.0, choose(from_mean < 0.0, 1.0, 0.0));
  return {choose(known, elementary::detail::magnitude(from_mean), sigma * excess + from_mean * both_sides),
          choose(known, away, -both_sides), choose(known, 0.0, excess * (0.5 * inverse))};
}

/// The same from a variance: NaN where it is negative.
LAVOISIER_INLINE Crps crps_of_normal(double mean, double variance, double y) {
  const double sigma = elementary::sqrt(variance);
  return crps_of_normal_given(y - mean, sigma, 1.0 / sigma);
}

}  // namespace lavoisier::detail

#endif
