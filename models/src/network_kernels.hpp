#ifndef LAVOISIER_MODELS_NETWORK_KERNELS_HPP
#define LAVOISIER_MODELS_NETWORK_KERNELS_HPP

// The loops of a training step on a CPU: one table a vector instruction set, chosen once. Every number is computed by
// the same operations in the same order in all of them (no fused multiply-add, one order of sums), so the bits don't
// depend on the table. Neither this header nor the kernels include anything that emits code: an inline function
// compiled for AVX-512 must not become the copy that the whole process uses.

#include <cstdint>

namespace lavoisier::detail {

/// Rows of values lie `stride` apart, a multiple of this; what lies between width and stride is zero. Vectors may be
/// read, never written, up to this many numbers behind a row of weights.
inline constexpr std::int64_t kernel_panel = 16;

/// C(r, c) = first[c] + sum over k, ascending, of A(r, k) B(k, c), each product and each sum rounded.
template <class Real>
struct ProductArguments {
  const Real* a = nullptr;  ///< A(r, k) = a[r * a_row + k * a_step]
  std::int64_t a_row = 0, a_step = 0;
  const Real* b = nullptr;  ///< B(k, c) = b[c / panel * b_panel + k * b_step + c % panel], panel = kernel_panel
  std::int64_t b_step = 0, b_panel = kernel_panel;
  const Real* first = nullptr;  ///< null: zero
  Real* c = nullptr;            ///< C(r, c) = c[r * c_row + c]
  std::int64_t c_row = 0;
  std::int64_t rows = 0, steps = 0, columns = 0;
  bool accumulate = false;      ///< adds the result to C
};

template <class Real>
struct LayerNormArguments {
  const Real *x, *weight, *bias;
  Real *y, *normalized;  ///< normalized: (x - mean) / root
  double* root;          ///< one a row: sqrt(variance + epsilon)
  double epsilon;
  std::int64_t rows, width, stride;
};

template <class Real>
struct LayerNormAdjointArguments {
  const Real *y_bar, *normalized, *weight;
  const double* root;
  Real *x_bar, *weight_bar, *bias_bar;
  std::int64_t rows, width, stride;
  bool accumulate;  ///< adds to x_bar
};

/// Adam's constants of one step (optimizer.hpp).
struct AdamArguments {
  float* weights;
  float *first, *second;
  const float* gradient;
  float* average;  ///< may be null
  std::int64_t count;
  float shrink, step_size, inverse_root, moved;
};

template <class Real>
struct NetworkKernels {
  /// The transpose of a matrix (outputs x inputs) in panels: packed[j / panel][k][j % panel], padded with zeros.
  void (*pack)(const Real* weight, Real* packed, std::int64_t outputs, std::int64_t inputs);
  void (*product)(const ProductArguments<Real>& arguments);
  void (*silu)(const Real* x, Real* y, std::int64_t count);
  void (*silu_with_slope)(const Real* x, Real* y, Real* slope, std::int64_t count);
  void (*add)(const Real* a, const Real* b, Real* y, std::int64_t count);
  void (*multiply)(const Real* a, const Real* b, Real* y, std::int64_t count, bool accumulate);
  void (*sum_rows)(const Real* x, Real* sum, std::int64_t rows, std::int64_t width, std::int64_t stride);
  void (*layer_norm)(const LayerNormArguments<Real>& arguments);
  void (*layer_norm_adjoint)(const LayerNormAdjointArguments<Real>& arguments);
};

struct KernelTable {
  const char* name;
  NetworkKernels<float> single;
  NetworkKernels<double> twofold;
  void (*adam)(const AdamArguments& arguments);
  bool (*finite)(const float* values, std::int64_t count);
};

/// The best table of this processor; LAVOISIER_INSTRUCTION_SET (x86-64, avx2, avx512) asks for a lower one.
const KernelTable& network_kernels();
/// All tables that this processor can run, best first.
int runnable_network_kernels(const KernelTable* (&tables)[3]) noexcept;

template <class Real>
const NetworkKernels<Real>& kernels_of(const KernelTable& table) {
  if constexpr (sizeof(Real) == sizeof(float))
    return table.single;
  else
    return table.twofold;
}

extern const KernelTable network_kernels_baseline;
#if defined(__x86_64__) && defined(__GNUC__)
extern const KernelTable network_kernels_avx2;
extern const KernelTable network_kernels_avx512;
#endif

}  // namespace lavoisier::detail

#endif
