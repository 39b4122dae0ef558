// An epoch of the CSTR case (two hidden layers of 32, Adam 1e-4, batch 16, one thread; training, validation,
// selection): ours by the public train(), against the same epoch in plain eager PyTorch (pytorch_epoch.py), in turns.
// Ratios are medians over neighbouring epochs, of the thread's processor time: on an idle machine that is the time by
// the clock, on a busy one, where a long epoch waits for others more often than a short one, it is the fair one.
// Training is conditional on the laws; PyTorch's network is trained conditionally (the same loss by its operations),
// without laws, and by mean squares.
//
// The same for a variational autoencoder of Fashion-MNIST: dense layers 784-400-20-400, a mean and a deviation a pixel, batch
// 256, likelihood, conditional on each image's mean brightness, and without laws.
//
// LAVOISIER_PYTHON: a Python that imports torch (default: python3). Without one, only our seconds are printed.
// LAVOISIER_CSTR: benchmark_CSTR.csv (default: ../shared/data/benchmark_CSTR.csv; without it, data of the same shape).

#include "../tests/models/synthetic.hpp"
#include "images/image_data.hpp"
#include "training_data.hpp"

#include <lavoisier/status.hpp>
#include <lavoisier/training.hpp>

#include <benchmark/benchmark.h>

#include <algorithm>
#include <cstdio>
#include <cstdlib>
#include <ctime>
#include <fstream>
#include <sstream>
#include <thread>
#include <sys/wait.h>
#include <unistd.h>

namespace lavoisier {
namespace {

constexpr Eigen::Index inputs = 3, outputs = 3;
constexpr double physics_tolerance = 1e-5;

/// Rows of three inputs and three outputs.
std::vector<double> numbers(std::string& source) {
  const char* named = std::getenv("LAVOISIER_CSTR");
  const std::string path = named ? named : "../shared/data/benchmark_CSTR.csv";
  std::vector<double> values;
  std::ifstream file(path);
  std::string line;
  std::getline(file, line);
  while (std::getline(file, line)) {
    std::replace(line.begin(), line.end(), ',', ' ');
    std::istringstream words(line);
    for (double value = 0.0; words >> value;) values.push_back(value);
  }
  source = path;
  if (!values.empty()) return values;
  source = "made up (there is no " + path + ")";
  for (std::uint64_t row = 0; row < 1943; ++row) {
    const auto uniform = [&](std::uint64_t element) {
      return random::uniform_open_right(random::words({5, 0}, {.column = row, .element = element})[0]);
    };
    const double x1 = 300.0 + 150.0 * uniform(0), x2 = 10.0 + 90.0 * uniform(1), x3 = 10.0 + 30.0 * uniform(2);
    const double z2 = x2 / (1.0 + std::exp(0.05 * (x1 - 380.0) + 0.01 * x3));
    for (const double value : {x1, x2, x3, x2 - z2, z2, z2 + x3 - x2}) values.push_back(value);
  }
  return values;
}

struct Case {
  StateLayout layout;
  std::vector<Law> laws;
  SampleSet samples;
  LinearConstraints constraints() const { return {layout, laws, {}}; }

