// A host with MPI, of one rank: a missing file is a status and a message.
#include <lavoisier/lavoisier_mpi.h>

#include <cstdio>
#include <cstring>

int main(int argc, char** argv) {
  MPI_Init(&argc, &argv);
  lav_initialize_options options = LAV_INITIALIZE_OPTIONS_INIT;
  if (lav_initialize(&options) != LAV_OK) return 1;
  lav_model* model = nullptr;
  const lav_status status = lav_mpi_model_load(MPI_COMM_WORLD, 0, "/nonexistent/model.safetensors", &model);
  std::printf("%s: %s\n", lav_status_name(status), lav_last_error());
  const bool refused = status == LAV_NOT_FOUND && model == nullptr && std::strstr(lav_last_error(), "/nonexistent");
  lav_finalize();
  MPI_Finalize();
  return refused ? 0 : 1;
}
