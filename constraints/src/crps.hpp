#ifndef LAVOISIER_CRPS_HPP
#define LAVOISIER_CRPS_HPP

#include <cmath>

namespace lavoisier::detail {

struct Crps {
  double value, mean_bar, variance_bar;
};

/// CRPS of N(mean, variance) at y: sigma (z (2 Phi(z) - 1) + 2 phi(z) - 1/sqrt(pi)). A known output (variance 0) scores
/// |y - mean|; its derivative in the variance is infinite, and given as 0: nothing there is to be trained.
inline Crps crps_of_normal(double mean, double variance, double y) noexcept {
  constexpr double one_over_sqrt_pi = 0.56418958354775628695;
  constexpr double one_over_sqrt_two = 0.70710678118654752440;
  constexpr double one_over_sqrt_two_pi = 0.39894228040143267794;
  const double from_mean = y - mean;
  if (variance == 0.0)
    return {std::abs(from_mean), from_mean > 0.0 ? -1.0 : (from_mean < 0.0 ? 1.0 : 0.0), 0.0};
  const double sigma = std::sqrt(variance);  // NaN where the variance is negative, and so is all that follows
  const double z = from_mean / sigma;
  const double twice_phi = 2.0 * one_over_sqrt_two_pi * std::exp(-0.5 * z * z);
  const double both_sides = std::erf(z * one_over_sqrt_two);  // 2 Phi(z) - 1
  return {sigma * (twice_phi - one_over_sqrt_pi) + from_mean * both_sides, -both_sides,
          (twice_phi - one_over_sqrt_pi) / (2.0 * sigma)};
}

}  // namespace lavoisier::detail

#endif