  Case() {
    using test::linear_law, test::scalar;
    std::vector<Variable> variables;
    for (const char* name : {"x1", "x2", "x3"}) variables.push_back(scalar(name, Role::input));
    for (const char* name : {"z1", "z2", "z3"}) variables.push_back(scalar(name, Role::output));
    layout = StateLayout({}, variables);
    const auto x = [](const char* name) { return Expression::symbol(name); };
    laws = {linear_law("overall", {{"z2", 1.0}, {"z3", -1.0}}, x("x2") - x("x3"), physics_tolerance),
            linear_law("benzene", {{"z1", 1.0}, {"z2", 1.0}}, x("x2"), physics_tolerance)};
    const std::vector<double> values = numbers(samples.source);
    samples.layout = layout;
    samples.samples = static_cast<std::int64_t>(values.size()) / (inputs + outputs);
    for (std::int64_t row = 0; row < samples.samples; ++row) {
      const double* at = values.data() + row * (inputs + outputs);
      samples.inputs.insert(samples.inputs.end(), at, at + inputs);
      samples.outputs.insert(samples.outputs.end(), at + inputs, at + inputs + outputs);
      samples.subset.push_back(10 * row < 6 * samples.samples   ? Subset::training
                               : 10 * row < 8 * samples.samples ? Subset::validation
                                                                : Subset::test);
      samples.column.push_back(static_cast<std::uint64_t>(row));
      samples.step.push_back(0);
    }
  }
};

struct Times {
  double processor = 0.0, clock = 0.0;  ///< seconds
};

Times now() {
  const auto read = [](clockid_t id) {
    std::timespec time{};
    ::clock_gettime(id, &time);
    return static_cast<double>(time.tv_sec) + 1e-9 * static_cast<double>(time.tv_nsec);
  };
  return {read(CLOCK_THREAD_CPUTIME_ID), read(CLOCK_MONOTONIC)};
}

/// pytorch_epoch.py, waiting for its next epoch.
class PyTorch {
 public:
  PyTorch(const std::string& data, const std::string& loss, int threads = 1) {
    const char* named = std::getenv("LAVOISIER_PYTHON");
    const std::string python = named ? named : "python3", script = LAVOISIER_BENCH_FOLDER "/pytorch_epoch.py";
    const std::string count = std::to_string(threads);
    int to[2], from[2];
    if (::pipe(to) != 0 || ::pipe(from) != 0) return;
    child_ = ::fork();
    if (child_ == 0) {
      ::dup2(to[0], 0);
      ::dup2(from[1], 1);
      for (const int end : {to[0], to[1], from[0], from[1]}) ::close(end);
      ::execlp(python.c_str(), python.c_str(), script.c_str(), data.c_str(), loss.c_str(), count.c_str(), nullptr);
      ::_exit(127);
    }
    ::close(to[0]);
    ::close(from[1]);
    to_ = ::fdopen(to[1], "w");
    from_ = ::fdopen(from[0], "r");
    char word[64];
    if (std::fscanf(from_, "%63s", word) == 1) version_ = word;
  }
  ~PyTorch() {
    std::fclose(to_);
    std::fclose(from_);
    ::waitpid(child_, nullptr, 0);
  }
  PyTorch(const PyTorch&) = delete;
  PyTorch& operator=(const PyTorch&) = delete;

  const std::string& version() const { return version_; }  ///< empty: no PyTorch
  Times epoch() {
    Times times;
    if (std::fputs("\n", to_) < 0 || std::fflush(to_) != 0 ||
        std::fscanf(from_, "%lf %lf %lf", &times.processor, &times.clock, &score_) != 3)
      throw Error(Status::internal, "pytorch_epoch.py has ended");
    return times;
  }
  double score() const { return score_; }

