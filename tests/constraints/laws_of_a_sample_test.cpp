// Laws that differ from sample to sample: stacked coefficients, rows that depend on others for some samples, what is
// wrong in words; entropy and reduced coordinates.

#include <lavoisier/law_diagnostics.hpp>
#include <lavoisier/training_losses.hpp>

#include "dense_gaussian.hpp"
#include "differences.hpp"
#include "expect_error.hpp"
#include "laws.hpp"
#include "quad_gaussian.hpp"

#include <gtest/gtest.h>

#include <cmath>
#include <cstring>
#include <functional>
#include <limits>
#include <utility>

namespace lavoisier {
namespace {

using tests::expect_error;
using tests::QuadConditional;
using tests::RandomProblem;

/// Everything of a batch, a row a sample.
RowMatrix everything(const RandomProblem& p, const BatchOptions& options = {}) {
  const Eigen::Index samples = p.mean.rows(), n = p.mean.cols(), m = p.d.cols();
  const Eigen::VectorXd ones = Eigen::VectorXd::Ones(n);
  const ConditionalMoments moments = conditional_moments(p.A, p.mean, p.standard_deviation, p.d, options);
  const GaussianGradient adjoint =
      conditional_moments_adjoint(p.A, p.mean, p.standard_deviation, p.d, p.e, p.e, options);
  const GaussianGradient draw_adjoint =
      conditional_draw_adjoint(p.A, p.mean, p.standard_deviation, p.d, p.e, p.e, options);
  const LogDensity density = conditional_log_density(p.A, p.mean, p.standard_deviation, p.d, p.y, true, options);
  const BatchLoss crps = conditional_crps_loss(p.A, p.mean, p.standard_deviation, p.d, p.y, ones, options);
  const BatchLoss likelihood = conditional_likelihood_loss(p.A, p.mean, p.standard_deviation, p.d, p.y, options);
  const ConditionalEntropy entropy = conditional_entropy(p.A, p.standard_deviation, true, options, m);
  RowMatrix all(samples, 13 * n + 5);
  all << moments.mean, moments.variance, adjoint.mean, adjoint.standard_deviation,
      conditional_draw(p.A, p.mean, p.standard_deviation, p.d, p.e, options), draw_adjoint.mean,
      draw_adjoint.standard_deviation, density.value, density.gradient.mean, density.gradient.standard_deviation,
      null_space_log_density(p.A, p.mean, p.standard_deviation, p.y, options, m), crps.value, crps.gradient.mean,
      crps.gradient.standard_deviation, likelihood.value, likelihood.gradient.mean, entropy.value,
      entropy.standard_deviation;
  return all;
}

bool same_bits(const RowMatrix& a, Eigen::Index i, const RowMatrix& b, Eigen::Index j) {
  return std::memcmp(a.row(i).data(), b.row(j).data(), static_cast<std::size_t>(a.cols()) * sizeof(double)) == 0;
}

/// Every sample has laws of its own.
RandomProblem stacked_problem(Eigen::Index n, Eigen::Index m, Eigen::Index samples, unsigned seed) {
  RandomProblem problem(n, m, samples, seed);
  problem.A.resize(samples * m, n);
  for (Eigen::Index s = 0; s < samples; ++s) {
    problem.A.middleRows(s * m, m) = RandomProblem(n, m, 1, seed + 100 + static_cast<unsigned>(s)).A;
    problem.d.row(s) = problem.A.middleRows(s * m, m) * problem.y.row(s).transpose();
  }
  return problem;
}

RandomProblem one_sample(const RandomProblem& p, Eigen::Index s) {
  const Eigen::Index m = p.d.cols();
  RandomProblem one(p.mean.cols(), m, 1, 1);
  one.A = p.A.middleRows(s * m, m);
  one.mean = p.mean.row(s);
  one.standard_deviation = p.standard_deviation.row(s);
  one.d = p.d.row(s);
  one.e = p.e.row(s);
  one.y = p.y.row(s);
  return one;
}

class StackedLaws : public testing::TestWithParam<std::pair<int, int>> {
 protected:
  Eigen::Index n = GetParam().first, m = GetParam().second;
};
INSTANTIATE_TEST_SUITE_P(Problems, StackedLaws,
                         testing::Values(std::pair(1, 1), std::pair(5, 1), std::pair(7, 3), std::pair(13, 8),
                                         std::pair(23, 11)));

TEST_P(StackedLaws, GiveWhatEachSampleGivesAlone) {
  const RandomProblem p = stacked_problem(n, m, 17, 601);
  const RowMatrix all = everything(p, {1, false});
  const RowMatrix threads = everything(p, {3, false});
  for (Eigen::Index s = 0; s < 17; ++s) {
    EXPECT_TRUE(same_bits(all, s, everything(one_sample(p, s)), 0)) << s;
    EXPECT_TRUE(same_bits(all, s, threads, s)) << s;
  }
}

TEST_P(StackedLaws, BadOnesAreTheSamplesOwnAffair) {
  const RandomProblem good = stacked_problem(n, m, 17, 607);
  const RowMatrix expected = everything(good);
  RandomProblem bad = good;
  bad.A.row(3 * m + m - 1).setZero();
  bad.A(5 * m, n - 1) = std::nan("");
  bad.A(16 * m + m - 1, 0) = std::numeric_limits<double>::infinity();
  if (m > 1) bad.A.row(9 * m + 1) = -3.0 * bad.A.row(9 * m);
  for (const bool drop : {false, true}) {
    const RowMatrix found = everything(bad, {2, drop});
    const std::vector<Status> status =
        conditional_moments(bad.A, bad.mean, bad.standard_deviation, bad.d, {2, drop}).status;
    EXPECT_EQ(status[3], drop ? Status::inconsistent_laws : Status::rank_deficient);
    EXPECT_EQ(status[5], Status::non_finite);
    EXPECT_EQ(status[16], Status::non_finite);
    if (m > 1) {
      EXPECT_EQ(status[9], drop ? Status::inconsistent_laws : Status::rank_deficient);
    }
    for (Eigen::Index s = 0; s < 17; ++s) {
      if (s == 3 || s == 5 || s == 16 || (m > 1 && s == 9)) {
        EXPECT_TRUE(found.row(s).head(7 * n).array().isNaN().all()) << s;
      } else {
        EXPECT_TRUE(same_bits(found, s, expected, s)) << s;
      }
    }
  }
}

TEST(StackedLawsOf, TheWrongShapeAreRefused) {
  const RandomProblem p = stacked_problem(5, 2, 3, 611);
  const RowMatrix A = p.A.topRows(5);
  expect_error(Status::shape_mismatch, [&] { conditional_moments(A, p.mean, p.standard_deviation, p.d); },
               "conditional_moments", "5 x 5", "2 x 5", "6 x 5");
}

TEST(DependentRows, AreDroppedIfTheyAgree) {
  // Row 1 follows from row 0, row 3 from rows 0 and 2; the rest is another problem with the same answer.
  const RandomProblem few(9, 3, 5, 613);
  RandomProblem many(9, 5, 5, 613);
  many.mean = few.mean, many.standard_deviation = few.standard_deviation, many.e = few.e, many.y = few.y;
  many.A << few.A.row(0), -2.0 * few.A.row(0), few.A.row(1), 0.3 * few.A.row(0) + 0.7 * few.A.row(1), few.A.row(2);
  many.d << few.d.col(0), -2.0 * few.d.col(0), few.d.col(1), 0.3 * few.d.col(0) + 0.7 * few.d.col(1), few.d.col(2);
  EXPECT_EQ(conditional_moments(many.A, many.mean, many.standard_deviation, many.d).status[0],
            Status::rank_deficient);
  const RowMatrix found = everything(many, {0, true}), expected = everything(few);
  for (Eigen::Index i = 0; i < found.size(); ++i)
    EXPECT_NEAR(found.data()[i], expected.data()[i], 1e-9 * (1.0 + std::abs(expected.data()[i]))) << i;
  // A sample with all its rows is what it is without the option.
  const RowMatrix same = everything(few, {0, true});
  for (Eigen::Index s = 0; s < 5; ++s) EXPECT_TRUE(same_bits(same, s, expected, s));

  many.d(2, 3) *= 1.0 + 1e-6;
  const ConditionalMoments moments =
      conditional_moments(many.A, many.mean, many.standard_deviation, many.d, {0, true});
  EXPECT_EQ(moments.status[1], Status::ok);
  EXPECT_EQ(moments.status[2], Status::inconsistent_laws);
}

TEST(DependentRows, MayFollowFromKnownOutputs) {
  // y0 is known to be 2: the second law says so again.
  RowMatrix A(2, 3), mean(1, 3), s(1, 3), d(1, 2);
  A << 1.0, 1.0, 1.0, 3.0, 0.0, 0.0;
  mean << 2.0, 0.0, 1.0;
  s << 0.0, 1.0, 1.0;
  d << 4.0, 6.0;
  EXPECT_EQ(conditional_moments(A, mean, s, d).status[0], Status::rank_deficient);
  const ConditionalMoments moments = conditional_moments(A, mean, s, d, {0, true});
  ASSERT_EQ(moments.status[0], Status::ok);
  EXPECT_NEAR(moments.mean(0, 1), 0.5, 1e-15);
  EXPECT_NEAR(moments.variance(0, 2), 0.5, 1e-15);
  d(0, 1) = 6.1;
  EXPECT_EQ(conditional_moments(A, mean, s, d, {0, true}).status[0], Status::inconsistent_laws);
}

TEST(Diagnoses, NameLawRowAndSample) {
  const std::vector<std::string> names{"water", "energy"};
  const RandomProblem good = stacked_problem(4, 2, 6, 617);
  const auto expect = [&](const std::function<void(RandomProblem&)>& spoil, Status status, LawFault fault,
                          const std::string& first, const std::string& second) {
    RandomProblem p = good;
    spoil(p);
    const std::vector<LawDiagnosis> found = diagnose_laws(p.A, p.mean, p.standard_deviation, p.d);
    EXPECT_EQ(found[4].fault, fault);
    EXPECT_EQ(found[4].status, status);
    EXPECT_EQ(found[3].status, Status::ok);
    expect_error(status, [&] { require_ok(found, names); }, "sample 4", first, second);
    const Status batch = conditional_moments(p.A, p.mean, p.standard_deviation, p.d).status[4];
    EXPECT_EQ(batch, status == Status::inconsistent_laws ? Status::rank_deficient : status);
  };
  const double nan = std::nan("");
  expect([&](auto& p) { p.A(9, 2) = nan; }, Status::non_finite, LawFault::coefficient_not_finite,
         "row 1 of A (law 'energy')", "the coefficient of output 2 is nan");
  expect([&](auto& p) { p.d(4, 0) = nan; }, Status::non_finite, LawFault::right_hand_side_not_finite, "law 'water'",
         "right-hand side");
  expect([&](auto& p) { p.mean(4, 3) = nan; }, Status::non_finite, LawFault::mean_not_finite, "output 3", "mean");
  expect([&](auto& p) { p.standard_deviation(4, 0) = nan; }, Status::non_finite, LawFault::deviation_not_finite,
         "output 0", "standard deviation");
  expect([&](auto& p) { p.standard_deviation(4, 1) = -0.25; }, Status::invalid_argument,
         LawFault::deviation_negative, "output 1 is -0.25", "expected 0 or a positive number");
  expect([&](auto& p) { p.A.row(9).setZero(), p.d(4, 1) = 0.0; }, Status::rank_deficient, LawFault::zero_row,
         "law 'energy'", "every coefficient is zero");
  expect([&](auto& p) { p.A.row(9) = 2.0 * p.A.row(8), p.d(4, 1) = 2.0 * p.d(4, 0); }, Status::rank_deficient,
         LawFault::rank_lost, "law 'energy'", "rank 1");
  expect([&](auto& p) { p.A.row(9) = 2.0 * p.A.row(8), p.d(4, 1) = 3.0; }, Status::inconsistent_laws,
         LawFault::contradiction, "law 'energy'", "contradicts");

  const std::vector<LawDiagnosis> ok = diagnose_laws(good.A, good.mean, good.standard_deviation, good.d);
  require_ok(ok);
  EXPECT_EQ(ok[0].rank, 2);
  EXPECT_EQ(ok[0].row, 1);
  RandomProblem near = good;
  near.A.row(1) = near.A.row(0);
  near.A(1, 0) += 1e-7;
  const LawDiagnosis diagnosis = diagnose_laws(near.A, near.mean, near.standard_deviation, near.d)[0];
  EXPECT_EQ(diagnosis.rank, 2);
  EXPECT_LT(diagnosis.smallest_pivot, 1e-13);
  EXPECT_GT(diagnosis.smallest_pivot, 1e-16);
  expect_error(Status::shape_mismatch, [&] { diagnose_laws(near.A.topRows(3), near.mean, near.mean, near.d); });
  // A shared A at fault is every sample's.
  RowMatrix shared = good.A.topRows(2);
  shared(1, 1) = nan;
  EXPECT_EQ(diagnose_laws(shared, good.mean, good.standard_deviation, good.d)[5].fault,
            LawFault::coefficient_not_finite);
}

TEST(StackedLawsOf, InputsAreEvaluatedASample) {
  const StateLayout layout({{"level", DimensionKind::level, 3, false}},
                           {tests::make_variable("a", Role::input), tests::make_variable("w", Role::input, {"level"}),
                            tests::make_variable("p", Role::output),
                            tests::make_variable("u", Role::output, {"level"})});
  const LinearConstraints laws(
      layout, {tests::make_law("sum", {{"u", tests::symbol("w")}, {"p", tests::number(-1.0)}}),
               tests::make_law("ratio", {{"p", tests::symbol("a")}}, tests::symbol("a"))}, {});
  RowMatrix inputs(3, 4);
  inputs << 2.0, 1.0, 2.0, 3.0, -1.0, 0.5, 0.0, 4.0, 5.0, 7.0, 7.5, 8.0;
  const RowMatrix A = laws.stacked_A(inputs);
  ASSERT_EQ(A.rows(), 6);
  for (Eigen::Index s = 0; s < 3; ++s)
    EXPECT_EQ(RowMatrix(A.middleRows(2 * s, 2)), laws.A({inputs.data() + 4 * s, 4}));
  inputs(1, 0) = 0.0;
  expect_error(Status::rank_deficient, [&] { static_cast<void>(laws.stacked_A(inputs)); }, "'ratio'", "row 1",
               "sample 1");
  EXPECT_EQ(laws.stacked_A(inputs, BadRow::keep).row(3).norm(), 0.0);
  inputs(2, 3) = std::nan("");
  inputs(1, 0) = 1.0;
  expect_error(Status::non_finite, [&] { static_cast<void>(laws.stacked_A(inputs)); }, "'sum'", "row 0", "sample 2",
               "output 3");
}

TEST(ReducedCoordinates, LeaveTheDensityOfTheFreeOutputs) {
  const RandomProblem p(9, 4, 5, 619);
  const QuadConditional first(p.A, p.mean.row(0), p.standard_deviation.row(0), p.d.row(0));
  const std::vector<Eigen::Index> dependent(first.dependent.begin(), first.dependent.end());
  const LogDensity density =
      conditional_log_density(p.A, p.mean, p.standard_deviation, p.d, p.y, true, {}, dependent);
  const LogDensity surface = conditional_log_density(p.A, p.mean, p.standard_deviation, p.d, p.y, true);
  EXPECT_EQ(density.gradient.mean, surface.gradient.mean);
  for (Eigen::Index s = 0; s < 5; ++s) {
    const QuadConditional oracle(p.A, p.mean.row(s), p.standard_deviation.row(s), p.d.row(s));
    const double expected = oracle.reduced_log_density(p.y.row(s));
    EXPECT_NEAR(density.value[s], expected, 1e-10 * std::max(1.0, std::abs(expected)));
    EXPECT_GT(std::abs(surface.value[s] - expected), 1e-3);
  }
  // A sum of n outputs: 1/2 log n between the two.
  const RowMatrix ones = RowMatrix::Ones(1, 9);
  const RowMatrix d = p.y.rowwise().sum();
  const double difference =
      conditional_log_density(ones, p.mean, p.standard_deviation, d, p.y, false, {}, {2}).value[0] -
      conditional_log_density(ones, p.mean, p.standard_deviation, d, p.y, false).value[0];
  EXPECT_NEAR(difference, 0.5 * std::log(9.0), 1e-13);
  // A known output cannot be a dependent one; with another choice it leaves the density.
  RowMatrix s = p.standard_deviation;
  s(1, 2) = 0.0;
  RowMatrix y = p.y;
  y(1, 2) = p.mean(1, 2);
  const RowMatrix moved = y.rowwise().sum();
  EXPECT_EQ(conditional_log_density(ones, p.mean, s, moved, y, false, {}, {2}).status[1], Status::invalid_argument);
  const LogDensity known = conditional_log_density(ones, p.mean, s, moved, y, false, {}, {3});
  const LogDensity known_surface = conditional_log_density(ones, p.mean, s, moved, y, false);
  EXPECT_NEAR(known.value[1] - known_surface.value[1], 0.5 * std::log(8.0), 1e-13);
  for (const std::vector<Eigen::Index>& wrong : {std::vector<Eigen::Index>{1, 2}, {9}, {-1}})
    expect_error(Status::invalid_argument,
                 [&] { conditional_log_density(ones, p.mean, s, moved, y, false, {}, wrong); }, "dependent_outputs");
}

TEST(Entropy, IsThatOfTheNullCoordinates) {
  for (const auto& [n, m] : {std::pair(1, 0), std::pair(3, 3), std::pair(5, 1), std::pair(13, 4), std::pair(60, 30)}) {
    const RandomProblem p(n, m, 3, 631);
    const ConditionalEntropy entropy = conditional_entropy(p.A, p.standard_deviation, true);
    for (Eigen::Index s = 0; s < 3; ++s) {
      ASSERT_EQ(entropy.status[static_cast<std::size_t>(s)], Status::ok);
      const tests::DenseConditional dense(p.A, p.mean.row(s), p.standard_deviation.row(s), p.d.row(s));
      const tests::Matrix covariance = dense.N.transpose() * dense.covariance * dense.N;
      const double expected =
          0.5 * (n - m) * (std::log(2.0 * M_PI) + 1.0) + 0.5 * tests::log_abs_det(covariance);
      EXPECT_NEAR(entropy.value[s], expected, 1e-11 * std::max(1.0, std::abs(expected)));
    }
    if (m == n || n > 20) continue;
    const RowMatrix slope = tests::numerical_gradient(
        [&](const RowMatrix& s) { return conditional_entropy(p.A, s, false, {1, false}).value.sum(); },
        p.standard_deviation);
    EXPECT_LE(tests::relative_difference(entropy.standard_deviation, slope), 1e-7);
  }
}

}  // namespace
}  // namespace lavoisier
