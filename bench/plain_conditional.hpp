#ifndef LAVOISIER_BENCH_PLAIN_CONDITIONAL_HPP
#define LAVOISIER_BENCH_PLAIN_CONDITIONAL_HPP

#include <lavoisier/linear_constraints.hpp>

#include <cstdint>

namespace lavoisier::bench {

/// The conditional CRPS as one would write it with LibTorch's own operations (batched Cholesky, matrix products, FP64) and
/// automatic differentiation: mean loss, and its gradient with respect to h (float, rows x 2n: mean and raw scale, exp) or,
/// with `raw_scale` (n numbers, one deviation an output for the whole batch), to h (rows x n) and raw_scale.
double plain_conditional_crps(const RowMatrix& A, const RowMatrix& d, const RowMatrix& y, const float* h,
                              std::int64_t rows, float* h_bar, const double* raw_scale = nullptr,
                              double* raw_scale_bar = nullptr);

}  // namespace lavoisier::bench

#endif
