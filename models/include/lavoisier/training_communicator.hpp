#ifndef LAVOISIER_TRAINING_COMMUNICATOR_HPP
#define LAVOISIER_TRAINING_COMMUNICATOR_HPP

// What training asks of the processes that share it. No MPI here: lavoisier::models_mpi has the implementation that
// mpirun's processes use (mpi_training_communicator.hpp).

#include <lavoisier/status.hpp>

#include <cstddef>
#include <cstdint>
#include <functional>
#include <span>
#include <string>
#include <vector>

namespace lavoisier {

/// Processes that train together. Every call but rank() and size() is collective: all ranks make the same calls in the
/// same order. Errors: internal, where the transport fails.
class TrainingCommunicator {
 public:
  virtual ~TrainingCommunicator() = default;
  virtual int rank() const noexcept = 0;  ///< 0 to size() - 1; rank 0 writes files and speaks to the user
  virtual int size() const noexcept = 0;
  /// Blocks of the same size from all ranks, in the order of ranks: all.size() is size() * own.size().
  virtual void gather(std::span<const std::byte> own, std::span<std::byte> all) = 0;
  /// The root's bytes on all ranks, whatever length the others' had.
  virtual void broadcast(std::vector<std::byte>& bytes, int root) = 0;
  /// send: for each rank in order as many numbers as send_counts says; received: from each rank, receive_counts.
  virtual void exchange(std::span<const float> send, std::span<const std::int64_t> send_counts,
                        std::span<float> received, std::span<const std::int64_t> receive_counts) = 0;
  /// `all` holds counts[0] numbers of rank 0, then counts[1] of rank 1 and so on: each rank brings its own, gets the
  /// rest.
  virtual void gather_segments(std::span<float> all, std::span<const std::int64_t> counts) = 0;
};

/// An error that all processes throw together, with the same status and message: only one of them need print it.
class AgreedError : public Error {
 public:
  using Error::Error;
};

/// Runs `work` on every process, then agrees on how it went: if it threw anywhere, what the first of these ranks threw
/// is thrown on all as AgreedError ("process 2: ..." where it is not rank 0's). An exception other than Error counts as
/// internal, std::bad_alloc as out_of_memory. Without a communicator, or alone in it, just runs `work`.
void together(TrainingCommunicator* communicator, const std::function<void()>& work);

}  // namespace lavoisier

#endif
