// Hand-written adjoints against automatic differentiation of the plain, dense formulas: correlated families, scores.

#include <lavoisier/correlated_gaussian.hpp>
#include <lavoisier/exact_losses.hpp>
#include <lavoisier/training_losses.hpp>

#include "dense_gaussian.hpp"

#include <ATen/ATen.h>
#include <torch/csrc/autograd/autograd.h>
#include <torch/csrc/autograd/generated/variable_factories.h>
#include <torch/csrc/autograd/grad_mode.h>

#include <gtest/gtest.h>

#include <cmath>
#include <functional>
#include <vector>

namespace lavoisier {
namespace {

using at::Tensor;
using Eigen::Index;
using tests::RandomProblem;

constexpr Index n = 9, m = 3, samples = 3, rank = 2;
constexpr double tolerance = 1e-9;

Tensor tensor_of(const RowMatrix& matrix) {
  return at::from_blob(const_cast<double*>(matrix.data()), {matrix.rows(), matrix.cols()}, at::kDouble).clone();
}
Tensor leaf(const RowMatrix& matrix) { return tensor_of(matrix).detach().set_requires_grad(true); }
RowMatrix matrix_of(const Tensor& tensor) {
  const Tensor values = tensor.detach().contiguous();
  return Eigen::Map<const RowMatrix>(values.data_ptr<double>(), values.size(0), values.size(1));
}
void expect_near(const RowMatrix& found, const Tensor& expected, double limit = tolerance) {
  const RowMatrix truth = matrix_of(expected);
  ASSERT_EQ(found.rows(), truth.rows());
  ASSERT_EQ(found.cols(), truth.cols());
  EXPECT_LE((found - truth).cwiseAbs().maxCoeff(), limit * truth.cwiseAbs().maxCoeff());
}

/// The conditional law of one sample by dense matrices.
struct Plain {
  Tensor S, W, G, V, m;
  Plain(const Tensor& A, const Tensor& mu, Tensor covariance, const Tensor& d)
      : S(std::move(covariance)),
        W(at::matmul(at::matmul(A, S), A.t())),
        G(at::matmul(at::matmul(S, A.t()), at::linalg_inv(W))),
        V(S - at::matmul(G, at::matmul(A, S))),
        m(moved(A, mu, d)) {}
  Tensor moved(const Tensor& A, const Tensor& z, const Tensor& d) const {
    return z - at::matmul(G, at::matmul(A, z) - d);
  }
};

Tensor plain_log_density(const Plain& law, const Tensor& A, const Tensor& mu, const Tensor& d, const Tensor& y) {
  const Tensor r = at::matmul(A, mu) - d, q = y - mu;
  return -0.5 * (at::dot(q, at::matmul(at::linalg_inv(law.S), q)) + at::logdet(law.S)) +
         0.5 * (at::dot(r, at::matmul(at::linalg_inv(law.W), r)) + at::logdet(law.W));
}
Tensor plain_crps(const Plain& law, const Tensor& y, const Tensor& scale) {
  const Tensor sigma = law.V.diagonal().sqrt(), z = (y - law.m) / sigma;
  const Tensor crps =
      sigma * (z * at::erf(z / std::sqrt(2.0)) + std::sqrt(2.0 / M_PI) * at::exp(-0.5 * z * z) - 1.0 / std::sqrt(M_PI));
  return (crps / scale).mean();
}
/// E |X| = 1 / (2 sqrt pi) int (1 - E exp(-u |X|^2)) u^-3/2 du by a trapezoidal rule in log u.
Tensor plain_energy(const Plain& law, const Tensor& y, const Tensor& scale) {
  const Tensor V = law.V / (scale.unsqueeze(0) * scale.unsqueeze(1)), q = (law.m - y) / scale;
  const Tensor eye = at::eye(n, at::kDouble);
  Tensor sum = at::zeros({}, at::kDouble);
  constexpr double step = 0.2;
  for (int k = -230; k <= 80; ++k) {  // what is left above does not depend on the law: phi is u^-3 there
    const double u = std::exp(step * k), weight = step / (2.0 * std::sqrt(M_PI) * std::sqrt(u));
    const Tensor spread = eye + 2.0 * u * V;
    const Tensor log_phi = -0.5 * at::logdet(spread);
    const Tensor phi = at::exp(log_phi - u * at::dot(q, at::matmul(at::linalg_inv(spread), q)));
    // E |Y - Y'| / 2 = E |Y - m| / sqrt 2.
    sum = sum + weight * ((1.0 - phi) - std::sqrt(0.5) * (1.0 - at::exp(log_phi)));
  }
  return sum;
}
Tensor plain_variogram(const Plain& law, const Tensor& y, const Tensor& scale) {
  Tensor sum = at::zeros({}, at::kDouble);
  for (Index i = 0; i < n; ++i)
    for (Index j = i + 1; j < n; ++j) {
      const Tensor a = law.m[i] / scale[i] - law.m[j] / scale[j];
      const Tensor sigma = (law.V[i][i] / (scale[i] * scale[i]) + law.V[j][j] / (scale[j] * scale[j]) -
                            2.0 * law.V[i][j] / (scale[i] * scale[j]))
                               .sqrt();
      const Tensor z = a / sigma;
      const Tensor mean = sigma * (std::sqrt(2.0 / M_PI) * at::exp(-0.5 * z * z) + z * at::erf(z / std::sqrt(2.0)));
      sum = sum + (mean - (y[i] / scale[i] - y[j] / scale[j]).abs()).square();
    }
  return sum / static_cast<double>(n * (n - 1) / 2);
}

class AutomaticDifferentiation : public testing::Test {
 protected:
  RandomProblem p{n, m, samples, 31}, other{n, m, samples, 32};
  Tensor A = tensor_of(p.A), d = tensor_of(p.d), e = tensor_of(p.e), y = tensor_of(p.y),
         bar = tensor_of(p.e.rowwise().reverse());
  RowMatrix bars = p.e.rowwise().reverse();
  RowMatrix U = 0.5 * other.e.leftCols(n).replicate(1, rank);
  RowMatrix w = other.mean.leftCols(rank);
  RowMatrix L = RowMatrix(p.standard_deviation.row(0).asDiagonal());
  Eigen::VectorXd scale = Eigen::VectorXd::LinSpaced(n, 0.5, 2.0);
  Tensor scale_tensor = tensor_of(scale).squeeze(1);
  at::AutoGradMode with_gradient{true};