 private:
  pid_t child_ = -1;
  std::FILE *to_ = nullptr, *from_ = nullptr;
  std::string version_;
  double score_ = 0.0;
};

void write_data(const std::string& path, const SampleSet& samples, const LinearConstraints& constraints, const std::string& scaling) {
  const detail::TrainingData data(samples, constraints, true, scaling);
  std::ofstream file(path, std::ios::binary);
  const std::int64_t sizes[5] = {data.training.count(), data.validation.count(), samples.input_elements(),
                                  samples.output_elements(), data.A.rows()};
  file.write(reinterpret_cast<const char*>(sizes), sizeof sizes);
  const auto put = [&](const float* values, std::size_t count) {
    file.write(reinterpret_cast<const char*>(values), static_cast<std::streamsize>(count * sizeof(float)));
  };
  const auto put_rounded = [&](const RowMatrix& matrix) {
    const std::vector<float> rounded(matrix.data(), matrix.data() + matrix.size());
    put(rounded.data(), rounded.size());
  };
  put_rounded(data.A);
  for (const detail::StandardisedRows* rows : {&data.training, &data.validation}) {
    put(rows->x.data(), rows->x.size());
    put_rounded(rows->y);
    put_rounded(rows->d);
  }
}

double median(std::vector<double> values) {
  std::nth_element(values.begin(), values.begin() + static_cast<std::ptrdiff_t>(values.size() / 2), values.end());
  return values[values.size() / 2];
}

/// Trains ours and PyTorch's an epoch in turns. One thread: compared by processor time; else by the clock.
void compare(benchmark::State& state, const SampleSet& samples, const LinearConstraints& constraints, TrainingOptions options,
             const char* loss, const char* figure) {
  const test::Folder folder("bench-epoch");
  const std::string data = folder.path() / "data";
  write_data(data, samples, constraints, options.scaling);
  const bool one = options.threads == 1;
  PyTorch torch(data, loss, one ? 1 : static_cast<int>(std::thread::hardware_concurrency()));
  const std::int64_t warm = options.epochs >= 40 ? 3 : 1;  // the first warm up, and the first holds the preparation of the data
  std::vector<double> ours, theirs, ratio, clock_ratio;
  double score = 0.0;
  for (auto unused : state) {
    (void)unused;
    Times begin = now();
    train(samples, constraints, options, [&](const TrainingProgress& progress) {
      const Times end = now();
      score = progress.validation_loss;
      const Times other = torch.version().empty() ? Times() : torch.epoch();
      if (progress.epoch > warm) {
        ours.push_back(one ? end.processor - begin.processor : end.clock - begin.clock);
        theirs.push_back(one ? other.processor : other.clock);
        ratio.push_back(ours.back() / theirs.back());
        clock_ratio.push_back((end.clock - begin.clock) / other.clock);
      }
      begin = now();
    });
  }
  state.counters["milliseconds"] = 1e3 * median(ours);
  state.counters["validation_loss"] = score;
  if (torch.version().empty()) {
    state.SetLabel("no PyTorch here (LAVOISIER_PYTHON names a Python that has it); data: " + samples.source);
    return;
  }
  state.counters["pytorch_milliseconds"] = 1e3 * median(theirs);
  state.counters["pytorch_validation_loss"] = torch.score();
  state.counters[figure] = median(ratio);
  state.counters["ratio_by_the_clock"] = median(clock_ratio);
  state.SetLabel("PyTorch " + torch.version() + "; data: " + samples.source);
}

void cstr(benchmark::State& state, Strategy strategy, const char* loss, const char* figure) {
  const Case problem;
  TrainingOptions options;
  options.strategy = strategy;
  options.network.hidden = {32, 32};
  options.network.initialization = "torch";
  options.schedule = "constant";
  options.learning_rate = 1e-4;
  options.batch = 16;
  options.threads = 1;
  options.epochs = 40;
  compare(state, problem.samples, problem.constraints(), options, loss, figure);
}

void fashion(benchmark::State& state, Strategy strategy, const char* loss, const char* figure, int threads) {
  if (!std::filesystem::exists(bench::image_folder())) return state.SkipWithError("no images: install dataset-fashion-mnist");
  const bench::ImageProblem problem(bench::ImageLaws::brightness, bench::load_images("train", 11000), 10000, {RowMatrix(0, 784), {}, 0});
  TrainingOptions options;
  options.generator.name = "vae";
  options.generator.latents = {20};
  options.loss = Loss::likelihood;
  options.strategy = strategy;
  options.network.hidden = {400};
  options.network.initialization = "torch";
  options.network.floor = 0.02;
  options.scaling = "max_abs";
  options.schedule = "constant";
  options.learning_rate = 1e-3;
  // 0 would be what the run before left LibTorch with.
  options.threads = threads > 0 ? threads : static_cast<int>(std::max(1U, std::thread::hardware_concurrency()));
  options.epochs = 8;
  compare(state, problem.samples, problem.constraints(), options, loss, figure);
}
// A figure with a slash is printed under that name alone.
BENCHMARK_CAPTURE(cstr, conditional, Strategy::conditional, "conditional", "training/epoch_ratio_vs_pytorch")
    ->Iterations(1)->UseRealTime();
BENCHMARK_CAPTURE(cstr, none, Strategy::none, "none", "ratio")->Iterations(1)->UseRealTime();
BENCHMARK_CAPTURE(cstr, conditional_against_mean_squares, Strategy::conditional, "mse", "ratio")
    ->Iterations(1)->UseRealTime();
BENCHMARK_CAPTURE(fashion, conditional, Strategy::conditional, "vae_conditional", "training/vae_epoch_ratio_vs_pytorch", 1)
    ->Iterations(1)->UseRealTime();
BENCHMARK_CAPTURE(fashion, none, Strategy::none, "vae_none", "training/vae_epoch_ratio_vs_pytorch_without_laws", 1)
    ->Iterations(1)->UseRealTime();
BENCHMARK_CAPTURE(fashion, conditional_all_threads, Strategy::conditional, "vae_conditional", "ratio", 0)
    ->Iterations(1)->UseRealTime();
BENCHMARK_CAPTURE(fashion, none_all_threads, Strategy::none, "vae_none", "ratio", 0)->Iterations(1)->UseRealTime();

}  // namespace
}  // namespace lavoisier

BENCHMARK_MAIN();
