// Poisson counts given their sums, against the law enumerated from its definition.

#include <lavoisier/conditional_counts.hpp>

#include "differences.hpp"
#include "expect_error.hpp"
#include "goodness_of_fit.hpp"

#include <gtest/gtest.h>

#include <cmath>
#include <functional>
#include <map>
#include <vector>

namespace lavoisier {
namespace {

using tests::chi_square_p_value;
using Key = std::vector<int>;
using Law = std::map<Key, double>;

constexpr Eigen::Index members = 100000;
constexpr double level = 1e-4;

/// Every y with A y = d and its probability under independent Poissons, normalised.
Law enumerate(const RowMatrix& A, const RowMatrix& log_rate, const RowMatrix& d) {
  Law law;
  double sum = 0.0;
  Key y(static_cast<std::size_t>(A.cols()), 0);
  const std::function<void(std::size_t, double)> place = [&](std::size_t j, double log_p) {
    if (j == y.size()) {
      for (Eigen::Index k = 0; k < A.rows(); ++k) {
        double residual = -d(0, k);
        for (Eigen::Index i = 0; i < A.cols(); ++i) residual += A(k, i) * y[static_cast<std::size_t>(i)];
        if (std::abs(residual) > 1e-9) return;
      }
      law[y] = std::exp(log_p);
      sum += law[y];
      return;
    }
    for (int count = 0; count <= 8; ++count) {
      y[j] = count;
      const double l = log_rate(0, static_cast<Eigen::Index>(j));
      place(j + 1, log_p + count * l - std::exp(l) - std::lgamma(count + 1.0));
    }
    y[j] = 0;
  };
  place(0, 0.0);
  for (auto& [key, p] : law) p /= sum;
  return law;
}

Key key_of(const RowMatrix& y, Eigen::Index s) {
  Key key;
  for (Eigen::Index j = 0; j < y.cols(); ++j) key.push_back(static_cast<int>(y(s, j)));
  return key;
}

/// Chi-square p-value of the joint law; 0 where a draw is impossible.
double p_value(const RowMatrix& draws, const Law& law) {
  std::map<Key, double> seen;
  for (Eigen::Index s = 0; s < draws.rows(); ++s) seen[key_of(draws, s)] += 1.0;
  for (const auto& [key, count] : seen)
    if (law.find(key) == law.end()) return 0.0;
  double statistic = 0.0, cells = -1.0, rest = 0.0, rest_seen = 0.0;
  for (const auto& [key, p] : law) {
    const double expected = p * static_cast<double>(draws.rows()), count = seen[key];
    if (expected < 10.0) {
      rest += expected;
      rest_seen += count;
      continue;
    }
    statistic += (count - expected) * (count - expected) / expected;
    cells += 1.0;
  }
  if (rest > 1.0) {
    statistic += (rest_seen - rest) * (rest_seen - rest) / rest;
    cells += 1.0;
  }
  return chi_square_p_value(statistic, cells);
}

struct Example {
  RowMatrix A{2, 5}, log_rate{1, 5}, d{1, 2};
  Example() {
    A << 1, 0, 1, 0, 1,
        0, 0.1, 0, 0.1, 0;
    log_rate << 0.3, -1.0, -0.4, 0.2, 1.1;
    d << 5, 0.3;
  }
  RowMatrix draw(Eigen::Index count = members, std::uint64_t seed = 1) const {
    DrawOptions options;
    options.key.seed = seed;
    const CountDraw draws = poisson_given_sum_draw(A, log_rate.replicate(count, 1), d.replicate(count, 1), options);
    EXPECT_EQ(draws.message, "");
    return draws.y;
  }
};

TEST(ConditionalCounts, DrawsFollowTheEnumeratedLaw) {
  const Example example;
  EXPECT_GT(p_value(example.draw(), enumerate(example.A, example.log_rate, example.d)), level);
}

TEST(ConditionalCounts, WrongTwinsFail) {
  const Example example;
  Example other;
  other.log_rate(0, 2) += 0.05;
  EXPECT_LT(p_value(other.draw(), enumerate(example.A, example.log_rate, example.d)), level);
  // Two draws of the same sample at the same address are one draw: each replicate would count twice.
  DrawOptions options;
  options.column.assign(members, 7);
  const RowMatrix same = poisson_given_sum_draw(example.A, example.log_rate.replicate(members, 1),
                                                example.d.replicate(members, 1), options).y;
  EXPECT_LT(p_value(same, enumerate(example.A, example.log_rate, example.d)), level);
  // Unequal weights: draws proportional to the rates do not follow the conditional law.
  Example unequal;
  unequal.A.row(0) << 1, 0, 2, 0, 3;
  unequal.d(0, 0) = 6;
  const Law exact = enumerate(unequal.A, unequal.log_rate, unequal.d);
  double mean = 0.0, total = 0.0;
  for (const auto& [key, p] : exact) mean += p * key[0];
  for (const int j : {0, 2, 4}) total += std::exp(unequal.log_rate(0, j)) * unequal.A(0, j);
  EXPECT_GT(std::abs(mean - 6.0 * std::exp(unequal.log_rate(0, 0)) / total), 0.05);
  tests::expect_error(Status::unsupported,
                      [&] { unequal.draw(1); },
                      "row 0 has weight 1 on output 0 and 2 on output 2");
}

TEST(ConditionalCounts, MomentsAndDensityAreThoseOfTheEnumeratedLaw) {
  const Example example;
  const Law law = enumerate(example.A, example.log_rate, example.d);
  const CountMoments moments = poisson_given_sum_moments(example.A, example.log_rate, example.d);
  RowMatrix mean = RowMatrix::Zero(1, 5), variance = RowMatrix::Zero(1, 5);
  double sum = 0.0;
  for (const auto& [key, p] : law) {
    RowMatrix y(1, 5);
    for (Eigen::Index j = 0; j < 5; ++j) y(0, j) = key[static_cast<std::size_t>(j)];
    mean += p * y;
    variance += p * y.cwiseAbs2();
    const double value = poisson_given_sum_log_density(example.A, example.log_rate, example.d, y, false).value[0];
    EXPECT_NEAR(value, std::log(p), 1e-12);
    sum += std::exp(value);
  }
  variance -= mean.cwiseAbs2();
  EXPECT_NEAR(sum, 1.0, 1e-12);
  EXPECT_LT(tests::relative_difference(moments.mean, mean), 1e-13);
  EXPECT_LT(tests::relative_difference(moments.variance, variance), 1e-12);
}

TEST(ConditionalCounts, ManyOutputsAndLargeCounts) {
  const Eigen::Index n = 200, m = 50;
  RowMatrix A = RowMatrix::Zero(m, n), log_rate(1, n), d(1, m);
  for (Eigen::Index j = 0; j < n; ++j) {
    A(j % m, j) = 0.5;
    log_rate(0, j) = std::sin(static_cast<double>(3 * j));
  }
  for (Eigen::Index k = 0; k < m; ++k) d(0, k) = std::floor(std::pow(10.0, 0.2 * static_cast<double>(k))) * 0.5;
  const CountMoments moments = poisson_given_sum_moments(A, log_rate, d);
  const Eigen::Index count = 2000;
  const RowMatrix y = poisson_given_sum_draw(A, log_rate.replicate(count, 1), d.replicate(count, 1)).y;
  EXPECT_EQ((y * A.transpose() - d.replicate(count, 1)).cwiseAbs().maxCoeff(), 0.0);
  double worst = 0.0, squares = 0.0;
  for (Eigen::Index j = 0; j < n; ++j) {
    const double sd = std::sqrt(moments.variance(0, j));
    const double z = (y.col(j).mean() - moments.mean(0, j)) / sd * std::sqrt(static_cast<double>(count));
    worst = std::max(worst, std::abs(z));
    squares += (y.col(j).array() - moments.mean(0, j)).square().mean() / (sd * sd) / static_cast<double>(n);
  }
  EXPECT_LT(worst, 5.0);
  EXPECT_NEAR(squares, 1.0, 0.02);
}

TEST(ConditionalCounts, Adjoints) {
  const Example example;
  RowMatrix mean_bar(1, 5), variance_bar(1, 5), y(1, 5);
  mean_bar << 0.3, -1.2, 0.7, 0.1, 2.0;
  variance_bar << -0.2, 0.4, 1.1, 0.9, -0.5;
  y << 1, 2, 0, 1, 4;
  const auto of_moments = [&](const RowMatrix& rate) {
    const CountMoments moments = poisson_given_sum_moments(example.A, rate, example.d);
    return moments.mean.cwiseProduct(mean_bar).sum() + moments.variance.cwiseProduct(variance_bar).sum();
  };
  EXPECT_LT(tests::relative_difference(
                poisson_given_sum_moments_adjoint(example.A, example.log_rate, example.d, mean_bar, variance_bar),
                tests::numerical_gradient(of_moments, example.log_rate)), 1e-7);
  const auto of_density = [&](const RowMatrix& rate) {
    return poisson_given_sum_log_density(example.A, rate, example.d, y, false).value[0];
  };
  EXPECT_LT(tests::relative_difference(
                poisson_given_sum_log_density(example.A, example.log_rate, example.d, y, true).gradient,
                tests::numerical_gradient(of_density, example.log_rate)), 1e-7);
}

TEST(ConditionalCounts, ScoreFunctionIsUnbiased) {
  const Example example;
  const Law law = enumerate(example.A, example.log_rate, example.d);
  const auto loss = [](const RowMatrix& y, Eigen::Index s) {
    return std::abs(y(s, 0) - 1.3) + 0.3 * y(s, 1) * y(s, 4) + std::exp(-y(s, 2));
  };
  const auto expectation = [&](const RowMatrix& rate) {
    double sum = 0.0;
    for (const auto& [key, p] : enumerate(example.A, rate, example.d)) {
      RowMatrix y(1, 5);
      for (Eigen::Index j = 0; j < 5; ++j) y(0, j) = key[static_cast<std::size_t>(j)];
      sum += p * loss(y, 0);
    }
    return sum;
  };
  const RowMatrix exact = tests::numerical_gradient(expectation, example.log_rate, 0.02);
  const Eigen::Index repetitions = 20000, K = 4;
  const RowMatrix draws = example.draw(repetitions * K, 5);
  RowMatrix losses(repetitions, K);
  for (Eigen::Index s = 0; s < repetitions * K; ++s) losses.data()[s] = loss(draws, s);
  const RowMatrix gradient = poisson_given_sum_score_function(example.A, example.log_rate.replicate(repetitions, 1),
                                                              example.d.replicate(repetitions, 1), draws, losses);
  for (Eigen::Index j = 0; j < 5; ++j) {
    const double mean = gradient.col(j).mean();
    const double sd = std::sqrt((gradient.col(j).array() - mean).square().mean() / static_cast<double>(repetitions));
    EXPECT_LT(std::abs(mean - exact(0, j)), 4.0 * sd) << j;
    EXPECT_LT(sd, 0.02);
  }
  tests::expect_error(Status::unsupported, [&] { poisson_given_sum_pathwise(); }, "pathwise: poisson_given_sum");
  tests::expect_error(Status::invalid_argument,
                      [&] { poisson_given_sum_score_function(example.A, example.log_rate, example.d, draws.topRows(1), losses.topLeftCorner(1, 1)); },
                      "expected 2 or more");
}

TEST(ConditionalCounts, ABadSampleIsNamedAndLeavesTheOthers) {
  const Example example;
  RowMatrix rate = example.log_rate.replicate(6, 1), d = example.d.replicate(6, 1), A = example.A.replicate(6, 1);
  DrawOptions options;
  options.laws = {"drops", "flakes"};
  const RowMatrix good = poisson_given_sum_draw(example.A, rate, d, options).y;
  EXPECT_EQ(poisson_given_sum_draw(A, rate, d, options).y, good);
  d(1, 0) = 4.5;
  d(2, 1) = -0.1;
  rate(3, 4) = std::nan("");
  A(4 * 2, 2) = 2.0;
  const CountDraw draws = poisson_given_sum_draw(A, rate, d, options);
  EXPECT_EQ(draws.status, (std::vector<Status>{Status::ok, Status::invalid_argument, Status::inconsistent_laws,
                                               Status::non_finite, Status::unsupported, Status::ok}));
  EXPECT_EQ(draws.message, "sample 1: law 'drops': its right-hand side 4.5 is 4.5 weights, expected a whole number");
  for (const Eigen::Index s : {0, 5}) EXPECT_EQ(draws.y.row(s), good.row(s));
  for (const Eigen::Index s : {1, 2, 3, 4}) EXPECT_TRUE(draws.y.row(s).array().isNaN().all());
  options.threads = 2;
  EXPECT_EQ(poisson_given_sum_draw(A, rate, d, options).y.row(5), good.row(5));
  // Alone, at its own address.
  options.column = {5};
  EXPECT_EQ(poisson_given_sum_draw(example.A, example.log_rate, example.d, options).y.row(0), good.row(5));

  RowMatrix overlap = example.A;
  overlap(1, 0) = 0.1;
  tests::expect_error(Status::shape_mismatch,
                      [&] { poisson_given_sum_draw(overlap, rate, d, options); },
                      "column is 1");
  options.column.clear();
  tests::expect_error(Status::unsupported,
                      [&] { poisson_given_sum_draw(overlap, rate, d, options); },
                      "law 'flakes' and law 'drops' both hold output 0");
  tests::expect_error(Status::shape_mismatch,
                      [&] { poisson_given_sum_draw(example.A.leftCols(4), rate, d, options); },
                      "A is 2 x 4");
  RowMatrix y = good.topRows(2);
  y(0, 0) += 1.0;
  y(1, 0) += 0.5;
  const CountLogDensity density = poisson_given_sum_log_density(example.A, example.log_rate.replicate(2, 1),
                                                                example.d.replicate(2, 1), y, true);
  EXPECT_EQ(density.status, (std::vector<Status>{Status::law_violated, Status::invalid_argument}));
}

}  // namespace
}  // namespace lavoisier
