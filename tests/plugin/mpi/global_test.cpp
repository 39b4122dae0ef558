// global_test FOLDER FILE, by any number of ranks: a year's worth of nothing but a few steps, columns dealt to the
// ranks, global laws over all of them; rank 0 writes the fields of all columns to FILE, whose bytes must not depend on
// the number of ranks. The last of several ranks has no columns at all. Then failures that every rank must see.

#include <lavoisier/lavoisier_mpi.h>

#include <cmath>
#include <cstdio>
#include <cstring>
#include <string>
#include <vector>

extern "C" int fixture_write(const char* path, int levels);

namespace {

constexpr int levels = 5, columns = 203, outputs = levels + 1, rows = 2;
int rank = 0, size = 1, failures = 0;

void check(bool condition, const std::string& what) {
  if (condition) return;
  ++failures;
  std::fprintf(stderr, "rank %d: FAILED: %s (last message: %s)\n", rank, what.c_str(), lav_last_error());
}

double number(int c, int i) { return std::fmod(0.37 * c + 1.71 * i, 3.0) - 1.5; }

}  // namespace

int main(int argc, char** argv) {
  if (argc != 3) return 1;
  MPI_Init(&argc, &argv);
  MPI_Comm_rank(MPI_COMM_WORLD, &rank);
  MPI_Comm_size(MPI_COMM_WORLD, &size);
  lav_initialize_options start = LAV_INITIALIZE_OPTIONS_INIT;
  start.threads = 1;
  check(lav_initialize(&start) == LAV_OK, "lav_initialize");
  const std::string path = std::string(argv[1]) + "/global_test_model.safetensors";
  if (rank == 0) check(fixture_write(path.c_str(), levels) == 0, "the model is written");
  lav_model* model = nullptr;
  check(lav_mpi_model_load(MPI_COMM_WORLD, 0, path.c_str(), &model) == LAV_OK, "load");
  lav_mpi_reducer* reducer = nullptr;
  check(lav_mpi_reducer_create(MPI_COMM_WORLD, &reducer) == LAV_OK, "reducer");
  lav_global_options global_options = LAV_GLOBAL_OPTIONS_INIT;
  global_options.rows = rows;
  lav_global_laws* laws = nullptr;
  check(lav_global_laws_create(model, &global_options, &laws) == LAV_OK, "laws");
  lav_workspace_options options = LAV_WORKSPACE_OPTIONS_INIT;
  options.max_columns = 64;
  options.seed = 3;
  options.global_rows = rows;
  lav_workspace* workspace = nullptr;
  check(lav_workspace_create(model, &options, &workspace) == LAV_OK, "workspace");

  // Shares of different sizes; the last of several ranks has none.
  const int sharing = size > 1 ? size - 1 : 1;
  const auto begin_of = [&](int r) { return columns * r / sharing; };
  const int first = rank < sharing ? begin_of(rank) : columns;
  const int count = rank < sharing ? begin_of(rank + 1) - first : 0;
  std::vector<double> t, p, area, B;
  for (int c = first; c < first + count; ++c) {
    for (int l = 0; l < levels; ++l) t.push_back(number(c, l));
    p.push_back(number(c, levels));
    area.push_back(1.0 + 0.5 * std::fmod(0.61 * c, 1.0));
    for (int k = 0; k < rows; ++k)
      for (int i = 0; i < outputs; ++i) B.push_back(k == 0 ? (i == levels ? 1.0 : 0.0) : number(c + 7, i));
  }
  std::vector<double> heating(t.size()), flux(p.size());
  const auto run_chunks = [&](bool correct, std::uint64_t step) {
    lav_status status = LAV_OK;
    int chunk = 0;
    for (int from = 0; (from < count || (count == 0 && from == 0)) && status == LAV_OK; from += chunk) {
      chunk = count - from < 13 + 5 * rank ? count - from : 13 + 5 * rank;
      const auto at = static_cast<std::size_t>(from);
      const lav_input_field inputs[] = {{"t", "K", t.data() + at * levels, LAV_F64, LAV_HOST, chunk, levels, levels, 1},
                                        {"p", "Pa", p.data() + at, LAV_F64, LAV_HOST, chunk, 1, 1, 1}};
      const lav_output_field fields[] = {
          {"heating", "W m-2", heating.data() + at * levels, LAV_F64, LAV_HOST, chunk, levels, levels, 1},
          {"flux", "W m-2", flux.data() + at, LAV_F64, LAV_HOST, chunk, 1, 1, 1}};
      lav_run_arguments a = LAV_RUN_ARGUMENTS_INIT;
      a.global = laws;
      a.columns = chunk;
      a.step = step;
      a.first_column_id = static_cast<std::uint64_t>(first + from);
      if (count > 0) {  // a rank without columns gives no pointer at all
        a.inputs = inputs;
        a.outputs = fields;
        a.input_count = a.output_count = 2;
        a.global_coefficients = B.data() + at * rows * outputs;
        a.global_column_stride = rows * outputs;
        a.global_row_stride = outputs;
        a.global_weights = area.data() + at;
      }
      status = correct ? lav_correct(workspace, &a, nullptr) : lav_run(workspace, &a, nullptr);
      if (count == 0) break;
    }
    return status;
  };

  std::FILE* file = rank == 0 ? std::fopen(argv[2], "wb") : nullptr;
  std::vector<int> counts(static_cast<std::size_t>(size)), begins(static_cast<std::size_t>(size));
  for (int r = 0; r < size; ++r) {
    counts[static_cast<std::size_t>(r)] = r < sharing ? begin_of(r + 1) - begin_of(r) : 0;
    begins[static_cast<std::size_t>(r)] = r < sharing ? begin_of(r) : columns;
  }
  for (std::uint64_t step = 0; step < 4; ++step) {
    const double D[rows] = {0.0, 25.0 * static_cast<double>(step)};
    check(lav_global_laws_begin(laws, D) == LAV_OK, "begin");
    lav_status status = run_chunks(false, step);
    check(status == LAV_OK, "run");
    check(lav_global_laws_close(laws, status, lav_mpi_reduce, reducer) == LAV_OK, "close");
    status = run_chunks(true, step);
    check(status == LAV_OK, "correct");
    check(lav_global_laws_finish(laws, status, lav_mpi_reduce, reducer) == LAV_OK, "finish");
    double plain = 0.0;
    for (int c = 0; c < count; ++c) plain += area[static_cast<std::size_t>(c)] * flux[static_cast<std::size_t>(c)];
    MPI_Allreduce(MPI_IN_PLACE, &plain, 1, MPI_DOUBLE, MPI_SUM, MPI_COMM_WORLD);
    check(std::abs(plain) < 1e-9, "the host's own sum of the fluxes is " + std::to_string(plain));
    for (int k = 0; k < rows; ++k) {
      lav_global_closure closure = LAV_GLOBAL_CLOSURE_INIT;
      check(lav_global_laws_closure(laws, 0, k, &closure) == LAV_OK, "closure");
      check(closure.relative_after <= 1e-14 && closure.relative_before > 1e-6, "the global law closes");
      check(closure.columns == columns && closure.left_out == 0, "all columns take part");
      if (file) std::fwrite(&closure.multiplier, sizeof closure.multiplier, 1, file);
      if (file) std::fwrite(&closure.before, sizeof closure.before, 1, file);
    }
    std::vector<double> all(columns);
    MPI_Gatherv(flux.data(), count, MPI_DOUBLE, all.data(), counts.data(), begins.data(), MPI_DOUBLE, 0,
                MPI_COMM_WORLD);
    if (file) std::fwrite(all.data(), sizeof(double), all.size(), file);
    for (int l = 0; l < levels; ++l) {
      std::vector<double> level;
      for (int c = 0; c < count; ++c) level.push_back(heating[static_cast<std::size_t>(c * levels + l)]);
      MPI_Gatherv(level.data(), count, MPI_DOUBLE, all.data(), counts.data(), begins.data(), MPI_DOUBLE, 0,
                  MPI_COMM_WORLD);
      if (file) std::fwrite(all.data(), sizeof(double), all.size(), file);
    }
  }
  if (file) std::fclose(file);

  // One rank fails between the phases' beginning and the reduction: all fail, alike.
  const auto alike = [&](lav_status status, lav_status expected, const char* what) {
    check(status == expected, what);
    char text[2048] = "";
    std::strncpy(text, lav_last_error(), sizeof text - 1);
    MPI_Bcast(text, sizeof text, MPI_CHAR, 0, MPI_COMM_WORLD);
    check(std::strcmp(text, lav_last_error()) == 0, std::string(what) + ": the messages differ");
  };
  check(lav_global_laws_begin(laws, nullptr) == LAV_OK, "begin");
  const auto before = flux;
  alike(lav_global_laws_close(laws, rank == size - 1 ? LAV_IO_ERROR : LAV_OK, lav_mpi_reduce, reducer), LAV_IO_ERROR,
        "a rank that failed");
  check(run_chunks(true, 0) == LAV_INVALID_ARGUMENT, "nothing can be corrected");
  // Laws that contradict each other: on every rank, too.
  for (std::size_t i = 0; i < B.size(); ++i)
    if (i / outputs % rows == 1) B[i] = 2.0 * B[i - outputs];
  check(lav_global_laws_begin(laws, nullptr) == LAV_OK, "begin");
  check(run_chunks(false, 0) == LAV_OK, "run");
  alike(lav_global_laws_close(laws, LAV_OK, lav_mpi_reduce, reducer), LAV_RANK_DEFICIENT,
        "rows that repeat each other");

  lav_global_laws_destroy(laws);
  lav_global_laws_destroy(nullptr);
  lav_workspace_destroy(workspace);
  lav_model_destroy(model);
  lav_mpi_reducer_destroy(reducer);
  check(lav_finalize() == LAV_OK, "lav_finalize");
  MPI_Allreduce(MPI_IN_PLACE, &failures, 1, MPI_INT, MPI_SUM, MPI_COMM_WORLD);
  MPI_Finalize();
  return failures == 0 ? 0 : 1;
}
