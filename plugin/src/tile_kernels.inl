// Included once by each tile_kernels_<level>.cpp, which is compiled for that level. Everything but the table is local.

#include "tile_kernels.hpp"

#include <lavoisier/elementary.hpp>

#if defined(__AVX512F__) || (defined(__AVX2__) && defined(__FMA__))
#include <immintrin.h>
#endif

// Whole bodies are inlined: vectorised, and no out-of-line copy of somebody else's inline function is left behind.
#define LAVOISIER_KERNEL __attribute__((flatten))
#define LAVOISIER_LOCAL inline __attribute__((always_inline))
#define LAVOISIER_LANES _Pragma("GCC ivdep")

namespace lavoisier::detail {
namespace {

// ---- one rounding of a * b + c, and vectors of it -------------------------------------------------------------------

#if defined(__AVX512F__)
struct Vector {
  static constexpr int lanes = 16;
  __m512 v;
  static LAVOISIER_LOCAL Vector load(const float* p) { return {_mm512_loadu_ps(p)}; }
  static LAVOISIER_LOCAL Vector broadcast(float x) { return {_mm512_set1_ps(x)}; }
  LAVOISIER_LOCAL void store(float* p) const { _mm512_storeu_ps(p, v); }
  static LAVOISIER_LOCAL Vector fused(Vector a, Vector b, Vector c) { return {_mm512_fmadd_ps(a.v, b.v, c.v)}; }
};
#elif defined(__AVX2__) && defined(__FMA__)
struct Vector {
  static constexpr int lanes = 8;
  __m256 v;
  static LAVOISIER_LOCAL Vector load(const float* p) { return {_mm256_loadu_ps(p)}; }
  static LAVOISIER_LOCAL Vector broadcast(float x) { return {_mm256_set1_ps(x)}; }
  LAVOISIER_LOCAL void store(float* p) const { _mm256_storeu_ps(p, v); }
  static LAVOISIER_LOCAL Vector fused(Vector a, Vector b, Vector c) { return {_mm256_fmadd_ps(a.v, b.v, c.v)}; }
};
#else
LAVOISIER_LOCAL float fused_multiply_add(float a, float b, float c) {
#if defined(__FP_FAST_FMAF)
  return __builtin_fmaf(a, b, c);
#else
  // Exact without the instruction: the product is exact in double; its sum with c is rounded to odd (Boldo and
  // Melquiond 2008), so that the rounding to float is the only one that counts.
  const double product = static_cast<double>(a) * static_cast<double>(b);
  const double addend = static_cast<double>(c);
  double sum = product + addend;
  const double part = sum - product;
  const double error = (product - (sum - part)) + (addend - part);
  std::int64_t bits;
  __builtin_memcpy(&bits, &sum, sizeof bits);
  const bool inexact = (error > 0.0) | (error < 0.0);
  const std::int64_t toward = ((error > 0.0) == (sum > 0.0)) ? 1 : -1;
  bits += (inexact & ((bits & 1) == 0)) ? toward : 0;
  __builtin_memcpy(&sum, &bits, sizeof sum);
  return static_cast<float>(sum);
#endif
}
struct Vector {
  static constexpr int lanes = 4;
  float v[lanes];
  static LAVOISIER_LOCAL Vector load(const float* p) { return {{p[0], p[1], p[2], p[3]}}; }
  static LAVOISIER_LOCAL Vector broadcast(float x) { return {{x, x, x, x}}; }
  LAVOISIER_LOCAL void store(float* p) const {
    for (int i = 0; i < lanes; ++i) p[i] = v[i];
  }
  static LAVOISIER_LOCAL Vector fused(const Vector& a, const Vector& b, const Vector& c) {
    Vector r;
    for (int i = 0; i < lanes; ++i) r.v[i] = fused_multiply_add(a.v[i], b.v[i], c.v[i]);
    return r;
  }
};
#endif

constexpr int panel = 16;  // panel_width of program.hpp

// ---- dense ------------------------------------------------------------------------------------------------------------

/// J outputs of one panel times V vectors of columns, k ascending: y = bias, then y = w x + y, one rounding each.
template <int J, int V>
LAVOISIER_LOCAL void dense_block(const float* weight, const float* bias, const float* x, float* y, std::int64_t k,
                                  std::int64_t stride, int valid) {
  Vector sum[J][V];
#pragma GCC unroll 16
  for (int j = 0; j < J; ++j)
#pragma GCC unroll 4
    for (int v = 0; v < V; ++v) sum[j][v] = Vector::broadcast(bias[j]);
  for (std::int64_t i = 0; i < k; ++i) {
    Vector column[V];
#pragma GCC unroll 4
    for (int v = 0; v < V; ++v) column[v] = Vector::load(x + i * stride + v * Vector::lanes);
#pragma GCC unroll 16
    for (int j = 0; j < J; ++j) {
      const Vector w = Vector::broadcast(weight[i * panel + j]);
#pragma GCC unroll 4
      for (int v = 0; v < V; ++v) sum[j][v] = Vector::fused(w, column[v], sum[j][v]);
    }
  }
#pragma GCC unroll 16
  for (int j = 0; j < J; ++j)
    if (j < valid)
#pragma GCC unroll 4
      for (int v = 0; v < V; ++v) sum[j][v].store(y + j * stride + v * Vector::lanes);
}

template <int J, int V>
LAVOISIER_LOCAL void dense_columns(const DenseArguments& a) {
  for (std::int64_t p = 0; p * panel < a.n; ++p)
    for (int h = 0; h < panel; h += J) {
      const std::int64_t first = p * panel + h;
      if (first >= a.n) break;
      const int valid = static_cast<int>(a.n - first < J ? a.n - first : J);
      for (std::int64_t c = 0; c < a.stride; c += V * Vector::lanes)
        dense_block<J, V>(a.weight + p * a.k * panel + h, a.bias + first, a.x + c, a.y + first * a.stride + c, a.k,
                          a.stride, valid);
    }
}

/// Few columns: vectors run over outputs. C columns (= stride) times G vectors of outputs at once.
template <int C, int G>
LAVOISIER_LOCAL void dense_outputs(const DenseArguments& a) {
  constexpr int in_panel = panel / Vector::lanes;
  const std::int64_t vectors = (a.n + Vector::lanes - 1) / Vector::lanes;
  for (std::int64_t u = 0; u < vectors; u += G) {
    const float* weight[G];
    Vector sum[C][G];
#pragma GCC unroll 16
    for (int g = 0; g < G; ++g) {
      // Behind the last vector the last one is computed again and thrown away.
      const std::int64_t at = u + g < vectors ? u + g : vectors - 1;
      weight[g] = a.weight + (at / in_panel) * a.k * panel + (at % in_panel) * Vector::lanes;
      const Vector bias = Vector::load(a.bias + at * Vector::lanes);
#pragma GCC unroll 8
      for (int c = 0; c < C; ++c) sum[c][g] = bias;
    }
    for (std::int64_t i = 0; i < a.k; ++i) {
      Vector w[G];
#pragma GCC unroll 16
      for (int g = 0; g < G; ++g) w[g] = Vector::load(weight[g] + i * panel);
#pragma GCC unroll 8
      for (int c = 0; c < C; ++c) {
        const Vector x = Vector::broadcast(a.x[i * C + c]);
#pragma GCC unroll 16
        for (int g = 0; g < G; ++g) sum[c][g] = Vector::fused(w[g], x, sum[c][g]);
      }
    }
#pragma GCC unroll 16
    for (int g = 0; g < G; ++g) {
      const std::int64_t first = (u + g) * Vector::lanes;
      if (first >= a.n) break;
      const std::int64_t valid = a.n - first < Vector::lanes ? a.n - first : Vector::lanes;
#pragma GCC unroll 8
      for (int c = 0; c < C; ++c) {
        float row[Vector::lanes];
        sum[c][g].store(row);
        for (std::int64_t j = 0; j < valid; ++j) a.y[(first + j) * C + c] = row[j];
      }
    }
  }
}

LAVOISIER_KERNEL void dense(const DenseArguments& a) {
#if defined(__AVX512F__)
  constexpr int registers = 24;
#elif defined(__AVX2__)
  constexpr int registers = 10;
#else
  constexpr int registers = 8;
#endif
  switch (a.stride) {
    case 1: return dense_outputs<1, 8>(a);
    case 2: return dense_outputs<2, (registers / 2 > 8 ? 8 : registers / 2)>(a);
    case 3: return dense_outputs<3, (registers / 3 > 4 ? 4 : registers / 3)>(a);
    case 4: return dense_outputs<4, (registers / 4 > 4 ? 4 : registers / 4)>(a);
    case 5: return dense_outputs<5, registers / 5>(a);
    case 6: return dense_outputs<6, (registers / 6 > 4 ? 4 : registers / 6)>(a);
    case 7: return dense_outputs<7, (registers >= 14 ? registers / 7 : 1)>(a);
    case 8: return dense_outputs<8, (registers >= 16 ? registers / 8 : 1)>(a);
#if defined(__AVX512F__)
    case 16: return dense_columns<16, 1>(a);
    default: return dense_columns<8, 2>(a);
#elif defined(__AVX2__)
    default: return dense_columns<4, 2>(a);
#else
    default: return dense_columns<4, 1>(a);
#endif
  }
}

// ---- elementwise --------------------------------------------------------------------------------------------------------

LAVOISIER_KERNEL void standardize(const double* x, const double* mean, const double* scale, float* y, std::int64_t n,
                                  std::int64_t stride) {
  for (std::int64_t i = 0; i < n; ++i) {
    const double m = mean[i], s = scale[i];
    LAVOISIER_LANES
    for (std::int64_t c = 0; c < stride; ++c) y[i * stride + c] = static_cast<float>((x[i * stride + c] - m) / s);
  }
}

LAVOISIER_KERNEL void silu(const float* x, float* y, std::int64_t count) {
  LAVOISIER_LANES
  for (std::int64_t i = 0; i < count; ++i) y[i] = elementary::silu(x[i]);
}

LAVOISIER_KERNEL void add(const float* a, const float* b, float* y, std::int64_t count) {
  LAVOISIER_LANES
  for (std::int64_t i = 0; i < count; ++i) y[i] = a[i] + b[i];
}

LAVOISIER_KERNEL void layer_norm(const LayerNormArguments& a) {
  const double n = static_cast<double>(a.n);
  for (std::int64_t first = 0; first < a.stride; first += 8) {
    const std::int64_t lanes = a.stride - first < 8 ? a.stride - first : 8;
    double mean[8] = {}, variance[8] = {}, root[8] = {};
    for (std::int64_t i = 0; i < a.n; ++i)
      LAVOISIER_LANES
      for (std::int64_t c = 0; c < lanes; ++c) mean[c] += static_cast<double>(a.x[i * a.stride + first + c]);
    for (std::int64_t c = 0; c < lanes; ++c) mean[c] = mean[c] / n;
    for (std::int64_t i = 0; i < a.n; ++i)
      LAVOISIER_LANES
      for (std::int64_t c = 0; c < lanes; ++c) {
        const double distance = static_cast<double>(a.x[i * a.stride + first + c]) - mean[c];
        variance[c] += distance * distance;
      }
    for (std::int64_t c = 0; c < lanes; ++c) root[c] = elementary::sqrt(variance[c] / n + a.epsilon);
    for (std::int64_t i = 0; i < a.n; ++i) {
      const double weight = static_cast<double>(a.weight[i]), bias = static_cast<double>(a.bias[i]);
      LAVOISIER_LANES
      for (std::int64_t c = 0; c < lanes; ++c) {
        const std::int64_t at = i * a.stride + first + c;
        a.y[at] = static_cast<float>((static_cast<double>(a.x[at]) - mean[c]) / root[c] * weight + bias);
      }
    }
  }
}

LAVOISIER_KERNEL void gaussian_head(const HeadArguments& a) {
  const std::int64_t half = a.n * a.stride;
  for (std::int64_t i = 0; i < a.n; ++i) {
    const double m = a.output_mean[i], s = a.output_scale[i];
    LAVOISIER_LANES
    for (std::int64_t c = 0; c < a.stride; ++c)
      a.mean[i * a.stride + c] = m + s * static_cast<double>(a.h[i * a.stride + c]);
  }
  if (a.exponential) {
    LAVOISIER_LANES
    for (std::int64_t j = 0; j < half; ++j) a.deviation[j] = elementary::exp(static_cast<double>(a.h[half + j]));
  } else {
    LAVOISIER_LANES
    for (std::int64_t j = 0; j < half; ++j) a.deviation[j] = elementary::log1p_exp(static_cast<double>(a.h[half + j]));
  }
  for (std::int64_t i = 0; i < a.n; ++i) {
    const double s = a.output_scale[i], floor = a.floor;
    LAVOISIER_LANES
    for (std::int64_t c = 0; c < a.stride; ++c)
      a.deviation[i * a.stride + c] = s * (floor + a.deviation[i * a.stride + c]);
  }
}

LAVOISIER_KERNEL void box_muller(double* first, const double* second, std::int64_t count) {
  LAVOISIER_LANES
  for (std::int64_t i = 0; i < count; ++i)
    first[i] = elementary::sqrt(-2.0 * elementary::log(first[i])) * elementary::cos_two_pi(second[i]);
}

LAVOISIER_KERNEL void gaussian_draw(const double* mean, const double* deviation, const double* e, double* z,
                                    std::int64_t count) {
  LAVOISIER_LANES
  for (std::int64_t i = 0; i < count; ++i) z[i] = mean[i] + deviation[i] * e[i];
}

// ---- laws ----------------------------------------------------------------------------------------------------------------

LAVOISIER_KERNEL void scalar(const ScalarArguments& a) {
  LAVOISIER_LANES
  for (std::int64_t c = 0; c < a.stride; ++c) {
    const double left = a.left[c * a.left_step];
    const double right = a.right[c * a.right_step];
    double result = 0.0;
    switch (a.code) {
      case 0: result = left + right; break;
      case 1: result = left - right; break;
      case 2: result = left * right; break;
      case 3: result = left / right; break;
      default: result = -left; break;
    }
    a.result[c] = result;
  }
}

LAVOISIER_LOCAL void residuals(const ConstrainArguments& a) {
  for (std::int32_t k = 0; k < a.m; ++k) {
    double* residual = a.residual + k * a.stride;
    const double* d = a.right_hand_side + a.row_law[k] * a.stride;
    LAVOISIER_LANES
    for (std::int64_t c = 0; c < a.stride; ++c) residual[c] = 0.0;
    for (std::int32_t t = a.row_begin[k]; t < a.row_begin[k + 1]; ++t) {
      const double coefficient = a.row_coefficient[t];
      const double* y = a.y + a.row_element[t] * a.stride;
      LAVOISIER_LANES
      for (std::int64_t c = 0; c < a.stride; ++c) residual[c] += coefficient * y[c];
    }
    LAVOISIER_LANES
    for (std::int64_t c = 0; c < a.stride; ++c) residual[c] -= d[c];
  }
}

/// y -= S A' W^-1 (A y - d), W = L L', columns of L that have no pivot left out.
LAVOISIER_LOCAL void pass(const ConstrainArguments& a) {
  residuals(a);
  for (std::int32_t k = 0; k < a.m; ++k) {
    double* residual = a.residual + k * a.stride;
    const double* row = a.factor + static_cast<std::int64_t>(k) * (k + 1) / 2 * a.stride;
    for (std::int32_t l = 0; l < k; ++l)
      LAVOISIER_LANES
      for (std::int64_t c = 0; c < a.stride; ++c) residual[c] -= row[l * a.stride + c] * a.residual[l * a.stride + c];
    LAVOISIER_LANES
    for (std::int64_t c = 0; c < a.stride; ++c) {
      const double quotient = residual[c] / row[k * a.stride + c];
      residual[c] = a.skipped[k * a.stride + c] != 0.0 ? 0.0 : quotient;
    }
  }
  for (std::int32_t k = a.m - 1; k >= 0; --k) {
    double* residual = a.residual + k * a.stride;
    for (std::int32_t l = k + 1; l < a.m; ++l) {
      const double* factor = a.factor + (static_cast<std::int64_t>(l) * (l + 1) / 2 + k) * a.stride;
      LAVOISIER_LANES
      for (std::int64_t c = 0; c < a.stride; ++c) residual[c] -= factor[c] * a.residual[l * a.stride + c];
    }
    const double* pivot = a.factor + (static_cast<std::int64_t>(k) * (k + 1) / 2 + k) * a.stride;
    LAVOISIER_LANES
    for (std::int64_t c = 0; c < a.stride; ++c) {
      const double quotient = residual[c] / pivot[c];
      residual[c] = a.skipped[k * a.stride + c] != 0.0 ? 0.0 : quotient;
    }
  }
  for (std::int32_t i = 0; i < a.n; ++i) {
    if (a.column_begin[i] == a.column_begin[i + 1]) continue;
    double* y = a.y + i * a.stride;
    const double* variance = a.variance + i * a.stride;
    for (std::int64_t first = 0; first < a.stride; first += 8) {
      const std::int64_t lanes = a.stride - first < 8 ? a.stride - first : 8;
      double step[8] = {};
      for (std::int32_t t = a.column_begin[i]; t < a.column_begin[i + 1]; ++t) {
        const double coefficient = a.column_coefficient[t];
        const double* lambda = a.residual + a.column_row[t] * a.stride + first;
        LAVOISIER_LANES
        for (std::int64_t c = 0; c < lanes; ++c) step[c] += coefficient * lambda[c];
      }
      LAVOISIER_LANES
      for (std::int64_t c = 0; c < lanes; ++c) y[first + c] -= variance[first + c] * step[c];
    }
  }
}

LAVOISIER_KERNEL void constrain(const ConstrainArguments& a) {
  const std::int64_t count = a.n * a.stride;
  for (std::int64_t j = 0; j < count; ++j) a.y[j] = a.z[j];
  if (a.m == 0) return;
  if (a.squared_scale == nullptr) {
    LAVOISIER_LANES
    for (std::int64_t j = 0; j < count; ++j) a.variance[j] = a.deviation[j] * a.deviation[j];
  } else {
    for (std::int32_t i = 0; i < a.n; ++i) {
      const double scale = a.squared_scale[i];
      LAVOISIER_LANES
      for (std::int64_t c = 0; c < a.stride; ++c)
        a.variance[i * a.stride + c] = a.deviation[i * a.stride + c] != 0.0 ? scale : 0.0;
    }
  }
  // W = A S A', then its Cholesky factor in place, row by row. A pivot that is nothing but rounding (16 units in the
  // last place of the row's own entry, m times) belongs to a row that the free outputs cannot move on their own.
  const double smallest = 16.0 * 0x1.0p-52 * static_cast<double>(a.m);
  for (std::int32_t k = 0; k < a.m; ++k) {
    double* row = a.factor + static_cast<std::int64_t>(k) * (k + 1) / 2 * a.stride;
    for (std::int32_t l = 0; l <= k; ++l) {
      double* entry = row + l * a.stride;
      const std::int32_t p = k * (k + 1) / 2 + l;
      LAVOISIER_LANES
      for (std::int64_t c = 0; c < a.stride; ++c) entry[c] = 0.0;
      for (std::int32_t t = a.pair_begin[p]; t < a.pair_begin[p + 1]; ++t) {
        const double product = a.pair_product[t];
        const double* variance = a.variance + a.pair_element[t] * a.stride;
        LAVOISIER_LANES
        for (std::int64_t c = 0; c < a.stride; ++c) entry[c] += product * variance[c];
      }
    }
    double* diagonal = row + k * a.stride;
    double* skipped = a.skipped + k * a.stride;
    LAVOISIER_LANES
    for (std::int64_t c = 0; c < a.stride; ++c) skipped[c] = diagonal[c];
    for (std::int32_t l = 0; l < k; ++l) {
      double* entry = row + l * a.stride;
      const double* other = a.factor + static_cast<std::int64_t>(l) * (l + 1) / 2 * a.stride;
      for (std::int32_t j = 0; j < l; ++j)
        LAVOISIER_LANES
        for (std::int64_t c = 0; c < a.stride; ++c) entry[c] -= row[j * a.stride + c] * other[j * a.stride + c];
      LAVOISIER_LANES
      for (std::int64_t c = 0; c < a.stride; ++c) {
        const double quotient = entry[c] / other[l * a.stride + c];
        entry[c] = a.skipped[l * a.stride + c] != 0.0 ? 0.0 : quotient;
        diagonal[c] -= entry[c] * entry[c];
      }
    }
    LAVOISIER_LANES
    for (std::int64_t c = 0; c < a.stride; ++c) {
      const bool regular = diagonal[c] > smallest * skipped[c];
      const double root = elementary::sqrt(regular ? diagonal[c] : 1.0);
      diagonal[c] = root;
      skipped[c] = regular ? 0.0 : 1.0;
    }
  }
  pass(a);
  pass(a);
  // Laws without a pivot must hold already: among constants, or as a consequence of the others.
  bool any = false;
  for (std::int64_t j = 0; j < a.m * a.stride; ++j) any = any | (a.skipped[j] != 0.0);
  if (!any) return;
  residuals(a);
  for (std::int32_t k = 0; k < a.m; ++k)
    for (std::int64_t c = 0; c < a.stride; ++c) {
      if (a.skipped[k * a.stride + c] == 0.0) continue;
      const double d = a.right_hand_side[a.row_law[k] * a.stride + c];
      double size = d < 0.0 ? -d : d;
      for (std::int32_t t = a.row_begin[k]; t < a.row_begin[k + 1]; ++t) {
        const double term = a.row_coefficient[t] * a.y[a.row_element[t] * a.stride + c];
        size += term < 0.0 ? -term : term;
      }
      const double residual = a.residual[k * a.stride + c];
      if (!((residual < 0.0 ? -residual : residual) <= a.tolerance * size)) a.deficient[c] = 1;
    }
}

LAVOISIER_KERNEL void closure(const ClosureArguments& a) {
  for (std::int32_t l = 0; l < a.laws; ++l) {
    const double* d = a.right_hand_side + l * a.stride;
    for (std::int64_t first = 0; first < a.stride; first += 8) {
      const std::int64_t lanes = a.stride - first < 8 ? a.stride - first : 8;
      double sum[8] = {}, size[8] = {};
      for (std::int32_t t = a.term_begin[l]; t < a.term_begin[l + 1]; ++t) {
        const double coefficient = a.term_coefficient[t];
        const double* y = a.y + a.term_element[t] * a.stride + first;
        LAVOISIER_LANES
        for (std::int64_t c = 0; c < lanes; ++c) {
          const double term = coefficient * y[c];
          sum[c] += term;
          size[c] += term < 0.0 ? -term : term;
        }
      }
      LAVOISIER_LANES
      for (std::int64_t c = 0; c < lanes; ++c) {
        const double residual = sum[c] - d[first + c];
        const double magnitude = size[c] + (d[first + c] < 0.0 ? -d[first + c] : d[first + c]);
        const double absolute = residual < 0.0 ? -residual : residual;
        // Infinite terms say nothing about closing: NaN, and the caller flags the column.
        const double relative = absolute == 0.0 ? 0.0 : absolute / magnitude;
        a.residual[l * a.stride + first + c] = residual;
        a.relative[l * a.stride + first + c] = magnitude - magnitude == 0.0 ? relative : magnitude - magnitude;
      }
    }
  }
}

}  // namespace

const TileKernels LAVOISIER_KERNEL_TABLE = {LAVOISIER_KERNEL_NAME, standardize, dense,         silu,   add,
                                            layer_norm,            gaussian_head, box_muller, gaussian_draw,
                                            scalar,                constrain,     closure};

}  // namespace lavoisier::detail
