// What a host pays: a call beyond the kernels; batches of 1, 16 and 1024 columns of a 124-512-512-128 network with its
// draws and four laws, beside LibTorch's forward pass of that network alone, in turn in one run; and the exact sum of
// global laws beside a plain one.

#include "bench_model.hpp"
#include "torch_network.hpp"

#include <lavoisier/exact_sum.hpp>

#include <benchmark/benchmark.h>

#include <algorithm>
#include <chrono>
#include <random>
#include <thread>
#include <vector>

namespace {

using namespace lavoisier;

template <class Body>
double timed(Body&& body) {
  const auto begin = std::chrono::steady_clock::now();
  body();
  return std::chrono::duration<double>(std::chrono::steady_clock::now() - begin).count();
}

double median(std::vector<double>& seconds) {
  std::nth_element(seconds.begin(), seconds.begin() + static_cast<std::ptrdiff_t>(seconds.size() / 2), seconds.end());
  return seconds[seconds.size() / 2];
}

/// A model with its fields, run again and again.
class Host {
 public:
  Host(const std::shared_ptr<const Model>& model, std::int64_t columns, Backend backend)
      : model_(model), workspace_(model, options(columns, backend)) {
    for (const auto& variable : model->inputs()) {
      auto& data = data_.emplace_back(static_cast<std::size_t>(columns * variable.elements));
      for (std::size_t i = 0; i < data.size(); ++i)
        data[i] = static_cast<float>(static_cast<int>(i * 7919 % 600) - 300) / 100.0f;
      inputs_.push_back(field<InputField>(variable, data.data(), columns));
    }
    for (const auto& variable : model->outputs()) {
      auto& data = data_.emplace_back(static_cast<std::size_t>(columns * variable.elements));
      outputs_.push_back(field<OutputField>(variable, data.data(), columns));
    }
    arguments_.inputs = inputs_.data();
    arguments_.input_count = inputs_.size();
    arguments_.outputs = outputs_.data();
    arguments_.output_count = outputs_.size();
    arguments_.columns = columns;
  }

  void run() {
    workspace_.run(arguments_);
    ++arguments_.step;
  }
  const float* input() const { return data_.front().data(); }
  std::string label() const { return workspace_.backend() + ", " + workspace_.instruction_set(); }

 private:
  static WorkspaceOptions options(std::int64_t columns, Backend backend) {
    WorkspaceOptions made;
    made.max_columns = columns;
    made.backend = backend;
    return made;
  }
  template <class Field>
  static Field field(const VariableInfo& variable, float* data, std::int64_t columns) {
    Field made;
    made.name = variable.name.c_str();
    made.units = variable.units.c_str();
    made.data = data;
    made.precision = Precision::f32;
    made.columns = columns;
    made.elements = made.column_stride = variable.elements;
    return made;
  }

