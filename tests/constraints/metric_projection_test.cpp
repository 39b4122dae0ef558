// Projections in any metric, completion, variance projection, their densities and losses; A of each sample's own.

#include <lavoisier/metric_projection.hpp>
#include <lavoisier/projected_losses.hpp>
#include <lavoisier/tolerances.hpp>

#include "differences.hpp"

#include <gtest/gtest.h>

#include <cmath>
#include <cstring>
#include <limits>
#include <string>
#include <tuple>

namespace lavoisier {
namespace {

using Eigen::Index;
using tests::Matrix;
using tests::numerical_gradient;
using tests::RandomProblem;
using tests::relative_difference;
using tests::Vector;

/// The law of N(mu, S) projected in the metric diag(scale^2), some scales zero: dense, by elimination in the coordinates
/// that the projection leaves alone, none of the library's formulas. Q y with Q D^2 A' = 0 is not changed by it.
struct DenseProjected {
  Vector mean;
  Matrix covariance;
  double log_density = 0.0;
  DenseProjected(const Matrix& A, const Vector& scale, const Vector& mu, const Matrix& S, const Vector& d, const Vector& y) {
    const Index n = A.cols(), m = A.rows();
    const Matrix D2 = scale.cwiseAbs2().asDiagonal();
    const Matrix Q = tests::null_basis(A * D2).transpose();  // (n - m) x n
    Matrix T(n, n);
    T << Q, A;
    Vector right(n);
    right << Q * mu, d;
    mean = tests::solve(T, right);
    const Matrix lift = tests::inverse(T).leftCols(n - m);
    covariance = lift * Q * S * Q.transpose() * lift.transpose();
    const Matrix N = tests::null_basis(A);
    log_density = tests::log_normal_density(N.transpose() * y, N.transpose() * mean, N.transpose() * covariance * N);
  }
};

enum class Kind { all, some, completion, own };
const char* word(Kind kind) { return kind == Kind::all ? "all" : kind == Kind::some ? "some" : kind == Kind::completion ? "completion" : "own"; }

using Parameter = std::tuple<std::pair<int, int>, Kind, bool>;
class Metrics : public testing::TestWithParam<Parameter> {
 protected:
  static constexpr Index N = 3;
  Index n = std::get<0>(GetParam()).first, m = std::get<0>(GetParam()).second;
  Kind kind = std::get<1>(GetParam());
  bool stacked = std::get<2>(GetParam());
  RandomProblem problem{n, m, N, 801};
  RowMatrix A = problem.A, d = problem.d, scale;

