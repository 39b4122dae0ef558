// unload LIBRARY MODEL: a host that is not linked with the library opens it, runs a model and closes it. What belongs to
// the host is afterwards as it was: floating-point mode, signal handlers, environment, threads.

#include <lavoisier/lavoisier.h>

#include <dlfcn.h>
#include <omp.h>
#include <signal.h>
#include <unistd.h>

#include <cfenv>
#include <cstdint>
#include <cstdio>
#include <cstring>
#include <string>
#include <vector>

#if defined(__x86_64__)
#include <immintrin.h>
#endif

extern char** environ;

namespace {

int failures = 0;

void check(bool good, const std::string& what) {
  if (good) return;
  std::printf("FAILED: %s\n", what.c_str());
  ++failures;
}

struct State {
  unsigned mode = 0;
  int rounding = 0, threads = 0, dynamic = 0, levels = 0;
  std::vector<struct sigaction> handlers;
  std::vector<std::string> environment;
  std::string folder;

  State() {
#if defined(__x86_64__)
    mode = _mm_getcsr();
#endif
    rounding = std::fegetround();
    threads = omp_get_max_threads();
    dynamic = omp_get_dynamic();
    levels = omp_get_max_active_levels();
    for (int number = 1; number < 65; ++number) {
      struct sigaction action;
      std::memset(&action, 0, sizeof action);
      sigaction(number, nullptr, &action);
      handlers.push_back(action);
    }
    for (char** entry = environ; *entry != nullptr; ++entry) environment.emplace_back(*entry);
    std::vector<char> path(4096);
    if (getcwd(path.data(), path.size()) != nullptr) folder = path.data();
  }

  void compare(const State& other, const std::string& when) const {
    // The low six bits are flags of what was computed, not a mode.
    check((mode & ~0x3fu) == (other.mode & ~0x3fu), "the floating-point mode (MXCSR) " + when);
    check(rounding == other.rounding, "the rounding mode " + when);
    check(threads == other.threads && dynamic == other.dynamic && levels == other.levels, "OpenMP's settings " + when);
    check(environment == other.environment, "the environment " + when);
    check(folder == other.folder, "the working folder " + when);
    for (std::size_t i = 0; i < handlers.size(); ++i)
      check(handlers[i].sa_handler == other.handlers[i].sa_handler && handlers[i].sa_flags == other.handlers[i].sa_flags,
            "the handler of signal " + std::to_string(i + 1) + " " + when);
  }
};

void on_signal(int) {}

template <class Function>
Function* symbol(void* library, const char* name) {
  void* found = dlsym(library, name);
  if (found == nullptr) std::printf("no %s: %s\n", name, dlerror());
  return reinterpret_cast<Function*>(found);
}

}  // namespace

int main(int count, char** words) {
  if (count != 3) return 1;
  // A host of its own kind: rounds downwards, flushes denormals, has handlers.
  std::fesetround(FE_DOWNWARD);
#if defined(__x86_64__)
  _mm_setcsr(_mm_getcsr() | 0x8040u);
#endif
  for (const int number : {SIGSEGV, SIGFPE, SIGTERM, SIGUSR1}) signal(number, on_signal);
  omp_set_num_threads(3);
  const State before;

  void* library = dlopen(words[1], RTLD_NOW | RTLD_LOCAL);
  if (library == nullptr) {
    std::printf("%s\n", dlerror());
    return 1;
  }
  before.compare(State(), "after loading");
  const auto start = symbol<decltype(lav_initialize)>(library, "lav_initialize");
  const auto stop = symbol<decltype(lav_finalize)>(library, "lav_finalize");
  const auto load = symbol<decltype(lav_model_load)>(library, "lav_model_load");
  const auto drop_model = symbol<decltype(lav_model_destroy)>(library, "lav_model_destroy");
  const auto create = symbol<decltype(lav_workspace_create)>(library, "lav_workspace_create");
  const auto drop = symbol<decltype(lav_workspace_destroy)>(library, "lav_workspace_destroy");
  const auto run = symbol<decltype(lav_run)>(library, "lav_run");
  const auto last_error = symbol<decltype(lav_last_error)>(library, "lav_last_error");
  if (start == nullptr || stop == nullptr || load == nullptr || drop_model == nullptr || create == nullptr ||
      drop == nullptr || run == nullptr || last_error == nullptr)
    return 1;
  const auto good = [&](lav_status status, const char* what) {
    check(status == LAV_OK, std::string(what) + ": " + last_error());
  };
  lav_initialize_options options = LAV_INITIALIZE_OPTIONS_INIT;
  options.threads = 2;
  good(start(&options), "lav_initialize");
  before.compare(State(), "after lav_initialize");
  lav_model* model = nullptr;
  lav_workspace* workspace = nullptr;
  good(load(words[2], &model), "lav_model_load");
  good(create(model, nullptr, &workspace), "lav_workspace_create");

  constexpr std::int64_t columns = 100, levels = 10;
  std::vector<double> t(columns * levels, 280.0), equilibrium(columns * levels, 275.0), surface(columns, 285.0);
  std::vector<double> heating(columns * levels), sensible(columns), radiation(columns);
  const lav_input_field inputs[] = {
      {"t", "K", t.data(), LAV_F64, LAV_HOST, columns, levels, levels, 1},
      {"t_equilibrium", "K", equilibrium.data(), LAV_F64, LAV_HOST, columns, levels, levels, 1},
      {"t_surface", "K", surface.data(), LAV_F64, LAV_HOST, columns, 1, 1, 1}};
  const lav_output_field outputs[] = {
      {"heating", "W m-2", heating.data(), LAV_F64, LAV_HOST, columns, levels, levels, 1},
      {"sensible", "W m-2", sensible.data(), LAV_F64, LAV_HOST, columns, 1, 1, 1},
      {"radiation", "W m-2", radiation.data(), LAV_F64, LAV_HOST, columns, 1, 1, 1}};
  lav_run_arguments arguments = LAV_RUN_ARGUMENTS_INIT;
  arguments.inputs = inputs;
  arguments.input_count = 3;
  arguments.outputs = outputs;
  arguments.output_count = 3;
  arguments.columns = columns;
  lav_run_report report = LAV_RUN_REPORT_INIT;
  good(run(workspace, &arguments, &report), "lav_run");
  check(report.columns == columns, "every column has a result");
  check(sensible[7] != 0.0, "the fields were written");
  lav_model* none = nullptr;
  check(load("no such file", &none) == LAV_NOT_FOUND, "a missing file is a status");
  before.compare(State(), "after running");
  drop(workspace);
  drop_model(model);
  good(stop(), "lav_finalize");
  before.compare(State(), "after lav_finalize");
  check(dlclose(library) == 0, "dlclose");
  before.compare(State(), "after dlclose");
  std::fesetround(FE_TONEAREST);
  int sum = 0;
#pragma omp parallel for reduction(+ : sum)
  for (int i = 0; i < 1000; ++i) sum += i;
  check(sum == 499500, "the host's own parallel regions go on");
  if (failures == 0) std::printf("ok\n");
  return failures;
}
