#include <lavoisier/estimators.hpp>
#include <lavoisier/exact_losses.hpp>

#include "dense_gaussian.hpp"

#include <gtest/gtest.h>

#include <algorithm>
#include <cmath>
#include <functional>
#include <stdexcept>

namespace lavoisier {
namespace {

using tests::Matrix;
using tests::RandomProblem;
using tests::Vector;

/// Largest |z| over the elements of the mean of `repeats` vectors against `expected`.
class ZScores {
 public:
  explicit ZScores(const Vector& expected)
      : expected_(expected), sum_(Vector::Zero(expected.size())), squares_(Vector::Zero(expected.size())) {}
  void add(const Vector& x) {
    const Vector error = x - expected_;
    sum_ += error;
    squares_ += error.cwiseAbs2();
    count_ += 1.0;
  }
  double largest() const {
    const Vector mean = sum_ / count_;
    const Vector variance = (squares_ / count_ - mean.cwiseAbs2()).cwiseMax(1e-300) / count_;
    return mean.cwiseAbs().cwiseQuotient(variance.cwiseSqrt()).maxCoeff();
  }

 private:
  Vector expected_, sum_, squares_;
  double count_ = 0.0;
};
constexpr double accepted = 4.5;  // of up to a few hundred z-scores in all

struct Setting {
  Eigen::Index n = 6, m = 2;
  RandomProblem problem{6, 2, 1, 911};
  Matrix H;        // of the quadratic loss
  Vector target;
  Setting() {
    const Matrix B = RandomProblem(6, 6, 1, 912).A;
    H = B + B.transpose();
    target = problem.y.row(0);
  }
  double quadratic(const double* y, double* g) const {
    const Eigen::Map<const Vector> at(y, n);
    Eigen::Map<Vector>(g, n) = H * (at - target);
    return 0.5 * (at - target).dot(H * (at - target));
  }
  double absolute(const double* y, double* g) const {
    double sum = 0.0;
    for (Eigen::Index j = 0; j < n; ++j) {
      sum += std::abs(y[j] - target[j]) / static_cast<double>(n);
      g[j] = (y[j] > target[j] ? 1.0 : -1.0) / static_cast<double>(n);
    }
    return sum;
  }
  DrawLoss loss(bool is_quadratic) const {
    return [this, is_quadratic](Eigen::Index, const double* y, double* g) {
      return is_quadratic ? quadratic(y, g) : absolute(y, g);
    };
  }
  /// Of E f: closed form of the absolute error; of the quadratic, H (m - y*) and H / 2 through the dense oracle's V.
  GaussianGradient exact(bool is_quadratic) const {
    if (!is_quadratic)
      return conditional_absolute_error_loss(problem.A, problem.mean, problem.standard_deviation, problem.d,
                                             problem.y, Vector::Ones(n))
          .gradient;
    const auto value = [&](const RowMatrix& mean, const RowMatrix& s) {
      const tests::DenseConditional law(problem.A, mean.row(0), s.row(0), problem.d.row(0));
      return 0.5 * (law.mean - target).dot(H * (law.mean - target)) + 0.5 * (H * law.covariance).trace();
    };
    GaussianGradient gradient{RowMatrix(1, n), RowMatrix(1, n)};
    for (Eigen::Index j = 0; j < n; ++j) {
      const double h = 1e-4;
      RowMatrix up = problem.mean, down = problem.mean;
      up(0, j) += h;
      down(0, j) -= h;
      gradient.mean(0, j) =
          (value(up, problem.standard_deviation) - value(down, problem.standard_deviation)) / (2.0 * h);
      up = down = problem.standard_deviation;
      up(0, j) += h;
      down(0, j) -= h;
      gradient.standard_deviation(0, j) = (value(problem.mean, up) - value(problem.mean, down)) / (2.0 * h);
    }
    return gradient;
  }
  EstimatedGradient estimate(const DrawLoss& f, const EstimatorOptions& options, EstimatorState* state) const {
    return estimate_gradient(problem.A, problem.mean, problem.standard_deviation, problem.d, f, options, state);
  }
};

struct Case {
  Estimator estimator;
  bool with_state;
  int draws;
};

class SampledEstimators : public testing::TestWithParam<std::tuple<Case, bool>> {};

INSTANTIATE_TEST_SUITE_P(
    Unbiased, SampledEstimators,
    testing::Combine(testing::Values(Case{Estimator::pathwise, false, 4}, Case{Estimator::score_function, false, 4},
                                     Case{Estimator::rao_blackwell, false, 1}, Case{Estimator::rao_blackwell, false, 4},
                                     Case{Estimator::rao_blackwell, true, 5}),
                     testing::Bool()));

TEST_P(SampledEstimators, HaveTheExactGradientAsTheirMean) {
  const auto [which, is_quadratic] = GetParam();
  const Setting setting;
  const DrawLoss f = setting.loss(is_quadratic);
  const GaussianGradient exact = setting.exact(is_quadratic);
  const Vector of_mean = exact.mean.row(0), of_s = exact.standard_deviation.row(0);
  ZScores mean(of_mean), s(of_s), wrong(of_s), wrong_mean(of_mean);
  EstimatorState state(setting.n);
  EstimatorOptions options;
  options.estimator = which.estimator;
  options.draws = which.draws;
  EstimatorOptions blind = options;
  blind.estimator = Estimator::marginal_expectation;
  blind.seed = 5;
  for (options.step = 0; options.step < 10000; ++options.step) {
    const Vector b = state.curvature();
    const EstimatedGradient estimate = setting.estimate(f, options, which.with_state ? &state : nullptr);
    ASSERT_EQ(estimate.status[0], Status::ok);
    const Vector got = estimate.gradient.standard_deviation.row(0);
    mean.add(estimate.gradient.mean.row(0));
    s.add(got);
    if (which.with_state) {
      // Wrong twin: the control variate without its expectation.
      const GaussianGradient back =
          conditional_moments_adjoint(setting.problem.A, setting.problem.mean, setting.problem.standard_deviation,
                                      setting.problem.d, RowMatrix::Zero(1, setting.n), 0.5 * b.transpose());
      wrong.add(got - back.standard_deviation.row(0).transpose());
    } else if (which.estimator == Estimator::score_function) {
      // Wrong twin: a baseline that a draw is itself part of scales the gradient by (K - 1) / K.
      wrong.add(got * (which.draws - 1.0) / which.draws);
      wrong_mean.add(estimate.gradient.mean.row(0).transpose() * (which.draws - 1.0) / which.draws);
    } else {
      // Wrong twin: without -2 s_j (A'lambda)_j, which is all that marginal expectation has.
      blind.step = options.step;
      wrong.add(got - setting.estimate(f, blind, nullptr).gradient.standard_deviation.row(0).transpose());
    }
  }
  EXPECT_LE(mean.largest(), accepted);
  EXPECT_LE(s.largest(), accepted);
  EXPECT_GT(std::max(wrong.largest(), which.estimator == Estimator::score_function ? wrong_mean.largest() : 0.0),
            accepted);
}

TEST(MarginalExpectation, HasTheExactGradientInMuAndLacksTheDispersionInS) {
  const Setting setting;
  const DrawLoss f = setting.loss(true);
  const GaussianGradient exact = setting.exact(true);
  // H (m - y*) is all that the mean path sees.
  const tests::DenseConditional law(setting.problem.A, setting.problem.mean.row(0),
                                    setting.problem.standard_deviation.row(0), setting.problem.d.row(0));
  const RowMatrix m_bar = (setting.H * (law.mean - setting.target)).transpose();
  const GaussianGradient of_mean =
      conditional_moments_adjoint(setting.problem.A, setting.problem.mean, setting.problem.standard_deviation,
                                  setting.problem.d, m_bar, RowMatrix::Zero(1, setting.n));
  ZScores mean(exact.mean.row(0)), s(of_mean.standard_deviation.row(0)), biased(exact.standard_deviation.row(0));
  EstimatorOptions options;
  options.estimator = Estimator::marginal_expectation;
  for (options.step = 0; options.step < 4000; ++options.step) {
    const EstimatedGradient estimate = setting.estimate(f, options, nullptr);
    mean.add(estimate.gradient.mean.row(0));
    s.add(estimate.gradient.standard_deviation.row(0));
    biased.add(estimate.gradient.standard_deviation.row(0));
  }
  EXPECT_LE(mean.largest(), accepted);
  EXPECT_LE(s.largest(), accepted);
  EXPECT_GT(biased.largest(), accepted);
}

TEST(RaoBlackwell, IsTheMeanOfPathwiseGivenTheDraw) {
  // Noise along S A' moves A z and leaves y: averaged over it, pathwise is Rao-Blackwell with that y.
  const Setting setting;
  const RandomProblem& problem = setting.problem;
  const Matrix A = problem.A, S = problem.standard_deviation.row(0).array().square().matrix().asDiagonal();
  const Matrix W = A * S * A.transpose(), gain = S * A.transpose() * tests::inverse(W);
  const Vector mean = problem.mean.row(0), s = problem.standard_deviation.row(0);
  const RowMatrix e = problem.e;
  const RowMatrix y = conditional_draw(problem.A, problem.mean, problem.standard_deviation, problem.d, e);
  RowMatrix g(1, setting.n);
  setting.quadratic(y.data(), g.data());
  const Matrix P = Matrix::Identity(setting.n, setting.n) - gain * A;
  const Vector p = P.transpose() * g.row(0).transpose();
  const tests::DenseConditional law(problem.A, mean, s, problem.d.row(0));
  const Vector a_lambda = A.transpose() * tests::solve(W, A * mean - problem.d.row(0).transpose());
  const Vector expected = (p.array() * ((y.row(0).transpose() - law.mean).array() / s.array() - 2.0 * s.array() * a_lambda.array())).matrix();
  // Pathwise is affine in A z, so its mean is its value at the mean of A z given y, A mu.
  const Vector z = mean + P * s.cwiseProduct(e.row(0).transpose());
  const RowMatrix noise = (z - mean).cwiseQuotient(s).transpose();
  const GaussianGradient pathwise =
      conditional_draw_adjoint(problem.A, problem.mean, problem.standard_deviation, problem.d, noise, g);
  EXPECT_LE((pathwise.standard_deviation.row(0).transpose() - expected).norm(), 1e-11 * expected.norm());
  EXPECT_LE((pathwise.mean.row(0).transpose() - p).norm(), 1e-11 * p.norm());
}

TEST(ControlVariate, RemovesTheVarianceOfADiagonalQuadratic) {
  const Setting setting;
  const DrawLoss f = [&](Eigen::Index, const double* y, double* g) {
    double sum = 0.0;
    for (Eigen::Index j = 0; j < setting.n; ++j) {
      const double error = y[j] - setting.target[j], weight = 0.5 + static_cast<double>(j);
      sum += 0.5 * weight * error * error;
      g[j] = weight * error;
    }
    return sum;
  };
  // The secant tends to the curvature; the rest of g is constant, so that mu's gradient has no variance left.
  EstimatorState state(setting.n);
  EstimatorOptions options;
  options.draws = 64;
  for (options.step = 0; options.step < 300; ++options.step) setting.estimate(f, options, &state);
  const Vector b = state.curvature();
  for (Eigen::Index j = 0; j < setting.n; ++j) EXPECT_NEAR(b[j], 0.5 + static_cast<double>(j), 0.2);
  options.draws = 4;
  double with = 0.0, without = 0.0;
  const auto spread = [&](EstimatorState* used) {
    Vector sum = Vector::Zero(setting.n);
    double squares = 0.0;
    for (std::uint64_t step = 1000; step < 1200; ++step) {
      options.step = step;
      const Vector x = setting.estimate(f, options, used).gradient.mean.row(0);
      sum += x;
      squares += x.squaredNorm();
    }
    return squares / 200.0 - (sum / 200.0).squaredNorm();
  };
  with = spread(&state);
  without = spread(nullptr);
  EXPECT_LT(with, 0.02 * without);
}

TEST(Shrinkage, IsOneWithoutNoiseAndTendsToZeroWithoutSignal) {
  const Setting setting;
  EstimatorState signal(setting.n), noise(setting.n), none(setting.n);
  EXPECT_EQ(none.shrinkage(ShrinkageLevel::sample), 1.0);
  EXPECT_EQ(none.shrinkage(ShrinkageLevel::batch), 1.0);
  EstimatorOptions options;
  options.draws = 64;
  const DrawLoss f = setting.loss(true);
  // A linear loss has no dispersion: all that is estimated is noise.
  const DrawLoss linear = [&](Eigen::Index, const double* y, double* g) {
    for (Eigen::Index j = 0; j < setting.n; ++j) g[j] = 1.0 + static_cast<double>(j * j % 5);
    return Eigen::Map<const Vector>(g, setting.n).dot(Eigen::Map<const Vector>(y, setting.n));
  };
  for (options.step = 0; options.step < 50; ++options.step) {
    setting.estimate(f, options, &signal);
    options.draws = 4;
    setting.estimate(linear, options, &noise);
    options.draws = 64;
  }
  for (const ShrinkageLevel level : {ShrinkageLevel::sample, ShrinkageLevel::batch}) {
    EXPECT_GT(signal.shrinkage(level), 0.9);
    EXPECT_LT(noise.shrinkage(level), 0.3);
  }
}

TEST(Shrinkage, MinimisesTheMeanSquaredError) {
  // The dispersion term D and the rest R of single estimates, from estimates with and without shrinkage: R + D, R + c D.
  Setting setting;
  setting.problem.mean = setting.problem.mean.array() + 1.0;  // lambda, and with it R, far from 0
  // A skewed loss: with a quadratic one D is even in the noise and R odd, so that they are uncorrelated.
  const DrawLoss f = [&](Eigen::Index, const double* y, double* g) {
    double sum = 0.0;
    for (Eigen::Index j = 0; j < setting.n; ++j) sum += 2.0 * (g[j] = std::exp(0.5 * y[j]));
    return sum;
  };
  EstimatorState state(setting.n);
  EstimatorOptions options;
  options.draws = 4;
  options.estimator = Estimator::rao_blackwell;
  constexpr std::uint64_t steps = 40000;
  for (options.step = 0; options.step < steps; ++options.step) setting.estimate(f, options, &state);
  options.level = ShrinkageLevel::sample;
  const double c = state.shrinkage(options.level);
  const Vector s = setting.problem.standard_deviation.row(0);
  Vector D_sum = Vector::Zero(setting.n), R_sum = D_sum;
  double D_squares = 0.0, products = 0.0;
  for (; options.step < 2 * steps; ++options.step) {
    EstimatorState one = state, other = state;
    options.estimator = Estimator::rao_blackwell;
    const Vector whole = setting.estimate(f, options, &one).gradient.standard_deviation.row(0).transpose().cwiseProduct(s);
    options.estimator = Estimator::rao_blackwell_shrunk;
    const Vector less = setting.estimate(f, options, &other).gradient.standard_deviation.row(0).transpose().cwiseProduct(s);
    const Vector D = (whole - less) / (1.0 - c), R = whole - D;
    D_sum += D;
    R_sum += R;
    D_squares += D.squaredNorm();
    products += D.dot(R);
  }
  const double count = static_cast<double>(steps), signal = (D_sum / count).squaredNorm();
  const double variance = D_squares / count - signal, covariance = products / count - D_sum.dot(R_sum) / (count * count);
  ASSERT_GT(c, 0.0);
  ASSERT_LT(c, 1.0);
  EXPECT_NEAR(c, (signal - covariance) / (signal + variance), 0.002);
  EXPECT_GT(std::abs(c - signal / (signal + variance)), 0.006) << "the covariance counts here";
}

TEST(ScoreFunction, OfOneDrawIsTheScoreTimesTheLoss) {
  const Setting setting;
  RowMatrix at(1, setting.n);
  const DrawLoss f = [&](Eigen::Index, const double* y, double* g) {
    at = Eigen::Map<const RowMatrix>(y, 1, setting.n);
    std::fill_n(g, setting.n, 0.0);
    return 3.0;
  };
  EstimatorOptions options;
  options.estimator = Estimator::score_function;
  options.draws = 1;
  const GaussianGradient found = setting.estimate(f, options, nullptr).gradient;
  const RandomProblem& p = setting.problem;
  const GaussianGradient score = conditional_log_density(p.A, p.mean, p.standard_deviation, p.d, at, true).gradient;
  EXPECT_LE((found.mean - 3.0 * score.mean).cwiseAbs().maxCoeff(), 1e-11 * score.mean.cwiseAbs().maxCoeff());
  EXPECT_LE((found.standard_deviation - 3.0 * score.standard_deviation).cwiseAbs().maxCoeff(),
            1e-11 * score.standard_deviation.cwiseAbs().maxCoeff());
}

TEST(Estimators, DependNeitherOnThreadsNorPlaceNorNeighbours) {
  const RandomProblem problem(7, 2, 64, 921);
  const DrawLoss f = [&](Eigen::Index, const double* y, double* g) {
    double sum = 0.0;
    for (int j = 0; j < 7; ++j) {
      sum += std::cosh(0.1 * y[j]);
      g[j] = 0.1 * std::sinh(0.1 * y[j]);
    }
    return sum;
  };
  for (const Estimator estimator : {Estimator::marginal_expectation, Estimator::pathwise, Estimator::score_function,
                                    Estimator::rao_blackwell, Estimator::rao_blackwell_shrunk}) {
    EstimatorState state(7, 64), other(7, 64);
    EstimatorOptions options;
    options.estimator = estimator;
    options.level = ShrinkageLevel::sample;
    RowMatrix broken = problem.standard_deviation;
    broken(5, 1) = std::nan("");
    EstimatedGradient whole, failed;
    for (options.step = 0; options.step < 3; ++options.step) {
      whole = estimate_gradient(problem.A, problem.mean, problem.standard_deviation, problem.d, f, options, &state, {1});
      failed = estimate_gradient(problem.A, problem.mean, broken, problem.d, f, options, &other, {3});
    }
    EXPECT_EQ(failed.status[5], Status::non_finite);
    EXPECT_TRUE(failed.gradient.mean.row(5).array().isNaN().all());
    for (Eigen::Index s = 0; s < 64; ++s) {
      if (s == 5) continue;
      EXPECT_EQ(whole.gradient.mean.row(s), failed.gradient.mean.row(s)) << to_string(estimator) << s;
      EXPECT_EQ(whole.gradient.standard_deviation.row(s), failed.gradient.standard_deviation.row(s));
    }
    // The same samples in another order, found by their ids.
    EstimatorOptions reversed;
    reversed.estimator = estimator;
    EstimatorState fresh(7, 64);
    reversed.sample_ids.resize(64);
    for (std::size_t s = 0; s < 64; ++s) reversed.sample_ids[s] = 63 - s;
    EstimatorOptions plain;
    plain.estimator = estimator;
    EstimatorState fresh_too(7, 64);
    const EstimatedGradient forth =
        estimate_gradient(problem.A, problem.mean, problem.standard_deviation, problem.d, f, plain, &fresh);
    const EstimatedGradient back = estimate_gradient(
        problem.A, problem.mean.colwise().reverse(), problem.standard_deviation.colwise().reverse(),
        problem.d.colwise().reverse(), f, reversed, &fresh_too);
    EXPECT_EQ(RowMatrix(back.gradient.standard_deviation.colwise().reverse()), forth.gradient.standard_deviation);
  }
}

TEST(Estimators, KnownComponentsHaveNoGradientInTheirDeviation) {
  RandomProblem problem(5, 1, 1, 931);
  problem.standard_deviation(0, 2) = 0.0;
  const DrawLoss f = [](Eigen::Index, const double* y, double* g) {
    for (int j = 0; j < 5; ++j) g[j] = y[j];
    return 0.0;
  };
  EstimatorOptions options;
  EstimatorState state(5);
  for (options.step = 0; options.step < 3; ++options.step) {
    const EstimatedGradient estimate =
        estimate_gradient(problem.A, problem.mean, problem.standard_deviation, problem.d, f, options, &state);
    EXPECT_EQ(estimate.status[0], Status::ok);
    EXPECT_EQ(estimate.gradient.standard_deviation(0, 2), 0.0);
  }
  options.estimator = Estimator::score_function;
  EXPECT_EQ(estimate_gradient(problem.A, problem.mean, problem.standard_deviation, problem.d, f, options).status[0],
            Status::invalid_argument);
}

TEST(Estimators, RefuseWhatMakesNoSense) {
  const RandomProblem problem(3, 1, 2, 941);
  const DrawLoss f = [](Eigen::Index, const double*, double* g) {
    g[0] = g[1] = g[2] = 0.0;
    return 0.0;
  };
  const auto refused = [&](EstimatorOptions options, EstimatorState* state, const DrawLoss& loss) {
    try {
      estimate_gradient(problem.A, problem.mean, problem.standard_deviation, problem.d, loss, options, state);
    } catch (const Error& error) {
      return error.status();
    }
    return Status::ok;
  };
  EstimatorOptions options;
  EXPECT_EQ(refused(options, nullptr, f), Status::ok);
  options.estimator = Estimator::exact;
  EXPECT_EQ(refused(options, nullptr, f), Status::unsupported);
  options.estimator = Estimator::rao_blackwell_shrunk;
  EXPECT_EQ(refused(options, nullptr, f), Status::invalid_argument);
  EstimatorState shared(3), wide(4), one_each(3, 2);
  EXPECT_EQ(refused(options, &shared, f), Status::ok);
  EXPECT_EQ(refused(options, &wide, f), Status::shape_mismatch);
  options.level = ShrinkageLevel::sample;
  EXPECT_EQ(refused(options, &shared, f), Status::invalid_argument);
  options.sample_ids = {0, 2};
  EXPECT_EQ(refused(options, &one_each, f), Status::invalid_argument);
  options = {};
  options.draws = 0;
  EXPECT_EQ(refused(options, nullptr, f), Status::invalid_argument);
  EXPECT_EQ(refused({}, nullptr, DrawLoss()), Status::invalid_argument);
  EXPECT_THROW(estimate_gradient(problem.A, problem.mean, problem.standard_deviation, problem.d,
                                 [](Eigen::Index, const double*, double*) -> double { throw std::runtime_error("loss"); }),
               std::runtime_error);
  const EstimatedGradient nan = estimate_gradient(problem.A, problem.mean, problem.standard_deviation, problem.d,
                                                  [](Eigen::Index s, const double*, double* g) {
                                                    g[0] = g[1] = g[2] = s == 1 ? std::nan("") : 1.0;
                                                    return 0.0;
                                                  });
  EXPECT_EQ(nan.status[0], Status::ok);
  EXPECT_EQ(nan.status[1], Status::non_finite);
  EXPECT_THROW(EstimatorState(0), Error);
  EXPECT_THROW(EstimatorState(3, 1, 0.0), Error);
  EXPECT_EQ(estimator_from("rao_blackwell"), Estimator::rao_blackwell);
  try {
    estimator_from("pathwize");
    FAIL();
  } catch (const Error& error) {
    EXPECT_EQ(error.status(), Status::invalid_argument);
    EXPECT_NE(std::string(error.what()).find("did you mean 'pathwise'?"), std::string::npos) << error.what();
  }
}

}  // namespace
}  // namespace lavoisier
