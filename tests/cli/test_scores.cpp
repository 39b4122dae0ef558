// The scores of `validate` against the formulas written out, and against laws whose scores are known.

#include <scores.hpp>

#include <gtest/gtest.h>

#include <algorithm>
#include <cmath>
#include <random>

namespace {

using namespace lavoisier::cli;

std::vector<double> normals(std::mt19937_64& engine, std::size_t n, double mean = 0.0, double sd = 1.0) {
  std::normal_distribution<double> law(mean, sd);
  std::vector<double> values(n);
  for (double& v : values) v = law(engine);
  return values;
}

TEST(Crps, EqualsTheDoubleSum) {
  std::mt19937_64 engine(1);
  for (std::size_t m : {1, 2, 3, 7, 50}) {
    std::vector<double> x = normals(engine, m, 300.0, 2.0);
    if (m == 7) x[3] = x[2];
    std::sort(x.begin(), x.end());
    for (double y : {295.0, 300.3, x[0], 320.0}) {
      double error = 0.0, pairs = 0.0;
      for (double a : x) {
        error += std::abs(a - y);
        for (double b : x) pairs += std::abs(a - b);
      }
      const double n = static_cast<double>(m);
      const EnsembleCrps crps = ensemble_crps(x, y);
      EXPECT_NEAR(crps.plain, error / n - pairs / (2 * n * n), 1e-12);
      EXPECT_NEAR(crps.fair, m > 1 ? error / n - pairs / (2 * n * (n - 1)) : error / n, 1e-12);
    }
  }
}

TEST(Crps, FairOneDoesNotDependOnTheNumberOfMembers) {
  // CRPS of N(0, 1) at 0.5 in closed form: y (2 Phi(y) - 1) + 2 phi(y) - 1/sqrt(pi).
  const double y = 0.5, phi = std::exp(-0.5 * y * y) / std::sqrt(2 * M_PI), cdf = 0.5 * std::erfc(-y / std::sqrt(2.0));
  const double exact = y * (2 * cdf - 1) + 2 * phi - 1 / std::sqrt(M_PI);
  for (std::size_t m : {2, 5, 20}) {
    std::mt19937_64 engine(m);
    const int runs = 40000;
    double fair = 0.0, plain = 0.0;
    for (int k = 0; k < runs; ++k) {
      std::vector<double> x = normals(engine, m);
      std::sort(x.begin(), x.end());
      const EnsembleCrps crps = ensemble_crps(x, y);
      fair += crps.fair / runs;
      plain += crps.plain / runs;
    }
    EXPECT_NEAR(fair, exact, 0.015);
    // The plain estimator's bias is E|X - X'| / (2 M).
    EXPECT_NEAR(plain, exact + 1 / std::sqrt(M_PI) / static_cast<double>(m), 0.015);
  }
}

TEST(EnergyScore, EqualsTheDoubleSumAndIsFairBeyond128Members) {
  std::mt19937_64 engine(2);
  const std::size_t n = 3;
  const std::vector<double> y = {0.1, -0.4, 2.0}, scale = {1.0, 2.0, 0.5};
  for (std::size_t m : {1, 2, 9, 64}) {
    const std::vector<double> x = normals(engine, m * n);
    const auto distance = [&](const double* a, const double* b) {
      double sum = 0.0;
      for (std::size_t k = 0; k < n; ++k) sum += std::pow((a[k] - b[k]) / scale[k], 2);
      return std::sqrt(sum);
    };
    double error = 0.0, pairs = 0.0;
    for (std::size_t i = 0; i < m; ++i) {
      error += distance(&x[i * n], y.data());
      for (std::size_t j = 0; j < m; ++j) pairs += distance(&x[i * n], &x[j * n]);
    }
    const double c = static_cast<double>(m);
    EXPECT_NEAR(energy_score(x, y, scale), m > 1 ? error / c - pairs / (2 * c * (c - 1)) : error, 1e-12);
  }
  // In one dimension the energy score is the CRPS.
  std::vector<double> x = normals(engine, 128);
  const double single = energy_score(x, std::vector<double>{0.3}, std::vector<double>{1.0});
  std::sort(x.begin(), x.end());
  EXPECT_NEAR(single, ensemble_crps(x, 0.3).fair, 1e-12);
  const std::vector<double> many = normals(engine, 4000 * n);
  double error = 0.0, pairs = 0.0;
  for (std::size_t i = 0; i < 4000; ++i) {
    const auto distance = [&](const double* b) {
      double sum = 0.0;
      for (std::size_t k = 0; k < n; ++k) sum += std::pow((many[i * n + k] - b[k]) / scale[k], 2);
      return std::sqrt(sum);
    };
    error += distance(y.data()) / 4000;
    for (std::size_t j = 0; j < i; ++j) pairs += distance(&many[j * n]) / (4000.0 * 3999.0 / 2);
  }
  EXPECT_NEAR(energy_score(many, y, scale), error - 0.5 * pairs, 0.01);
}

TEST(Rank, CountsWithTies) {
  const std::vector<double> x = {1, 2, 2, 2, 5};
  EXPECT_EQ(rank_of(x, 0).below, 0);
  EXPECT_EQ(rank_of(x, 2).below, 1);
  EXPECT_EQ(rank_of(x, 2).equal, 3);
  EXPECT_EQ(rank_of(x, 6).below, 5);
  EXPECT_EQ(rank_of(x, 6).equal, 0);
}

TEST(Pit, IsUniformForExchangeableDrawsAndNotForNarrowOnes) {
  // Discrete laws have ties; continuous ones have none.
  for (bool discrete : {false, true}) {
    for (double width : {1.0, 0.5}) {
      std::mt19937_64 engine(discrete ? 5 : 6);
      std::normal_distribution<double> law;
      std::uniform_real_distribution<double> uniform;
      const auto draw = [&](double sd) { return discrete ? std::round(sd * 1.5 * law(engine)) : sd * law(engine); };
      const int runs = 20000;
      std::vector<double> bins(10, 0.0);
      double covered = 0.0;
      for (int k = 0; k < runs; ++k) {
        std::vector<double> x(9);
        for (double& v : x) v = draw(width);
        std::sort(x.begin(), x.end());
        const double pit = randomised_pit(rank_of(x, draw(1.0)), 9, uniform(engine));
        ASSERT_GE(pit, 0.0);
        ASSERT_LT(pit, 1.0);
        bins[static_cast<std::size_t>(pit * 10)] += 1.0;
        covered += pit >= 0.05 && pit <= 0.95 ? 1.0 / runs : 0.0;
      }
      double chi2 = 0.0;
      for (double n : bins) chi2 += std::pow(n - runs / 10.0, 2) / (runs / 10.0);
      if (width == 1.0) {
        EXPECT_LT(chi2, 33.7);  // p = 1e-4 with 9 degrees of freedom
        EXPECT_NEAR(covered, 0.9, 0.01);
      } else {
        EXPECT_GT(chi2, 100.0);
        EXPECT_LT(covered, 0.87);
      }
    }
  }
}

TEST(Quantile, InterpolatesOrderStatistics) {
  const std::vector<double> x = {1, 2, 4, 8};
  EXPECT_DOUBLE_EQ(quantile(x, 0.0), 1);
  EXPECT_DOUBLE_EQ(quantile(x, 1.0), 8);
  EXPECT_DOUBLE_EQ(quantile(x, 0.5), 3);
  EXPECT_DOUBLE_EQ(quantile(std::vector<double>{7}, 0.3), 7);
}

TEST(Wasserstein, EqualsTheSortedDifferenceToOneBin) {
  std::mt19937_64 engine(7);
  std::vector<double> a = normals(engine, 5000), b = normals(engine, 5000, 0.7, 1.4);
  Wasserstein distance(-2.0, 2.0, 4096);  // many values lie outside
  for (double v : a) distance.add_first(v);
  for (double v : b) distance.add_second(v);
  std::sort(a.begin(), a.end());
  std::sort(b.begin(), b.end());
  double exact = 0.0;
  for (std::size_t i = 0; i < a.size(); ++i) exact += std::abs(a[i] - b[i]) / 5000.0;
  // Outside the range both sets have values there: no longer exact, but near here.
  EXPECT_NEAR(distance.distance(), exact, 0.01);
  Wasserstein wide(-12.0, 12.0, 16384);
  for (double v : a) wide.add_first(v);
  for (double v : b) wide.add_second(v);
  EXPECT_NEAR(wide.distance(), exact, wide.resolution());
  Wasserstein shifted(0.0, 1.0, 64);
  shifted.add_first(5.0);
  shifted.add_second(0.5);
  EXPECT_NEAR(shifted.distance(), 4.5, 2 * shifted.resolution());
}

TEST(Summary, IntervalUsesStudentsT) {
  const std::vector<double> x = {1.0, 2.0, 3.0, 4.0, 5.0};
  const Summary s = summarize(x);
  EXPECT_DOUBLE_EQ(s.mean, 3.0);
  EXPECT_NEAR(s.deviation, std::sqrt(2.5), 1e-15);
  EXPECT_NEAR(s.half_width, 2.776 * std::sqrt(2.5 / 5.0), 1e-12);
  EXPECT_TRUE(std::isnan(summarize(std::vector<double>{1.0}).deviation));
  EXPECT_NEAR(student_t_975(31), 2.0395, 1e-3);
  EXPECT_NEAR(student_t_975(1000), 1.9623, 1e-3);
}

}  // namespace
