#ifndef LAVOISIER_LOG_PRODUCT_HPP
#define LAVOISIER_LOG_PRODUCT_HPP

#include <bit>
#include <cmath>
#include <cstdint>

namespace lavoisier::detail {

/// log of a product of positive numbers with one logarithm: mantissas are multiplied, exponents added. Its error is that of n
/// products, n eps / 2 at most; it neither overflows nor underflows.
struct LogProduct {
  double mantissa = 1.0;  ///< 1 <= mantissa < 2
  std::int64_t exponent = 0;

  static constexpr std::int64_t mantissa_bits = (std::int64_t{1} << 52) - 1, one = std::int64_t{1023} << 52;

  /// x: positive and finite.
  void multiply(double x) noexcept {
    if (x < 0x1p-1022) {  // subnormal
      x *= 0x1p54;
      exponent -= 54;
    }
    const auto bits = std::bit_cast<std::int64_t>(x);
    exponent += (bits >> 52) - 1023;
    mantissa *= std::bit_cast<double>((bits & mantissa_bits) | one);
    // Halved where it is 2 or more, without a branch that nobody could predict.
    const auto product = std::bit_cast<std::int64_t>(mantissa);
    exponent += (product >> 52) - 1023;
    mantissa = std::bit_cast<double>((product & mantissa_bits) | one);
  }
  double log() const noexcept { return std::log(mantissa) + 0.69314718055994530942 * static_cast<double>(exponent); }
};

}  // namespace lavoisier::detail

#endif
