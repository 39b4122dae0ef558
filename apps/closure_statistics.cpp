#include "closure_statistics.hpp"

#include "global_statistics.hpp"
#include "terminal.hpp"

#include <lavoisier/linear_constraints.hpp>
#include <lavoisier/status.hpp>
#include <lavoisier/tolerances.hpp>

#include <fmt/format.h>
#include <nlohmann/json.hpp>

#include <algorithm>
#include <cmath>

namespace lavoisier::cli {
namespace {

std::string term_name(const LawTerm& term) {
  if (term.coefficient.is_constant() && term.coefficient.evaluate_constant() == 1.0) return term.variable;
  if (term.coefficient.is_constant() && term.coefficient.evaluate_constant() == -1.0) return "-" + term.variable;
  return "(" + term.coefficient.text() + ") " + term.variable;
}

}  // namespace

double LawStatistics::rms() const {
  return samples == 0 ? 0.0 : std::sqrt(square_sum / static_cast<double>(samples));
}

ClosureStatistics::ClosureStatistics(const Domain& domain) : layout_(domain.layout), constants_(domain.constants) {
  for (const Law& law : domain.laws) {
    LawStatistics statistics;
    statistics.law = law;
    for (const LawTerm& term : law.terms) statistics.terms.push_back(term_name(term));
    statistics.terms.push_back("right-hand side");
    statistics.term_sum.assign(statistics.terms.size(), 0.0);
    statistics.term_magnitude.assign(statistics.terms.size(), 0.0);
    laws_.push_back(std::move(statistics));
  }
}

void ClosureStatistics::add(std::span<const double> inputs, std::span<const double> outputs,
                            std::span<const std::int64_t> cells, std::span<const double> weights,
                            std::int64_t member,
                            const std::function<void(std::size_t, std::size_t, double)>& each) {
  const auto rows = static_cast<Eigen::Index>(cells.size());
  if (rows == 0) return;
  const Eigen::Map<const RowMatrix> x(inputs.data(), rows, layout_.elements(Role::input));
  const Eigen::Map<const RowMatrix> y(outputs.data(), rows, layout_.elements(Role::output));
  for (std::size_t l = 0; l < laws_.size(); ++l) {
    LawStatistics& law = laws_[l];
    const Closure c = closure(law.law, layout_, constants_, x, y);
    for (Eigen::Index i = 0; i < rows; ++i) {
      const double residual = c.residual(i), size = std::abs(residual);
      const double relative = relative_residual(residual, c.term_magnitude(i));
      const auto at = static_cast<std::size_t>(i);
      if (!std::isfinite(residual)) {
        ++law.non_finite;
        continue;
      }
      if (law.worst_cell < 0 || size > law.max_absolute) {
        law.max_absolute = size;
        law.worst_residual = residual;
        law.worst_cell = cells[at];
        law.worst_member = member;
      }
      if (law.worst_relative_cell < 0 || relative > law.max_relative) {
        law.max_relative = relative;
        law.worst_relative_cell = cells[at];
        law.worst_relative_member = member;
      }
      law.square_sum += residual * residual;
      law.residual_sum += weights[at] * residual;
      law.weight_sum += weights[at];
      for (Eigen::Index t = 0; t < c.terms.cols(); ++t) {
        law.term_sum[static_cast<std::size_t>(t)] += weights[at] * c.terms(i, t);
        law.term_magnitude[static_cast<std::size_t>(t)] += weights[at] * std::abs(c.terms(i, t));
      }
      ++law.samples;
      if (each) each(l, at, residual);
    }
  }
}

LawVerdict judge(const LawStatistics& statistics, bool physics, double identity_tolerance) {
  LawVerdict verdict;
  verdict.relative = !physics || statistics.law.physics_tolerance <= 0.0;
  verdict.tolerance = verdict.relative ? identity_tolerance : statistics.law.physics_tolerance;
  verdict.pass = statistics.samples > 0 && statistics.non_finite == 0 &&
                 (verdict.relative ? statistics.max_relative : statistics.max_absolute) <= verdict.tolerance;
  return verdict;
}

void require_subsets(const Domain& domain, const SampleReader& reader, const std::filesystem::path& file) {
  if (reader.has_split() || reader.cells() == 0) return;
  reader.require_split();
  throw Error(Status::not_found,
              fmt::format("{}: expected the variable '{}', by which domain '{}' splits, found none: its cells have no subsets",
                          file.string(), domain.split ? domain.split->variable : "", domain.name));
}

FileClosure close_file(const Domain& domain, const std::filesystem::path& file) {
  const SampleReader reader(domain, file, true);
  FileClosure result;
  const GlobalProblem problem = global_problem_of_all(domain, reader, file, std::nullopt, {}, {}, result.notes, false);
  GlobalStatistics over_columns(domain, problem, 0);
  result.grid = Grid(reader.axes());
  result.cells = reader.cells();
  ClosureStatistics statistics(domain);
  const auto ni = static_cast<std::size_t>(domain.layout.elements(Role::input));
  const auto no = static_cast<std::size_t>(domain.layout.elements(Role::output));
  constexpr std::int64_t block = 16384;
  for (std::int64_t first = 0; first < reader.cells(); first += block) {
    const std::int64_t count = std::min(block, reader.cells() - first);
    const SampleReader::Piece piece = reader.read(first, count);
    if (problem.terms) {
      const Columns columns = columns_of(reader, piece, std::nullopt, ni, true);
      over_columns.add(0, columns, problem.terms->coefficients(rows_of(columns)), outputs_of(columns, piece, no));
    }
    std::vector<double> inputs, outputs, weights;
    std::vector<std::int64_t> cells;
    for (std::size_t c = 0; c < static_cast<std::size_t>(count); ++c) {
      if (piece.complete[c] == 0) {
        if (piece.empty[c] == 0) ++result.incomplete;
        continue;
      }
      const auto row = static_cast<std::ptrdiff_t>(c);
      inputs.insert(inputs.end(), piece.inputs.begin() + row * static_cast<std::ptrdiff_t>(ni),
                    piece.inputs.begin() + (row + 1) * static_cast<std::ptrdiff_t>(ni));
      outputs.insert(outputs.end(), piece.outputs.begin() + row * static_cast<std::ptrdiff_t>(no),
                     piece.outputs.begin() + (row + 1) * static_cast<std::ptrdiff_t>(no));
      cells.push_back(first + row);
      weights.push_back(result.grid.area(first + row));
      if (c < piece.subset.size()) ++result.subset_count[static_cast<std::size_t>(piece.subset[c])];
    }
    result.complete += static_cast<std::int64_t>(cells.size());
    statistics.add(inputs, outputs, cells, weights, -1);
  }
  result.laws = statistics.laws();
  for (const LawStatistics& law : result.laws) {
    const bool row = (domain.by_rows() || !domain.coordinates.empty()) && law.worst_cell >= 0;
    result.worst.push_back(row ? reader.describe(law.worst_cell) : result.grid.text(law.worst_cell));
  }
  result.steps = Grid(problem.step_axes);
  const std::vector<LawStatistics> global = over_columns.laws();
  for (std::size_t l = 0; l < global.size(); ++l) {
    result.laws.push_back(global[l]);
    result.laws.back().judged = !problem.laws[l].on_request;
    result.worst.push_back(step_text(result.steps, global[l].worst_cell));
  }
  if (problem.terms) result.step_values = problem.terms->numbers();
  return result;
}

std::string closure_table(const FileClosure& closure, bool* pass) {
  Table table({"law", "units", "largest |residual|", "rms", "largest relative", "tolerance", "", "worst at"});
  table.left(1);
  table.left(7);
  *pass = true;
  for (std::size_t l = 0; l < closure.laws.size(); ++l) {
    const LawStatistics& law = closure.laws[l];
    const LawVerdict v = judge(law, true, tolerances::identity::relative_fp32);
    *pass = *pass && (v.pass || !law.judged);
    table.add({law.law.name, law.law.units, fmt::format("{:.4g}", law.max_absolute), fmt::format("{:.3g}", law.rms()),
               scientific(law.max_relative), fmt::format("{:g}{}", v.tolerance, v.relative ? " relative" : ""),
               law.judged ? verdict(v.pass) : "on request", closure.worst[l]});
  }
  return table.text();
}

std::string closure_json(const FileClosure& closure) {
  nlohmann::ordered_json list = nlohmann::ordered_json::array();
  for (const LawStatistics& law : closure.laws) {
    const LawVerdict v = judge(law, true, tolerances::identity::relative_fp32);
    nlohmann::ordered_json entry;
    entry["name"] = law.law.name;
    entry["units"] = law.law.units;
    entry["max_abs"] = law.max_absolute;
    entry["rms"] = law.rms();
    entry["max_relative"] = law.max_relative;
    entry["scope"] = law.is_global() ? "global" : "local";
    if (law.worst_cell >= 0 && law.is_global()) {
      entry["worst"] = {{"step", law.worst_cell}, {"residual", law.worst_residual}, {"at", closure.steps.values(law.worst_cell)}};
    } else if (law.worst_cell >= 0) {
      entry["worst"] = {{"cell", law.worst_cell}, {"residual", law.worst_residual}, {"at", closure.grid.values(law.worst_cell)}};
    } else {
      entry["worst"] = nullptr;
    }
    entry["tolerance"] = v.tolerance;
    entry["tolerance_kind"] = v.relative ? "relative" : "absolute";
    entry["pass"] = law.judged ? nlohmann::ordered_json(v.pass) : nlohmann::ordered_json(nullptr);
    list.push_back(entry);
  }
  return list.dump();
}

}  // namespace lavoisier::cli
