// Loading a model of 1.75 million parameters from memory: parsed, its digest verified, its weights laid out.

#include "bench_model.hpp"

#include <benchmark/benchmark.h>

static void emulator_load_ms(benchmark::State& state) {
  const auto bytes = lavoisier::bench::network(124, {768, 640, 512, 640, 640}, 64, 4).build().serialize();
  for (auto unused : state) {
    (void)unused;
    benchmark::DoNotOptimize(lavoisier::Model::parse(bytes.data(), bytes.size(), "bench"));
  }
  state.counters["bytes"] = static_cast<double>(bytes.size());
}
BENCHMARK(emulator_load_ms)->Unit(benchmark::kMillisecond)->UseRealTime();

int main(int argc, char** argv) {
  lavoisier::initialize();
  benchmark::Initialize(&argc, argv);
  benchmark::RunSpecifiedBenchmarks();
  benchmark::Shutdown();
  lavoisier::finalize();
  return 0;
}
