#ifndef LAVOISIER_GLOBAL_LAWS_HPP
#define LAVOISIER_GLOBAL_LAWS_HPP

// Laws over all columns of a host, and over all its ranks: C++17, no Kokkos, no MPI.

#include <lavoisier/emulator.hpp>
#include <lavoisier/status.hpp>

#include <cstddef>
#include <cstdint>
#include <memory>

namespace lavoisier {

/// Sums `count` integers over all ranks, in place. Every rank calls it the same times with the same counts. Anything
/// but ok is a failure. lav_mpi_reduce of plugin_mpi is one for MPI.
using Reduce = Status (*)(void* context, std::int64_t* words, std::size_t count);

struct GlobalLawsOptions {
  int rows = 1;                    ///< laws, at most 64
  int members = 1;                 ///< of an ensemble, reduced together
  std::uint64_t first_member = 0;  ///< RunArguments::member runs from here
};

/// One law of one member. Sums are exact and rounded once.
struct GlobalClosure {
  double right_hand_side = 0.0;  ///< D
  double before = 0.0;           ///< sum of B_c y_c as drawn
  double after = 0.0;            ///< and as corrected, of the stored values; NaN before finish()
  double relative_before = 0.0;  ///< |sum - D| / (sum of |terms| + |D|), 0/0 is 0
  double relative_after = 0.0;   ///< NaN before finish()
  double multiplier = 0.0;       ///< lambda
};

/// Global laws sum_c B_c y_c = D (k rows, columns independent) beside the local laws of every column, in two phases, so
/// that each column is in reach of its own call only (DESIGN, "Global laws"):
///
///     laws.begin(D);
///     for each chunk: workspace.run(arguments);        // with arguments.global = &laws: draws, and adds to exact sums
///     laws.close(status, reduce, context);             // one reduction; lambda = W_g^-1 (sum B_c y_c - D)
///     for each chunk: workspace.correct(arguments);    // the same arguments: y_c -= V_c B_c' lambda, laws once more
///     laws.finish(status, reduce, context);            // optional: another reduction, the closure that was reached
///
/// V_c is the covariance that the local laws leave, W_g = sum_c B_c V_c B_c'. The result is the exact draw given local
/// and global laws together: of a Gaussian, what conditioning by kriging gives (A. Journel and C. Huijbregts, Mining
/// Geostatistics, 1978, section VII.A.1). Sums are exact, so the bits depend neither on chunks and threads nor on
/// ranks.
///
/// `run` and `correct` may be called by several threads at once, each with its workspace; the rest by one. A rank
/// without columns calls begin, close and finish alone. After a failure begin() starts anew.
class GlobalLaws {
 public:
  /// Errors: invalid_argument, unsupported (the model's outputs are no Gaussian draw under its local laws, or not under
  /// their covariance).
  explicit GlobalLaws(std::shared_ptr<const Model> model, const GlobalLawsOptions& options = {});
  ~GlobalLaws();
  GlobalLaws(GlobalLaws&&) noexcept;
  GlobalLaws& operator=(GlobalLaws&&) noexcept;

  /// Empties the sums. `right_hand_side`: D, one a row, the same on every rank and for every member; null: 0.
  void begin(const double* right_hand_side);

  /// `mine`: ok, or how this rank failed before: then every rank fails, none waits. `reduce` null: one process. Errors,
  /// the same on every rank: that of the ranks that failed, non_finite, rank_deficient (laws that contradict or repeat
  /// each other or that no output can meet): nothing is to be corrected.
  void close(Status mine = Status::ok, Reduce reduce = nullptr, void* context = nullptr);

  /// Sees that every chunk was corrected with the arguments of its run (invalid_argument) and reports the closure.
  void finish(Status mine = Status::ok, Reduce reduce = nullptr, void* context = nullptr);

  /// Of the last close() or finish(); over all ranks.
  const GlobalClosure& closure(std::uint64_t member, int row) const;
  std::int64_t columns() const noexcept;   ///< that take part, over all ranks and members
  std::int64_t left_out() const noexcept;  ///< that had no result (a status), likewise

  struct Implementation;  ///< private

 private:
  friend class Workspace;
  std::unique_ptr<Implementation> implementation_;
};

}  // namespace lavoisier

#endif
