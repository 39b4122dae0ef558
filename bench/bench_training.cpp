// A training step (forward, CRPS, backward, Adam) of a 124-512-512-128 network, 128 outputs: without laws, with 4 laws by
// the fused conditional loss, and by LibTorch's own operations, interleaved in one run on the same threads. Per-sample
// deviations: the last layer is 256 wide (mean and raw scale). Shared: one learned deviation an output. Figures are medians
// over rounds of the ratio to the unconstrained step of the same round.

#include "head_loss.hpp"
#include "network.hpp"
#include "optimizer.hpp"
#include "plain_conditional.hpp"

#include <lavoisier/random.hpp>
#include <lavoisier/training_losses.hpp>

#include <benchmark/benchmark.h>

#include <algorithm>
#include <chrono>
#include <cmath>
#include <ctime>
#include <functional>
#include <vector>

namespace lavoisier {

namespace {

using namespace detail;
using Eigen::Index;
using FloatRows = Eigen::Matrix<float, Eigen::Dynamic, Eigen::Dynamic, Eigen::RowMajor>;
constexpr Index inputs = 124, n = 128, m = 4;

RowMatrix normals(Index rows, Index columns, std::uint64_t seed) {
  RowMatrix values(rows, columns);
  for (Index i = 0; i < values.size(); ++i)
    values.data()[i] = random::normal({seed, 0}, {.element = static_cast<std::uint64_t>(i)});
  return values;
}

struct Batch {
  RowMatrix A = normals(m, n, 1), y, d;
  FloatRows x;
  explicit Batch(Index rows) : y(normals(rows, n, 2)), d(normals(rows, m, 3)), x(normals(rows, inputs, 4).cast<float>()) {
    project_onto_laws(A, d, y);
  }
};

/// A network in training. The three kinds of step start from the same weights.
class Trainee {
 public:
  explicit Trainee(Index outputs)
      : options_(make_options()),
        plan_(plan_mlp(options_.network, inputs, outputs)),
        network_(plan_),
        adam_(plan_, options_) {
    const std::vector<double> weights = initial_weights(plan_, options_.network, 1);
    std::transform(weights.begin(), weights.end(), network_.weights().begin(),
                   [](double w) { return static_cast<float>(w); });
  }
  static TrainingOptions make_options() {
    TrainingOptions options;
    options.network.hidden = {512, 512};
    return options;
  }
  double step(const Batch& batch, const Network<float>::Function& loss) {
    const double value = network_.differentiate(batch.x.data(), batch.x.rows(), loss);
    adam_.update(network_.weights(), network_.gradient(), step_++, 1e-4);
    return value;
  }

