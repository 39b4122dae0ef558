// Part of fused_kernels.inl: the log density on the laws and its gradient, a sample a lane.

LAVOISIER_LOCAL Vector magnitude(Vector v) { return (Vector)((Mask)v & 0x7fffffffffffffff); }

template <int M>
std::uint32_t log_density(const FusedTile& t, const GramFactor& gram, const DensityParts& parts) {
  const std::int64_t n = t.n, size = n * lanes;
  double* const mean = t.scratch;
  double* const deviation = mean + size;
  double* const y = deviation + size;
  gather_rows(t.mean, n, t.count, mean);
  gather_rows(t.deviation, n, t.count, deviation);
  gather_rows(t.y, n, t.count, y);

  Factor<M, double> g;
#pragma GCC unroll 8
  for (int k = 0; k < M; ++k) {
    g.inverse_pivot[k] = gram.inverse_pivot[k];
    g.scale[k] = gram.scale[k];
#pragma GCC unroll 8
    for (int l = 0; l < M; ++l) g.factor[k][l] = gram.factor[k * M + l];
  }
  Vector d[M], off[M], terms[M];
  load_right_hand_side<M>(t, d);
#pragma GCC unroll 8
  for (int k = 0; k < M; ++k) {
    off[k] = -d[k];
    terms[k] = magnitude(d[k]);
  }
  Vector W[M][M] = {}, lambda[M] = {}, mantissa = broadcast(1.0);
  Mask bad{}, exponent{};
  for (std::int64_t j = 0; j < n; ++j) {
    const double* a = t.columns + j * M;
    const Vector s = load(deviation + j * lanes), mu = load(mean + j * lanes), yj = load(y + j * lanes);
    bad |= ~((s >= 0x1p-1022) & (s < __builtin_inf()));
    const Vector v = s * s;
    // LogProduct.
    const Mask bits = (Mask)s;
    exponent += (bits >> 52) - 1023;
    mantissa *= (Vector)((bits & ((std::int64_t{1} << 52) - 1)) | (std::int64_t{1023} << 52));
    const Mask carry = mantissa >= 2.0;
    mantissa = carry ? mantissa * 0.5 : mantissa;
    exponent -= carry;
#pragma GCC unroll 8
    for (int k = 0; k < M; ++k) {
      const Vector left = v * a[k];
#pragma GCC unroll 8
      for (int l = 0; l <= k; ++l) W[k][l] += left * a[l];
      lambda[k] += a[k] * mu;
      const Vector term = a[k] * yj;
      off[k] += term;
      terms[k] += magnitude(term);
    }
  }
  Factor<M, Vector> f;
  Vector least = broadcast(1.0);
  bad |= ~factorize<M>(W, t.least_pivot, f, &least);
#pragma GCC unroll 8
  for (int k = 0; k < M; ++k) {
    bad |= ~(magnitude(off[k]) <= parts.least_violation * terms[k]);
    lambda[k] -= d[k];
  }
  f.solve(lambda);
  g.solve(off);

  Vector again[M];
#pragma GCC unroll 8
  for (int k = 0; k < M; ++k) again[k] = -d[k];
  for (std::int64_t j = 0; j < n; ++j) {
    const double* a = t.columns + j * M;
    const Vector moved = load(y + j * lanes) - dot<M>(a, off);
    // The mean's place holds moved - mean; y stays for the noise of the difference.
    store(mean + j * lanes, moved - load(mean + j * lanes));
#pragma GCC unroll 8
    for (int k = 0; k < M; ++k) again[k] += a[k] * moved;
  }
  g.solve(again);

  const Vector of_pivot = 0x1p-52 / least;
  Vector quadratic{}, noise{};
  for (std::int64_t j = 0; j < n; ++j) {
    const double* a = t.columns + j * M;
    const Vector s = load(deviation + j * lanes), gap = load(mean + j * lanes), inverse = 1.0 / s, v = s * s;
    const Vector along = dot<M>(a, lambda);
    const Vector from_mean = gap * inverse + s * along;
    quadratic += from_mean * from_mean;
    noise += magnitude(from_mean) * ((magnitude(dot<M>(a, again)) + 0x1p-52 * (magnitude(gap) + magnitude(dot<M>(a, off)))) * inverse +
                                     of_pivot * s * magnitude(along));
    Vector x[M], squares{};
#pragma GCC unroll 8
    for (int k = 0; k < M; ++k) {
      Vector sum = a[k] * f.scale[k];
#pragma GCC unroll 8
      for (int l = 0; l < k; ++l) sum -= f.factor[k][l] * x[l];
      x[k] = sum * f.inverse_pivot[k];
    }
#pragma GCC unroll 8
    for (int k = 0; k < M; ++k) squares += x[k] * x[k];
    const Vector h = v * squares;
    bad |= h > 0.5;
    const Vector bar = from_mean * inverse;
    store(mean + j * lanes, bar);
    store(y + j * lanes, from_mean * (bar - 2.0 * along) - v * (1.0 - h) * inverse * inverse * inverse);
  }
  const Vector one = broadcast(1.0);
  bad |= ~(noise <= 0.99 * parts.noise * (quadratic > one ? quadratic : one));
  scatter_rows(mean, n, t.count, t.mean_bar);
  scatter_rows(y, n, t.count, t.deviation_bar);
  for (std::int64_t lane = 0; lane < t.count; ++lane) {
    t.value[lane] = quadratic[lane];
    parts.mantissa[lane] = mantissa[lane];
    parts.exponent[lane] = exponent[lane];
#pragma GCC unroll 8
    for (int k = 0; k < M; ++k) {
      parts.pivot[lane * M + k] = f.factor[k][k][lane];
      parts.scale[lane * M + k] = f.scale[k][lane];
    }
  }
  return bits_of(bad | ~(quadratic - quadratic == 0.0), t.count);
}
