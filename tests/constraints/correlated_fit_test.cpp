// Draws of the low-rank and the full family follow the exact conditional law, each way to get it wrong is caught, and
// the Rao-Blackwell gradient is unbiased and below pathwise.

#include "correlated_problem.hpp"
#include "goodness_of_fit.hpp"

#include <lavoisier/tolerances.hpp>

#include <gtest/gtest.h>

namespace lavoisier {
namespace {

using tests::CorrelatedProblem;
using tests::goodness_of_fit;
using tests::GoodnessOfFit;
using tests::Matrix;
using tests::NullSpaceLaw;
using tests::Vector;

constexpr double level = 1e-4;

struct Size {
  int n, m, r, draws;
};
std::ostream& operator<<(std::ostream& out, const Size& size) {
  return out << "n" << size.n << "_m" << size.m << "_r" << size.r;
}

class CorrelatedFit : public testing::TestWithParam<Size> {
 protected:
  CorrelatedProblem problem{GetParam().n, GetParam().m, GetParam().r, 1, 901};
  Eigen::Index draws = GetParam().draws;

  GoodnessOfFit test(const RowMatrix& y, const Matrix& S) const {
    const NullSpaceLaw law = NullSpaceLaw::of_covariance(problem.A, problem.mean.row(0), S, problem.d.row(0));
    return goodness_of_fit(y, problem.A, law, problem.d.row(0));
  }
  RowMatrix low_rank(const LowRankGaussian& gaussian) const {
    return conditional_draw(problem.A, gaussian, problem.d, tests::normals(draws, problem.n + problem.r, 902)).value;
  }
  RowMatrix full(const FullGaussian& gaussian) const {
    return conditional_draw(problem.A, gaussian, problem.d, tests::normals(draws, problem.n, 903)).value;
  }
  /// The output whose own deviation the laws leave most freedom.
  Eigen::Index freest(const RowMatrix& variance, const Vector& S_diagonal) const {
    Eigen::Index j = 0;
    (variance.row(0).transpose().array() / S_diagonal.array()).maxCoeff(&j);
    return j;
  }
};

INSTANTIATE_TEST_SUITE_P(Problems, CorrelatedFit,
                         testing::Values(Size{2, 1, 1, 100000}, Size{6, 2, 2, 100000}, Size{5, 0, 3, 100000},
                                         Size{31, 9, 4, 20000}, Size{101, 50, 8, 20000}, Size{200, 1, 5, 10000}));
class CorrelatedFitOfMany : public CorrelatedFit {};
INSTANTIATE_TEST_SUITE_P(Problems, CorrelatedFitOfMany, testing::Values(Size{200, 50, 8, 100000}));

void expect_fit(const GoodnessOfFit& fit) {
  EXPECT_GT(fit.p, level) << fit.text();
  EXPECT_LE(fit.largest_relative_residual, tolerances::identity::relative_fp64);
}

TEST_P(CorrelatedFit, DrawsFollowTheConditionalLaw) {
  expect_fit(test(low_rank(problem.low_rank()), problem.low_rank_covariance(0)));
  expect_fit(test(full(problem.full()), problem.full_covariance()));
}

TEST_P(CorrelatedFitOfMany, DrawsFollowTheConditionalLaw) {
  expect_fit(test(low_rank(problem.low_rank()), problem.low_rank_covariance(0)));
}

TEST_P(CorrelatedFit, OneDeviationTooLargeFails) {
  // By 5 %; among many outputs, with fewer draws, 50 %: the tests look at all coordinates alike.
  const double factor = problem.n <= 6 ? 1.05 : 1.5;
  const ConditionalMoments moments = conditional_moments(problem.A, problem.low_rank(), problem.d);
  RowMatrix s = problem.s;
  s(0, freest(problem.s.cwiseProduct(moments.variance), problem.low_rank_covariance(0).diagonal())) *= factor;
  const GoodnessOfFit low = test(low_rank({problem.mean, s, problem.U}), problem.low_rank_covariance(0));
  const ConditionalMoments of_full = conditional_moments(problem.A, problem.full(), problem.d);
  RowMatrix L = problem.L;
  L.row(freest(of_full.variance, problem.full_covariance().diagonal())) *= factor;
  const GoodnessOfFit wrong = test(full({problem.mean, L}), problem.full_covariance());
  EXPECT_LT(low.p, level) << low.text();
  EXPECT_LT(wrong.p, level) << wrong.text();
  EXPECT_LE(wrong.largest_relative_residual, tolerances::identity::relative_fp64);
}

TEST_P(CorrelatedFit, AGainWithoutTheCorrelationsFails) {
  if (problem.m == 0) GTEST_SKIP() << "without laws there is no gain";
  // z of the right covariance, moved onto the laws by the gain of its diagonal: on the laws, but another law.
  const auto twin = [&](const Matrix& S, const Matrix& factor, const Matrix& e) {
    const Matrix D = S.diagonal().asDiagonal();
    const Matrix gain = D * problem.A.transpose() * tests::inverse(problem.A * D * problem.A.transpose());
    const Matrix z = (e * factor.transpose()).rowwise() + problem.mean.row(0);
    Matrix y = z;
    for (int pass = 0; pass < 2; ++pass)
      y -= ((y * problem.A.transpose()).rowwise() - problem.d.row(0)) * gain.transpose();
    return RowMatrix(y);
  };
  Matrix factor(problem.n, problem.n + problem.r);
  factor << Matrix(problem.s.row(0).asDiagonal()), problem.factor(0);
  const GoodnessOfFit low = test(twin(problem.low_rank_covariance(0), factor,
                                      tests::normals(draws, problem.n + problem.r, 904)),
                                 problem.low_rank_covariance(0));
  const RowMatrix of_full = twin(problem.full_covariance(), problem.L, tests::normals(draws, problem.n, 905));
  const GoodnessOfFit wrong = test(of_full, problem.full_covariance());
  EXPECT_LT(low.p, level) << low.text();
  EXPECT_LT(wrong.p, level) << wrong.text();
}

TEST(CorrelatedFitOfTheWholeLaw, AStrongCommonFactor) {
  // The laws remove a factor of size 1e6, which leaves 1e-12 of the variance.
  CorrelatedProblem problem(6, 2, 1, 1, 907);
  problem.A.row(0).setOnes();
  problem.U.setConstant(1e6);
  problem.d = problem.y * problem.A.transpose();
  // With the factor in the row space of A, N'SN = N' diag(s^2) N, and so is the law that of the diagonal Gaussian
  // with an improper shift along 1: its precision is N' S^-1 N with S^-1 1 = 0 to 1e-12.
  const Matrix S_own = Matrix(problem.s.row(0).array().square().matrix().asDiagonal());
  const RowMatrix y = conditional_draw(problem.A, problem.low_rank(), problem.d, tests::normals(20000, 7, 908)).value;
  const Vector one = Vector::Ones(6), precision = problem.s.row(0).array().square().inverse();
  const Matrix inverse = Matrix(precision.asDiagonal()) -
                         precision * precision.transpose() / (1e-12 + one.dot(precision));
  const ConditionalMoments moments = conditional_moments(problem.A, problem.low_rank(), problem.d);
  NullSpaceLaw law(problem.A, problem.mean.row(0), S_own, inverse, problem.d.row(0));
  law.mean = moments.mean.row(0);
  const GoodnessOfFit fit = goodness_of_fit(y, problem.A, law, problem.d.row(0));
  EXPECT_GT(fit.p, level) << fit.text();
}

/// f(y) = 1/2 y'Hy + c'y: E f = 1/2 (tr(H V) + m'Hm) + c'm, whose gradients the adjoint of V and m gives. H is diagonal
/// plus an outer product: E f = 1/2 sum h v + 1/2 a'V a + ... is differenced.
struct Quadratic {
  Matrix H;
  Vector c;

