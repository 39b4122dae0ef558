#ifndef LAVOISIER_PLUGIN_TILE_KERNELS_HPP
#define LAVOISIER_PLUGIN_TILE_KERNELS_HPP

// The kernels of one tile on a CPU: one table a vector instruction set, chosen once at load. Every number is computed
// by the same operations in the same order in all of them (explicit fused multiply-adds in dense layers, separate
// roundings everywhere else), so the bits don't depend on the table.
//
// This header and the kernels themselves include nothing of the standard library that emits code: an inline function
// compiled for AVX-512 must not become the copy that the whole process uses.

#include "law_passes.hpp"

#include <cstdint>

namespace lavoisier::detail {

/// Values are value[element * stride + column]; the stride is the tile's number of columns (1 to 8), 16 or 32.
struct DenseArguments {
  const float* weight;  ///< packed panels (program.hpp)
  const float* bias;
  const float* x;
  float* y;
  std::int64_t k, n, stride;
};

/// Fields (channel, y, x) of each column. Weights are packed in panels as those of a dense layer of
/// channels * kernel_y * kernel_x inputs; taps outside the field are left out.
struct ConvolutionArguments {
  const float* weight;
  const float* bias;
  const float* x;
  float* y;
  std::int64_t channels, height, width;
  std::int64_t n, out_height, out_width;
  std::int64_t kernel_y, kernel_x, stride_y, stride_x, padding_y, padding_x;
  std::int64_t stride;
};

/// Layer norm: one group, channel_size 1.
struct NormArguments {
  const float *weight, *bias;  ///< one a channel
  const float* x;
  float* y;
  double epsilon;
  std::int64_t n, groups, channel_size, stride;
};

struct HeadArguments {
  const float* h;
  const double *output_mean, *output_scale;
  double floor;
  bool exponential;
  double *mean, *deviation;
  std::int64_t n, stride;
};

/// The two passes of DESIGN, "The mathematics". Scratch: `variance` n, `factor` m(m+1)/2, `residual` m, `skipped` m,
/// each times stride.
struct ConstrainArguments {
  const double *z, *deviation;  ///< deviation null, with squared_scale: no output is constant
  const double* squared_scale;  ///< null: the metric is the covariance
  double* y;
  const double* right_hand_side;  ///< [law][column]
  std::int32_t n, m;
  const std::int32_t* row_law;
  const std::int32_t *row_begin, *row_element;
  const double* row_coefficient;
  const std::int32_t *column_begin, *column_row;
  const double* column_coefficient;
  const std::int32_t *pair_begin, *pair_element;
  const double* pair_product;
  const double* row_values;  ///< each column's own coefficients, [entry][column]; null: row_coefficient and what follows
                             ///< from it, for all
  const std::int32_t *column_entry, *pair_left, *pair_right;  ///< with row_values: entries of the rows
  double *variance, *factor, *residual, *skipped;
  double* suspect;          ///< one a column: 1 where a pivot is a small share of its row's entry (written by constrain;
                            ///< read by a single pass, which may have none: null)
  std::uint8_t* deficient;  ///< one a column, set where a law can be neither met nor moved
  double tolerance;         ///< relative residual that a law without free outputs may have
  std::int64_t stride;
};

/// Residual and relative residual of every law of the stored values.
struct ClosureArguments {
  const double* y;
  const double* right_hand_side;
  std::int32_t laws;
  const std::int32_t *term_begin, *term_element;
  const double* term_coefficient;
  const double* term_values;  ///< each column's own, [term][column]; null: term_coefficient
  double *residual, *relative;  ///< [law][column]
  std::int64_t stride;
};

struct ScalarArguments {
  std::int32_t code;  ///< ScalarCode
  const double *left, *right;
  std::int64_t left_step, right_step;  ///< 0: a number; 1: one a column
  double* result;
  std::int64_t stride;
};

struct TileKernels {
  const char* name;
  void (*standardize)(const double* x, const double* mean, const double* scale, float* y, std::int64_t n,
                      std::int64_t stride);
  void (*single)(const double* x, float* y, std::int64_t count);
  void (*dense)(const DenseArguments& arguments);
  void (*convolution)(const ConvolutionArguments& arguments);
  void (*silu)(const float* x, float* y, std::int64_t count);
  void (*relu)(const float* x, float* y, std::int64_t count);
  void (*tanh)(const float* x, float* y, std::int64_t count);
  void (*sigmoid)(const float* x, float* y, std::int64_t count);
  void (*add)(const float* a, const float* b, float* y, std::int64_t count);
  void (*multiply)(const float* a, const float* b, float* y, std::int64_t count);
  void (*add_channel)(const float* x, const float* b, float* y, std::int64_t channels, std::int64_t size,
                      std::int64_t stride);
  void (*norm)(const NormArguments& arguments);
  /// y = cos(2 pi f t), then sin(2 pi f t), for k frequencies f.
  void (*time_embedding)(const double* t, const double* frequencies, float* y, std::int64_t k, std::int64_t stride);
  /// `count` numbers a gate; both dense results hold three gates.
  void (*gru_gates)(const float* from_input, const float* from_hidden, const float* h, float* y, std::int64_t count);
  void (*gaussian_head)(const HeadArguments& arguments);
  /// Box and Muller in place of the two uniforms: first = sqrt(-2 log first) cos(2 pi second).
  void (*box_muller)(double* first, const double* second, std::int64_t count);
  void (*gaussian_draw)(const double* mean, const double* deviation, const double* e, double* z, std::int64_t count);
  void (*scalar)(const ScalarArguments& arguments);
  void (*constrain)(const ConstrainArguments& arguments);
  void (*closure)(const ClosureArguments& arguments);
  /// One pass of `constrain` over y, with the variance and the factor that it left; reads neither z nor deviation.
  void (*pass)(const ConstrainArguments& arguments);
  /// What `constrain` begins with, for passes alone: factor, skipped and suspect, of the variance that is there.
  void (*factorise)(const ConstrainArguments& arguments);
};

/// The best table of this processor; LAVOISIER_INSTRUCTION_SET (x86-64, avx2, avx512) asks for a lower one.
const TileKernels& tile_kernels();
/// All tables that this processor can run, best first.
int runnable_tile_kernels(const TileKernels* (&tables)[3]) noexcept;

extern const TileKernels tile_kernels_baseline;
#if defined(__x86_64__) && defined(__GNUC__)
extern const TileKernels tile_kernels_avx2;
extern const TileKernels tile_kernels_avx512;
#endif

}  // namespace lavoisier::detail

#endif
