#ifndef LAVOISIER_MPI_TRAINING_COMMUNICATOR_HPP
#define LAVOISIER_MPI_TRAINING_COMMUNICATOR_HPP

// No MPI here: callers need not have it on their include path.

#include <lavoisier/training_communicator.hpp>

#include <memory>

namespace lavoisier {

/// The processes of MPI_COMM_WORLD (a duplicate of it). Starts MPI unless somebody has; then the destructor, which is
/// collective, ends it. Counts of a message are 32-bit. Errors: internal, with MPI's words.
std::unique_ptr<TrainingCommunicator> make_mpi_training_communicator();

/// Ends all processes at once with this exit code: for a failure of one that the others do not know of.
[[noreturn]] void abort_mpi(int code) noexcept;

}  // namespace lavoisier

#endif
