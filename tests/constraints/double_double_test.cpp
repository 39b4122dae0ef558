// Double-double arithmetic against 113-bit arithmetic of the compiler (__float128): a relative 1e-31.

#include "../../constraints/src/double_double.hpp"
#include "../../constraints/src/scaled_cholesky.hpp"

#include <gtest/gtest.h>

#include <algorithm>
#include <cmath>
#include <random>
#include <vector>

namespace lavoisier::detail {
namespace {

__extension__ typedef __float128 Quad;

Quad quad(DoubleDouble x) { return static_cast<Quad>(x.hi()) + static_cast<Quad>(x.lo()); }

double relative_error(DoubleDouble found, Quad expected) {
  Quad difference = quad(found) - expected;
  if (difference < 0) difference = -difference;
  const Quad size = expected < 0 ? -expected : expected;
  return static_cast<double>(size > 0 ? difference / size : difference);
}

class Numbers {
 public:
  /// All 106 bits in use, signs and exponents of any kind.
  DoubleDouble next() {
    const double hi = normal_(engine_) * std::exp2(std::floor(20.0 * normal_(engine_)));
    return DoubleDouble(hi) + DoubleDouble(hi * 0x1.0p-54 * (2.0 * uniform_(engine_) - 1.0));
  }

 private:
  std::mt19937_64 engine_{7};
  std::normal_distribution<double> normal_;
  std::uniform_real_distribution<double> uniform_;
};

TEST(DoubleDoubles, HoldThirtyOneDigits) {
  Numbers numbers;
  for (int i = 0; i < 20000; ++i) {
    const DoubleDouble a = numbers.next(), b = numbers.next();
    ASSERT_LE(relative_error(a + b, quad(a) + quad(b)), 1e-31);
    ASSERT_LE(relative_error(a - b, quad(a) - quad(b)), 1e-31);
    ASSERT_LE(relative_error(a * b, quad(a) * quad(b)), 1e-31);
    ASSERT_LE(relative_error(a * b.hi(), quad(a) * static_cast<Quad>(b.hi())), 1e-31);
    ASSERT_LE(relative_error(a / b, quad(a) / quad(b)), 1e-31);
    const DoubleDouble root = sqrt(abs(a));
    ASSERT_LE(relative_error(root * root, quad(abs(a))), 2e-31);
    ASSERT_EQ(a < b, quad(a) < quad(b));
    ASSERT_EQ(a >= b, quad(a) >= quad(b));
    // Parts do not overlap, so that a == b compares numbers.
    ASSERT_EQ((a * b).hi() + (a * b).lo(), (a * b).hi());
  }
}

TEST(DoubleDoubles, KnowTheirLimits) {
  EXPECT_EQ(to_double(sqrt(DoubleDouble(0.0))), 0.0);
  EXPECT_TRUE(std::isnan(to_double(sqrt(DoubleDouble(-1.0)))));
  EXPECT_FALSE(isfinite(DoubleDouble(1e300) * DoubleDouble(1e300)));
  EXPECT_FALSE(isfinite(DoubleDouble(1.0) / DoubleDouble(0.0)));
  const DoubleDouble third = DoubleDouble(1.0) / DoubleDouble(3.0);
  EXPECT_FALSE(third == DoubleDouble(1.0 / 3.0));
  // d log(x) = dx / x: what the low part adds.
  EXPECT_EQ(log_of(DoubleDouble::two_sum(1.0, 1e-20)), 1e-20);
}

TEST(DoubleDoubles, FactorizeAMatrixThatDoubleCannot) {
  // Hilbert's matrix of order 12, condition 1.7e16: x = W^-1 W 1.
  constexpr std::size_t m = 12;
  std::vector<DoubleDouble> W(m * m), b(m), x(m);
  std::vector<double> W_double(m * m);
  for (std::size_t k = 0; k < m; ++k)
    for (std::size_t l = 0; l < m; ++l) {
      W[k * m + l] = DoubleDouble(1.0) / DoubleDouble(static_cast<double>(k + l + 1));
      W_double[k * m + l] = to_double(W[k * m + l]);
      b[k] += W[k * m + l];
    }
  ScaledCholesky<-1, DoubleDouble> factor(m);
  ASSERT_TRUE(factor.factorize(W.data()));
  EXPECT_LT(factor.smallest_pivot(), 1e-11);
  factor.solve(b.data(), x.data());
  for (std::size_t k = 0; k < m; ++k) EXPECT_NEAR(to_double(x[k]), 1.0, 1e-13);
  ScaledCholesky<-1> in_double(m);
  std::vector<double> b_double(m), x_double(m);
  for (std::size_t k = 0; k < m; ++k) b_double[k] = to_double(b[k]);
  ASSERT_TRUE(in_double.factorize(W_double.data()));
  in_double.solve(b_double.data(), x_double.data());
  double worst = 0.0;
  for (const double component : x_double) worst = std::max(worst, std::abs(component - 1.0));
  EXPECT_GT(worst, 1e-4);
}

}  // namespace
}  // namespace lavoisier::detail