  std::shared_ptr<const Model> model_;
  Workspace workspace_;
  std::vector<std::vector<float>> data_;
  std::vector<InputField> inputs_;
  std::vector<OutputField> outputs_;
  RunArguments arguments_;
};

std::shared_ptr<const Model> parsed(const tests::ModelBuilder& builder) {
  const auto bytes = builder.build().serialize();
  return Model::parse(bytes.data(), bytes.size(), "bench");
}

/// One column of one input and one output, no hidden layer: all but nothing is left for the kernels.
void call(benchmark::State& state, Backend backend) {
  tests::ModelBuilder builder;
  builder.input("x").output("y");
  builder.hidden = {};
  Host host(parsed(builder), 1, backend);
  host.run();
  std::vector<double> seconds;
  for (auto unused : state) {
    (void)unused;
    seconds.push_back(timed([&] {
                        for (int i = 0; i < 1000; ++i) host.run();
                      }) /
                      1000.0);
  }
  state.counters[backend == Backend::serial ? "plugin/call_overhead_us" : "plugin/call_overhead_openmp_us"] =
      1e6 * median(seconds);
  state.SetLabel(host.label());
}

void batch(benchmark::State& state, std::int64_t columns, int threads) {
  tests::ModelBuilder builder;
  builder.dimensions = {{"in", DimensionKind::channel, 124, false}, {"part", DimensionKind::channel, 16, false}};
  builder.input("x", "1", {"in"});
  builder.hidden = {512, 512};
  for (const char* name : {"a", "b", "c", "d"}) {
    builder.output(name, "W m-2", {"part"});
    builder.law(std::string("law_") + name, {{name, 1.0}});
  }
  Host host(parsed(builder), columns, threads == 1 ? Backend::serial : Backend::automatic);
  bench::TorchNetwork torch({124, 512, 512, 128}, threads);
  std::vector<float> y(static_cast<std::size_t>(columns * 128));
  const int repeats = static_cast<int>(std::max<std::int64_t>(1, 256 / columns));
  const auto plugin = [&] {
    for (int i = 0; i < repeats; ++i) host.run();
  };
  const auto libtorch = [&] {
    for (int i = 0; i < repeats; ++i) torch.run(host.input(), y.data(), columns);
  };
  plugin();
  libtorch();
  std::vector<double> own, theirs;
  for (auto unused : state) {
    (void)unused;
    own.push_back(timed(plugin));
    theirs.push_back(timed(libtorch));
  }
  const double a = median(own), b = median(theirs);
  const std::string suffix = std::to_string(columns) + (threads == 1 ? "" : "_all");
  state.counters["inference/time_ratio_vs_torch_batch_" + suffix] = a / b;
  state.counters["plugin_us"] = 1e6 * a / repeats;
  state.counters["torch_us"] = 1e6 * b / repeats;
  state.SetLabel(host.label() + ", threads " + std::to_string(threads));
}

/// In one thread, over 2^25 numbers.
void exact_sum(benchmark::State& state) {
  constexpr std::int64_t count = std::int64_t{1} << 25;
  std::vector<double> x(count);
  std::mt19937_64 generator(1);
  std::normal_distribution<double> normal(0.0, 100.0);
  for (double& v : x) v = normal(generator);
  ExactSumBins bins;
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
  const double plain = median(plain_seconds), exact = median(exact_seconds);
  state.counters["global/exact_sum_ratio"] = exact / plain;
  state.counters["plain_nanoseconds_a_value"] = 1e9 * plain / static_cast<double>(count);
  state.counters["exact_nanoseconds_a_value"] = 1e9 * exact / static_cast<double>(count);
}

}  // namespace

int main(int argc, char** argv) {
  benchmark::Initialize(&argc, argv);
  if (benchmark::ReportUnrecognizedArguments(argc, argv)) return 1;
  lavoisier::initialize();
  const int processors = static_cast<int>(std::thread::hardware_concurrency());
  for (const auto backend : {lavoisier::Backend::serial, lavoisier::Backend::automatic})
    benchmark::RegisterBenchmark(backend == lavoisier::Backend::serial ? "call_serial" : "call_automatic",
                                 [=](benchmark::State& state) { call(state, backend); })
        ->Iterations(51)->Unit(benchmark::kMillisecond)->UseRealTime();
  for (const int threads : {1, processors}) {
    for (const int columns : {1, 16, 1024})
      benchmark::RegisterBenchmark(("batch_" + std::to_string(columns) + "_threads_" + std::to_string(threads)).c_str(),
                                   [=](benchmark::State& state) { batch(state, columns, threads); })
          ->Iterations(101)->Unit(benchmark::kMillisecond)->UseRealTime();
  }
  benchmark::RegisterBenchmark("exact_sum", exact_sum)->Iterations(15)->Unit(benchmark::kMillisecond)->UseRealTime();
  benchmark::RunSpecifiedBenchmarks();
  benchmark::Shutdown();
  lavoisier::finalize();
  return 0;
}
