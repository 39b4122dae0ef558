#include "evaluation.hpp"

#include "global_statistics.hpp"
#include "scores.hpp"

#include <lavoisier/random.hpp>
#include <lavoisier/status.hpp>
#include <lavoisier/tolerances.hpp>

#include <fmt/format.h>

#include <algorithm>
#include <cmath>
#include <iterator>
#include <limits>
#include <memory>
#include <sstream>

namespace lavoisier::cli {
namespace {

constexpr double nan = std::numeric_limits<double>::quiet_NaN();
constexpr std::int64_t piece_values = std::int64_t{1} << 22;  // members x cells x outputs held at a time: 32 MiB
constexpr std::size_t map_limit = 360;                        // finer grids are averaged for maps

/// Sums over the cells of a map's pixel.
struct MapSum {
  std::vector<double> sum, weight;
  explicit MapSum(std::size_t pixels = 0) : sum(pixels, 0.0), weight(pixels, 0.0) {}
  void add(std::size_t pixel, double value) {
    sum[pixel] += value;
    weight[pixel] += 1.0;
  }
  Map map(std::size_t rows, std::size_t columns, bool root = false) const {
    Map result{rows, columns, std::vector<double>(sum.size(), nan)};
    for (std::size_t i = 0; i < sum.size(); ++i) {
      if (weight[i] > 0.0) result.values[i] = root ? std::sqrt(sum[i] / weight[i]) : sum[i] / weight[i];
    }
    return result;
  }
};

/// From cells to pixels and rows of maps.
struct Pixels {
  std::size_t rows = 1, columns = 1;
  std::vector<double> row_values, column_values;
  int row_axis = -1, column_axis = -1;
  const Grid* grid = nullptr;

