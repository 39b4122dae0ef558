#ifndef LAVOISIER_PLUGIN_LAW_RANK_HPP
#define LAVOISIER_PLUGIN_LAW_RANK_HPP

#include "law_system.hpp"

#include <cstdint>
#include <vector>

namespace lavoisier::detail {

/// All laws at one choice of the inputs' values: dense rows of A, and right-hand sides at one or more such choices (of
/// which A does not depend).
struct LawPoint {
  std::vector<std::vector<double>> rows;
  std::vector<std::vector<double>> right_hand_sides;
};

/// The laws that do not follow from those before them, ascending. Each row is scaled to unit norm and freed, twice,
/// from the rows kept before it (as LinearConstraints decides). A law follows from others where it does at every point:
/// one that does for some inputs only is a matter of the column. Errors: inconsistent_laws (a law follows from others
/// and its right-hand side does not), invalid_format (no coefficient but zero), non_finite.
std::vector<std::int32_t> independent_laws(const std::vector<ProgramLaw>& laws, std::vector<LawPoint> points);

}  // namespace lavoisier::detail

#endif
