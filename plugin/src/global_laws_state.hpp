#ifndef LAVOISIER_PLUGIN_GLOBAL_LAWS_STATE_HPP
#define LAVOISIER_PLUGIN_GLOBAL_LAWS_STATE_HPP

#include "run_work.hpp"

#include <lavoisier/exact_sum.hpp>
#include <lavoisier/global_laws.hpp>

#include <mutex>
#include <vector>

namespace lavoisier {

struct GlobalLaws::Implementation {
  Implementation(std::shared_ptr<const Model> owner, const GlobalLawsOptions& options);

  enum class Phase { idle, open, closed };

  std::size_t pairs() const noexcept { return k * (k + 1) / 2; }
  /// Sums of a member: draws' values, sizes, variances without the local laws, W_g (pair (i, j), j <= i, at
  /// i(i+1)/2 + j).
  std::size_t drawn_sums() const noexcept { return 3 * k + pairs(); }
  /// Values drawn again; corrected values, sizes.
  std::size_t corrected_sums() const noexcept { return 3 * k; }
  std::size_t member_of(std::uint64_t member) const;  ///< Error(out_of_range)
  const double* multipliers(std::size_t member) const noexcept { return lambda.data() + member * k; }

  /// Adds one run's quantities [quantity][slot] of the columns that were written.
  void add(std::vector<ExactSum>& sums, std::size_t member, std::size_t quantities, const double* values,
           std::int64_t capacity, const detail::SlotStatus* status, std::int64_t count, bool count_columns);

  /// The status word and `sums`, over all ranks, into `total`.
  void reduce_all(const std::vector<ExactSum>& sums, Status mine, Reduce reduce, void* context, const char* when);
  void solve(std::size_t member);

  std::shared_ptr<const Model> model;
  GlobalLawsOptions options;
  std::size_t k = 1, members = 1;
  std::int64_t outputs = 0;  ///< elements of a column
  Phase phase = Phase::idle;
  std::mutex mutex;
  std::vector<double> right_hand_side, lambda, matrix, scale;
  std::vector<ExactSum> drawn, corrected, total;
  std::int64_t columns = 0, left_out = 0;          ///< of this rank
  std::int64_t all_columns = 0, all_left_out = 0;  ///< of all
  std::vector<std::int64_t> words;
  std::vector<GlobalClosure> closures;
};

namespace detail {
/// Error(unsupported) unless the outputs are one Gaussian draw under the local laws in its own covariance.
void require_global_laws(const Program& program);
}  // namespace detail

}  // namespace lavoisier

#endif
