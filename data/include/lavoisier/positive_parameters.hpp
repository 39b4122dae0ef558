#ifndef LAVOISIER_POSITIVE_PARAMETERS_HPP
#define LAVOISIER_POSITIVE_PARAMETERS_HPP

// From a network's raw values to the parameters of positive laws, one definition for training and for the plugin
// (docs/model-file.md, `positive_draw`).

#include <lavoisier/elementary.hpp>

namespace lavoisier::positive {

/// floor + e^raw, or floor + log(1 + e^raw): what is positive.
LAVOISIER_INLINE double above(bool exponential, double floor, double raw) {
  return floor + (exponential ? elementary::exp(raw) : elementary::log1p_exp(raw));
}
/// Its derivative.
LAVOISIER_INLINE double above_slope(bool exponential, double raw) {
  return exponential ? elementary::exp(raw) : elementary::sigmoid(raw);
}

/// Log-normal: location a and deviation b of the logarithm. Gamma: shape a and rate b.
struct Parameters {
  double a, b;
};
/// s = above(second) is the deviation of the logarithm, or the relative deviation of the gamma, whose mean is e^first:
/// shape 1 / s^2, rate e^-first / s^2.
LAVOISIER_INLINE Parameters parameters(bool gamma, bool exponential, double floor, double first, double second) {
  const double s = above(exponential, floor, second);
  if (!gamma) return {first, s};
  const double shape = 1.0 / (s * s);
  return {shape, shape * elementary::exp(0.0 - first)};
}

/// Least probability of an atom, and of what is none.
inline constexpr double least_probability = 0x1.0p-30;
/// Probability of 0, in [least_probability, 1 - least_probability].
LAVOISIER_INLINE double atom(double raw) {
  return least_probability + (1.0 - 2.0 * least_probability) * elementary::sigmoid(raw);
}
/// Its derivative.
LAVOISIER_INLINE double atom_slope(double raw) {
  const double share = elementary::sigmoid(raw);
  return (1.0 - 2.0 * least_probability) * (share * (1.0 - share));
}

}  // namespace lavoisier::positive

#endif
