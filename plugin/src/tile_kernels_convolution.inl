// Part of tile_kernels.inl: convolutions over a field (channel, y, x) of each column.

/// Taps of one output pixel that lie in the field: rows y_begin .. y_end - 1, columns x_begin .. x_end - 1 of the kernel.
struct Taps {
  std::int64_t y, x;  ///< of the kernel's corner in the field; may be outside
  std::int64_t y_begin, y_end, x_begin, x_end;
  LAVOISIER_LOCAL Taps(const ConvolutionArguments& a, std::int64_t out_y, std::int64_t out_x) {
    y = out_y * a.stride_y - a.padding_y;
    x = out_x * a.stride_x - a.padding_x;
    y_begin = y < 0 ? -y : 0;
    x_begin = x < 0 ? -x : 0;
    y_end = a.height - y < a.kernel_y ? a.height - y : a.kernel_y;
    x_end = a.width - x < a.kernel_x ? a.width - x : a.kernel_x;
  }
};

/// Input channels c_begin .. c_end - 1.
struct Channels {
  std::int64_t begin, end;
};

/// J output channels of one panel at one pixel times V vectors of columns; terms ascending in (channel, y, x). Begins
/// with the bias, or with what the channels before have left in y: the same sums either way.
template <int J, int V>
LAVOISIER_LOCAL void convolution_block(const ConvolutionArguments& a, const Taps& taps, Channels part,
                                       const float* weight, const float* bias, const float* x, float* y,
                                       std::int64_t plane, int valid) {
  Vector sum[J][V];
#pragma GCC unroll 16
  for (int j = 0; j < J; ++j)
#pragma GCC unroll 4
    for (int v = 0; v < V; ++v)
      sum[j][v] = part.begin == 0 || j >= valid ? Vector::broadcast(bias[j])
                                                : Vector::load(y + j * plane + v * Vector::lanes);
  for (std::int64_t c = part.begin; c < part.end; ++c)
    for (std::int64_t ky = taps.y_begin; ky < taps.y_end; ++ky) {
      const float* row = x + ((c * a.height + taps.y + ky) * a.width + taps.x + taps.x_begin) * a.stride;
      const float* w = weight + ((c * a.kernel_y + ky) * a.kernel_x + taps.x_begin) * panel;
      for (std::int64_t kx = taps.x_begin; kx < taps.x_end; ++kx, row += a.stride, w += panel) {
        Vector column[V];
#pragma GCC unroll 4
        for (int v = 0; v < V; ++v) column[v] = Vector::load(row + v * Vector::lanes);
#pragma GCC unroll 16
        for (int j = 0; j < J; ++j) {
          const Vector factor = Vector::broadcast(w[j]);
#pragma GCC unroll 4
          for (int v = 0; v < V; ++v) sum[j][v] = Vector::fused(factor, column[v], sum[j][v]);
        }
      }
    }
#pragma GCC unroll 16
  for (int j = 0; j < J; ++j)
    if (j < valid)
#pragma GCC unroll 4
      for (int v = 0; v < V; ++v) sum[j][v].store(y + j * plane + v * Vector::lanes);
}

template <int J, int V>
LAVOISIER_LOCAL void convolution_channels(const ConvolutionArguments& a, std::int64_t first, int valid) {
  const std::int64_t k = a.channels * a.kernel_y * a.kernel_x;
  const float* weight = a.weight + first / panel * k * panel + first % panel;
  const std::int64_t plane = a.out_height * a.out_width * a.stride;
  // Few channels at a time: fields of 2^k elements lie a power of two apart, where a cache's ways are soon used up.
  const std::int64_t step = a.kernel_y >= 5 ? 2 : a.kernel_y >= 3 ? 4 : 8;
  for (std::int64_t begin = 0; begin < a.channels || begin == 0; begin += step) {
    const Channels part{begin, begin + step < a.channels ? begin + step : a.channels};
    for (std::int64_t oy = 0; oy < a.out_height; ++oy)
      for (std::int64_t ox = 0; ox < a.out_width; ++ox) {
        const Taps taps(a, oy, ox);
        for (std::int64_t c = 0; c < a.stride; c += V * Vector::lanes)
          convolution_block<J, V>(a, taps, part, weight, a.bias + first, a.x + c,
                                  a.y + first * plane + (oy * a.out_width + ox) * a.stride + c, plane, valid);
      }
  }
}

