#include "tensor_laws.hpp"

#include <lavoisier/status.hpp>
#include <lavoisier/tolerances.hpp>

#include <ATen/ATen.h>
#include <torch/csrc/autograd/custom_function.h>

#include <cmath>
#include <limits>
#include <sstream>
#include <tuple>

namespace lavoisier::detail {
namespace {

using at::Tensor;
namespace autograd = torch::autograd;

constexpr double not_a_number = std::numeric_limits<double>::quiet_NaN();
constexpr double log_two_pi = 1.8378770664093454836;

void require(const char* function, const char* argument, const Tensor& tensor, at::IntArrayRef expected) {
  if (tensor.sizes() == expected) return;
  std::ostringstream text;
  text << function << ": " << argument << " is " << tensor.sizes() << ", expected " << expected;
  throw Error(Status::shape_mismatch, text.str());
}

/// Shapes, of A too: m x n or N x m x n.
void require_shapes(const char* function, const Tensor& A, const Tensor& mean, const Tensor& deviation,
                    const Tensor& d) {
  if (mean.dim() != 2 || A.dim() < 2 || A.dim() > 3) {
    std::ostringstream text;
    text << function << ": mean is " << mean.sizes() << " and A " << A.sizes()
         << ", expected [N, n] and [m, n] or [N, m, n]";
    throw Error(Status::shape_mismatch, text.str());
  }
  const std::int64_t N = mean.size(0), n = mean.size(1), m = A.size(-2);
  if (A.dim() == 3)
    require(function, "A", A, {N, m, n});
  else
    require(function, "A", A, {m, n});
  require(function, "standard_deviation", deviation, {N, n});
  require(function, "d", d, {N, m});
}

/// Scaled Cholesky of a batch of symmetric matrices: NaN where singular on scaled rows or not finite.
struct BatchFactor {
  Tensor scale, lower;  // N x m x 1, N x m x m

  explicit BatchFactor(const Tensor& W) {
    const std::int64_t m = W.size(-1);
    const Tensor diagonal = W.diagonal(0, -2, -1);
    scale = at::where(at::isfinite(diagonal) & (diagonal > 0.0), diagonal, at::full_like(diagonal, not_a_number))
                .rsqrt()
                .unsqueeze(-1);
    const Tensor scaled = W * scale * scale.transpose(-2, -1);
    const Tensor fit = at::isfinite(scaled).all(-1).all(-1);
    const Tensor identity = at::eye(m, W.options());
    // What can't be factorised is replaced before, so that no library stumbles over it, and NaN behind.
    auto [factor, info] = at::linalg_cholesky_ex(at::where(fit.view({-1, 1, 1}), scaled, identity), false, false);
    const double singular = 64.0 * static_cast<double>(m) * std::numeric_limits<double>::epsilon();
    const Tensor pivots = factor.diagonal(0, -2, -1);
    const Tensor regular = fit & (info == 0) & (pivots * pivots > singular).all(-1);
    lower = at::where(regular.view({-1, 1, 1}), factor, at::full_like(factor, not_a_number));
  }
  /// L^-1 D b of N x m x k.
  Tensor half_solve(const Tensor& b) const { return at::linalg_solve_triangular(lower, scale * b, false); }
  Tensor solve(const Tensor& b) const {
    return scale * at::linalg_solve_triangular(lower.transpose(-2, -1), half_solve(b), true);
  }
  Tensor log_det() const {
    return 2.0 * (lower.diagonal(0, -2, -1).log() - scale.squeeze(-1).log()).sum(-1);
  }
};

/// A batch in FP64, rows of A scaled to unit norm; A is N x m x n or 1 x m x n.
struct Problem {
  Tensor A, mean, deviation, d, variance, W;

