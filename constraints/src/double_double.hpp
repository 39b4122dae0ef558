#ifndef LAVOISIER_DOUBLE_DOUBLE_HPP
#define LAVOISIER_DOUBLE_DOUBLE_HPP

// Twice the digits of FP64: an unevaluated sum of two doubles, |lo| <= ulp(hi) / 2. Error-free transformations of Knuth
// (two_sum) and Dekker (quick_two_sum, two_product by fused multiply-add); Hida, Li and Bailey, ARITH-15 (2001).
// Relative error of an operation: a few times 2^-104. Needs IEEE arithmetic without contraction or reassociation.

#include <cmath>

namespace lavoisier::detail {

class DoubleDouble {
 public:
  constexpr DoubleDouble() noexcept = default;
  constexpr DoubleDouble(double value) noexcept : hi_(value) {}  // NOLINT: a double is one, as an int is a double
  static constexpr DoubleDouble of_parts(double hi, double lo) noexcept { return DoubleDouble(hi, lo); }

  constexpr double hi() const noexcept { return hi_; }
  constexpr double lo() const noexcept { return lo_; }
  explicit constexpr operator double() const noexcept { return hi_; }

  static constexpr DoubleDouble two_sum(double a, double b) noexcept {
    const double sum = a + b, part = sum - a;
    return {sum, (a - (sum - part)) + (b - part)};
  }
  /// |a| >= |b|, or a = 0.
  static constexpr DoubleDouble quick_two_sum(double a, double b) noexcept {
    const double sum = a + b;
    return {sum, b - (sum - a)};
  }
  static DoubleDouble two_product(double a, double b) noexcept {
    const double product = a * b;
    return {product, std::fma(a, b, -product)};
  }

  friend constexpr DoubleDouble operator-(DoubleDouble a) noexcept { return {-a.hi_, -a.lo_}; }
  friend constexpr DoubleDouble operator+(DoubleDouble a, DoubleDouble b) noexcept {
    const DoubleDouble high = two_sum(a.hi_, b.hi_), low = two_sum(a.lo_, b.lo_);
    const DoubleDouble once = quick_two_sum(high.hi_, high.lo_ + low.hi_);
    return quick_two_sum(once.hi_, once.lo_ + low.lo_);
  }
  friend constexpr DoubleDouble operator-(DoubleDouble a, DoubleDouble b) noexcept { return a + -b; }
  friend DoubleDouble operator*(DoubleDouble a, DoubleDouble b) noexcept {
    const DoubleDouble product = two_product(a.hi_, b.hi_);
    return quick_two_sum(product.hi_, product.lo_ + (a.hi_ * b.lo_ + a.lo_ * b.hi_));
  }
  friend DoubleDouble operator*(DoubleDouble a, double b) noexcept {
    const DoubleDouble product = two_product(a.hi_, b);
    return quick_two_sum(product.hi_, product.lo_ + a.lo_ * b);
  }
  friend DoubleDouble operator*(double a, DoubleDouble b) noexcept { return b * a; }
  friend DoubleDouble operator/(DoubleDouble a, DoubleDouble b) noexcept {
    const double first = a.hi_ / b.hi_;
    DoubleDouble rest = a - b * first;
    const double second = rest.hi_ / b.hi_;
    rest = rest - b * second;
    return quick_two_sum(first, second) + DoubleDouble(rest.hi_ / b.hi_);
  }
  DoubleDouble& operator+=(DoubleDouble b) noexcept { return *this = *this + b; }
  DoubleDouble& operator-=(DoubleDouble b) noexcept { return *this = *this - b; }
  DoubleDouble& operator*=(DoubleDouble b) noexcept { return *this = *this * b; }
  DoubleDouble& operator/=(DoubleDouble b) noexcept { return *this = *this / b; }

  friend constexpr bool operator==(DoubleDouble a, DoubleDouble b) noexcept {
    return a.hi_ == b.hi_ && a.lo_ == b.lo_;
  }
  friend constexpr bool operator<(DoubleDouble a, DoubleDouble b) noexcept {
    return a.hi_ < b.hi_ || (a.hi_ == b.hi_ && a.lo_ < b.lo_);
  }
  friend constexpr bool operator>(DoubleDouble a, DoubleDouble b) noexcept { return b < a; }
  friend constexpr bool operator<=(DoubleDouble a, DoubleDouble b) noexcept { return a < b || a == b; }
  friend constexpr bool operator>=(DoubleDouble a, DoubleDouble b) noexcept { return b <= a; }

  friend DoubleDouble sqrt(DoubleDouble a) noexcept {
    const double root = std::sqrt(a.hi_);
    if (!(root > 0.0) || !std::isfinite(root)) return {root, 0.0};
    // One step of Newton's method from the FP64 root.
    const DoubleDouble rest = a - two_product(root, root);
    return quick_two_sum(root, rest.hi_ / (2.0 * root));
  }
  friend constexpr DoubleDouble abs(DoubleDouble a) noexcept { return a.hi_ < 0.0 ? -a : a; }
  friend bool isfinite(DoubleDouble a) noexcept { return std::isfinite(a.hi_) && std::isfinite(a.lo_); }

 private:
  constexpr DoubleDouble(double hi, double lo) noexcept : hi_(hi), lo_(lo) {}

  double hi_ = 0.0, lo_ = 0.0;
};

inline double to_double(double value) noexcept { return value; }
inline constexpr double to_double(DoubleDouble value) noexcept { return value.hi(); }

/// Natural logarithm, rounded to double.
inline double log_of(double value) noexcept { return std::log(value); }
inline double log_of(DoubleDouble value) noexcept { return std::log(value.hi()) + value.lo() / value.hi(); }

/// Relative rounding error of an operation, an upper bound.
template <class Real>
inline constexpr double epsilon_of = 2.220446049250313e-16;
template <>
inline constexpr double epsilon_of<DoubleDouble> = 4.930380657631324e-32;  // 2^-104

}  // namespace lavoisier::detail

#endif
