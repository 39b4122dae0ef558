// The low-rank and the full family against dense matrices, with laws that all samples share and laws of their own.

#include "correlated_problem.hpp"
#include "differences.hpp"
#include "expect_error.hpp"

#include <lavoisier/tolerances.hpp>

#include <Eigen/Cholesky>
#include <gtest/gtest.h>

#include <limits>
#include <tuple>

namespace lavoisier {
namespace {

using tests::CorrelatedProblem;
using tests::DenseCorrelated;
using tests::Matrix;
using tests::relative_difference;
using tests::Vector;

struct Size {
  int n, m, r;
  bool own_laws;
};
std::ostream& operator<<(std::ostream& out, const Size& size) {
  return out << "n" << size.n << "_m" << size.m << "_r" << size.r << (size.own_laws ? "_own" : "_shared");
}

class CorrelatedSizes : public testing::TestWithParam<Size> {
 protected:
  CorrelatedProblem problem{GetParam().n, GetParam().m, GetParam().r, 3, 701, GetParam().own_laws};

  /// check(gaussian, dense law of sample i, S of sample i) for both families.
  template <class Check>
  void both(const Check& check) const {
    check(problem.low_rank(), [&](Eigen::Index i) { return problem.dense_low_rank(i); },
          [&](Eigen::Index i) { return problem.low_rank_covariance(i); }, problem.n + problem.r);
    check(problem.full(), [&](Eigen::Index i) { return problem.dense_full(i); },
          [&](Eigen::Index) { return problem.full_covariance(); }, problem.n);
  }
};

INSTANTIATE_TEST_SUITE_P(
    Problems, CorrelatedSizes,
    testing::Values(Size{1, 0, 1, false}, Size{2, 1, 1, false}, Size{2, 1, 1, true}, Size{3, 2, 2, false},
                    Size{5, 0, 2, false}, Size{7, 3, 1, true}, Size{13, 5, 4, false}, Size{17, 1, 3, true},
                    Size{31, 7, 16, true}, Size{53, 50, 3, false}, Size{101, 23, 5, false}, Size{200, 50, 8, false}));

RowMatrix as_row(const Vector& x) { return x.transpose(); }

TEST_P(CorrelatedSizes, MomentsAreThoseOfTheDenseOracle) {
  both([&](const auto& gaussian, const auto& dense, const auto&, Eigen::Index) {
    const ConditionalMoments moments = conditional_moments(problem.A, gaussian, problem.d);
    for (Eigen::Index i = 0; i < problem.samples; ++i) {
      const DenseCorrelated law = dense(i);
      ASSERT_EQ(moments.status[static_cast<std::size_t>(i)], Status::ok);
      EXPECT_LE(relative_difference(moments.mean.row(i), as_row(law.mean)), 1e-11);
      EXPECT_LE(relative_difference(moments.variance.row(i), as_row(law.covariance.diagonal())), 1e-11);
      EXPECT_LE(tests::relative_residual_of(problem.laws(i), moments.mean.row(i), problem.d.row(i)),
                tolerances::identity::relative_fp64);
    }
  });
}

TEST_P(CorrelatedSizes, CovarianceActsAsTheDenseOne) {
  // The oracle in 64-bit mantissas: in FP64 the dense one errs by 1e-11 where the laws leave 3 of 53 outputs free and
  // cond(W) is 1e5. What is left is ours: eps divided by the least share of its variance that the laws leave an output
  // (1e-3 or more; below, the product is taken in double-double).
  using Wide = Eigen::Matrix<long double, Eigen::Dynamic, Eigen::Dynamic>;
  const RowMatrix x = tests::normals(problem.samples, problem.n, 711);
  both([&](const auto& gaussian, const auto&, const auto& covariance, Eigen::Index) {
    const BatchRows product = conditional_covariance_product(problem.A, problem.m, gaussian, x);
    for (Eigen::Index i = 0; i < problem.samples; ++i) {
      const Wide A = problem.laws(i).template cast<long double>();
      const Wide S = covariance(i).template cast<long double>();
      Wide truth = S * x.row(i).transpose().template cast<long double>();
      if (problem.m > 0) truth -= S * (A.transpose() * Wide(A * S * A.transpose()).llt().solve(A * truth));
      EXPECT_LE(relative_difference(product.value.row(i), RowMatrix(truth.transpose().template cast<double>())), 2e-12);
    }
  });
}

TEST_P(CorrelatedSizes, DrawsMoveTheUnconstrainedOnes) {
  // A draw is the conditional mean that the oracle finds from z in the place of mu.
  const Eigen::Index draws = 2;
  both([&](const auto& gaussian, const auto&, const auto& covariance, Eigen::Index normals) {
    const RowMatrix e = tests::normals(problem.samples * draws, normals, 713);
    const BatchRows y = conditional_draw(problem.A, gaussian, problem.d, e);
    ASSERT_EQ(y.value.rows(), problem.samples * draws);
    for (Eigen::Index i = 0; i < problem.samples; ++i)
      for (Eigen::Index k = i * draws; k < (i + 1) * draws; ++k) {
        Vector z = problem.mean.row(i);
        if (normals > problem.n || problem.r == 0)
          z += problem.s.row(i).cwiseProduct(e.row(k).head(problem.n)).transpose() +
               problem.factor(i) * e.row(k).tail(problem.r).transpose();
        else
          z += problem.L * e.row(k).transpose();
        const DenseCorrelated through(problem.laws(i), z, covariance(i), problem.d.row(i));
        EXPECT_LE(relative_difference(y.value.row(k), as_row(through.mean)), 1e-11);
        EXPECT_LE(tests::relative_residual_of(problem.laws(i), y.value.row(k), problem.d.row(i)),
                  tolerances::identity::relative_fp64);
      }
  });
}

TEST_P(CorrelatedSizes, DensitiesAndEntropyAreTheDenseOnes) {
  DensityOptions reduced;
  for (Eigen::Index k = 0; k < problem.m; ++k) reduced.dependent.push_back(problem.n - 1 - k);
  both([&](const auto& gaussian, const auto& dense, const auto& covariance, Eigen::Index) {
    const auto density = conditional_log_density(problem.A, gaussian, problem.d, problem.y);
    const auto in_reduced = conditional_log_density(problem.A, gaussian, problem.d, problem.y, reduced);
    const BatchRows entropy = conditional_entropy(problem.A, problem.m, gaussian);
    const BatchRows unconstrained = null_space_log_density(problem.A, problem.m, gaussian, problem.y);
    for (Eigen::Index i = 0; i < problem.samples; ++i) {
      const DenseCorrelated law = dense(i);
      const auto expect = [](double value, double truth) {
        EXPECT_NEAR(value, truth, 1e-10 * std::max(1.0, std::abs(truth)));
      };
      expect(density.value[i], law.log_density(problem.y.row(i)));
      expect(entropy.value(i, 0), law.entropy());
      expect(unconstrained.value(i, 0),
             tests::log_normal_density(law.N.transpose() * problem.y.row(i).transpose(),
                                       law.N.transpose() * problem.mean.row(i).transpose(),
                                       law.N.transpose() * covariance(i) * law.N));
      const Eigen::Index free = problem.n - problem.m;
      const Matrix V = law.covariance.topLeftCorner(free, free);
      expect(in_reduced.value[i], tests::log_normal_density(problem.y.row(i).head(free), law.mean.head(free), V));
    }
  });
}

TEST_P(CorrelatedSizes, LossesAreTheirDefinitions) {
  const Eigen::VectorXd scale = tests::normals(problem.n, 1, 717).array().abs() + 0.5;
  both([&](const auto& gaussian, const auto&, const auto&, Eigen::Index) {
    const ConditionalMoments moments = conditional_moments(problem.A, gaussian, problem.d);
    const GaussianCrps crps = gaussian_crps(moments.mean, moments.variance, problem.y);
    const auto loss = conditional_crps_loss(problem.A, gaussian, problem.d, problem.y, scale);
    const auto squared = conditional_squared_error_loss(problem.A, gaussian, problem.d, problem.y, scale);
    const auto likelihood = conditional_likelihood_loss(problem.A, gaussian, problem.d, problem.y);
    const auto density = conditional_log_density(problem.A, gaussian, problem.d, problem.y);
    for (Eigen::Index i = 0; i < problem.samples; ++i) {
      const double truth = (crps.value.row(i).transpose().array() / scale.array()).mean();
      EXPECT_NEAR(loss.value[i], truth, 1e-13 * truth);
      const double square =
          ((problem.y.row(i) - moments.mean.row(i)).transpose().array() / scale.array()).square().mean();
      EXPECT_NEAR(squared.value[i], square, 1e-13 * square);
      EXPECT_EQ(likelihood.value[i], -density.value[i]);
    }
  });
}

TEST(CorrelatedMoments, AreThoseOfTheDiagonalFamilyWithoutFactor) {
  const CorrelatedProblem problem(9, 3, 1, 4, 721);
  const RowMatrix none = RowMatrix::Zero(4, 9);
  const LowRankGaussian gaussian{problem.mean, problem.s, none};
  const ConditionalMoments a = conditional_moments(problem.A, gaussian, problem.d);
  const ConditionalMoments b = conditional_moments(problem.A, problem.mean, problem.s, problem.d);
  EXPECT_LE(relative_difference(a.mean, b.mean), 1e-13);
  EXPECT_LE(relative_difference(a.variance, b.variance), 1e-13);
}

TEST(CorrelatedVariances, DoNotCancel) {
  // One sum law; a common factor of size 1e5 that the law nearly removes. With S = s^2 I + c^2 1 1', the conditional
  // variance is s^2 (1 - 1/n) whatever c is; in FP64 c^2 - c^2 (...) leaves nothing.
  const Eigen::Index n = 5;
  for (const double c : {1.0, 1e5, 1e8}) {
    RowMatrix s = RowMatrix::Constant(1, n, 0.7), U = RowMatrix::Constant(1, n, c);
    const RowMatrix A = RowMatrix::Ones(1, n), mean = RowMatrix::Zero(1, n), d = RowMatrix::Ones(1, 1);
    RowMatrix unit = RowMatrix::Zero(1, n);
    unit(0, 2) = 1.0;
    const LowRankGaussian gaussian{mean, s, U};
    const ConditionalMoments moments = conditional_moments(A, gaussian, d);
    const BatchRows product = conditional_covariance_product(A, 1, gaussian, unit);
    const double truth = 0.49 * 0.8;
    for (Eigen::Index j = 0; j < n; ++j) {
      EXPECT_NEAR(moments.variance(0, j), truth, 1e-13 * truth) << c;
      EXPECT_NEAR(product.value(0, j), j == 2 ? truth : -0.49 * 0.2, 1e-13) << c;
      EXPECT_NEAR(moments.mean(0, j), 0.2, 1e-14);
    }
  }
  // Two outputs of very different size: V = S1 S2 / (S1 + S2) for both.
  RowMatrix L(2, 2), mean(1, 2), A(1, 2), d(1, 1);
  L << 1e4, 0.0, 0.0, 1e-4;
  mean << 1.0, 2.0;
  A << 1.0, 1.0;
  d << 3.0;
  const ConditionalMoments moments = conditional_moments(A, FullGaussian{mean, L}, d);
  EXPECT_NEAR(moments.variance(0, 0), 1e-8, 1e-8 * 1e-14);
  EXPECT_NEAR(moments.variance(0, 1), 1e-8, 1e-8 * 1e-14);
}

TEST(CorrelatedResidual, IsTinyForIllConditionedLaws) {
  CorrelatedProblem problem(20, 6, 3, 2, 727);
  problem.A = tests::with_condition(problem.A, 1e4);  // cond(W) about 1e8
  for (Eigen::Index i = 0; i < 2; ++i) problem.d.row(i) = (problem.A * problem.y.row(i).transpose()).transpose();
  const auto check = [&](const RowMatrix& y) {
    for (Eigen::Index i = 0; i < 2; ++i)
      EXPECT_LE(tests::relative_residual_of(problem.A, y.row(i), problem.d.row(i)),
                tolerances::identity::relative_fp64);
  };
  check(conditional_moments(problem.A, problem.low_rank(), problem.d).mean);
  check(conditional_moments(problem.A, problem.full(), problem.d).mean);
  check(conditional_draw(problem.A, problem.low_rank(), problem.d, tests::normals(2, 23, 728)).value);
  check(conditional_draw(problem.A, problem.full(), problem.d, tests::normals(2, 20, 729)).value);
}

TEST(KnownComponents, MoveToTheRightHandSide) {
  // Output 1 is known: the law of the others with the right-hand side d - a_1 mu_1.
  CorrelatedProblem problem(6, 2, 2, 1, 731);
  problem.make_known(1);
  std::vector<Eigen::Index> rest{0, 2, 3, 4, 5};
  const Matrix A = problem.A(Eigen::all, rest);
  const Vector d = problem.d.row(0).transpose() - problem.A.col(1) * problem.mean(0, 1);
  const auto check = [&](const auto& gaussian, const Matrix& S, Eigen::Index normals) {
    const DenseCorrelated law(A, problem.mean(0, rest), S(rest, rest), d);
    const ConditionalMoments moments = conditional_moments(problem.A, gaussian, problem.d);
    EXPECT_EQ(moments.mean(0, 1), problem.mean(0, 1));
    EXPECT_EQ(moments.variance(0, 1), 0.0);
    EXPECT_LE(relative_difference(moments.mean(0, rest), as_row(law.mean)), 1e-12);
    EXPECT_LE(relative_difference(moments.variance(0, rest), as_row(law.covariance.diagonal())), 1e-12);
    const BatchRows draw = conditional_draw(problem.A, gaussian, problem.d, tests::normals(1, normals, 732));
    EXPECT_EQ(draw.value(0, 1), problem.mean(0, 1));
    DensityOptions options;
    options.with_gradient = true;
    const auto density = conditional_log_density(problem.A, gaussian, problem.d, problem.y, options);
    EXPECT_NEAR(density.value[0], law.log_density(problem.y(0, rest)), 1e-10);
    EXPECT_NEAR(conditional_entropy(problem.A, 2, gaussian).value(0, 0), law.entropy(), 1e-10);
    EXPECT_TRUE(density.gradient.mean.allFinite());
    options.dependent = {0, 1};  // a known output cannot depend on others
    EXPECT_EQ(conditional_log_density(problem.A, gaussian, problem.d, problem.y, options).status[0],
              Status::rank_deficient);
    const Matrix N = tests::null_basis(problem.A);
    const BatchRows unconstrained = null_space_log_density(problem.A, 2, gaussian, problem.y);
    EXPECT_NEAR(unconstrained.value(0, 0),
                tests::log_normal_density(N.transpose() * problem.y.row(0).transpose(),
                                          N.transpose() * problem.mean.row(0).transpose(), N.transpose() * S * N),
                1e-10);
    RowMatrix other = problem.y;
    other(0, 1) += 0.5;
    const RowMatrix d_other = other * problem.A.transpose();
    EXPECT_EQ(conditional_log_density(problem.A, gaussian, d_other, other).value[0],
              -std::numeric_limits<double>::infinity());
  };
  check(problem.low_rank(), problem.low_rank_covariance(0), 8);
  check(problem.full(), problem.full_covariance(), 6);
}

TEST(LowRankFamily, OutputsWithoutOwnVarianceAreOrdinary) {
  // s = 0 with U != 0 in as many outputs as there are factors: S is regular, no D^-1.
  CorrelatedProblem problem(7, 2, 3, 1, 733);
  for (const Eigen::Index j : {0, 3, 5}) problem.s(0, j) = 0.0;
  const DenseCorrelated law = problem.dense_low_rank(0);
  const auto density = conditional_log_density(problem.A, problem.low_rank(), problem.d, problem.y);
  EXPECT_EQ(density.status[0], Status::ok);
  EXPECT_NEAR(density.value[0], law.log_density(problem.y.row(0)), 1e-10);
  EXPECT_NEAR(conditional_entropy(problem.A, 2, problem.low_rank()).value(0, 0), law.entropy(), 1e-10);
  const ConditionalMoments moments = conditional_moments(problem.A, problem.low_rank(), problem.d);
  EXPECT_LE(relative_difference(moments.variance, as_row(law.covariance.diagonal())), 1e-12);
  // One more: S is singular, its conditional law has no density, but moments and draws are defined.
  problem.s(0, 6) = 0.0;
  const DenseCorrelated singular = problem.dense_low_rank(0);
  EXPECT_EQ(conditional_log_density(problem.A, problem.low_rank(), problem.d, problem.y).status[0],
            Status::rank_deficient);
  const ConditionalMoments of_singular = conditional_moments(problem.A, problem.low_rank(), problem.d);
  EXPECT_EQ(of_singular.status[0], Status::ok);
  EXPECT_LE(relative_difference(of_singular.variance, as_row(singular.covariance.diagonal())), 1e-12);
}

TEST(LowRankFamily, NearlyEqualFactorsKeepTheirDigits) {
  // Two columns of U, 1e4 times as long as they are apart, in directions that the laws leave free: W is good, but
  // I + U'D^-1 U has a pivot of 1e-8. U U' is that of their sum and difference over sqrt 2, which is good.
  CorrelatedProblem problem(8, 2, 2, 1, 735);
  const Matrix common = tests::null_basis(problem.A).col(0), apart = tests::normals(8, 1, 736);
  Matrix U(8, 2);
  U.col(0) = 1e4 * common;
  U.col(1) = U.col(0) + apart;
  Matrix rotated(8, 2);
  rotated.col(0) = (U.col(0) + U.col(1)) / std::sqrt(2.0);
  rotated.col(1) = (U.col(1) - U.col(0)) / std::sqrt(2.0);
  const auto with = [&](const Matrix& factor) {
    RowMatrix row(1, 16);
    Eigen::Map<RowMatrix>(row.data(), 8, 2) = factor;
    return row;
  };
  const RowMatrix near = with(U), good = with(rotated);
  const LowRankGaussian a{problem.mean, problem.s, near}, b{problem.mean, problem.s, good};
  EXPECT_NEAR(conditional_log_density(problem.A, a, problem.d, problem.y).value[0],
              conditional_log_density(problem.A, b, problem.d, problem.y).value[0], 1e-10);
  EXPECT_NEAR(conditional_entropy(problem.A, 2, a).value(0, 0), conditional_entropy(problem.A, 2, b).value(0, 0), 1e-10);
}

TEST(CorrelatedBatches, OneBadSampleLeavesTheOthersBitwise) {
  const double nan = std::numeric_limits<double>::quiet_NaN();
  for (const bool own_laws : {false, true}) {
    const CorrelatedProblem good(6, 2, 2, 9, 741, own_laws);
    CorrelatedProblem bad = good;
    bad.mean(1, 3) = nan;
    bad.s(2, 0) = -1.0;
    bad.U(3, 4) = std::numeric_limits<double>::infinity();
    bad.d(4, 1) = nan;
    std::vector<Status> low_rank(9, Status::ok), full(9, Status::ok);
    low_rank[1] = full[1] = low_rank[3] = low_rank[4] = full[4] = Status::non_finite;
    low_rank[2] = Status::invalid_argument;
    bad.s.row(5).setZero();  // no variance at all: W = 0
    bad.U.row(5).setZero();
    low_rank[5] = Status::rank_deficient;
    if (own_laws) {
      bad.A.row(2 * 6 + 1) = 3.0 * bad.A.row(2 * 6);  // dependent laws
      bad.A.row(2 * 7).setZero();                     // coefficients that vanish
      bad.A(2 * 8, 2) = nan;
      low_rank[6] = full[6] = low_rank[7] = full[7] = Status::rank_deficient;
      low_rank[8] = full[8] = Status::non_finite;
    }
    const RowMatrix e = tests::normals(9, 8, 742), weight = tests::normals(9, 6, 743);
    const Vector scale = Vector::Ones(6);
    const auto check = [&](const auto& good_gaussian, const auto& bad_gaussian, const std::vector<Status>& expected,
                           Eigen::Index normals) {
      const auto compare = [&](const RowMatrix& of_good, const RowMatrix& of_bad) {
        for (Eigen::Index i = 0; i < 9; ++i) {
          if (expected[static_cast<std::size_t>(i)] == Status::ok)
            EXPECT_EQ(of_good.row(i), of_bad.row(i)) << i;
          else
            EXPECT_TRUE(of_bad.row(i).array().isNaN().all()) << i;
        }
      };
      const ConditionalMoments of_good = conditional_moments(good.A, good_gaussian, good.d);
      const ConditionalMoments of_bad = conditional_moments(bad.A, bad_gaussian, bad.d);
      EXPECT_EQ(of_bad.status, expected);
      compare(of_good.mean, of_bad.mean);
      compare(of_good.variance, of_bad.variance);
      const BatchRows draw = conditional_draw(bad.A, bad_gaussian, bad.d, e.leftCols(normals));
      EXPECT_EQ(draw.status, expected);
      compare(conditional_draw(good.A, good_gaussian, good.d, e.leftCols(normals)).value, draw.value);
      compare(conditional_moments_adjoint(good.A, good_gaussian, good.d, weight, weight).mean,
              conditional_moments_adjoint(bad.A, bad_gaussian, bad.d, weight, weight).mean);
      compare(rao_blackwell_gradient(good.A, good_gaussian, good.d, good.y, weight).mean,
              rao_blackwell_gradient(bad.A, bad_gaussian, bad.d, good.y, weight).mean);
      const auto loss = conditional_crps_loss(bad.A, bad_gaussian, bad.d, good.y, scale);
      EXPECT_EQ(loss.status, expected);
      compare(conditional_crps_loss(good.A, good_gaussian, good.d, good.y, scale).value, loss.value);
      const auto likelihood = conditional_likelihood_loss(bad.A, bad_gaussian, bad.d, good.y);
      EXPECT_EQ(likelihood.status, expected);
      compare(conditional_likelihood_loss(good.A, good_gaussian, good.d, good.y).gradient.mean,
              likelihood.gradient.mean);
    };
    check(good.low_rank(), bad.low_rank(), low_rank, 8);
    check(good.full(), bad.full(), full, 6);
    // Sums over the batch skip the failed samples.
    EXPECT_TRUE(conditional_crps_loss(bad.A, bad.full(), bad.d, good.y, scale).gradient.lower.allFinite());
  }
}

TEST(CorrelatedBatches, DoNotDependOnThreads) {
  for (const bool own_laws : {false, true}) {
    const CorrelatedProblem problem(23, 4, 3, 150, 751, own_laws);
    const Vector scale = Vector::Ones(23);
    BatchOptions one, four;
    one.threads = 1;
    four.threads = 4;
    const auto low_a = conditional_crps_loss(problem.A, problem.low_rank(), problem.d, problem.y, scale, one);
    const auto low_b = conditional_crps_loss(problem.A, problem.low_rank(), problem.d, problem.y, scale, four);
    EXPECT_EQ(low_a.value, low_b.value);
    EXPECT_EQ(low_a.gradient.factor, low_b.gradient.factor);
    const auto full_a = conditional_crps_loss(problem.A, problem.full(), problem.d, problem.y, scale, one);
    const auto full_b = conditional_crps_loss(problem.A, problem.full(), problem.d, problem.y, scale, four);
    EXPECT_EQ(full_a.value, full_b.value);
    EXPECT_EQ(full_a.gradient.lower, full_b.gradient.lower);
  }
}

TEST(CorrelatedDensity, RefusesWhatIsNotOnTheLaws) {
  CorrelatedProblem problem(5, 2, 1, 2, 761);
  problem.y(1, 2) += 0.1;
  const std::vector<Status> expected{Status::ok, Status::law_violated};
  EXPECT_EQ(conditional_log_density(problem.A, problem.low_rank(), problem.d, problem.y).status, expected);
  EXPECT_EQ(conditional_log_density(problem.A, problem.full(), problem.d, problem.y).status, expected);
}

TEST(CorrelatedShapes, AreChecked) {
  const CorrelatedProblem problem(5, 2, 1, 3, 763);
  const RowMatrix wrong = RowMatrix::Zero(3, 4);
  const auto low_rank_moments = [&](const LowRankGaussian& gaussian, const RowMatrix& d) {
    conditional_moments(problem.A, gaussian, d);
  };
  tests::expect_error(
      Status::shape_mismatch, [&] { low_rank_moments(problem.low_rank(), RowMatrix::Zero(2, 2)); }, "d is 2 x 2");
  tests::expect_error(
      Status::shape_mismatch, [&] { low_rank_moments(problem.low_rank(), RowMatrix::Zero(3, 3)); },
      "A is 2 x 5, expected 9 x 5");
  const RowMatrix seven = RowMatrix::Zero(3, 7);
  tests::expect_error(
      Status::shape_mismatch, [&] { low_rank_moments({problem.mean, problem.s, seven}, problem.d); },
      "factor is 3 x 7, expected 3 x 5");
  tests::expect_error(
      Status::shape_mismatch, [&] { conditional_moments(problem.A, FullGaussian{problem.mean, wrong}, problem.d); },
      "lower is 3 x 4, expected 5 x 5");
  tests::expect_error(
      Status::shape_mismatch,
      [&] { conditional_draw(problem.A, problem.low_rank(), problem.d, RowMatrix::Zero(4, 6)); },
      "normals is 4 x 6, expected 3 x 6");
  RowMatrix L = problem.L;
  L(2, 1) = std::numeric_limits<double>::quiet_NaN();
  tests::expect_error(
      Status::invalid_argument, [&] { conditional_moments(problem.A, FullGaussian{problem.mean, L}, problem.d); },
      "lower(2, 1)");
  DensityOptions options;
  options.dependent = {1, 1};
  tests::expect_error(
      Status::invalid_argument,
      [&] { conditional_log_density(problem.A, problem.full(), problem.d, problem.y, options); },
      "dependent[0] is 1");
}

}  // namespace
}  // namespace lavoisier
