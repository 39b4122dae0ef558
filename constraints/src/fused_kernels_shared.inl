// Part of fused_kernels.inl: one row of deviations for all samples, a sample a lane. M is the number of laws, or 0
// where it is not known when compiling: then `rows`, at most fused_shared_rows.

template <int M>
struct SharedRows {
  static constexpr int most = M > 0 ? M : static_cast<int>(fused_shared_rows);
  std::int64_t given;

  LAVOISIER_LOCAL int rows() const { return M > 0 ? M : static_cast<int>(given); }
  LAVOISIER_LOCAL Vector dot(const double* a, const Vector* x) const {
    const int m = rows();
    Vector sum{};
#pragma GCC unroll 8
    for (int k = 0; k < m; ++k) sum += a[k] * x[k];
    return sum;
  }
  LAVOISIER_LOCAL void add(const double* a, Vector weight, Vector* sum) const {
    const int m = rows();
#pragma GCC unroll 8
    for (int k = 0; k < m; ++k) sum[k] += a[k] * weight;
  }
  LAVOISIER_LOCAL void right_hand_side(const FusedTile& t, Vector* d) const {
    const int m = rows();
    for (int k = 0; k < m; ++k)
      for (int lane = 0; lane < lanes; ++lane) d[k][lane] = t.d[(lane < t.count ? lane : 0) * m + k] * t.row_scale[k];
  }
  LAVOISIER_LOCAL void subtract(const Vector* d, Vector* from) const {
    const int m = rows();
#pragma GCC unroll 8
    for (int k = 0; k < m; ++k) from[k] -= d[k];
  }
  /// ScaledCholesky::solve of each lane, with one factor for all.
  LAVOISIER_LOCAL void solve(const GramFactor& f, Vector* x) const {
    const int m = rows();
#pragma GCC unroll 8
    for (int k = 0; k < m; ++k) {
      Vector sum = x[k] * f.scale[k];
#pragma GCC unroll 8
      for (int l = 0; l < k; ++l) sum -= f.factor[k * m + l] * x[l];
      x[k] = sum * f.inverse_pivot[k];
    }
#pragma GCC unroll 8
    for (int k = m - 1; k >= 0; --k) {
      Vector sum = x[k];
#pragma GCC unroll 8
      for (int l = k + 1; l < m; ++l) sum -= f.factor[l * m + k] * x[l];
      x[k] = sum * f.inverse_pivot[k];
    }
#pragma GCC unroll 8
    for (int k = 0; k < m; ++k) x[k] *= f.scale[k];
  }
};

template <int M>
std::uint32_t shared_crps(const FusedTile& t, const SharedLaw& law, const SharedSums& sums) {
  const std::int64_t n = t.n, size = n * lanes;
  const SharedRows<M> laws{law.rows};
  const int m = laws.rows();
  double* const z = t.scratch;
  double* const y = z + size;
  double* const from_mean = y + size;
  double* const value = from_mean + size;
  double* const mean_bar = value + size;
  double* const variance_bar = mean_bar + size;
  gather_rows(t.mean, n, t.count, z);
  gather_rows(t.y, n, t.count, y);
  Vector d[SharedRows<M>::most], lambda[SharedRows<M>::most], again[SharedRows<M>::most], row[SharedRows<M>::most];
  Vector total{};
  for (int k = 0; k < m; ++k) lambda[k] = again[k] = row[k] = Vector{};
  laws.right_hand_side(t, d);
  for (std::int64_t j = 0; j < n; ++j) laws.add(t.columns + j * m, load(z + j * lanes), lambda);
  laws.subtract(d, lambda);
  laws.solve(law.factor, lambda);
  for (std::int64_t j = 0; j < n; ++j) {
    const double* a = t.columns + j * m;
    const Vector moved = load(z + j * lanes) - law.variance[j] * laws.dot(a, lambda);
    store(z + j * lanes, moved);
    laws.add(a, moved, again);
  }
  laws.subtract(d, again);
  laws.solve(law.factor, again);
  for (std::int64_t j = 0; j < n; ++j) {
    const Vector moved = load(z + j * lanes) - law.variance[j] * laws.dot(t.columns + j * m, again);
    store(from_mean + j * lanes, load(y + j * lanes) - moved);
  }
  crps_of_all(from_mean, law.sigma, law.inverse_sigma, size, value, mean_bar, variance_bar);
  Mask there;
  for (int lane = 0; lane < lanes; ++lane) there[lane] = lane < t.count ? -1 : 0;
  for (std::int64_t j = 0; j < n; ++j) {
    const double w = t.weight[j];
    total += w * load(value + j * lanes);
    const Vector m_bar = w * load(mean_bar + j * lanes), v_bar = w * load(variance_bar + j * lanes);
    store(mean_bar + j * lanes, m_bar);
    double* sum = sums.variance_bar + j * fused_slots + sums.first_slot;
    store(sum, load(sum) + (there ? v_bar : Vector{}));
    laws.add(t.columns + j * m, law.variance[j] * m_bar, row);
  }
  laws.solve(law.factor, row);
  std::int64_t q = 0;
  for (std::int64_t j = 0; j < n; ++j) {
    const double* a = t.columns + j * m;
    Vector p;
    if (q < law.special_count && law.special[q] == j) {
      const double* P = law.special_column + q * n;
      p = P[j] * load(mean_bar + j * lanes);
      for (std::int64_t i = 0; i < n; ++i)
        if (i != j) p += load(mean_bar + i * lanes) * P[i];
      ++q;
    } else {
      p = load(mean_bar + j * lanes) - laws.dot(a, row);
    }
    store(z + j * lanes, p);
    double* sum = sums.shift + j * fused_slots + sums.first_slot;
    store(sum, load(sum) + (there ? p * laws.dot(a, lambda) : Vector{}));
  }
  scatter_rows(z, n, t.count, t.mean_bar);
  for (std::int64_t lane = 0; lane < t.count; ++lane) t.value[lane] = total[lane];
  return bits_of(~(total - total == 0.0), t.count);
}

