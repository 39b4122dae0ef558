#ifndef LAVOISIER_RANDOM_HPP
#define LAVOISIER_RANDOM_HPP

// Counter-based draws for host and device code (DESIGN, "Randomness"): a number depends on its address alone.
// Needs Random123; not installed: hosts never include it.

#include <lavoisier/elementary.hpp>

#include <Random123/philox.h>

#include <cstdint>

namespace lavoisier::random {

struct Key {
  std::uint64_t seed = 0;
  std::uint64_t stream = 0;  ///< by default ModelFile::default_stream()
};

/// Address of one number. `member` and `site` < 2^32; `element` < 2^48; `block` < 2^16.
struct Address {
  std::uint64_t column = 0;
  std::uint64_t step = 0;
  std::uint64_t member = 0;
  std::uint64_t site = 0;
  std::uint64_t element = 0;
  std::uint64_t block = 0;
};

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

}  // namespace lavoisier::random

#endif
