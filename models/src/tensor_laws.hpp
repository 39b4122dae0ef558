#ifndef LAVOISIER_MODELS_TENSOR_LAWS_HPP
#define LAVOISIER_MODELS_TENSOR_LAWS_HPP

// The conditional law of a diagonal Gaussian given A y = d on tensors of any device, as functions that LibTorch
// differentiates by hand-written adjoints (docs/method.md). For models whose loss is written in tensors; training's own
// losses are the fused ones of constraints.
//
// Shapes: A m x n (shared) or N x m x n; mean, standard_deviation, e, y: N x n; d: N x m. Any floating type; everything
// is computed in FP64, moments and draws are returned in the type of `mean`, log densities in FP64. Gradients flow to
// mean and standard_deviation. A sample that fails (a number that is not finite, a negative deviation, W singular on
// scaled rows, y off the laws) is NaN, and so are its gradients; the others are not touched.
// Error(shape_mismatch) for shapes that don't fit.

#include <ATen/core/Tensor.h>

namespace lavoisier::detail {

struct TensorMoments {
  at::Tensor mean, variance;  ///< N x n
};
/// m = mu - G (A mu - d), two passes; marginal variances without cancellation.
TensorMoments conditional_moments(const at::Tensor& A, const at::Tensor& mean, const at::Tensor& standard_deviation,
                                  const at::Tensor& d);
/// y = z - G (A z - d), two passes, z = mu + s e. Pathwise gradients; `e` is a constant.
at::Tensor conditional_draw(const at::Tensor& A, const at::Tensor& mean, const at::Tensor& standard_deviation,
                            const at::Tensor& d, const at::Tensor& e);
/// log p(y | A y = d) with respect to the surface measure, N numbers; `y` is a constant.
at::Tensor conditional_log_density(const at::Tensor& A, const at::Tensor& mean, const at::Tensor& standard_deviation,
                                   const at::Tensor& d, const at::Tensor& y);

}  // namespace lavoisier::detail

#endif
