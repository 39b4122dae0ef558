#ifndef LAVOISIER_PLUGIN_DEVICE_LAYERS_HPP
#define LAVOISIER_PLUGIN_DEVICE_LAYERS_HPP

// DeviceEngine's layers of networks: the arithmetic and the order of the tile kernels. Values lie
// as value[element * ld + slot].

#include "column_draws.hpp"
#include "device_memory.hpp"
#include "program.hpp"

#include <lavoisier/elementary.hpp>

#include <Kokkos_Core.hpp>

namespace lavoisier::detail {

/// What an operation knows beforehand, in a device's memory.
template <class ExecutionSpace>
struct DeviceConstants {
  using Device = DeviceMemory<ExecutionSpace>;
  template <class T>
  using Array = typename Device::template Array<T>;
  Array<float> weight, bias, weight_hidden, bias_hidden;
  Array<double> first, second;
  Array<std::int32_t> elements, atom;  ///< positive_draw: outputs, and which atom of the raw values each has (or -1)
  Array<PositiveLaw> laws;

  explicit DeviceConstants(const Operation& operation) {
    weight = Device::copy(operation.weight.data(), operation.weight.size());
    bias = Device::copy(operation.bias.data(), operation.bias.size());
    weight_hidden = Device::copy(operation.weight_hidden.data(), operation.weight_hidden.size());
    bias_hidden = Device::copy(operation.bias_hidden.data(), operation.bias_hidden.size());
    first = Device::copy(operation.first);
    second = Device::copy(operation.second);
    elements = Device::copy(operation.elements);
    laws = Device::copy(operation.laws);
    std::vector<std::int32_t> atoms;
    std::int32_t number = 0;
    for (const PositiveLaw& law : operation.laws) atoms.push_back(law.atom ? number++ : -1);
    atom = Device::copy(atoms);
  }
};

struct SiluFunction {
  KOKKOS_INLINE_FUNCTION float operator()(float x) const { return elementary::silu(x); }
};
struct ReluFunction {
  KOKKOS_INLINE_FUNCTION float operator()(float x) const { return x <= 0.0f ? 0.0f : x; }  // NaN stays
};
struct TanhFunction {
  KOKKOS_INLINE_FUNCTION float operator()(float x) const { return elementary::tanh(x); }
};
struct SigmoidFunction {
  KOKKOS_INLINE_FUNCTION float operator()(float x) const { return elementary::sigmoid(x); }
};
struct SingleFunction {
  KOKKOS_INLINE_FUNCTION float operator()(double x) const { return static_cast<float>(x); }
};
template <class T>
struct SameFunction {
  KOKKOS_INLINE_FUNCTION T operator()(T x) const { return x; }
};
struct AddFunction {
  KOKKOS_INLINE_FUNCTION float operator()(float a, float b) const { return a + b; }
};
struct MultiplyFunction {
  KOKKOS_INLINE_FUNCTION float operator()(float a, float b) const { return a * b; }
};

template <class ExecutionSpace>
struct DeviceLayers {
  using Range = Kokkos::RangePolicy<ExecutionSpace, Kokkos::IndexType<std::int64_t>>;
  ExecutionSpace space;
  std::int64_t ld, count;

  /// y[i] = function(x[i]) for n elements of every column.
  template <class From, class To, class Function>
  void map(const From* x, To* y, std::int64_t n, Function function) const {
    const std::int64_t stride = ld, columns = count;
    Kokkos::parallel_for(
        "lav::map", Range(space, 0, n * columns), KOKKOS_LAMBDA(const std::int64_t job) {
          const std::int64_t at = job / columns * stride + job % columns;
          y[at] = function(x[at]);
        });
  }

  /// y[i] = function(a[i], b[i])
  template <class Function>
  void map2(const float* a, const float* b, float* y, std::int64_t n, Function function) const {
    const std::int64_t stride = ld, columns = count;
    Kokkos::parallel_for(
        "lav::map2", Range(space, 0, n * columns), KOKKOS_LAMBDA(const std::int64_t job) {
          const std::int64_t at = job / columns * stride + job % columns;
          y[at] = function(a[at], b[at]);
        });
  }

  void standardize(const double* x, const double* mean, const double* scale, float* y, std::int64_t n) const {
    const std::int64_t stride = ld, columns = count;
    Kokkos::parallel_for(
        "lav::scale", Range(space, 0, n * columns), KOKKOS_LAMBDA(const std::int64_t job) {
          const std::int64_t i = job / columns, at = i * stride + job % columns;
          y[at] = static_cast<float>((x[at] - mean[i]) / scale[i]);
        });
  }

