// Included once by each network_kernels_<level>.cpp, which is compiled for that level. All but the table is local.

#include "network_kernels.hpp"

#include <lavoisier/elementary.hpp>

// Whole bodies are inlined: vectorised, and no out-of-line copy of somebody else's inline function is left behind.
#define LAVOISIER_KERNEL __attribute__((flatten))
#define LAVOISIER_LOCAL inline __attribute__((always_inline))
#define LAVOISIER_LANES _Pragma("GCC ivdep")

namespace lavoisier::detail {
namespace {

#if defined(__AVX512F__)
constexpr int vector_bytes = 64;
#elif defined(__AVX2__)
constexpr int vector_bytes = 32;
#else
constexpr int vector_bytes = 16;
#endif

template <class Real>
struct VectorOf;
template <>
struct VectorOf<float> {
  using Type __attribute__((vector_size(vector_bytes))) = float;
};
template <>
struct VectorOf<double> {
  using Type __attribute__((vector_size(vector_bytes))) = double;
};
template <class Real>
constexpr int lanes_of = vector_bytes / static_cast<int>(sizeof(Real));

// ---- matrix products ------------------------------------------------------------------------------------------------

/// R rows times V vectors of columns, held in registers over all k.
template <class Real, int R, int V>
LAVOISIER_LOCAL void product_block(const ProductArguments<Real>& p, std::int64_t row, std::int64_t column) {
  using Vector = typename VectorOf<Real>::Type;
  constexpr int lanes = lanes_of<Real>;
  Vector sum[R][V];
  const Real* b[V];
  for (int v = 0; v < V; ++v) {
    const std::int64_t at = column + v * lanes;
    b[v] = p.b + at / kernel_panel * p.b_panel + at % kernel_panel;
    Vector start = {};
    if (p.first) __builtin_memcpy(&start, p.first + at, sizeof start);
    for (int r = 0; r < R; ++r) sum[r][v] = start;
  }
  const Real* a = p.a + row * p.a_row;
  for (std::int64_t k = 0; k < p.steps; ++k) {
    Vector x[V];
#pragma GCC unroll 4
    for (int v = 0; v < V; ++v) __builtin_memcpy(&x[v], b[v] + k * p.b_step, sizeof x[v]);
#pragma GCC unroll 8
    for (int r = 0; r < R; ++r) {
      const Real factor = a[r * p.a_row + k * p.a_step];
#pragma GCC unroll 4
      for (int v = 0; v < V; ++v) sum[r][v] = sum[r][v] + factor * x[v];
    }
  }
#pragma GCC unroll 8
  for (int r = 0; r < R; ++r)
#pragma GCC unroll 4
    for (int v = 0; v < V; ++v) {
      const std::int64_t at = column + v * lanes, valid = p.columns - at;
      Real* c = p.c + (row + r) * p.c_row + at;
      if (valid >= lanes) {
        Vector result = sum[r][v];
        if (p.accumulate) {
          Vector old;
          __builtin_memcpy(&old, c, sizeof old);
          result = old + result;
        }
        __builtin_memcpy(c, &result, sizeof result);
      } else {
        Real part[lanes];
        __builtin_memcpy(part, &sum[r][v], sizeof part);
        for (std::int64_t i = 0; i < valid; ++i) c[i] = p.accumulate ? c[i] + part[i] : part[i];
      }
    }
}

template <class Real, int V>
LAVOISIER_LOCAL void product_rows(const ProductArguments<Real>& p, std::int64_t column) {
  std::int64_t row = 0;
  for (; row + 4 <= p.rows; row += 4) product_block<Real, 4, V>(p, row, column);
  switch (p.rows - row) {
    case 3: return product_block<Real, 3, V>(p, row, column);
    case 2: return product_block<Real, 2, V>(p, row, column);
    case 1: return product_block<Real, 1, V>(p, row, column);
    default: return;
  }
}

template <class Real>
LAVOISIER_KERNEL void product(const ProductArguments<Real>& p) {
  constexpr int lanes = lanes_of<Real>;
  std::int64_t column = 0;
  for (; column + lanes < p.columns; column += 2 * lanes) product_rows<Real, 2>(p, column);
  if (column < p.columns) product_rows<Real, 1>(p, column);
}

template <class Real>
LAVOISIER_KERNEL void pack(const Real* weight, Real* packed, std::int64_t outputs, std::int64_t inputs) {
  for (std::int64_t first = 0; first < outputs; first += kernel_panel) {
    const std::int64_t valid = outputs - first < kernel_panel ? outputs - first : kernel_panel;
    for (std::int64_t j = 0; j < valid; ++j)
      for (std::int64_t k = 0; k < inputs; ++k)
        packed[first * inputs + k * kernel_panel + j] = weight[(first + j) * inputs + k];
    for (std::int64_t j = valid; j < kernel_panel; ++j)
      for (std::int64_t k = 0; k < inputs; ++k) packed[first * inputs + k * kernel_panel + j] = 0;
  }
}

template <class Real>
LAVOISIER_KERNEL void sum_rows(const Real* x, Real* sum, std::int64_t rows, std::int64_t width, std::int64_t stride) {
  for (std::int64_t j = 0; j < width; ++j) sum[j] = 0;
  for (std::int64_t r = 0; r < rows; ++r)
    LAVOISIER_LANES
    for (std::int64_t j = 0; j < width; ++j) sum[j] += x[r * stride + j];
}

// ---- elementwise ----------------------------------------------------------------------------------------------------

template <class Real>
struct Silu {
  Real value, slope;
};

/// x s and its derivative s + x s (1 - s), s = 1 / (1 + e^-x); the value has the bits of elementary::silu.
template <class Real>
LAVOISIER_LOCAL Silu<Real> silu_of(Real x) {
  constexpr Real least = sizeof(Real) == sizeof(float) ? Real(-120) : Real(-800);  // already -0 there
  const Real bounded = elementary::detail::choose(x < least, least, x);
  const Real e = elementary::exp(-elementary::detail::magnitude(bounded));
  const bool negative = bounded < Real(0);
  const Real tail = bounded * e;
  const Real numerator = elementary::detail::choose(negative, tail, bounded);
  const Real value = numerator / (Real(1) + e);
  const Real larger = Real(1) / (Real(1) + e);  // of s and 1 - s
  const Real smaller = e * larger;
  const Real sigmoid = elementary::detail::choose(negative, smaller, larger);
  const Real rest = elementary::detail::choose(negative, larger, smaller);
  return {value, sigmoid + value * rest};
}

template <class Real>
LAVOISIER_KERNEL void silu(const Real* x, Real* y, std::int64_t count) {
  LAVOISIER_LANES
  for (std::int64_t i = 0; i < count; ++i) y[i] = silu_of(x[i]).value;
}

template <class Real>
LAVOISIER_KERNEL void silu_with_slope(const Real* x, Real* y, Real* slope, std::int64_t count) {
  LAVOISIER_LANES
  for (std::int64_t i = 0; i < count; ++i) {
    const Silu<Real> result = silu_of(x[i]);
    y[i] = result.value;
    slope[i] = result.slope;
  }
}

template <class Real>
LAVOISIER_KERNEL void add(const Real* a, const Real* b, Real* y, std::int64_t count) {
  LAVOISIER_LANES
  for (std::int64_t i = 0; i < count; ++i) y[i] = a[i] + b[i];
}

template <class Real>
LAVOISIER_KERNEL void multiply(const Real* a, const Real* b, Real* y, std::int64_t count, bool accumulate) {
  if (accumulate) {
    LAVOISIER_LANES
    for (std::int64_t i = 0; i < count; ++i) y[i] = y[i] + a[i] * b[i];
  } else {
    LAVOISIER_LANES
    for (std::int64_t i = 0; i < count; ++i) y[i] = a[i] * b[i];
  }
}

// ---- layer norm -----------------------------------------------------------------------------------------------------

/// The sum over i of term(i), FP64: eight partial sums (i mod 8), added in their order.
template <class Term>
LAVOISIER_LOCAL double sum_of(std::int64_t count, const Term& term) {
  double part[8] = {};
  std::int64_t i = 0;
  for (; i + 8 <= count; i += 8)
    LAVOISIER_LANES
    for (int l = 0; l < 8; ++l) part[l] += term(i + l);
  for (int l = 0; i < count; ++i, ++l) part[l] += term(i);
  double sum = 0.0;
  for (int l = 0; l < 8; ++l) sum += part[l];
  return sum;
}

template <class Real>
LAVOISIER_KERNEL void layer_norm(const LayerNormArguments<Real>& a) {
  const double n = static_cast<double>(a.width);
  for (std::int64_t r = 0; r < a.rows; ++r) {
    const Real* x = a.x + r * a.stride;
    Real* y = a.y + r * a.stride;
    Real* normalized = a.normalized + r * a.stride;
    const double mean = sum_of(a.width, [&](std::int64_t i) { return static_cast<double>(x[i]); }) / n;
    const double variance = sum_of(a.width, [&](std::int64_t i) {
                              const double distance = static_cast<double>(x[i]) - mean;
                              return distance * distance;
                            }) / n;
    const double root = __builtin_sqrt(variance + a.epsilon);
    a.root[r] = root;
    LAVOISIER_LANES
    for (std::int64_t i = 0; i < a.width; ++i) {
      const double value = (static_cast<double>(x[i]) - mean) / root;
      normalized[i] = static_cast<Real>(value);
      y[i] = static_cast<Real>(value * static_cast<double>(a.weight[i]) + static_cast<double>(a.bias[i]));
    }
  }
}

template <class Real>
LAVOISIER_KERNEL void layer_norm_adjoint(const LayerNormAdjointArguments<Real>& a) {
  const double n = static_cast<double>(a.width);
  for (std::int64_t i = 0; i < a.width; ++i) a.weight_bar[i] = a.bias_bar[i] = 0;
  for (std::int64_t r = 0; r < a.rows; ++r) {
    const Real* y_bar = a.y_bar + r * a.stride;
    const Real* normalized = a.normalized + r * a.stride;
    Real* x_bar = a.x_bar + r * a.stride;
    LAVOISIER_LANES
    for (std::int64_t i = 0; i < a.width; ++i) {
      a.weight_bar[i] += y_bar[i] * normalized[i];
      a.bias_bar[i] += y_bar[i];
    }
    const auto bar = [&](std::int64_t i) { return static_cast<double>(y_bar[i]) * static_cast<double>(a.weight[i]); };
    const double mean = sum_of(a.width, bar) / n;
    const double along =
        sum_of(a.width, [&](std::int64_t i) { return bar(i) * static_cast<double>(normalized[i]); }) / n;
    const double root = a.root[r];
    LAVOISIER_LANES
    for (std::int64_t i = 0; i < a.width; ++i) {
      const Real result = static_cast<Real>((bar(i) - mean - static_cast<double>(normalized[i]) * along) / root);
      x_bar[i] = a.accumulate ? x_bar[i] + result : result;
    }
  }
}

// ---- the optimiser --------------------------------------------------------------------------------------------------

LAVOISIER_KERNEL void adam(const AdamArguments& a) {
  constexpr float beta1 = 0.9F, beta2 = 0.999F, epsilon = 1e-8F;
  LAVOISIER_LANES
  for (std::int64_t i = 0; i < a.count; ++i) {
    const float g = a.gradient[i];
    const float m = beta1 * a.first[i] + (1.0F - beta1) * g;
    const float v = beta2 * a.second[i] + (1.0F - beta2) * g * g;
    a.first[i] = m;
    a.second[i] = v;
    a.weights[i] = a.shrink * a.weights[i] - a.step_size * m / (__builtin_sqrtf(v) * a.inverse_root + epsilon);
  }
  if (a.average) {
    LAVOISIER_LANES
    for (std::int64_t i = 0; i < a.count; ++i) a.average[i] += a.moved * (a.weights[i] - a.average[i]);
  }
}

LAVOISIER_KERNEL bool finite(const float* values, std::int64_t count) {
  std::uint32_t worst = 0;
  LAVOISIER_LANES
  for (std::int64_t i = 0; i < count; ++i) {
    const std::uint32_t exponent = elementary::detail::bits(values[i]) & 0x7f800000u;
    worst = exponent > worst ? exponent : worst;
  }
  return worst != 0x7f800000u;
}

}  // namespace

#define LAVOISIER_KERNELS(Real)                                                                                \
  {                                                                                                            \
    pack<Real>, product<Real>, silu<Real>, silu_with_slope<Real>, add<Real>, multiply<Real>, sum_rows<Real>, \
        layer_norm<Real>, layer_norm_adjoint<Real>                                                             \
  }
const KernelTable LAVOISIER_KERNEL_TABLE = {LAVOISIER_KERNEL_NAME, LAVOISIER_KERNELS(float), LAVOISIER_KERNELS(double),
                                            adam, finite};

}  // namespace lavoisier::detail
