#ifndef LAVOISIER_SUM_GROUPS_HPP
#define LAVOISIER_SUM_GROUPS_HPP

#include "law_matrix.hpp"
#include "parallel.hpp"

#include <lavoisier/draw_options.hpp>
#include <lavoisier/random.hpp>

#include <string>
#include <vector>

namespace lavoisier::detail {

/// Why a sample failed; `reason` names the law.
struct Failure {
  Status status = Status::ok;
  std::string reason;
  bool failed() const noexcept { return status != Status::ok; }
};

/// A number for a message, with the digits that tell it from its neighbours.
std::string text(double value);
std::string law_name(const LawOptions& options, std::size_t row);

/// The rows of A as disjoint groups of outputs.
class SumGroups {
 public:
  enum class Kind { one_weight, any_sign };

  SumGroups(std::size_t rows, std::size_t outputs, Kind kind, const LawOptions& options);

  /// From m x n row-major coefficients. Fails with unsupported or invalid_argument.
  Failure set(const double* A);

  std::size_t rows() const noexcept { return rows_; }
  std::size_t outputs() const noexcept { return outputs_; }
  /// Outputs of a row, ascending.
  const std::vector<std::size_t>& members(std::size_t row) const noexcept { return members_[row]; }
  double weight(std::size_t output) const noexcept { return weight_[output]; }
  std::string name(std::size_t row) const { return law_name(*options_, row); }

 private:
  std::size_t rows_, outputs_;
  Kind kind_;
  const LawOptions* options_;
  std::vector<double> weight_;
  std::vector<std::size_t> row_of_;
  std::vector<std::vector<std::size_t>> members_;
};

/// Throws unless A has m rows, or m rows for each sample, and the columns expected; true if it is stacked. One sample's
/// A is shared.
bool is_stacked(const char* function, const RowMatrix& A, Eigen::Index samples, Eigen::Index rows, Eigen::Index outputs);

/// Throws what DrawOptions says.
void require_draw_options(const char* function, const DrawOptions& options, Eigen::Index samples);
/// The first block of an element of sample s.
random::Sequence sequence(const DrawOptions& options, Eigen::Index s, std::uint64_t element);

/// "sample 3: ..." of the first that failed, or nothing.
std::string first_failure(const std::vector<Failure>& failures);
std::vector<Status> statuses(const std::vector<Failure>& failures);

/// Calls body(groups, s) -> Failure for every sample, and gives what became of each.
template <class Body>
std::vector<Failure> for_each_grouped(const char* function, const RowMatrix& A, Eigen::Index samples,
                                      Eigen::Index rows, Eigen::Index outputs, SumGroups::Kind kind,
                                      const LawOptions& options, double operations_an_output, const Body& body) {
  const bool stacked = is_stacked(function, A, samples, rows, outputs);
  SumGroups shared(static_cast<std::size_t>(rows), static_cast<std::size_t>(outputs), kind, options);
  if (!stacked) {
    const Failure failure = shared.set(A.data());
    if (failure.failed()) throw Error(failure.status, std::string(function) + ": " + failure.reason);
  }
  const int threads = thread_count(options, samples, operations_an_output * static_cast<double>(outputs));
  std::vector<SumGroups> own(static_cast<std::size_t>(threads), shared);
  std::vector<Failure> failures(static_cast<std::size_t>(samples));
  for_each_sample(samples, threads, [&](Eigen::Index s, int thread) {
    SumGroups& groups = own[static_cast<std::size_t>(thread)];
    Failure& failure = failures[static_cast<std::size_t>(s)];
    if (stacked) failure = groups.set(A.data() + s * rows * outputs);
    if (!failure.failed()) failure = body(static_cast<const SumGroups&>(groups), s);
  });
  return failures;
}

}  // namespace lavoisier::detail

#endif
