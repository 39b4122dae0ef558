// Exponential, gamma, binomial and Poisson numbers: frozen, and of the right law.

#include <lavoisier/random.hpp>

#include <gtest/gtest.h>

#include <algorithm>
#include <bit>
#include <cmath>
#include <vector>

namespace {

namespace rnd = lavoisier::random;

rnd::Sequence sequence(std::uint64_t i) { return {{7, 9}, {i, i / 3, i % 50, 0, i % 6, 0}}; }

// Computed by another program from the documentation (Philox from its definition, in Python; mpmath, 40 digits).
TEST(RandomMaps, KnownGammas) {
  const struct {
    double shape, logarithm[3];
  } known[] = {
      {0.001, {-131.63767032909928, -101.86534669041421, -1204.7151866861459}},
      {0.3, {0.026874994703750178, -0.52391457391235221, -4.4034683632691214}},
      {1.0, {0.18734802082904405, -0.58998185612151108, -0.84044088739303205}},
      {2.5, {1.1163645115711042, 0.67224296431837339, 0.53973241215153502}},
      {100.0, {4.6549639101879096, 4.5871592805256077, 4.5685309682803287}},
      {1e6, {13.816045342096082, 13.815364103341415, 13.815179596955677}},
      {0x1p52, {36.043653397091737, 36.043653386939833, 36.043653384190692}},
  };
  for (const auto& k : known)
    for (std::uint64_t i = 0; i < 3; ++i) {
      auto a = sequence(i), b = sequence(i);
      const double logarithm = rnd::log_gamma(a, k.shape), value = rnd::gamma(b, k.shape);
      EXPECT_NEAR(logarithm, k.logarithm[i], 1e-15 * std::max(1.0, std::abs(k.logarithm[i]))) << k.shape << " " << i;
      EXPECT_NEAR(value, std::exp(k.logarithm[i]), 2e-14 * std::exp(k.logarithm[i])) << k.shape << " " << i;
      EXPECT_FALSE(a.failed || b.failed);
      EXPECT_EQ(a.at.block, b.at.block);
    }
}

TEST(RandomMaps, KnownCounts) {
  const struct {
    std::uint64_t count;
    double p;
    std::uint64_t below[3];
  } binomials[] = {{6, 0.3, {3, 3, 2}},
                   {100, 0.3, {29, 33, 41}},
                   {1000000, 0.01, {10120, 10030, 10038}}};
  for (const auto& k : binomials)
    for (std::uint64_t i = 0; i < 3; ++i) {
      auto s = sequence(i);
      EXPECT_EQ(rnd::binomial(s, k.count, k.p), k.below[i]) << k.count << " " << i;
    }
  // In 40 digits 2251799786409454 and 8998192054830210: FP64 rounds p in each splitting, far below the deviation (4e7).
  auto s = sequence(0);
  EXPECT_NEAR(static_cast<double>(rnd::binomial(s, std::uint64_t{1} << 53, 0.25)), 2251799786409454.0, 100.0);
  s = sequence(0);
  EXPECT_NEAR(static_cast<double>(rnd::binomial(s, std::uint64_t{1} << 53, 0.999)), 8998192054830210.0, 100.0);
  const struct {
    double mean;
    std::uint64_t count[3];
  } poissons[] = {{0.1, {0, 0, 0}},
                  {10.0, {6, 4, 7}},
                  {1000.0, {966, 995, 991}},
                  {1e9, {999965416, 1000001492, 999987963}}};
  for (const auto& k : poissons)
    for (std::uint64_t i = 0; i < 3; ++i) {
      s = sequence(i);
      EXPECT_EQ(rnd::poisson(s, k.mean), k.count[i]) << k.mean << " " << i;
    }
}

TEST(RandomMaps, BitsAreFrozen) {
  std::uint64_t hash = 1469598103934665603u;
  const auto add = [&](std::uint64_t x) { hash = (hash ^ x) * 1099511628211u; };
  for (std::uint64_t i = 0; i < 10000; ++i) {
    auto s = sequence(i);
    add(std::bit_cast<std::uint64_t>(rnd::uniform(s)));
    add(std::bit_cast<std::uint64_t>(rnd::normal(s)));
    add(std::bit_cast<std::uint64_t>(rnd::exponential(s)));
    add(std::bit_cast<std::uint64_t>(rnd::log_gamma(s, 0.01 + 0.01 * static_cast<double>(i % 300))));
    add(std::bit_cast<std::uint64_t>(rnd::gamma(s, 0.5 + static_cast<double>(i))));
    add(rnd::binomial(s, i, 0.3));
    add(rnd::poisson(s, 0.1 * static_cast<double>(i)));
    add(s.at.block);
  }
  EXPECT_EQ(hash, 3354827235190023217u);
}

TEST(RandomMaps, ANormalIsTheNormalOfItsAddress) {
  auto s = sequence(5);
  s.at.block = 3;
  EXPECT_EQ(rnd::normal(s), rnd::normal({7, 9}, {5, 1, 5, 0, 5, 3}));
  EXPECT_EQ(s.at.block, 4u);
}

TEST(RandomMaps, OutsideTheirDomainTheyFail) {
  for (const double shape : {0.0, -1.0, std::nan(""), 0x1p54}) {
    auto s = sequence(1);
    rnd::log_gamma(s, shape);
    EXPECT_TRUE(s.failed) << shape;
    s = sequence(1);
    rnd::gamma(s, shape);
    EXPECT_TRUE(s.failed) << shape;
    s = sequence(1);
    rnd::poisson(s, shape == 0.0 ? -0.5 : shape);
    EXPECT_TRUE(s.failed) << shape;
  }
  for (const double p : {-0.1, 1.1, std::nan("")}) {
    auto s = sequence(1);
    rnd::binomial(s, 4, p);
    EXPECT_TRUE(s.failed) << p;
  }
  auto s = sequence(1);
  s.at.block = 65535;
  rnd::uniform(s);
  EXPECT_FALSE(s.failed);
  rnd::uniform(s);
  EXPECT_TRUE(s.failed);
  s = sequence(1);
  s.at.block = 65536;
  EXPECT_TRUE(std::isnan(rnd::gamma(s, 2.0)));
}

TEST(RandomMaps, EndsOfTheRange) {
  auto s = sequence(1);
  EXPECT_EQ(rnd::binomial(s, 0, 0.5), 0u);
  EXPECT_EQ(rnd::binomial(s, 1u << 20, 1.0), 1u << 20);
  EXPECT_EQ(rnd::binomial(s, 1u << 20, 0.0), 0u);
  EXPECT_EQ(rnd::poisson(s, 0.0), 0u);
  EXPECT_EQ(s.at.block, 0u);
  for (std::uint64_t i = 0; i < 2000; ++i) {
    s = sequence(i);
    EXPECT_TRUE(std::isfinite(rnd::log_gamma(s, i % 2 == 0 ? 1e-300 : 1e-3)));
    EXPECT_LE(rnd::binomial(s, 1000, 0.5), 1000u);
  }
}

/// Chi-square statistic of counts against probabilities, cells of less than 10 joined to the tail; its z-score.
template <class Draw>
double chi_square_z(const std::vector<double>& probability, std::uint64_t first, const Draw& draw) {
  constexpr std::uint64_t members = 100000;
  std::vector<double> seen(probability.size() + 1, 0.0);
  for (std::uint64_t i = 0; i < members; ++i) {
    rnd::Sequence s{{11, 13}, {i, 0, 0, 0, 0, 0}};
    const std::uint64_t cell = draw(s) - first;
    seen[std::min<std::uint64_t>(cell, probability.size())] += 1.0;
  }
  double statistic = 0.0, cells = -1.0, rest_seen = 0.0, rest = 1.0;
  for (std::size_t i = 0; i < probability.size(); ++i) {
    const double expected = probability[i] * static_cast<double>(members);
    if (expected < 10.0) {
      rest_seen += seen[i];
      continue;
    }
    rest -= probability[i];
    statistic += (seen[i] - expected) * (seen[i] - expected) / expected;
    cells += 1.0;
  }
  rest_seen += seen.back();
  const double expected = rest * static_cast<double>(members);
  if (expected > 1.0) {
    statistic += (rest_seen - expected) * (rest_seen - expected) / expected;
    cells += 1.0;
  } else if (rest_seen > 20.0) {
    return 1e9;
  }
  return (statistic - cells) / std::sqrt(2.0 * cells);
}

std::vector<double> binomial_law(int n, double p) {
  std::vector<double> law;
  for (int k = 0; k <= n; ++k)
    law.push_back(std::exp(std::lgamma(n + 1.0) - std::lgamma(k + 1.0) - std::lgamma(n - k + 1.0) + k * std::log(p) +
                           (n - k) * std::log1p(-p)));
  return law;
}
std::vector<double> poisson_law(double mean, int cells) {
  std::vector<double> law;
  for (int k = 0; k < cells; ++k) law.push_back(std::exp(k * std::log(mean) - mean - std::lgamma(k + 1.0)));
  return law;
}

TEST(RandomMaps, CountsFollowTheirLaws) {
  for (const auto& [n, p] : {std::pair(7, 0.2), std::pair(33, 0.6), std::pair(200, 0.02), std::pair(1000, 0.37)}) {
    const auto draw = [n = n, p = p](auto& s) { return rnd::binomial(s, static_cast<std::uint64_t>(n), p); };
    EXPECT_LT(chi_square_z(binomial_law(n, p), 0, draw), 4.5) << n;
    EXPECT_GT(chi_square_z(binomial_law(n, p * 1.02), 0, draw), 8.0) << n;
  }
  for (const double mean : {0.7, 20.0, 30.0, 250.0}) {
    const auto draw = [mean](auto& s) { return rnd::poisson(s, mean); };
    EXPECT_LT(chi_square_z(poisson_law(mean, 600), 0, draw), 4.5) << mean;
    EXPECT_GT(chi_square_z(poisson_law(mean * 1.02, 600), 0, draw), 5.0) << mean;
  }
}

TEST(RandomMaps, GammaMomentsAndIndependenceOfElements) {
  for (const double shape : {0.05, 0.8, 1.0, 3.0, 40.0}) {
    constexpr std::uint64_t members = 100000;
    double sum = 0.0, squares = 0.0, product = 0.0;
    for (std::uint64_t i = 0; i < members; ++i) {
      rnd::Sequence a{{5, 1}, {i, 0, 0, 0, 0, 0}}, b{{5, 1}, {i, 0, 0, 0, 1, 0}};
      const double x = rnd::gamma(a, shape), y = rnd::gamma(b, shape);
      sum += x - shape;
      squares += (x - shape) * (x - shape) - shape;
      product += (x - shape) * (y - shape);
    }
    const double root = std::sqrt(static_cast<double>(members));
    EXPECT_LT(std::abs(sum) / (root * std::sqrt(shape)), 4.5) << shape;
    EXPECT_LT(std::abs(squares) / (root * std::sqrt(6.0 * shape + 2.0 * shape * shape)), 4.5) << shape;
    EXPECT_LT(std::abs(product) / (root * shape), 4.5) << shape;
  }
}

}  // namespace
