#include <lavoisier/estimators.hpp>
#include <lavoisier/exact_losses.hpp>

#include "differences.hpp"

#include <gtest/gtest.h>

#include <Eigen/Eigenvalues>

#include <functional>
#include <utility>

namespace lavoisier {
namespace {

using tests::DenseConditional;
using tests::Matrix;
using tests::RandomProblem;
using tests::Vector;

using Loss = std::function<BatchLoss(const RowMatrix& mean, const RowMatrix& s)>;

void expect_gradient(const Loss& loss, const RowMatrix& mean, const RowMatrix& s) {
  const BatchLoss result = loss(mean, s);
  for (const Status status : result.status) ASSERT_EQ(status, Status::ok);
  EXPECT_LE(tests::relative_difference(
                result.gradient.mean,
                tests::numerical_gradient([&](const RowMatrix& x) { return loss(x, s).value.sum(); }, mean)),
            1e-7);
  EXPECT_LE(tests::relative_difference(
                result.gradient.standard_deviation,
                tests::numerical_gradient([&](const RowMatrix& x) { return loss(mean, x).value.sum(); }, s)),
            1e-7);
}

/// Composite Gauss-Legendre of 5 points on `panels` equal panels.
double integrate(const std::function<double(double)>& function, double from, double to, int panels) {
  const double nodes[3] = {0.0, std::sqrt(5.0 - 2.0 * std::sqrt(10.0 / 7.0)) / 3.0,
                           std::sqrt(5.0 + 2.0 * std::sqrt(10.0 / 7.0)) / 3.0};
  const double weights[3] = {128.0 / 225.0, (322.0 + 13.0 * std::sqrt(70.0)) / 900.0,
                             (322.0 - 13.0 * std::sqrt(70.0)) / 900.0};
  const double half = 0.5 * (to - from) / panels;
  double sum = 0.0;
  for (int p = 0; p < panels; ++p) {
    const double centre = from + (2 * p + 1) * half;
    sum += weights[0] * function(centre);
    for (int i = 1; i < 3; ++i)
      sum += weights[i] * (function(centre - half * nodes[i]) + function(centre + half * nodes[i]));
  }
  return sum * half;
}

/// E |X| of X ~ N(delta, V) by eigenvalues, |x| = int (1 - exp(-r^2 |x|^2)) dr / (sqrt pi r^2), over r cut into decades.
double dense_expected_norm(const Vector& delta, const Matrix& V) {
  const Eigen::SelfAdjointEigenSolver<Matrix> eigen(V);
  const Vector rotated = eigen.eigenvectors().transpose() * delta;
  const Vector values = eigen.eigenvalues().cwiseMax(0.0);
  const double size = std::sqrt(values.sum() + delta.squaredNorm());
  const auto integrand = [&](double r) {
    double exponent = 0.0;
    for (Eigen::Index i = 0; i < values.size(); ++i)
      exponent -= 0.5 * std::log1p(2.0 * r * r * values[i]) +
                  r * r * rotated[i] * rotated[i] / (1.0 + 2.0 * r * r * values[i]);
    return -std::expm1(exponent) / (r * r);
  };
  double sum = size * 1e-5;  // below 1e-5 / size the integrand is size^2
  for (int decade = -5; decade < 12; ++decade)
    sum += integrate(integrand, std::pow(10.0, decade) / size, std::pow(10.0, decade + 1) / size, 60);
  sum += 1e-12 * size;
  return sum / std::sqrt(M_PI);
}

double dense_energy(const RandomProblem& problem, Eigen::Index s, const Vector& scale) {
  const DenseConditional dense(problem.A, problem.mean.row(s), problem.standard_deviation.row(s), problem.d.row(s));
  const Matrix D = scale.cwiseInverse().asDiagonal();
  const Matrix V = D * dense.covariance * D;
  return dense_expected_norm(D * (dense.mean - problem.y.row(s).transpose()), V) -
         0.5 * dense_expected_norm(Vector::Zero(scale.size()), 2.0 * V);
}

class ExactLosses : public testing::TestWithParam<std::pair<int, int>> {
 protected:
  Eigen::Index n = GetParam().first, m = GetParam().second;
  RandomProblem problem{n, m, 3, 811};
  Vector scale = RandomProblem(n, 0, 1, 812).standard_deviation.row(0).transpose();
  DenseConditional dense(Eigen::Index s) const {
    return {problem.A, problem.mean.row(s), problem.standard_deviation.row(s), problem.d.row(s)};
  }
};
INSTANTIATE_TEST_SUITE_P(Problems, ExactLosses,
                         testing::Values(std::pair(2, 1), std::pair(3, 2), std::pair(5, 0), std::pair(7, 2),
                                         std::pair(13, 4), std::pair(12, 9)));

TEST_P(ExactLosses, SquaredError) {
  const auto loss = [&](const RowMatrix& mean, const RowMatrix& s) {
    return conditional_squared_error_loss(problem.A, mean, s, problem.d, problem.y, scale);
  };
  for (Eigen::Index s = 0; s < 3; ++s) {
    const DenseConditional law = dense(s);
    const Vector error = (law.mean - problem.y.row(s).transpose()).cwiseQuotient(scale);
    const double expected =
        (error.squaredNorm() + law.covariance.diagonal().cwiseQuotient(scale).cwiseQuotient(scale).sum()) /
        static_cast<double>(n);
    EXPECT_NEAR(loss(problem.mean, problem.standard_deviation).value[s], expected, 1e-11 * expected);
  }
  expect_gradient(loss, problem.mean, problem.standard_deviation);
}

TEST_P(ExactLosses, AbsoluteErrorIsTheIntegral) {
  const auto loss = [&](const RowMatrix& mean, const RowMatrix& s) {
    return conditional_absolute_error_loss(problem.A, mean, s, problem.d, problem.y, scale);
  };
  const Vector value = loss(problem.mean, problem.standard_deviation).value;
  for (Eigen::Index s = 0; s < 3; ++s) {
    const DenseConditional law = dense(s);
    double expected = 0.0;
    for (Eigen::Index j = 0; j < n; ++j) {
      const double sigma = std::sqrt(std::max(law.covariance(j, j), 0.0)), error = law.mean[j] - problem.y(s, j);
      const auto side = [&](double sign) {  // over |x|, so that the integrand is smooth
        return integrate(
            [&](double x) {
              const double z = (sign * x - error) / sigma;
              return x * std::exp(-0.5 * z * z) / (sigma * std::sqrt(2.0 * M_PI));
            },
            0.0, 12.0 * sigma + std::abs(error), 400);
      };
      expected += (side(1.0) + side(-1.0)) / (scale[j] * static_cast<double>(n));
    }
    EXPECT_NEAR(value[s], expected, 1e-9 * expected);
  }
  const Vector crps =
      conditional_crps_loss(problem.A, problem.mean, problem.standard_deviation, problem.d, problem.y, scale).value;
  const RowMatrix v = conditional_moments(problem.A, problem.mean, problem.standard_deviation, problem.d).variance;
  for (Eigen::Index s = 0; s < 3; ++s)
    EXPECT_NEAR(value[s] - crps[s],
                (v.row(s).transpose() / M_PI).cwiseSqrt().cwiseQuotient(scale).sum() / static_cast<double>(n),
                1e-13 * value[s]);
  expect_gradient(loss, problem.mean, problem.standard_deviation);
}

TEST_P(ExactLosses, EnergyScoreIsTheDenseOne) {
  const auto loss = [&](const RowMatrix& mean, const RowMatrix& s) {
    return conditional_energy_loss(problem.A, mean, s, problem.d, problem.y, scale);
  };
  for (Eigen::Index s = 0; s < 3; ++s) {
    const double expected = dense_energy(problem, s, scale);
    EXPECT_NEAR(loss(problem.mean, problem.standard_deviation).value[s], expected, 1e-9 * std::abs(expected));
  }
  expect_gradient(loss, problem.mean, problem.standard_deviation);
}

TEST_P(ExactLosses, VariogramScoreIsTheDenseOne) {
  RowMatrix weights = RandomProblem(n, 0, n, 813).standard_deviation;
  weights(0, n - 1) = n > 2 ? 0.0 : 1.0;
  const auto loss = [&](const RowMatrix& mean, const RowMatrix& s) {
    return conditional_variogram_loss(problem.A, mean, s, problem.d, problem.y, scale, weights);
  };
  const Vector value = loss(problem.mean, problem.standard_deviation).value;
  const Vector equal = conditional_variogram_loss(problem.A, problem.mean, problem.standard_deviation, problem.d,
                                                  problem.y, scale)
                           .value;
  for (Eigen::Index s = 0; s < 3; ++s) {
    const DenseConditional law = dense(s);
    double expected = 0.0, expected_equal = 0.0;
    for (Eigen::Index i = 0; i < n; ++i)
      for (Eigen::Index j = i + 1; j < n; ++j) {
        Vector c = Vector::Zero(n);
        c[i] = 1.0 / scale[i];
        c[j] = -1.0 / scale[j];
        const double mu = c.dot(law.mean), sigma = std::sqrt(c.dot(law.covariance * c));
        const double folded = sigma * std::sqrt(2.0 / M_PI) * std::exp(-0.5 * mu * mu / (sigma * sigma)) +
                              mu * std::erf(mu / (sigma * std::sqrt(2.0)));
        const double error = folded - std::abs(c.dot(problem.y.row(s)));
        expected += weights(i, j) * error * error;
        expected_equal += error * error / static_cast<double>(n * (n - 1) / 2);
      }
    EXPECT_NEAR(value[s], expected, 1e-10 * std::max(expected, 1e-3));
    EXPECT_NEAR(equal[s], expected_equal, 1e-10 * std::max(expected_equal, 1e-3));
  }
  expect_gradient(loss, problem.mean, problem.standard_deviation);
}

TEST(EnergyScore, VariancesMaySpanEightDecades) {
  for (const auto& [n, m] : {std::pair<Eigen::Index, Eigen::Index>{2, 1}, {9, 1}, {11, 3}, {20, 5}}) {
    RandomProblem problem(n, m, 3, 821);
    for (Eigen::Index s = 0; s < 3; ++s)
      for (Eigen::Index j = 0; j < n; ++j)
        problem.standard_deviation(s, j) = std::pow(10.0, -4.0 * static_cast<double>((j * 7 + s) % n) / static_cast<double>(n - 1));
    problem.y = problem.mean + problem.standard_deviation.cwiseProduct(problem.e);
    problem.d = problem.y * problem.A.transpose();
    const Vector ones = Vector::Ones(n);
    const auto loss = [&](const RowMatrix& mean, const RowMatrix& s) {
      return conditional_energy_loss(problem.A, mean, s, problem.d, problem.y, ones);
    };
    for (Eigen::Index s = 0; s < 3; ++s) {
      const double expected = dense_energy(problem, s, ones);
      EXPECT_NEAR(loss(problem.mean, problem.standard_deviation).value[s], expected, 1e-6 * expected) << n << ' ' << m;
    }
    // In log s, of which each element is of the size of its share.
    const RowMatrix log_s = problem.standard_deviation.array().log();
    const BatchLoss result = loss(problem.mean, problem.standard_deviation);
    const RowMatrix numerical = tests::numerical_gradient(
        [&](const RowMatrix& x) { return loss(problem.mean, x.array().exp().matrix()).value.sum(); }, log_s, 0.05);
    const RowMatrix gradient = result.gradient.standard_deviation.cwiseProduct(problem.standard_deviation);
    EXPECT_LE(tests::relative_difference(gradient, numerical), 1e-6) << n << ' ' << m;
  }
}

TEST(EnergyScore, OfAnIsotropicGaussianAtItsMean) {
  // E |X| = sigma sqrt 2 Gamma((k + 1) / 2) / Gamma(k / 2), k the dimension of the laws' null space.
  for (const int n : {2, 3, 50, 200}) {
    const double sigma = 0.3, k = n - 1.0;
    const RowMatrix A = RowMatrix::Ones(1, n), mean = RowMatrix::Zero(1, n), s = RowMatrix::Constant(1, n, sigma);
    const double norm = sigma * std::sqrt(2.0) * std::exp(std::lgamma(0.5 * (k + 1.0)) - std::lgamma(0.5 * k));
    const double expected = norm * (1.0 - std::sqrt(0.5));
    EXPECT_NEAR(conditional_energy_loss(A, mean, s, RowMatrix::Zero(1, 1), mean, Vector::Ones(n)).value[0], expected,
                1e-9 * expected);
  }
}

TEST(EnergyScore, OfOneOutputIsItsCrps) {
  const RowMatrix A(0, 1), d(5, 0);
  RowMatrix mean(5, 1), s(5, 1), y = RowMatrix::Zero(5, 1);
  mean << 0.0, 0.3, -2.0, 1e4, 1e-3;
  s << 1.0, 1.0, 0.1, 1e-3, 2.0;
  const BatchLoss energy = conditional_energy_loss(A, mean, s, d, y, Vector::Ones(1));
  const BatchLoss crps = conditional_crps_loss(A, mean, s, d, y, Vector::Ones(1));
  for (Eigen::Index i = 0; i < 5; ++i) {
    EXPECT_NEAR(energy.value[i], crps.value[i], 1e-9 * crps.value[i]);
    EXPECT_NEAR(energy.gradient.mean(i, 0), crps.gradient.mean(i, 0), 1e-8);
    EXPECT_NEAR(energy.gradient.standard_deviation(i, 0), crps.gradient.standard_deviation(i, 0), 1e-8);
  }
}

TEST(ExactLoss, OfKnownOutputsAndOfLawsThatLeaveNothingOpen) {
  RowMatrix A(1, 3), mean(1, 3), s(1, 3), d(1, 1), y(1, 3);
  A << 1.0, 1.0, 0.0;
  mean << 0.5, 0.2, 1.0;
  s << 1.0, 0.0, 0.0;  // the second and third are known, and so the first
  d << 1.0;
  y << 0.1, 0.4, -0.5;
  const Vector ones = Vector::Ones(3);
  const Vector difference = Vector{{0.8, 0.2, 1.0}} - y.row(0).transpose();
  EXPECT_NEAR(conditional_energy_loss(A, mean, s, d, y, ones).value[0], difference.norm(), 1e-14);
  EXPECT_NEAR(conditional_absolute_error_loss(A, mean, s, d, y, ones).value[0], difference.cwiseAbs().mean(), 1e-14);
  EXPECT_TRUE(conditional_variogram_loss(A, mean, s, d, y, ones).gradient.mean.allFinite());
  const RandomProblem square(4, 4, 2, 831);
  const BatchLoss loss = conditional_energy_loss(square.A, square.mean, square.standard_deviation, square.d,
                                                 square.y, Vector::Ones(4));
  EXPECT_LE(loss.value.cwiseAbs().maxCoeff(), 1e-10);
  EXPECT_EQ(loss.gradient.standard_deviation, RowMatrix::Zero(2, 4));
}

TEST(ExactLoss, OneBadSampleLeavesTheOthersAsTheyAreToTheBit) {
  const RandomProblem problem(9, 3, 40, 841);
  RowMatrix broken_s = problem.standard_deviation, broken_y = problem.y;
  broken_s(3, 2) = -1.0;
  broken_y(17, 0) = std::nan("");
  const Vector ones = Vector::Ones(9);
  using Function = std::function<BatchLoss(const RowMatrix&, const RowMatrix&, const BatchOptions&)>;
  const Function functions[] = {
      [&](const RowMatrix& s, const RowMatrix& y, const BatchOptions& options) {
        return conditional_energy_loss(problem.A, problem.mean, s, problem.d, y, ones, options);
      },
      [&](const RowMatrix& s, const RowMatrix& y, const BatchOptions& options) {
        return conditional_variogram_loss(problem.A, problem.mean, s, problem.d, y, ones, {}, options);
      }};
  for (const Function& function : functions) {
    const BatchLoss whole = function(problem.standard_deviation, problem.y, {1});
    const BatchLoss broken = function(broken_s, broken_y, {3});
    for (Eigen::Index s = 0; s < 40; ++s) {
      const auto i = static_cast<std::size_t>(s);
      if (s == 3 || s == 17) {
        EXPECT_EQ(broken.status[i], s == 3 ? Status::invalid_argument : Status::non_finite);
        EXPECT_TRUE(std::isnan(broken.value[s]) && std::isnan(broken.gradient.mean(s, 0)));
        continue;
      }
      EXPECT_EQ(broken.status[i], Status::ok);
      EXPECT_EQ(broken.value[s], whole.value[s]);
      EXPECT_EQ(broken.gradient.mean.row(s), whole.gradient.mean.row(s));
      EXPECT_EQ(broken.gradient.standard_deviation.row(s), whole.gradient.standard_deviation.row(s));
    }
  }
  EXPECT_THROW(conditional_energy_loss(problem.A, problem.mean, problem.standard_deviation, problem.d, problem.y,
                                       Vector::Zero(9)),
               Error);
  EXPECT_THROW(conditional_variogram_loss(problem.A, problem.mean, problem.standard_deviation, problem.d, problem.y,
                                          ones, RowMatrix::Constant(9, 9, -1.0)),
               Error);
}

TEST(ExactLoss, StackedLawsAreThoseOfEachSample) {
  const RandomProblem problem(6, 2, 3, 851);
  const Vector ones = Vector::Ones(6);
  RowMatrix stacked(6, 6), d = problem.d;
  for (Eigen::Index s = 0; s < 3; ++s) {
    stacked.middleRows(2 * s, 2) = RandomProblem(6, 2, 1, 852 + static_cast<unsigned>(s)).A;
    d.row(s) = problem.y.row(s) * stacked.middleRows(2 * s, 2).transpose();
  }
  using Function = std::function<BatchLoss(const RowMatrix&, const RowMatrix&, const RowMatrix&, const RowMatrix&,
                                           const RowMatrix&)>;
  const DrawLoss f = [](Eigen::Index, const double* y, double* g) {
    for (int j = 0; j < 6; ++j) g[j] = y[j];
    return y[0];
  };
  const Function functions[] = {
      [&](const RowMatrix& A, const RowMatrix& mean, const RowMatrix& s, const RowMatrix& b, const RowMatrix& y) {
        return conditional_energy_loss(A, mean, s, b, y, ones);
      },
      [&](const RowMatrix& A, const RowMatrix& mean, const RowMatrix& s, const RowMatrix& b, const RowMatrix& y) {
        return conditional_variogram_loss(A, mean, s, b, y, ones);
      },
      [&](const RowMatrix& A, const RowMatrix& mean, const RowMatrix& s, const RowMatrix& b, const RowMatrix& y) {
        EstimatorOptions options;
        options.sample_ids.assign(static_cast<std::size_t>(y.rows()), 7);
        EstimatedGradient estimate = estimate_gradient(A, mean, s, b, f, options);
        return BatchLoss{estimate.value, estimate.gradient, estimate.status};
      }};
  for (const Function& function : functions) {
    const BatchLoss whole = function(stacked, problem.mean, problem.standard_deviation, d, problem.y);
    for (Eigen::Index s = 0; s < 3; ++s) {
      const BatchLoss one = function(stacked.middleRows(2 * s, 2), problem.mean.row(s),
                                     problem.standard_deviation.row(s), d.row(s), problem.y.row(s));
      EXPECT_EQ(one.value[0], whole.value[s]);
      EXPECT_EQ(one.gradient.mean.row(0), whole.gradient.mean.row(s));
      EXPECT_EQ(one.gradient.standard_deviation.row(0), whole.gradient.standard_deviation.row(s));
    }
  }
}

TEST(InverseNormalCdf, InvertsTheDistribution) {
  for (const double x : {-37.0, -20.0, -8.3, -5.0, -3.0, -1.5, -1.4, -0.7, -0.1, -1e-3}) {
    const double u = 0.5 * std::erfc(-x / std::sqrt(2.0));
    // du = phi dx: u is a rounded number, so x is known to eps u / phi.
    const double phi = std::exp(-0.5 * x * x) / std::sqrt(2.0 * M_PI);
    EXPECT_NEAR(inverse_normal_cdf(u), x, 1e-15 * std::abs(x) + 4e-16 * u / phi + 1e-15 * std::abs(x) * x * x * 0.01) << x;
    if (x > -6.0) {
      EXPECT_NEAR(inverse_normal_cdf(1.0 - u), -x, 2e-15 * std::abs(x) + 2.3e-16 / phi) << x;
    }
  }
  EXPECT_EQ(inverse_normal_cdf(0.5), 0.0);
  EXPECT_NEAR(inverse_normal_cdf(0.975), 1.9599639845400542355, 1e-15);
  EXPECT_EQ(inverse_normal_cdf(0.0), -std::numeric_limits<double>::infinity());
  EXPECT_TRUE(std::isnan(inverse_normal_cdf(1.5)) && std::isnan(inverse_normal_cdf(std::nan(""))));
}

}  // namespace
}  // namespace lavoisier
