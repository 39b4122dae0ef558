// Every instruction set gives the same bits, on every stride and odd size.

#include "../../plugin/src/aligned_buffer.hpp"
#include "../../plugin/src/program.hpp"
#include "../../plugin/src/tile_kernels.hpp"

#include <gtest/gtest.h>

#include <cmath>
#include <cstring>
#include <random>
#include <vector>

using namespace lavoisier::detail;

namespace {

std::vector<const TileKernels*> tables() {
  const TileKernels* found[3];
  const int count = runnable_tile_kernels(found);
  return {found, found + count};
}

template <class T>
bool same(const std::vector<T>& a, const std::vector<T>& b) {
  return a.size() == b.size() && std::memcmp(a.data(), b.data(), a.size() * sizeof(T)) == 0;
}

}  // namespace

TEST(Kernels, DenseIsOneFusedMultiplyAddAStep) {
  std::mt19937 generator(5);
  std::normal_distribution<float> normal;
  for (const std::int64_t stride : {1, 2, 3, 4, 5, 6, 7, 8, 16, 32})
    for (const std::int64_t n : {1, 7, 8, 15, 16, 17, 33, 130})
      for (const std::int64_t k : {1, 2, 31, 64}) {
        const std::int64_t panels = (n + panel_width - 1) / panel_width;
        AlignedBuffer<float> weight(static_cast<std::size_t>(panels * panel_width * k));
        AlignedBuffer<float> bias(static_cast<std::size_t>(panels * panel_width));
        std::vector<float> plain(static_cast<std::size_t>(n * k)), x(static_cast<std::size_t>(k * stride));
        for (std::int64_t j = 0; j < n; ++j) {
          bias[static_cast<std::size_t>(j)] = normal(generator);
          for (std::int64_t i = 0; i < k; ++i) {
            // Magnitudes far apart, so that a second rounding shows.
            const float w = normal(generator) * std::exp2(static_cast<float>(static_cast<int>(generator() % 40) - 20));
            plain[static_cast<std::size_t>(j * k + i)] = w;
            weight[static_cast<std::size_t>((j / panel_width * k + i) * panel_width + j % panel_width)] = w;
          }
        }
        for (float& value : x) value = normal(generator) * std::exp2(static_cast<float>(static_cast<int>(generator() % 20) - 10));
        std::vector<float> expected(static_cast<std::size_t>(n * stride));
        for (std::int64_t j = 0; j < n; ++j)
          for (std::int64_t c = 0; c < stride; ++c) {
            float sum = bias[static_cast<std::size_t>(j)];
            for (std::int64_t i = 0; i < k; ++i)
              sum = std::fmaf(plain[static_cast<std::size_t>(j * k + i)], x[static_cast<std::size_t>(i * stride + c)], sum);
            expected[static_cast<std::size_t>(j * stride + c)] = sum;
          }
        for (const auto* table : tables()) {
          std::vector<float> y(static_cast<std::size_t>(n * stride), -1.0f);
          table->dense({weight.data(), bias.data(), x.data(), y.data(), k, n, stride});
          EXPECT_TRUE(same(y, expected)) << table->name << ", stride " << stride << ", " << n << " x " << k;
        }
      }
}

TEST(Kernels, FusedMultiplyAddHoldsAtTheEdges) {
  // Subnormals, overflow, cancellation, infinities: 16 outputs of one input.
  const float numbers[] = {0.0f, -0.0f, 1e-45f, 1e-38f, 1.17549e-38f, 1.0f, 1.0f + 0x1p-23f, -1.0f, 3.4e38f, -3.4e38f,
                           1e-20f, 1e20f, 16777217.0f, 0x1p-126f, INFINITY, -INFINITY};
  for (const float x : numbers)
    for (const float addend : numbers) {
      AlignedBuffer<float> weight(16), bias(16);
      for (std::size_t j = 0; j < 16; ++j) {
        weight[j] = numbers[j];
        bias[j] = addend;
      }
      for (const auto* table : tables()) {
        float y[16];
        table->dense({weight.data(), bias.data(), &x, y, 1, 16, 1});
        for (std::size_t j = 0; j < 16; ++j) {
          const float expected = std::fmaf(numbers[j], x, addend);
          if (std::isnan(expected))
            EXPECT_TRUE(std::isnan(y[j]));
          else
            EXPECT_EQ(std::memcmp(&y[j], &expected, 4), 0)
                << table->name << ": " << numbers[j] << " * " << x << " + " << addend << " = " << y[j];
        }
      }
    }
}

TEST(Kernels, ElementwiseKernelsAgreeOverInstructionSets) {
  std::mt19937 generator(6);
  std::normal_distribution<double> normal;
  for (const std::int64_t count : {1, 3, 8, 31, 160}) {
    const auto size = static_cast<std::size_t>(count);
    std::vector<float> x(size);
    std::vector<double> u(size), v(size), d(size);
    for (std::size_t i = 0; i < size; ++i) {
      x[i] = static_cast<float>(10.0 * normal(generator));
      u[i] = static_cast<double>((generator() >> 4) + 1) * 0x1p-28;
      v[i] = static_cast<double>(generator() >> 4) * 0x1p-28;
      d[i] = normal(generator);
    }
    std::vector<float> silu_expected;
    std::vector<double> normal_expected, draw_expected;
    for (const auto* table : tables()) {
      std::vector<float> y(size);
      table->silu(x.data(), y.data(), count);
      std::vector<double> e(u);
      table->box_muller(e.data(), v.data(), count);
      std::vector<double> z(size);
      table->gaussian_draw(d.data(), u.data(), v.data(), z.data(), count);
      if (silu_expected.empty()) {
        silu_expected = y;
        normal_expected = e;
        draw_expected = z;
        EXPECT_NEAR(e[0], std::sqrt(-2.0 * std::log(u[0])) * std::cos(2.0 * M_PI * v[0]), 1e-14);
        EXPECT_NEAR(y[0], x[0] / (1.0 + std::exp(-static_cast<double>(x[0]))), 1e-5);
      }
      EXPECT_TRUE(same(y, silu_expected)) << table->name;
      EXPECT_TRUE(same(e, normal_expected)) << table->name;
      EXPECT_TRUE(same(z, draw_expected)) << table->name;
    }
  }
}
