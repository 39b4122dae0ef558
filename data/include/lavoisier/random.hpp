#ifndef LAVOISIER_RANDOM_HPP
#define LAVOISIER_RANDOM_HPP

// Counter-based draws for host and device code (DESIGN, "Randomness"): a number depends on its address alone.
// Needs Random123; not installed: hosts never include it.

#include <lavoisier/elementary.hpp>
#include <lavoisier/random_address.hpp>

#include <Random123/philox.h>

#include <cstdint>

namespace lavoisier::random {

/// Whether each part of an address fits its place in the counter; two addresses that do share no counter.
LAVOISIER_INLINE bool representable(const Address& at) {
  return (at.member >> 32) == 0 && (at.site >> 32) == 0 && (at.element >> 48) == 0 && (at.block >> 16) == 0;
}

/// Four words of Philox4x64-10: key (seed, stream), counter (column, step, member*2^32 + site, element*2^16 + block).
LAVOISIER_INLINE r123::Philox4x64::ctr_type words(const Key& key, const Address& at) {
  const r123::Philox4x64::ctr_type counter = {
      {at.column, at.step, (at.member << 32) | at.site, (at.element << 16) | at.block}};
  const r123::Philox4x64::key_type philox_key = {{key.seed, key.stream}};
  return r123::Philox4x64{}(counter, philox_key);
}

/// (0, 1]: (w >> 11) + 1 over 2^53. Exact.
LAVOISIER_INLINE double uniform_open_left(std::uint64_t w) {
  return static_cast<double>((w >> 11) + 1) * 0x1.0p-53;
}
/// [0, 1): w >> 11 over 2^53. Exact.
LAVOISIER_INLINE double uniform_open_right(std::uint64_t w) {
  return static_cast<double>(w >> 11) * 0x1.0p-53;
}

/// Standard normal by Box and Muller (Ann. Math. Statist. 29, 1958): sqrt(-2 log u0) cos(2 pi u1), u0 from word 0 in
/// (0, 1], u1 from word 1 in [0, 1); log, cosine by elementary.hpp, square root correctly rounded.
LAVOISIER_INLINE double normal(const Key& key, const Address& at) {
  const auto w = words(key, at);
  const double u0 = uniform_open_left(w[0]);
  const double u1 = uniform_open_right(w[1]);
  return elementary::sqrt(-2.0 * elementary::log(u0)) * elementary::cos_two_pi(u1);
}

/// The blocks of one element, one after another: what a number draws from that may need more than its first block.
/// `failed`: more than 65536 blocks were asked for, or a parameter is outside its domain; the number is then void.
struct Sequence {
  Key key;
  Address at;
  bool failed = false;
};

/// The words of the next block; zeros, and `failed`, beyond the last.
LAVOISIER_INLINE r123::Philox4x64::ctr_type next_words(Sequence& sequence) {
  if ((sequence.at.block >> 16) != 0) {
    sequence.failed = true;
    return {{0, 0, 0, 0}};
  }
  const auto w = words(sequence.key, sequence.at);
  ++sequence.at.block;
  return w;
}

/// Uniform in [0, 1), of word 0 of one block.
LAVOISIER_INLINE double uniform(Sequence& sequence) { return uniform_open_right(next_words(sequence)[0]); }

/// Standard normal, of one block: the same number as normal(key, address).
LAVOISIER_INLINE double normal(Sequence& sequence) {
  const auto w = next_words(sequence);
  return elementary::sqrt(-2.0 * elementary::log(uniform_open_left(w[0]))) *
         elementary::cos_two_pi(uniform_open_right(w[1]));
}

/// Standard exponential: -log u, u in (0, 1] from word 0 of one block.
LAVOISIER_INLINE double exponential(Sequence& sequence) {
  return 0.0 - elementary::log(uniform_open_left(next_words(sequence)[0]));
}

namespace detail {

/// log of Marsaglia and Tsang's acceptance, x^2/2 + d (1 - v + log v) with v = (1 + e)^3, e = x / sqrt(9 d). Its terms
/// up to e^3 cancel: near 0 the rest of the series, 3 d sum_{k >= 4} (-1)^(k+1) e^k / k, so that shapes up to 2^53 keep
/// their digits.
LAVOISIER_INLINE double gamma_acceptance(double d, double x, double e) {
  if (elementary::detail::magnitude(e) < 0.0625) {
    double sum = 0.0;
    for (int k = 16; k >= 4; --k) sum = (k % 2 == 0 ? -1.0 : 1.0) / static_cast<double>(k) + e * sum;
    const double square = e * e;
    return 3.0 * d * (square * square) * sum;
  }
  const double t = 1.0 + e;
  return 0.5 * (x * x) + d * (1.0 - t * t * t) + 3.0 * d * elementary::log(t);
}

/// Gamma of shape >= 1 and unit scale, two blocks a round: the normal of the first, u in (0, 1] of word 0 of the second.
/// `spare` is a uniform in (0, 1] of its word 1, independent of the number.
LAVOISIER_INLINE double gamma_above_one(Sequence& sequence, double shape, double& spare) {
  const double d = shape - 1.0 / 3.0;
  const double c = 1.0 / elementary::sqrt(9.0 * d);
  while (!sequence.failed) {
    const double x = normal(sequence);
    const auto w = next_words(sequence);
    if (sequence.failed) break;
    const double e = c * x;
    const double t = 1.0 + e;
    if (!(t > 0.0) || !(elementary::log(uniform_open_left(w[0])) < gamma_acceptance(d, x, e))) continue;
    spare = uniform_open_left(w[1]);
    return d * (t * t * t);
  }
  return elementary::detail::from_bits(std::uint64_t{0x7ff8000000000000u});
}

LAVOISIER_INLINE bool is_shape(double shape) { return shape > 0.0 && shape <= 0x1.0p53; }

}  // namespace detail

/// Logarithm of a gamma variate of unit scale, 0 < shape <= 2^53 (Marsaglia and Tsang, ACM Trans. Math. Softw. 26,
/// 2000). Below 1: log Ga(shape + 1) + log(U) / shape, finite however small the shape.
LAVOISIER_INLINE double log_gamma(Sequence& sequence, double shape) {
  if (!detail::is_shape(shape)) sequence.failed = true;
  double spare = 1.0;
  const bool small = shape < 1.0;
  const double above = detail::gamma_above_one(sequence, small ? shape + 1.0 : shape, spare);
  const double log_above = elementary::log(above);
  return small ? log_above + elementary::log(spare) / shape : log_above;
}

/// Gamma variate of unit scale; the same draw as log_gamma. Underflows to 0 where its logarithm is below -745.
LAVOISIER_INLINE double gamma(Sequence& sequence, double shape) {
  if (!detail::is_shape(shape)) sequence.failed = true;
  double spare = 1.0;
  const bool small = shape < 1.0;
  const double above = detail::gamma_above_one(sequence, small ? shape + 1.0 : shape, spare);
  return small ? elementary::exp(elementary::log(above) + elementary::log(spare) / shape) : above;
}

/// Binomial(count, p), count <= 2^53, by beta splitting (Ahrens and Dieter, Computing 12, 1974): the middle one of the
/// sorted uniforms, a ratio of two gammas, says how many lie below p, until 32 or fewer are left; these are drawn, two a
/// block. Exact but for the rounding of p in each splitting.
LAVOISIER_INLINE std::uint64_t binomial(Sequence& sequence, std::uint64_t count, double p) {
  if (!(p >= 0.0 && p <= 1.0) || count > (std::uint64_t{1} << 53)) {
    sequence.failed = true;
    return 0;
  }
  std::uint64_t below = 0, left = count;
  while (left > 32 && p > 0.0 && p < 1.0 && !sequence.failed) {
    const std::uint64_t middle = left / 2 + 1;
    const double under = gamma(sequence, static_cast<double>(middle));
    const double over = gamma(sequence, static_cast<double>(left + 1 - middle));
    const double at = under / (under + over);
    if (at <= p) {
      below += middle;
      left -= middle;
      p = (p - at) / (over / (under + over));
    } else {
      left = middle - 1;
      p = p / at;
    }
  }
  if (p >= 1.0) return below + left;
  if (!(p > 0.0)) return below;
  for (std::uint64_t i = 0; i < left; i += 2) {
    const auto w = next_words(sequence);
    below += uniform_open_right(w[0]) < p ? 1u : 0u;
    if (i + 1 < left) below += uniform_open_right(w[1]) < p ? 1u : 0u;
  }
  return below;
}

/// Poisson(mean), mean <= 2^52, by gamma splitting (Ahrens and Dieter, Computing 12, 1974): the time of the
/// floor(7/8 mean)-th arrival, until the mean is 24 or less; then the arrivals one by one, two a block.
LAVOISIER_INLINE std::uint64_t poisson(Sequence& sequence, double mean) {
  if (!(mean >= 0.0 && mean <= 0x1.0p52)) {
    sequence.failed = true;
    return 0;
  }
  std::uint64_t count = 0;
  while (mean > 24.0 && !sequence.failed) {
    const std::uint64_t arrivals = static_cast<std::uint64_t>(0.875 * mean);
    const double time = gamma(sequence, static_cast<double>(arrivals));
    if (time > mean) return count + binomial(sequence, arrivals - 1, mean / time);
    count += arrivals;
    mean -= time;
  }
  if (!(mean > 0.0)) return count;
  double time = 0.0;
  while (!sequence.failed) {
    const auto w = next_words(sequence);
    time -= elementary::log(uniform_open_left(w[0]));
    if (time > mean) break;
    ++count;
    time -= elementary::log(uniform_open_left(w[1]));
    if (time > mean) break;
    ++count;
  }
  return count;
}

}  // namespace lavoisier::random

#endif
