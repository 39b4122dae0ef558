// Part of tile_kernels.inl: what goes element by element, and the norms.

LAVOISIER_KERNEL void standardize(const double* x, const double* mean, const double* scale, float* y, std::int64_t n,
                                  std::int64_t stride) {
  for (std::int64_t i = 0; i < n; ++i) {
    const double m = mean[i], s = scale[i];
    LAVOISIER_LANES
    for (std::int64_t c = 0; c < stride; ++c) y[i * stride + c] = static_cast<float>((x[i * stride + c] - m) / s);
  }
}

LAVOISIER_KERNEL void single(const double* x, float* y, std::int64_t count) {
  LAVOISIER_LANES
  for (std::int64_t i = 0; i < count; ++i) y[i] = static_cast<float>(x[i]);
}

LAVOISIER_KERNEL void relu(const float* x, float* y, std::int64_t count) {
  LAVOISIER_LANES
  for (std::int64_t i = 0; i < count; ++i) y[i] = x[i] <= 0.0f ? 0.0f : x[i];  // NaN stays
}

LAVOISIER_KERNEL void tanh(const float* x, float* y, std::int64_t count) {
  LAVOISIER_LANES
  for (std::int64_t i = 0; i < count; ++i) y[i] = elementary::tanh(x[i]);
}

LAVOISIER_KERNEL void sigmoid(const float* x, float* y, std::int64_t count) {
  LAVOISIER_LANES
  for (std::int64_t i = 0; i < count; ++i) y[i] = elementary::sigmoid(x[i]);
}

LAVOISIER_KERNEL void multiply(const float* a, const float* b, float* y, std::int64_t count) {
  LAVOISIER_LANES
  for (std::int64_t i = 0; i < count; ++i) y[i] = a[i] * b[i];
}

LAVOISIER_KERNEL void add_channel(const float* x, const float* b, float* y, std::int64_t channels, std::int64_t size,
                                  std::int64_t stride) {
  for (std::int64_t c = 0; c < channels; ++c)
    for (std::int64_t s = 0; s < size; ++s) {
      const std::int64_t at = (c * size + s) * stride;
      LAVOISIER_LANES
      for (std::int64_t i = 0; i < stride; ++i) y[at + i] = x[at + i] + b[c * stride + i];
    }
}

/// Whole turns are taken off before the cosine: u - floor(u) lies in [0, 1].
LAVOISIER_KERNEL void time_embedding(const double* t, const double* frequencies, float* y, std::int64_t k,
                                     std::int64_t stride) {
  for (std::int64_t i = 0; i < k; ++i)
    for (std::int64_t c = 0; c < stride; ++c) {
      const double turns = frequencies[i] * t[c];
      const double shifted = turns - 0.25;
      y[i * stride + c] = static_cast<float>(elementary::cos_two_pi(turns - __builtin_floor(turns)));
      y[(k + i) * stride + c] = static_cast<float>(elementary::cos_two_pi(shifted - __builtin_floor(shifted)));
    }
}

/// Gates of a GRU cell from its two dense layers, rows r, z, n of each.
LAVOISIER_KERNEL void gru_gates(const float* from_input, const float* from_hidden, const float* h, float* y,
                                std::int64_t count) {
  LAVOISIER_LANES
  for (std::int64_t i = 0; i < count; ++i) {
    const float reset = elementary::sigmoid(from_input[i] + from_hidden[i]);
    const float update = elementary::sigmoid(from_input[count + i] + from_hidden[count + i]);
    const float kept = reset * from_hidden[2 * count + i];
    const float candidate = elementary::tanh(from_input[2 * count + i] + kept);
    const float fresh = (1.0f - update) * candidate;
    const float old = update * h[i];
    y[i] = fresh + old;
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

/// Groups one after the other, each over its own channels; a layer norm is one group of channels of one element.
LAVOISIER_KERNEL void norm(const NormArguments& a) {
  const std::int64_t rows = a.n / a.groups;
  const double count = static_cast<double>(rows);
  for (std::int64_t g = 0; g < a.groups; ++g)
    for (std::int64_t first = 0; first < a.stride; first += 8) {
      const std::int64_t lanes = a.stride - first < 8 ? a.stride - first : 8;
      const float* x = a.x + g * rows * a.stride + first;
      float* y = a.y + g * rows * a.stride + first;
      double mean[8] = {}, variance[8] = {}, root[8] = {};
      for (std::int64_t i = 0; i < rows; ++i)
        LAVOISIER_LANES
        for (std::int64_t c = 0; c < lanes; ++c) mean[c] += static_cast<double>(x[i * a.stride + c]);
      for (std::int64_t c = 0; c < lanes; ++c) mean[c] = mean[c] / count;
      for (std::int64_t i = 0; i < rows; ++i)
        LAVOISIER_LANES
        for (std::int64_t c = 0; c < lanes; ++c) {
          const double distance = static_cast<double>(x[i * a.stride + c]) - mean[c];
          variance[c] += distance * distance;
        }
      for (std::int64_t c = 0; c < lanes; ++c) root[c] = elementary::sqrt(variance[c] / count + a.epsilon);
      for (std::int64_t i = 0; i < rows; ++i) {
        const std::int64_t channel = (g * rows + i) / a.channel_size;
        const double weight = static_cast<double>(a.weight[channel]), bias = static_cast<double>(a.bias[channel]);
        LAVOISIER_LANES
        for (std::int64_t c = 0; c < lanes; ++c) {
          const std::int64_t at = i * a.stride + c;
          y[at] = static_cast<float>((static_cast<double>(x[at]) - mean[c]) / root[c] * weight + bias);
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
