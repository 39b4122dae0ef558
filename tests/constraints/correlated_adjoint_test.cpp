// Every adjoint of the low-rank and the full family against central differences.

#include "correlated_problem.hpp"
#include "differences.hpp"

#include <gtest/gtest.h>

#include <algorithm>
#include <vector>

namespace lavoisier {
namespace {

using tests::CorrelatedProblem;
using tests::numerical_gradient;
using tests::relative_difference;

constexpr double tolerance = 1e-7;

struct Size {
  int n, m, r;
  bool own_laws;
};
std::ostream& operator<<(std::ostream& out, const Size& size) {
  return out << "n" << size.n << "_m" << size.m << "_r" << size.r << (size.own_laws ? "_own" : "_shared");
}

template <class Value>
void expect_gradient(const CorrelatedProblem& problem, const LowRankGradient& gradient, const Value& value) {
  const auto of_mean = [&](const RowMatrix& x) { return value(LowRankGaussian{x, problem.s, problem.U}); };
  const auto of_s = [&](const RowMatrix& x) { return value(LowRankGaussian{problem.mean, x, problem.U}); };
  const auto of_U = [&](const RowMatrix& x) { return value(LowRankGaussian{problem.mean, problem.s, x}); };
  EXPECT_LE(relative_difference(gradient.mean, numerical_gradient(of_mean, problem.mean)), tolerance);
  EXPECT_LE(relative_difference(gradient.standard_deviation, numerical_gradient(of_s, problem.s)), tolerance);
  EXPECT_LE(relative_difference(gradient.factor, numerical_gradient(of_U, problem.U)), tolerance);
}
template <class Value>
void expect_gradient(const CorrelatedProblem& problem, const FullGradient& gradient, const Value& value) {
  const auto of_mean = [&](const RowMatrix& x) { return value(FullGaussian{x, problem.L}); };
  const auto of_L = [&](const RowMatrix& x) { return value(FullGaussian{problem.mean, x}); };
  EXPECT_LE(relative_difference(gradient.mean, numerical_gradient(of_mean, problem.mean)), tolerance);
  // Nothing above the diagonal is read: differences there are zero, and so is the gradient.
  EXPECT_LE(relative_difference(gradient.lower, numerical_gradient(of_L, problem.L)), tolerance);
}

class CorrelatedAdjoints : public testing::TestWithParam<Size> {
 protected:
  Eigen::Index n = GetParam().n, m = GetParam().m, r = GetParam().r;
  CorrelatedProblem problem{n, m, r, 2, 801, GetParam().own_laws};
  RowMatrix weight = tests::normals(4, n, 802), other_weight = tests::normals(2, n, 803);
  Eigen::VectorXd scale = tests::normals(n, 1, 804).array().abs() + 0.5;

