#include "ensemble_scores.hpp"

#include <lavoisier/random.hpp>
#include <lavoisier/status.hpp>
#include <lavoisier/tolerances.hpp>

#include <fmt/format.h>

#include <algorithm>
#include <cmath>
#include <limits>

namespace lavoisier::cli {
namespace {

constexpr double nan = std::numeric_limits<double>::quiet_NaN();

}  // namespace

EnsembleScores::EnsembleScores(const Domain& domain, const Candidate& candidate, const Pixels& pixels, const ReferenceMoments& reference,
            bool has_reference, std::uint64_t seed, const GlobalProblem& global)
    : candidate_(candidate), pixels_(pixels), reference_(reference), has_reference_(has_reference), seed_(seed),
      closure_(domain), global_(global), over_columns_(domain, global, candidate.members()), slots_(domain), n_(slots_.of_element.size()) {
  const std::size_t map_size = pixels.rows * pixels.columns, variables = domain.layout.with_role(Role::output).size();
  mean_.assign(variables, MapSum(map_size));
  variance_ = bias_ = mean_;
  residual_.assign(domain.laws.size(), MapSum(map_size));
  zonal_.assign(4 * variables, MapSum(pixels.rows));
  const auto bins = static_cast<std::size_t>(candidate.members() + 1);
  sums_.resize(slots_.count());
  for (const std::size_t slot : slots_.of_element) scales_.push_back(has_reference ? reference.deviation[slot] : 1.0);
  for (std::size_t i = 0; i < slots_.count(); ++i) {
    sums_[i].ranks.assign(bins, 0);
    sums_[i].pit.assign(20, 0);
    if (has_reference) {
      const double span = std::max(reference.high[i] - reference.low[i], 1e-300);
      sums_[i].wasserstein = Wasserstein(reference.low[i] - 2 * span, reference.high[i] + 2 * span, 16384);
    }
  }
}

void EnsembleScores::add(const Piece& piece, std::int64_t first, std::int64_t count) {
  const auto members = static_cast<std::size_t>(candidate_.members());
  const std::size_t rows = piece.cells.size();
  values_.assign(members * rows * n_, 0.0);
  std::vector<double> raw(static_cast<std::size_t>(count) * n_);
  std::vector<std::uint8_t> present(rows, 1);
  for (std::size_t m = 0; m < members; ++m) {
    candidate_.read(static_cast<std::int64_t>(m), first, count, raw.data());
    if (global_.terms) {
      std::vector<double> outputs;
      for (const std::int64_t cell : piece.columns.cell) {
        const auto from = raw.begin() + (cell - first) * static_cast<std::ptrdiff_t>(n_);
        outputs.insert(outputs.end(), from, from + static_cast<std::ptrdiff_t>(n_));
      }
      over_columns_.add(m, piece.columns, piece.coefficients, outputs);
    }
    for (std::size_t r = 0; r < rows; ++r) {
      double* const from = &raw[static_cast<std::size_t>(piece.cells[r] - first) * n_];
      // No law weighs them and no score counts them.
      for (std::size_t i = 0; i < n_; ++i)
        if (piece.is_masked(r * n_ + i)) from[i] = has_reference_ ? piece.outputs[r * n_ + i] : 0.0;
      const bool complete = std::none_of(from, from + n_, [](double x) { return std::isnan(x); });
      if (m == 0) {
        present[r] = complete ? 1 : 0;
      } else if (complete != (present[r] == 1)) {
        throw Error(Status::non_finite,
                    fmt::format("{}: cell {} ({}) {} while {} {}", candidate_.file(static_cast<std::int64_t>(m)).string(),
                                piece.cells[r], pixels_.grid->text(piece.cells[r]),
                                complete ? "has values" : "is missing", candidate_.file(0).string(),
                                complete ? "has none" : "has them"));
      }
      std::copy(from, from + n_, &values_[(m * rows + r) * n_]);
    }
  }
  // Cells without values are left out from here on.
  std::vector<std::size_t> keep;
  for (std::size_t r = 0; r < rows; ++r) {
    if (present[r] == 1) keep.push_back(r);
  }
  missing_ += static_cast<std::int64_t>(rows - keep.size());
  cells_ += static_cast<std::int64_t>(keep.size());
  if (keep.empty()) return;
  close(piece, keep, rows, members);
  for (std::size_t r : keep) score(piece, r, rows, members);
}

CandidateResult EnsembleScores::result(const Domain& domain) const {
  CandidateResult result;
  result.name = candidate_.name();
  result.members = candidate_.members();
  result.cells = cells_;
  result.missing = missing_;
  result.stored_as_float = candidate_.stored_as_float();
  result.identity_tolerance =
      result.stored_as_float ? tolerances::identity::relative_fp32 : tolerances::identity::relative_fp64;
  result.attributes = candidate_.attributes();
  result.first_file = candidate_.file(0).string();
  result.laws = closure_.laws();
  const std::vector<std::string> asked = enforced_laws(candidate_);
  std::vector<LawStatistics> over_columns = over_columns_.laws();
  for (std::size_t l = 0; l < over_columns.size(); ++l) {
    const GlobalLaw& law = global_.laws[l];
    over_columns[l].judged = !law.on_request || std::find(asked.begin(), asked.end(), law.law.name) != asked.end();
    result.laws.push_back(std::move(over_columns[l]));
  }
  const std::vector<Variable> outputs = domain.layout.with_role(Role::output);
  const auto count = static_cast<double>(std::max<std::int64_t>(cells_, 1));
  for (std::size_t v = 0; v < outputs.size(); ++v) {
    result.scores.push_back(variable_score(outputs[v], v));
    result.mean.push_back(mean_[v].map(pixels_.rows, pixels_.columns));
    result.spread.push_back(variance_[v].map(pixels_.rows, pixels_.columns, true));
    result.bias.push_back(bias_[v].map(pixels_.rows, pixels_.columns));
    Zonal zonal;
    zonal.mean = zonal_[4 * v].map(pixels_.rows, 1).values;
    zonal.low = zonal_[4 * v + 1].map(pixels_.rows, 1).values;
    zonal.high = zonal_[4 * v + 2].map(pixels_.rows, 1).values;
    zonal.reference = zonal_[4 * v + 3].map(pixels_.rows, 1).values;
    result.zonal.push_back(zonal);
  }
  for (const MapSum& map : residual_) result.residual.push_back(map.map(pixels_.rows, pixels_.columns, true));
  result.energy_score = has_reference_ ? energy_ / count : nan;
  result.laws_pass = cells_ > 0;
  for (const LawStatistics& law : result.laws) {
    result.laws_pass = result.laws_pass && (!law.judged || judge(law, false, result.identity_tolerance).pass);
  }
  return result;
}

VariableScore EnsembleScores::variable_score(const Variable& output, std::size_t variable) const {
  VariableScore score;
  score.variable = output.name;
  score.units = output.units;
  score.long_name = output.long_name;
  for (std::size_t i = 0; i < slots_.count(); ++i) {
    if (slots_.variable[i] != variable) continue;
    score.elements.push_back(element_score(i));
    if (!has_reference_) continue;
    for (const auto& [sum, own] : {std::pair(&score.ranks, &sums_[i].ranks), std::pair(&score.pit, &sums_[i].pit)}) {
      sum->resize(own->size(), 0);
      for (std::size_t k = 0; k < own->size(); ++k) (*sum)[k] += (*own)[k];
    }
  }
  static_cast<ElementScore&>(score) = ElementScore();
  for (const auto field : {&ElementScore::rmse, &ElementScore::mae, &ElementScore::bias, &ElementScore::spread, &ElementScore::crps,
                           &ElementScore::crps_plain, &ElementScore::coverage90, &ElementScore::wasserstein,
                           &ElementScore::reference_mean, &ElementScore::reference_deviation,
                           &ElementScore::crps_scaled, &ElementScore::r2}) {
    for (const ElementScore& element : score.elements) score.*field += element.*field;
    score.*field /= static_cast<double>(score.elements.size());
  }
  return score;
}

ElementScore EnsembleScores::element_score(std::size_t i) const {
  const Sums& s = sums_[i];
  const auto count = static_cast<double>(std::max<std::int64_t>(s.count, 1));
  const auto members = candidate_.members();
  ElementScore score;
  score.spread = members > 1 ? std::sqrt(s.variance / count) : nan;
  score.rmse = has_reference_ ? std::sqrt(s.square / count) : nan;
  score.mae = has_reference_ ? s.absolute / count : nan;
  score.bias = has_reference_ ? s.error / count : nan;
  score.crps = has_reference_ ? s.crps / count : nan;
  score.crps_plain = has_reference_ ? s.crps_plain / count : nan;
  score.coverage90 = has_reference_ && members > 1 ? static_cast<double>(s.covered) / count : nan;
  score.wasserstein = has_reference_ ? s.wasserstein.distance() : nan;
  score.crps_scaled = score.r2 = nan;
  if (!has_reference_) return score;
  score.reference_mean = reference_.mean[i];
  score.reference_deviation = reference_.deviation[i];
  score.crps_scaled = score.crps / score.reference_deviation;
  score.r2 = 1.0 - s.square / count / (score.reference_deviation * score.reference_deviation);
  return score;
}

void EnsembleScores::close(const Piece& piece, const std::vector<std::size_t>& keep, std::size_t rows, std::size_t members) {
  const std::size_t ni = piece.cells.empty() ? 0 : piece.inputs.size() / rows;
  std::vector<double> inputs, outputs(keep.size() * n_), weights;
  std::vector<std::int64_t> cells;
  for (std::size_t r : keep) {
    inputs.insert(inputs.end(), piece.inputs.begin() + static_cast<std::ptrdiff_t>(r * ni),
                  piece.inputs.begin() + static_cast<std::ptrdiff_t>((r + 1) * ni));
    cells.push_back(piece.cells[r]);
    weights.push_back(piece.weights[r]);
  }
  for (std::size_t m = 0; m < members; ++m) {
    for (std::size_t k = 0; k < keep.size(); ++k) {
      std::copy_n(&values_[(m * rows + keep[k]) * n_], n_, &outputs[k * n_]);
    }
    closure_.add(inputs, outputs, cells, weights, static_cast<std::int64_t>(m) + 1, [&](std::size_t law, std::size_t row, double residual) {
      residual_[law].add(pixels_.pixel(pixels_.grid->indices(cells[row])), residual * residual);
    });
  }
}

void EnsembleScores::score(const Piece& piece, std::size_t r, std::size_t rows, std::size_t members) {
  const std::vector<std::int64_t> index = pixels_.grid->indices(piece.cells[r]);
  const std::size_t pixel = pixels_.pixel(index), band = pixels_.row(index);
  std::vector<double> sorted(members);
  const auto m_count = static_cast<double>(members);
  for (std::size_t i = 0; i < n_; ++i) {
    if (piece.is_masked(r * n_ + i)) continue;
    Sums& s = sums_[slots_.of_element[i]];
    ++s.count;
    double mean = 0.0;
    for (std::size_t m = 0; m < members; ++m) {
      sorted[m] = values_[(m * rows + r) * n_ + i];
      mean += sorted[m];
    }
    mean /= m_count;
    double variance = 0.0;
    for (double x : sorted) variance += (x - mean) * (x - mean);
    variance = members > 1 ? variance / (m_count - 1.0) : 0.0;
    std::sort(sorted.begin(), sorted.end());
    s.variance += variance;
    const std::size_t v = slots_.variable_of(i);
    mean_[v].add(pixel, mean);
    variance_[v].add(pixel, variance);
    zonal_[4 * v].add(band, mean);
    zonal_[4 * v + 1].add(band, quantile(sorted, 0.05));
    zonal_[4 * v + 2].add(band, quantile(sorted, 0.95));
    if (!has_reference_) continue;
    const double y = piece.outputs[r * n_ + i];
    zonal_[4 * v + 3].add(band, y);
    bias_[v].add(pixel, mean - y);
    s.square += (mean - y) * (mean - y);
    s.absolute += std::abs(mean - y);
    s.error += mean - y;
    const EnsembleCrps crps = ensemble_crps(sorted, y);
    s.crps += crps.fair;
    s.crps_plain += crps.plain;
    const Rank rank = rank_of(sorted, y);
    const auto words = random::words({seed_, 0}, {piece.column[r], piece.step[r], 0, 0, i, 0});
    const auto tie = static_cast<std::int64_t>(random::uniform_open_right(words[0]) * static_cast<double>(rank.equal + 1));
    ++s.ranks[static_cast<std::size_t>(rank.below + tie)];
    const double pit = randomised_pit(rank, static_cast<std::int64_t>(members), random::uniform_open_right(words[1]));
    ++s.pit[std::min<std::size_t>(static_cast<std::size_t>(pit * 20.0), 19)];
    s.covered += pit >= 0.05 && pit <= 0.95 ? 1 : 0;
    for (double x : sorted) s.wasserstein.add_first(x);
    s.wasserstein.add_second(y);
  }
  if (!has_reference_) return;
  std::vector<double> ensemble(members * n_);
  for (std::size_t m = 0; m < members; ++m) std::copy_n(&values_[(m * rows + r) * n_], n_, &ensemble[m * n_]);
  energy_ += energy_score(ensemble, std::span<const double>(&piece.outputs[r * n_], n_), scales_);
}

}  // namespace lavoisier::cli
