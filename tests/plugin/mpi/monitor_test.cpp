// monitor_test FOLDER FILE, by any number of ranks: an emulator beside the host's own scheme, columns dealt to the
// ranks; rank 0 has the log FILE, whose bytes must not depend on the number of ranks. The last of several ranks has no
// columns at all. Then failures that every rank must see.

#include <lavoisier/lavoisier_mpi.h>

#include <sys/resource.h>

#include <cmath>
#include <csignal>
#include <cstdio>
#include <cstring>
#include <string>
#include <vector>

extern "C" int fixture_write(const char* path, int levels);

namespace {

constexpr int levels = 5, columns = 203;
int rank = 0, size = 1, failures = 0;

void check(bool condition, const std::string& what) {
  if (condition) return;
  ++failures;
  std::fprintf(stderr, "rank %d: FAILED: %s (last message: %s)\n", rank, what.c_str(), lav_last_error());
}

double number(int c, int i) { return std::fmod(0.37 * c + 1.71 * i, 3.0) - 1.5; }

/// A number of the report, the same on every rank.
void same(double value, const char* what) {
  double first = value;
  MPI_Bcast(&first, 1, MPI_DOUBLE, 0, MPI_COMM_WORLD);
  check(std::memcmp(&first, &value, sizeof value) == 0, std::string(what) + " differs between ranks");
}

}  // namespace

