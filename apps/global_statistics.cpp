#include "global_statistics.hpp"

#include <lavoisier/linear_constraints.hpp>

#include <algorithm>
#include <cmath>

namespace lavoisier::cli {

std::vector<double> outputs_of(const Columns& columns, const SampleReader::Piece& piece, std::size_t output_elements) {
  std::vector<double> result;
  result.reserve(columns.cell.size() * output_elements);
  for (const std::int64_t cell : columns.cell) {
    const auto from = piece.outputs.begin() + (cell - piece.first) * static_cast<std::ptrdiff_t>(output_elements);
    result.insert(result.end(), from, from + static_cast<std::ptrdiff_t>(output_elements));
  }
  return result;
}

std::string step_text(const Grid& steps, std::int64_t step) {
  if (step < 0) return "-";
  return steps.axes().empty() ? "all columns" : "all columns of " + steps.text(step);
}

GlobalStatistics::GlobalStatistics(const Domain& domain, const GlobalProblem& problem, std::int64_t members)
    : problem_(problem), members_(static_cast<std::size_t>(std::max<std::int64_t>(members, 1))), ensemble_(members > 0),
      sums_(problem.laws.size() * members_ * problem.steps) {
  for (const GlobalLaw& global : problem.laws) {
    std::vector<Part>& parts = parts_.emplace_back();
    for (const LawTerm& term : global.law.terms) {
      const auto same = [&](const Part& part) { return part.variable == term.variable; };
      if (std::any_of(parts.begin(), parts.end(), same)) continue;
      const auto begin = static_cast<std::size_t>(domain.layout.offset(term.variable));
      const auto size = static_cast<std::size_t>(domain.layout.elements(domain.layout.variable(term.variable)));
      parts.push_back({term.variable, begin, begin + size});
    }
  }
}

void GlobalStatistics::add(std::size_t member, const Columns& columns, std::span<const double> coefficients,
                           std::span<const double> outputs) {
  if (columns.cell.empty()) return;
  const std::size_t k = problem_.laws.size(), n = outputs.size() / columns.cell.size();
  for (std::size_t c = 0; c < columns.cell.size(); ++c)
    for (std::size_t l = 0; l < k; ++l) {
      Sums& sums = sums_[(l * members_ + member) * problem_.steps + columns.step[c]];
      const double *b = &coefficients[(c * k + l) * n], *y = &outputs[c * n];
      if (std::any_of(y, y + n, [](double x) { return !std::isfinite(x); })) {
        ++sums.missing;
        continue;
      }
      ++sums.columns;
      sums.parts.resize(parts_[l].size());
      for (std::size_t p = 0; p < parts_[l].size(); ++p)
        for (std::size_t i = parts_[l][p].begin; i < parts_[l][p].end; ++i) {
          const double part = b[i] * y[i];
          sums.parts[p].add(part);
          sums.residual.add(part);
          sums.magnitude.add(std::abs(part));
        }
    }
}

void GlobalStatistics::add_step(std::size_t law, std::size_t member, std::size_t step, LawStatistics& to) const {
  Sums sums = sums_[(law * members_ + member) * problem_.steps + step];
  to.non_finite += sums.missing;
  if (sums.columns == 0) return;
  const double d = problem_.terms->right_hand_side(law, step);
  sums.residual.add(-d);
  const double residual = sums.residual.value(), relative = relative_residual(residual, sums.magnitude.value() + std::abs(d));
  if (!std::isfinite(residual)) {
    ++to.non_finite;
    return;
  }
  if (to.worst_cell < 0 || std::abs(residual) > to.max_absolute) {
    to.max_absolute = std::abs(residual);
    to.worst_residual = residual;
    to.worst_cell = static_cast<std::int64_t>(step);
    to.worst_member = ensemble_ ? static_cast<std::int64_t>(member) + 1 : -1;
  }
  if (to.worst_relative_cell < 0 || relative > to.max_relative) {
    to.max_relative = relative;
    to.worst_relative_cell = static_cast<std::int64_t>(step);
    to.worst_relative_member = ensemble_ ? static_cast<std::int64_t>(member) + 1 : -1;
  }
  to.square_sum += residual * residual;
  to.residual_sum += residual;
  to.weight_sum += 1.0;
  for (std::size_t p = 0; p <= sums.parts.size(); ++p) {
    const double term = p < sums.parts.size() ? sums.parts[p].value() : d;
    to.term_sum[p] += term;
    to.term_magnitude[p] += std::abs(term);
  }
  ++to.samples;
}

std::vector<LawStatistics> GlobalStatistics::laws() const {
  std::vector<LawStatistics> result;
  for (std::size_t l = 0; l < problem_.laws.size(); ++l) {
    LawStatistics& law = result.emplace_back();
    law.law = problem_.laws[l].law;
    for (const Part& part : parts_[l]) law.terms.push_back(part.variable);
    law.terms.emplace_back("right-hand side");
    law.term_sum.assign(law.terms.size(), 0.0);
    law.term_magnitude.assign(law.terms.size(), 0.0);
    for (std::size_t m = 0; m < members_; ++m)
      for (std::size_t s = 0; s < problem_.steps; ++s) add_step(l, m, s, law);
  }
  return result;
}

}  // namespace lavoisier::cli
