#ifndef LAVOISIER_APPS_GLOBAL_STATISTICS_HPP
#define LAVOISIER_APPS_GLOBAL_STATISTICS_HPP

#include "closure_statistics.hpp"
#include "global_terms.hpp"

#include <cstdint>
#include <span>
#include <string>
#include <vector>

namespace lavoisier::cli {

/// The outputs of columns of a piece: columns x output elements.
std::vector<double> outputs_of(const Columns& columns, const SampleReader::Piece& piece, std::size_t output_elements);

/// A step for people, by its axes.
std::string step_text(const Grid& steps, std::int64_t step);

/// How laws over all columns close in each step of each member; added to piece by piece.
class GlobalStatistics {
 public:
  /// `members`: 0 for a reference, which is none. `problem` must outlive this.
  GlobalStatistics(const Domain& domain, const GlobalProblem& problem, std::int64_t members);
  /// `member` from 0; `outputs`: columns x output elements. A column without values is counted and left out.
  void add(std::size_t member, const Columns& columns, std::span<const double> coefficients,
           std::span<const double> outputs);
  /// One a law; samples are steps of members, a cell is a step, budgets are means over them.
  std::vector<LawStatistics> laws() const;

 private:
  struct Sums {
    std::vector<LongSum> parts;  ///< one an output variable of the law
    LongSum residual, magnitude;
    std::int64_t columns = 0, missing = 0;
  };
  struct Part {
    std::string variable;
    std::size_t begin, end;  ///< among the output elements
  };
  void add_step(std::size_t law, std::size_t member, std::size_t step, LawStatistics& to) const;

  const GlobalProblem& problem_;
  std::size_t members_;
  bool ensemble_;
  std::vector<std::vector<Part>> parts_;  ///< of each law
  std::vector<Sums> sums_;                ///< [law][member][step]
};

}  // namespace lavoisier::cli

#endif
