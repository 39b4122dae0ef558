#include <lavoisier/exact_losses.hpp>
#include <lavoisier/sampled_losses.hpp>

#include "dense_gaussian.hpp"

#include <gtest/gtest.h>

#include <cmath>

namespace lavoisier {
namespace {

using tests::RandomProblem;
using tests::Vector;

constexpr Eigen::Index n = 5, copies = 500;
constexpr int steps = 40;
constexpr double accepted = 4.0;

/// One sample `copies` times over: draws differ by their ids.
struct Setting {
  RandomProblem problem;
  RowMatrix mean, standard_deviation, d, y;
  Vector scale;
  explicit Setting(Eigen::Index m)
      : problem(n, m, 1, 951), scale(Vector::LinSpaced(n, 0.5, 2.0)) {
    problem.y.array() += 0.7;  // off the centre, so that no gradient vanishes by symmetry
    mean = problem.mean.replicate(copies, 1);
    standard_deviation = problem.standard_deviation.replicate(copies, 1);
    d = problem.d.replicate(copies, 1);
    y = problem.y.replicate(copies, 1);
  }
  BatchLoss exact(SampleScore score) const {
    const auto loss = score == SampleScore::crps ? conditional_crps_loss : conditional_energy_loss;
    return loss(problem.A, problem.mean, problem.standard_deviation, problem.d, problem.y, scale, {});
  }
};

/// Largest |z| of the means over `count` rows against the exact value, and gradients in mu and in s.
struct ZScores {
  double value, mean, deviation;
};
struct Sums {
  Vector sum = Vector::Zero(2 * n + 1), squares = Vector::Zero(2 * n + 1);
  double count = 0.0;
  void add(const BatchLoss& found, const BatchLoss& exact) {
    for (Eigen::Index s = 0; s < found.value.size(); ++s) {
      Vector error(2 * n + 1);
      error << found.value[s] - exact.value[0],
          (found.gradient.mean.row(s) - exact.gradient.mean.row(0)).transpose(),
          (found.gradient.standard_deviation.row(s) - exact.gradient.standard_deviation.row(0)).transpose();
      sum += error;
      squares += error.cwiseAbs2();
      count += 1.0;
    }
  }
  ZScores z() const {
    const Vector average = sum / count;
    const Vector spread = ((squares / count - average.cwiseAbs2()).cwiseMax(1e-300) / count).cwiseSqrt();
    const Vector z = average.cwiseAbs().cwiseQuotient(spread);
    return {z[0], z.segment(1, n).maxCoeff(), z.tail(n).maxCoeff()};
  }
};

class SampledScores : public testing::TestWithParam<std::tuple<Estimator, SampleScore, int, int>> {};

TEST_P(SampledScores, HaveTheExactGradientAsTheirMean) {
  const auto [estimator, score, draws, laws] = GetParam();
  const Setting at(laws);
  const BatchLoss exact = at.exact(score);
  ASSERT_EQ(exact.status[0], Status::ok);
  Sums sums, wrong;
  EstimatorOptions options;
  options.estimator = estimator;
  options.draws = draws;
  for (options.step = 0; options.step < steps; ++options.step) {
    BatchLoss found =
        estimate_score_gradient(at.problem.A, at.mean, at.standard_deviation, at.d, at.y, at.scale, score, options, {1});
    for (const Status status : found.status) ASSERT_EQ(status, Status::ok);
    sums.add(found, exact);
    // Wrong twin: the plain score (pairs over K^2 instead of K (K - 1)), here in its value.
    const double shrink = 1.0 / draws;
    for (Eigen::Index s = 0; s < copies; ++s) {
      found.value[s] += shrink * 0.1 * std::abs(exact.value[0]);
      found.gradient.mean.row(s) *= 1.0 - shrink;
      found.gradient.standard_deviation.row(s) *= 1.0 - shrink;
    }
    wrong.add(found, exact);
  }
  const ZScores z = sums.z(), twin = wrong.z();
  EXPECT_LE(z.value, accepted);
  EXPECT_LE(z.mean, accepted);
  EXPECT_GT(std::max(twin.mean, twin.deviation), accepted);
  if (estimator == Estimator::marginal_expectation) {
    EXPECT_GT(z.deviation, 10.0) << "blind to dispersion";
  } else {
    EXPECT_LE(z.deviation, accepted);
  }
}

INSTANTIATE_TEST_SUITE_P(
    Unbiased, SampledScores,
    testing::Combine(testing::Values(Estimator::marginal_expectation, Estimator::pathwise, Estimator::score_function,
                                     Estimator::rao_blackwell),
                     testing::Values(SampleScore::crps, SampleScore::energy), testing::Values(2, 5),
                     testing::Values(0, 2)),
    [](const auto& instance) {
      return std::string(to_string(std::get<0>(instance.param))) +
             (std::get<1>(instance.param) == SampleScore::crps ? "_crps_" : "_energy_") +
             std::to_string(std::get<2>(instance.param)) + "_draws_" + std::to_string(std::get<3>(instance.param)) +
             "_laws";
    });

double spread_of(const RowMatrix& rows) {
  return (rows.rowwise() - rows.colwise().mean()).squaredNorm() / static_cast<double>(rows.rows());
}

TEST(SampledScores, RaoBlackwellHasLessVarianceThanPathwise) {
  const Setting at(2);
  EstimatorOptions options;
  double variance[2];
  for (const Estimator estimator : {Estimator::pathwise, Estimator::rao_blackwell}) {
    options.estimator = estimator;
    const BatchLoss found = estimate_score_gradient(at.problem.A, at.mean, at.standard_deviation, at.d, at.y, at.scale,
                                                    SampleScore::energy, options);
    variance[estimator == Estimator::rao_blackwell] = spread_of(found.gradient.standard_deviation);
  }
  EXPECT_LT(variance[1], variance[0]);
}

TEST(SampledScores, ShrunkTendsToRaoBlackwellInALargeBatch) {
  const Setting at(2);
  EstimatorOptions options;
  const auto found = [&](Estimator estimator, Eigen::Index samples) {
    options.estimator = estimator;
    return estimate_score_gradient(at.problem.A, at.mean.topRows(samples), at.standard_deviation.topRows(samples),
                                   at.d.topRows(samples), at.y.topRows(samples), at.scale, SampleScore::crps, options)
        .gradient.standard_deviation;
  };
  const RowMatrix plain = found(Estimator::rao_blackwell, copies), blind = found(Estimator::marginal_expectation, copies);
  const RowMatrix shrunk = found(Estimator::rao_blackwell_shrunk, copies);
  EXPECT_LT((shrunk - plain).norm(), 0.05 * (plain - blind).norm());
  const RowMatrix few = found(Estimator::rao_blackwell_shrunk, 3);
  const RowMatrix all = plain.topRows(3), none = blind.topRows(3);
  // On the line from marginal expectation to Rao-Blackwell, and one place on it for all samples.
  const double c = (few - none).cwiseProduct(all - none).sum() / (all - none).squaredNorm();
  EXPECT_GE(c, 0.0);
  EXPECT_LT(c, 1.0);
  EXPECT_LT((few - none - c * (all - none)).norm(), 1e-12 * (all - none).norm());
}

TEST(SampledScores, DependNeitherOnThreadsNorNeighboursNorPlace) {
  const RandomProblem problem(7, 2, 64, 961);
  const Vector scale = Vector::Ones(7);
  RowMatrix broken = problem.y;
  broken(5, 1) = std::nan("");
  for (const Estimator estimator : {Estimator::pathwise, Estimator::score_function, Estimator::rao_blackwell}) {
    EstimatorOptions options, reversed;
    options.estimator = reversed.estimator = estimator;
    for (std::size_t s = 0; s < 64; ++s) reversed.sample_ids.push_back(63 - s);
    const BatchLoss whole = estimate_score_gradient(problem.A, problem.mean, problem.standard_deviation, problem.d,
                                                    problem.y, scale, SampleScore::energy, options, {1});
    const BatchLoss failed = estimate_score_gradient(problem.A, problem.mean, problem.standard_deviation, problem.d,
                                                     broken, scale, SampleScore::energy, options, {3});
    const BatchLoss back = estimate_score_gradient(
        problem.A, problem.mean.colwise().reverse(), problem.standard_deviation.colwise().reverse(),
        problem.d.colwise().reverse(), problem.y.colwise().reverse(), scale, SampleScore::energy, reversed);
    EXPECT_EQ(failed.status[5], Status::non_finite);
    EXPECT_TRUE(failed.gradient.mean.row(5).array().isNaN().all());
    for (Eigen::Index s = 0; s < 64; ++s) {
      EXPECT_EQ(whole.gradient.standard_deviation.row(s), back.gradient.standard_deviation.row(63 - s));
      if (s == 5) continue;
      EXPECT_EQ(whole.gradient.mean.row(s), failed.gradient.mean.row(s));
      EXPECT_EQ(whole.gradient.standard_deviation.row(s), failed.gradient.standard_deviation.row(s));
    }
  }
}

TEST(SampledScores, RefuseWhatMakesNoSense) {
  const RandomProblem problem(3, 1, 2, 971);
  const auto refused = [&](const EstimatorOptions& options, const Vector& scale) {
    try {
      estimate_score_gradient(problem.A, problem.mean, problem.standard_deviation, problem.d, problem.y, scale,
                              SampleScore::crps, options);
    } catch (const Error& error) {
      return error.status();
    }
    return Status::ok;
  };
  EstimatorOptions options;
  EXPECT_EQ(refused(options, Vector::Ones(3)), Status::ok);
  EXPECT_EQ(refused(options, Vector::Zero(3)), Status::invalid_argument);
  EXPECT_EQ(refused(options, Vector::Ones(2)), Status::shape_mismatch);
  options.draws = 1;
  EXPECT_EQ(refused(options, Vector::Ones(3)), Status::invalid_argument);
  options = {};
  options.estimator = Estimator::exact;
  EXPECT_EQ(refused(options, Vector::Ones(3)), Status::unsupported);
  options = {};
  options.sample_ids = {1, 2, 3};
  EXPECT_EQ(refused(options, Vector::Ones(3)), Status::shape_mismatch);
}

}  // namespace
}  // namespace lavoisier