  /// n outputs of k inputs, each of `rows` times; weights in panels. One thread for a panel of one row of one column.
  void dense(const float* weight, const float* bias, const float* x, float* y, std::int64_t k, std::int64_t n,
             std::int64_t rows) const {
    const std::int64_t stride = ld, columns = count, panels = (n + panel_width - 1) / panel_width;
    Kokkos::parallel_for(
        "lav::dense", Range(space, 0, rows * panels * columns), KOKKOS_LAMBDA(const std::int64_t job) {
          const std::int64_t s = job % columns, p = job / columns % panels, row = job / columns / panels;
          const float* from = x + row * k * stride + s;
          float* to = y + row * n * stride + s;
          float sum[panel_width];
          for (int j = 0; j < panel_width; ++j) sum[j] = bias[p * panel_width + j];
          const float* w = weight + p * k * panel_width;
          for (std::int64_t i = 0; i < k; ++i) {
            const float here = from[i * stride];
            for (int j = 0; j < panel_width; ++j) sum[j] = fmaf(w[i * panel_width + j], here, sum[j]);
          }
          for (int j = 0; j < panel_width; ++j)
            if (p * panel_width + j < n) to[(p * panel_width + j) * stride] = sum[j];
        });
  }

  /// The gates of n numbers, from the dense results of input and hidden state (three gates each).
  void gru_gates(const float* from_input, const float* from_hidden, const float* h, float* y, std::int64_t n) const {
    const std::int64_t stride = ld, columns = count;
    Kokkos::parallel_for(
        "lav::gru", Range(space, 0, n * columns), KOKKOS_LAMBDA(const std::int64_t job) {
          const std::int64_t at = job / columns * stride + job % columns, gate = n * stride;
          const float reset = elementary::sigmoid(from_input[at] + from_hidden[at]);
          const float update = elementary::sigmoid(from_input[gate + at] + from_hidden[gate + at]);
          const float kept = reset * from_hidden[2 * gate + at];
          const float candidate = elementary::tanh(from_input[2 * gate + at] + kept);
          const float fresh = (1.0f - update) * candidate;
          const float old = update * h[at];
          y[at] = fresh + old;
        });
  }

  void gru(const Operation& operation, const DeviceConstants<ExecutionSpace>& own, const float* x, const float* h,
           float* y, float* from_input, float* from_hidden) const {
    const std::int64_t n = operation.n / operation.size;
    for (std::int64_t row = 0; row < operation.size; ++row) {
      dense(own.weight.data(), own.bias.data(), x, from_input, operation.k, 3 * n, 1);
      dense(own.weight_hidden.data(), own.bias_hidden.data(), h, from_hidden, n, 3 * n, 1);
      gru_gates(from_input, from_hidden, h, y, n);
      x += operation.k * ld;
      h += n * ld;
      y += n * ld;
    }
  }

  /// Rows of x by index; of absent edges zeros. A column with an index that is no row gets its status.
  void gather(const Operation& operation, const float* x, const double* index, float* y, SlotStatus* status) const {
    const std::int64_t stride = ld, columns = count, features = operation.groups, rows = operation.k;
    Kokkos::parallel_for(
        "lav::gather_rows", Range(space, 0, operation.size * columns), KOKKOS_LAMBDA(const std::int64_t job) {
          const std::int64_t e = job / columns, s = job % columns;
          bool bad = false;
          const std::int64_t row = row_of(index[e * stride + s], rows, bad);
          if (bad && is_written(status[s])) status[s] = static_cast<SlotStatus>(Status::invalid_argument);
          for (std::int64_t f = 0; f < features; ++f)
            y[(e * features + f) * stride + s] = row < 0 ? 0.0f : x[(row * features + f) * stride + s];
        });
  }

  /// Sums over edges in their order; one thread for a feature of a column.
  void scatter_add(const Operation& operation, const float* x, const double* index, float* y, SlotStatus* status) const {
    const std::int64_t stride = ld, columns = count, features = operation.groups, rows = operation.k,
                       edges = operation.size;
    Kokkos::parallel_for(
        "lav::scatter_add", Range(space, 0, features * columns), KOKKOS_LAMBDA(const std::int64_t job) {
          const std::int64_t f = job / columns, s = job % columns;
          bool bad = false;
          for (std::int64_t r = 0; r < rows; ++r) y[(r * features + f) * stride + s] = 0.0f;
          for (std::int64_t e = 0; e < edges; ++e) {
            const std::int64_t row = row_of(index[e * stride + s], rows, bad);
            if (row >= 0) y[(row * features + f) * stride + s] += x[(e * features + f) * stride + s];
          }
          if (bad && f == 0 && is_written(status[s])) status[s] = static_cast<SlotStatus>(Status::invalid_argument);
        });
  }

