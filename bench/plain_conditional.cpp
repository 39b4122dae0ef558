#include "plain_conditional.hpp"

#include <ATen/ATen.h>
#include <torch/csrc/autograd/autograd.h>
#include <torch/csrc/autograd/grad_mode.h>

#include <algorithm>
#include <cmath>
#include <numbers>

namespace lavoisier::bench {

double plain_conditional_crps(const RowMatrix& A_given, const RowMatrix& d_given, const RowMatrix& y_given,
                              const float* h, std::int64_t rows, float* h_bar, const double* raw_scale,
                              double* raw_scale_bar) {
  using at::Tensor;
  const at::AutoGradMode with_gradient(true);
  const std::int64_t n = A_given.cols();
  const auto wrap = [](const double* values, std::int64_t count, std::int64_t columns) {
    return at::from_blob(const_cast<double*>(values), {count, columns}, at::kDouble);
  };
  const Tensor A = wrap(A_given.data(), A_given.rows(), n), d = wrap(d_given.data(), rows, A_given.rows()),
               y = wrap(y_given.data(), rows, n);
  const std::int64_t width = raw_scale ? n : 2 * n;
  const Tensor raw = at::from_blob(const_cast<float*>(h), {rows, width}, at::kFloat).to(at::kDouble).requires_grad_(true);
  const Tensor shared = raw_scale ? wrap(raw_scale, 1, n).clone().requires_grad_(true) : Tensor();
  const Tensor mean = raw.narrow(1, 0, n);
  const Tensor s = 1e-3 + (raw_scale ? shared : raw.narrow(1, n, n)).exp();
  const Tensor S = s * s;
  const Tensor AS = A.unsqueeze(0) * S.unsqueeze(1);                      // N or 1, m, n
  const Tensor L = at::linalg_cholesky(at::matmul(AS, A.t()));
  const Tensor r = at::matmul(mean, A.t()) - d;                           // N, m
  Tensor m, v;
  if (raw_scale) {
    const Tensor G = at::cholesky_solve(AS.squeeze(0), L.squeeze(0)).t();  // n, m
    m = mean - at::matmul(r, G.t());
    v = (S.squeeze(0) - (G * AS.squeeze(0).t()).sum(-1)).unsqueeze(0);
  } else {
    const Tensor G = at::cholesky_solve(AS, L).transpose(1, 2);            // N, n, m
    m = mean - at::bmm(G, r.unsqueeze(-1)).squeeze(-1);
    v = S - (G * AS.transpose(1, 2)).sum(-1);
  }
  const Tensor sigma = v.sqrt(), z = (y - m) / sigma;
  const Tensor crps = sigma * (z * at::erf(z * std::numbers::sqrt2 / 2.0) +
                               at::exp(-0.5 * z * z) * std::sqrt(2.0 * std::numbers::inv_pi) -
                               std::numbers::inv_sqrtpi);
  const Tensor loss = crps.mean();
  const std::vector<Tensor> inputs = raw_scale ? std::vector<Tensor>{raw, shared} : std::vector<Tensor>{raw};
  const auto bars = torch::autograd::grad({loss}, inputs);
  const Tensor bar = bars[0].to(at::kFloat).contiguous();
  std::copy_n(bar.data_ptr<float>(), rows * width, h_bar);
  if (raw_scale) {
    const Tensor bar_of_scale = bars[1].contiguous();
    std::copy_n(bar_of_scale.data_ptr<double>(), n, raw_scale_bar);
  }
  return loss.item<double>();
}

}  // namespace lavoisier::bench
