#ifndef LAVOISIER_LAW_DIAGNOSTICS_HPP
#define LAVOISIER_LAW_DIAGNOSTICS_HPP

// What is wrong with a batch of laws and Gaussians, or nearly so, sample by sample and in words.

#include <lavoisier/conditional_gaussian.hpp>

#include <string>
#include <vector>

namespace lavoisier {

enum class LawFault {
  none,
  coefficient_not_finite,
  right_hand_side_not_finite,
  mean_not_finite,
  deviation_not_finite,
  deviation_negative,
  zero_row,       ///< every coefficient of a law vanishes
  rank_lost,      ///< a law follows from those before it, for this sample
  contradiction,  ///< its left-hand side does, its right-hand side does not
};

struct LawDiagnosis {
  LawFault fault = LawFault::none;
  /// As the batched functions say, but for a contradiction: inconsistent_laws here, whatever the options; ok for
  /// lost rank if the options drop such rows.
  Status status = Status::ok;
  Eigen::Index rank = 0;        ///< rows that are independent in the metric of S
  /// Squared distance (0..1) of the scaled row `row` from those before it in the metric of S, the smallest: how near
  /// the sample is to losing rank. Below 1e-4 it is computed in double-double; below about 1e-29, singular.
  double smallest_pivot = 1.0;
  Eigen::Index row = -1;     ///< of A's block: at fault, or the one of the smallest pivot; -1: none
  Eigen::Index output = -1;  ///< at fault; -1: none
  double found = 0.0;        ///< the number at fault, where there is one
};

/// One diagnosis a sample; shapes as in conditional_gaussian.hpp (A shared or stacked). Throws shape_mismatch only.
std::vector<LawDiagnosis> diagnose_laws(const RowMatrix& A, const Eigen::Ref<const RowMatrix>& mean,
                                        const Eigen::Ref<const RowMatrix>& standard_deviation,
                                        const Eigen::Ref<const RowMatrix>& d, const BatchOptions& options = {});

/// "sample 17, row 2 of A (law 'energy'): its coefficient of output 3 is nan, expected a finite number". `laws`: names
/// of the rows, or empty.
std::string describe(const LawDiagnosis& diagnosis, Eigen::Index sample, const std::vector<std::string>& laws = {});

/// Throws Error(status, describe(...)) for the first sample that is not ok, and says how many are not.
void require_ok(const std::vector<LawDiagnosis>& diagnoses, const std::vector<std::string>& laws = {});

}  // namespace lavoisier

#endif