  Problem(const Tensor& A_given, const Tensor& mean_given, const Tensor& deviation_given, const Tensor& d_given,
          const Tensor& also) {
    A = A_given.detach().to(at::kDouble);
    if (A.dim() == 2) A = A.unsqueeze(0);
    const Tensor largest = A.abs().amax(-1, true);
    const Tensor row_scale = 1.0 / (largest * (A / largest).square().sum(-1, true).sqrt());
    A = A * row_scale;
    mean = mean_given.detach().to(at::kDouble);
    deviation = deviation_given.detach().to(at::kDouble);
    d = d_given.detach().to(at::kDouble);
    const Tensor good = (at::isfinite(mean) & at::isfinite(deviation) & (deviation >= 0.0) &
                         at::isfinite(also.to(at::kDouble))).all(-1, true) & at::isfinite(d).all(-1, true);
    d = d * row_scale.squeeze(-1);
    deviation = at::where(good, deviation, at::full_like(deviation, not_a_number));
    variance = deviation * deviation;
    W = at::matmul(A * variance.unsqueeze(-2), A.transpose(-2, -1));
  }
  Tensor times(const Tensor& x) const { return at::matmul(A, x.unsqueeze(-1)); }                       // N x m x 1
  Tensor transposed_times(const Tensor& x) const { return at::matmul(A.transpose(-2, -1), x).squeeze(-1); }
  /// W^-1 (A z - d), N x m x 1.
  Tensor lambda(const BatchFactor& factor, const Tensor& z) const {
    return factor.solve(times(z) - d.unsqueeze(-1));
  }
  Tensor onto_laws(const BatchFactor& factor, const Tensor& z) const {
    const Tensor y = z - variance * transposed_times(lambda(factor, z));
    return y - variance * transposed_times(lambda(factor, y));
  }
  /// P' y_bar.
  Tensor project_adjoint(const BatchFactor& factor, const Tensor& y_bar) const {
    return y_bar - transposed_times(factor.solve(times(variance * y_bar)));
  }
};

/// The outputs of large leverage of all samples, each with W summed without it.
struct Special {
  Tensor sample, output;  // K
  Tensor column;          // K x n: P_ij over i
  Tensor variance;        // K: of the marginal
};

struct Leverage {
  Tensor half, value;  // N x m x n: L^-1 D A; N x n
  Tensor large;        // N x n
  Special special;

  Leverage(const Problem& p, const BatchFactor& factor) {
    half = factor.half_solve(p.A.expand({p.mean.size(0), -1, -1}));
    value = p.variance * half.square().sum(-2);
    large = value > 0.5;
    const Tensor where = large.nonzero();
    special.sample = where.select(1, 0);
    special.output = where.select(1, 1);
    const Tensor j = special.output.unsqueeze(-1);
    const Tensor A = p.A.size(0) == 1 ? p.A.expand({where.size(0), -1, -1}) : p.A.index_select(0, special.sample);
    const Tensor all = p.variance.index_select(0, special.sample);
    const Tensor own = all.gather(1, j);
    const Tensor others = all.scatter(1, j, 0.0);
    const BatchFactor without(at::matmul(A * others.unsqueeze(-2), A.transpose(-2, -1)));
    const Tensor a = A.gather(2, j.unsqueeze(1).expand({-1, A.size(1), -1}));  // K x m x 1
    const Tensor u = without.solve(a);
    const Tensor h = (a * u).sum(-2);  // K x 1
    const Tensor open = at::isfinite(h);
    const Tensor diagonal = at::where(open, 1.0 / (1.0 + own * h), at::zeros_like(h));
    special.variance = (own * diagonal).squeeze(-1);
    // Where nothing is open without the output, the whole W serves: P_jj = 0.
    const BatchFactor whole(p.W.index_select(0, special.sample));
    const Tensor direction = at::where(open.unsqueeze(-1), u * diagonal.unsqueeze(-1), whole.solve(a));
    const Tensor P = -all * at::matmul(A.transpose(-2, -1), direction).squeeze(-1);
    special.column = P.scatter(1, j, diagonal);
  }
  bool any_special() const { return special.sample.size(0) > 0; }