template <int M>
std::uint32_t shared_log_density(const FusedTile& t, const SharedDensity& law) {
  const std::int64_t n = t.n, size = n * lanes;
  const SharedRows<M> laws{law.rows};
  const int m = laws.rows();
  double* const gap = t.scratch;  // the mean, then what y is from it, then the gradient in mu
  double* const y = gap + size;   // then the gradient in s
  gather_rows(t.mean, n, t.count, gap);
  gather_rows(t.y, n, t.count, y);
  Vector d[SharedRows<M>::most], off[SharedRows<M>::most], terms[SharedRows<M>::most], lambda[SharedRows<M>::most],
      again[SharedRows<M>::most];
  laws.right_hand_side(t, d);
  for (int k = 0; k < m; ++k) {
    lambda[k] = Vector{};
    off[k] = again[k] = -d[k];
    terms[k] = magnitude(d[k]);
  }
  for (std::int64_t j = 0; j < n; ++j) {
    const double* a = t.columns + j * m;
    const Vector mu = load(gap + j * lanes), yj = load(y + j * lanes);
#pragma GCC unroll 8
    for (int k = 0; k < m; ++k) {
      lambda[k] += a[k] * mu;
      const Vector term = a[k] * yj;
      off[k] += term;
      terms[k] += magnitude(term);
    }
  }
  Mask bad{};
  for (int k = 0; k < m; ++k) bad |= ~(magnitude(off[k]) <= law.least_violation * terms[k]);
  laws.subtract(d, lambda);
  laws.solve(law.covariance, lambda);
  laws.solve(law.gram, off);
  for (std::int64_t j = 0; j < n; ++j) {
    const double* a = t.columns + j * m;
    const Vector moved = load(y + j * lanes) - laws.dot(a, off);
    store(gap + j * lanes, moved - load(gap + j * lanes));
    laws.add(a, moved, again);
  }
  laws.solve(law.gram, again);
  Vector quadratic{}, noise{};
  for (std::int64_t j = 0; j < n; ++j) {
    const double* a = t.columns + j * m;
    const double s = law.deviation[j], inverse = law.inverse[j];
    const Vector from_y = load(gap + j * lanes), along = laws.dot(a, lambda);
    const Vector from_mean = from_y * inverse + s * along;
    quadratic += from_mean * from_mean;
    noise += magnitude(from_mean) *
             ((magnitude(laws.dot(a, again)) + 0x1p-52 * (magnitude(from_y) + magnitude(laws.dot(a, off)))) * inverse +
              law.of_pivot * s * magnitude(along));
    const Vector bar = from_mean * inverse;
    store(gap + j * lanes, bar);
    store(y + j * lanes, from_mean * (bar - 2.0 * along) - law.narrowing[j]);
  }
  const Vector one = broadcast(1.0);
  bad |= ~(noise <= 0.99 * law.noise * (quadratic > one ? quadratic : one));
  if (t.mean_bar != nullptr) {
    scatter_rows(gap, n, t.count, t.mean_bar);
    scatter_rows(y, n, t.count, t.deviation_bar);
  }
  for (std::int64_t lane = 0; lane < t.count; ++lane) t.value[lane] = quadratic[lane];
  return bits_of(bad | ~(quadratic - quadratic == 0.0), t.count);
}
