// Positive and signed outputs together, against a dense conditional Gaussian given p, quadrature and closed forms.

#include <lavoisier/conditional_gamma.hpp>
#include <lavoisier/positive_signed.hpp>
#include <lavoisier/tolerances.hpp>

#include "beta_law.hpp"
#include "differences.hpp"
#include "expect_error.hpp"
#include "goodness_of_fit.hpp"

#include <Eigen/LU>
#include <gtest/gtest.h>

#include <cmath>
#include <functional>
#include <random>

namespace lavoisier {
namespace {

using tests::Matrix;
using tests::Vector;

constexpr double level = 1e-4;

PositiveSigned example(Eigen::Index n_q = 6, Eigen::Index m = 2, Eigen::Index copies = 1, unsigned seed = 11) {
  std::mt19937_64 engine(seed);
  std::normal_distribution<double> normal;
  PositiveSigned law;
  for (Eigen::Index c = 0; c < copies; ++c)
    for (const PositiveFamily family : {PositiveFamily::log_normal, PositiveFamily::gamma,
                                        PositiveFamily::hurdle_log_normal, PositiveFamily::hurdle_gamma})
      law.families.push_back(family);
  const Eigen::Index n_p = 4 * copies;
  law.a = RowMatrix(1, n_p);
  law.b = RowMatrix(1, n_p);
  law.zero = RowMatrix(1, n_p);
  for (Eigen::Index c = 0; c < copies; ++c) {
    law.a.middleCols(4 * c, 4) << -0.3, 0.8, 0.2, 2.5;
    law.b.middleCols(4 * c, 4) << 0.6, 1.4, 0.4, 2.0;
    law.zero.middleCols(4 * c, 4) << 0.5, 0.5, 0.3, 0.6;
  }
  const auto fill = [&](RowMatrix& matrix, Eigen::Index rows, Eigen::Index columns) {
    matrix.resize(rows, columns);
    for (Eigen::Index i = 0; i < matrix.size(); ++i) matrix.data()[i] = normal(engine);
  };
  fill(law.mean, 1, n_q);
  fill(law.standard_deviation, 1, n_q);
  law.standard_deviation = (0.4 * law.standard_deviation.array()).exp().matrix();
  fill(law.A, m, n_p + n_q);
  fill(law.d, 1, m);
  return law;
}

PositiveSigned repeat(const PositiveSigned& law, Eigen::Index count) {
  return {law.families,
          law.a.replicate(count, 1),
          law.b.replicate(count, 1),
          law.zero.replicate(count, 1),
          law.mean.replicate(count, 1),
          law.standard_deviation.replicate(count, 1),
          law.A,
          law.d.replicate(count, 1)};
}

PositiveSignedDraw draw(const PositiveSigned& law, Eigen::Index count, std::uint64_t seed = 1) {
  DrawOptions options;
  options.key.seed = seed;
  PositiveSignedDraw draws = positive_signed_draw(repeat(law, count), options);
  EXPECT_EQ(draws.message, "");
  return draws;
}

Matrix positive_part(const PositiveSigned& law) { return law.A.leftCols(law.a.cols()); }
Matrix signed_part(const PositiveSigned& law) { return law.A.rightCols(law.mean.cols()); }
Vector right_hand_side(const PositiveSigned& law, const RowMatrix& p, Eigen::Index s) {
  return law.d.row(0).transpose() - positive_part(law) * p.row(s).transpose();
}

double positive_cdf(const PositiveSigned& law, Eigen::Index i, double p) {
  const PositiveFamily family = law.families[static_cast<std::size_t>(i)];
  if (family == PositiveFamily::gamma || family == PositiveFamily::hurdle_gamma)
    return 1.0 - tests::upper_gamma(law.a(0, i), law.b(0, i) * p);
  return tests::normal_cdf((std::log(p) - law.a(0, i)) / law.b(0, i));
}

/// Independent uniforms if the draws follow the law: p through its distribution (atoms at random within theirs), q given
/// p whitened by a dense law.
double p_value(const PositiveSigned& law, const RowMatrix& p, const RowMatrix& q) {
  std::mt19937_64 engine(99);
  std::uniform_real_distribution<double> uniform;
  const Matrix A_q = signed_part(law);
  const tests::NullSpaceLaw at_zero(A_q, law.mean.row(0), law.standard_deviation.row(0), law.d.row(0));
  const Matrix S = law.standard_deviation.row(0).array().square().matrix().asDiagonal();
  const Matrix gain = S * A_q.transpose() * (A_q * S * A_q.transpose()).inverse();
  const Matrix u = at_zero.whiten(q + p * (gain * positive_part(law)).transpose());
  Matrix uniforms(p.rows(), p.cols() + u.cols());
  for (Eigen::Index s = 0; s < p.rows(); ++s) {
    for (Eigen::Index i = 0; i < p.cols(); ++i) {
      const PositiveFamily family = law.families[static_cast<std::size_t>(i)];
      const bool atom = family == PositiveFamily::hurdle_log_normal || family == PositiveFamily::hurdle_gamma;
      const double zero = atom ? law.zero(0, i) : 0.0;
      uniforms(s, i) = p(s, i) == 0.0 ? zero * uniform(engine) : zero + (1.0 - zero) * positive_cdf(law, i, p(s, i));
    }
    for (Eigen::Index j = 0; j < u.cols(); ++j) uniforms(s, p.cols() + j) = tests::normal_cdf(u(s, j));
  }
  return tests::joint_uniform_p_value(uniforms);
}

double largest_residual(const PositiveSigned& law, const RowMatrix& p, const RowMatrix& q) {
  double worst = 0.0;
  for (Eigen::Index s = 0; s < p.rows(); ++s) {
    Vector y(p.cols() + q.cols());
    y << p.row(s).transpose(), q.row(s).transpose();
    worst = std::max(worst, tests::relative_residual_of(law.A, y, law.d.row(0)));
  }
  return worst;
}

TEST(PositiveSigned, DrawsFollowTheLaw) {
  for (const auto& [n_q, m, seed] : {std::tuple(6, 2, 11u), std::tuple(3, 1, 12u), std::tuple(7, 6, 13u)}) {
    const PositiveSigned law = example(n_q, m, 1, seed);
    const PositiveSignedDraw y = draw(law, 100000);
    EXPECT_GT(p_value(law, y.p, y.q), level) << n_q;
    EXPECT_LE(largest_residual(law, y.p, y.q), tolerances::identity::relative_fp64);
    EXPECT_GE(y.p.minCoeff(), 0.0);
    EXPECT_GT(y.p.leftCols(2).minCoeff(), 0.0);
  }
}

TEST(PositiveSigned, ManyOutputsAndLaws) {
  const PositiveSigned law = example(140, 50, 15);
  const PositiveSignedDraw y = draw(law, 100000);
  EXPECT_GT(p_value(law, y.p, y.q), level);
  EXPECT_LE(largest_residual(law, y.p, y.q), tolerances::identity::relative_fp64);
}

TEST(PositiveSigned, WrongTwinsFail) {
  const PositiveSigned law = example();
  const PositiveSignedDraw y = draw(law, 100000);
  // The signed block closes the law orthogonally, whatever its variances.
  const Matrix A_q = signed_part(law);
  RowMatrix q = y.q;
  const Matrix pull = A_q.transpose() * (A_q * A_q.transpose()).inverse();
  std::mt19937_64 engine(5);
  std::normal_distribution<double> normal;
  for (Eigen::Index s = 0; s < q.rows(); ++s) {
    for (Eigen::Index j = 0; j < q.cols(); ++j)
      q(s, j) = law.mean(0, j) + law.standard_deviation(0, j) * normal(engine);
    q.row(s) -= (pull * (A_q * q.row(s).transpose() - right_hand_side(law, y.p, s))).transpose();
  }
  EXPECT_LT(p_value(law, y.p, q), level);
  // Everything conditioned as one, then clipped.
  RowMatrix p = y.p;
  p.col(0) = (p.col(0).array() - 0.02).max(0.0);
  EXPECT_LT(p_value(law, p, y.q), level);
  for (const auto part : {&PositiveSigned::a, &PositiveSigned::b, &PositiveSigned::zero})
    for (const Eigen::Index i : {2, 3}) {
      PositiveSigned other = law;
      (other.*part)(0, i) += i == 3 && part != &PositiveSigned::zero ? 0.15 : 0.03;  // 3: a shape and a rate of 2 or more
      const PositiveSignedDraw wrong = draw(other, 100000);
      EXPECT_LT(p_value(law, wrong.p, wrong.q), level) << i;
    }
}

double log_density(const PositiveSigned& law, const RowMatrix& p, const RowMatrix& q,
                   PositiveSignedMeasure measure = PositiveSignedMeasure::product) {
  const PositiveSignedLogDensity density = positive_signed_log_density(law, p, q, measure, false);
  EXPECT_EQ(density.message, "");
  return density.value[0];
}

TEST(PositiveSigned, DensityIsTheDenseOne) {
  const PositiveSigned law = example();
  const PositiveSignedDraw y = draw(law, 50);
  for (Eigen::Index s = 0; s < 50; ++s) {
    double expected = 0.0;
    Matrix free(law.A.rows(), 0);
    for (Eigen::Index i = 0; i < 4; ++i) {
      const double p = y.p(s, i), a = law.a(0, i), b = law.b(0, i);
      if (i >= 2) expected += std::log(p == 0.0 ? law.zero(0, i) : 1.0 - law.zero(0, i));
      if (p == 0.0) continue;
      free.conservativeResize(Eigen::NoChange, free.cols() + 1);
      free.rightCols(1) = law.A.col(i);
      expected += i % 2 == 1 ? a * std::log(b) - std::lgamma(a) + (a - 1.0) * std::log(p) - b * p
                             : tests::log_normal_density(Vector::Constant(1, std::log(p)), Vector::Constant(1, a),
                                                         Matrix::Constant(1, 1, b * b)) - std::log(p);
    }
    const Matrix A_q = signed_part(law);
    expected += tests::DenseConditional(A_q, law.mean.row(0), law.standard_deviation.row(0),
                                        right_hand_side(law, y.p, s)).log_density(y.q.row(s));
    EXPECT_NEAR(log_density(law, y.p.row(s), y.q.row(s)), expected, 1e-10);
    const Matrix gram = A_q * A_q.transpose();
    expected += 0.5 * tests::log_abs_det(gram) - 0.5 * tests::log_abs_det(gram + free * free.transpose());
    EXPECT_NEAR(log_density(law, y.p.row(s), y.q.row(s), PositiveSignedMeasure::surface), expected, 1e-10);
  }
}

TEST(PositiveSigned, DensityIntegratesToOne) {
  PositiveSigned law = example(2, 1);
  law.families = {PositiveFamily::hurdle_gamma};
  law.a = RowMatrix::Constant(1, 1, 3.5);
  law.b = RowMatrix::Constant(1, 1, 2.0);
  law.zero = RowMatrix::Constant(1, 1, 0.3);
  law.A.resize(1, 3);
  law.A << 0.8, 1.5, -0.7;
  const Vector tangent = (Vector(2) << 0.7, 1.5).finished().normalized();
  const Vector normal = (Vector(2) << 1.5, -0.7).finished() / (1.5 * 1.5 + 0.7 * 0.7);
  double stretched = 0.0;
  // Both integrands are smooth and vanish at both ends of the whole line (p = x^2: even in x), where the trapezoidal rule
  // with steps of 0.1 errs by less than rounding does.
  const double h = 0.1;
  const auto over_q = [&](double p) {
    double sum = 0.0;
    for (int i = -240; i <= 240; ++i) {
      const Vector q = normal * (law.d(0, 0) - 0.8 * p) + tangent * (h * i);
      const RowMatrix at = RowMatrix::Constant(1, 1, p), row = q.transpose();
      const double value = log_density(law, at, row);
      // The surface's area for dp dt: |A| / |A_q|.
      stretched = std::exp(log_density(law, at, row, PositiveSignedMeasure::surface) - value);
      sum += h * std::exp(value);
    }
    return sum;
  };
  const double atom = over_q(0.0), at_atom = stretched;
  double rest = 0.0;
  for (int i = 1; i <= 47; ++i) rest += h * 2.0 * (h * i) * over_q(h * i * h * i);
  EXPECT_NEAR(atom, 0.3, 1e-12);
  EXPECT_NEAR(atom + rest, 1.0, 1e-12);
  EXPECT_NEAR(at_atom, 1.0, 1e-12);
  EXPECT_NEAR(stretched, law.A.rightCols(2).norm() / law.A.norm(), 1e-12);
  EXPECT_GT(std::abs(atom + rest / (stretched * stretched) - 1.0), 0.05);  // the wrong sign would show
}

TEST(PositiveSigned, Moments) {
  const PositiveSigned law = example();
  const Eigen::Index count = 100000;
  const PositiveSignedDraw y = draw(law, count);
  const PositiveSignedMoments moments = positive_signed_moments(law);
  const auto check = [&](const RowMatrix& draws, const RowMatrix& mean, const RowMatrix& variance) {
    for (Eigen::Index j = 0; j < draws.cols(); ++j) {
      const Eigen::ArrayXd from_mean = draws.col(j).array() - mean(0, j), squares = from_mean.square() - variance(0, j);
      const double root = std::sqrt(static_cast<double>(count));
      EXPECT_LT(std::abs(from_mean.mean()) * root, 4.5 * std::sqrt(variance(0, j))) << j;
      EXPECT_LT(std::abs(squares.mean()) * root, 4.5 * std::sqrt(squares.square().mean())) << j;
      EXPECT_GT(std::abs(squares.mean() + 0.1 * variance(0, j)) * root, 4.5 * std::sqrt(squares.square().mean()));
    }
  };
  check(y.p, moments.p_mean, moments.p_variance);
  check(y.q, moments.q_mean, moments.q_variance);
  const SignedMoments given = signed_moments_given(law, y.p.topRows(1));
  const tests::DenseConditional dense(signed_part(law), law.mean.row(0), law.standard_deviation.row(0),
                                      right_hand_side(law, y.p, 0));
  EXPECT_LT((given.mean.row(0).transpose() - dense.mean).norm(), 1e-12);
  EXPECT_LT((given.variance.row(0).transpose() - dense.covariance.diagonal()).norm(), 1e-12);
}

using Part = RowMatrix PositiveSigned::*;
using GradientPart = RowMatrix PositiveSignedGradient::*;
struct Parameter {
  Part law;
  GradientPart gradient;
};
const Parameter parameters[] = {{&PositiveSigned::a, &PositiveSignedGradient::a},
                                {&PositiveSigned::b, &PositiveSignedGradient::b},
                                {&PositiveSigned::zero, &PositiveSignedGradient::zero},
                                {&PositiveSigned::mean, &PositiveSignedGradient::mean},
                                {&PositiveSigned::standard_deviation, &PositiveSignedGradient::standard_deviation}};

RowMatrix differences(const PositiveSigned& law, Part part, const std::function<double(const PositiveSigned&)>& loss,
                      double step = 0.0) {
  return tests::numerical_gradient(
      [&](const RowMatrix& x) {
        PositiveSigned moved = law;
        moved.*part = x;
        return loss(moved);
      },
      law.*part, step);
}

TEST(PositiveSigned, DensityAdjoint) {
  const PositiveSigned law = example();
  const PositiveSignedDraw y = draw(law, 6);
  for (Eigen::Index s = 0; s < 6; ++s) {
    const RowMatrix p = y.p.row(s), q = y.q.row(s);
    const PositiveSignedGradient gradient =
        positive_signed_log_density(law, p, q, PositiveSignedMeasure::product, true).gradient;
    for (const Parameter& parameter : parameters)
      EXPECT_LT(tests::relative_difference(
                    gradient.*parameter.gradient,
                    differences(law, parameter.law, [&](const auto& at) { return log_density(at, p, q); })), 1e-7);
  }
}

// With log-normals alone a draw is a smooth function of the parameters: the pathwise adjoint is its derivative.
TEST(PositiveSigned, PathwiseIsTheDrawsDerivative) {
  PositiveSigned law = example();
  law.families.assign(4, PositiveFamily::log_normal);
  const auto loss = [](const PositiveSigned& at) {
    const PositiveSignedDraw y = draw(at, 1, 4);
    return y.p.array().sin().sum() + y.q.array().cube().sum();
  };
  const PositiveSignedDraw y = draw(law, 1, 4);
  DrawOptions options;
  options.key.seed = 4;
  const PositiveSignedGradient gradient = positive_signed_draw_adjoint(
      law, y.p.array().cos().matrix(), (3.0 * y.q.array().square()).matrix(), SignedEstimator::pathwise, options);
  for (const Parameter& parameter : parameters)
    EXPECT_LT(tests::relative_difference(gradient.*parameter.gradient, differences(law, parameter.law, loss)), 1e-7);
}

// E of a quadratic loss has closed-form moments; every estimator must average to its derivative.
TEST(PositiveSigned, EstimatorsAreUnbiased) {
  const PositiveSigned law = example();
  RowMatrix c_p(1, 4), c_q(1, 6);
  c_p << 0.5, -0.2, 0.8, 1.1;
  c_q << 0.4, -1.0, 0.3, 0.9, -0.6, 1.3;
  const auto expectation = [&](const PositiveSigned& at) {
    const PositiveSignedMoments m = positive_signed_moments(at);
    return (m.p_variance + m.p_mean.cwiseAbs2()).cwiseProduct(c_p).sum() +
           (m.q_variance + m.q_mean.cwiseAbs2()).cwiseProduct(c_q).sum();
  };
  const Eigen::Index count = 40000, K = 4, samples = count / K;
  DrawOptions options;
  options.key.seed = 21;
  const PositiveSigned batch = repeat(law, count);
  const PositiveSignedDraw y = positive_signed_draw(batch, options);
  const RowMatrix p_bar = 2.0 * y.p.cwiseProduct(c_p.replicate(count, 1)),
                  q_bar = 2.0 * y.q.cwiseProduct(c_q.replicate(count, 1));
  RowMatrix loss(samples, K);
  for (Eigen::Index s = 0; s < count; ++s)
    loss.data()[s] = 0.5 * (p_bar.row(s).dot(y.p.row(s)) + q_bar.row(s).dot(y.q.row(s)));
  double variance[2] = {0.0, 0.0};
  for (const SignedEstimator estimator : {SignedEstimator::pathwise, SignedEstimator::rao_blackwell}) {
    PositiveSignedGradient gradient = positive_signed_draw_adjoint(batch, p_bar, q_bar, estimator, options);
    EXPECT_EQ(gradient.zero.cwiseAbs().maxCoeff(), 0.0);
    gradient.zero = hurdle_score_function(repeat(law, samples), y.p, loss);
    for (const Parameter& parameter : parameters) {
      const RowMatrix& drawn = gradient.*parameter.gradient;
      const RowMatrix exact = differences(law, parameter.law, expectation);
      for (Eigen::Index j = 0; j < exact.cols(); ++j) {
        const double mean = drawn.col(j).mean();
        const double spread = (drawn.col(j).array() - mean).square().mean();
        EXPECT_LE(std::abs(mean - exact(0, j)), 4.0 * std::sqrt(spread / static_cast<double>(drawn.rows()))) << j;
        if (parameter.law == &PositiveSigned::standard_deviation) variance[static_cast<int>(estimator)] += spread;
      }
    }
  }
  EXPECT_LT(variance[1], variance[0]);
}

TEST(PositiveSigned, Crps) {
  const PositiveSigned law = example();
  const PositiveSignedDraw truth = draw(law, 1, 77);
  const auto estimate = [&](Eigen::Index count, int draws, std::uint64_t seed) {
    DrawOptions options;
    options.key.seed = seed;
    return positive_signed_crps(repeat(law, count), truth.p.replicate(count, 1), truth.q.replicate(count, 1), draws,
                                false, options);
  };
  // Sampled from the definition: (p, q) draws, no closed form.
  const Eigen::Index count = 50000;
  const PositiveSignedDraw x = draw(law, count, 5), z = draw(law, count, 6);
  const PositiveSignedCrps crps = estimate(10000, 3, 7);
  const auto check = [&](const RowMatrix& estimates, const RowMatrix& x_draws, const RowMatrix& z_draws,
                         const RowMatrix& y) {
    for (Eigen::Index j = 0; j < y.cols(); ++j) {
      const Eigen::ArrayXd sampled = (x_draws.col(j).array() - y(0, j)).abs() -
                                     0.5 * (x_draws.col(j) - z_draws.col(j)).array().abs();
      const double mean = estimates.col(j).mean();
      const double error = std::sqrt((sampled - sampled.mean()).square().mean() / static_cast<double>(count) +
                                     (estimates.col(j).array() - mean).square().mean() / 10000.0);
      EXPECT_LT(std::abs(mean - sampled.mean()), 4.0 * error) << j;
    }
  };
  check(crps.p, x.p, z.p, truth.p);
  check(crps.q, x.q, z.q, truth.q);
  // Wrong twin: scores given p, averaged over p.
  const Eigen::Index some = 10000;
  const SignedMoments given = signed_moments_given(repeat(law, some), x.p.topRows(some));
  const RowMatrix averaged = gaussian_crps(given.mean, given.variance, truth.q.replicate(some, 1)).value;
  EXPECT_GT((averaged.colwise().mean() - crps.q.colwise().mean()).cwiseAbs().maxCoeff(), 0.02);
}

TEST(PositiveSigned, CrpsGradient) {
  PositiveSigned law = example();
  const PositiveSignedDraw truth = draw(law, 1, 77);
  {
    PositiveSigned smooth = law;
    smooth.families.assign(4, PositiveFamily::log_normal);
    const auto loss = [&](const PositiveSigned& at) {
      const PositiveSignedCrps crps = positive_signed_crps(at, truth.p, truth.q, 5, false);
      return crps.p.sum() + crps.q.sum();
    };
    const PositiveSignedGradient gradient = positive_signed_crps(smooth, truth.p, truth.q, 5, true).gradient;
    for (const Parameter& parameter : parameters)
      EXPECT_LT(tests::relative_difference(gradient.*parameter.gradient,
                                           differences(smooth, parameter.law, loss, 1e-3)), 1e-7);
  }
  // With atoms and gammas: against differences of expectations, common random numbers.
  const Eigen::Index count = 8000;
  const auto values = [&](const PositiveSigned& at) -> Eigen::VectorXd {
    DrawOptions options;
    options.key.seed = 31;
    const PositiveSignedCrps crps = positive_signed_crps(repeat(at, count), truth.p.replicate(count, 1),
                                                         truth.q.replicate(count, 1), 4, false, options);
    return crps.p.rowwise().sum() + crps.q.rowwise().sum();
  };
  DrawOptions options;
  options.key.seed = 32;
  const PositiveSignedGradient gradient =
      positive_signed_crps(repeat(law, count), truth.p.replicate(count, 1), truth.q.replicate(count, 1), 4, true,
                           options).gradient;
  for (const Parameter& parameter : {parameters[0], parameters[2]})
    for (const Eigen::Index i : {1, 2, 3}) {
      if (parameter.law == &PositiveSigned::zero && i == 1) continue;
      const double h = 0.02;
      PositiveSigned up = law, down = law;
      (up.*parameter.law)(0, i) += h;
      (down.*parameter.law)(0, i) -= h;
      const Eigen::ArrayXd slope = (values(up) - values(down)).array() / (2.0 * h);
      const Eigen::ArrayXd drawn = (gradient.*parameter.gradient).col(i).array();
      const double error = std::sqrt(((slope - slope.mean()).square().mean() + (drawn - drawn.mean()).square().mean()) /
                                     static_cast<double>(count));
      EXPECT_LT(std::abs(slope.mean() - drawn.mean()), 4.0 * error) << i;
    }
}

TEST(PositiveSigned, GivenSharesComposeWithTheSignedBlock) {
  // A Dirichlet group among the positives, passed as given: its law, and the other laws, hold; gradients flow through.
  GammaGivenSum shares{RowMatrix(1, 3), RowMatrix(1, 3), RowMatrix(1, 1), {}, {}};
  shares.A << 1.0, 2.0, 0.5;
  shares.concentration << 0.8, 1.5, 2.0;
  shares.d << 1.7;
  PositiveSigned law = example(5, 2);
  law.families.assign(3, PositiveFamily::given);
  law.A = RowMatrix(law.A.rightCols(8));
  law.b = law.zero = RowMatrix::Zero(1, 3);
  DrawOptions options;
  law.a = gamma_given_sum_draw(shares, options).y;
  options.site = 1;
  const PositiveSignedDraw y = positive_signed_draw(law, options);
  EXPECT_EQ(y.p, law.a);
  EXPECT_LE(largest_residual(law, y.p, y.q), tolerances::identity::relative_fp64);
  const RowMatrix p_bar = RowMatrix::Constant(1, 3, 0.4), q_bar = RowMatrix::Constant(1, 5, -0.7);
  const auto loss = [&](const PositiveSigned& at) {
    const PositiveSignedDraw moved = positive_signed_draw(at, options);
    return moved.p.cwiseProduct(p_bar).sum() + moved.q.cwiseProduct(q_bar).sum();
  };
  EXPECT_LT(tests::relative_difference(
                positive_signed_draw_adjoint(law, p_bar, q_bar, SignedEstimator::pathwise, options).a,
                differences(law, &PositiveSigned::a, loss)), 1e-7);
}

TEST(PositiveSigned, ABadSampleIsNamedAndLeavesTheOthers) {
  PositiveSigned law = repeat(example(), 8);
  DrawOptions options;
  options.laws = {"water", "heat"};
  const PositiveSignedDraw good = positive_signed_draw(law, options);
  law.A = example().A.replicate(8, 1);
  const PositiveSignedDraw stacked = positive_signed_draw(law, options);
  EXPECT_EQ(stacked.q, good.q);
  EXPECT_EQ(stacked.p, good.p);
  law.b(1, 0) = 0.0;
  law.zero(2, 3) = 1.5;
  law.A.row(2 * 3 + 1).rightCols(6) = 2.0 * law.A.row(2 * 3).rightCols(6);
  law.A.row(2 * 4 + 1).rightCols(6).setZero();
  law.mean(5, 2) = std::nan("");
  law.standard_deviation(6, 2) = -1.0;
  const PositiveSignedDraw draws = positive_signed_draw(law, options);
  EXPECT_EQ(draws.status, (std::vector<Status>{Status::ok, Status::invalid_argument, Status::invalid_argument,
                                               Status::rank_deficient, Status::unsupported, Status::non_finite,
                                               Status::invalid_argument, Status::ok}));
  EXPECT_EQ(draws.message, "sample 1: b of positive output 0 is 0, expected a positive number");
  for (const Eigen::Index s : {0, 7}) EXPECT_EQ(draws.q.row(s), good.q.row(s));
  for (const Eigen::Index s : {1, 2, 3, 4, 5, 6}) {
    EXPECT_TRUE(draws.p.row(s).array().isNaN().all());
    EXPECT_TRUE(draws.q.row(s).array().isNaN().all());
  }
  options.threads = 2;
  EXPECT_EQ(positive_signed_draw(law, options).q.row(7), good.q.row(7));
  PositiveSigned one = repeat(example(), 2);
  one.A = law.A.middleRows(4, 4);
  one.A.topRows(2) = law.A.middleRows(6, 2);
  EXPECT_EQ(positive_signed_draw(one, options).message,
            "sample 0: law 'heat' follows from those before it in the signed outputs that vary: expected full rank");

  one = example();
  one.A.row(1).rightCols(6).setZero();
  tests::expect_error(Status::unsupported,
                      [&] { positive_signed_draw(one, options); },
                      "law 'heat' holds positive outputs alone");
  one = example();
  one.A.row(0).setZero();
  tests::expect_error(Status::invalid_argument, [&] { positive_signed_draw(one, options); }, "law 'water' is zero");
  one = example();
  one.a = RowMatrix::Zero(1, 3);
  tests::expect_error(Status::shape_mismatch,
                      [&] { positive_signed_draw(one, options); },
                      "a is 1 x 3, expected 1 x 4");

  const PositiveSigned law_of_eight = repeat(example(), 8);
  RowMatrix p = good.p, q = good.q;
  q(1, 0) += 0.1;
  p(2, 0) = 0.0;
  p(3, 1) = -1.0;
  const PositiveSignedLogDensity density =
      positive_signed_log_density(law_of_eight, p, q, PositiveSignedMeasure::product, true, options);
  EXPECT_EQ(density.status[0], Status::ok);
  EXPECT_EQ(density.status[1], Status::law_violated);
  EXPECT_EQ(density.status[2], Status::out_of_range);
  EXPECT_EQ(density.status[3], Status::out_of_range);
  EXPECT_TRUE(density.gradient.a.row(3).array().isNaN().all());
  tests::expect_error(Status::invalid_argument,
                      [&] { positive_signed_crps(law_of_eight, p, q, 1, false); },
                      "draws is 1, expected 2");
  tests::expect_error(Status::invalid_argument,
                      [&] { positive_signed_crps(law_of_eight, p, q, 2, true); },
                      "draws is 2, expected 3");
}

}  // namespace
}  // namespace lavoisier
