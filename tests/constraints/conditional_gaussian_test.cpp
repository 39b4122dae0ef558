#include <lavoisier/conditional_gaussian.hpp>
#include <lavoisier/tolerances.hpp>

#include "dense_gaussian.hpp"

#include <gtest/gtest.h>

#include <cmath>
#include <limits>
#include <utility>

namespace lavoisier {
namespace {

using tests::DenseConditional;
using tests::Matrix;
using tests::RandomProblem;
using tests::Vector;

RowMatrix rows(std::initializer_list<std::initializer_list<double>> values) {
  RowMatrix matrix(static_cast<Eigen::Index>(values.size()),
                   static_cast<Eigen::Index>(values.size() == 0 ? 0 : values.begin()->size()));
  Eigen::Index i = 0;
  for (const auto& line : values) {
    Eigen::Index j = 0;
    for (const double value : line) matrix(i, j++) = value;
    ++i;
  }
  return matrix;
}

class Sizes : public testing::TestWithParam<std::pair<int, int>> {
 protected:
  Eigen::Index n = GetParam().first, m = GetParam().second;
};

class SizesWithLaws : public Sizes {};

const auto sizes_with_laws =
    testing::Values(std::pair(1, 1), std::pair(2, 1), std::pair(3, 2), std::pair(5, 5), std::pair(6, 2),
                    std::pair(7, 3), std::pair(13, 4), std::pair(17, 5), std::pair(19, 6), std::pair(23, 7),
                    std::pair(31, 8), std::pair(33, 9), std::pair(32, 1), std::pair(60, 30), std::pair(101, 25));
INSTANTIATE_TEST_SUITE_P(NoLaws, Sizes, testing::Values(std::pair(1, 0), std::pair(5, 0)));
INSTANTIATE_TEST_SUITE_P(Problems, Sizes, sizes_with_laws);
INSTANTIATE_TEST_SUITE_P(Problems, SizesWithLaws, sizes_with_laws);

TEST_P(Sizes, MomentsAreThoseOfTheDenseOracle) {
  const RandomProblem problem(n, m, 7, 11);
  const ConditionalMoments moments =
      conditional_moments(problem.A, problem.mean, problem.standard_deviation, problem.d);
  for (Eigen::Index s = 0; s < 7; ++s) {
    ASSERT_EQ(moments.status[static_cast<std::size_t>(s)], Status::ok);
    const DenseConditional dense(problem.A, problem.mean.row(s), problem.standard_deviation.row(s), problem.d.row(s));
    const double scale = dense.mean.norm() + 1.0;
    EXPECT_LE((moments.mean.row(s).transpose() - dense.mean).norm(), 1e-11 * scale);
    EXPECT_LE((moments.variance.row(s).transpose() - dense.covariance.diagonal()).norm(),
              1e-11 * problem.standard_deviation.row(s).squaredNorm());
    EXPECT_GE(moments.variance.row(s).minCoeff(), 0.0);
    EXPECT_LE(tests::relative_residual_of(problem.A, moments.mean.row(s), problem.d.row(s)),
              tolerances::identity::relative_fp64);
  }
}

TEST_P(Sizes, DrawIsTheProjectionOfTheNoise) {
  const RandomProblem problem(n, m, 7, 13);
  const RowMatrix y =
      conditional_draw(problem.A, problem.mean, problem.standard_deviation, problem.d, problem.e);
  for (Eigen::Index s = 0; s < 7; ++s) {
    const Vector z = problem.mean.row(s) + problem.e.row(s).cwiseProduct(problem.standard_deviation.row(s));
    Vector expected = z;
    if (m > 0) {
      const Matrix S = problem.standard_deviation.row(s).array().square().matrix().asDiagonal();
      const Matrix A = problem.A;
      expected -= S * A.transpose() *
                  tests::solve(A * S * A.transpose(), A * z - problem.d.row(s).transpose());
    }
    EXPECT_LE((y.row(s).transpose() - expected).norm(), 1e-11 * (1.0 + expected.norm()));
    EXPECT_LE(tests::relative_residual_of(problem.A, y.row(s), problem.d.row(s)), tolerances::identity::relative_fp64);
  }
}

TEST_P(Sizes, LogDensityIsThatOfTheNullCoordinates) {
  const RandomProblem problem(n, m, 7, 17);
  const LogDensity density =
      conditional_log_density(problem.A, problem.mean, problem.standard_deviation, problem.d, problem.y, false);
  EXPECT_EQ(density.gradient.mean.size(), 0);
  for (Eigen::Index s = 0; s < 7; ++s) {
    ASSERT_EQ(density.status[static_cast<std::size_t>(s)], Status::ok);
    const DenseConditional dense(problem.A, problem.mean.row(s), problem.standard_deviation.row(s), problem.d.row(s));
    const double expected = dense.log_density(problem.y.row(s));
    EXPECT_NEAR(density.value[s], expected, 1e-10 * std::max(1.0, std::abs(expected)));
    if (m == 0) continue;
    // The wrong twin: + 1/2 log det(A A').
    const double log_det = tests::log_abs_det(problem.A * problem.A.transpose());
    if (std::abs(log_det) > 1e-3) {
      EXPECT_GT(std::abs(density.value[s] + log_det - expected), 1e-10 * std::max(1.0, std::abs(expected)));
    }
  }
}

TEST_P(SizesWithLaws, LogDensityIgnoresTheUnitsOfThem) {
  RandomProblem problem(n, m, 3, 19);
  const LogDensity before =
      conditional_log_density(problem.A, problem.mean, problem.standard_deviation, problem.d, problem.y, false);
  for (const double factor : {7.0, 1e-9, -1e12}) {
    RowMatrix A = problem.A, d = problem.d;
    A.row(m / 2) *= factor;
    d.col(m / 2) *= factor;
    const LogDensity after = conditional_log_density(A, problem.mean, problem.standard_deviation, d, problem.y, false);
    EXPECT_LE((after.value - before.value).norm(), 1e-10 * (1.0 + before.value.norm()));
  }
}

TEST_P(Sizes, NullSpaceDensityIsTheDenseOne) {
  RandomProblem problem(n, m, 5, 23);
  const Matrix N = tests::null_basis(problem.A);
  // The last sample has a known component, which only the null basis can tell.
  if (n > m && m > 0) problem.standard_deviation(4, 0) = 0.0;
  const Vector value = null_space_log_density(problem.A, problem.mean, problem.standard_deviation, problem.y);
  for (Eigen::Index s = 0; s < 5; ++s) {
    const Matrix S = problem.standard_deviation.row(s).array().square().matrix().asDiagonal();
    const double expected = tests::log_normal_density(N.transpose() * problem.y.row(s).transpose(),
                                                      N.transpose() * problem.mean.row(s).transpose(),
                                                      N.transpose() * S * N);
    EXPECT_NEAR(value[s], expected, 1e-10 * std::max(1.0, std::abs(expected)));
  }
}

TEST(ConditionalDensity, IntegratesToOneOverTheLaw) {
  // y1 + 2 y2 = 3 is a line; its unit tangent is (2, -1)/sqrt(5).
  const RowMatrix A = rows({{1.0, 2.0}}), mean = rows({{0.4, 0.9}}), s = rows({{0.7, 0.5}}), d = rows({{3.0}});
  const int points = 4001;
  const double width = 10.0 / (points - 1);
  RowMatrix y(points, 2);
  for (int i = 0; i < points; ++i) {
    const double t = -5.0 + width * i;
    y.row(i) << 1.0 + 2.0 * t / std::sqrt(5.0), 1.0 - t / std::sqrt(5.0);
  }
  const LogDensity density = conditional_log_density(A, mean.replicate(points, 1), s.replicate(points, 1),
                                                     d.replicate(points, 1), y, false);
  EXPECT_NEAR(density.value.array().exp().sum() * width, 1.0, 1e-12);
}

TEST(ConditionalDensity, TargetsOffTheLawsAreRefused) {
  const RowMatrix A = rows({{1.0, 1.0}}), mean = rows({{0.0, 0.0}}), s = rows({{1.0, 1.0}}), d = rows({{1.0}});
  EXPECT_EQ(conditional_log_density(A, mean, s, d, rows({{0.5, 0.501}}), false).status[0], Status::law_violated);
  EXPECT_EQ(conditional_log_density(A, mean, s, d, rows({{0.5, 0.5}}), false).status[0], Status::ok);
}

TEST(ConditionalDensity, KnownComponentsLeaveTheDensity) {
  // y3 is known to be 2: what is left is (y1, y2) given y1 + y2 = 1 - 2 a3.
  const RowMatrix A = rows({{1.0, 1.0, 0.5}}), mean = rows({{0.3, 0.1, 2.0}}), s = rows({{1.0, 0.5, 0.0}}),
                  d = rows({{1.0}}), y = rows({{0.2, -0.2, 2.0}});
  const LogDensity density = conditional_log_density(A, mean, s, d, y, true);
  const DenseConditional rest(Matrix(rows({{1.0, 1.0}})), Vector(Eigen::Vector2d(0.3, 0.1)),
                              Vector(Eigen::Vector2d(1.0, 0.5)), Vector::Zero(1));
  EXPECT_NEAR(density.value[0], rest.log_density(Eigen::Vector2d(0.2, -0.2)), 1e-13);
  EXPECT_EQ(density.gradient.standard_deviation(0, 2), 0.0);
  const LogDensity impossible = conditional_log_density(A, mean, s, d, rows({{0.1, -0.2, 2.2}}), false);
  EXPECT_EQ(impossible.value[0], -std::numeric_limits<double>::infinity());
}

TEST(ConditionalMomentsOf, VarianceDoesNotCancel) {
  // METHOD_NOTES' example: s - G A s gives 1.49e-8 or worse, the truth is S1 S2/(S1 + S2).
  const RowMatrix A = rows({{1.0, 1.0}});
  const RowMatrix s = rows({{1e4, 1e-4}}), mean = rows({{1.0, 2.0}}), d = rows({{3.0}});
  const double S1 = 1e4 * 1e4, S2 = 1e-4 * 1e-4, truth = S1 * S2 / (S1 + S2);
  const ConditionalMoments moments = conditional_moments(A, mean, s, d);
  EXPECT_NEAR(moments.variance(0, 0), truth, 1e-14 * truth);
  EXPECT_NEAR(moments.variance(0, 1), truth, 1e-14 * truth);
  // The formula that this guards against fails the same bound.
  EXPECT_GT(std::abs(S1 - S1 * S1 / (S1 + S2) - truth), 1e-2 * truth);
}

TEST(ConditionalMomentsOf, VarianceDoesNotCancelWithSeveralLaws) {
  // Variances over many decades: W's condition reaches 1e10, which is what the bound allows for. The reference
  // works in the precision of the null coordinates, where the large variances add next to nothing: nothing is
  // subtracted.
  const RandomProblem problem(13, 4, 40, 29, 3.0);
  const ConditionalMoments moments =
      conditional_moments(problem.A, problem.mean, problem.standard_deviation, problem.d);
  const Matrix N = tests::null_basis(problem.A);
  double naive_worst = 0.0;
  for (Eigen::Index s = 0; s < 40; ++s) {
    const Vector S = problem.standard_deviation.row(s).array().square();
    const Matrix V = N * tests::inverse(N.transpose() * S.cwiseInverse().asDiagonal() * N) * N.transpose();
    const Matrix SA = S.asDiagonal() * problem.A.transpose();
    const Matrix naive = Matrix(S.asDiagonal()) - SA * tests::inverse(problem.A * SA) * SA.transpose();
    for (Eigen::Index j = 0; j < 13; ++j) {
      EXPECT_NEAR(moments.variance(s, j), V(j, j), 1e-6 * V(j, j)) << "sample " << s << ", output " << j;
      naive_worst = std::max(naive_worst, std::abs(naive(j, j) - V(j, j)) / V(j, j));
    }
  }
  EXPECT_GT(naive_worst, 1e-5);
}

TEST(ConditionalMomentsOf, KnownComponentsStayKnown) {
  const RowMatrix A = rows({{1.0, 1.0, 1.0}, {0.0, 1.0, -1.0}});
  const ConditionalMoments moments =
      conditional_moments(A, rows({{5.0, 1.0, 1.0}}), rows({{0.0, 1.0, 2.0}}), rows({{7.0, 0.5}}));
  ASSERT_EQ(moments.status[0], Status::ok);
  EXPECT_EQ(moments.mean(0, 0), 5.0);
  EXPECT_EQ(moments.variance(0, 0), 0.0);
  // The laws leave nothing open: y2 + y3 = 2, y2 - y3 = 1/2.
  EXPECT_NEAR(moments.mean(0, 1), 1.25, 1e-15);
  EXPECT_NEAR(moments.mean(0, 2), 0.75, 1e-15);
  EXPECT_EQ(moments.variance(0, 1), 0.0);
  EXPECT_EQ(moments.variance(0, 2), 0.0);
}

TEST(ConditionalMomentsOf, SingularWIsAStatus) {
  const RowMatrix A = rows({{1.0, 1.0, 0.0}, {0.0, 0.0, 1.0}});
  // The second law has no free output in sample 1; in sample 2, W is singular without a zero on its diagonal.
  const RowMatrix mean = RowMatrix::Constant(3, 3, 1.0), d = RowMatrix::Constant(3, 2, 1.0);
  const RowMatrix s = rows({{1.0, 1.0, 1.0}, {1.0, 1.0, 0.0}, {0.0, 0.0, 1.0}});
  const ConditionalMoments moments = conditional_moments(A, mean, s, d);
  EXPECT_EQ(moments.status[0], Status::ok);
  EXPECT_EQ(moments.status[1], Status::rank_deficient);
  EXPECT_EQ(moments.status[2], Status::rank_deficient);
  EXPECT_TRUE(std::isnan(moments.mean(1, 0)) && std::isnan(moments.variance(2, 1)));
  const RowMatrix dependent = rows({{1.0, 1.0, 0.0}, {2.0, 3.0, 1.0}});
  const ConditionalMoments lost =
      conditional_moments(dependent, rows({{1.0, 1.0, 1.0}}), rows({{1.0, 0.0, 0.0}}), rows({{1.0, 1.0}}));
  EXPECT_EQ(lost.status[0], Status::rank_deficient);
}

TEST(ConditionalMomentsOf, UnitsOfALawDoNotDecideRank) {
  // The same laws in units 24 decades apart.
  RandomProblem problem(6, 2, 4, 31);
  const ConditionalMoments before =
      conditional_moments(problem.A, problem.mean, problem.standard_deviation, problem.d);
  problem.A.row(1) *= 1e-24;
  problem.d.col(1) *= 1e-24;
  const ConditionalMoments after = conditional_moments(problem.A, problem.mean, problem.standard_deviation, problem.d);
  EXPECT_EQ(after.status[0], Status::ok);
  EXPECT_LE((before.mean - after.mean).norm(), 1e-13 * before.mean.norm());
  EXPECT_LE((before.variance - after.variance).norm(), 1e-13 * before.variance.norm());
}

TEST(ConditionalDraw, TwoPassesHoldTheLawsWhereOneDoesNot) {
  double worst_one_pass = 0.0;
  for (const double condition_of_W : {1.0, 1e4, 1e8}) {
    RandomProblem problem(100, 20, 20, 37, 0.0);
    problem.A = tests::with_condition(problem.A, std::sqrt(condition_of_W));  // W = A A' but for a factor
    problem.d = problem.y * problem.A.transpose();
    const RowMatrix y = conditional_draw(problem.A, problem.mean, problem.standard_deviation, problem.d, problem.e);
    const ConditionalMoments moments =
        conditional_moments(problem.A, problem.mean, problem.standard_deviation, problem.d);
    for (Eigen::Index s = 0; s < 20; ++s) {
      EXPECT_LE(tests::relative_residual_of(problem.A, y.row(s), problem.d.row(s)),
                tolerances::identity::relative_fp64)
          << "cond(W) " << condition_of_W;
      EXPECT_LE(tests::relative_residual_of(problem.A, moments.mean.row(s), problem.d.row(s)),
                tolerances::identity::relative_fp64);
      // The same step once, by the book.
      const Matrix A = problem.A;
      const Matrix S = problem.standard_deviation.row(s).array().square().matrix().asDiagonal();
      Vector z = problem.mean.row(s) + problem.e.row(s).cwiseProduct(problem.standard_deviation.row(s));
      z -= S * A.transpose() * tests::solve(A * S * A.transpose(), A * z - problem.d.row(s).transpose());
      worst_one_pass = std::max(worst_one_pass, tests::relative_residual_of(A, z, problem.d.row(s)));
    }
  }
  EXPECT_GT(worst_one_pass, tolerances::identity::relative_fp64);
}

TEST(GaussianCrpsOf, IsTheIntegralOfItsDefinition) {
  // CRPS = integral of (F(x) - 1{x >= y})^2: composite Simpson on both sides of y.
  for (const auto& [mean, variance, y] : {std::tuple(0.0, 1.0, 0.3), std::tuple(2.0, 0.25, -1.0),
                                          std::tuple(-100.0, 400.0, -80.0), std::tuple(1.0, 1e-4, 1.5)}) {
    const double sigma = std::sqrt(variance);
    const auto simpson = [&](double from, double to, bool upper) {
      const int intervals = 20000;
      const double h = (to - from) / intervals;
      double sum = 0.0;
      for (int i = 0; i <= intervals; ++i) {
        const double t = (from + h * i - mean) / sigma;
        const double tail = 0.5 * std::erfc((upper ? t : -t) / std::sqrt(2.0));
        sum += (i == 0 || i == intervals ? 1.0 : (i % 2 == 1 ? 4.0 : 2.0)) * tail * tail;
      }
      return sum * h / 3.0;
    };
    const double low = std::min(y, mean) - 12.0 * sigma, high = std::max(y, mean) + 12.0 * sigma;
    const double expected = simpson(low, y, false) + simpson(y, high, true);
    const GaussianCrps crps = gaussian_crps(rows({{mean}}), rows({{variance}}), rows({{y}}));
    EXPECT_NEAR(crps.value(0, 0), expected, 1e-9 * expected);
  }
}

TEST(GaussianCrpsOf, AKnownOutputScoresItsDistance) {
  const GaussianCrps crps = gaussian_crps(rows({{1.0, 1.0, 1.0}}), rows({{0.0, 0.0, 0.0}}), rows({{3.0, 1.0, 0.5}}));
  EXPECT_EQ(crps.value, rows({{2.0, 0.0, 0.5}}));
  EXPECT_EQ(crps.mean_bar, rows({{-1.0, 0.0, 1.0}}));
  EXPECT_EQ(crps.variance_bar, rows({{0.0, 0.0, 0.0}}));
}

TEST(Shapes, AreChecked) {
  const RandomProblem problem(5, 2, 3, 43);
  const RowMatrix wrong = RowMatrix::Zero(3, 4);
  const auto status_of = [](const auto& call) {
    try {
      call();
    } catch (const Error& error) {
      return error.status();
    }
    return Status::ok;
  };
  EXPECT_EQ(status_of([&] { conditional_moments(problem.A, wrong, problem.standard_deviation, problem.d); }),
            Status::shape_mismatch);
  EXPECT_EQ(status_of([&] { conditional_draw(problem.A, problem.mean, wrong, problem.d, problem.e); }),
            Status::shape_mismatch);
  EXPECT_EQ(status_of([&] { conditional_moments(problem.A, problem.mean, problem.standard_deviation, wrong); }),
            Status::shape_mismatch);
  RowMatrix A = problem.A;
  A.row(1).setZero();
  EXPECT_EQ(status_of([&] { conditional_moments(A, problem.mean, problem.standard_deviation, problem.d); }),
            Status::invalid_argument);
  A(1, 2) = std::nan("");
  EXPECT_EQ(status_of([&] { conditional_moments(A, problem.mean, problem.standard_deviation, problem.d); }),
            Status::invalid_argument);
  EXPECT_EQ(status_of([&] {
              conditional_moments(problem.A, problem.mean, problem.standard_deviation, problem.d, {-1});
            }),
            Status::invalid_argument);
}

}  // namespace
}  // namespace lavoisier