  void embedding(const Operation& operation, const float* table, const double* index, float* y,
                 SlotStatus* status) const {
    const std::int64_t stride = ld, columns = count, features = operation.groups, rows = operation.k;
    Kokkos::parallel_for(
        "lav::embedding", Range(space, 0, operation.size * columns), KOKKOS_LAMBDA(const std::int64_t job) {
          const std::int64_t i = job / columns, s = job % columns;
          bool bad = false;
          const std::int64_t row = row_of(index[i * stride + s], rows, bad);
          if (bad && is_written(status[s])) status[s] = static_cast<SlotStatus>(Status::invalid_argument);
          for (std::int64_t f = 0; f < features; ++f)
            y[(i * features + f) * stride + s] = row < 0 ? 0.0f : table[row * features + f];
        });
  }

  /// Rows beyond a column's own number are zeros.
  void mask(const Operation& operation, const double* x, const double* count_of, double* y, SlotStatus* status) const {
    const std::int64_t stride = ld, columns = count, features = operation.groups, size = operation.size;
    Kokkos::parallel_for(
        "lav::mask", Range(space, 0, operation.n * columns), KOKKOS_LAMBDA(const std::int64_t job) {
          const std::int64_t i = job / columns, s = job % columns;
          bool bad = false;
          // As an index of size + 1 rows; -1 (absent) is no count.
          const std::int64_t present = row_of(count_of[s], size + 1, bad);
          if (present < 0 && i == 0 && is_written(status[s]))
            status[s] = static_cast<SlotStatus>(Status::invalid_argument);
          y[i * stride + s] = i < present * features ? x[i * stride + s] : 0.0;
        });
  }

  void gaussian_head(const Operation& operation, const DeviceConstants<ExecutionSpace>& own, const float* h,
                     double* mean, double* deviation) const {
    const std::int64_t stride = ld, columns = count, n = operation.n;
    const double *offset = own.first.data(), *scale = own.second.data();
    const double floor = operation.number;
    const bool exponential = operation.exponential;
    Kokkos::parallel_for(
        "lav::head", Range(space, 0, n * columns), KOKKOS_LAMBDA(const std::int64_t job) {
          const std::int64_t i = job / columns, s = job % columns;
          mean[i * stride + s] = offset[i] + scale[i] * static_cast<double>(h[i * stride + s]);
          const double raw = static_cast<double>(h[(n + i) * stride + s]);
          deviation[i * stride + s] = scale[i] * (floor + (exponential ? elementary::exp(raw) : elementary::log1p_exp(raw)));
        });
  }

  void add_channel(const Operation& operation, const float* x, const float* b, float* y) const {
    const std::int64_t stride = ld, columns = count, size = operation.size;
    Kokkos::parallel_for(
        "lav::add_channel", Range(space, 0, operation.n * columns), KOKKOS_LAMBDA(const std::int64_t job) {
          const std::int64_t i = job / columns, s = job % columns;
          y[i * stride + s] = x[i * stride + s] + b[i / size * stride + s];
        });
  }

  void time_embedding(const Operation& operation, const double* t, const double* frequencies, float* y) const {
    const std::int64_t stride = ld, columns = count, k = operation.k;
    Kokkos::parallel_for(
        "lav::time", Range(space, 0, k * columns), KOKKOS_LAMBDA(const std::int64_t job) {
          const std::int64_t i = job / columns, s = job % columns;
          const double turns = frequencies[i] * t[s];
          const double shifted = turns - 0.25;
          y[i * stride + s] = static_cast<float>(elementary::cos_two_pi(turns - floor(turns)));
          y[(k + i) * stride + s] = static_cast<float>(elementary::cos_two_pi(shifted - floor(shifted)));
        });
  }