  void SetUp() override {
    for (Index s = 0; s < samples; ++s)
      for (Index i = 0; i < U.cols(); ++i) U(s, i) += 0.3 * std::sin(static_cast<double>(3 * i + s));
    for (Index i = 0; i < n; ++i)
      for (Index j = 0; j < i; ++j) L(i, j) = 0.4 * std::cos(static_cast<double>(5 * i + 2 * j));
  }
  using Loss = std::function<Tensor(const Plain&, const Tensor& mu, Index s)>;

  std::vector<Tensor> low_rank(const Loss& loss) const {
    const Tensor mu = leaf(p.mean), s = leaf(p.standard_deviation), factor = leaf(U);
    Tensor sum = at::zeros({}, at::kDouble);
    for (Index k = 0; k < samples; ++k) {
      const Tensor u = factor[k].reshape({n, rank});
      sum = sum + loss(Plain(A, mu[k], at::diag(s[k] * s[k]) + at::matmul(u, u.t()), d[k]), mu[k], k);
    }
    return torch::autograd::grad({sum}, {mu, s, factor});
  }
  std::vector<Tensor> full(const Loss& loss) const {
    const Tensor mu = leaf(p.mean), lower = leaf(L), l = at::tril(lower);
    Tensor sum = at::zeros({}, at::kDouble);
    for (Index k = 0; k < samples; ++k) sum = sum + loss(Plain(A, mu[k], at::matmul(l, l.t()), d[k]), mu[k], k);
    return torch::autograd::grad({sum}, {mu, lower});
  }
  std::vector<Tensor> diagonal(const Loss& loss) const {
    const Tensor mu = leaf(p.mean), s = leaf(p.standard_deviation);
    Tensor sum = at::zeros({}, at::kDouble);
    for (Index k = 0; k < samples; ++k) sum = sum + loss(Plain(A, mu[k], at::diag(s[k] * s[k]), d[k]), mu[k], k);
    return torch::autograd::grad({sum}, {mu, s});
  }
  LowRankGaussian low_rank() const { return {p.mean, p.standard_deviation, U}; }
  FullGaussian full() const { return {p.mean, L}; }
  static void expect(const LowRankGradient& found, const std::vector<Tensor>& expected) {
    expect_near(found.mean, expected[0]);
    expect_near(found.standard_deviation, expected[1]);
    expect_near(found.factor, expected[2]);
  }
  static void expect(const FullGradient& found, const std::vector<Tensor>& expected) {
    expect_near(found.mean, expected[0]);
    expect_near(found.lower, expected[1]);
  }
  static void expect(const GaussianGradient& found, const std::vector<Tensor>& expected, double limit = tolerance) {
    expect_near(found.mean, expected[0], limit);
    expect_near(found.standard_deviation, expected[1], limit);
  }
};

TEST_F(AutomaticDifferentiation, MomentsOfCorrelatedOutputs) {
  const Loss loss = [&](const Plain& law, const Tensor&, Index k) { return at::dot(law.m + law.V.diagonal(), bar[k]); };
  expect(conditional_moments_adjoint(p.A, low_rank(), p.d, bars, bars), low_rank(loss));
  expect(conditional_moments_adjoint(p.A, full(), p.d, bars, bars), full(loss));
}

TEST_F(AutomaticDifferentiation, DensitiesOfCorrelatedOutputs) {
  const Loss loss = [&](const Plain& law, const Tensor& mu, Index k) {
    return plain_log_density(law, A, mu, d[k], y[k]);
  };
  DensityOptions options;
  options.with_gradient = true;
  expect(conditional_log_density(p.A, low_rank(), p.d, p.y, options).gradient, low_rank(loss));
  expect(conditional_log_density(p.A, full(), p.d, p.y, options).gradient, full(loss));
}

TEST_F(AutomaticDifferentiation, CrpsOfCorrelatedOutputs) {
  const Loss loss = [&](const Plain& law, const Tensor&, Index k) { return plain_crps(law, y[k], scale_tensor); };
  expect(conditional_crps_loss(p.A, low_rank(), p.d, p.y, scale).gradient, low_rank(loss));
  expect(conditional_crps_loss(p.A, full(), p.d, p.y, scale).gradient, full(loss));
}

TEST_F(AutomaticDifferentiation, DrawsOfCorrelatedOutputs) {
  RowMatrix normals(samples, n + rank);
  normals << p.e, w;
  {
    const Tensor mu = leaf(p.mean), s = leaf(p.standard_deviation), factor = leaf(U), common = tensor_of(w);
    Tensor sum = at::zeros({}, at::kDouble);
    for (Index k = 0; k < samples; ++k) {
      const Tensor u = factor[k].reshape({n, rank});
      const Plain law(A, mu[k], at::diag(s[k] * s[k]) + at::matmul(u, u.t()), d[k]);
      sum = sum + at::dot(law.moved(A, mu[k] + s[k] * e[k] + at::matmul(u, common[k]), d[k]), bar[k]);
    }
    expect(conditional_draw_adjoint(p.A, low_rank(), p.d, normals, bars),
           torch::autograd::grad({sum}, {mu, s, factor}));
  }
  const Tensor mu = leaf(p.mean), lower = leaf(L), l = at::tril(lower);
  Tensor sum = at::zeros({}, at::kDouble);
  for (Index k = 0; k < samples; ++k) {
    const Plain law(A, mu[k], at::matmul(l, l.t()), d[k]);
    sum = sum + at::dot(law.moved(A, mu[k] + at::matmul(l, e[k]), d[k]), bar[k]);
  }
  expect(conditional_draw_adjoint(p.A, full(), p.d, p.e, bars), torch::autograd::grad({sum}, {mu, lower}));
}

TEST_F(AutomaticDifferentiation, ScoresOfTheDiagonalFamily) {
  const auto of = [&](Tensor (*score)(const Plain&, const Tensor&, const Tensor&)) {
    return diagonal([&, score](const Plain& law, const Tensor&, Index k) { return score(law, y[k], scale_tensor); });
  };
  expect(conditional_crps_loss(p.A, p.mean, p.standard_deviation, p.d, p.y, scale).gradient, of(plain_crps));
  expect(conditional_energy_loss(p.A, p.mean, p.standard_deviation, p.d, p.y, scale).gradient, of(plain_energy), 1e-8);
  expect(conditional_variogram_loss(p.A, p.mean, p.standard_deviation, p.d, p.y, scale).gradient, of(plain_variogram));
}

/// What these tests would not let pass.
TEST_F(AutomaticDifferentiation, AGradientWithoutTheGainsShareIsFound) {
  const Loss detached = [&](const Plain& law, const Tensor& mu, Index k) {
    return at::dot(mu - at::matmul(law.G.detach(), at::matmul(A, mu) - d[k]) + law.V.diagonal(), bar[k]);
  };
  const LowRankGradient found = conditional_moments_adjoint(p.A, low_rank(), p.d, bars, bars);
  const RowMatrix wrong = matrix_of(low_rank(detached)[1]);
  EXPECT_GT((found.standard_deviation - wrong).cwiseAbs().maxCoeff(), 1e-3 * wrong.cwiseAbs().maxCoeff());
}

}  // namespace
}  // namespace lavoisier
