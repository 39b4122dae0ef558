// Part of tile_kernels.inl: dense layers.

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
