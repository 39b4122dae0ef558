#ifndef LAVOISIER_MONITOR_HPP
#define LAVOISIER_MONITOR_HPP

// The emulator beside the host's own scheme: C++17, no Kokkos, no MPI.

#include <lavoisier/emulator.hpp>
#include <lavoisier/global_laws.hpp>
#include <lavoisier/status.hpp>

#include <cstddef>
#include <cstdint>
#include <memory>
#include <string>
#include <vector>

namespace lavoisier {

enum class MonitorTolerance {
  identity,  ///< relative residual: 1e-14, 5e-7 where an output in the law is stored as float, in any chunk of the step
  physics    ///< the law's own, in its units; identity where it has none
};

struct MonitorOptions {
  std::int64_t steps = -1;  ///< that are watched, from the first; -1: all; 0: none
  bool stop = false;        ///< a law that the emulator violates is end_step's status; else only a warning
  std::vector<MonitorTolerance> tolerances;  ///< one a law; empty: identity for all
  std::string log;                           ///< CSV file to append to; empty: none
};

/// One term of a law in one column: `coefficient` times the value of an output's element.
struct MonitorTerm {
  std::string variable;
  std::int64_t element = 0;
  double coefficient = 0.0, value = 0.0;
};

/// A law over the columns of a step.
struct MonitorClosure {
  std::int64_t columns = 0;
  std::int64_t non_finite = 0;  ///< further columns in which the law is no number
  double max_absolute = 0.0, rms = 0.0, max_relative = 0.0;
  bool violated = false;
  /// The column of the largest relative residual, of several the one with the smallest id: its global id, its index in
  /// the fields it was given in (-1: none), the law's right-hand side and its terms there.
  std::uint64_t worst_id = 0;
  std::int64_t worst_column = -1;
  double right_hand_side = 0.0;
  std::vector<MonitorTerm> terms;
};

struct MonitorLaw {
  std::string name, units;
  double tolerance = 0.0;  ///< of the emulator's outputs; the host's own are judged by the precision of theirs
  bool relative = true;    ///< the tolerance bounds max_relative; else max_absolute
  MonitorClosure emulated, original;
};

/// An output of the emulator, m, against the host's own, o, over columns and elements.
struct MonitorSkill {
  std::string name, units;
  std::int64_t columns = 0;
  std::int64_t non_finite = 0;       ///< further columns in which either has an element that is no number
  double bias = 0.0;                 ///< mean of m - o
  double rmse = 0.0;                 ///< root of the mean of (m - o)^2
  double mean_absolute_error = 0.0;  ///< mean of |m - o|
  /// Of the deviations from each element's own mean, so that a profile that all columns share counts for nothing. NaN
  /// where o (or, for the correlation, m) does not vary. Both come from sums of squares: of deviations that are d of the
  /// values' size, about 16 + 2 log10 d digits are left, and below 1e-7 nothing varies.
  double correlation = 0.0;
  double r_squared = 0.0;  ///< 1 - sum of (m - o)^2 / sum of squared deviations of o
};

struct MonitorReport {
  std::uint64_t step = 0;
  std::int64_t columns = 0;       ///< watched, with a result
  std::int64_t out_of_range = 0;  ///< of these, outside the training range
  std::int64_t left_out = 0;      ///< without a result: their status says why, or an input is no number
  bool violated = false;          ///< a law, by the emulator
  std::vector<MonitorLaw> laws;
  std::vector<MonitorSkill> variables;
  std::string message;  ///< of a violation or of a log that can't be written; empty: neither
};

/// Watches an emulator that runs beside the host's own scheme (shadow mode): of every step, how far each law is from
/// closing, for the emulator's outputs and for the host's, and how well the emulator's agree with the host's.
///
///     Monitor monitor(model, options);
///     for each step:
///       for each chunk: workspace.run(arguments); ...; monitor.add(arguments, own_outputs, count);
///       if (monitor.end_step(step) != Status::ok) ...        // monitor.report()
///
/// `add` may be called by several threads at once; the rest by one. Sums are exact and ties are settled by the columns'
/// ids, so no figure but worst_column depends on chunks and threads, to the bit. Switched off (steps = 0, or all of
/// them done), each call is one branch.
class Monitor {
 public:
  /// The model is the workspace's, with the host's constants where it has them. Errors: invalid_argument; of the log:
  /// not_found (no folder), io_error, no_space, invalid_format (a file that is no such log).
  explicit Monitor(std::shared_ptr<const Model> model, const MonitorOptions& options = {});
  ~Monitor();
  Monitor(Monitor&&) noexcept;
  Monitor& operator=(Monitor&&) noexcept;

  bool is_active() const noexcept;  ///< steps are left

  /// A chunk that the emulator has run: its arguments, whose outputs are now read, and the host's own outputs of the
  /// same columns, every one (none: laws alone). Give the arguments a `status`, so that columns without a result are
  /// known. Fields lie in host memory. Checked as a run's before any is read, but that outputs may overlap; Errors as
  /// there.
  void add(const RunArguments& emulated, const OutputField* original = nullptr, std::size_t original_count = 0);

  /// Ends the step: makes the report, warns (set_log_handler), appends to the log. Status: law_violated (if `stop`),
  /// that of the log if it could not be written, ok; the report is whole in each case. With `reduce` the step is that
  /// of all ranks, each of which calls it, of monitors made alike (but for the log, which may be one rank's alone), with
  /// columns whose ids are global. `mine`: ok, or how this rank failed before: then that is every rank's status, and
  /// there is no report but its message. So it is where the reduction fails, and where two ranks give the worst
  /// column's id (invalid_argument). A log that one rank cannot write is every rank's status too. A `reduce`
  /// that throws has failed: nothing passes through.
  Status end_step(std::uint64_t step, Status mine = Status::ok, Reduce reduce = nullptr, void* context = nullptr);

  const MonitorReport& report() const noexcept;  ///< of the last step that ended

 private:
  struct Implementation;
  std::unique_ptr<Implementation> implementation_;
};

}  // namespace lavoisier

#endif
