// Values and adjoints of the training losses, in FP64.

#include "head_loss.hpp"

#include <lavoisier/metric_projection.hpp>
#include <lavoisier/random.hpp>

#include <Eigen/Dense>
#include <gtest/gtest.h>

#include <cmath>
#include <numbers>

namespace lavoisier {
namespace {

using detail::HeadLoss;
using Eigen::Index;

RowMatrix normals(Index rows, Index columns, std::uint64_t seed) {
  RowMatrix values(rows, columns);
  for (Index i = 0; i < values.size(); ++i)
    values.data()[i] = random::normal({seed, 0}, {.element = static_cast<std::uint64_t>(i)});
  return values;
}

// Six outputs of which the third is constant and left out; two laws on the other five.
struct Case {
  std::vector<Index> active = {0, 1, 3, 4, 5};
  RowMatrix A = normals(2, 5, 1);
  RowMatrix h = normals(7, 12, 2);
  RowMatrix d = normals(7, 2, 3);
  RowMatrix y = normals(7, 5, 4);
  Case() { project_onto_laws(A, d, y); }
  std::vector<Index> dependent(Strategy strategy) const {
    return strategy == Strategy::completion ? dependent_outputs(A, 2, Eigen::VectorXd::Ones(5)) : std::vector<Index>{};
  }
};

TrainingOptions options(Strategy strategy, Loss loss, const std::string& parametrization) {
  TrainingOptions result;
  result.strategy = strategy;
  result.loss = loss;
  result.network.parametrization = parametrization;
  result.network.floor = 1e-3;
  return result;
}

using Parameter = std::tuple<Strategy, Loss, std::string>;
std::vector<Parameter> all_cases() {
  std::vector<Parameter> all;
  for (const StrategyDescriptor& entry : strategies())
    for (const Loss loss : entry.losses)
      for (const char* parametrization : {"softplus", "exp"}) all.emplace_back(entry.strategy, loss, parametrization);
  return all;
}
class Losses : public testing::TestWithParam<Parameter> {};

TEST(Losses, OfAStackAreThoseOfEachSample) {
  const Case at;
  RowMatrix stack(14, 5), y = at.y;
  for (Index s = 0; s < 7; ++s) {
    stack.middleRows(2 * s, 2) = normals(2, 5, 100 + static_cast<std::uint64_t>(s));
    RowMatrix one = y.row(s);
    project_onto_laws(stack.middleRows(2 * s, 2), at.d.row(s), one);
    y.row(s) = one;
  }
  const std::vector<Index> chosen = dependent_outputs(stack, 2, Eigen::VectorXd::Ones(5));
  for (const Strategy strategy : {Strategy::penalty, Strategy::completion, Strategy::projection, Strategy::l1_layer})
    for (const Loss loss : descriptor(strategy).losses) {
      const std::vector<Index> dependent = strategy == Strategy::completion ? chosen : std::vector<Index>{};
      const HeadLoss f(options(strategy, loss, "exp"), RowMatrix(0, 5), 2, at.active, dependent, 1);
      RowMatrix h_bar, one_bar;
      const Eigen::VectorXd all = f(at.h, y, at.d, &h_bar, stack);
      for (Index s = 0; s < 7; ++s) {
        const HeadLoss shared(options(strategy, loss, "exp"), stack.middleRows(2 * s, 2), 2, at.active, dependent, 1);
        EXPECT_EQ(all[s], shared(at.h.row(s), y.row(s), at.d.row(s), &one_bar)[0]) << to_string(strategy);
        EXPECT_LE((7.0 * h_bar.row(s) - one_bar.row(0)).norm(), 1e-14 * one_bar.norm());
      }
    }
}

TEST_P(Losses, AdjointIsTheDerivative) {
  const auto [strategy, loss, parametrization] = GetParam();
  const Case at;
  const HeadLoss f(options(strategy, loss, parametrization), at.A, 2, at.active, at.dependent(strategy), 1);
  RowMatrix h_bar;
  f(at.h, at.y, at.d, &h_bar);
  ASSERT_EQ(h_bar.rows(), 7);
  ASSERT_EQ(h_bar.cols(), 12);
  for (Index i = 0; i < at.h.rows(); ++i)
    for (Index j = 0; j < at.h.cols(); ++j) {
      const double step = 1e-5;
      RowMatrix up = at.h, down = at.h;
      up(i, j) += step;
      down(i, j) -= step;
      const double expected = (f(up, at.y, at.d, nullptr).mean() - f(down, at.y, at.d, nullptr).mean()) / (2 * step);
      EXPECT_NEAR(h_bar(i, j), expected, 2e-8 * (1.0 + std::abs(expected))) << i << ", " << j;
      if (j == 2 || j == 8) {
        EXPECT_EQ(h_bar(i, j), 0.0) << "the constant output has no gradient";
      }
    }
}

/// One row of deviations for the batch, or the same row for each sample: the same values, and the same gradient once it
/// is summed over the samples.
TEST_P(Losses, OfSharedDeviationsAreThoseOfRepeatedOnes) {
  const auto [strategy, loss, parametrization] = GetParam();
  for (const Index laws : {2, 12}) {
    const Index n = laws == 2 ? 5 : 30;
    Case at;
    if (laws > 2) {
      at.active.clear();
      for (Index j = 0; j <= n; ++j)
        if (j != 2) at.active.push_back(j);
      at.A = normals(laws, n, 11);
      at.h = normals(7, 2 * n + 2, 12);
      at.d = normals(7, laws, 13);
      at.y = normals(7, n, 14);
      project_onto_laws(at.A, at.d, at.y);
    }
    at.h.rightCols(n + 1) = at.h.row(0).rightCols(n + 1).eval().replicate(7, 1);
    TrainingOptions wanted = options(strategy, loss, parametrization);
    std::vector<Index> dependent;
    if (strategy == Strategy::completion) dependent = dependent_outputs(at.A, laws, Eigen::VectorXd::Ones(n));
    const HeadLoss repeated(wanted, at.A, laws, at.active, dependent, 1);
    wanted.network.deviation = "shared";
    const HeadLoss shared(wanted, at.A, laws, at.active, dependent, 1);
    RowMatrix h_bar, expected_bar;
    const Eigen::VectorXd found = shared(at.h, at.y, at.d, &h_bar);
    const Eigen::VectorXd expected = repeated(at.h, at.y, at.d, &expected_bar);
    EXPECT_LE((found - expected).norm(), 1e-13 * expected.norm());
    EXPECT_LE((h_bar - expected_bar).leftCols(n + 1).norm(), 1e-13 * expected_bar.norm());
    const Eigen::RowVectorXd sum = expected_bar.rightCols(n + 1).colwise().sum();
    EXPECT_LE((h_bar.rightCols(n + 1).colwise().sum() - sum).norm(), 1e-12 * expected_bar.rightCols(n + 1).norm());
    EXPECT_EQ((found - shared(at.h, at.y, at.d, nullptr)).cwiseAbs().maxCoeff(), 0.0);
    // Where the loss takes one row, the first sample has all of it.
    if (strategy == Strategy::conditional && (loss == Loss::crps || loss == Loss::likelihood)) {
      EXPECT_EQ(h_bar.bottomRightCorner(6, n + 1).cwiseAbs().maxCoeff(), 0.0);
    }
  }
}

INSTANTIATE_TEST_SUITE_P(All, Losses,
                         testing::ValuesIn(all_cases()),
                         [](const auto& instance) {
                           return std::string(to_string(std::get<0>(instance.param))) + "_" +
                                  to_string(std::get<1>(instance.param)) + "_" + std::get<2>(instance.param);
                         });

// Naive: dense matrices, a null basis from a full orthogonal decomposition.
struct Dense {
  Eigen::VectorXd mean;
  Eigen::MatrixXd covariance;
};
Dense marginal_law(Strategy strategy, const RowMatrix& A, const Eigen::VectorXd& mu, const Eigen::VectorXd& s,
                   const Eigen::VectorXd& d) {
  const Eigen::MatrixXd S = s.cwiseAbs2().asDiagonal(), I = Eigen::MatrixXd::Identity(mu.size(), mu.size());
  if (!descriptor(strategy).holds_laws || strategy == Strategy::post_hoc) return {mu, S};
  Eigen::MatrixXd metric = strategy == Strategy::projection ? I : S;
  if (strategy == Strategy::completion)
    metric = completion_scale(Eigen::VectorXd::Ones(mu.size()), dependent_outputs(A, A.rows(), Eigen::VectorXd::Ones(mu.size())))
                 .asDiagonal();
  const Eigen::MatrixXd G = metric * A.transpose() * (A * metric * A.transpose()).inverse();
  const Eigen::MatrixXd P = I - G * A;
  return {mu - G * (A * mu - d), P * S * P.transpose()};
}
double log_normal(const Eigen::VectorXd& y, const Eigen::VectorXd& mean, const Eigen::MatrixXd& covariance) {
  const Eigen::VectorXd r = y - mean;
  return -0.5 * (static_cast<double>(y.size()) * std::log(2 * std::numbers::pi) + std::log(covariance.determinant()) +
                 r.dot(covariance.inverse() * r));
}

TEST(LossValues, AgreeWithDenseFormulas) {
  const Case at;
  const Index n = 5;
  const Eigen::MatrixXd N = Eigen::FullPivLU<Eigen::MatrixXd>(at.A).kernel();
  const Eigen::MatrixXd basis = Eigen::HouseholderQR<Eigen::MatrixXd>(N).householderQ() * Eigen::MatrixXd::Identity(n, n - 2);
  for (const Strategy strategy : {Strategy::none, Strategy::completion, Strategy::projection, Strategy::variance_projection,
                                  Strategy::post_hoc, Strategy::conditional}) {
    const auto likelihood = HeadLoss(options(strategy, Loss::likelihood, "softplus"), at.A, 2, at.active, at.dependent(strategy), 1)(at.h, at.y, at.d, nullptr);
    const auto crps = HeadLoss(options(strategy, Loss::crps, "softplus"), at.A, 2, at.active, at.dependent(strategy), 1)(at.h, at.y, at.d, nullptr);
    const auto squares = HeadLoss(options(strategy, Loss::squared_error, "softplus"), at.A, 2, at.active, at.dependent(strategy), 1)(at.h, at.y, at.d, nullptr);
    for (Index row = 0; row < at.h.rows(); ++row) {
      Eigen::VectorXd mu(n), s(n);
      for (Index j = 0; j < n; ++j) {
        mu[j] = at.h(row, at.active[static_cast<std::size_t>(j)]);
        s[j] = 1e-3 + std::log1p(std::exp(at.h(row, 6 + at.active[static_cast<std::size_t>(j)])));
      }
      const Eigen::VectorXd y = at.y.row(row).transpose();
      const Dense law = marginal_law(strategy, at.A, mu, s, at.d.row(row).transpose());
      double expected = 0.0;
      for (Index j = 0; j < n; ++j) {
        const double sd = std::sqrt(law.covariance(j, j)), z = (y[j] - law.mean[j]) / sd;
        expected += sd * (z * std::erf(z / std::numbers::sqrt2) + std::sqrt(2 / std::numbers::pi) * std::exp(-z * z / 2) -
                          1 / std::sqrt(std::numbers::pi)) / static_cast<double>(n);
      }
      EXPECT_NEAR(crps[row], expected, 1e-12) << to_string(strategy);
      EXPECT_NEAR(squares[row], (y - law.mean).squaredNorm() / 5.0, 1e-12) << to_string(strategy);
      // A Gaussian restricted to the laws has its density in null-space coordinates.
      const bool restricted = strategy != Strategy::none && strategy != Strategy::post_hoc;
      const double density = restricted ? log_normal(basis.transpose() * y, basis.transpose() * law.mean,
                                                     basis.transpose() * law.covariance * basis)
                                        : log_normal(y, law.mean, law.covariance);
      EXPECT_NEAR(likelihood[row], -density, 1e-11) << to_string(strategy);
    }
  }
}

TEST(LossValues, HugeHeadValuesStayFinite) {
  const Case at;
  RowMatrix h = at.h;
  h.col(6).setConstant(80.0);
  h.col(7).setConstant(-800.0);
  const HeadLoss f(options(Strategy::conditional, Loss::crps, "softplus"), at.A, 2, at.active, {}, 1);
  RowMatrix h_bar;
  EXPECT_TRUE(f(h, at.y, at.d, &h_bar).allFinite());
  EXPECT_TRUE(h_bar.allFinite());
}

}  // namespace
}  // namespace lavoisier
