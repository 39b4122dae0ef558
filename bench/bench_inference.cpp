// Time of one run, fields in host memory as float: network 124-512-512-128 (64 outputs), 4 laws, and the same without
// laws, so that the share of the constraint step can be read off.

#include "bench_model.hpp"

#include <benchmark/benchmark.h>

namespace {

using namespace lavoisier;

void run(benchmark::State& state, int laws, Backend backend) {
  auto builder = bench::network(124, {512, 512}, 64, laws);
  if (laws == 0) builder.strategy = "none";
  const auto bytes = builder.build().serialize();
  const auto model = Model::parse(bytes.data(), bytes.size(), "bench");
  const std::int64_t columns = state.range(0);
  WorkspaceOptions options;
  options.max_columns = columns;
  options.backend = backend;
  Workspace workspace(model, options);
  std::vector<float> x(static_cast<std::size_t>(columns * 124));
  for (std::size_t i = 0; i < x.size(); ++i) x[i] = static_cast<float>(static_cast<int>(i * 7919 % 600) - 300) / 100.0f;
  std::vector<float> y(static_cast<std::size_t>(columns * 64));
  InputField input;
  input.name = "x";
  input.data = x.data();
  input.precision = Precision::f32;
  input.columns = columns;
  input.elements = input.column_stride = 124;
  std::vector<OutputField> outputs(64);
  for (std::size_t i = 0; i < 64; ++i) {
    outputs[i].name = model->outputs()[i].name.c_str();
    outputs[i].data = y.data() + i;
    outputs[i].precision = Precision::f32;
    outputs[i].columns = columns;
    outputs[i].column_stride = 64;
  }
  RunArguments arguments;
  arguments.inputs = &input;
  arguments.input_count = 1;
  arguments.outputs = outputs.data();
  arguments.output_count = outputs.size();
  arguments.columns = columns;
  for (auto unused : state) {
    (void)unused;
    workspace.run(arguments);
    ++arguments.step;
  }
  // 2 operations a weight, dense layers alone.
  state.counters["dense_gflops"] = benchmark::Counter(
      2e-9 * static_cast<double>(columns * (124 * 512 + 512 * 512 + 512 * 128)), benchmark::Counter::kIsIterationInvariantRate);
  state.SetLabel(workspace.backend() + ", " + workspace.instruction_set());
}

}  // namespace

int main(int argc, char** argv) {
  lavoisier::initialize();
  for (const int laws : {4, 0})
    for (const auto backend : {lavoisier::Backend::serial, lavoisier::Backend::automatic})
      for (const int columns : {1, 16, 1024})
        benchmark::RegisterBenchmark(
            ((laws ? "run_batch_" : "run_without_laws_batch_") + std::to_string(columns) +
             (backend == lavoisier::Backend::serial ? "_1t" : "_all")).c_str(),
            [=](benchmark::State& state) { run(state, laws, backend); })
            ->Arg(columns)->Unit(benchmark::kMicrosecond)->UseRealTime();
  benchmark::Initialize(&argc, argv);
  benchmark::RunSpecifiedBenchmarks();
  benchmark::Shutdown();
  lavoisier::finalize();
  return 0;
}