/// J output channels at a time; the last few in a block of their size.
template <int J, int V>
LAVOISIER_LOCAL void convolution_columns(const ConvolutionArguments& a) {
  for (std::int64_t first = 0; first < a.n; first += J) {
    const int valid = static_cast<int>(a.n - first < J ? a.n - first : J);
    if (valid == 1)
      convolution_channels<1, V>(a, first, valid);
    else if (valid <= 4)
      convolution_channels<4, V>(a, first, valid);
    else
      convolution_channels<J, V>(a, first, valid);
  }
}

/// Few columns: vectors run over output channels. C columns (= stride) times G vectors of channels at once.
template <int C, int G>
LAVOISIER_LOCAL void convolution_outputs(const ConvolutionArguments& a) {
  constexpr int in_panel = panel / Vector::lanes;
  const std::int64_t k = a.channels * a.kernel_y * a.kernel_x;
  const std::int64_t vectors = (a.n + Vector::lanes - 1) / Vector::lanes;
  const std::int64_t pixels = a.out_height * a.out_width;
  for (std::int64_t u = 0; u < vectors; u += G) {
    const float* weight[G];
    Vector bias[G];
#pragma GCC unroll 4
    for (int g = 0; g < G; ++g) {
      // Behind the last vector the last one is computed again and thrown away.
      const std::int64_t at = u + g < vectors ? u + g : vectors - 1;
      weight[g] = a.weight + (at / in_panel) * k * panel + (at % in_panel) * Vector::lanes;
      bias[g] = Vector::load(a.bias + at * Vector::lanes);
    }
    for (std::int64_t pixel = 0; pixel < pixels; ++pixel) {
      const Taps taps(a, pixel / a.out_width, pixel % a.out_width);
      Vector sum[C][G];
#pragma GCC unroll 8
      for (int c = 0; c < C; ++c)
#pragma GCC unroll 4
        for (int g = 0; g < G; ++g) sum[c][g] = bias[g];
      for (std::int64_t ch = 0; ch < a.channels; ++ch)
        for (std::int64_t ky = taps.y_begin; ky < taps.y_end; ++ky)
          for (std::int64_t kx = taps.x_begin; kx < taps.x_end; ++kx) {
            const float* x = a.x + ((ch * a.height + taps.y + ky) * a.width + taps.x + kx) * C;
            const std::int64_t i = (ch * a.kernel_y + ky) * a.kernel_x + kx;
            Vector w[G];
#pragma GCC unroll 4
            for (int g = 0; g < G; ++g) w[g] = Vector::load(weight[g] + i * panel);
#pragma GCC unroll 8
            for (int c = 0; c < C; ++c) {
              const Vector value = Vector::broadcast(x[c]);
#pragma GCC unroll 4
              for (int g = 0; g < G; ++g) sum[c][g] = Vector::fused(w[g], value, sum[c][g]);
            }
          }
#pragma GCC unroll 4
      for (int g = 0; g < G; ++g) {
        const std::int64_t first = (u + g) * Vector::lanes;
        if (first >= a.n) break;
        const std::int64_t valid = a.n - first < Vector::lanes ? a.n - first : Vector::lanes;
#pragma GCC unroll 8
        for (int c = 0; c < C; ++c) {
          float row[Vector::lanes];
          sum[c][g].store(row);
          for (std::int64_t j = 0; j < valid; ++j) a.y[((first + j) * pixels + pixel) * C + c] = row[j];
        }
      }
    }
  }
}

template <int C, int G>
LAVOISIER_LOCAL void convolution_few(const ConvolutionArguments& a) {
  a.n <= Vector::lanes ? convolution_outputs<C, 1>(a) : convolution_outputs<C, G>(a);
}

LAVOISIER_KERNEL void convolution(const ConvolutionArguments& a) {
  switch (a.stride) {
    case 1: return convolution_few<1, 4>(a);
    case 2: return convolution_few<2, 4>(a);
    case 3: return convolution_few<3, 2>(a);
    case 4: return convolution_few<4, 2>(a);
    case 5: return convolution_outputs<5, 1>(a);
    case 6: return convolution_outputs<6, 1>(a);
    case 7: return convolution_outputs<7, 1>(a);
    case 8: return convolution_outputs<8, 1>(a);
#if defined(__AVX512F__)
    case 16: return convolution_columns<16, 1>(a);
    default: return convolution_columns<8, 2>(a);
#elif defined(__AVX2__)
    default: return convolution_columns<4, 2>(a);
#else
    default: return convolution_columns<4, 1>(a);
#endif
  }
}
