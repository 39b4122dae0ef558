#include "elementary_vector.hpp"

#include <lavoisier/elementary.hpp>

#include <gtest/gtest.h>

#include <bit>
#include <cmath>
#include <limits>
#include <random>
#include <vector>

namespace {

namespace el = lavoisier::elementary;
using Long = long double;  // 64 bits of mantissa: 11 more than double

constexpr Long two_pi = 6.283185307179586476925286766559L;

Long sigmoid_exact(Long x) {
  const Long e = std::exp(-std::abs(x));
  return (x < 0 ? e : 1.0L) / (1.0L + e);
}
Long softplus_exact(Long x) { return (x > 0 ? x : 0.0L) + std::log1p(std::exp(-std::abs(x))); }
Long cosine_exact(Long u) {
  const Long n = std::rint(4.0L * u), r = u - n / 4.0L;
  switch (static_cast<int>(n) & 3) {
    case 0: return std::cos(two_pi * r);
    case 1: return -std::sin(two_pi * r);
    case 2: return -std::cos(two_pi * r);
    default: return std::sin(two_pi * r);
  }
}

// Units in the last place of T at the exact value; subnormals count in the smallest number.
template <class T>
double ulp_error(T found, Long exact) {
  const T rounded = static_cast<T>(exact);
  if (std::isinf(rounded)) return found == rounded ? 0.0 : std::numeric_limits<double>::infinity();
  const T size = std::abs(rounded);
  int exponent = 0;
  std::frexp(size, &exponent);
  const T ulp = size < std::numeric_limits<T>::min()
                    ? std::numeric_limits<T>::denorm_min()
                    : std::ldexp(T{1}, exponent - std::numeric_limits<T>::digits);
  return static_cast<double>(std::abs(static_cast<Long>(found) - exact) / static_cast<Long>(ulp));
}

template <class T, class F, class G>
double largest_error(F function, G exact, T low, T high, int samples = 400000) {
  std::mt19937_64 engine(7);
  std::uniform_real_distribution<T> draw(low, high);
  double worst = 0.0;
  for (int i = 0; i < samples; ++i) {
    const T x = draw(engine);
    worst = std::max(worst, ulp_error<T>(function(x), exact(static_cast<Long>(x))));
  }
  return worst;
}

#define LAVOISIER_EXPECT_ULP(bound, type, function, exact, low, high)                                            \
  do {                                                                                                           \
    const double worst = largest_error<type>([](type x) { return function(x); }, [](Long x) { return exact(x); }, \
                                             static_cast<type>(low), static_cast<type>(high));                   \
    std::printf("  %-12s %-6s [%g, %g]: %.3f ulp\n", #function, #type, double(low), double(high), worst);        \
    EXPECT_LE(worst, bound) << #function << "(" #type ") on [" << low << ", " << high << "]";                    \
    EXPECT_GT(worst, 0.0) << "no error at all: the oracle has no more digits than the function";                \
  } while (false)

TEST(Elementary, ErrorInUlp) {
  LAVOISIER_EXPECT_ULP(0.9, double, el::exp, std::exp, -745.2, 709.7);
  LAVOISIER_EXPECT_ULP(0.9, double, el::exp, std::exp, -1, 1);
  LAVOISIER_EXPECT_ULP(0.9, double, el::exp, std::exp, -745.2, -708);
  LAVOISIER_EXPECT_ULP(0.9, float, el::exp, std::exp, -104, 88.7);
  LAVOISIER_EXPECT_ULP(0.9, float, el::exp, std::exp, -1, 1);
  LAVOISIER_EXPECT_ULP(2.0, double, el::erf, std::erf, -7, 7);
  LAVOISIER_EXPECT_ULP(2.0, double, el::erf, std::erf, -1, 1);
  LAVOISIER_EXPECT_ULP(2.0, double, el::erf, std::erf, -1e-300, 1e-300);
  LAVOISIER_EXPECT_ULP(1.0, double, el::log, std::log, 0.5, 2);
  LAVOISIER_EXPECT_ULP(1.0, double, el::log, std::log, 0.999, 1.001);
  LAVOISIER_EXPECT_ULP(1.0, double, el::log, std::log, 0.7, 0.715);
  LAVOISIER_EXPECT_ULP(1.0, double, el::log, std::log, 0, 1);
  LAVOISIER_EXPECT_ULP(1.0, double, el::log, std::log, 0, 1e-307);
  LAVOISIER_EXPECT_ULP(1.0, double, el::log, std::log, 1, 1e300);
  LAVOISIER_EXPECT_ULP(1.7, double, el::log1p_exp, softplus_exact, -5, 5);
  LAVOISIER_EXPECT_ULP(1.7, double, el::log1p_exp, softplus_exact, -745, 100);
  LAVOISIER_EXPECT_ULP(2.2, double, el::cos_two_pi, cosine_exact, 0, 1);
  LAVOISIER_EXPECT_ULP(2.2, double, el::cos_two_pi, cosine_exact, 0.2499, 0.2501);
  LAVOISIER_EXPECT_ULP(2.5, double, el::sigmoid, sigmoid_exact, -5, 5);
  LAVOISIER_EXPECT_ULP(2.5, double, el::sigmoid, sigmoid_exact, -745, 40);
  LAVOISIER_EXPECT_ULP(2.5, float, el::sigmoid, sigmoid_exact, -5, 5);
  LAVOISIER_EXPECT_ULP(2.5, float, el::sigmoid, sigmoid_exact, -104, 20);
  const auto silu_exact = [](Long x) { return x * sigmoid_exact(x); };
  EXPECT_LE(largest_error<float>([](float x) { return el::silu(x); }, silu_exact, -5.0f, 5.0f), 3.3);
  EXPECT_LE(largest_error<float>([](float x) { return el::silu(x); }, silu_exact, -87.0f, 104.0f), 3.3);
  LAVOISIER_EXPECT_ULP(2.7, float, el::tanh, std::tanh, -1, 1);
  LAVOISIER_EXPECT_ULP(2.7, float, el::tanh, std::tanh, -10, 10);
  LAVOISIER_EXPECT_ULP(2.7, float, el::tanh, std::tanh, -1e-3, 1e-3);
}

TEST(Elementary, SpecialValues) {
  const double inf = std::numeric_limits<double>::infinity(), nan = std::numeric_limits<double>::quiet_NaN();
  const float inff = std::numeric_limits<float>::infinity(), nanf = std::numeric_limits<float>::quiet_NaN();
  const double tiny = std::numeric_limits<double>::denorm_min();

  EXPECT_EQ(el::exp(0.0), 1.0);
  EXPECT_EQ(el::exp(-0.0), 1.0);
  EXPECT_EQ(el::exp(inf), inf);
  EXPECT_EQ(el::exp(-inf), 0.0);
  EXPECT_FALSE(std::signbit(el::exp(-inf)));
  EXPECT_TRUE(std::isnan(el::exp(nan)));
  EXPECT_EQ(el::exp(709.79), inf);
  EXPECT_LT(el::exp(709.78), inf);
  EXPECT_EQ(el::exp(-745.13), tiny);
  EXPECT_EQ(el::exp(-745.14), 0.0);
  EXPECT_EQ(el::exp(1e308), inf);
  EXPECT_EQ(el::exp(-1e308), 0.0);
  EXPECT_EQ(el::exp(tiny), 1.0);

  EXPECT_EQ(el::exp(0.0f), 1.0f);
  EXPECT_EQ(el::exp(inff), inff);
  EXPECT_EQ(el::exp(-inff), 0.0f);
  EXPECT_TRUE(std::isnan(el::exp(nanf)));
  EXPECT_EQ(el::exp(88.73f), inff);
  EXPECT_LT(el::exp(88.72f), inff);
  EXPECT_GT(el::exp(-103.9f), 0.0f);
  EXPECT_EQ(el::exp(-104.0f), 0.0f);

  EXPECT_EQ(el::log(1.0), 0.0);
  EXPECT_FALSE(std::signbit(el::log(1.0)));
  EXPECT_EQ(el::log(0.0), -inf);
  EXPECT_EQ(el::log(-0.0), -inf);
  EXPECT_EQ(el::log(inf), inf);
  EXPECT_TRUE(std::isnan(el::log(-inf)));
  EXPECT_TRUE(std::isnan(el::log(-tiny)));
  EXPECT_TRUE(std::isnan(el::log(-1.0)));
  EXPECT_TRUE(std::isnan(el::log(nan)));
  EXPECT_NEAR(el::log(tiny), -744.4400719213812, 1e-12);
  EXPECT_NEAR(el::log(std::numeric_limits<double>::max()), 709.782712893384, 1e-12);

  EXPECT_EQ(el::log1p_exp(-inf), 0.0);
  EXPECT_EQ(el::log1p_exp(inf), inf);
  EXPECT_EQ(el::log1p_exp(1e300), 1e300);
  EXPECT_EQ(el::log1p_exp(-745.0), std::exp(-745.0));
  EXPECT_TRUE(std::isnan(el::log1p_exp(nan)));

  EXPECT_EQ(el::cos_two_pi(0.0), 1.0);
  EXPECT_EQ(el::cos_two_pi(0.25), 0.0);
  EXPECT_EQ(el::cos_two_pi(0.5), -1.0);
  EXPECT_EQ(el::cos_two_pi(0.75), 0.0);
  EXPECT_EQ(el::cos_two_pi(1.0 - 0x1p-53), 1.0);

  EXPECT_EQ(el::sqrt(2.0), std::sqrt(2.0));

  EXPECT_EQ(el::sigmoid(0.0), 0.5);
  EXPECT_EQ(el::sigmoid(inf), 1.0);
  EXPECT_EQ(el::sigmoid(-inf), 0.0);
  EXPECT_TRUE(std::isnan(el::sigmoid(nan)));
  EXPECT_EQ(el::sigmoid(0.0f), 0.5f);
  EXPECT_EQ(el::sigmoid(inff), 1.0f);
  EXPECT_EQ(el::sigmoid(-inff), 0.0f);
  EXPECT_TRUE(std::isnan(el::sigmoid(nanf)));

  EXPECT_EQ(std::bit_cast<std::uint32_t>(el::silu(0.0f)), 0u);
  EXPECT_EQ(std::bit_cast<std::uint32_t>(el::silu(-0.0f)), 0x80000000u);
  EXPECT_EQ(el::silu(inff), inff);
  EXPECT_EQ(std::bit_cast<std::uint32_t>(el::silu(-inff)), 0x80000000u);
  EXPECT_EQ(el::silu(1e30f), 1e30f);
  EXPECT_TRUE(std::isnan(el::silu(nanf)));
  EXPECT_LT(el::silu(-95.0f), 0.0f);  // x / (1 + e^-x), taken literally, is 0 there

  EXPECT_EQ(std::bit_cast<std::uint32_t>(el::tanh(0.0f)), 0u);
  EXPECT_EQ(std::bit_cast<std::uint32_t>(el::tanh(-0.0f)), 0x80000000u);
  EXPECT_EQ(el::tanh(inff), 1.0f);
  EXPECT_EQ(el::tanh(-inff), -1.0f);
  EXPECT_TRUE(std::isnan(el::tanh(nanf)));
  EXPECT_EQ(el::tanh(1e-40f), 1e-40f);
  EXPECT_EQ(el::tanh(9.1f), 1.0f);
}

// Around each place where the code takes another piece: neighbours never fall where the function rises.
template <class T, class F>
int falls(F function, T center, int steps) {
  T x = center;
  for (int i = 0; i < steps; ++i) x = std::nextafter(x, -std::numeric_limits<T>::infinity());
  int count = 0;
  T last = function(x);
  for (int i = 0; i < 2 * steps; ++i) {
    x = std::nextafter(x, std::numeric_limits<T>::infinity());
    const T next = function(x);
    if (next < last) ++count;
    last = next;
  }
  return count;
}

TEST(Elementary, MonotoneNearCutoffs) {
  const int steps = 20000;
  const auto exp_d = [](double x) { return el::exp(x); };
  const auto exp_f = [](float x) { return el::exp(x); };
  const auto log_d = [](double x) { return el::log(x); };
  const double half_ln2 = 0.34657359027997265;
  for (const double x : {-746.0, -745.13, -708.4, -half_ln2, 0.0, half_ln2, 3 * half_ln2, 709.78, 710.0}) {
    EXPECT_EQ(falls(exp_d, x, steps), 0) << "exp near " << x;
  }
  for (const float x : {-105.0f, -103.97f, -87.34f, -0.34657359f, 0.0f, 0.34657359f, 1.0397208f, 88.72f, 89.0f}) {
    EXPECT_EQ(falls(exp_f, x, steps), 0) << "exp near " << x;
  }
  for (const double x : {0x1p-1022, 0.70710678118654752, 1.0, 1.4142135623730951, 2.0, 1e300}) {
    EXPECT_EQ(falls(log_d, x, steps), 0) << "log near " << x;
  }
  EXPECT_EQ(falls([](double x) { return el::log1p_exp(x); }, -0.6931471805599453, steps), 0);
  EXPECT_EQ(falls([](double x) { return el::log1p_exp(x); }, 0.0, steps), 0);
  EXPECT_EQ(falls([](float x) { return el::tanh(x); }, 0.0f, steps), 0);
  EXPECT_EQ(falls([](float x) { return el::tanh(x); }, 9.01f, steps), 0);
  EXPECT_EQ(falls([](float x) { return el::sigmoid(x); }, 0.0f, steps), 0);
  EXPECT_EQ(falls([](float x) { return el::silu(x); }, 0.0f, steps), 0);
}

template <class T>
std::vector<T> arguments(T low, T high, bool specials) {
  std::mt19937_64 engine(11);
  std::uniform_real_distribution<T> draw(low, high);
  std::vector<T> x(10007);  // no multiple of a vector's width: the tail is there
  for (auto& value : x) value = draw(engine);
  if (specials) {
    const T inf = std::numeric_limits<T>::infinity();
    const T list[] = {0, -T{0}, inf, -inf, std::numeric_limits<T>::quiet_NaN(), std::numeric_limits<T>::denorm_min(),
                      std::numeric_limits<T>::max(), -std::numeric_limits<T>::max(), std::numeric_limits<T>::min()};
    for (std::size_t i = 0; i < std::size(list); ++i) x[i * 1001] = list[i];
  }
  return x;
}

template <class T, class Vector, class Scalar>
void expect_same_bits(const std::vector<T>& x, Vector vector, Scalar scalar, const char* name) {
  std::vector<T> y(x.size());
  vector(x.data(), y.data(), x.size());
  for (std::size_t i = 0; i < x.size(); ++i) {
    const volatile T one = x[i];  // keeps this loop scalar
    const T expected = scalar(one);
    if (std::isnan(expected)) {
      ASSERT_TRUE(std::isnan(y[i])) << name << " of " << x[i];
    } else {
      ASSERT_EQ(std::memcmp(&expected, &y[i], sizeof(T)), 0) << name << " of " << x[i] << ": " << expected << ", vector " << y[i];
    }
  }
}

TEST(Elementary, VectorLoopsGiveTheScalarBits) {
  using namespace lavoisier::tests;
  if (!vector_code_runs_here()) GTEST_SKIP() << "this processor lacks the instructions of the vector build";
  const auto floats = arguments<float>(-110.0f, 110.0f, true);
  const auto doubles = arguments<double>(-760.0, 760.0, true);
  const auto turns = arguments<double>(0.0, 1.0, false);
  using FloatLoop = void (*)(const float*, float*, std::size_t);
  using DoubleLoop = void (*)(const double*, double*, std::size_t);
  expect_same_bits(floats, static_cast<FloatLoop>(vector_exp), [](float x) { return el::exp(x); }, "exp");
  expect_same_bits(floats, static_cast<FloatLoop>(vector_sigmoid), [](float x) { return el::sigmoid(x); }, "sigmoid");
  expect_same_bits(floats, static_cast<FloatLoop>(vector_silu), [](float x) { return el::silu(x); }, "silu");
  expect_same_bits(floats, static_cast<FloatLoop>(vector_tanh), [](float x) { return el::tanh(x); }, "tanh");
  expect_same_bits(doubles, static_cast<DoubleLoop>(vector_exp), [](double x) { return el::exp(x); }, "exp");
  expect_same_bits(doubles, static_cast<DoubleLoop>(vector_sigmoid), [](double x) { return el::sigmoid(x); }, "sigmoid");
  expect_same_bits(doubles, static_cast<DoubleLoop>(vector_log), [](double x) { return el::log(x); }, "log");
  expect_same_bits(doubles, static_cast<DoubleLoop>(vector_log1p_exp), [](double x) { return el::log1p_exp(x); }, "log1p_exp");
  expect_same_bits(turns, static_cast<DoubleLoop>(vector_cos_two_pi), [](double x) { return el::cos_two_pi(x); }, "cos_two_pi");
}

// The bits themselves, so that no compiler, machine or later change alters a generated value unseen.
TEST(Elementary, KnownBits) {
  const auto d = [](double x) { return std::bit_cast<std::uint64_t>(x); };
  const auto f = [](float x) { return std::bit_cast<std::uint32_t>(x); };
  std::uint64_t hash = 1469598103934665603u;
  const auto mix = [&](std::uint64_t value) { hash = (hash ^ value) * 1099511628211u; };
  for (int i = -4000; i <= 4000; ++i) {
    const double x = i * 0.1875 + 0.01171875;
    const float y = static_cast<float>(i) * 0.03125f + 0.0048828125f;
    mix(d(el::exp(x)));
    mix(d(el::log(std::abs(x))));
    mix(d(el::log1p_exp(x)));
    mix(d(el::sigmoid(x)));
    mix(d(el::cos_two_pi((i + 4000) / 8001.0)));
    mix(f(el::exp(y)));
    mix(f(el::tanh(y)));
    mix(f(el::sigmoid(y)));
    mix(f(el::silu(y)));
  }
  EXPECT_EQ(hash, 14370623563134173362u);
}

}  // namespace
