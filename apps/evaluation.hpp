#ifndef LAVOISIER_APPS_EVALUATION_HPP
#define LAVOISIER_APPS_EVALUATION_HPP

// What `validate` measures: laws and distribution scores of candidates against a reference, streamed: memory is
// bounded by the grid's maps, not by members x cells.

#include "artefact.hpp"
#include "candidate.hpp"
#include "closure_statistics.hpp"

#include <lavoisier/domain.hpp>

#include <cstdint>
#include <functional>
#include <map>
#include <optional>
#include <string>
#include <vector>

namespace lavoisier::cli {

/// Scores over the cells compared. NaN where there is no reference or only one member.
struct ElementScore {
  double rmse = 0.0, bias = 0.0;             ///< of the ensemble mean
  double mae = 0.0;                          ///< mean absolute deviation of the ensemble mean
  double spread = 0.0;                       ///< root of the mean ensemble variance
  double crps = 0.0, crps_plain = 0.0;       ///< fair estimator; of the empirical distribution
  double coverage90 = 0.0;                   ///< share of randomised PITs within [.05, .95]
  double wasserstein = 0.0;                  ///< pooled values against the reference's
  double reference_mean = 0.0, reference_deviation = 0.0;
  double crps_scaled = 0.0;                  ///< in units of the reference's standard deviation
  double r2 = 0.0;                           ///< 1 - (rmse / reference's standard deviation)^2
};

/// Of one output: means over its elements, of which each has its own; histograms over all of them.
struct VariableScore : ElementScore {
  std::string variable, units, long_name;
  std::vector<ElementScore> elements;
  std::vector<std::int64_t> ranks;           ///< members + 1 counts (ties at random)
  std::vector<std::int64_t> pit;             ///< 20 bins
};

/// The mean of a score over all output elements.
double mean_over_elements(const std::vector<VariableScore>& scores, double ElementScore::*score);

/// A field over latitude rows x longitude columns of the grid (or of any two column dimensions), means over the rest and
/// over the elements of a variable.
struct Map {
  std::size_t rows = 0, columns = 0;
  std::vector<double> values;                ///< NaN where no cell was compared
};

/// Zonal means of one output: over all cells of a row, area does not vary within it.
struct Zonal {
  std::vector<double> reference, mean, low, high;  ///< low, high: means of the members' 5 % and 95 % quantiles
};

struct CandidateResult {
  std::string name;
  std::int64_t members = 0, cells = 0, missing = 0;  ///< cells with values; cells of the subset without
  bool stored_as_float = false;
  double identity_tolerance = 0.0;
  std::map<std::string, std::string> attributes;
  std::string first_file;
  std::vector<LawStatistics> laws;                   ///< those over all columns last
  std::vector<VariableScore> scores;
  double energy_score = 0.0;                         ///< fair, outputs in units of the reference's standard deviation
  std::vector<Map> mean, spread, bias;               ///< one an output
  std::vector<Map> residual;                         ///< one a local law: root mean square
  std::vector<Zonal> zonal;                          ///< one an output
  bool laws_pass = false, pass = false;
};

struct Evaluation {
  Grid grid, steps;
  std::vector<std::string> notes;                    ///< of laws over all columns that are left out
  std::int64_t cells = 0;                            ///< reference cells of the subset, complete
  std::vector<double> latitudes, longitudes;         ///< of the maps
  bool has_reference = false;
  std::vector<LawStatistics> reference_laws;
  bool reference_pass = true;
  std::vector<Map> reference_mean;
  std::vector<CandidateResult> candidates;
  bool pass = false;                                 ///< first candidate's, and the reference's
  /// Where a law's largest residual is.
  std::string place(const LawStatistics& law) const;
};

struct EvaluationOptions {
  std::optional<Subset> subset;
  std::filesystem::path reference, inputs;           ///< either may be empty
  std::uint64_t seed = 0;                            ///< of ties and PITs
  std::map<std::string, double> step_values;         ///< given ones
};

/// `tell(done, all)` is called after each piece.
Evaluation evaluate(const Domain& domain, const std::vector<NamedPaths>& candidates, const EvaluationOptions& options,
                    const std::function<void(std::int64_t, std::int64_t)>& tell);

}  // namespace lavoisier::cli

#endif