  void upsample(const Operation& operation, const float* x, float* y) const {
    const std::int64_t stride = ld, columns = count;
    const std::int64_t height = operation.field.height, width = operation.field.width;
    const std::int64_t fy = operation.field.stride[0], fx = operation.field.stride[1];
    Kokkos::parallel_for(
        "lav::upsample", Range(space, 0, operation.n * columns), KOKKOS_LAMBDA(const std::int64_t job) {
          const std::int64_t i = job / columns, s = job % columns;
          const std::int64_t ox = i % (width * fx), row = i / (width * fx);  // row: channel and y
          const std::int64_t oy = row % (height * fy), c = row / (height * fy);
          y[i * stride + s] = x[((c * height + oy / fy) * width + ox / fx) * stride + s];
        });
  }

  void transpose(const Operation& operation, const float* x, float* y) const {
    const std::int64_t stride = ld, columns = count, rows = operation.groups, width = operation.size;
    Kokkos::parallel_for(
        "lav::transpose", Range(space, 0, operation.n * columns), KOKKOS_LAMBDA(const std::int64_t job) {
          const std::int64_t i = job / columns, s = job % columns;
          y[i * stride + s] = x[(i % rows * width + i / rows) * stride + s];
        });
  }

  void norm(const Operation& operation, const float* weight, const float* bias, const float* x, float* y) const {
    const std::int64_t stride = ld, columns = count, size = operation.size;
    const std::int64_t rows = operation.n / operation.groups;
    const double epsilon = operation.number;
    Kokkos::parallel_for(
        "lav::norm", Range(space, 0, operation.groups * columns), KOKKOS_LAMBDA(const std::int64_t job) {
          const std::int64_t first = job / columns * rows, s = job % columns;
          double mean = 0.0, variance = 0.0;
          for (std::int64_t i = first; i < first + rows; ++i) mean += static_cast<double>(x[i * stride + s]);
          mean = mean / static_cast<double>(rows);
          for (std::int64_t i = first; i < first + rows; ++i) {
            const double distance = static_cast<double>(x[i * stride + s]) - mean;
            variance += distance * distance;
          }
          const double root = elementary::sqrt(variance / static_cast<double>(rows) + epsilon);
          for (std::int64_t i = first; i < first + rows; ++i)
            y[i * stride + s] = static_cast<float>((static_cast<double>(x[i * stride + s]) - mean) / root *
                                                       static_cast<double>(weight[i / size]) +
                                                   static_cast<double>(bias[i / size]));
        });
  }

  /// One thread for a panel of output channels at one pixel of one column.
  void convolution(const Operation& operation, const float* weight, const float* bias, const float* x, float* y) const {
    const std::int64_t stride = ld, columns = count, n = operation.groups, k = operation.k;
    const Field2d f = operation.field;
    const std::int64_t channels = f.channels, height = f.height, width = f.width, kernel_y = f.kernel[0],
                       kernel_x = f.kernel[1], stride_y = f.stride[0], stride_x = f.stride[1], padding_y = f.padding[0],
                       padding_x = f.padding[1], out_width = f.out[1];
    const std::int64_t pixels = f.out[0] * f.out[1], panels = (n + panel_width - 1) / panel_width;
    Kokkos::parallel_for(
        "lav::conv2d", Range(space, 0, panels * pixels * columns), KOKKOS_LAMBDA(const std::int64_t job) {
          const std::int64_t s = job % columns, pixel = job / columns % pixels, p = job / columns / pixels;
          const std::int64_t top = pixel / out_width * stride_y - padding_y;
          const std::int64_t left = pixel % out_width * stride_x - padding_x;
          float sum[panel_width];
          for (int j = 0; j < panel_width; ++j) sum[j] = bias[p * panel_width + j];
          for (std::int64_t c = 0; c < channels; ++c)
            for (std::int64_t ky = 0; ky < kernel_y; ++ky)
              for (std::int64_t kx = 0; kx < kernel_x; ++kx) {
                const std::int64_t iy = top + ky, ix = left + kx;
                if (iy < 0 || iy >= height || ix < 0 || ix >= width) continue;
                const float here = x[((c * height + iy) * width + ix) * stride + s];
                const float* w = weight + (p * k + (c * kernel_y + ky) * kernel_x + kx) * panel_width;
                for (int j = 0; j < panel_width; ++j) sum[j] = fmaf(w[j], here, sum[j]);
              }
          for (int j = 0; j < panel_width; ++j)
            if (p * panel_width + j < n) y[((p * panel_width + j) * pixels + pixel) * stride + s] = sum[j];
        });
  }
};

}  // namespace lavoisier::detail

#endif
