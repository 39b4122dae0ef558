// The exchange of gradients between two processes that train together (OrderedSum: bits that don't depend on how many
// they are) against a plain MPI_Allreduce of the same vector, in turns; medians of what the slower process takes. The
// program starts itself by mpirun. figures: training/mpi_ordered_sum_ratio_1e5 and _1e7.

#include "ordered_sum.hpp"

#include <lavoisier/mpi_training_communicator.hpp>

#include <benchmark/benchmark.h>

#define OMPI_SKIP_MPICXX 1
#include <mpi.h>

#include <algorithm>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <string>
#include <vector>

#include <sys/wait.h>

namespace {

double median(std::vector<double> values) {
  std::nth_element(values.begin(), values.begin() + static_cast<std::ptrdiff_t>(values.size() / 2), values.end());
  return values[values.size() / 2];
}

/// Seconds of `work`, which all begin together: the slowest's.
template <class Work>
double seconds(Work&& work) {
  MPI_Barrier(MPI_COMM_WORLD);
  const double start = MPI_Wtime();
  work();
  double taken = MPI_Wtime() - start;
  MPI_Allreduce(MPI_IN_PLACE, &taken, 1, MPI_DOUBLE, MPI_MAX, MPI_COMM_WORLD);
  return taken;
}

int measure() {
  const auto processes = lavoisier::make_mpi_training_communicator();
  for (const int length : {100000, 10000000}) {
    const auto size = static_cast<std::size_t>(length);
    std::vector<float> part(size, 1.0F / static_cast<float>(3 + processes->rank())), sum(size), plain(part);
    lavoisier::detail::OrderedSum ordered(length, 8, processes.get());
    ordered.add_own([&](int) -> lavoisier::detail::OrderedSum::Part { return {part, 0.125}; });
    std::vector<double> ours, theirs;
    const int rounds = length > 1000000 ? 11 : 201;
    for (int round = 0; round < rounds; ++round) {
      ours.push_back(seconds([&] { ordered.finish(sum); }));
      std::copy(part.begin(), part.end(), plain.begin());
      theirs.push_back(
          seconds([&] { MPI_Allreduce(MPI_IN_PLACE, plain.data(), length, MPI_FLOAT, MPI_SUM, MPI_COMM_WORLD); }));
    }
    if (processes->rank() == 0) std::printf("%d %.9g %.9g\n", length, median(ours), median(theirs));
  }
  return 0;
}

std::string program;

void exchange(benchmark::State& state) {
  const std::string line = "OMPI_ALLOW_RUN_AS_ROOT=1 OMPI_ALLOW_RUN_AS_ROOT_CONFIRM=1 '" LAVOISIER_MPIRUN
                           "' --oversubscribe -n 2 '" +
                           program + "' --measure </dev/null";
  for ([[maybe_unused]] auto once : state) {
    std::FILE* out = popen(line.c_str(), "r");
    if (!out) {
      state.SkipWithError("mpirun can't be started");
      return;
    }
    int length = 0, lines = 0;
    double ours = 0.0, plain = 0.0;
    while (std::fscanf(out, "%d %lf %lf", &length, &ours, &plain) == 3) {
      const std::string at = length == 100000 ? "1e5" : "1e7";
      state.counters["training/mpi_ordered_sum_ratio_" + at] = ours / plain;
      state.counters["training/mpi_ordered_sum_ms_" + at] = 1e3 * ours;
      ++lines;
    }
    if (pclose(out) != 0 || lines != 2) state.SkipWithError("the processes failed");
  }
}
BENCHMARK(exchange)->Iterations(1)->Unit(benchmark::kSecond);

}  // namespace

int main(int count, char** words) {
  if (count == 2 && std::strcmp(words[1], "--measure") == 0) return measure();
  program = words[0];
  benchmark::Initialize(&count, words);
  benchmark::RunSpecifiedBenchmarks();
  benchmark::Shutdown();
  return 0;
}