int main(int argc, char** argv) {
  if (argc != 3) return 1;
  MPI_Init(&argc, &argv);
  MPI_Comm_rank(MPI_COMM_WORLD, &rank);
  MPI_Comm_size(MPI_COMM_WORLD, &size);
  lav_initialize_options start = LAV_INITIALIZE_OPTIONS_INIT;
  start.threads = 1;
  check(lav_initialize(&start) == LAV_OK, "lav_initialize");
  const std::string path = std::string(argv[1]) + "/monitor_test_model.safetensors";
  if (rank == 0) check(fixture_write(path.c_str(), levels) == 0, "the model is written");
  lav_model* model = nullptr;
  check(lav_mpi_model_load(MPI_COMM_WORLD, 0, path.c_str(), &model) == LAV_OK, "load");
  lav_mpi_reducer* reducer = nullptr;
  check(lav_mpi_reducer_create(MPI_COMM_WORLD, &reducer) == LAV_OK, "reducer");
  lav_workspace_options options = LAV_WORKSPACE_OPTIONS_INIT;
  options.max_columns = 64;
  options.seed = 3;
  lav_workspace* workspace = nullptr;
  check(lav_workspace_create(model, &options, &workspace) == LAV_OK, "workspace");
  lav_monitor_options watch = LAV_MONITOR_OPTIONS_INIT;
  watch.stop = 1;
  watch.log = rank == 0 ? argv[2] : nullptr;
  lav_monitor* monitor = nullptr;
  check(lav_monitor_create(model, &watch, &monitor) == LAV_OK, "monitor");

  // Shares of different sizes; the last of several ranks has none.
  const int sharing = size > 1 ? size - 1 : 1;
  const int first = rank < sharing ? columns * rank / sharing : columns;
  const int count = rank < sharing ? columns * (rank + 1) / sharing - first : 0;
  std::vector<double> t, p;
  for (int c = first; c < first + count; ++c) {
    for (int l = 0; l < levels; ++l) t.push_back(c == 77 && l == 2 ? std::nan("") : number(c, l));
    p.push_back(number(c, levels));
  }
  std::vector<double> heating(t.size()), flux(p.size()), own_heating(t.size()), own_flux(p.size());
  std::vector<lav_status> status(p.size());
  int broken = -1;  // a column whose law is broken behind the emulator's back
  const auto step = [&](std::uint64_t number_of_step) {
    lav_status found = LAV_OK;
    int chunk = 0;
    for (int from = 0; from < count && found == LAV_OK; from += chunk) {
      chunk = count - from < 13 + 5 * rank ? count - from : 13 + 5 * rank;
      const auto at = static_cast<std::size_t>(from);
      const lav_input_field inputs[] = {{"t", "K", t.data() + at * levels, LAV_F64, LAV_HOST, chunk, levels, levels, 1},
                                        {"p", "Pa", p.data() + at, LAV_F64, LAV_HOST, chunk, 1, 1, 1}};
      const lav_output_field outputs[] = {
          {"heating", "W m-2", heating.data() + at * levels, LAV_F64, LAV_HOST, chunk, levels, levels, 1},
          {"flux", "W m-2", flux.data() + at, LAV_F64, LAV_HOST, chunk, 1, 1, 1}};
      const lav_output_field own[] = {
          {"heating", "W m-2", own_heating.data() + at * levels, LAV_F64, LAV_HOST, chunk, levels, levels, 1},
          {"flux", "W m-2", own_flux.data() + at, LAV_F64, LAV_HOST, chunk, 1, 1, 1}};
      lav_run_arguments a = LAV_RUN_ARGUMENTS_INIT;
      a.columns = chunk;
      a.step = number_of_step;
      a.first_column_id = static_cast<std::uint64_t>(first + from);
      a.inputs = inputs;
      a.outputs = outputs;
      a.input_count = a.output_count = 2;
      a.status = status.data() + at;
      found = lav_run(workspace, &a, nullptr);
      for (int c = from; c < from + chunk; ++c) {
        const auto i = static_cast<std::size_t>(c);
        for (std::size_t l = i * levels; l < (i + 1) * levels; ++l)
          own_heating[l] = heating[l] + 0.01 * number(first + c, 9);
        own_flux[i] = flux[i] + number(first + c, 11);
        if (first + c == broken) flux[i] += 1.0;
      }
      if (found == LAV_OK) found = lav_monitor_add(monitor, &a, own, 2, nullptr);
    }
    if (count == 0) {  // a rank without columns gives no pointer, or calls nothing
      const lav_run_arguments none = LAV_RUN_ARGUMENTS_INIT;
      if (number_of_step % 2 == 0) found = lav_monitor_add(monitor, &none, nullptr, 0, nullptr);
    }
    return found;
  };
  const auto ended = [&](std::uint64_t number_of_step, lav_status mine, lav_status expected, const char* what) {
    const lav_status found = lav_monitor_end_step(monitor, number_of_step, mine, lav_mpi_reduce, reducer);
    check(found == expected, std::string(what) + ": status " + lav_status_name(found));
    same(static_cast<double>(found), what);
    lav_monitor_report report = LAV_MONITOR_REPORT_INIT;
    check(lav_monitor_last_report(monitor, &report) == LAV_OK, "report");
    same(static_cast<double>(report.columns), what);
    same(static_cast<double>(report.left_out), what);
    same(report.violated, what);
    return std::string(report.message);
  };

  for (std::uint64_t n = 0; n < 40; ++n) {
    broken = n == 30 ? 150 : -1;
    check(step(n) == LAV_OK, "a step");
    const std::string message = ended(n, LAV_OK, n == 30 ? LAV_LAW_VIOLATED : LAV_OK, "a step's end");
    if (n == 30) check(message.find("(id 150)") != std::string::npos, "the violation's column: " + message);
    lav_monitor_closure closure = LAV_MONITOR_CLOSURE_INIT;
    for (const int original : {0, 1}) {
      check(lav_monitor_law_closure(monitor, 0, original, &closure) == LAV_OK, "closure");
      check(closure.columns == columns - 1 && closure.worst_column >= 0, "all columns but one have a result");
      for (const double x :
           {closure.max_absolute, closure.rms, closure.max_relative, static_cast<double>(closure.worst_id)})
        same(x, "a closure");
    }
    lav_monitor_skill skill = LAV_MONITOR_SKILL_INIT;
    check(lav_monitor_variable_skill(monitor, 0, &skill) == LAV_OK, "skill");
    for (const double x : {skill.bias, skill.rmse, skill.mean_absolute_error, skill.correlation, skill.r_squared})
      same(x, "a skill");
  }
  lav_monitor_destroy(monitor);

  // One rank fails before the step ends: so do all, alike; and then they go on.
  broken = -1;
  const std::string other = std::string(argv[2]) + ".failures";
  watch.log = rank == size - 1 ? other.c_str() : nullptr;
  if (rank == size - 1) std::remove(other.c_str());
  check(lav_monitor_create(model, &watch, &monitor) == LAV_OK, "another monitor");
  check(step(0) == LAV_OK, "a step");
  const std::string failed = ended(0, rank == size - 1 ? LAV_IO_ERROR : LAV_OK, LAV_IO_ERROR, "a rank that failed");
  check(failed.find("1 of the ranks failed before (io_error)") != std::string::npos, failed);
  check(step(1) == LAV_OK, "a step");
  ended(1, LAV_OK, LAV_OK, "the step behind it");
  // The disk of the rank that has the log is full.
  rlimit before{};
  check(getrlimit(RLIMIT_FSIZE, &before) == 0, "getrlimit");
  const auto handler = std::signal(SIGXFSZ, SIG_IGN);
  rlimit small = before;
  small.rlim_cur = 1;
  check(step(2) == LAV_OK, "a step");
  if (rank == size - 1) check(setrlimit(RLIMIT_FSIZE, &small) == 0, "setrlimit");
  const std::string full = ended(2, LAV_OK, LAV_NO_SPACE, "a full disk");
  check(setrlimit(RLIMIT_FSIZE, &before) == 0, "setrlimit");
  std::signal(SIGXFSZ, handler);
  check(full.find(rank == size - 1 ? "cannot write it" : "the log of 1 of the ranks") != std::string::npos, full);
  // Two ranks with the same ids.
  if (sharing > 1) {
    if (count > 0) {
      lav_run_arguments a = LAV_RUN_ARGUMENTS_INIT;
      const lav_input_field inputs[] = {{"t", "K", t.data(), LAV_F64, LAV_HOST, 1, levels, levels, 1},
                                        {"p", "Pa", p.data(), LAV_F64, LAV_HOST, 1, 1, 1, 1}};
      const lav_output_field outputs[] = {{"heating", "W m-2", heating.data(), LAV_F64, LAV_HOST, 1, levels, levels, 1},
                                          {"flux", "W m-2", flux.data(), LAV_F64, LAV_HOST, 1, 1, 1, 1}};
      for (int l = 0; l < levels; ++l) heating[static_cast<std::size_t>(l)] = l;  // the same residual everywhere
      flux[0] = 3.0;
      a.columns = 1;
      a.inputs = inputs;
      a.outputs = outputs;
      a.input_count = a.output_count = 2;
      check(lav_monitor_add(monitor, &a, nullptr, 0, nullptr) == LAV_OK, "a column");
    }
    const std::string twice = ended(3, LAV_OK, LAV_INVALID_ARGUMENT, "ids of two ranks");
    check(twice.find("column id 0 is given by") != std::string::npos, twice);
  }

  lav_monitor_destroy(monitor);
  lav_workspace_destroy(workspace);
  lav_model_destroy(model);
  lav_mpi_reducer_destroy(reducer);
  check(lav_finalize() == LAV_OK, "lav_finalize");
  MPI_Allreduce(MPI_IN_PLACE, &failures, 1, MPI_INT, MPI_SUM, MPI_COMM_WORLD);
  MPI_Finalize();
  return failures == 0 ? 0 : 1;
}