  explicit Quadratic(Eigen::Index n) : H(tests::normals(n, n, 911)), c(tests::normals(n, 1, 912)) {
    H = (H + H.transpose()).eval() / 2.0;
  }
  RowMatrix gradients(const RowMatrix& y) const { return (y * H).rowwise() + c.transpose(); }
};

/// Dense gradient of E f in S and mu: dV = P dS P', dm = P dmu - P dS A'lambda.
struct ExactGradient {
  Vector mean;
  Matrix S;  ///< symmetric

  ExactGradient(const Quadratic& f, const Matrix& A, const Vector& mu, const Matrix& covariance, const Vector& d) {
    const Matrix inverse = tests::inverse(A * covariance * A.transpose());
    const Matrix P = Matrix::Identity(A.cols(), A.cols()) - covariance * A.transpose() * inverse * A;
    const Vector lambda = inverse * (A * mu - d), m = mu - covariance * A.transpose() * lambda;
    mean = P.transpose() * (f.H * m + f.c);
    const Matrix shift = mean * (A.transpose() * lambda).transpose();
    S = 0.5 * P.transpose() * f.H * P - 0.5 * (shift + shift.transpose());
  }
};

struct Estimate {
  Eigen::ArrayXd sum, squares;
  void add(const Eigen::ArrayXd& x) {
    if (sum.size() == 0) sum = squares = Eigen::ArrayXd::Zero(x.size());
    sum += x;
    squares += x.square();
  }
  Eigen::ArrayXd mean(double count) const { return sum / count; }
  Eigen::ArrayXd variance(double count) const { return squares / count - mean(count).square(); }
};

Eigen::ArrayXd flat(const LowRankGradient& gradient, Eigen::Index i) {
  Eigen::ArrayXd all(gradient.mean.cols() + gradient.standard_deviation.cols() + gradient.factor.cols());
  all << gradient.mean.row(i).transpose().array(), gradient.standard_deviation.row(i).transpose().array(),
      gradient.factor.row(i).transpose().array();
  return all;
}

/// One draw a sample of the batch, so that each draw's gradient is seen.
TEST(RaoBlackwellOfLowRank, IsUnbiasedAndBelowPathwise) {
  CorrelatedProblem problem(6, 2, 2, 1, 921);
  problem.s(0, 2) = 0.0;            // an ordinary output without variance of its own
  problem.s(0, 4) = 0.0;            // a known component
  problem.U.middleCols(8, 2).setZero();
  const Eigen::Index count = 40000, n = problem.n;
  const Quadratic f(n);
  const RowMatrix mean = problem.mean.replicate(count, 1), s = problem.s.replicate(count, 1),
                  U = problem.U.replicate(count, 1), d = problem.d.replicate(count, 1),
                  e = tests::normals(count, n + 2, 922);
  const LowRankGaussian gaussian{mean, s, U};
  const RowMatrix y = conditional_draw(problem.A, gaussian, d, e).value, g = f.gradients(y);
  const LowRankGradient rao_blackwell = rao_blackwell_gradient(problem.A, gaussian, d, y, g);
  const LowRankGradient pathwise = conditional_draw_adjoint(problem.A, gaussian, d, e, g);
  const Matrix S = problem.low_rank_covariance(0);
  const ExactGradient exact(f, problem.A, problem.mean.row(0), S, problem.d.row(0));
  const RowMatrix U_bar = 2.0 * exact.S * problem.factor(0);
  Eigen::ArrayXd truth(n + n + 2 * n);
  truth << exact.mean.array(), 2.0 * exact.S.diagonal().array() * problem.s.row(0).transpose().array(),
      Eigen::Map<const Eigen::ArrayXd>(U_bar.data(), U_bar.size());
  Estimate of_rao_blackwell, of_pathwise;
  for (Eigen::Index i = 0; i < count; ++i) {
    of_rao_blackwell.add(flat(rao_blackwell, i));
    of_pathwise.add(flat(pathwise, i));
  }
  const double draws = static_cast<double>(count);
  const Eigen::ArrayXd variance = of_rao_blackwell.variance(draws), other = of_pathwise.variance(draws);
  const Eigen::ArrayXd z = (of_rao_blackwell.mean(draws) - truth) / (variance / draws + 1e-24).sqrt();
  EXPECT_LE(z.abs().maxCoeff(), 4.5) << z.transpose();
  // A wrong twin: pathwise' mean without the dispersion term (marginal expectation) is far off in s.
  EXPECT_GT(((of_rao_blackwell.mean(draws) - 1.1 * truth) / (variance / draws + 1e-24).sqrt()).abs().maxCoeff(), 6.0);
  for (Eigen::Index i = 0; i < truth.size(); ++i) EXPECT_LE(variance[i], 1.03 * other[i] + 1e-20) << i;
  EXPECT_LT(variance.tail(3 * n).sum(), 0.9 * other.tail(3 * n).sum());
  RecordProperty("variance_ratio", std::to_string(variance.tail(3 * n).sum() / other.tail(3 * n).sum()));
}

TEST(RaoBlackwellOfFull, IsUnbiasedAndBelowPathwise) {
  CorrelatedProblem problem(5, 2, 1, 1, 931);
  const Eigen::Index parts = 4000, n = problem.n;
  const Quadratic f(n);
  const ExactGradient exact(f, problem.A, problem.mean.row(0), problem.full_covariance(), problem.d.row(0));
  const Matrix truth_of_L = (2.0 * exact.S * problem.L).triangularView<Eigen::Lower>();
  Eigen::ArrayXd truth(n + n * n);
  truth << exact.mean.array(), Eigen::Map<const Eigen::ArrayXd>(RowMatrix(truth_of_L).data(), n * n);
  Estimate of_rao_blackwell, of_pathwise;
  const RowMatrix normals = tests::normals(parts, n, 932);
  for (Eigen::Index i = 0; i < parts; ++i) {
    const RowMatrix e = normals.row(i);
    const RowMatrix y = conditional_draw(problem.A, problem.full(), problem.d, e).value, g = f.gradients(y);
    const auto add = [&](Estimate& to, const FullGradient& gradient) {
      Eigen::ArrayXd all(n + n * n);
      all << gradient.mean.row(0).transpose().array(), Eigen::Map<const Eigen::ArrayXd>(gradient.lower.data(), n * n);
      to.add(all);
    };
    add(of_rao_blackwell, rao_blackwell_gradient(problem.A, problem.full(), problem.d, y, g));
    add(of_pathwise, conditional_draw_adjoint(problem.A, problem.full(), problem.d, e, g));
  }
  const double draws = static_cast<double>(parts);
  const Eigen::ArrayXd variance = of_rao_blackwell.variance(draws), other = of_pathwise.variance(draws);
  const Eigen::ArrayXd z = (of_rao_blackwell.mean(draws) - truth) / (variance / draws + 1e-24).sqrt();
  EXPECT_LE(z.abs().maxCoeff(), 4.5) << z.transpose();
  EXPECT_GT(((of_rao_blackwell.mean(draws) - 1.2 * truth) / (variance / draws + 1e-24).sqrt()).abs().maxCoeff(), 4.5);
  for (Eigen::Index i = 0; i < truth.size(); ++i) EXPECT_LE(variance[i], 1.1 * other[i] + 1e-20) << i;
  EXPECT_LT(variance.tail(n * n).sum(), 0.95 * other.tail(n * n).sum());
}

}  // namespace
}  // namespace lavoisier