  Pixels(const Grid& g, const Domain& domain) : grid(&g) {
    row_axis = g.latitude();
    column_axis = g.longitude();
    if (row_axis < 0 && column_axis < 0) {
      // No sphere: the last two column dimensions.
      const auto& axes = g.axes();
      for (std::size_t i = axes.size(); i-- > 0;) {
        const auto& names = domain.column_dimensions;
        if (i >= domain.sample_dimensions.size() ||
            std::find(names.begin(), names.end(), domain.sample_dimensions[i]) == names.end()) {
          continue;
        }
        if (column_axis < 0) {
          column_axis = static_cast<int>(i);
        } else if (row_axis < 0) {
          row_axis = static_cast<int>(i);
        }
      }
    }
    rows = size(row_axis, row_values);
    columns = size(column_axis, column_values);
  }
  std::size_t size(int axis, std::vector<double>& values) const {
    if (axis < 0) return 1;
    const auto& all = grid->axes()[static_cast<std::size_t>(axis)].values;
    const std::size_t n = std::min(all.size(), map_limit);
    values.assign(n, 0.0);
    std::vector<double> count(n, 0.0);
    for (std::size_t i = 0; i < all.size(); ++i) {
      values[i * n / all.size()] += all[i];
      count[i * n / all.size()] += 1.0;
    }
    for (std::size_t i = 0; i < n; ++i) values[i] /= count[i];
    return n;
  }
  std::size_t place(int axis, std::size_t n, const std::vector<std::int64_t>& index) const {
    if (axis < 0) return 0;
    const auto a = static_cast<std::size_t>(axis);
    return static_cast<std::size_t>(index[a]) * n / grid->axes()[a].values.size();
  }
  std::size_t row(const std::vector<std::int64_t>& index) const { return place(row_axis, rows, index); }
  std::size_t pixel(const std::vector<std::int64_t>& index) const {
    return row(index) * columns + place(column_axis, columns, index);
  }
};

/// The reference (or the inputs alone) of one piece: the cells that count, packed.
struct Piece {
  std::vector<std::int64_t> cells;
  std::vector<double> inputs, outputs, weights;
  std::vector<std::uint64_t> column, step;
  // For laws over all columns: whatever has inputs, and what the reference makes of it.
  Columns columns;
  std::vector<double> coefficients, column_outputs;
  std::vector<std::uint8_t> masked;  ///< cells x output elements; empty: none is
  bool is_masked(std::size_t element) const { return !masked.empty() && masked[element] != 0; }
};

Piece read_piece(const SampleReader& reader, const Grid& grid, std::int64_t first, std::int64_t count, std::size_t ni,
                 std::size_t no, const std::optional<Subset>& subset, const GlobalProblem& global) {
  const SampleReader::Piece raw = reader.read(first, count);
  Piece piece;
  if (global.terms) {
    piece.columns = columns_of(reader, raw, subset, ni, true);
    piece.coefficients = global.terms->coefficients(rows_of(piece.columns));
    if (no > 0) piece.column_outputs = outputs_of(piece.columns, raw, no);
  }
  for (std::size_t c = 0; c < static_cast<std::size_t>(count); ++c) {
    if (raw.complete[c] == 0 || (subset && raw.subset[c] != *subset)) continue;
    const auto row = static_cast<std::ptrdiff_t>(c);
    piece.cells.push_back(first + row);
    piece.inputs.insert(piece.inputs.end(), raw.inputs.begin() + row * static_cast<std::ptrdiff_t>(ni),
                        raw.inputs.begin() + (row + 1) * static_cast<std::ptrdiff_t>(ni));
    if (no > 0) {
      piece.outputs.insert(piece.outputs.end(), raw.outputs.begin() + row * static_cast<std::ptrdiff_t>(no),
                           raw.outputs.begin() + (row + 1) * static_cast<std::ptrdiff_t>(no));
    }
    if (const std::size_t own = raw.masked.size() / static_cast<std::size_t>(count); own > 0)
      piece.masked.insert(piece.masked.end(), raw.masked.begin() + row * static_cast<std::ptrdiff_t>(own),
                          raw.masked.begin() + (row + 1) * static_cast<std::ptrdiff_t>(own));
    piece.weights.push_back(grid.area(first + row));
    piece.column.push_back(raw.column[c]);
    piece.step.push_back(raw.step[c]);
  }
  return piece;
}

/// Which score each output element counts in: its own; of graphs one for all nodes, as the n-th node of one graph has nothing
/// to do with that of another.
struct Slots {
  std::vector<std::size_t> of_element, variable;  ///< variable: of each slot, by its number among the outputs
  explicit Slots(const Domain& domain) {
    const std::vector<Variable> outputs = domain.layout.with_role(Role::output);
    for (std::size_t v = 0; v < outputs.size(); ++v)
      for (std::int64_t e = 0; e < domain.layout.elements(outputs[v]); ++e) {
        if (e == 0 || !domain.graphs) variable.push_back(v);
        of_element.push_back(variable.size() - 1);
      }
  }
  std::size_t count() const { return variable.size(); }
};

/// What the reference is like, one entry a slot: needed before scores are taken.
struct ReferenceMoments {
  std::vector<double> mean, deviation, low, high;
};

/// The output, by its number, that each output element belongs to.
std::vector<std::size_t> variables_of_elements(const StateLayout& layout) {
  std::vector<std::size_t> result;
  const std::vector<Variable> outputs = layout.with_role(Role::output);
  for (std::size_t v = 0; v < outputs.size(); ++v) {
    result.insert(result.end(), static_cast<std::size_t>(layout.elements(outputs[v])), v);
  }
  return result;
}

/// The laws over all columns that a candidate's files say they obey.
std::vector<std::string> enforced_laws(const Candidate& candidate) {
  std::istringstream words(candidate.attribute("lavoisier_global_laws"));
  return {std::istream_iterator<std::string>(words), std::istream_iterator<std::string>()};
}

/// Everything added up for one candidate.
class Accumulator {
 public:
  Accumulator(const Domain& domain, const Candidate& candidate, const Pixels& pixels, const ReferenceMoments& reference,
              bool has_reference, std::uint64_t seed, const GlobalProblem& global)
      : candidate_(candidate), pixels_(pixels), reference_(reference), has_reference_(has_reference), seed_(seed),
        closure_(domain), global_(global), over_columns_(domain, global, candidate.members()), variable_of_(variables_of_elements(domain.layout)), slots_(domain), n_(variable_of_.size()) {
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

  void add(const Piece& piece, std::int64_t first, std::int64_t count) {
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

  CandidateResult result(const Domain& domain) const {
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

 private:
  struct Sums {
    double square = 0.0, absolute = 0.0, error = 0.0, variance = 0.0, crps = 0.0, crps_plain = 0.0;
    std::int64_t covered = 0, count = 0;
    std::vector<std::int64_t> ranks, pit;
    Wasserstein wasserstein;
  };

  VariableScore variable_score(const Variable& output, std::size_t variable) const {
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

  ElementScore element_score(std::size_t i) const {
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

  void close(const Piece& piece, const std::vector<std::size_t>& keep, std::size_t rows, std::size_t members) {
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

  void score(const Piece& piece, std::size_t r, std::size_t rows, std::size_t members) {
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
      const std::size_t v = variable_of_[i];
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

  const Candidate& candidate_;
  const Pixels& pixels_;
  const ReferenceMoments& reference_;
  bool has_reference_;
  std::uint64_t seed_;
  ClosureStatistics closure_;
  const GlobalProblem& global_;
  GlobalStatistics over_columns_;
  std::vector<std::size_t> variable_of_;  // of each output element
  Slots slots_;
  std::vector<double> scales_;            // of each output element
  std::size_t n_;
  std::vector<double> values_;
  std::vector<Sums> sums_;
  std::vector<MapSum> mean_, variance_, bias_, residual_, zonal_;
  double energy_ = 0.0;
  std::int64_t cells_ = 0, missing_ = 0;
};

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
  const std::vector<std::size_t> variable_of = variables_of_elements(domain.layout);
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
        reference_mean[variable_of[i]].add(pixel, y);
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

  std::vector<std::unique_ptr<Accumulator>> accumulators;
  for (const Candidate& ensemble : ensembles) {
    accumulators.push_back(
        std::make_unique<Accumulator>(domain, ensemble, pixels, moments, has_reference, options.seed, global));
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
