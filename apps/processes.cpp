#include "processes.hpp"

#ifdef LAVOISIER_WITH_MPI
#include <lavoisier/mpi_training_communicator.hpp>
#endif

#include <cstdlib>
#include <initializer_list>
#include <memory>
#include <string>

namespace lavoisier::cli {
namespace {

const char* first_of(std::initializer_list<const char*> names) {
  for (const char* name : names)
    if (const char* value = std::getenv(name)) return value;
  return nullptr;
}

// Open MPI, then what process managers tell (MPICH and its kin, PMIx).
const char* world_size() { return first_of({"OMPI_COMM_WORLD_SIZE", "MV2_COMM_WORLD_SIZE", "PMI_SIZE"}); }
const char* world_rank() { return first_of({"OMPI_COMM_WORLD_RANK", "MV2_COMM_WORLD_RANK", "PMI_RANK", "PMIX_RANK"}); }

std::unique_ptr<TrainingCommunicator>& processes() {
  static std::unique_ptr<TrainingCommunicator> communicator;
  return communicator;
}

}  // namespace

bool started_by_mpi() { return world_size() != nullptr || world_rank() != nullptr; }

bool is_further_process() {
  const char* rank = world_rank();
  return rank != nullptr && std::string(rank) != "0";
}

TrainingCommunicator* training_processes() {
  if (!started_by_mpi()) return nullptr;
#ifdef LAVOISIER_WITH_MPI
  if (!processes()) processes() = make_mpi_training_communicator();
  return processes().get();
#else
  const char* size = world_size();
  if (size != nullptr && std::string(size) == "1") return nullptr;
  throw Error(Status::unsupported, std::string("started as one of ") + (size ? size : "several") +
                                       " processes, but this lavoisier was built without MPI: start it without mpirun");
#endif
}

void leave_processes() { processes().reset(); }

void end_other_processes([[maybe_unused]] int code) {
#ifdef LAVOISIER_WITH_MPI
  if (processes() && processes()->size() > 1) abort_mpi(code);
#endif
}

}  // namespace lavoisier::cli
