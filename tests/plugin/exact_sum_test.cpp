// Sums without rounding, against integers of any size, and against the same numbers in other orders and pieces.

#include <lavoisier/exact_sum.hpp>

#include <gtest/gtest.h>

#include <boost/multiprecision/cpp_int.hpp>

#include <algorithm>
#include <cmath>
#include <cstring>
#include <random>
#include <thread>
#include <vector>

using namespace lavoisier;
using boost::multiprecision::cpp_int;

namespace {

/// x 2^1074, an integer.
cpp_int integer_of(double x) {
  int exponent = 0;
  const double fraction = std::frexp(x, &exponent);  // x = fraction 2^exponent
  const auto mantissa = static_cast<std::int64_t>(std::ldexp(fraction, 53));
  const int shift = exponent - 53 + 1074;
  if (shift >= 0) return cpp_int(mantissa) << shift;
  return cpp_int(mantissa / (std::int64_t{1} << -shift));  // subnormal: the bits shifted out are 0
}

/// Rounded to nearest, ties to even: by the integers between which it lies.
double rounded(const cpp_int& n) {
  const cpp_int size = abs(n);
  if (size == 0) return 0.0;
  const auto leading = static_cast<int>(msb(size));
  const int drop = std::max(leading - 52, 0);
  cpp_int kept = size >> drop;
  const cpp_int rest = (size - (kept << drop)) * 2, unit = cpp_int(1) << drop;
  if (drop > 0 && (rest > unit || (rest == unit && (kept & 1) != 0))) ++kept;
  const double x = std::ldexp(static_cast<double>(static_cast<std::uint64_t>(kept)), drop - 1074);
  return n < 0 ? -x : x;
}

bool same(double a, double b) { return std::memcmp(&a, &b, sizeof a) == 0; }

std::vector<double> numbers(int kind, std::size_t count, unsigned seed) {
  std::mt19937_64 generator(seed);
  std::uniform_real_distribution<double> uniform(-1.0, 1.0);
  std::vector<double> x(count);
  for (double& v : x) {
    switch (kind) {
      case 0:
        v = 300.0 * uniform(generator);
        break;
      case 1:
        v = std::ldexp(uniform(generator), static_cast<int>(generator() % 2000) - 1000);
        break;
      case 2:
        v = std::ldexp(uniform(generator), -1060 - static_cast<int>(generator() % 20));
        break;  // subnormal
      case 3:
        v = generator() % 2 ? 1.7e308 : -1.6e308;
        break;
      default: {  // any finite bits
        do {
          const std::uint64_t bits = generator();
          std::memcpy(&v, &bits, sizeof v);
        } while (!std::isfinite(v));
      }
    }
  }
  if (kind == 1)  // cancels to its last numbers
    for (std::size_t i = 0; i + 10 < count / 2; ++i) x[count - 1 - i] = -x[i];
  return x;
}

std::vector<std::int64_t> words(const ExactSum& sum) {
  std::vector<std::int64_t> packed(ExactSum::word_count);
  sum.pack(packed.data());
  return packed;
}

}  // namespace

TEST(ExactSum, EqualsTheSumOfIntegers) {
  ExactSumBins bins;
  int plain_fails = 0;
  for (int kind = 0; kind < 5; ++kind)
    for (const std::size_t count : {0u, 1u, 2u, 3u, 100u, 1023u, 1024u, 1025u, 5003u}) {
      SCOPED_TRACE(testing::Message() << kind << " " << count);
      const auto x = numbers(kind, count, 5u + static_cast<unsigned>(count));
      cpp_int exact = 0;
      double plain = 0.0;
      ExactSum one_by_one, together;
      for (const double v : x) {
        exact += integer_of(v);
        plain += v;
        one_by_one.add(v);
      }
      together.add(x.data(), static_cast<std::int64_t>(count), 1, bins);
      EXPECT_TRUE(same(one_by_one.value(), rounded(exact))) << one_by_one.value() << " " << rounded(exact);
      EXPECT_EQ(words(one_by_one), words(together));
      plain_fails += !same(plain, rounded(exact));
    }
  EXPECT_GT(plain_fails, 10);  // the test tells a plain sum
}

