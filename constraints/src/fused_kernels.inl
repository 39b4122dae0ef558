// Included once by each fused_kernels_<level>.cpp, which is compiled for that level. Everything but the table is local.

#include "crps.hpp"
#include "fused_kernels.hpp"

#define LAVOISIER_LOCAL inline __attribute__((always_inline))

namespace lavoisier::detail {
namespace {

#if defined(__AVX512F__)
constexpr int lanes = 8;
#elif defined(__AVX2__)
constexpr int lanes = 4;
#else
constexpr int lanes = 2;
#endif
typedef double Vector __attribute__((vector_size(8 * lanes)));
typedef std::int64_t Mask __attribute__((vector_size(8 * lanes)));

LAVOISIER_LOCAL Vector load(const double* p) {
  Vector v;
  __builtin_memcpy(&v, p, sizeof v);
  return v;
}
LAVOISIER_LOCAL void store(double* p, Vector v) { __builtin_memcpy(p, &v, sizeof v); }
LAVOISIER_LOCAL Vector broadcast(double x) { return Vector{} + x; }
LAVOISIER_LOCAL Vector root(Vector v) {
  Vector r = v;
  for (int i = 0; i < lanes; ++i) r[i] = __builtin_sqrt(v[i]);
  return r;
}

/// Rows of samples to numbers of lanes: to[j * lanes + lane]. Lanes beyond `count` repeat the first.
LAVOISIER_LOCAL void gather_rows(const double* from, std::int64_t n, std::int64_t count, double* to) {
  const double* row[lanes];
  for (int lane = 0; lane < lanes; ++lane) row[lane] = from + (lane < count ? lane : 0) * n;
  std::int64_t j = 0;
  for (; j + lanes <= n; j += lanes) {
    Vector v[lanes];
#pragma GCC unroll 8
    for (int lane = 0; lane < lanes; ++lane) v[lane] = load(row[lane] + j);
#if defined(__AVX512F__)
    // 8 x 8: pairs, pairs of pairs, halves.
    Vector a[8], b[8];
#pragma GCC unroll 8
    for (int k = 0; k < 8; k += 2) {
      a[k] = __builtin_shufflevector(v[k], v[k + 1], 0, 8, 2, 10, 4, 12, 6, 14);
      a[k + 1] = __builtin_shufflevector(v[k], v[k + 1], 1, 9, 3, 11, 5, 13, 7, 15);
    }
#pragma GCC unroll 8
    for (int k = 0; k < 8; k += 4)
#pragma GCC unroll 2
      for (int l = 0; l < 2; ++l) {
        b[k + l] = __builtin_shufflevector(a[k + l], a[k + l + 2], 0, 1, 8, 9, 4, 5, 12, 13);
        b[k + l + 2] = __builtin_shufflevector(a[k + l], a[k + l + 2], 2, 3, 10, 11, 6, 7, 14, 15);
      }
#pragma GCC unroll 4
    for (int k = 0; k < 4; ++k) {
      store(to + (j + k) * lanes, __builtin_shufflevector(b[k], b[k + 4], 0, 1, 2, 3, 8, 9, 10, 11));
      store(to + (j + k + 4) * lanes, __builtin_shufflevector(b[k], b[k + 4], 4, 5, 6, 7, 12, 13, 14, 15));
    }
#else
#pragma GCC unroll 8
    for (int k = 0; k < lanes; ++k) {
      Vector column;
#pragma GCC unroll 8
      for (int lane = 0; lane < lanes; ++lane) column[lane] = v[lane][k];
      store(to + (j + k) * lanes, column);
    }
#endif
  }
  for (; j < n; ++j)
    for (int lane = 0; lane < lanes; ++lane) to[j * lanes + lane] = row[lane][j];
}

/// The way back.
LAVOISIER_LOCAL void scatter_rows(const double* from, std::int64_t n, std::int64_t count, double* to) {
  std::int64_t j = 0;
  if (count == lanes)
    for (; j + lanes <= n; j += lanes) {
      double block[lanes * lanes];
      gather_rows(from + j * lanes, lanes, lanes, block);
      for (int lane = 0; lane < lanes; ++lane) store(to + lane * n + j, load(block + lane * lanes));
    }
  for (; j < n; ++j)
    for (std::int64_t lane = 0; lane < count; ++lane) to[lane * n + j] = from[j * lanes + lane];
}

/// ScaledCholesky of each lane, or (Real = double) one for all.
template <int M, class Real>
struct Factor {
  Real factor[M][M], inverse_pivot[M], scale[M];

