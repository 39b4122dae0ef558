// 1e5 draws of Poisson counts given their sums, 200 outputs and 50 laws: output by output, the number given those before
// it in its group is binomial; its distribution (at random within an atom) is uniform and independent of the others.

#include <lavoisier/conditional_counts.hpp>

#include "beta_law.hpp"

#include <gtest/gtest.h>

#include <cmath>
#include <cstdint>
#include <random>
#include <unordered_map>
#include <vector>

namespace lavoisier {
namespace {

using tests::joint_uniform_p_value;

constexpr Eigen::Index members = 100000;
constexpr double level = 1e-4;

/// P(X <= k), X binomial (N, p): I_{1-p}(N - k, k + 1); beyond a variance of 1e6 the normal one with the skewness'
/// correction, off by 1e-6 or less.
double binomial_cdf(double N, double p, double k) {
  if (k < 0.0) return 0.0;
  if (k >= N) return 1.0;
  const double variance = N * p * (1.0 - p), deviation = std::sqrt(variance);
  if (variance < 1e6) return tests::beta_cdf(N - k, k + 1.0, 1.0 - p);
  const double z = (k + 0.5 - N * p) / deviation, skewness = (1.0 - 2.0 * p) / deviation;
  return tests::normal_cdf(z) - skewness / 6.0 * (z * z - 1.0) * 0.39894228040143267794 * std::exp(-0.5 * z * z);
}

struct Problem {
  RowMatrix A, log_rate, d;
  std::vector<std::vector<Eigen::Index>> groups;

  /// Groups of 1 to 2 n / m outputs that lie interleaved, counts from 0 to `largest`, weights that are no whole numbers.
  Problem(Eigen::Index n, Eigen::Index m, double largest, unsigned seed)
      : A(RowMatrix::Zero(m, n)), log_rate(1, n), d(1, m), groups(static_cast<std::size_t>(m)) {
    std::mt19937_64 engine(seed);
    std::uniform_real_distribution<double> uniform;
    for (Eigen::Index j = 0; j < n; ++j) {
      // Each group has an output; the others fall where chance puts them.
      const Eigen::Index k = j < m ? j : static_cast<Eigen::Index>(uniform(engine) * static_cast<double>(m));
      groups[static_cast<std::size_t>(k)].push_back(j);
      log_rate(0, j) = 3.0 * uniform(engine) - 1.5;
    }
    for (Eigen::Index k = 0; k < m; ++k) {
      const double weight = 0.1 + uniform(engine);
      for (const Eigen::Index j : groups[static_cast<std::size_t>(k)]) A(k, j) = weight;
      const double position = m == 1 ? 1.0 : static_cast<double>(k) / static_cast<double>(m - 1);
      d(0, k) = weight * std::floor(std::pow(largest, position) - (k == 0 ? 1.0 : 0.0));
    }
  }
  RowMatrix draw(std::uint64_t seed) const {
    DrawOptions options;
    options.key.seed = seed;
    const CountDraw draws =
        poisson_given_sum_draw(A, log_rate.replicate(members, 1), d.replicate(members, 1), options);
    EXPECT_EQ(draws.message, "");
    return draws.y;
  }
};

double p_value(const Problem& problem, const RowMatrix& y) {
  std::mt19937_64 engine(7);
  std::uniform_real_distribution<double> uniform;
  std::vector<Eigen::VectorXd> columns;
  for (std::size_t k = 0; k < problem.groups.size(); ++k) {
    const auto& group = problem.groups[k];
    const double weight = problem.A(static_cast<Eigen::Index>(k), group[0]);
    const double count = std::nearbyint(problem.d(0, static_cast<Eigen::Index>(k)) / weight);
    Eigen::VectorXd left = Eigen::VectorXd::Constant(members, count);
    double rest = 0.0;
    for (const Eigen::Index j : group) rest += std::exp(problem.log_rate(0, j));
    for (std::size_t i = 0; i + 1 < group.size(); ++i) {
      const Eigen::Index j = group[i];
      const double rate = std::exp(problem.log_rate(0, j)), p = rate / rest;
      rest -= rate;
      struct Interval {
        double below, up_to;
      };
      std::unordered_map<std::uint64_t, Interval> known;  // of a number left and a number seen
      Eigen::VectorXd column(members);
      for (Eigen::Index s = 0; s < members; ++s) {
        const double N = left[s], seen = y(s, j);
        if (!(seen >= 0.0 && seen <= N)) return 0.0;
        const std::uint64_t key = static_cast<std::uint64_t>(N) << 32 | static_cast<std::uint64_t>(seen);
        const auto [at, fresh] = known.try_emplace(key);
        if (fresh) at->second = {binomial_cdf(N, p, seen - 1.0), binomial_cdf(N, p, seen)};
        const auto [below, up_to] = at->second;
        column[s] = std::clamp(below + (up_to - below) * uniform(engine), 0.0, 1.0);
        left[s] -= seen;
      }
      columns.push_back(column);
    }
    // The last output takes what is left, in every draw.
    if ((left - y.col(group.back())).cwiseAbs().maxCoeff() != 0.0) return 0.0;
  }
  Eigen::MatrixXd uniforms(members, static_cast<Eigen::Index>(columns.size()));
  for (std::size_t c = 0; c < columns.size(); ++c) uniforms.col(static_cast<Eigen::Index>(c)) = columns[c];
  return joint_uniform_p_value(uniforms);
}

/// Each output binomial by itself and the last of its group closing the sum: the first output's numbers are those of
/// another draw.
RowMatrix uncorrelated(const Problem& problem, const RowMatrix& drawn) {
  RowMatrix y = drawn;
  for (const auto& group : problem.groups) {
    if (group.size() < 3) continue;
    for (Eigen::Index s = 0; s < members; ++s) {
      const double moved = drawn((s + 1) % members, group[0]) - drawn(s, group[0]);
      if (moved > y(s, group.back())) continue;
      y(s, group[0]) += moved;
      y(s, group.back()) -= moved;
    }
  }
  return y;
}

TEST(CountsAtSize, DrawsFollowTheMultinomialLaw) {
  const Problem problem(200, 50, 100.0, 1301);
  const RowMatrix y = problem.draw(1301);
  EXPECT_GT(p_value(problem, y), level);
  EXPECT_LT(p_value(problem, uncorrelated(problem, y)), level);
}

TEST(CountsAtSize, OneRateOf200FivePerCentOffFails) {
  const Problem problem(200, 50, 100.0, 1301);
  Problem other = problem;
  other.log_rate(0, problem.groups[40][0]) += 0.05;
  EXPECT_LT(p_value(problem, other.draw(1401)), level);
}

TEST(CountsAtSize, LargeCounts) {
  for (const auto& [n, m, largest, seed] : {std::tuple(20, 1, 3000.0, 1302u), std::tuple(24, 10, 1e9, 1303u)}) {
    const Problem problem(n, m, largest, seed);
    EXPECT_GT(p_value(problem, problem.draw(seed)), level) << n << " outputs, " << m << " laws";
    Problem other = problem;
    other.log_rate(0, problem.groups.back()[0]) += 0.005;
    EXPECT_LT(p_value(problem, other.draw(seed)), level) << n << " outputs, " << m << " laws";
  }
}

}  // namespace
}  // namespace lavoisier
