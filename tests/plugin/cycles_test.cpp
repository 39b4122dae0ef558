// cycles CREATIONS RUNS: through the C interface, models and workspaces made, run and destroyed again and again, then
// one workspace run again and again. The heap must not grow. `--leak` forgets every thousandth workspace, to be found.

#include <lavoisier/lavoisier.h>
#include <model_builder.hpp>

#include <malloc.h>

#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <vector>

namespace {

std::vector<char> bytes;
double input[11], output[6];

bool failed(lav_status status, const char* what) {
  if (status != LAV_OK) std::fprintf(stderr, "%s: %s\n", what, lav_last_error());
  return status != LAV_OK;
}

bool run(const lav_model* model, lav_workspace* workspace, long step) {
  lav_input_field inputs[11];
  lav_output_field outputs[6];
  for (std::size_t v = 0; v < 11; ++v) {
    lav_variable_info info = LAV_VARIABLE_INFO_INIT;
    if (failed(lav_model_input(model, v, &info), "lav_model_input")) return false;
    inputs[v] = {info.name, info.units, input + v, LAV_F64, LAV_HOST, 1, 1, 1, 1};
  }
  for (std::size_t v = 0; v < 6; ++v) {
    lav_variable_info info = LAV_VARIABLE_INFO_INIT;
    if (failed(lav_model_output(model, v, &info), "lav_model_output")) return false;
    outputs[v] = {info.name, info.units, output + v, LAV_F64, LAV_HOST, 1, 1, 1, 1};
  }
  lav_run_arguments arguments = LAV_RUN_ARGUMENTS_INIT;
  arguments.inputs = inputs;
  arguments.outputs = outputs;
  arguments.input_count = 11;
  arguments.output_count = 6;
  arguments.columns = 1;
  arguments.step = static_cast<std::uint64_t>(step);
  lav_run_report report = LAV_RUN_REPORT_INIT;
  return !failed(lav_run(workspace, &arguments, &report), "lav_run") && report.columns == 1;
}

bool cycle(long number, bool forget) {
  lav_model* model = nullptr;
  lav_workspace* workspace = nullptr;
  lav_workspace_options options = LAV_WORKSPACE_OPTIONS_INIT;
  options.max_columns = 16;
  options.backend = number % 2 == 0 ? LAV_SERIAL : LAV_AUTOMATIC;
  if (failed(lav_model_parse(bytes.data(), bytes.size(), "memory", &model), "lav_model_parse") ||
      failed(lav_workspace_create(model, &options, &workspace), "lav_workspace_create") ||
      !run(model, workspace, number))
    return false;
  // Failures must not leave anything behind either.
  lav_model* none = nullptr;
  if (lav_model_parse(bytes.data(), bytes.size() / 2, "half of it", &none) == LAV_OK || none != nullptr) return false;
  if (!(forget && number % 1000 == 0)) lav_workspace_destroy(workspace);
  lav_model_destroy(model);
  return true;
}

long heap() {
  const auto info = mallinfo2();
  return static_cast<long>(info.uordblks + info.hblkhd);
}

}  // namespace

int main(int argc, char** argv) {
  const bool forget = argc > 3 && std::strcmp(argv[3], "--leak") == 0;
  if (argc < 3) return 1;
  const long creations = std::atol(argv[1]), runs = std::atol(argv[2]);
  const auto made = lavoisier::tests::ModelBuilder::ocean().build().serialize();
  bytes.resize(made.size());
  std::memcpy(bytes.data(), made.data(), made.size());
  lav_initialize_options start = LAV_INITIALIZE_OPTIONS_INIT;
  start.threads = 1;
  if (failed(lav_initialize(&start), "lav_initialize")) return 2;
  for (long i = 1; i <= 200; ++i)
    if (!cycle(i, false)) return 2;
  const long before = heap();
  for (long i = 1; i <= creations; ++i)
    if (!cycle(i, forget)) return 2;
  const long after_cycles = heap() - before;
  std::printf("%ld cycles: %ld bytes more on the heap\n", creations, after_cycles);
  lav_model* model = nullptr;
  lav_workspace* workspace = nullptr;
  if (failed(lav_model_parse(bytes.data(), bytes.size(), "memory", &model), "lav_model_parse") ||
      failed(lav_workspace_create(model, nullptr, &workspace), "lav_workspace_create") || !run(model, workspace, 0))
    return 2;
  const long before_runs = heap();
  for (long i = 1; i <= runs; ++i)
    if (!run(model, workspace, i)) return 2;
  const long after_runs = heap() - before_runs;
  std::printf("%ld runs: %ld bytes more on the heap\n", runs, after_runs);
  lav_workspace_destroy(workspace);
  lav_model_destroy(model);
  if (failed(lav_finalize(), "lav_finalize")) return 2;
  return after_cycles <= 4096 && after_runs == 0 ? 0 : 3;
}
