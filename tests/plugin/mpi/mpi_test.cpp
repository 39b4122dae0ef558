// mpi_test FOLDER, by any number of ranks: reading and broadcasting a model, failing together, the reduction. Exits
// non-zero where a check fails; a rank that waits for ever is seen by the test's time limit.

#include <lavoisier/lavoisier_mpi.h>

#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <fstream>
#include <string>
#include <vector>

extern "C" int fixture_write(const char* path, int levels);

namespace {

int rank = 0, size = 1, failures = 0;
bool damage = false;  ///< of what the last rank receives

void check(bool condition, const std::string& what) {
  if (condition) return;
  ++failures;
  std::fprintf(stderr, "rank %d: FAILED: %s (last message: %s)\n", rank, what.c_str(), lav_last_error());
}

/// Is the text the same on every rank?
bool everywhere(const std::string& text) {
  std::vector<char> first(4096, '\0');
  std::strncpy(first.data(), text.c_str(), first.size() - 1);
  PMPI_Bcast(first.data(), static_cast<int>(first.size()), MPI_CHAR, 0, MPI_COMM_WORLD);
  int same = text == first.data();
  MPI_Allreduce(MPI_IN_PLACE, &same, 1, MPI_INT, MPI_MIN, MPI_COMM_WORLD);
  return same != 0;
}

/// A failure, the same on every rank.
void expect(lav_status status, lav_status expected, const std::string& part, const std::string& what) {
  check(status == expected, what + ": status " + lav_status_name(status));
  check(std::string(lav_last_error()).find(part) != std::string::npos, what + ": message without " + part);
  check(everywhere(lav_last_error()), what + ": messages differ between ranks");
}

void stop(MPI_Comm*, int*, ...) { std::abort(); }

}  // namespace

// The host's MPI: what a broadcast of many bytes brings to the last rank is changed in one bit.
extern "C" int MPI_Bcast(void* buffer, int count, MPI_Datatype type, int root, MPI_Comm comm) {
  const int code = PMPI_Bcast(buffer, count, type, root, comm);
  if (damage && rank == size - 1 && count > 3000) static_cast<char*>(buffer)[count - 100] ^= 1;
  return code;
}

int main(int argc, char** argv) {
  if (argc != 2) return 1;
  const std::string folder = argv[1], path = folder + "/mpi_test_model.safetensors";
  lav_model* model = nullptr;
  check(lav_mpi_model_load(MPI_COMM_WORLD, 0, path.c_str(), &model) == LAV_NOT_INITIALIZED, "before MPI_Init");
  MPI_Init(&argc, &argv);
  MPI_Comm_rank(MPI_COMM_WORLD, &rank);
  MPI_Comm_size(MPI_COMM_WORLD, &size);
  lav_initialize_options start = LAV_INITIALIZE_OPTIONS_INIT;
  start.threads = 1;
  check(lav_initialize(&start) == LAV_OK, "lav_initialize");

  // The host's own handler, and its communicator: stay what they are.
  MPI_Comm host = MPI_COMM_NULL;
  MPI_Comm_dup(MPI_COMM_WORLD, &host);
  MPI_Errhandler own = MPI_ERRHANDLER_NULL, found = MPI_ERRHANDLER_NULL;
  MPI_Comm_create_errhandler(stop, &own);
  MPI_Comm_set_errhandler(host, own);

  const int root = size - 1;
  int written = rank == root ? fixture_write(path.c_str(), 5) : 0;
  check(written == 0, "the model is written");
  check(lav_mpi_model_load(host, root, rank == root ? path.c_str() : nullptr, &model) == LAV_OK, "load");
  check(model != nullptr && std::strlen(lav_model_digest(model)) == 64, "digest");
  check(everywhere(lav_model_digest(model)), "the same model on every rank");
  lav_model* by_fortran = nullptr;
  check(lav_mpi_model_load_f(MPI_Comm_c2f(host), root, path.c_str(), &by_fortran) == LAV_OK, "load_f");
  lav_model_destroy(by_fortran);
  lav_model_destroy(model);

  model = reinterpret_cast<lav_model*>(&start);
  expect(lav_mpi_model_load(host, 0, "no such file.safetensors", &model), LAV_NOT_FOUND, "no such file.safetensors",
         "a missing file");
  check(model == nullptr, "no model is left");
  expect(lav_mpi_model_load(host, 0, nullptr, &model), LAV_INVALID_ARGUMENT, "rank 0: ", "no path");
  expect(lav_mpi_model_load(host, size, path.c_str(), &model), LAV_INVALID_ARGUMENT, "no rank of", "no such root");
  expect(lav_mpi_model_load(host, 0, path.c_str(), rank == size - 1 ? nullptr : &model), LAV_INVALID_ARGUMENT,
         "rank " + std::to_string(size - 1) + ": ", "no place for the model on the last rank");
  damage = true;
  expect(lav_mpi_model_load(host, 0, path.c_str(), &model), LAV_DIGEST_MISMATCH,
         "rank " + std::to_string(size - 1) + ": ", "one bit wrong on the last rank");
  damage = false;
  check(model == nullptr, "no rank keeps a model that another refused");
  expect(lav_mpi_model_load(host, 0, folder.c_str(), &model), LAV_IO_ERROR, folder, "a folder");

  // One rank's own failure.
  check(lav_mpi_agree(host, LAV_OK) == LAV_OK, "agree");
  const lav_status mine = rank == size - 1 ? lav_fail(LAV_NO_SPACE, "the disk of this rank is full") : LAV_OK;
  expect(lav_mpi_agree(host, mine), LAV_NO_SPACE, "the disk of this rank is full", "agree on a failure");

  lav_mpi_reducer* reducer = nullptr;
  check(lav_mpi_reducer_create(host, &reducer) == LAV_OK, "reducer");
  int64_t words[3] = {rank, int64_t{1} << 40, -1};
  check(lav_mpi_reduce(reducer, words, 3) == LAV_OK, "reduce");
  check(words[0] == size * (size - 1) / 2 && words[1] == size * (int64_t{1} << 40) && words[2] == -size, "sums");
  check(lav_mpi_reduce(nullptr, words, 3) == LAV_INVALID_ARGUMENT, "no reducer");
  lav_mpi_reducer_destroy(reducer);
  lav_mpi_reducer_destroy(nullptr);
  check(lav_mpi_reducer_create(MPI_COMM_NULL, &reducer) == LAV_INVALID_ARGUMENT && reducer == nullptr,
        "no communicator");

  MPI_Comm_get_errhandler(host, &found);
  check(found == own, "the communicator's error handler is the host's");
  MPI_Errhandler_free(&found);
  MPI_Comm_get_errhandler(MPI_COMM_WORLD, &found);
  check(found == MPI_ERRORS_ARE_FATAL, "and the world's as it was");
  MPI_Errhandler_free(&own);
  MPI_Comm_free(&host);
  check(lav_finalize() == LAV_OK, "lav_finalize");
  MPI_Allreduce(MPI_IN_PLACE, &failures, 1, MPI_INT, MPI_SUM, MPI_COMM_WORLD);
  MPI_Finalize();
  return failures == 0 ? 0 : 1;
}
