// Gammas given weighted sums, against the Dirichlet law by sequential conditionals, quadrature and closed forms.

#include <lavoisier/conditional_gamma.hpp>
#include <lavoisier/tolerances.hpp>

#include "beta_law.hpp"
#include "differences.hpp"
#include "expect_error.hpp"
#include "goodness_of_fit.hpp"

#include <gtest/gtest.h>

#include <cmath>
#include <functional>
#include <vector>

namespace lavoisier {
namespace {

using tests::beta_cdf;
using tests::joint_uniform_p_value;

constexpr Eigen::Index members = 100000;
constexpr double level = 1e-4;

GammaGivenSum repeat(const GammaGivenSum& law, Eigen::Index count) {
  return {law.A, law.concentration.replicate(count, 1), law.d.replicate(count, 1),
          law.slack_location.replicate(law.slack_location.size() ? count : 1, 1),
          law.slack_scale.replicate(law.slack_scale.size() ? count : 1, 1)};
}

GammaGivenSum one_group() {
  GammaGivenSum law{RowMatrix(1, 3), RowMatrix(1, 3), RowMatrix(1, 1), {}, {}};
  law.A << 1.0, 2.0, 5.0;
  law.concentration << 0.7, 1.5, 3.0;
  law.d << 4.0;
  return law;
}

GammaGivenSum two_groups() {
  GammaGivenSum law{RowMatrix(2, 5), RowMatrix(1, 5), RowMatrix(1, 2), {}, {}};
  law.A << 0.0, 1.0, 0.0, 2.0, 5.0, -2.0, 0.0, -0.5, 0.0, 0.0;
  law.concentration << 2.5, 0.7, 0.4, 1.5, 3.0;
  law.d << 4.0, -0.3;
  return law;
}

/// Three of the positive side, two of the negative one.
GammaGivenSum both_signs(double d = 1.2) {
  GammaGivenSum law{RowMatrix(1, 5), RowMatrix(1, 5), RowMatrix(1, 1), RowMatrix(1, 1), RowMatrix(1, 1)};
  law.A << 1.0, -2.0, 0.5, -1.0, 3.0;
  law.concentration << 0.8, 1.7, 2.2, 0.9, 1.4;
  law.d << d;
  law.slack_location << -0.3;
  law.slack_scale << 0.6;
  return law;
}

double largest_residual(const GammaGivenSum& law, const RowMatrix& y) {
  double worst = 0.0;
  for (Eigen::Index s = 0; s < y.rows(); ++s)
    worst = std::max(worst, tests::relative_residual_of(law.A, y.row(s), law.d.row(0)));
  return worst;
}

/// Uniforms that are independent under the law: sequential shares of each side through their beta distributions, and
/// the slack through its normal one.
RowMatrix sequential_uniforms(const GammaGivenSum& law, const RowMatrix& y) {
  std::vector<std::vector<double>> columns;
  for (Eigen::Index k = 0; k < law.A.rows(); ++k) {
    RowMatrix total = RowMatrix::Zero(y.rows(), 2);
    for (const double sign : {1.0, -1.0}) {
      std::vector<Eigen::Index> side;
      for (Eigen::Index j = 0; j < y.cols(); ++j)
        if (law.A(k, j) * sign > 0.0) side.push_back(j);
      double left = 0.0;
      for (const Eigen::Index j : side) left += law.concentration(0, j);
      const Eigen::Index which = sign > 0.0 ? 0 : 1;
      for (const Eigen::Index j : side) total.col(which) += std::abs(law.A(k, j)) * y.col(j);
      RowMatrix rest = total.col(which);
      for (std::size_t i = 0; i + 1 < side.size(); ++i) {
        const Eigen::Index j = side[i];
        left -= law.concentration(0, j);
        std::vector<double> column;
        for (Eigen::Index s = 0; s < y.rows(); ++s) {
          const double term = std::abs(law.A(k, j)) * y(s, j);
          column.push_back(beta_cdf(law.concentration(0, j), left, term / rest(s, 0)));
          rest(s, 0) -= term;
        }
        columns.push_back(column);
      }
    }
    if (law.slack_location.size() == 0) continue;
    std::vector<double> column;
    for (Eigen::Index s = 0; s < y.rows(); ++s) {
      const double slack = std::min(total(s, 0), total(s, 1));
      column.push_back(tests::normal_cdf((std::log(slack) - law.slack_location(0, k)) / law.slack_scale(0, k)));
    }
    columns.push_back(column);
  }
  RowMatrix result(y.rows(), static_cast<Eigen::Index>(columns.size()));
  for (std::size_t c = 0; c < columns.size(); ++c)
    for (std::size_t s = 0; s < columns[c].size(); ++s)
      result(static_cast<Eigen::Index>(s), static_cast<Eigen::Index>(c)) = columns[c][s];
  return result;
}

double p_value(const GammaGivenSum& law, const RowMatrix& y) {
  return joint_uniform_p_value(sequential_uniforms(law, y));
}

RowMatrix draw(const GammaGivenSum& law, Eigen::Index count = members, std::uint64_t seed = 3) {
  DrawOptions options;
  options.key.seed = seed;
  const GammaDraw draws = gamma_given_sum_draw(repeat(law, count), options);
  EXPECT_EQ(draws.message, "");
  return draws.y;
}

TEST(ConditionalGamma, DrawsFollowTheLaw) {
  for (const GammaGivenSum& law : {one_group(), two_groups(), both_signs(1.2), both_signs(-0.7), both_signs(0.0)}) {
    const RowMatrix y = draw(law);
    EXPECT_GT(p_value(law, y), level);
    EXPECT_GE(y.minCoeff(), 0.0);
    EXPECT_LE(largest_residual(law, y), tolerances::identity::relative_fp64);
  }
}

TEST(ConditionalGamma, WrongTwinsFail) {
  const GammaGivenSum law = one_group();
  // Common rate: gammas of one rate scaled onto the law. On the law and positive, of the same proportions of shapes.
  RowMatrix y = draw(law);
  for (Eigen::Index s = 0; s < y.rows(); ++s) {
    y.row(s) = y.row(s).cwiseProduct(law.A.row(0)).eval();
    y.row(s) *= law.d(0, 0) / y.row(s).dot(law.A.row(0));
  }
  EXPECT_LE(largest_residual(law, y), tolerances::identity::relative_fp64);
  EXPECT_LT(p_value(law, y), level);
  // Clip and equalise: shares moved by one amount instead of scaled.
  y = draw(law);
  y.array() -= 0.01;
  y = y.cwiseMax(0.0).eval();
  for (Eigen::Index s = 0; s < y.rows(); ++s)
    y.row(s).array() += (law.d(0, 0) - y.row(s).dot(law.A.row(0))) / law.A.row(0).sum();
  EXPECT_LT(p_value(law, y), level);
  GammaGivenSum other = law;
  other.concentration(0, 1) *= 1.03;
  EXPECT_LT(p_value(law, draw(other)), level);
  other = both_signs();
  other.slack_scale(0, 0) *= 1.03;
  EXPECT_LT(p_value(both_signs(), draw(other)), level);
}

TEST(ConditionalGamma, TinyConcentrationsSurvive) {
  GammaGivenSum law{RowMatrix::Ones(1, 10), RowMatrix::Constant(1, 10, 1e-3), RowMatrix::Constant(1, 1, 3.0), {}, {}};
  const RowMatrix y = draw(law);
  EXPECT_TRUE(y.allFinite());
  EXPECT_LE(largest_residual(law, y), tolerances::identity::relative_fp64);
  // Each output takes more than half with the probability of its beta distribution; wrong twin: twice the first shape.
  const double p = 1.0 - beta_cdf(1e-3, 9e-3, 0.5);
  double statistic = 0.0;
  for (Eigen::Index j = 0; j < 10; ++j) {
    const double seen = static_cast<double>((y.col(j).array() > 1.5).count());
    statistic += std::pow(seen - p * members, 2) / (members * p * (1.0 - p));
  }
  EXPECT_GT(tests::chi_square_p_value(statistic, 10.0), level);
  law.concentration(0, 0) *= 1.1;
  const RowMatrix wrong = draw(law);
  const double seen = static_cast<double>((wrong.col(0).array() > 1.5).count());
  EXPECT_GT(std::abs(seen - p * members) / std::sqrt(members * p * (1.0 - p)), 5.0);
  // Tinier still, and beside a large one.
  law.concentration.setConstant(1e-12);
  EXPECT_TRUE(draw(law, 1000).allFinite());
  law.concentration(0, 3) = 1e12;
  EXPECT_NEAR(draw(law, 100).col(3).minCoeff(), 3.0, 1e-10);
}

TEST(ConditionalGamma, ManyOutputs) {
  const Eigen::Index n = 200, m = 50, count = 100000;
  GammaGivenSum law{RowMatrix::Zero(m, n), RowMatrix(1, n), RowMatrix(1, m), {}, {}};
  for (Eigen::Index j = 0; j < n; ++j) {
    law.A(j % m, j) = 0.5 + static_cast<double>((7 * j) % 11);
    law.concentration(0, j) = std::exp(std::sin(static_cast<double>(3 * j)));
  }
  for (Eigen::Index k = 0; k < m; ++k) law.d(0, k) = std::pow(10.0, 0.2 * static_cast<double>(k) - 5.0);
  const RowMatrix y = draw(law, count);
  EXPECT_GT(p_value(law, y), level);
  EXPECT_LE(largest_residual(law, y), tolerances::identity::relative_fp64);
  const GammaMoments moments = gamma_given_sum_moments(law);
  double worst = 0.0;
  for (Eigen::Index j = 0; j < n; ++j)
    worst = std::max(worst, std::abs(y.col(j).mean() - moments.mean(0, j)) /
                                std::sqrt(moments.variance(0, j) / static_cast<double>(count)));
  EXPECT_LT(worst, 5.0);
}

TEST(ConditionalGamma, Moments) {
  for (const GammaGivenSum& law : {one_group(), two_groups(), both_signs(1.2), both_signs(-0.7)}) {
    const RowMatrix y = draw(law);
    const GammaMoments moments = gamma_given_sum_moments(law);
    for (Eigen::Index j = 0; j < y.cols(); ++j) {
      const Eigen::ArrayXd from_mean = y.col(j).array() - moments.mean(0, j);
      const Eigen::ArrayXd squares = from_mean.square() - moments.variance(0, j);
      const double count = static_cast<double>(members);
      EXPECT_LT(std::abs(from_mean.mean()), 4.5 * std::sqrt(moments.variance(0, j) / count)) << j;
      EXPECT_LT(std::abs(squares.mean()), 4.5 * std::sqrt(squares.square().mean() / count)) << j;
    }
  }
}

double density(const GammaGivenSum& law, const RowMatrix& y, GammaGivenSumMeasure measure) {
  const GammaLogDensity result = gamma_given_sum_log_density(law, y, measure, false);
  EXPECT_EQ(result.message, "");
  return std::exp(result.value[0]);
}

/// Integral over (0, 1) through x = sin^2 t by the trapezoidal rule: exact but for rounding where f is
/// x^(a-1) (1 - x)^(b-1) and 2 a, 2 b are odd (or large) integers.
template <class Function>
double over_unit_interval(int steps, const Function& f) {
  const double h = 0.5 * M_PI / steps;
  double sum = 0.0;
  for (int i = 1; i < steps; ++i) {
    const double s = std::sin(h * i), c = std::cos(h * i);
    sum += 2.0 * h * s * c * f(s * s, c * c);
  }
  return sum;
}

TEST(ConditionalGamma, DensityIntegratesToOneAndGivesTheEntropy) {
  GammaGivenSum law = one_group();
  law.concentration << 2.5, 3.5, 4.5;
  // Outputs 0 and 1 free; an area of the surface is |a| / |a_last| of theirs.
  const double area = law.A.row(0).norm() / law.A(0, 2);
  double surface = 0.0, entropy = 0.0;
  const double reduced = over_unit_interval(150, [&](double u, double rest) {
    return over_unit_interval(150, [&](double first, double second) {
      RowMatrix y(1, 3);
      y << 4.0 * u, 2.0 * rest * first, 0.8 * rest * second;
      const double p = density(law, y, GammaGivenSumMeasure::reduced), q = density(law, y, GammaGivenSumMeasure::surface);
      // u, first -> outputs 0 and 1
      const double jacobian = 8.0 * rest;
      surface = q / p;
      return p * jacobian;
    });
  });
  EXPECT_NEAR(reduced, 1.0, 1e-11);
  EXPECT_NEAR(surface * area, 1.0, 1e-12);
  entropy = over_unit_interval(150, [&](double u, double rest) {
    return over_unit_interval(150, [&](double first, double second) {
      RowMatrix y(1, 3);
      y << 4.0 * u, 2.0 * rest * first, 0.8 * rest * second;
      const double q = density(law, y, GammaGivenSumMeasure::surface);
      return -q * std::log(q) * 8.0 * rest * area;
    });
  });
  // x^4 log x is no trigonometric polynomial: 1e-9 is the rule's.
  EXPECT_NEAR(gamma_given_sum_entropy(law, false).value[0], entropy, 1e-8);
}

TEST(ConditionalGamma, DensityOfBothSignsIntegratesToOne) {
  for (const double d : {0.7, -0.4}) {
    GammaGivenSum law{RowMatrix(1, 3), RowMatrix(1, 3), RowMatrix(1, 1), RowMatrix(1, 1), RowMatrix(1, 1)};
    law.A << 1.5, -2.0, 0.5;
    law.concentration << 2.5, 1.7, 3.5;
    law.d << d;
    law.slack_location << -0.3;
    law.slack_scale << 0.6;
    double ratio = 0.0;
    // Over log T (a normal density: the trapezoidal rule is exact but for rounding), then output 0 within its total.
    double sum = 0.0;
    for (int i = -60; i <= 60; ++i) {
      const double slack = std::exp(-0.3 + 0.1 * i), plus = slack + std::max(d, 0.0), minus = slack + std::max(-d, 0.0);
      sum += 0.1 * over_unit_interval(40, [&](double u, double rest) {
        RowMatrix y(1, 3);
        y << u * plus / 1.5, minus / 2.0, rest * plus / 0.5;
        const double p = density(law, y, GammaGivenSumMeasure::reduced);
        ratio = density(law, y, GammaGivenSumMeasure::surface) / p;
        return p * (plus / 1.5) * (slack / 2.0);
      });
    }
    EXPECT_NEAR(sum, 1.0, 1e-11) << d;
    EXPECT_NEAR(ratio * law.A.row(0).norm() / 0.5, 1.0, 1e-12);
  }
}

using Part = RowMatrix GammaGivenSum::*;
RowMatrix differences(const GammaGivenSum& law, Part part, const std::function<double(const GammaGivenSum&)>& loss) {
  return tests::numerical_gradient(
      [&](const RowMatrix& x) {
        GammaGivenSum moved = law;
        moved.*part = x;
        return loss(moved);
      },
      law.*part);
}

TEST(ConditionalGamma, Adjoints) {
  for (const GammaGivenSum& law : {two_groups(), both_signs(1.2), both_signs(-0.7)}) {
    const bool slack = law.slack_location.size() != 0;
    RowMatrix mean_bar(1, 5), variance_bar(1, 5);
    mean_bar << 0.3, -1.2, 0.7, 0.1, 2.0;
    variance_bar << -0.2, 0.4, 1.1, 0.9, -0.5;
    const auto of_moments = [&](const GammaGivenSum& at) {
      const GammaMoments moments = gamma_given_sum_moments(at);
      return moments.mean.cwiseProduct(mean_bar).sum() + moments.variance.cwiseProduct(variance_bar).sum();
    };
    const GammaGradient moments = gamma_given_sum_moments_adjoint(law, mean_bar, variance_bar);
    const RowMatrix y = draw(law, 1);
    const auto of_density = [&](const GammaGivenSum& at) {
      return gamma_given_sum_log_density(at, y, GammaGivenSumMeasure::surface, false).value[0];
    };
    const GammaGradient density = gamma_given_sum_log_density(law, y, GammaGivenSumMeasure::surface, true).gradient;
    const auto check = [&](const RowMatrix& gradient, Part part, const auto& loss) {
      EXPECT_LT(tests::relative_difference(gradient, differences(law, part, loss)), 1e-7);
    };
    check(moments.concentration, &GammaGivenSum::concentration, of_moments);
    check(density.concentration, &GammaGivenSum::concentration, of_density);
    if (slack) {
      check(moments.slack_location, &GammaGivenSum::slack_location, of_moments);
      check(moments.slack_scale, &GammaGivenSum::slack_scale, of_moments);
      check(density.slack_location, &GammaGivenSum::slack_location, of_density);
      check(density.slack_scale, &GammaGivenSum::slack_scale, of_density);
      EXPECT_EQ(gamma_given_sum_entropy(law, false).status[0], Status::unsupported);
    } else {
      const auto of_entropy = [&](const GammaGivenSum& at) { return gamma_given_sum_entropy(at, false).value[0]; };
      check(gamma_given_sum_entropy(law, true).gradient.concentration, &GammaGivenSum::concentration, of_entropy);
    }
  }
}

// E sum c_j y_j^2 has closed-form moments: the pathwise gradient must average to its derivative.
TEST(ConditionalGamma, PathwiseIsUnbiased) {
  constexpr Eigen::Index repetitions = 40000;
  for (GammaGivenSum law : {two_groups(), both_signs(1.2), both_signs(-0.7)}) {
    law.concentration(0, 2) = 0.05;
    RowMatrix c(1, 5);
    c << 0.5, -1.0, 0.8, 2.0, 0.3;
    const auto expectation = [&](const GammaGivenSum& at) {
      const GammaMoments moments = gamma_given_sum_moments(at);
      return (moments.variance + moments.mean.cwiseAbs2()).cwiseProduct(c).sum();
    };
    DrawOptions options;
    options.key.seed = 8;
    const GammaGivenSum batch = repeat(law, repetitions);
    const RowMatrix y = gamma_given_sum_draw(batch, options).y;
    const RowMatrix y_bar = 2.0 * y.cwiseProduct(c.replicate(repetitions, 1));
    const GammaGradient gradient = gamma_given_sum_draw_adjoint(batch, y_bar, options);
    const auto check = [&](const RowMatrix& drawn, Part part) {
      const RowMatrix exact = differences(law, part, expectation);
      for (Eigen::Index j = 0; j < exact.cols(); ++j) {
        const double mean = drawn.col(j).mean();
        const double error =
            std::sqrt((drawn.col(j).array() - mean).square().mean() / static_cast<double>(repetitions));
        EXPECT_LT(std::abs(mean - exact(0, j)), 4.0 * error) << j;
        if (j == 0) {
          EXPECT_GT(std::abs(1.2 * mean - exact(0, j)), 4.0 * error);  // a fifth too much shows
        }
      }
    };
    check(gradient.concentration, &GammaGivenSum::concentration);
    if (law.slack_location.size() == 0) continue;
    check(gradient.slack_location, &GammaGivenSum::slack_location);
    check(gradient.slack_scale, &GammaGivenSum::slack_scale);
  }
}

TEST(ConditionalGamma, ABadSampleIsNamedAndLeavesTheOthers) {
  GammaGivenSum law = repeat(two_groups(), 6);
  DrawOptions options;
  options.laws = {"water", "ice"};
  const RowMatrix good = gamma_given_sum_draw(law, options).y;
  law.A = two_groups().A.replicate(6, 1);
  EXPECT_EQ(gamma_given_sum_draw(law, options).y, good);
  law.d(1, 1) = 0.3;
  law.concentration(2, 0) = 0.0;
  law.concentration(3, 3) = std::nan("");
  law.A(2 * 4, 0) = 1.0;
  law.d(5, 0) = 0.0;
  const GammaDraw draws = gamma_given_sum_draw(law, options);
  EXPECT_EQ(draws.status, (std::vector<Status>{Status::ok, Status::inconsistent_laws, Status::invalid_argument,
                                               Status::non_finite, Status::unsupported, Status::ok}));
  EXPECT_EQ(draws.message, "sample 1: law 'ice': its right-hand side 0.3 has the sign that no positive outputs give");
  EXPECT_EQ(draws.y.row(0), good.row(0));
  for (const Eigen::Index s : {1, 2, 3, 4}) EXPECT_TRUE(draws.y.row(s).array().isNaN().all());
  // A total of zero leaves nothing to share; the other group is untouched.
  for (const Eigen::Index j : {1, 3, 4}) EXPECT_EQ(draws.y(5, j), 0.0);
  for (const Eigen::Index j : {0, 2}) EXPECT_EQ(draws.y(5, j), good(5, j));
  options.threads = 2;
  EXPECT_EQ(gamma_given_sum_draw(law, options).y.row(5), draws.y.row(5));
  EXPECT_EQ(gamma_given_sum_moments(law).mean(5, 1), 0.0);

  RowMatrix y = draws.y;
  y.row(0) *= 1.001;
  y(5, 0) = 0.0;
  const GammaLogDensity density = gamma_given_sum_log_density(law, y, GammaGivenSumMeasure::surface, true);
  EXPECT_EQ(density.status[0], Status::law_violated);
  EXPECT_EQ(density.status[5], Status::out_of_range);
  GammaGivenSum mixed = both_signs();
  mixed.slack_location.resize(0, 0);
  mixed.slack_scale.resize(0, 0);
  EXPECT_EQ(gamma_given_sum_draw(mixed).message,
            "sample 0: row 0 has both signs: expected slack_location and slack_scale");
  law.A = two_groups().A;
  law.A(1, 1) = 1.0;
  tests::expect_error(Status::unsupported,
                      [&] { gamma_given_sum_draw(law, options); },
                      "law 'ice' and law 'water' both hold output 1");
  law.A = two_groups().A;
  law.A(1, 0) = law.A(1, 2) = 0.0;
  tests::expect_error(Status::invalid_argument, [&] { gamma_given_sum_draw(law, options); }, "output 0 is in no law");
  options.member = {1, 2, 3, 4, 5, std::uint64_t{1} << 32};
  tests::expect_error(Status::out_of_range, [&] { gamma_given_sum_draw(law, options); }, "member of sample 5");
}

}  // namespace
}  // namespace lavoisier
