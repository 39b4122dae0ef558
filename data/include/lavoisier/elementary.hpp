#ifndef LAVOISIER_ELEMENTARY_HPP
#define LAVOISIER_ELEMENTARY_HPP

// Elementary functions of our own, for host and device: only + - x / and bit operations in one written order, so that
// the same argument gives the same bits in scalar code, vector code and tails, whatever the C library.
// Contracting a*b+c to one rounding must be off (-ffp-contract=off; nvcc --fmad=false), rounding to nearest and
// subnormals on. Branch-free (selects only), so that a compiler vectorises loops over them.
// Polynomials: data/tools/elementary_coefficients.py. Errors in units in the last place (ulp): tests/data.

#include <cmath>
#include <cstdint>
#include <cstring>

#if defined(__CUDACC__) || defined(__HIPCC__)
#define LAVOISIER_FUNCTION __host__ __device__
#else
#define LAVOISIER_FUNCTION
#endif

// Always inlined: an out-of-line copy that was built for a newer instruction set must never be the one that the linker
// keeps for the rest of the program.
#if defined(__GNUC__) || defined(__clang__)
#define LAVOISIER_INLINE LAVOISIER_FUNCTION inline __attribute__((always_inline))
#else
#define LAVOISIER_INLINE LAVOISIER_FUNCTION inline
#endif