  void SetUp() override {
    const Vector positive = RandomProblem(n, 0, 1, 802).standard_deviation.row(0).transpose();
    if (stacked) {
      A.resize(N * m, n);
      for (Index s = 0; s < N; ++s) {
        A.middleRows(s * m, m) = RandomProblem(n, m, 1, 810 + static_cast<unsigned>(s)).A;
        d.row(s) = (A.middleRows(s * m, m) * problem.y.row(s).transpose()).transpose();
      }
    }
    scale = positive.transpose();
    if (kind == Kind::some)
      for (Index j = 0; j < n - m - 1; j += 2) scale(0, j) = 0.0;
    if (kind == Kind::completion) scale = completion_scale(positive, dependent_outputs(A, m, positive)).transpose();
    if (kind == Kind::own) {
      scale = RandomProblem(n, 0, N, 803).standard_deviation;
      scale(1, 0) = 0.0;
    }
  }
  Matrix block(Index s) const { return A.middleRows(stacked ? s * m : 0, m); }
  Vector metric(Index s) const { return scale.row(scale.rows() == 1 ? 0 : s).transpose(); }
  DenseProjected dense(Index s) const {
    const Matrix S = problem.standard_deviation.row(s).cwiseAbs2().asDiagonal();
    return {block(s), metric(s), problem.mean.row(s).transpose(), S, d.row(s).transpose(), problem.y.row(s).transpose()};
  }
};

INSTANTIATE_TEST_SUITE_P(
    Problems, Metrics,
    testing::Combine(testing::Values(std::pair(2, 1), std::pair(7, 2), std::pair(13, 5), std::pair(31, 11)),
                     testing::Values(Kind::all, Kind::some, Kind::completion, Kind::own), testing::Bool()),
    [](const auto& instance) {
      return "n" + std::to_string(std::get<0>(instance.param).first) + "m" +
             std::to_string(std::get<0>(instance.param).second) + word(std::get<1>(instance.param)) +
             (std::get<2>(instance.param) ? "_stacked" : "_shared");
    });

TEST_P(Metrics, MomentsAndDensityAreTheDenseOnes) {
  const ProjectedMoments moments = projected_moments(A, scale, problem.mean, problem.standard_deviation, d);
  const BatchLoss likelihood = projected_likelihood_loss(A, scale, problem.mean, problem.standard_deviation, d, problem.y);
  for (Index s = 0; s < N; ++s) {
    ASSERT_EQ(moments.status[static_cast<std::size_t>(s)], Status::ok);
    const DenseProjected expected = dense(s);
    EXPECT_LE((moments.mean.row(s).transpose() - expected.mean).norm(), 1e-11 * (1.0 + expected.mean.norm()));
    EXPECT_LE((moments.variance.row(s).transpose() - expected.covariance.diagonal()).norm(),
              1e-10 * expected.covariance.diagonal().norm());
    EXPECT_LE(tests::relative_residual_of(block(s), moments.mean.row(s), d.row(s)), tolerances::identity::relative_fp64);
    EXPECT_NEAR(likelihood.value[s], -expected.log_density, 1e-10 * (1.0 + std::abs(expected.log_density)));
    for (Index j = 0; j < n; ++j)
      if (metric(s)[j] == 0.0) {
        EXPECT_EQ(moments.mean(s, j), problem.mean(s, j)) << "an output of scale zero stays";
      }
  }
}

TEST_P(Metrics, AdjointsAreTheDerivatives) {
  if (n > 13) return;  // differences at this size only repeat the others
  const RowMatrix weight = problem.e;
  const MetricProjectionGradient gradient = metric_projection_adjoint(A, scale, problem.mean, d, weight);
  EXPECT_LE(relative_difference(gradient.z, numerical_gradient(
                                                [&](const RowMatrix& z) {
                                                  return metric_projection(A, scale, z, d).y.cwiseProduct(weight).sum();
                                                },
                                                problem.mean)),
            1e-7);
  if (kind == Kind::own) {
    RowMatrix at = scale.array() + 0.1;
    const RowMatrix found = metric_projection_adjoint(A, at, problem.mean, d, weight).scale;
    EXPECT_LE(relative_difference(found, numerical_gradient(
                                             [&](const RowMatrix& x) {
                                               return metric_projection(A, x, problem.mean, d).y.cwiseProduct(weight).sum();
                                             },
                                             at)),
              1e-7);
  }
  const Vector scores = Vector::LinSpaced(n, 0.5, 2.0);
  const auto check = [&](const auto& loss) {
    const BatchLoss found = loss(problem.mean, problem.standard_deviation);
    const RowMatrix mean = numerical_gradient(
        [&](const RowMatrix& x) { return loss(x, problem.standard_deviation).value.sum(); }, problem.mean);
    const RowMatrix deviation =
        numerical_gradient([&](const RowMatrix& x) { return loss(problem.mean, x).value.sum(); }, problem.standard_deviation);
    const double size = std::max(mean.cwiseAbs().maxCoeff(), deviation.cwiseAbs().maxCoeff());
    EXPECT_LE((found.gradient.mean - mean).cwiseAbs().maxCoeff(), 1e-7 * size);
    EXPECT_LE((found.gradient.standard_deviation - deviation).cwiseAbs().maxCoeff(), 1e-7 * size);
  };
  check([&](const RowMatrix& mean, const RowMatrix& s) { return projected_crps_loss(A, scale, mean, s, d, problem.y, scores); });
  check([&](const RowMatrix& mean, const RowMatrix& s) { return projected_likelihood_loss(A, scale, mean, s, d, problem.y); });
  check([&](const RowMatrix& mean, const RowMatrix&) {
    return projected_squared_error_loss(A, scale, mean, d, problem.y, scores);
  });
  check([&](const RowMatrix& mean, const RowMatrix&) {
    BatchLoss loss = gaussian_squared_error_loss(mean, problem.y, scores);
    add_law_penalty(loss, A, mean, d, 0.7);
    return loss;
  });
  if (!stacked)
    check([&](const RowMatrix& mean, const RowMatrix& s) {
      return conditional_mean_squared_error_loss(A, mean, s, d, problem.y, scores);
    });
}

TEST_P(Metrics, SquaredErrorsAreTheirDefinition) {
  const Vector scores = RandomProblem(n, 0, 1, 825).standard_deviation.row(0).transpose();
  const auto expect_definition = [&](const BatchLoss& loss, const RowMatrix& mean) {
    for (Index s = 0; s < N; ++s) {
      ASSERT_EQ(loss.status[static_cast<std::size_t>(s)], Status::ok);
      const double expected =
          ((mean.row(s) - problem.y.row(s)).transpose().array() / scores.array()).square().mean();
      EXPECT_NEAR(loss.value[s], expected, 1e-13 * expected);
    }
  };
  expect_definition(gaussian_squared_error_loss(problem.mean, problem.y, scores), problem.mean);
  expect_definition(projected_squared_error_loss(A, scale, problem.mean, d, problem.y, scores),
                    metric_projection(A, scale, problem.mean, d).y);
  expect_definition(
      conditional_mean_squared_error_loss(A, problem.mean, problem.standard_deviation, d, problem.y, scores),
      conditional_moments(A, problem.mean, problem.standard_deviation, d).mean);
}

TEST_P(Metrics, AStackGivesTheBitsOfItsBlocks) {
  for (const int threads : {1, 2}) {
    const ProjectedMoments all = projected_moments(A, scale, problem.mean, problem.standard_deviation, d, {threads});
    for (Index s = 0; s < N; ++s) {
      const RowMatrix A_s = block(s), scale_s = metric(s).transpose(), mean_s = problem.mean.row(s),
                      sd_s = problem.standard_deviation.row(s), d_s = d.row(s);
      const ProjectedMoments one = projected_moments(A_s, scale_s, mean_s, sd_s, d_s, {threads});
      EXPECT_EQ(std::memcmp(one.mean.data(), all.mean.data() + s * n, static_cast<std::size_t>(n) * sizeof(double)), 0);
      EXPECT_EQ(std::memcmp(one.variance.data(), all.variance.data() + s * n, static_cast<std::size_t>(n) * sizeof(double)), 0);
    }
  }
}

TEST(MetricProjection, HoldsIllConditionedLaws) {
  // cond(A D^2 A') about 1e8: one pass leaves more than 1e-14 of a law's terms, two do not. A shared and stacked.
  RandomProblem problem(24, 6, 4, 823);
  problem.A = tests::with_condition(problem.A, 1e4);
  problem.d = problem.y * problem.A.transpose();
  const RowMatrix scale = problem.standard_deviation.row(0), stacked = problem.A.replicate(4, 1);
  const RowMatrix z = problem.mean * 30.0;
  const Vector weight = scale.row(0).transpose().cwiseAbs2();
  const Matrix gain = weight.asDiagonal() * problem.A.transpose() *
                      tests::inverse(problem.A * weight.asDiagonal() * problem.A.transpose());
  double of_one_pass = 0.0;
  for (const RowMatrix& A : {problem.A, stacked}) {
    const RowMatrix y = metric_projection(A, scale, z, problem.d).y;
    const RowMatrix mean = projected_moments(A, scale, z, problem.standard_deviation, problem.d).mean;
    for (Index s = 0; s < 4; ++s) {
      const Vector d = problem.d.row(s).transpose(), at = z.row(s).transpose();
      EXPECT_LE(tests::relative_residual_of(problem.A, y.row(s), d), tolerances::identity::relative_fp64);
      EXPECT_LE(tests::relative_residual_of(problem.A, mean.row(s), d), tolerances::identity::relative_fp64);
      of_one_pass = std::max(of_one_pass, tests::relative_residual_of(problem.A, at - gain * (problem.A * at - d), d));
    }
  }
  EXPECT_GT(of_one_pass, tolerances::identity::relative_fp64);
}

TEST(StackedLaws, AreAsOneSharedLawWhereTheyAreEqual) {
  const RandomProblem problem(9, 3, 5, 821);
  RowMatrix stack(15, 9);
  for (Index s = 0; s < 5; ++s) stack.middleRows(3 * s, 3) = problem.A;
  const RowMatrix scale = RandomProblem(9, 0, 1, 822).standard_deviation;
  EXPECT_EQ(metric_projection(stack, scale, problem.mean, problem.d).y,
            metric_projection(problem.A, scale, problem.mean, problem.d).y);
  EXPECT_EQ(projected_likelihood_loss(stack, scale, problem.mean, problem.standard_deviation, problem.d, problem.y).value,
            projected_likelihood_loss(problem.A, scale, problem.mean, problem.standard_deviation, problem.d, problem.y).value);
}

TEST(StackedLaws, OneBadSampleLeavesTheOthersAlone) {
  const RandomProblem problem(6, 2, 7, 823);
  RowMatrix good(14, 6);
  for (Index s = 0; s < 7; ++s) good.middleRows(2 * s, 2) = problem.A;
  const RowMatrix ones = RowMatrix::Ones(1, 6);
  const ProjectedBatch expected = metric_projection(good, ones, problem.mean, problem.d);
  RowMatrix bad = good, d = problem.d;
  bad.row(2 * 1 + 1) = 2.0 * bad.row(2 * 1);  // dependent
  bad.row(2 * 3).setZero();
  bad(2 * 4, 5) = std::nan("");
  d(5, 0) = std::numeric_limits<double>::infinity();
  const ProjectedBatch found = metric_projection(bad, ones, problem.mean, d);
  EXPECT_EQ(found.status, (std::vector<Status>{Status::ok, Status::rank_deficient, Status::ok, Status::rank_deficient,
                                               Status::non_finite, Status::non_finite, Status::ok}));
  for (Index s = 0; s < 7; ++s) {
    if (found.status[static_cast<std::size_t>(s)] == Status::ok)
      EXPECT_EQ(found.y.row(s), expected.y.row(s));
    else
      EXPECT_TRUE(found.y.row(s).array().isNaN().all());
  }
  const BatchLoss loss = projected_crps_loss(bad, ones, problem.mean, problem.standard_deviation, d, problem.y, Vector::Ones(6));
  EXPECT_EQ(loss.status, found.status);
  EXPECT_THROW(metric_projection(good.topRows(13), ones, problem.mean, problem.d), Error);
}

TEST(Completion, ComputesTheDependentOutputsFromTheOthers) {
  const RandomProblem problem(8, 3, 4, 831);
  const Vector ones = Vector::Ones(8);
  const std::vector<Index> dependent = {1, 4, 6};
  EXPECT_NO_THROW(require_dependent(problem.A, 3, ones, dependent));
  const RowMatrix y = metric_projection(problem.A, completion_scale(ones, dependent).transpose(), problem.mean, problem.d).y;
  const Matrix A_D = problem.A(Eigen::all, dependent);
  for (Index s = 0; s < 4; ++s) {
    Vector rest = problem.mean.row(s).transpose();
    for (const Index j : dependent) rest[j] = 0.0;
    const Vector expected = tests::solve(A_D, problem.d.row(s).transpose() - problem.A * rest);
    for (Index k = 0; k < 3; ++k) EXPECT_NEAR(y(s, dependent[static_cast<std::size_t>(k)]), expected[k], 1e-12 * (1.0 + expected.norm()));
  }
  const RowMatrix z_bar = metric_projection_adjoint(problem.A, completion_scale(ones, dependent).transpose(),
                                                    problem.mean, problem.d, problem.y).z;
  for (const Index j : dependent)
    EXPECT_EQ(z_bar.col(j).cwiseAbs().maxCoeff(), 0.0) << "nothing of a dependent output's own remains, not a rounding";
  // Its density is that of the free coordinates, with |det A_D| / sqrt(det A A') for the change of measure.
  const BatchLoss loss = projected_likelihood_loss(problem.A, completion_scale(ones, dependent).transpose(), problem.mean,
                                                   problem.standard_deviation, problem.d, problem.y);
  const Matrix A = problem.A;
  for (Index s = 0; s < 4; ++s) {
    double free = 0.0;
    for (const Index j : {0, 2, 3, 5, 7}) {
      const double z = (problem.y(s, j) - problem.mean(s, j)) / problem.standard_deviation(s, j);
      free += -0.5 * z * z - std::log(problem.standard_deviation(s, j)) - 0.5 * std::log(2.0 * M_PI);
    }
    const double change = tests::log_abs_det(A_D) - 0.5 * tests::log_abs_det(A * A.transpose());
    EXPECT_NEAR(-loss.value[s], free + change, 1e-11 * (1.0 + std::abs(free)));
    EXPECT_GT(std::abs(-loss.value[s] - (free - change)), 1e-3) << "the other sign is another number";
    for (const Index j : dependent) {
      EXPECT_EQ(loss.gradient.mean(s, j), 0.0) << "what the network says of a dependent output is not used";
      EXPECT_EQ(loss.gradient.standard_deviation(s, j), 0.0);
    }
  }
}

TEST(Completion, ChoosesAWellConditionedSetOrRefuses) {
  // Column 0 is nearly parallel to column 3: the set {0, 3} is the one to avoid.
  RowMatrix A(2, 4);
  A << 1.0, 0.2, 0.1, 1.0, 1.0, 0.1, -0.9, 1.0 + 1e-9;
  EXPECT_EQ(dependent_outputs(A, 2, Vector::Ones(4)), (std::vector<Index>{2, 3}));
  Vector scale = Vector::Ones(4);
  scale[2] = 0.0;  // it may not move
  const std::vector<Index> other = dependent_outputs(A, 2, scale);
  EXPECT_EQ(std::count(other.begin(), other.end(), 2), 0);

  const auto refused = [](auto&& call, Status status, const std::string& part) {
    try {
      call();
      ADD_FAILURE() << "no error; expected " << part;
    } catch (const Error& error) {
      EXPECT_EQ(error.status(), status);
      EXPECT_NE(std::string(error.what()).find(part), std::string::npos) << error.what();
    }
  };
  RowMatrix degenerate(2, 3);
  degenerate << 1.0, 2.0, 3.0, 2.0, 4.0, 7.0;
  EXPECT_EQ(dependent_outputs(degenerate, 2, Vector::Ones(3)).size(), 2U);
  refused([&] { require_dependent(degenerate, 2, Vector::Ones(3), {0, 1}); }, Status::rank_deficient, "no law left to follow from");
  refused([&] { require_dependent(degenerate, 2, Vector::Ones(3), {2}); }, Status::invalid_argument, "expected 2, as many as laws, found 1");
  refused([&] { require_dependent(degenerate, 2, Vector::Ones(3), {2, 2}); }, Status::invalid_argument, "named twice");
  refused([&] { dependent_outputs(RowMatrix(degenerate.leftCols(2)), 2, Vector::Ones(2)); }, Status::rank_deficient, "no 2 outputs");
  // A stack: a set that is good for the first sample alone is not taken.
  RowMatrix stack(2, 3);
  stack << 3.0, 1.0, 0.5, 0.0, 1.0, 0.5;
  EXPECT_EQ(dependent_outputs(stack, 1, Vector::Ones(3)), (std::vector<Index>{1}));
  refused([&] { require_dependent(stack, 1, Vector::Ones(3), {0}); }, Status::rank_deficient, "sample 1");
}

TEST(Completion, KeepsItsDigitsWhereTheNormalEquationsWouldNot) {
  // cond(A_D) = 1e7: A_D A_D' has 1e14 and would be taken as singular.
  RandomProblem problem(6, 3, 2, 833);
  problem.A.leftCols(3) = tests::with_condition(problem.A.leftCols(3), 1e7);
  problem.d = problem.y * problem.A.transpose();
  Vector scale = Vector::Zero(6);
  scale.head(3).setOnes();
  const ProjectedMoments moments = projected_moments(problem.A, scale.transpose(), problem.mean, problem.standard_deviation, problem.d);
  for (Index s = 0; s < 2; ++s)
    EXPECT_LE(tests::relative_residual_of(problem.A, moments.mean.row(s), problem.d.row(s)), tolerances::identity::relative_fp64);
}

TEST(VarianceProjection, OfADiagonalGaussianIsItsConditionalLaw) {
  // P S P' = P S for the metric S: A S P' = 0.
  for (const auto& [n, m] : {std::pair(2, 1), std::pair(7, 3), std::pair(40, 10)}) {
    const RandomProblem problem(n, m, 6, 841);
    const ConditionalMoments conditional = conditional_moments(problem.A, problem.mean, problem.standard_deviation, problem.d);
    const ProjectedMoments projected =
        projected_moments(problem.A, problem.standard_deviation, problem.mean, problem.standard_deviation, problem.d);
    EXPECT_LE(relative_difference(projected.mean, conditional.mean), 1e-13);
    EXPECT_LE(relative_difference(projected.variance, conditional.variance), 1e-13);
    const RowMatrix z = problem.mean + problem.standard_deviation.cwiseProduct(problem.e);
    EXPECT_LE(relative_difference(metric_projection(problem.A, problem.standard_deviation, z, problem.d).y,
                                  conditional_draw(problem.A, problem.mean, problem.standard_deviation, problem.d, problem.e)),
              1e-13);
    const LogDensity density =
        conditional_log_density(problem.A, problem.mean, problem.standard_deviation, problem.d, problem.y, false);
    const BatchLoss loss = projected_likelihood_loss(problem.A, problem.standard_deviation, problem.mean,
                                                     problem.standard_deviation, problem.d, problem.y);
    EXPECT_LE((loss.value + density.value).norm(), 1e-11 * density.value.norm());
  }
}

TEST(VarianceProjection, OfACorrelatedGaussianIsAnotherLaw) {
  const RandomProblem problem(5, 2, 1, 843);
  Matrix factor = RandomProblem(5, 5, 1, 844).A;
  const Matrix S = factor * factor.transpose();
  const Vector diagonal = S.diagonal().cwiseSqrt();
  const Matrix A = problem.A;
  const Vector mu = problem.mean.row(0), d = problem.d.row(0), y = problem.y.row(0);
  const DenseProjected projected(A, diagonal, mu, S, d, y);
  const Vector mean = metric_projection(problem.A, diagonal.transpose(), problem.mean, problem.d).y.row(0);
  EXPECT_LE((mean - projected.mean).norm(), 1e-12 * mean.norm());
  const Matrix G = S * A.transpose() * tests::inverse(A * S * A.transpose());
  const Vector conditional_mean = mu - G * (A * mu - d);
  const Matrix conditional = S - G * A * S;
  EXPECT_GT((mean - conditional_mean).norm(), 0.05 * mean.norm());
  EXPECT_GT((projected.covariance - conditional).norm(), 0.05 * conditional.norm());
  EXPECT_GT(projected.covariance.trace(), 0.0);
}

TEST(Penalty, DoesNotDependOnTheUnitsOfALaw) {
  const RandomProblem problem(4, 2, 3, 851);
  const auto penalty = [&](const RowMatrix& A, const RowMatrix& d) {
    BatchLoss loss = gaussian_squared_error_loss(problem.mean, problem.mean, Vector::Ones(4));
    add_law_penalty(loss, A, problem.mean, d, 2.0);
    return loss.value;
  };
  RowMatrix A = problem.A, d = problem.d;
  A.row(1) *= 1e6;
  d.col(1) *= 1e6;
  const Eigen::VectorXd expected = penalty(problem.A, problem.d);
  EXPECT_LE((penalty(A, d) - expected).norm(), 1e-13 * expected.norm());
  double value = 0.0;
  for (Index k = 0; k < 2; ++k)
    value += 2.0 * std::pow((problem.A.row(k).dot(problem.mean.row(0)) - problem.d(0, k)) / problem.A.row(k).norm(), 2);
  EXPECT_NEAR(expected[0], value, 1e-12 * value);
}

}  // namespace
}  // namespace lavoisier
