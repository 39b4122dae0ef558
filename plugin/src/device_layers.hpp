#ifndef LAVOISIER_PLUGIN_DEVICE_LAYERS_HPP
#define LAVOISIER_PLUGIN_DEVICE_LAYERS_HPP

// DeviceEngine's operations of fields, time and elements: the arithmetic and the order of the tile kernels. Values lie
// as value[element * ld + slot].

#include "program.hpp"

#include <lavoisier/elementary.hpp>

#include <Kokkos_Core.hpp>

namespace lavoisier::detail {

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

  void multiply(const float* a, const float* b, float* y, std::int64_t n) const {
    const std::int64_t stride = ld, columns = count;
    Kokkos::parallel_for(
        "lav::multiply", Range(space, 0, n * columns), KOKKOS_LAMBDA(const std::int64_t job) {
          const std::int64_t at = job / columns * stride + job % columns;
          y[at] = a[at] * b[at];
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
        "lav::group_norm", Range(space, 0, operation.groups * columns), KOKKOS_LAMBDA(const std::int64_t job) {
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