 private:
  TrainingOptions options_;
  NetworkPlan plan_;
  Network<float> network_;
  Adam adam_;
  std::int64_t step_ = 0;
};

struct Cost {
  double wall = 0.0, cpu = 0.0;  ///< seconds; cpu: of all threads, what a busy machine does not distort
};
Cost cost(const std::function<void()>& call) {
  const auto begin = std::chrono::steady_clock::now();
  const std::clock_t begin_cpu = std::clock();
  call();
  return {std::chrono::duration<double>(std::chrono::steady_clock::now() - begin).count(),
          static_cast<double>(std::clock() - begin_cpu) / CLOCKS_PER_SEC};
}

double median(std::vector<double> values) {
  std::nth_element(values.begin(), values.begin() + static_cast<std::ptrdiff_t>(values.size() / 2), values.end());
  return values[values.size() / 2];
}

/// Per-sample deviations, as training has it.
Network<float>::Function head_loss(const HeadLoss& loss, const Batch& batch) {
  return [&](const float* h, std::int64_t rows, float* h_bar) {
    RowMatrix gradient;
    const Eigen::VectorXd each =
        loss(Eigen::Map<const FloatRows>(h, rows, 2 * n).cast<double>(), batch.y, batch.d, &gradient);
    Eigen::Map<FloatRows>(h_bar, rows, 2 * n) = gradient.cast<float>();
    return each.mean();
  };
}

/// One learned deviation an output; its own plain gradient step.
struct SharedScale {
  Eigen::VectorXd raw = Eigen::VectorXd::Constant(n, std::log(0.5));
  RowMatrix deviation() const { return (raw.array().exp() + 1e-3).matrix().transpose(); }
  void update(const RowMatrix& s_bar) { raw.array() -= 1e-4 * s_bar.transpose().array() * raw.array().exp(); }
};

Network<float>::Function shared_loss(bool laws, SharedScale& scale, const Batch& batch, const BatchOptions& options) {
  return [&, laws, options](const float* h, std::int64_t rows, float* h_bar) {
    const RowMatrix mean = Eigen::Map<const FloatRows>(h, rows, n).cast<double>();
    const Eigen::VectorXd ones = Eigen::VectorXd::Ones(n);
    const BatchLoss loss =
        laws ? conditional_crps_loss(batch.A, mean, scale.deviation(), batch.d, batch.y, ones, options)
             : gaussian_crps_loss(mean, scale.deviation(), batch.y, ones, options);
    const double share = 1.0 / static_cast<double>(rows);
    Eigen::Map<FloatRows>(h_bar, rows, n) = (share * loss.gradient.mean).cast<float>();
    scale.update(share * loss.gradient.standard_deviation);
    return loss.value.mean();
  };
}

Network<float>::Function plain_loss(bool shared, SharedScale& scale, const Batch& batch) {
  return [&, shared](const float* h, std::int64_t rows, float* h_bar) {
    if (!shared) return bench::plain_conditional_crps(batch.A, batch.d, batch.y, h, rows, h_bar);
    Eigen::VectorXd bar(n);
    const double value =
        bench::plain_conditional_crps(batch.A, batch.d, batch.y, h, rows, h_bar, scale.raw.data(), bar.data());
    scale.raw -= 1e-4 * bar;
    return value;
  };
}

void constraint_overhead(benchmark::State& state, bool shared) {
  const int threads = static_cast<int>(state.range(1));
  set_training_threads(threads);
  const Batch batch(state.range(0));
  const BatchOptions options{threads};
  const Index outputs = shared ? n : 2 * n;
  Trainee free(outputs), fused(outputs), plain(outputs);
  SharedScale free_scale, fused_scale, plain_scale;
  std::vector<Index> active(n);
  for (Index i = 0; i < n; ++i) active[static_cast<std::size_t>(i)] = i;
  TrainingOptions none = Trainee::make_options(), conditional = none;
  none.strategy = Strategy::none;
  const HeadLoss free_head(none, batch.A, batch.d.cols(), active, {}, threads);
  const HeadLoss fused_head(conditional, batch.A, batch.d.cols(), active, {}, threads);
  const auto free_loss = shared ? shared_loss(false, free_scale, batch, options) : head_loss(free_head, batch);
  const auto fused_loss = shared ? shared_loss(true, fused_scale, batch, options) : head_loss(fused_head, batch);
  const auto torch_loss = plain_loss(shared, plain_scale, batch);
  double first = 0.0, second = 0.0;
  std::vector<double> fused_ratio, plain_ratio, fused_cpu, plain_cpu, free_seconds;
  int round = 0;
  for (auto unused : state) {
    (void)unused;
    Cost a, b, c;
    const auto run_free = [&] { a = cost([&] { free.step(batch, free_loss); }); };
    const auto run_fused = [&] { b = cost([&] { first = fused.step(batch, fused_loss); }); };
    // Whoever goes first finds other caches: they take turns.
    if (round % 2 == 0) {
      run_free();
      run_fused();
    } else {
      run_fused();
      run_free();
    }
    c = cost([&] { second = plain.step(batch, torch_loss); });
    if (round++ == 0 && std::abs(first - second) > 1e-4 * std::abs(second))
      return state.SkipWithError("the fused loss and the plain one differ");
    if (round <= 3) continue;
    fused_ratio.push_back(b.wall / a.wall);
    plain_ratio.push_back(c.wall / a.wall);
    fused_cpu.push_back(b.cpu / a.cpu);
    plain_cpu.push_back(c.cpu / a.cpu);
    free_seconds.push_back(a.wall);
  }
  // The batch of `lavoisier train`, on one thread, carries the key that is followed from release to release.
  const bool followed = state.range(0) == 256 && state.range(1) == 1;
  const char* key = shared ? "training/constraint_overhead_shared" : "training/constraint_overhead_diagonal";
  state.counters[followed ? key : "fused"] = median(fused_ratio);
  state.counters["plain_torch"] = median(plain_ratio);
  state.counters["fused_cpu"] = median(fused_cpu);
  state.counters["plain_torch_cpu"] = median(plain_cpu);
  state.counters["unconstrained_ms"] = 1e3 * median(free_seconds);
}

void constraint_overhead_shared(benchmark::State& state) { constraint_overhead(state, true); }
void constraint_overhead_diagonal(benchmark::State& state) { constraint_overhead(state, false); }
BENCHMARK(constraint_overhead_shared)
    ->ArgNames({"batch", "threads"})
    ->ArgsProduct({{256, 1024}, {1, 0}})
    ->Unit(benchmark::kMillisecond)
    ->Iterations(43)
    ->UseRealTime();
BENCHMARK(constraint_overhead_diagonal)
    ->ArgNames({"batch", "threads"})
    ->ArgsProduct({{256, 1024}, {1, 0}})
    ->Unit(benchmark::kMillisecond)
    ->Iterations(43)
    ->UseRealTime();

}  // namespace
}  // namespace lavoisier

BENCHMARK_MAIN();
