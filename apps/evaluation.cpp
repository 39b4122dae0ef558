#include "evaluation.hpp"

#include "ensemble_scores.hpp"
#include "evaluation_pieces.hpp"
#include "global_statistics.hpp"

#include <lavoisier/status.hpp>
#include <lavoisier/tolerances.hpp>

#include <fmt/format.h>

#include <algorithm>
#include <cmath>
#include <limits>
#include <memory>

namespace lavoisier::cli {
namespace {

constexpr std::int64_t piece_values = std::int64_t{1} << 22;  // members x cells x outputs held at a time: 32 MiB

bool laws_read_inputs(const Domain& domain) {
  for (const Law& law : domain.laws) {
    std::vector<std::string> symbols = law.right_hand_side.symbols();
    for (const LawTerm& term : law.terms) {
      const std::vector<std::string> more = term.coefficient.symbols();
      symbols.insert(symbols.end(), more.begin(), more.end());
    }
    for (const std::string& symbol : symbols) {
      if (domain.layout.has_variable(symbol)) return true;
    }
  }
  return false;
}

}  // namespace

double mean_over_elements(const std::vector<VariableScore>& scores, double ElementScore::*score) {
  double sum = 0.0, count = 0.0;
  for (const VariableScore& variable : scores) {
    for (const ElementScore& element : variable.elements) sum += element.*score;
    count += static_cast<double>(variable.elements.size());
  }
  return sum / count;
}

std::string Evaluation::place(const LawStatistics& law) const {
  return law.is_global() ? step_text(steps, law.worst_cell) : grid.text(law.worst_cell);
}

Evaluation evaluate(const Domain& domain, const std::vector<NamedPaths>& candidates, const EvaluationOptions& options,
                    const std::function<void(std::int64_t, std::int64_t)>& tell) {
  const bool has_reference = !options.reference.empty();
  const std::filesystem::path grid_file = has_reference ? options.reference : options.inputs;
  if (grid_file.empty()) {
    throw Error(Status::invalid_argument,
                laws_read_inputs(domain) ? "the laws read inputs: give --reference or --inputs"
                                         : "the grid and its samples come from --reference or --inputs: give one");
  }
  const SampleReader reader(domain, grid_file, has_reference);
  if (options.subset) require_subsets(domain, reader, grid_file);
  Evaluation evaluation;
  evaluation.grid = Grid(reader.axes());
  evaluation.has_reference = has_reference;
  const Pixels pixels(evaluation.grid, domain);
  evaluation.latitudes = pixels.row_values;
  evaluation.longitudes = pixels.column_values;
  const auto ni = static_cast<std::size_t>(domain.layout.elements(Role::input));
  const auto no = static_cast<std::size_t>(domain.layout.elements(Role::output));

  std::vector<Candidate> ensembles;
  std::int64_t most_members = 1;
  for (const NamedPaths& paths : candidates) {
    ensembles.emplace_back(paths, domain, reader.grid_axes(), reader.element_coordinates(), reader.block_shape());
    most_members = std::max(most_members, ensembles.back().members());
  }
  std::vector<std::string> asked;
  for (const Candidate& ensemble : ensembles) {
    for (std::string& name : enforced_laws(ensemble)) asked.push_back(std::move(name));
  }
  const GlobalProblem global = global_problem_of_all(domain, reader, grid_file, options.subset, options.step_values, asked,
                                                     evaluation.notes);
  evaluation.steps = Grid(global.step_axes);
  const std::int64_t block = std::clamp<std::int64_t>(
      piece_values / (most_members * static_cast<std::int64_t>(no)), 1, std::int64_t{1} << 16);

  // First pass, over the reference alone: its laws, scales and ranges.
  const Slots slots(domain);
  ReferenceMoments moments;
  moments.mean.assign(slots.count(), 0.0);
  moments.deviation.assign(slots.count(), 0.0);
  moments.low.assign(slots.count(), std::numeric_limits<double>::infinity());
  moments.high.assign(slots.count(), -std::numeric_limits<double>::infinity());
  std::vector<double> shift, counts(slots.count(), 0.0);
  std::vector<MapSum> reference_mean(domain.layout.with_role(Role::output).size(),
                                     MapSum(pixels.rows * pixels.columns));
  ClosureStatistics reference_closure(domain);
  GlobalStatistics reference_over_columns(domain, global, 0);
  for (std::int64_t first = 0; first < reader.cells(); first += block) {
    const std::int64_t count = std::min(block, reader.cells() - first);
    const Piece piece = read_piece(reader, evaluation.grid, first, count, ni, has_reference ? no : 0, options.subset, global);
    evaluation.cells += static_cast<std::int64_t>(piece.cells.size());
    if (has_reference && global.terms) {
      reference_over_columns.add(0, piece.columns, piece.coefficients, piece.column_outputs);
    }
    if (!has_reference || piece.cells.empty()) continue;
    reference_closure.add(piece.inputs, piece.outputs, piece.cells, piece.weights, -1);
    if (shift.empty()) {
      shift.resize(slots.count());
      for (std::size_t i = no; i-- > 0;) shift[slots.of_element[i]] = piece.outputs[i];
    }
    for (std::size_t r = 0; r < piece.cells.size(); ++r) {
      const std::size_t pixel = pixels.pixel(evaluation.grid.indices(piece.cells[r]));
      for (std::size_t i = 0; i < no; ++i) {
        if (piece.is_masked(r * no + i)) continue;
        const double y = piece.outputs[r * no + i];
        const std::size_t slot = slots.of_element[i];
        ++counts[slot];
        moments.mean[slot] += y - shift[slot];
        moments.deviation[slot] += (y - shift[slot]) * (y - shift[slot]);
        moments.low[slot] = std::min(moments.low[slot], y);
        moments.high[slot] = std::max(moments.high[slot], y);
        reference_mean[slots.variable_of(i)].add(pixel, y);
      }
    }
  }
  if (evaluation.cells == 0) {
    throw Error(Status::invalid_argument, fmt::format("{}: no complete cell to compare with", grid_file.string()));
  }
  if (has_reference) {
    for (std::size_t i = 0; i < slots.count(); ++i) {
      const double count = std::max(counts[i], 1.0);
      moments.mean[i] /= count;
      moments.deviation[i] = std::sqrt(std::max(moments.deviation[i] / count - moments.mean[i] * moments.mean[i], 0.0));
      moments.mean[i] += shift[i];
      if (moments.deviation[i] == 0.0) moments.deviation[i] = 1.0;  // a constant output counts in its own units
    }
    for (const MapSum& map : reference_mean) evaluation.reference_mean.push_back(map.map(pixels.rows, pixels.columns));
    evaluation.reference_laws = reference_closure.laws();
    std::vector<LawStatistics> over_columns = reference_over_columns.laws();
    for (std::size_t l = 0; l < over_columns.size(); ++l) {
      over_columns[l].judged = !global.laws[l].on_request;
      evaluation.reference_laws.push_back(std::move(over_columns[l]));
    }
    for (const LawStatistics& law : evaluation.reference_laws) {
      evaluation.reference_pass =
          evaluation.reference_pass && (!law.judged || judge(law, true, tolerances::identity::relative_fp32).pass);
    }
  }

  std::vector<std::unique_ptr<EnsembleScores>> accumulators;
  for (const Candidate& ensemble : ensembles) {
    accumulators.push_back(
        std::make_unique<EnsembleScores>(domain, ensemble, pixels, moments, has_reference, options.seed, global));
  }
  for (std::int64_t first = 0; first < reader.cells(); first += block) {
    const std::int64_t count = std::min(block, reader.cells() - first);
    const Piece piece = read_piece(reader, evaluation.grid, first, count, ni, has_reference ? no : 0, options.subset, global);
    if (!piece.cells.empty() || !piece.columns.cell.empty()) {
      for (auto& accumulator : accumulators) accumulator->add(piece, first, count);
    }
    tell(first + count, reader.cells());
  }
  for (std::size_t k = 0; k < accumulators.size(); ++k) {
    CandidateResult result = accumulators[k]->result(domain);
    if (result.cells == 0) {
      throw Error(Status::invalid_argument,
                  fmt::format("candidate '{}' has no value in any of the {} cells compared", result.name, evaluation.cells));
    }
    for (const LawStatistics& law : result.laws)
      if (law.is_global() && law.non_finite > 0)
        evaluation.notes.push_back(fmt::format("law {} of {}: {} columns that it counts have no value there, all steps and members together, which fails it",
                                               law.law.name, result.name, law.non_finite));
    // An ensemble that leaves out cells of the subset it was asked for must not pass.
    result.pass = result.laws_pass && (!options.subset || result.missing == 0);
    evaluation.candidates.push_back(std::move(result));
  }
  evaluation.pass = evaluation.candidates.front().pass && evaluation.reference_pass;
  return evaluation;
}

}  // namespace lavoisier::cli