namespace lavoisier::elementary {

namespace detail {

LAVOISIER_INLINE std::uint64_t bits(double x) {
  std::uint64_t u;
  std::memcpy(&u, &x, sizeof u);
  return u;
}
LAVOISIER_INLINE double from_bits(std::uint64_t u) {
  double x;
  std::memcpy(&x, &u, sizeof x);
  return x;
}
LAVOISIER_INLINE std::uint32_t bits(float x) {
  std::uint32_t u;
  std::memcpy(&u, &x, sizeof u);
  return u;
}
LAVOISIER_INLINE float from_bits(std::uint32_t u) {
  float x;
  std::memcpy(&x, &u, sizeof x);
  return x;
}
// condition ? a : b by masks: a conditional expression around arithmetic that may trap keeps compilers from vectorising.
LAVOISIER_INLINE double choose(bool condition, double a, double b) {
  const std::uint64_t mask = std::uint64_t{0} - static_cast<std::uint64_t>(condition);
  return from_bits((bits(a) & mask) | (bits(b) & ~mask));
}
LAVOISIER_INLINE float choose(bool condition, float a, float b) {
  const std::uint32_t mask = std::uint32_t{0} - static_cast<std::uint32_t>(condition);
  return from_bits((bits(a) & mask) | (bits(b) & ~mask));
}
LAVOISIER_INLINE double magnitude(double x) { return from_bits(bits(x) & 0x7fffffffffffffffu); }
LAVOISIER_INLINE float magnitude(float x) { return from_bits(bits(x) & 0x7fffffffu); }

// Adding and subtracting 1.5 * 2^52 (2^23) rounds to the nearest integer, which then stands in the low bits of the sum.
inline constexpr double shifter = 0x1.8p52;
inline constexpr float shifter_f = 0x1.8p23f;

// e^x = 2^n e^r with |r| <= ln 2 / 2; n is cut in two halves so that a subnormal result is rounded once.
LAVOISIER_INLINE double exp_bounded(double x) {  // |x| <= 746 or NaN
  const double t = x * 0x1.71547652b82fep+0 + shifter;
  const double n = t - shifter;
  const double high = x - n * 0x1.62e42fefa3800p-1;  // exact: this part of ln 2 has 42 bits
  const double low = n * 0x1.ef35793c76730p-45;
  const double r = high - low;
  const double r_low = (high - r) - low;
  const double q = r * r;
  const double even = (((0x1.289185613a3d6p-22 * q + 0x1.a019b90d2ae7ap-16) * q + 0x1.6c16c1788bd90p-10) * q +
                       0x1.5555555553d63p-5) * q + 0x1.0000000000001p-1;
  const double odd = (((0x1.af38a9b0ec855p-26 * q + 0x1.71de0dae63bb3p-19) * q + 0x1.a01a01a7c41d5p-13) * q +
                      0x1.11111111109b3p-7) * q + 0x1.5555555555556p-3;
  const double rest = r_low + q * (even + r * odd);
  const double sum = 1.0 + r;
  const double y = sum + (((1.0 - sum) + r) + rest);
  const std::uint64_t n_bits = bits(t) - 0x4338000000000000u;  // n, two's complement
  const std::uint64_t half = ((n_bits + 4096u) >> 1) - 2048u;
  const double scale_a = from_bits((half + 1023u) << 52);
  const double scale_b = from_bits((n_bits - half + 1023u) << 52);
  return (y * scale_a) * scale_b;
}

// log((1 + f) 2^k) for -0.3 < f <= 0.5: log(1 + f) = 2 atanh(s) = f - s (f - z R(z)), s = f / (2 + f), z = s^2.
// `extra` is added before the last rounding.
LAVOISIER_INLINE double log_core(double f, double k, double extra) {
  const double s = f / (2.0 + f);
  const double z = s * s;
  const double w = z * z;
  const double even = ((0x1.0e88ea4725d3dp-3 * w + 0x1.745cab2727663p-3) * w + 0x1.24924923dba6ap-2) * w +
                      0x1.5555555555555p-1;
  const double odd = ((0x1.16b68338bd78bp-3 * w + 0x1.3b29fcbbce66dp-3) * w + 0x1.c71c72e2f78d5p-3) * w +
                     0x1.9999999999f30p-2;
  const double series = z * (even + z * odd);
  const double k_high = k * 0x1.62e42fefa3800p-1;
  const double high = k_high + f;
  const double low = (k_high - high) + f;  // what that sum lost
  const double correction = (k * 0x1.ef35793c76730p-45 + extra) - s * (f - series);
  return high + (low + correction);
}

// e^x - 1 for -40 <= x <= 0, or NaN.
LAVOISIER_INLINE float expm1_bounded(float x) {
  const float t = x * 0x1.715476p+0f + shifter_f;
  const float n = t - shifter_f;
  const float high = x - n * 0x1.62e4p-1f;
  const float low = n * 0x1.7f7d1cp-20f;
  const float r = high - low;
  const float r_low = (high - r) - low;
  const float series = ((((0x1.a124f2p-13f * r + 0x1.6d4324p-10f) * r + 0x1.1110e0p-7f) * r + 0x1.5554eap-5f) * r +
                        0x1.555556p-3f) * r + 0x1.0p-1f;
  const float scale = from_bits((bits(t) - 0x4b400000u + 127u) << 23);
  const float rest = r_low + (r * r) * series;
  const float a = scale - 1.0f;
  const float b = scale * r;
  const float sum = a + b;
  const float lost = (a - sum) + b;  // |a| >= |b|, or a = 0
  return sum + (lost + scale * rest);
}

}  // namespace detail

/// e^x. Error < 0.9 ulp; overflow to infinity above 709.78, gradual underflow to 0 below -745.13.
LAVOISIER_INLINE double exp(double x) {
  const double above = detail::choose(x < -746.0, -746.0, x);
  const double bounded = detail::choose(above > 710.0, 710.0, above);
  return detail::exp_bounded(bounded);
}

/// e^x. Error < 0.9 ulp; overflow to infinity above 88.72, gradual underflow to 0 below -103.97.
LAVOISIER_INLINE float exp(float x) {
  const float above = detail::choose(x < -105.0f, -105.0f, x);
  const float bounded = detail::choose(above > 89.0f, 89.0f, above);
  const float t = bounded * 0x1.715476p+0f + detail::shifter_f;
  const float n = t - detail::shifter_f;
  const float high = bounded - n * 0x1.62e4p-1f;  // exact: this part of ln 2 has 15 bits
  const float low = n * 0x1.7f7d1cp-20f;
  const float r = high - low;
  const float r_low = (high - r) - low;
  const float q = r * r;
  const float even = (0x1.6d110ap-10f * q + 0x1.55551ap-5f) * q + 0x1.0p-1f;
  const float odd = 0x1.120b6ep-7f * q + 0x1.5554dcp-3f;
  const float rest = r_low + q * (even + r * odd);
  const float sum = 1.0f + r;
  const float y = sum + (((1.0f - sum) + r) + rest);
  const std::uint32_t n_bits = detail::bits(t) - 0x4b400000u;
  const std::uint32_t half = ((n_bits + 512u) >> 1) - 256u;
  const float scale_a = detail::from_bits((half + 127u) << 23);
  const float scale_b = detail::from_bits((n_bits - half + 127u) << 23);
  return (y * scale_a) * scale_b;
}

/// Natural logarithm. Error < 1 ulp; 0 gives -infinity, negative numbers NaN; subnormals in full precision.
LAVOISIER_INLINE double log(double x) {
  const bool tiny = x < 0x1.0p-1022;
  const double grown = x * 0x1.0p54;
  const double normal = detail::choose(tiny, grown, x);
  const double shift = detail::choose(tiny, -1077.0, -1023.0);
  // Exponent counted from the square root of a half, so that 1 + f lies between it and the square root of two.
  const std::uint64_t u = detail::bits(normal);
  const std::uint64_t moved = u + (0x3ff0000000000000u - 0x3fe6a09e667f3bcdu);
  const std::uint64_t exponent = (moved >> 52) & 0x7ffu;
  const double k = (detail::from_bits(0x4330000000000000u | exponent) - 0x1.0p52) + shift;
  const double f = detail::from_bits(u - ((exponent - 1023u) << 52)) - 1.0;
  const double y = detail::log_core(f, k, 0.0);
  const double infinity = detail::from_bits(std::uint64_t{0x7ff0000000000000u});
  const double nan = detail::from_bits(std::uint64_t{0x7ff8000000000000u});
  const double positive = detail::choose(x < infinity, y, x);
  const double other = detail::choose(x == 0.0, -infinity, nan);
  return detail::choose(x > 0.0, positive, other);
}

/// log(1 + e^x) (softplus), without overflow or cancellation. Error < 1.7 ulp; -infinity gives 0, infinity itself.
LAVOISIER_INLINE double log1p_exp(double x) {
  const double e = exp(-detail::magnitude(x));  // in [0, 1]; NaN stays
  const bool large = e > 0.5;
  const double halved = 0.5 * (e - 1.0);  // 1 + e = 2 (1 + halved)
  const double f = detail::choose(large, halved, e);
  const double k = detail::choose(large, 1.0, 0.0);
  const double y = detail::log_core(f, k, 0.0);
  const double linear = detail::choose(x > 0.0, x, 0.0);
  return linear + y;
}

/// erf(x), given e^(-x^2). Error < 2 ulp; absolute error < 1.2e-16 where e^(-x^2) has that of one rounding.
LAVOISIER_INLINE double erf(double x, double exp_minus_square) {
  const double a = detail::magnitude(x);
  const double q = a * a;
  const double w = q * q;
  const double small_even = (((0x1.aeb120d68c0cbp-20 * w + 0x1.f997b227f7e24p-14) * w + 0x1.565bcb5ede4b9p-8) * w +
                             0x1.ce2f21a028a34p-4) * w;
  const double small_odd = (((-0x1.10fa781af6375p-23 * w + -0x1.f3ea321aa6558p-17) * w + -0x1.c02d5a0211f09p-11) * w +
                            -0x1.b82ce3093b2fdp-6) * w + -0x1.812746b037820p-2;
  const double small = a + a * (0x1.06eba8214db69p-3 + (small_even + q * small_odd));  // 2 / sqrt(pi) - 1: a itself is exact
  const double bounded = detail::choose(a > 6.0, 6.0, a);  // 1 there
  const double t = (bounded - 2.0) / (bounded + 2.0);
  const double r = t * t;
  const double even = (((((-0x1.4bf213662d306p-17 * r + 0x1.f6099f0a3cc1cp-16) * r + 0x1.6c81a12269ebap-15) * r +
                         -0x1.bc262fcc8954ep-11) * r + 0x1.e94716d995feep-9) * r + 0x1.eeea7dc8a0fe9p-3) * r +
                      0x1.058671b52c779p-2;
  const double odd = ((((-0x1.78793f443a0f4p-16 * r + 0x1.6e65c36308ae4p-13) * r + -0x1.016e7042b7366p-10) * r +
                       0x1.ca95f0604b7e7p-8) * r + -0x1.437f0b68894b2p-4) * r + -0x1.b57034efd41c5p-2;
  const double large = 1.0 - exp_minus_square * (even + t * odd);
  const double y = detail::choose(a < 0.75, small, large);
  return detail::from_bits(detail::bits(y) ^ (detail::bits(x) & 0x8000000000000000u));
}

/// erf(x), the error function.
LAVOISIER_INLINE double erf(double x) { return erf(x, exp(-(x * x))); }

/// cos(2 pi u) for u in [0, 1): the argument is reduced exactly. Error < 2.2 ulp; exact at the quarters (0, 1, 0, -1).
LAVOISIER_INLINE double cos_two_pi(double u) {
  const double t = 4.0 * u + detail::shifter;
  const double n = t - detail::shifter;  // quarter turns, 0 to 4
  const double r = u - 0.25 * n;         // exact, |r| <= 1/8
  const double q = r * r;
  const double cosine_series =
      (((((-0x1.b2f3eb054afcdp+0 * q + 0x1.f9ce245cada0bp+2) * q - 0x1.a6d1eef479be1p+4) * q +
         0x1.e1f5068688d5bp+5) * q - 0x1.55d3c7e3cb241p+6) * q + 0x1.03c1f081b5ac0p+6) * q - 0x1.3bd3cc9be45dep+4;
  const double cosine = 1.0 + q * cosine_series;
  const double sine_series =
      (((((-0x1.6cc577dadd922p-1 * q + 0x1.e8f036bcd3237p+1) * q - 0x1.e3074d2614b2dp+3) * q +
         0x1.50783486facaap+5) * q - 0x1.32d2cce62b872p+6) * q + 0x1.466bc6775aae1p+6) * q - 0x1.4abbce625be53p+5;
  const double sine = r * 0x1.921fb54442d18p+2 + r * (q * sine_series);
  const std::uint64_t quarter = detail::bits(t) & 3u;
  const double value = detail::choose((quarter & 1u) != 0, sine, cosine);
  // cos, -sin, -cos, sin
  const std::uint64_t flip = ((quarter + 1u) & 2u) << 62;
  return detail::from_bits(detail::bits(value) ^ flip);
}

/// Square root, correctly rounded.
LAVOISIER_INLINE double sqrt(double x) { return std::sqrt(x); }

/// 1 / (1 + e^-x), precise in both tails. Error < 2.5 ulp.
LAVOISIER_INLINE double sigmoid(double x) {
  const double e = exp(-detail::magnitude(x));
  const double numerator = detail::choose(x < 0.0, e, 1.0);
  return numerator / (1.0 + e);
}

/// 1 / (1 + e^-x), precise in both tails. Error < 2.5 ulp.
LAVOISIER_INLINE float sigmoid(float x) {
  const float e = exp(-detail::magnitude(x));
  const float numerator = detail::choose(x < 0.0f, e, 1.0f);
  return numerator / (1.0f + e);
}

/// x / (1 + e^-x), precise in both tails; -infinity gives -0. Error < 3.3 ulp where e^x is normal.
LAVOISIER_INLINE float silu(float x) {
  const float bounded = detail::choose(x < -120.0f, -120.0f, x);  // already -0 there
  const float e = exp(-detail::magnitude(bounded));
  const float tail = bounded * e;
  const float numerator = detail::choose(bounded < 0.0f, tail, bounded);
  return numerator / (1.0f + e);
}

/// Hyperbolic tangent. Error < 2.7 ulp; odd; 1 above 9.02.
LAVOISIER_INLINE float tanh(float x) {
  const float a = detail::magnitude(x);
  const float bounded = detail::choose(a > 20.0f, 20.0f, a);
  const float d = detail::expm1_bounded(-2.0f * bounded);
  const float y = detail::magnitude(d / (2.0f + d));  // not negative, whatever the sign of a zero
  return detail::from_bits(detail::bits(y) | (detail::bits(x) & 0x80000000u));
}

}  // namespace lavoisier::elementary

#endif
