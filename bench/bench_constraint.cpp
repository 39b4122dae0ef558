// The constraint step as a run executes it (FP64, tile by tile, per-column variances, both passes), n = 128, m = 4, against
// the STREAM triad of the same run: the bytes it must move (draws and deviations in, outputs out) over the triad's rate.

#include "tile_runner.hpp"

#include <benchmark/benchmark.h>

#include <chrono>
#include <vector>

namespace {

using namespace lavoisier::detail;
constexpr std::int64_t columns = 100000 / tile_columns * tile_columns;
constexpr std::int32_t n = 128, m = 4;

double triad_bytes_per_second() {
  const std::size_t size = std::size_t{1} << 24;
  static std::vector<double> a(size, 1.0), b(size, 2.0), c(size, 3.0);
  double best = 0.0;
  for (int repeat = 0; repeat < 5; ++repeat) {
    const auto begin = std::chrono::steady_clock::now();
    for (std::size_t i = 0; i < size; ++i) a[i] = b[i] + 3.0 * c[i];
    benchmark::ClobberMemory();
    const double seconds = std::chrono::duration<double>(std::chrono::steady_clock::now() - begin).count();
    best = std::max(best, 24.0 * static_cast<double>(size) / seconds);
  }
  return best;
}

void diagonal_f64_1t(benchmark::State& state) {
  const auto count = static_cast<std::size_t>(n * columns);
  AlignedBuffer<double> z(count), deviation(count), y(count);
  for (std::size_t i = 0; i < count; ++i) {
    z[i] = static_cast<double>(i * 31 % 97);
    deviation[i] = 1.0 + static_cast<double>(i * 17 % 13);
  }
  LawSystem laws;
  std::vector<std::vector<double>> rows(m, std::vector<double>(n, 0.0));
  for (std::int32_t i = 0; i < n; ++i) rows[static_cast<std::size_t>(i % m)][static_cast<std::size_t>(i)] = 1.0;
  laws.row_begin = laws.column_begin = laws.pair_begin = {0};
  for (std::int32_t k = 0; k < m; ++k) {
    laws.row_law.push_back(k);
    for (std::int32_t i = k; i < n; i += m) {
      laws.row_element.push_back(i);
      laws.row_coefficient.push_back(1.0);
    }
    laws.row_begin.push_back(static_cast<std::int32_t>(laws.row_element.size()));
    for (std::int32_t l = 0; l <= k; ++l) {
      for (std::int32_t i = k; l == k && i < n; i += m) {
        laws.pair_element.push_back(i);
        laws.pair_product.push_back(1.0);
      }
      laws.pair_begin.push_back(static_cast<std::int32_t>(laws.pair_element.size()));
    }
  }
  for (std::int32_t i = 0; i < n; ++i) {
    laws.column_row.push_back(i % m);
    laws.column_coefficient.push_back(1.0);
    laws.column_begin.push_back(i + 1);
  }
  AlignedBuffer<double> d(m * tile_columns), variance(n * tile_columns), factor(m * (m + 1) / 2 * tile_columns),
      residual(m * tile_columns), skipped(m * tile_columns), suspect(tile_columns);
  std::uint8_t deficient[tile_columns] = {};
  const TileKernels& kernels = tile_kernels();
  const double triad = triad_bytes_per_second();
  ConstrainArguments a = constrain_arguments(laws, nullptr);
  a.right_hand_side = d.data();
  a.n = n;
  a.variance = variance.data();
  a.factor = factor.data();
  a.residual = residual.data();
  a.skipped = skipped.data();
  a.suspect = suspect.data();
  a.deficient = deficient;
  a.tolerance = 1e-14;
  a.stride = tile_columns;
  double seconds = 0.0;
  for (auto unused : state) {
    (void)unused;
    const auto begin = std::chrono::steady_clock::now();
    for (std::int64_t tile = 0; tile < columns / tile_columns; ++tile) {
      const std::int64_t at = tile * n * tile_columns;
      a.z = z.data() + at;
      a.deviation = deviation.data() + at;
      a.y = y.data() + at;
      kernels.constrain(a);
    }
    seconds += std::chrono::duration<double>(std::chrono::steady_clock::now() - begin).count();
  }
  const double bytes = 24.0 * static_cast<double>(count) * static_cast<double>(state.iterations());
  state.counters["triad_fraction"] = bytes / seconds / triad;
  state.counters["triad_gigabytes_per_second"] = 1e-9 * triad;
  state.SetLabel(kernels.name);
}
BENCHMARK(diagonal_f64_1t)->Unit(benchmark::kMillisecond)->UseRealTime();

}  // namespace

BENCHMARK_MAIN();
