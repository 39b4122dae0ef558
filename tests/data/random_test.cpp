#include <lavoisier/random.hpp>

#include <gtest/gtest.h>

#include <algorithm>
#include <array>
#include <bit>
#include <cmath>
#include <cstdio>
#include <vector>

namespace {

namespace rnd = lavoisier::random;
using Words = std::array<std::uint64_t, 4>;

Words as_words(const r123::Philox4x64::ctr_type& w) { return {w[0], w[1], w[2], w[3]}; }

// Random123's own known answers for philox 4x64 with 10 rounds: zeros, ones, the digits of pi.
TEST(Random, Random123KnownAnswers) {
  const auto philox = [](Words c, std::array<std::uint64_t, 2> k) {
    return as_words(r123::Philox4x64{}({{c[0], c[1], c[2], c[3]}}, {{k[0], k[1]}}));
  };
  const std::uint64_t ones = ~std::uint64_t{0};
  EXPECT_EQ(philox({0, 0, 0, 0}, {0, 0}),
            (Words{0x16554d9eca36314cu, 0xdb20fe9d672d0fdcu, 0xd7e772cee186176bu, 0x7e68b68aec7ba23bu}));
  EXPECT_EQ(philox({ones, ones, ones, ones}, {ones, ones}),
            (Words{0x87b092c3013fe90bu, 0x438c3c67be8d0224u, 0x9cc7d7c69cd777b6u, 0xa09caebf594f0ba0u}));
  EXPECT_EQ(philox({0x243f6a8885a308d3u, 0x13198a2e03707344u, 0xa4093822299f31d0u, 0x082efa98ec4e6c89u},
                   {0x452821e638d01377u, 0xbe5466cf34e90c6cu}),
            (Words{0xa528f45403e61d95u, 0x38c72dbd566e9788u, 0xa5a1610e72fd18b5u, 0x57bd43b5e52b7fe6u}));
}

struct Known {
  rnd::Key key;
  rnd::Address at;
  Words words;
  double normal;  // in 40 digits from the same words, rounded
};

// Addresses, words and normals computed by another program (Philox from its definition, in Python; mpmath).
const Known known[] = {
    {{0, 0},
     {0, 0, 0, 0, 0, 0},
     {0x16554d9eca36314cu, 0xdb20fe9d672d0fdcu, 0xd7e772cee186176bu, 0x7e68b68aec7ba23bu},
     0x1.5d4586acfd1efp+0},
    {{42, 0x346f52433e05bec4u},
     {12345, 11, 49, 0, 3, 0},
     {0xb169f955ed616ee3u, 0x99a62416290e578au, 0x2e5708e95af430cbu, 0x3c6dfa63fa8b82bdu},
     -0x1.626a7c59107d5p-1},
    {{~std::uint64_t{0}, ~std::uint64_t{0}},
     {~std::uint64_t{0}, ~std::uint64_t{0}, 4294967295u, 4294967295u, 281474976710655u, 65535},
     {0x87b092c3013fe90bu, 0x438c3c67be8d0224u, 0x9cc7d7c69cd777b6u, 0xa09caebf594f0ba0u},
     -0x1.915ecfd0e7551p-4},
    {{1, 2},
     {3, 4, 5, 6, 7, 8},
     {0x9ea65cf48e9e30b2u, 0x498472e656417cf8u, 0xbfbe9f17119d669cu, 0x2e50d7e60f19cacdu},
     -0x1.cfbded1f78142p-3},
};

TEST(Random, AddressingIsFrozen) {
  for (const auto& k : known) EXPECT_EQ(as_words(rnd::words(k.key, k.at)), k.words);
}

TEST(Random, NormalsAreFrozen) {
  // The map is right to a few units in the last place, and its bits are these.
  for (const auto& k : known) {
    EXPECT_NEAR(rnd::normal(k.key, k.at), k.normal, 4e-16 * std::max(1.0, std::abs(k.normal)));
  }
  std::uint64_t hash = 1469598103934665603u;
  for (std::uint64_t i = 0; i < 10000; ++i) {
    hash = (hash ^ std::bit_cast<std::uint64_t>(rnd::normal({7, 9}, {i, i / 3, i % 50, 0, i % 6, 0}))) * 1099511628211u;
  }
  EXPECT_EQ(hash, 16185899598453145724u);
}

TEST(Random, UniformsAreExactAndStayInTheirIntervals) {
  EXPECT_EQ(rnd::uniform_open_left(0), 0x1p-53);
  EXPECT_EQ(rnd::uniform_open_left(~std::uint64_t{0}), 1.0);
  EXPECT_EQ(rnd::uniform_open_right(0), 0.0);
  EXPECT_EQ(rnd::uniform_open_right(~std::uint64_t{0}), 1.0 - 0x1p-53);
  EXPECT_EQ(rnd::uniform_open_left(0x8000000000000000u), 0.5 + 0x1p-53);
  EXPECT_EQ(rnd::uniform_open_right(0x8000000000000000u), 0.5);
}

TEST(Random, ExtremeWordsGiveFiniteNormals) {
  namespace el = lavoisier::elementary;
  const double largest = el::sqrt(-2.0 * el::log(rnd::uniform_open_left(0)));
  EXPECT_NEAR(largest, 8.571674348652905, 1e-14);
  EXPECT_EQ(el::sqrt(-2.0 * el::log(rnd::uniform_open_left(~std::uint64_t{0}))), 0.0);
}

TEST(Random, RangeLimits) {
  EXPECT_TRUE(rnd::representable({~0ull, ~0ull, (1ull << 32) - 1, (1ull << 32) - 1, (1ull << 48) - 1, 65535}));
  EXPECT_FALSE(rnd::representable({0, 0, 1ull << 32, 0, 0, 0}));
  EXPECT_FALSE(rnd::representable({0, 0, 0, 1ull << 32, 0, 0}));
  EXPECT_FALSE(rnd::representable({0, 0, 0, 0, 1ull << 48, 0}));
  EXPECT_FALSE(rnd::representable({0, 0, 0, 0, 0, 65536}));
}

// Each part of the address reaches the words, and neighbours in any two parts never meet.
TEST(Random, DistinctAddressesGiveDistinctWords) {
  std::vector<std::uint64_t> first;
  for (std::uint64_t column : {0ull, 1ull, 1ull << 40})
    for (std::uint64_t step : {0ull, 1ull, 1ull << 40})
      for (std::uint64_t member : {0ull, 1ull, (1ull << 32) - 1})
        for (std::uint64_t site : {0ull, 1ull, (1ull << 32) - 1})
          for (std::uint64_t element : {0ull, 1ull, 65536ull, (1ull << 48) - 1})
            for (std::uint64_t block : {0ull, 1ull, 65535ull})
              for (std::uint64_t seed : {0ull, 1ull})
                for (std::uint64_t stream : {0ull, 1ull})
                  first.push_back(rnd::words({seed, stream}, {column, step, member, site, element, block})[0]);
  const std::size_t count = first.size();
  std::sort(first.begin(), first.end());
  EXPECT_EQ(static_cast<std::size_t>(std::unique(first.begin(), first.end()) - first.begin()), count);
}

double normal_cdf(double x) { return 0.5 * std::erfc(-x / std::sqrt(2.0)); }

TEST(Random, AMillionNormals) {
  const std::size_t n = 1000000;
  std::vector<double> x(n);
  for (std::size_t i = 0; i < n; ++i) x[i] = rnd::normal({2026, 1}, {i / 6, 0, 0, 0, i % 6, 0});
  double m1 = 0, m2 = 0, m3 = 0, m4 = 0, lag = 0;
  for (std::size_t i = 0; i < n; ++i) {
    m1 += x[i];
    m2 += x[i] * x[i];
    m3 += x[i] * x[i] * x[i];
    m4 += x[i] * x[i] * x[i] * x[i];
    if (i > 0) lag += x[i] * x[i - 1];
  }
  const double root = std::sqrt(static_cast<double>(n)), count = static_cast<double>(n);
  // Five standard errors: mean 1, square 2, cube 15, fourth power 96, product of neighbours 1 (variances).
  EXPECT_LT(std::abs(m1 / count), 5.0 / root);
  EXPECT_LT(std::abs(m2 / count - 1.0), 5.0 * std::sqrt(2.0) / root);
  EXPECT_LT(std::abs(m3 / count), 5.0 * std::sqrt(15.0) / root);
  EXPECT_LT(std::abs(m4 / count - 3.0), 5.0 * std::sqrt(96.0) / root);
  EXPECT_LT(std::abs(lag / count), 5.0 / root);

  std::sort(x.begin(), x.end());
  double distance = 0.0;
  for (std::size_t i = 0; i < n; ++i) {
    const double p = normal_cdf(x[i]);
    distance = std::max({distance, p - static_cast<double>(i) / count, static_cast<double>(i + 1) / count - p});
  }
  // Kolmogorov's distribution: sqrt(n) D > 2.23 has probability 1e-4.
  EXPECT_LT(root * distance, 2.23);
}

}  // namespace