  template <class Check>
  void both(const Check& check) const {
    check(problem.low_rank(), n + r);
    check(problem.full(), n);
  }
};

INSTANTIATE_TEST_SUITE_P(Problems, CorrelatedAdjoints,
                         testing::Values(Size{1, 0, 1, false}, Size{2, 1, 1, false}, Size{3, 2, 2, true},
                                         Size{5, 0, 2, false}, Size{6, 2, 1, true}, Size{7, 5, 3, false},
                                         Size{11, 8, 2, true}, Size{13, 4, 4, false}));

TEST_P(CorrelatedAdjoints, OfMoments) {
  both([&](const auto& gaussian, Eigen::Index) {
    expect_gradient(problem,
                    conditional_moments_adjoint(problem.A, gaussian, problem.d, weight.topRows(2), other_weight),
                    [&](const auto& x) {
                      const ConditionalMoments moments = conditional_moments(problem.A, x, problem.d);
                      return moments.mean.cwiseProduct(weight.topRows(2)).sum() +
                             moments.variance.cwiseProduct(other_weight).sum();
                    });
  });
}

TEST_P(CorrelatedAdjoints, OfDraws) {
  both([&](const auto& gaussian, Eigen::Index normals) {
    const RowMatrix e = tests::normals(4, normals, 805);  // two draws a sample
    expect_gradient(problem, conditional_draw_adjoint(problem.A, gaussian, problem.d, e, weight), [&](const auto& x) {
      return conditional_draw(problem.A, x, problem.d, e).value.cwiseProduct(weight).sum();
    });
  });
}

TEST_P(CorrelatedAdjoints, OfLogDensity) {
  DensityOptions options;
  options.with_gradient = true;
  both([&](const auto& gaussian, Eigen::Index) {
    expect_gradient(problem, conditional_log_density(problem.A, gaussian, problem.d, problem.y, options).gradient,
                    [&](const auto& x) {
                      return conditional_log_density(problem.A, x, problem.d, problem.y).value.sum();
                    });
  });
}

TEST_P(CorrelatedAdjoints, OfLosses) {
  both([&](const auto& gaussian, Eigen::Index) {
    expect_gradient(problem, conditional_crps_loss(problem.A, gaussian, problem.d, problem.y, scale).gradient,
                    [&](const auto& x) {
                      return conditional_crps_loss(problem.A, x, problem.d, problem.y, scale).value.sum();
                    });
    expect_gradient(problem, conditional_squared_error_loss(problem.A, gaussian, problem.d, problem.y, scale).gradient,
                    [&](const auto& x) {
                      return conditional_squared_error_loss(problem.A, x, problem.d, problem.y, scale).value.sum();
                    });
    expect_gradient(problem, conditional_likelihood_loss(problem.A, gaussian, problem.d, problem.y).gradient,
                    [&](const auto& x) {
                      return conditional_likelihood_loss(problem.A, x, problem.d, problem.y).value.sum();
                    });
  });
}

TEST(CorrelatedAdjoint, OfAStrongCommonFactor) {
  // The law removes nearly all of a factor of size 1e4: FP64 would lose the gradient in s.
  CorrelatedProblem problem(5, 1, 1, 1, 811);
  problem.A.setOnes();
  problem.U.setConstant(1e4);
  problem.d = problem.y * problem.A.transpose();
  const RowMatrix weight = tests::normals(1, 5, 812), none = RowMatrix::Zero(1, 5);
  const LowRankGradient gradient =
      conditional_moments_adjoint(problem.A, problem.low_rank(), problem.d, none, weight);
  const auto value = [&](const RowMatrix& s) {
    return conditional_moments(problem.A, LowRankGaussian{problem.mean, s, problem.U}, problem.d)
        .variance.cwiseProduct(weight)
        .sum();
  };
  EXPECT_LE(relative_difference(gradient.standard_deviation, numerical_gradient(value, problem.s)), tolerance);
}

TEST(CorrelatedAdjoint, OfOutputsWithoutOwnVariance) {
  // s = 0 with U != 0, in fewer outputs than there are factors and in as many: the gradient in s is 0 there (the law
  // depends on s^2), that in the other s and in U is an ordinary one.
  for (const std::vector<Eigen::Index>& bare : {std::vector<Eigen::Index>{3}, std::vector<Eigen::Index>{1, 4}}) {
    CorrelatedProblem problem(6, 2, 2, 1, 813);
    std::vector<Eigen::Index> ordinary;
    for (Eigen::Index j = 0; j < 6; ++j) {
      if (std::find(bare.begin(), bare.end(), j) == bare.end())
        ordinary.push_back(j);
      else
        problem.s(0, j) = 0.0;
    }
    DensityOptions options;
    options.with_gradient = true;
    const auto density = conditional_log_density(problem.A, problem.low_rank(), problem.d, problem.y, options);
    const auto value = [&](const RowMatrix& s, const RowMatrix& U) {
      return conditional_log_density(problem.A, LowRankGaussian{problem.mean, s, U}, problem.d, problem.y).value.sum();
    };
    const auto of_U = [&](const RowMatrix& U) { return value(problem.s, U); };
    EXPECT_LE(relative_difference(density.gradient.factor, numerical_gradient(of_U, problem.U)), tolerance);
    for (const Eigen::Index j : bare) EXPECT_EQ(density.gradient.standard_deviation(0, j), 0.0);
    const auto of_s = [&](const RowMatrix& x) {
      RowMatrix s = problem.s;
      s(0, ordinary) = x;
      return value(s, problem.U);
    };
    const RowMatrix s = problem.s(0, ordinary), s_bar = density.gradient.standard_deviation(0, ordinary);
    EXPECT_LE(relative_difference(s_bar, numerical_gradient(of_s, s)), tolerance);
  }
}

TEST(CorrelatedAdjoint, OfKnownComponents) {
  // Output 1 is known: the density's gradient is 0 in what makes it so, and an ordinary one elsewhere.
  CorrelatedProblem problem(6, 2, 2, 1, 815);
  problem.make_known(1);
  DensityOptions options;
  options.with_gradient = true;
  const auto value = [&](const auto& gaussian) {
    return conditional_log_density(problem.A, gaussian, problem.d, problem.y).value.sum();
  };
  const auto low = conditional_log_density(problem.A, problem.low_rank(), problem.d, problem.y, options).gradient;
  const auto of_s = [&](RowMatrix s) {
    s(0, 1) = 0.0;
    return value(LowRankGaussian{problem.mean, s, problem.U});
  };
  const auto of_U = [&](RowMatrix U) {
    U.middleCols(2, 2).setZero();
    return value(LowRankGaussian{problem.mean, problem.s, U});
  };
  EXPECT_LE(relative_difference(low.standard_deviation, numerical_gradient(of_s, problem.s)), tolerance);
  EXPECT_LE(relative_difference(low.factor, numerical_gradient(of_U, problem.U)), tolerance);
  EXPECT_EQ(low.standard_deviation(0, 1), 0.0);
  EXPECT_EQ(low.factor.middleCols(2, 2).cwiseAbs().maxCoeff(), 0.0);
  const auto full = conditional_log_density(problem.A, problem.full(), problem.d, problem.y, options).gradient;
  const auto of_L = [&](RowMatrix L) {
    L.row(1).setZero();
    L.col(1).setZero();
    return value(FullGaussian{problem.mean, L});
  };
  EXPECT_LE(relative_difference(full.lower, numerical_gradient(of_L, problem.L)), tolerance);
  EXPECT_EQ(full.lower.row(1).cwiseAbs().maxCoeff(), 0.0);
  EXPECT_EQ(full.lower.col(1).cwiseAbs().maxCoeff(), 0.0);
}

}  // namespace
}  // namespace lavoisier
