// The exact sum of global laws against a plain loop over the same numbers, in one thread, interleaved; 2^25 values.

#include <lavoisier/exact_sum.hpp>

#include <benchmark/benchmark.h>

#include <algorithm>
#include <chrono>
#include <random>
#include <vector>

namespace {

using namespace lavoisier;

void exact_sum(benchmark::State& state) {
  constexpr std::int64_t count = std::int64_t{1} << 25;
  std::vector<double> x(count);
  std::mt19937_64 generator(1);
  std::normal_distribution<double> normal(0.0, 100.0);
  for (double& v : x) v = normal(generator);
  ExactSumBins bins;
  const auto timed = [](auto&& body) {
    const auto begin = std::chrono::steady_clock::now();
    body();
    return std::chrono::duration<double>(std::chrono::steady_clock::now() - begin).count();
  };
  std::vector<double> plain_seconds, exact_seconds;
  for (auto unused : state) {
    (void)unused;
    plain_seconds.push_back(timed([&] {
      double sum = 0.0;
      for (const double v : x) sum += v;
      benchmark::DoNotOptimize(sum);
    }));
    exact_seconds.push_back(timed([&] {
      ExactSum sum;
      sum.add(x.data(), count, 1, bins);
      double value = sum.value();
      benchmark::DoNotOptimize(value);
    }));
  }
  const auto median = [](std::vector<double>& seconds) {
    std::nth_element(seconds.begin(), seconds.begin() + static_cast<std::ptrdiff_t>(seconds.size() / 2), seconds.end());
    return seconds[seconds.size() / 2];
  };
  const double plain = median(plain_seconds), exact = median(exact_seconds);
  state.counters["global/exact_sum_ratio"] = exact / plain;
  state.counters["plain_nanoseconds_a_value"] = 1e9 * plain / static_cast<double>(count);
  state.counters["exact_nanoseconds_a_value"] = 1e9 * exact / static_cast<double>(count);
}
BENCHMARK(exact_sum)->Unit(benchmark::kMillisecond)->UseRealTime()->Iterations(15);

}  // namespace

BENCHMARK_MAIN();