  LAVOISIER_LOCAL void half_solve(const Vector* b, Vector* x) const {
#pragma GCC unroll 8
    for (int k = 0; k < M; ++k) {
      Vector sum = b[k] * scale[k];
#pragma GCC unroll 8
      for (int l = 0; l < k; ++l) sum -= factor[k][l] * x[l];
      x[k] = sum * inverse_pivot[k];
    }
  }
  LAVOISIER_LOCAL void solve(Vector* x) const {
    half_solve(x, x);
#pragma GCC unroll 8
    for (int k = M - 1; k >= 0; --k) {
      Vector sum = x[k];
#pragma GCC unroll 8
      for (int l = k + 1; l < M; ++l) sum -= factor[l][k] * x[l];
      x[k] = sum * inverse_pivot[k];
    }
#pragma GCC unroll 8
    for (int k = 0; k < M; ++k) x[k] *= scale[k];
  }
};

template <int M>
LAVOISIER_LOCAL Mask factorize(const Vector (&W)[M][M], double least_pivot, Factor<M, Vector>& f, Vector* least = nullptr) {
  Mask good = ~Mask{};
#pragma GCC unroll 8
  for (int k = 0; k < M; ++k) {
    const Vector diagonal = W[k][k];
    good &= (diagonal > 0.0) & (diagonal < __builtin_inf());
    f.scale[k] = 1.0 / root(diagonal);
  }
#pragma GCC unroll 8
  for (int k = 0; k < M; ++k)
#pragma GCC unroll 8
    for (int i = 0; i <= k; ++i) {
      Vector sum = i == k ? broadcast(1.0) : W[k][i] * f.scale[k] * f.scale[i];
#pragma GCC unroll 8
      for (int l = 0; l < i; ++l) sum -= f.factor[k][l] * f.factor[i][l];
      if (i < k) {
        f.factor[k][i] = sum * f.inverse_pivot[i];
      } else {
        good &= sum > least_pivot;
        if (least != nullptr) *least = sum < *least ? sum : *least;
        const Vector pivot = root(sum);
        f.factor[k][k] = pivot;
        f.inverse_pivot[k] = 1.0 / pivot;
      }
    }
  return good;
}

template <int M>
LAVOISIER_LOCAL Vector dot(const double* a, const Vector* x) {
  Vector sum{};
#pragma GCC unroll 8
  for (int k = 0; k < M; ++k) sum += a[k] * x[k];
  return sum;
}

template <int M>
LAVOISIER_LOCAL void load_right_hand_side(const FusedTile& t, Vector* d) {
#pragma GCC unroll 8
  for (int k = 0; k < M; ++k)
    for (int lane = 0; lane < lanes; ++lane) d[k][lane] = t.d[(lane < t.count ? lane : 0) * M + k] * t.row_scale[k];
}

LAVOISIER_LOCAL void crps_of_all(const double* from_mean, const double* sigma, const double* inverse, std::int64_t count,
                                 double* value, double* mean_bar, double* variance_bar) {
#pragma GCC ivdep
  for (std::int64_t i = 0; i < count; ++i) {
    const Crps crps = crps_of_normal_given(from_mean[i], sigma[i], inverse[i]);
    value[i] = crps.value;
    mean_bar[i] = crps.mean_bar;
    variance_bar[i] = crps.variance_bar;
  }
}

LAVOISIER_LOCAL std::uint32_t bits_of(Mask mask, std::int64_t count) {
  std::uint32_t bits = 0;
  for (int lane = 0; lane < lanes; ++lane)
    if (lane < count && mask[lane] != 0) bits |= 1u << lane;
  return bits;
}

template <int M>
std::uint32_t crps(const FusedTile& t) {
  const std::int64_t n = t.n, size = n * lanes;
  double* const z = t.scratch;
  double* const deviation = z + size;
  double* const y = deviation + size;
  double* const variance = y + size;
  double* const leverage = variance + size;
  double* const from_mean = leverage + size;
  double* const sigma = from_mean + size;
  double* const inverse = sigma + size;
  double* const value = inverse + size;
  double* const half = value + size;
  gather_rows(t.mean, n, t.count, z);
  gather_rows(t.deviation, n, t.count, deviation);
  gather_rows(t.y, n, t.count, y);

  Vector d[M];
  load_right_hand_side<M>(t, d);
  Vector W[M][M] = {}, lambda[M] = {};
  Mask bad{};
  for (std::int64_t j = 0; j < n; ++j) {
    const double* a = t.columns + j * M;
    const Vector s = load(deviation + j * lanes), zj = load(z + j * lanes);
    bad |= ~(s > 0.0);
    const Vector v = s * s;
    store(variance + j * lanes, v);
#pragma GCC unroll 8
    for (int k = 0; k < M; ++k) {
      const Vector left = v * a[k];
#pragma GCC unroll 8
      for (int l = 0; l <= k; ++l) W[k][l] += left * a[l];
      lambda[k] += a[k] * zj;
    }
  }
  Factor<M, Vector> f;
  bad |= ~factorize<M>(W, t.least_pivot, f);
#pragma GCC unroll 8
  for (int k = 0; k < M; ++k) lambda[k] -= d[k];
  f.solve(lambda);

  Vector again[M] = {};
  for (std::int64_t j = 0; j < n; ++j) {
    const double* a = t.columns + j * M;
    const Vector m = load(z + j * lanes) - load(variance + j * lanes) * dot<M>(a, lambda);
    store(z + j * lanes, m);
#pragma GCC unroll 8
    for (int k = 0; k < M; ++k) again[k] += a[k] * m;
  }
#pragma GCC unroll 8
  for (int k = 0; k < M; ++k) again[k] -= d[k];
  f.solve(again);

  for (std::int64_t j = 0; j < n; ++j) {
    const double* a = t.columns + j * M;
    const Vector v = load(variance + j * lanes);
    const Vector m = load(z + j * lanes) - v * dot<M>(a, again);
    store(from_mean + j * lanes, load(y + j * lanes) - m);
    Vector x[M], squares{};
#pragma GCC unroll 8
    for (int k = 0; k < M; ++k) {
      Vector sum = a[k] * f.scale[k];
#pragma GCC unroll 8
      for (int l = 0; l < k; ++l) sum -= f.factor[k][l] * x[l];
      x[k] = sum * f.inverse_pivot[k];
      store(half + (j * M + k) * lanes, x[k]);
    }
#pragma GCC unroll 8
    for (int k = 0; k < M; ++k) squares += x[k] * x[k];
    const Vector h = v * squares;
    bad |= h > 0.5;
    store(leverage + j * lanes, h);
    store(z + j * lanes, v * (1.0 - h));
  }
  std::uint32_t alone = bits_of(bad, t.count);
  if (alone == (1u << t.count) - 1u) return alone;

#pragma GCC ivdep
  for (std::int64_t i = 0; i < size; ++i) {
    const double root_of = __builtin_sqrt(z[i]);
    sigma[i] = root_of;
    inverse[i] = 1.0 / root_of;
  }
  double* const mean_bar = z;  // the variances are no longer needed
  double* const variance_bar = y;
  crps_of_all(from_mean, sigma, inverse, size, value, mean_bar, variance_bar);

  Vector total{}, row[M] = {}, product[M][M] = {};
  for (std::int64_t j = 0; j < n; ++j) {
    const double* a = t.columns + j * M;
    const double w = t.weight[j];
    total += w * load(value + j * lanes);
    const Vector m_bar = w * load(mean_bar + j * lanes), v_bar = w * load(variance_bar + j * lanes);
    store(mean_bar + j * lanes, m_bar);
    store(variance_bar + j * lanes, v_bar);
    const Vector v = load(variance + j * lanes);
    const Vector along = v * m_bar, weight = v_bar * v * v;
    Vector x[M];
#pragma GCC unroll 8
    for (int k = 0; k < M; ++k) {
      row[k] += along * a[k];
      x[k] = load(half + (j * M + k) * lanes);
      const Vector left = weight * x[k];
#pragma GCC unroll 8
      for (int l = 0; l <= k; ++l) product[k][l] += left * x[l];
    }
  }
  f.solve(row);
  for (std::int64_t j = 0; j < n; ++j) {
    const double* a = t.columns + j * M;
    const Vector p = load(mean_bar + j * lanes) - dot<M>(a, row);
    Vector squares = load(variance_bar + j * lanes) * (1.0 - 2.0 * load(leverage + j * lanes));
    Vector x[M];
#pragma GCC unroll 8
    for (int k = 0; k < M; ++k) {
      x[k] = load(half + (j * M + k) * lanes);
      Vector below{};
#pragma GCC unroll 8
      for (int l = 0; l < k; ++l) below += product[k][l] * x[l];
      squares += x[k] * (2.0 * below + product[k][k] * x[k]);
    }
    store(mean_bar + j * lanes, p);
    store(variance_bar + j * lanes, 2.0 * load(deviation + j * lanes) * (squares - p * dot<M>(a, lambda)));
  }
  scatter_rows(mean_bar, n, t.count, t.mean_bar);
  scatter_rows(variance_bar, n, t.count, t.deviation_bar);
  for (std::int64_t lane = 0; lane < t.count; ++lane) t.value[lane] = total[lane];
  return alone | bits_of(~(total - total == 0.0), t.count);
}

#include "fused_kernels_density.inl"
#include "fused_kernels_shared.inl"

void gaussian_crps_of_all(const double* from_mean, const double* sigma, const double* inverse, std::int64_t count,
                          double* value, double* mean_bar, double* variance_bar) {
  crps_of_all(from_mean, sigma, inverse, count, value, mean_bar, variance_bar);
}

}  // namespace

const FusedKernels LAVOISIER_KERNEL_TABLE = {
    LAVOISIER_KERNEL_NAME,
    lanes,
    {crps<1>, crps<2>, crps<3>, crps<4>, crps<5>, crps<6>, crps<7>, crps<8>},
    {shared_crps<1>, shared_crps<2>, shared_crps<3>, shared_crps<4>, shared_crps<5>, shared_crps<6>, shared_crps<7>,
     shared_crps<8>, shared_crps<0>},
    {log_density<1>, log_density<2>, log_density<3>, log_density<4>, log_density<5>, log_density<6>, log_density<7>,
     log_density<8>},
    {shared_log_density<1>, shared_log_density<2>, shared_log_density<3>, shared_log_density<4>, shared_log_density<5>,
     shared_log_density<6>, shared_log_density<7>, shared_log_density<8>, shared_log_density<0>},
    gaussian_crps_of_all};

}  // namespace lavoisier::detail