  Tensor variances(const Problem& p) const {
    if (p.A.size(-2) == p.A.size(-1)) return at::where(at::isnan(value), value, at::zeros_like(value));
    Tensor v = p.variance * (1.0 - value);
    if (any_special()) v = v.index_put({special.sample, special.output}, special.variance);
    return v;
  }
};

Tensor like(const Tensor& value, const Tensor& input) { return value.to(input.scalar_type()); }

/// The gradient of an output that nobody asked for is undefined.
Tensor defined_or_zero(const Tensor& bar, const Tensor& shape) {
  return bar.defined() ? bar.to(at::kDouble) : at::zeros_like(shape);
}

struct MomentsFunction : autograd::Function<MomentsFunction> {
  static autograd::variable_list forward(autograd::AutogradContext* context, const Tensor& A, const Tensor& mean,
                                         const Tensor& deviation, const Tensor& d) {
    const Problem p(A, mean, deviation, d, mean);
    const BatchFactor factor(p.W);
    const Leverage leverage(p, factor);
    context->save_for_backward({A, mean, deviation, d});
    return {like(p.onto_laws(factor, p.mean), mean), like(leverage.variances(p), mean)};
  }
  static autograd::variable_list backward(autograd::AutogradContext* context, autograd::variable_list outer) {
    const auto saved = context->get_saved_variables();
    const Problem p(saved[0], saved[1], saved[2], saved[3], saved[1]);
    const BatchFactor factor(p.W);
    const Leverage leverage(p, factor);
    const Tensor m_bar = defined_or_zero(outer[0], p.mean), v_bar = defined_or_zero(outer[1], p.mean);
    Tensor mu_bar, squares;
    if (p.A.size(-2) == p.A.size(-1)) {
      mu_bar = squares = at::where(at::isnan(leverage.value), leverage.value, at::zeros_like(leverage.value));
    } else {
      // sum over i of v_bar_i P_ij^2, P_ij = -S_i x_i'x_j: a quadratic form for outputs of ordinary leverage.
      mu_bar = p.project_adjoint(factor, m_bar);
      const Tensor weight = at::where(leverage.large, at::zeros_like(v_bar), v_bar * p.variance.square());
      const Tensor product = at::matmul(leverage.half * weight.unsqueeze(-2), leverage.half.transpose(-2, -1));
      squares = v_bar * (1.0 - 2.0 * leverage.value) + (leverage.half * at::matmul(product, leverage.half)).sum(-2);
      if (leverage.any_special()) {
        const Special& special = leverage.special;
        const Tensor i = special.output.view({-1, 1, 1});
        const Tensor half = leverage.half.index_select(0, special.sample);
        const Tensor own = half.gather(2, i.expand({-1, half.size(1), 1}));
        const Tensor j = special.output.unsqueeze(-1);
        const Tensor S = p.variance.index_select(0, special.sample).gather(1, j);
        const Tensor m_bars = m_bar.index_select(0, special.sample), v_bars = v_bar.index_select(0, special.sample);
        const Tensor P = S * (half * own).sum(-2);
        squares = squares.index_add(0, special.sample, v_bars.gather(1, j) * P.square());
        squares = squares.index_put({special.sample, special.output}, (v_bars * special.column.square()).sum(-1));
        mu_bar = mu_bar.index_put({special.sample, special.output}, (m_bars * special.column).sum(-1));
      }
    }
    const Tensor along = p.transposed_times(p.lambda(factor, p.mean));
    return {Tensor(), like(mu_bar, saved[1]), like(2.0 * p.deviation * (squares - mu_bar * along), saved[2]), Tensor()};
  }
};

struct DrawFunction : autograd::Function<DrawFunction> {
  static Tensor forward(autograd::AutogradContext* context, const Tensor& A, const Tensor& mean,
                        const Tensor& deviation, const Tensor& d, const Tensor& e) {
    const Problem p(A, mean, deviation, d, e);
    const BatchFactor factor(p.W);
    context->save_for_backward({A, mean, deviation, d, e});
    return like(p.onto_laws(factor, p.mean + p.deviation * e.to(at::kDouble)), mean);
  }
  static autograd::variable_list backward(autograd::AutogradContext* context, autograd::variable_list outer) {
    const auto saved = context->get_saved_variables();
    const Problem p(saved[0], saved[1], saved[2], saved[3], saved[4]);
    const BatchFactor factor(p.W);
    const Tensor e = saved[4].detach().to(at::kDouble);
    const Tensor bar = p.project_adjoint(factor, outer[0].to(at::kDouble));
    const Tensor along = p.transposed_times(p.lambda(factor, p.mean + p.deviation * e));
    return {Tensor(), like(bar, saved[1]), like(bar * (e - 2.0 * p.deviation * along), saved[2]), Tensor(), Tensor()};
  }
};

struct LogDensityFunction : autograd::Function<LogDensityFunction> {
  static Tensor forward(autograd::AutogradContext* context, const Tensor& A, const Tensor& mean,
                        const Tensor& deviation, const Tensor& d, const Tensor& y_given) {
    const Problem p(A, mean, deviation, d, y_given);
    const BatchFactor factor(p.W);
    const Leverage leverage(p, factor);
    const Tensor y = y_given.detach().to(at::kDouble);
    const Tensor known = p.deviation == 0.0, zero = at::zeros_like(p.mean);
    const Tensor along = p.transposed_times(p.lambda(factor, p.mean));
    const Tensor delta = y - p.mean;
    const Tensor safe = at::where(known, at::ones_like(p.deviation), p.deviation);
    const Tensor from_mean = at::where(known, zero, delta / safe + p.deviation * along);
    const Tensor free = at::logical_not(known).to(at::kDouble);
    const BatchFactor gram(at::matmul(p.A * free.unsqueeze(-2), p.A.transpose(-2, -1)));
    const double m = static_cast<double>(p.A.size(-2));
    Tensor value = -0.5 * (free.sum(-1) - m) * log_two_pi - 0.5 * from_mean.square().sum(-1) - safe.log().sum(-1) +
                   0.5 * factor.log_det() - 0.5 * gram.log_det();
    const Tensor agree = (at::logical_not(known) |
                          (delta.abs() <= tolerances::identity::relative_fp64 * (y.abs() + p.mean.abs()))).all(-1);
    value = at::where(agree | at::isnan(value), value, at::full_like(value, -std::numeric_limits<double>::infinity()));
    const Tensor terms = p.A * y.unsqueeze(-2);
    const Tensor on_laws = ((terms.sum(-1) - p.d).abs() <=
                            tolerances::identity::relative_fp32 * (terms.abs().sum(-1) + p.d.abs())).all(-1);
    value = at::where(on_laws, value, at::full_like(value, not_a_number));

    const Tensor whole = delta / at::where(known, at::ones_like(safe), p.variance) + along;
    Tensor mean_bar = at::where(known, along, whole);
    Tensor deviation_bar = at::where(
        known, zero,
        p.deviation * whole * (whole - 2.0 * along) - leverage.variances(p) / (safe * safe * safe));
    const Tensor failed = at::isnan(value).unsqueeze(-1);
    mean_bar = at::where(failed, at::full_like(mean_bar, not_a_number), mean_bar);
    deviation_bar = at::where(failed, at::full_like(deviation_bar, not_a_number), deviation_bar);
    context->save_for_backward({like(mean_bar, mean), like(deviation_bar, deviation)});
    return value;
  }
  static autograd::variable_list backward(autograd::AutogradContext* context, autograd::variable_list outer) {
    const auto saved = context->get_saved_variables();
    const Tensor bar = outer[0].unsqueeze(-1);
    return {Tensor(), saved[0] * bar.to(saved[0].scalar_type()), saved[1] * bar.to(saved[1].scalar_type()), Tensor(),
            Tensor()};
  }
};

}  // namespace

TensorMoments conditional_moments(const Tensor& A, const Tensor& mean, const Tensor& standard_deviation,
                                  const Tensor& d) {
  require_shapes("conditional_moments", A, mean, standard_deviation, d);
  const auto result = MomentsFunction::apply(A, mean, standard_deviation, d);
  return {result[0], result[1]};
}

Tensor conditional_draw(const Tensor& A, const Tensor& mean, const Tensor& standard_deviation, const Tensor& d,
                        const Tensor& e) {
  require_shapes("conditional_draw", A, mean, standard_deviation, d);
  require("conditional_draw", "e", e, mean.sizes());
  return DrawFunction::apply(A, mean, standard_deviation, d, e);
}

Tensor conditional_log_density(const Tensor& A, const Tensor& mean, const Tensor& standard_deviation, const Tensor& d,
                               const Tensor& y) {
  require_shapes("conditional_log_density", A, mean, standard_deviation, d);
  require("conditional_log_density", "y", y, mean.sizes());
  return LogDensityFunction::apply(A, mean, standard_deviation, d, y);
}

}  // namespace lavoisier::detail