TEST(ExactSum, RoundsToNearestTiesToEven) {
  const auto sum = [](std::initializer_list<double> x) {
    ExactSum s;
    for (const double v : x) s.add(v);
    return s.value();
  };
  const double u = std::ldexp(1.0, -53);
  EXPECT_EQ(sum({1.0, u}), 1.0);
  EXPECT_EQ(sum({1.0, u, 5e-324}), 1.0 + 2 * u);
  EXPECT_EQ(sum({1.0, u, -5e-324}), 1.0);
  EXPECT_EQ(sum({1.0 + 2 * u, u}), 1.0 + 4 * u);
  EXPECT_EQ(sum({-1.0, -u, -5e-324}), -1.0 - 2 * u);
  EXPECT_EQ(sum({1e300, 1.0, -1e300}), 1.0);
  EXPECT_EQ(sum({5e-324, 5e-324}), 1e-323);
  const double largest = std::numeric_limits<double>::max();
  EXPECT_EQ(sum({largest, largest}), INFINITY);
  EXPECT_EQ(sum({-largest, -largest}), -INFINITY);
  EXPECT_EQ(sum({largest, largest, -largest}), largest);
  EXPECT_EQ(sum({largest, std::ldexp(1.0, 970)}), INFINITY);  // a tie
  EXPECT_EQ(sum({largest, std::ldexp(1.0, 969)}), largest);
  EXPECT_TRUE(same(sum({}), 0.0));
  EXPECT_TRUE(same(sum({1.0, -1.0}), 0.0));
}

TEST(ExactSum, OrderPiecesStridesAndThreadsDoNotReachTheBits) {
  ExactSumBins bins;
  auto x = numbers(4, 6000, 11);
  ExactSum expected;
  expected.add(x.data(), 6000, 1, bins);
  double plain = 0.0, plain_backwards = 0.0;
  for (const double v : x) plain += v;
  for (std::size_t i = x.size(); i-- > 0;) plain_backwards += x[i];
  EXPECT_FALSE(same(plain, plain_backwards));  // what would be found otherwise
  std::mt19937 generator(1);
  for (int round = 0; round < 5; ++round) {
    std::shuffle(x.begin(), x.end(), generator);
    ExactSum whole, odd, even, backwards;
    whole.add(x.data(), 6000, 1, bins);
    even.add(x.data(), 3000, 2, bins);
    odd.add(x.data() + 1, 3000, 2, bins);
    backwards.add(x.data() + 5999, 6000, -1, bins);
    odd.add(even);
    EXPECT_EQ(words(whole), words(expected));
    EXPECT_EQ(words(odd), words(expected));
    EXPECT_EQ(words(backwards), words(expected));
    for (const std::size_t threads : {2u, 3u, 8u}) {
      std::vector<ExactSum> part(threads);
      std::vector<std::thread> running;
      for (std::size_t t = 0; t < threads; ++t)
        running.emplace_back([&, t] {
          ExactSumBins own;
          const std::size_t first = 6000 * t / threads, last = 6000 * (t + 1) / threads;
          part[t].add(x.data() + first, static_cast<std::int64_t>(last - first), 1, own);
        });
      for (auto& thread : running) thread.join();
      // As a reduction over ranks adds them: word by word.
      std::vector<std::int64_t> sum(ExactSum::word_count);
      for (const auto& p : part) {
        const auto w = words(p);
        for (std::size_t i = 0; i < w.size(); ++i) sum[i] += w[i];
      }
      ExactSum total;
      total.unpack(sum.data());
      EXPECT_EQ(words(total), words(expected)) << threads;
    }
  }
}

TEST(ExactSum, HoldsTwoToTheFortyOfTheLargest) {
  // Doubling forty times: 2^40 addends.
  const double largest = std::numeric_limits<double>::max();
  ExactSum sum;
  sum.add(largest);
  for (int i = 0; i < 40; ++i) sum.add(ExactSum(sum));
  EXPECT_EQ(sum.value(), INFINITY);
  ExactSum negative;
  negative.add(-largest);
  for (int i = 0; i < 40; ++i) negative.add(ExactSum(negative));
  EXPECT_EQ(negative.value(), -INFINITY);
  sum.add(1.5);
  sum.add(negative);
  EXPECT_EQ(sum.value(), 1.5);
}

TEST(ExactSum, CountsWhatIsNoNumber) {
  ExactSumBins bins;
  std::vector<double> x(2000, 1.0);
  x[7] = NAN;
  x[1500] = -INFINITY;
  ExactSum sum, few;
  sum.add(x.data(), 2000, 1, bins);
  EXPECT_EQ(sum.non_finite(), 2);
  EXPECT_FALSE(sum.finite());
  EXPECT_TRUE(std::isnan(sum.value()));
  few.add(INFINITY);
  few.add(sum);
  EXPECT_EQ(few.non_finite(), 3);
  sum.clear();
  sum.add(2.0);
  EXPECT_EQ(sum.value(), 2.0);
}
