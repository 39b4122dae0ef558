#ifndef LAVOISIER_APPS_ENSEMBLE_SCORES_HPP
#define LAVOISIER_APPS_ENSEMBLE_SCORES_HPP

#include "evaluation_pieces.hpp"
#include "scores.hpp"

#include <cstdint>
#include <vector>

namespace lavoisier::cli {

/// Everything added up for one candidate, whose pieces come in the order of cells. All arguments are referred to.
class EnsembleScores {
 public:
  EnsembleScores(const Domain& domain, const Candidate& candidate, const Pixels& pixels, const ReferenceMoments& reference,
                 bool has_reference, std::uint64_t seed, const GlobalProblem& global);
  void add(const Piece& piece, std::int64_t first, std::int64_t count);
  CandidateResult result(const Domain& domain) const;

 private:
  struct Sums {
    double square = 0.0, absolute = 0.0, error = 0.0, variance = 0.0, crps = 0.0, crps_plain = 0.0;
    std::int64_t covered = 0, count = 0;
    std::vector<std::int64_t> ranks, pit;
    Wasserstein wasserstein;
  };
  VariableScore variable_score(const Variable& output, std::size_t variable) const;
  ElementScore element_score(std::size_t i) const;
  void close(const Piece& piece, const std::vector<std::size_t>& keep, std::size_t rows, std::size_t members);
  void score(const Piece& piece, std::size_t r, std::size_t rows, std::size_t members);

  const Candidate& candidate_;
  const Pixels& pixels_;
  const ReferenceMoments& reference_;
  bool has_reference_;
  std::uint64_t seed_;
  ClosureStatistics closure_;
  const GlobalProblem& global_;
  GlobalStatistics over_columns_;
  Slots slots_;
  std::vector<double> scales_;            // of each output element
  std::size_t n_;
  std::vector<double> values_;
  std::vector<Sums> sums_;
  std::vector<MapSum> mean_, variance_, bias_, residual_, zonal_;
  double energy_ = 0.0;
  std::int64_t cells_ = 0, missing_ = 0;
};

}  // namespace lavoisier::cli

#endif
