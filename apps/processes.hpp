#ifndef LAVOISIER_APPS_PROCESSES_HPP
#define LAVOISIER_APPS_PROCESSES_HPP

// Several processes of one command (mpirun -n 4 lavoisier train ...). A command that nobody started so never touches
// MPI.

#include <lavoisier/training_communicator.hpp>

namespace lavoisier::cli {

/// Whether mpirun or its like started this process: by the environment alone.
bool started_by_mpi();
/// One of several such processes, and not the first: what all of them would say is the first's to print.
bool is_further_process();

/// The processes that share this command; null where started_by_mpi() is false. Starts MPI at the first call.
/// Error(unsupported) where there are several and this build has no MPI.
TrainingCommunicator* training_processes();
/// Before main returns: waits for the others and ends MPI, where training_processes() started it.
void leave_processes();
/// After a failure of which the others do not know: ends all of them, where there are others.
void end_other_processes(int code);

}  // namespace lavoisier::cli

#endif
