#include <lavoisier/law_diagnostics.hpp>

#include "parallel.hpp"

#include <cstdio>

namespace lavoisier {

using detail::row;
using Batch = Eigen::Ref<const RowMatrix>;

namespace {

/// Index of the first number that is not finite, or -1.
Eigen::Index first_not_finite(const double* values, Eigen::Index count) {
  for (Eigen::Index j = 0; j < count; ++j)
    if (!std::isfinite(values[j])) return j;
  return -1;
}

std::string number(double value) {
  char text[32];
  std::snprintf(text, sizeof text, "%.6g", value);
  return text;
}

/// What is wrong with the numbers themselves.
LawDiagnosis check_numbers(const double* A, Eigen::Index m, Eigen::Index n, const double* mean,
                           const double* deviation, const double* d) {
  LawDiagnosis result;
  const auto fault = [&](LawFault what, Status status, Eigen::Index k, Eigen::Index j, double found) {
    result.fault = what;
    result.status = status;
    result.row = k;
    result.output = j;
    result.found = found;
    result.smallest_pivot = 0.0;
    return result;
  };
  for (Eigen::Index k = 0; k < m; ++k)
    if (const Eigen::Index j = first_not_finite(A + k * n, n); j >= 0)
      return fault(LawFault::coefficient_not_finite, Status::non_finite, k, j, A[k * n + j]);
  if (const Eigen::Index k = first_not_finite(d, m); k >= 0)
    return fault(LawFault::right_hand_side_not_finite, Status::non_finite, k, -1, d[k]);
  if (const Eigen::Index j = first_not_finite(mean, n); j >= 0)
    return fault(LawFault::mean_not_finite, Status::non_finite, -1, j, mean[j]);
  for (Eigen::Index j = 0; j < n; ++j)
    if (!std::isfinite(deviation[j] * deviation[j]))
      return fault(LawFault::deviation_not_finite, Status::non_finite, -1, j, deviation[j]);
  for (Eigen::Index j = 0; j < n; ++j)
    if (deviation[j] < 0.0) return fault(LawFault::deviation_negative, Status::invalid_argument, -1, j, deviation[j]);
  for (Eigen::Index k = 0; k < m; ++k) {
    Eigen::Index j = 0;
    while (j < n && A[k * n + j] == 0.0) ++j;
    if (j == n) return fault(LawFault::zero_row, Status::rank_deficient, k, -1, 0.0);
  }
  return result;
}

}  // namespace

std::vector<LawDiagnosis> diagnose_laws(const RowMatrix& A, const Batch& mean, const Batch& standard_deviation,
                                        const Batch& d, const BatchOptions& options) {
  const char* const name = "diagnose_laws";
  const Eigen::Index samples = mean.rows(), n = A.cols(), m = d.cols();
  detail::require_shape(name, "mean", samples, mean.cols(), samples, n);
  detail::require_shape(name, "standard_deviation", standard_deviation.rows(), standard_deviation.cols(), samples, n);
  detail::require_shape(name, "d", d.rows(), m, samples, m);
  const bool shared = A.rows() == m;
  const detail::LawBatch laws(name, A, samples, m, detail::SharedFaults::to_status);
  std::vector<LawDiagnosis> result(static_cast<std::size_t>(samples));
  BatchOptions dropping = options;
  dropping.drop_dependent_rows = true;
  detail::for_each_kernel(laws, samples, dropping, [&](auto& kernel, Eigen::Index s) {
    LawDiagnosis& diagnosis = result[static_cast<std::size_t>(s)];
    diagnosis = check_numbers(laws.block(shared ? 0 : s), m, n, row(mean, s), row(standard_deviation, s), row(d, s));
    if (diagnosis.status == Status::non_finite || diagnosis.status == Status::invalid_argument) return;
    const bool zero_row = diagnosis.fault == LawFault::zero_row;
    diagnosis.status = kernel.set(row(mean, s), row(standard_deviation, s), row(d, s));
    if (diagnosis.status == Status::inconsistent_laws) {
      diagnosis.fault = LawFault::contradiction;
      diagnosis.row = static_cast<Eigen::Index>(kernel.failed_row());
      diagnosis.smallest_pivot = 0.0;
      return;
    }
    if (diagnosis.status != Status::ok) return;
    diagnosis.rank = static_cast<Eigen::Index>(kernel.rank());
    if (diagnosis.rank == m) {
      if (m == 0) return;
      diagnosis.smallest_pivot = kernel.smallest_pivot();
      diagnosis.row = static_cast<Eigen::Index>(kernel.smallest_pivot_row());
      return;
    }
    diagnosis.smallest_pivot = 0.0;
    if (!options.drop_dependent_rows) diagnosis.status = Status::rank_deficient;
    if (zero_row) return;
    diagnosis.fault = LawFault::rank_lost;
    const std::vector<std::size_t> kept = kernel.kept_rows();
    std::size_t first = 0;
    while (first < kept.size() && kept[first] == first) ++first;
    diagnosis.row = static_cast<Eigen::Index>(first);
  });
  return result;
}

std::string describe(const LawDiagnosis& diagnosis, Eigen::Index sample, const std::vector<std::string>& laws) {
  std::string text = "sample " + std::to_string(sample);
  if (diagnosis.row >= 0) {
    text += ", row " + std::to_string(diagnosis.row) + " of A";
    if (diagnosis.row < static_cast<Eigen::Index>(laws.size()))
      text += " (law '" + laws[static_cast<std::size_t>(diagnosis.row)] + "')";
  }
  const std::string output = "output " + std::to_string(diagnosis.output), found = number(diagnosis.found);
  switch (diagnosis.fault) {
    case LawFault::none:
      return diagnosis.status == Status::ok
                 ? text + ": ok, rank " + std::to_string(diagnosis.rank) + ", smallest scaled pivot " +
                       number(diagnosis.smallest_pivot)
                 : text + ": " + status_name(diagnosis.status);
    case LawFault::coefficient_not_finite:
      return text + ": the coefficient of " + output + " is " + found + ", expected a finite number";
    case LawFault::right_hand_side_not_finite:
      return text + ": the right-hand side is " + found + ", expected a finite number";
    case LawFault::mean_not_finite:
      return text + ": the mean of " + output + " is " + found + ", expected a finite number";
    case LawFault::deviation_not_finite:
      return text + ": the standard deviation of " + output + " is " + found +
             ", expected a number whose square is finite";
    case LawFault::deviation_negative:
      return text + ": the standard deviation of " + output + " is " + found + ", expected 0 or a positive number";
    case LawFault::zero_row: return text + ": every coefficient is zero, expected the coefficients of a law";
    case LawFault::rank_lost:
      return text + ": the law follows from those before it and from outputs of zero deviation (rank " +
             std::to_string(diagnosis.rank) + "), expected independent laws";
    case LawFault::contradiction:
      return text + ": the law contradicts those before it: its left-hand side follows from theirs (and from outputs "
                    "of zero deviation), its right-hand side does not";
  }
  return text;
}

void require_ok(const std::vector<LawDiagnosis>& diagnoses, const std::vector<std::string>& laws) {
  std::size_t first = diagnoses.size(), bad = 0;
  for (std::size_t s = diagnoses.size(); s-- > 0;) {
    if (diagnoses[s].status == Status::ok) continue;
    first = s;
    ++bad;
  }
  if (bad == 0) return;
  throw Error(diagnoses[first].status,
              describe(diagnoses[first], static_cast<Eigen::Index>(first), laws) +
                  (bad > 1 ? " (" + std::to_string(bad) + " of " + std::to_string(diagnoses.size()) +
                                 " samples are at fault)"
                           : std::string()));
}

}  // namespace lavoisier
