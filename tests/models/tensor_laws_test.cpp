// The conditional law on tensors: against the kernels of constraints, and against automatic differentiation.

#include "tensor_laws.hpp"

#include <lavoisier/conditional_gaussian.hpp>

#include "dense_gaussian.hpp"

#include <ATen/ATen.h>
#include <torch/csrc/autograd/autograd.h>
#include <torch/csrc/autograd/grad_mode.h>
#include <torch/csrc/autograd/generated/variable_factories.h>

#include <gtest/gtest.h>

#include <cmath>
#include <limits>

namespace lavoisier {
namespace {

using at::Tensor;
using Eigen::Index;
using tests::RandomProblem;

Tensor tensor_of(const RowMatrix& matrix, at::ScalarType type = at::kDouble) {
  return at::from_blob(const_cast<double*>(matrix.data()), {matrix.rows(), matrix.cols()}, at::kDouble).clone().to(type);
}
RowMatrix matrix_of(const Tensor& tensor) {
  const Tensor values = tensor.detach().to(at::kDouble).contiguous();
  const Index rows = values.size(0), columns = values.dim() > 1 ? values.size(1) : 1;
  return Eigen::Map<const RowMatrix>(values.data_ptr<double>(), rows, columns);
}
double distance(const RowMatrix& found, const RowMatrix& expected) {
  return (found - expected).cwiseAbs().maxCoeff() / expected.cwiseAbs().maxCoeff();
}
Tensor leaf(const RowMatrix& matrix, at::ScalarType type) {
  return tensor_of(matrix, type).detach().set_requires_grad(true);
}

struct Results {
  RowMatrix mean, variance, draw, density;
  RowMatrix moments_mu, moments_s, draw_mu, draw_s, density_mu, density_s;
};

Results by_tensors(const RandomProblem& p, const Tensor& A, at::ScalarType type) {
  const Tensor d = tensor_of(p.d), e = tensor_of(p.e), y = tensor_of(p.y);
  const Tensor bar = tensor_of(p.e.rowwise().reverse(), type);
  Results r;
  {
    Tensor mu = leaf(p.mean, type), s = leaf(p.standard_deviation, type);
    const detail::TensorMoments moments = detail::conditional_moments(A, mu, s, d);
    r.mean = matrix_of(moments.mean);
    r.variance = matrix_of(moments.variance);
    const auto bars = torch::autograd::grad({(moments.mean * bar + moments.variance * bar).sum()}, {mu, s});
    r.moments_mu = matrix_of(bars[0]);
    r.moments_s = matrix_of(bars[1]);
  }
  {
    Tensor mu = leaf(p.mean, type), s = leaf(p.standard_deviation, type);
    const Tensor draw = detail::conditional_draw(A, mu, s, d, e);
    r.draw = matrix_of(draw);
    const auto bars = torch::autograd::grad({(draw * bar).sum()}, {mu, s});
    r.draw_mu = matrix_of(bars[0]);
    r.draw_s = matrix_of(bars[1]);
  }
  {
    Tensor mu = leaf(p.mean, type), s = leaf(p.standard_deviation, type);
    const Tensor density = detail::conditional_log_density(A, mu, s, d, y);
    r.density = matrix_of(density);
    const auto bars = torch::autograd::grad({density.sum()}, {mu, s});
    r.density_mu = matrix_of(bars[0]);
    r.density_s = matrix_of(bars[1]);
  }
  return r;
}

Results by_kernels(const RandomProblem& p) {
  Results r;
  const RowMatrix bar = p.e.rowwise().reverse();
  const ConditionalMoments moments = conditional_moments(p.A, p.mean, p.standard_deviation, p.d);
  r.mean = moments.mean;
  r.variance = moments.variance;
  const GaussianGradient a = conditional_moments_adjoint(p.A, p.mean, p.standard_deviation, p.d, bar, bar);
  r.moments_mu = a.mean;
  r.moments_s = a.standard_deviation;
  r.draw = conditional_draw(p.A, p.mean, p.standard_deviation, p.d, p.e);
  const GaussianGradient b = conditional_draw_adjoint(p.A, p.mean, p.standard_deviation, p.d, p.e, bar);
  r.draw_mu = b.mean;
  r.draw_s = b.standard_deviation;
  const LogDensity density = conditional_log_density(p.A, p.mean, p.standard_deviation, p.d, p.y, true);
  r.density = density.value;
  r.density_mu = density.gradient.mean;
  r.density_s = density.gradient.standard_deviation;
  return r;
}

void expect_near(const Results& found, const Results& expected, double tolerance, double density_tolerance) {
  EXPECT_LE(distance(found.mean, expected.mean), tolerance);
  EXPECT_LE(distance(found.variance, expected.variance), tolerance);
  EXPECT_LE(distance(found.moments_mu, expected.moments_mu), tolerance);
  EXPECT_LE(distance(found.moments_s, expected.moments_s), tolerance);
  EXPECT_LE(distance(found.draw, expected.draw), tolerance);
  EXPECT_LE(distance(found.draw_mu, expected.draw_mu), tolerance);
  EXPECT_LE(distance(found.draw_s, expected.draw_s), tolerance);
  EXPECT_LE(distance(found.density, expected.density), density_tolerance);
  EXPECT_LE(distance(found.density_mu, expected.density_mu), tolerance);
  EXPECT_LE(distance(found.density_s, expected.density_s), tolerance);
}

/// Inputs that are floats, so that both precisions have the same problem.
RandomProblem rounded(Index n, Index m, Index samples, unsigned seed) {
  RandomProblem p(n, m, samples, seed);
  for (RowMatrix* matrix : {&p.mean, &p.standard_deviation}) *matrix = matrix->cast<float>().cast<double>();
  return p;
}

TEST(TensorLaws, AgreeWithTheKernels) {
  unsigned seed = 1;
  for (const auto& [n, m] : {std::pair<Index, Index>{2, 1}, {5, 1}, {7, 3}, {24, 4}, {31, 11}}) {
    RandomProblem p = rounded(n, m, 9, seed++);
    const Tensor each = tensor_of(p.A).unsqueeze(0).expand({9, m, n}).contiguous();
    expect_near(by_tensors(p, tensor_of(p.A), at::kDouble), by_kernels(p), 1e-12, 1e-12);
    expect_near(by_tensors(p, tensor_of(p.A), at::kFloat), by_kernels(p), 3e-7, 1e-12);
    expect_near(by_tensors(p, each, at::kDouble), by_kernels(p), 1e-12, 1e-12);
    p.standard_deviation(3, 1) *= 1024.0;  // a leverage near 1, and W 1e6 times worse conditioned
    expect_near(by_tensors(p, tensor_of(p.A), at::kDouble), by_kernels(p), 1e-10, 1e-11);
    expect_near(by_tensors(p, each, at::kDouble), by_kernels(p), 1e-10, 1e-11);
  }
}

TEST(TensorLaws, EachSampleMayHaveItsOwnCoefficients) {
  const RandomProblem one(13, 3, 4, 3), two(13, 3, 4, 9);
  RandomProblem both(13, 3, 8, 1);
  both.mean << one.mean, two.mean;
  both.standard_deviation << one.standard_deviation, two.standard_deviation;
  both.d << one.d, two.d;
  both.e << one.e, two.e;
  both.y << one.y, two.y;
  const Tensor A = at::cat({tensor_of(one.A).expand({4, 3, 13}), tensor_of(two.A).expand({4, 3, 13})});
  const Results found = by_tensors(both, A, at::kDouble), first = by_kernels(one), second = by_kernels(two);
  EXPECT_LE(distance(found.variance.topRows(4), first.variance), 1e-12);
  EXPECT_LE(distance(found.variance.bottomRows(4), second.variance), 1e-12);
  EXPECT_LE(distance(found.draw.bottomRows(4), second.draw), 1e-12);
  EXPECT_LE(distance(found.density.bottomRows(4), second.density), 1e-12);
}

TEST(TensorLaws, AdjointsAreThoseOfThePlainFormula) {
  const RandomProblem p(17, 3, 6, 21);
  const Tensor A = tensor_of(p.A), d = tensor_of(p.d), e = tensor_of(p.e), y = tensor_of(p.y);
  const Tensor bar = tensor_of(p.e.rowwise().reverse());
  const Results found = by_tensors(p, A, at::kDouble);
  const at::AutoGradMode with_gradient(true);
  Tensor mu = leaf(p.mean, at::kDouble), s = leaf(p.standard_deviation, at::kDouble);
  const Tensor S = at::diag_embed(s * s);
  const Tensor W = at::matmul(at::matmul(A, S), A.t());
  const Tensor G = at::matmul(at::matmul(S, A.t()), at::linalg_inv(W));
  const auto condition = [&](const Tensor& z) {
    return z - at::matmul(G, (at::matmul(z, A.t()) - d).unsqueeze(-1)).squeeze(-1);
  };
  const Tensor V = S - at::matmul(G, at::matmul(A, S));
  const auto moments = torch::autograd::grad({(condition(mu) * bar + V.diagonal(0, -2, -1) * bar).sum()}, {mu, s}, {}, true);
  EXPECT_LE(distance(found.moments_mu, matrix_of(moments[0])), 1e-9);
  EXPECT_LE(distance(found.moments_s, matrix_of(moments[1])), 1e-9);
  const auto draw = torch::autograd::grad({(condition(mu + s * e) * bar).sum()}, {mu, s}, {}, true);
  EXPECT_LE(distance(found.draw_mu, matrix_of(draw[0])), 1e-9);
  EXPECT_LE(distance(found.draw_s, matrix_of(draw[1])), 1e-9);
  const Tensor r = at::matmul(mu, A.t()) - d;
  const Tensor density = -0.5 * ((y - mu) / s).square().sum(-1) - s.log().sum(-1) +
                         0.5 * (r * at::matmul(at::linalg_inv(W), r.unsqueeze(-1)).squeeze(-1)).sum(-1) +
                         0.5 * at::logdet(W);
  const auto bars = torch::autograd::grad({density.sum()}, {mu, s}, {}, true);
  EXPECT_LE(distance(found.density_mu, matrix_of(bars[0])), 1e-9);
  EXPECT_LE(distance(found.density_s, matrix_of(bars[1])), 1e-9);
}

TEST(TensorLaws, ABadSampleIsNaNAndTheOthersAreNotTouched) {
  RandomProblem p(9, 2, 8, 4);
  const Tensor A = tensor_of(p.A);
  const Results clean = by_tensors(p, A, at::kDouble);
  p.mean(1, 3) = std::numeric_limits<double>::quiet_NaN();
  p.standard_deviation(3, 0) = -1.0;
  p.standard_deviation.row(5).setZero();
  p.d(6, 1) = std::numeric_limits<double>::infinity();
  const Results found = by_tensors(p, A, at::kDouble);
  for (const auto& [a, b] : {std::pair{&found.mean, &clean.mean}, {&found.variance, &clean.variance},
                             {&found.draw, &clean.draw}, {&found.density, &clean.density},
                             {&found.moments_mu, &clean.moments_mu}, {&found.moments_s, &clean.moments_s},
                             {&found.draw_s, &clean.draw_s}, {&found.density_mu, &clean.density_mu},
                             {&found.density_s, &clean.density_s}})
    for (Index s = 0; s < 8; ++s) {
      if (s == 1 || s == 3 || s == 5 || s == 6)
        EXPECT_TRUE(a->row(s).array().isNaN().all()) << s;
      else
        EXPECT_LE((a->row(s) - b->row(s)).cwiseAbs().maxCoeff(), 1e-14 * b->row(s).cwiseAbs().maxCoeff()) << s;
    }
}

TEST(TensorLaws, ShapesAreChecked) {
  const RandomProblem p(9, 2, 8, 4);
  const Tensor mean = tensor_of(p.mean), s = tensor_of(p.standard_deviation), d = tensor_of(p.d);
  const Tensor wrong = at::zeros({2, 8}, at::kDouble);
  try {
    detail::conditional_moments(wrong, mean, s, d);
    FAIL() << "a law of 8 outputs was taken";
  } catch (const Error& error) {
    EXPECT_EQ(error.status(), Status::shape_mismatch);
    EXPECT_NE(std::string(error.what()).find("[2, 8], expected [2, 9]"), std::string::npos) << error.what();
  }
}

}  // namespace
}  // namespace lavoisier
