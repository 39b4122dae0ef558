#ifndef LAVOISIER_APPS_CLOSURE_STATISTICS_HPP
#define LAVOISIER_APPS_CLOSURE_STATISTICS_HPP

#include "artefact.hpp"

#include <lavoisier/domain.hpp>
#include <lavoisier/law.hpp>

#include <cstdint>
#include <functional>
#include <map>
#include <span>
#include <string>
#include <vector>

namespace lavoisier::cli {

/// How one law closes over many samples; added to piece by piece.
struct LawStatistics {
  Law law;
  std::int64_t samples = 0;
  double max_absolute = 0.0, square_sum = 0.0, max_relative = 0.0;
  std::int64_t worst_cell = -1, worst_member = -1;                    ///< of max_absolute
  double worst_residual = 0.0;
  std::int64_t worst_relative_cell = -1, worst_relative_member = -1;  ///< of max_relative
  std::int64_t non_finite = 0;                                        ///< samples whose residual is no number
  std::vector<std::string> terms;                 ///< names of the terms, the right-hand side last
  std::vector<double> term_sum, term_magnitude;   ///< weighted sums of terms and of |terms|
  double residual_sum = 0.0, weight_sum = 0.0;    ///< weighted
  bool judged = true;                             ///< false: a law on request that was not asked for
  bool is_global() const { return law.scope == LawScope::global; }  ///< its samples, and cells, are steps
  double rms() const;
};

class ClosureStatistics {
 public:
  explicit ClosureStatistics(const Domain& domain);
  /// Rows of outputs (samples x output elements) and inputs (samples x input elements, unused where no law reads inputs);
  /// cells and weights: one a row.
  void add(std::span<const double> inputs, std::span<const double> outputs, std::span<const std::int64_t> cells,
           std::span<const double> weights, std::int64_t member,
           const std::function<void(std::size_t law, std::size_t row, double residual)>& each = {});
  const std::vector<LawStatistics>& laws() const noexcept { return laws_; }

 private:
  StateLayout layout_;
  std::vector<Constant> constants_;
  std::vector<LawStatistics> laws_;
};

/// Does a law's closure pass: relative residuals against an identity tolerance, or absolute ones against the physics
/// tolerance that the law states (against the identity tolerance where it states none).
struct LawVerdict {
  double tolerance = 0.0;
  bool relative = true;
  bool pass = false;
};
LawVerdict judge(const LawStatistics& statistics, bool physics, double identity_tolerance);

/// Error(not_found) where cells of a subset are asked for of a file that does not say which these are.
void require_subsets(const Domain& domain, const SampleReader& reader, const std::filesystem::path& file);

/// The closure of a data file's own outputs, complete cells only.
struct FileClosure {
  std::vector<LawStatistics> laws;
  std::int64_t cells = 0, complete = 0, incomplete = 0;
  std::int64_t subset_count[3] = {0, 0, 0};
  Grid grid;
  std::vector<std::string> worst;  ///< where each law's largest residual is: of a table with the line
  Grid steps;                      ///< of laws over all columns, which come last
  std::map<std::string, std::vector<double>> step_values;  ///< that these name, one a step
  std::vector<std::string> notes;  ///< of laws that are left out
};
FileClosure close_file(const Domain& domain, const std::filesystem::path& file);
/// As a table for the terminal, judged by the physics tolerances.
std::string closure_table(const FileClosure& closure, bool* pass);
/// As JSON text: an array with the keys of validate's "laws".
std::string closure_json(const FileClosure& closure);

}  // namespace lavoisier::cli

#endif
