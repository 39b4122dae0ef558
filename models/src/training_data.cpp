#include "training_data.hpp"

#include "options.hpp"
#include "sample_statistics.hpp"

#include <lavoisier/conditional_gaussian.hpp>
#include <lavoisier/status.hpp>
#include <lavoisier/tolerances.hpp>

#include <algorithm>
#include <cmath>
#include <numeric>

namespace lavoisier::detail {
namespace {

using Eigen::Index;

void require_fixed(const StateLayout& layout) {
  for (const Variable& variable : layout.variables())
    if (layout.is_ragged(variable))
      throw Error(Status::unsupported,
                  "variable '" + variable.name + "' is ragged: this release trains fixed layouts only");
}

void require_trainable(const SampleSource& samples, const LinearConstraints& constraints, bool with_validation) {
  require_fixed(samples.layout());
  const std::int64_t n = samples.layout().elements(Role::output);
  if (samples.layout().elements(Role::input) < 1 || n < 1)
    throw Error(Status::invalid_argument, "training needs at least one input and one output");
  if (constraints.outputs() != n)
    throw Error(Status::shape_mismatch,
                "laws over " + std::to_string(constraints.outputs()) + " outputs, samples with " + std::to_string(n));
  if (samples.count(Subset::training) == 0)
    throw Error(Status::invalid_argument, "no sample is in the training subset");
  if (samples.count(Subset::validation) == 0 && with_validation)
    throw Error(Status::invalid_argument,
                "no sample is in the validation subset, by which the best epoch is chosen: split the data, or select "
                "the 'last' epoch");
}

/// Is the column constant up to rounding?
bool constant(double minimum, double maximum) {
  return maximum - minimum <= 1e-13 * std::max(std::abs(minimum), std::abs(maximum));
}

/// Laws that only bind constant outputs leave nothing that the model could move; they must be taken out. `A`: all
/// outputs, `active`: its columns that vary. `sample`: empty where all samples share A.
void require_rank(const RowMatrix& A, const RowMatrix& active, const LinearConstraints& constraints,
                  const std::string& sample) {
  RowMatrix basis(0, active.cols());
  for (Index row = 0; row < A.rows(); ++row) {
    const std::string law = "law '" + constraints.independent_laws()[static_cast<std::size_t>(row)].name + "'";
    if (!A.row(row).allFinite())
      throw Error(Status::non_finite, law + ": a coefficient of " + sample + " is not finite");
    const double norm = A.row(row).norm();
    if (norm == 0.0) throw Error(Status::rank_deficient, law + ": every coefficient of " + sample + " is zero");
    Eigen::RowVectorXd rest = active.row(row) / norm;
    const double size = rest.norm();
    for (int pass = 0; pass < 2; ++pass)
      if (basis.rows() > 0) rest -= (rest * basis.transpose()) * basis;
    if (size <= tolerances::identity::rank || rest.norm() <= tolerances::identity::rank * std::max(1.0, size))
      throw Error(Status::rank_deficient,
                  sample.empty() ? law + " can't be kept by any output that varies in training (and is not positive, of a "
                                         "mixed head): leave it out of the domain"
                                 : law + " says nothing of its own for " + sample +
                                       ": on the outputs that vary its coefficients follow from the laws before it");
    basis.conservativeResize(basis.rows() + 1, Eigen::NoChange);
    basis.row(basis.rows() - 1) = rest.normalized();
  }
}

void require_going(const std::atomic<bool>* stop) {
  if (stop && stop->load(std::memory_order_relaxed))
    throw Error(Status::interrupted,
                "training stopped before its first step, while its data were prepared; nothing is kept but a checkpoint "
                "that was there before");
}

/// Samples that can't be read any more once training is asked to stop.
class StoppableSource final : public SampleSource {
 public:
  StoppableSource(const SampleSource& samples, const std::atomic<bool>* stop) : samples_(samples), stop_(stop) {}
  const StateLayout& layout() const override { return samples_.layout(); }
  std::int64_t samples() const override { return samples_.samples(); }
  bool has_split() const override { return samples_.has_split(); }
  std::int64_t count(Subset subset) const override { return samples_.count(subset); }
  std::string source() const override { return samples_.source(); }
  SampleSet read(std::int64_t first, std::int64_t count) const override {
    require_going(stop_);
    return samples_.read(first, count);
  }

 private:
  const SampleSource& samples_;
  const std::atomic<bool>* stop_;
};

/// Moves the targets of rows onto the laws as the rules say; the largest distance.
double move_onto_laws(const TargetRules& rules, const std::vector<Index>& unshifted, const RowMatrix& A,
                      const RowMatrix& d, RowMatrix& y) {
  const Index m = d.cols();
  const auto of_row = [&](Index row) -> RowMatrix { return A.rows() == m ? A : RowMatrix(A.middleRows(row * m, m)); };
  if (rules.onto == TargetRules::Onto::nothing) return 0.0;
  if (rules.onto == TargetRules::Onto::shares) {
    double largest = 0.0;
    for (Index row = 0; row < y.rows(); ++row) {
      const RowMatrix laws = of_row(row);
      const Eigen::RowVectorXd before = y.row(row);
      for (Index k = 0; k < m; ++k) {
        const double factor = d(row, k) / laws.row(k).dot(before);
        for (Index j = 0; j < y.cols() && factor > 0.0 && std::isfinite(factor); ++j)
          if (laws(k, j) != 0.0) y(row, j) = before[j] * factor;
      }
      largest = std::max(largest, (y.row(row) - before).norm());
    }
    return largest;
  }
  if (unshifted.empty()) return project_onto_laws(A, d, y);
  std::vector<Index> moving;
  for (Index j = 0; j < y.cols(); ++j)
    if (std::find(unshifted.begin(), unshifted.end(), j) == unshifted.end()) moving.push_back(j);
  RowMatrix rest = d, moved = y(Eigen::all, moving);
  for (Index row = 0; row < y.rows(); ++row)
    for (Index k = 0; k < m; ++k)
      for (const Index j : unshifted) rest(row, k) -= A((A.rows() == m ? 0 : row * m) + k, j) * y(row, j);
  const double distance = project_onto_laws(A(Eigen::all, moving), rest, moved);
  y(Eigen::all, moving) = moved;
  return distance;
}

/// Samples in physical units, the targets moved onto the laws over the outputs that vary.
struct Mover {
  const LinearConstraints& constraints;
  const TargetRules& rules;
  const std::vector<Index>&active, &unshifted;
  const Eigen::VectorXd &input_mean, &input_scale;
  RowMatrix physical;         ///< laws over the active outputs, where samples share them
  Eigen::VectorXd constants;  ///< of the other outputs
  bool shared = true;
  double target_distance = 0.0;
  StandardisedRows rows;

  /// What the laws may move: under rules that move signed outputs alone, these.
  RowMatrix movable(RowMatrix laws_on_active) const {
    if (rules.onto == TargetRules::Onto::orthogonal)
      for (const Index place : unshifted) laws_on_active.col(place).setZero();
    return laws_on_active;
  }

  void move(const SampleSet& piece, const std::vector<std::int64_t>& index) {
    const ConstRows x = inputs_of(piece), y = outputs_of(piece);
    const Index count = x.rows(), m = constraints.rows(), varying = static_cast<Index>(active.size());
    rows.rows = index;
    rows.y.resize(count, varying);
    for (Index row = 0; row < count; ++row)
      for (Index j = 0; j < varying; ++j) rows.y(row, j) = y(row, active[static_cast<std::size_t>(j)]);
    rows.x = standardise(piece.inputs.data(), count, input_mean.data(), input_scale.data(), x.cols());
    rows.d.resize(count, m);
    rows.A.resize(shared ? 0 : count * m, varying);
    if (m == 0) return;
    rows.d = constraints.right_hand_side(x);
    if (shared) rows.d.rowwise() -= (constraints.A() * constants).transpose();
    for (Index row = 0; row < count && !shared; ++row) {
      const RowMatrix A_row = constraints.A({piece.inputs.data() + row * x.cols(), static_cast<std::size_t>(x.cols())});
      rows.A.middleRows(row * m, m) = A_row(Eigen::all, active);
      require_rank(A_row, movable(rows.A.middleRows(row * m, m)), constraints, sample_name(piece, row, index[static_cast<std::size_t>(row)]));
      rows.d.row(row) -= (A_row * constants).transpose();
    }
    target_distance = std::max(target_distance, move_onto_laws(rules, unshifted, shared ? physical : rows.A, rows.d, rows.y));
  }
};

}  // namespace

void require_numbers(const SampleSet& samples) {
  require_fixed(samples.layout);
  const auto expected = [&](std::int64_t elements) { return static_cast<std::size_t>(samples.samples * elements); };
  if (samples.inputs.size() != expected(samples.input_elements()))
    throw Error(Status::shape_mismatch, "inputs: expected " + std::to_string(expected(samples.input_elements())) +
                                            " numbers, found " + std::to_string(samples.inputs.size()));
  if (samples.outputs.size() != expected(samples.output_elements()))
    throw Error(Status::shape_mismatch, "outputs: expected " + std::to_string(expected(samples.output_elements())) +
                                            " numbers, found " + std::to_string(samples.outputs.size()) +
                                            " (training needs a reference)");
}

void read_in_order(const SubsetRows& rows, std::int64_t most,
                   const std::function<void(std::int64_t, StandardisedRows&)>& take) {
  StandardisedRows piece;
  for (std::int64_t first = 0; first < rows.count(); first += most) {
    std::vector<std::int64_t> places(static_cast<std::size_t>(std::min(most, rows.count() - first)));
    std::iota(places.begin(), places.end(), first);
    rows.gather(places, piece);
    take(first, piece);
  }
}

void require_closed(const Law& law, double residual, double term_magnitude, const std::string& sample) {
  const bool stated = law.physics_tolerance > 0.0;
  const double size = stated ? std::abs(residual) : relative_residual(residual, term_magnitude);
  const double limit = stated ? law.physics_tolerance : tolerances::identity::relative_fp64;
  if (size > limit)
    throw Error(Status::law_violated,
                "law '" + law.name + "' (" + law.equation + "): " + sample + " misses it by " +
                    text_of(std::abs(residual)) + " " + law.units + "; expected at most " + text_of(limit) +
                    (stated ? " " + law.units + " (the law's physics tolerance)"
                            : " of its terms (the law states no physics tolerance), found " + text_of(size)));
}

std::vector<float> standardise(const double* inputs, std::int64_t rows, const double* mean, const double* scale,
                               std::int64_t columns) {
  std::vector<float> x(static_cast<std::size_t>(rows * columns));
  for (std::int64_t row = 0; row < rows; ++row)
    for (std::int64_t j = 0; j < columns; ++j)
      x[static_cast<std::size_t>(row * columns + j)] =
          static_cast<float>((inputs[row * columns + j] - mean[j]) / scale[j]);
  return x;
}

RowMatrix spread(const RowMatrix& from, const std::vector<Index>& active, Index outputs) {
  if (static_cast<Index>(active.size()) == outputs) return from;
  RowMatrix to = RowMatrix::Zero(from.rows(), outputs);
  for (Index row = 0; row < from.rows(); ++row)
    for (std::size_t j = 0; j < active.size(); ++j) to(row, active[j]) = from(row, static_cast<Index>(j));
  return to;
}

std::string sample_name(const SampleSet& samples, std::int64_t row) { return sample_name(samples, row, row); }
std::string sample_name(const SampleSource& samples, std::int64_t row) {
  return sample_name(samples.read(row, 1), 0, row);
}

TrainingData::TrainingData(const SampleSet& samples, const LinearConstraints& constraints, bool with_validation,
                           const std::string& scaling, const TargetRules& rules)
    : TrainingData((require_numbers(samples), SampleSetSource(samples)), constraints,
                   with_validation, scaling, RowStorage{}, rules) {}

TrainingData::TrainingData(const SampleSource& all_samples, const LinearConstraints& constraints, bool with_validation,
                           const std::string& scaling, const RowStorage& storage, const TargetRules& rules) {
  const StoppableSource samples(all_samples, storage.stop);
  require_trainable(samples, constraints, with_validation);
  const bool by_magnitude = scaling == "max_abs";
  const FirstLook seen(samples, constraints, by_magnitude);
  const Index k = seen.inputs.mean.size(), n = seen.outputs.mean.size();
  digest = seen.digest;
  input_minimum = seen.inputs.minimum;
  input_maximum = seen.inputs.maximum;
  input_mean = by_magnitude ? Eigen::VectorXd::Zero(k) : seen.inputs.mean;
  input_scale = by_magnitude ? seen.input_magnitude : input_deviation(samples, seen.inputs.mean);
  for (Index j = 0; j < k; ++j)
    if (constant(input_minimum[j], input_maximum[j])) {
      input_mean[j] = input_minimum[j];
      input_scale[j] = 1.0;
    }
  for (const Index j : rules.unseen) {
    input_mean[j] = 0.0;
    input_scale[j] = 1e300;
  }
  output_mean = seen.outputs.mean;
  for (Index i = 0; i < n; ++i) {
    if (constant(seen.outputs.minimum[i], seen.outputs.maximum[i]))
      output_mean[i] = seen.outputs.minimum[i];
    else
      active.push_back(i);
  }
  for (Index place = 0; place < static_cast<Index>(active.size()); ++place)
    if (std::find(rules.unshifted.begin(), rules.unshifted.end(), active[static_cast<std::size_t>(place)]) !=
        rules.unshifted.end())
      unshifted.push_back(place);
  if (active.empty())
    throw Error(Status::invalid_argument, "every output is constant in training: there is nothing to learn");

  // The laws on the outputs that vary; the others' terms go to the right-hand side.
  const Index m = laws = constraints.rows(), varying = static_cast<Index>(active.size());
  const bool shared = m == 0 || constraints.shared();
  Mover mover{constraints, rules, active, unshifted, input_mean, input_scale, RowMatrix(shared ? m : 0, varying), output_mean, shared, 0.0, {}};
  for (const Index j : active) mover.constants[j] = 0.0;
  if (shared && m > 0) {
    mover.physical = constraints.A()(Eigen::all, active);
    require_rank(constraints.A(), mover.movable(mover.physical), constraints, "");
  }

  const RowShape shape{k, varying, m, !shared};
  row_bytes = shape.bytes();
  Eigen::VectorXd mean = Eigen::VectorXd::Zero(varying);
  for (const Subset subset : {Subset::training, Subset::validation}) {
    const std::int64_t count = samples.count(subset);
    const bool of_training = subset == Subset::training;
    if (storage.in_file)
      (of_training ? training_file : validation_file) = std::make_shared<RowsInFile>(
          storage.scratch, shape, count, of_training ? "training rows" : "validation rows");
    else
      RowsInMemory(of_training ? training : validation, shape, count);
    const std::shared_ptr<SubsetRows> rows = rows_of(subset);
    std::int64_t first = 0;
    for_each_piece(samples, subset, [&](const SampleSet& piece, const std::vector<std::int64_t>& index) {
      mover.move(piece, index);
      rows->write(first, mover.rows);
      first += piece.samples;
      for (Index row = 0; row < piece.samples && of_training; ++row) mean += mover.rows.y.row(row).transpose();
    });
  }
  target_distance = mover.target_distance;

  // Standardised units, from the targets as moved.
  const std::int64_t most = samples_of_piece(samples.layout());
  output_scale = Eigen::VectorXd::Zero(n);
  const auto count = static_cast<double>(samples.count(Subset::training));
  mean /= count;
  Eigen::VectorXd scale = Eigen::VectorXd::Zero(varying);
  std::vector<double> above(unshifted.size()), positive(unshifted.size());  // sums and numbers of values above 0
  read_in_order(*rows_of(Subset::training), most, [&](std::int64_t, StandardisedRows& piece) {
    require_going(storage.stop);
    for (Index row = 0; row < piece.count(); ++row) {
      scale += (piece.y.row(row).transpose() - mean).cwiseAbs2();
      for (std::size_t i = 0; i < unshifted.size(); ++i)
        if (const double value = piece.y(row, unshifted[i]); value > 0.0) {
          above[i] += value;
          positive[i] += 1.0;
        }
    }
  });
  scale = (scale / count).cwiseSqrt();
  if (by_magnitude) {
    mean.setZero();
    for (Index j = 0; j < varying; ++j)
      scale[j] = scale[j] > 0.0 ? seen.output_magnitude[active[static_cast<std::size_t>(j)]] : 0.0;
  }
  for (std::size_t i = 0; i < unshifted.size(); ++i) {
    const Index j = unshifted[i];
    mean[j] = 0.0;
    if (rules.counts)
      scale[j] = 1.0;
    else if (!by_magnitude && positive[i] > 0.0)
      scale[j] = above[i] / positive[i];
  }
  for (Index j = 0; j < varying; ++j) {
    if (!(scale[j] > 0.0))
      throw Error(Status::invalid_argument, "output " + std::to_string(active[static_cast<std::size_t>(j)]) +
                                                " varies in training, but not once it is moved onto the laws");
    output_mean[active[static_cast<std::size_t>(j)]] = mean[j];
    output_scale[active[static_cast<std::size_t>(j)]] = scale[j];
  }
  const RowMatrix& physical = mover.physical;
  A = physical * scale.asDiagonal();
  const Eigen::RowVectorXd shift =
      m > 0 && shared ? Eigen::RowVectorXd((physical * mean).transpose()) : Eigen::RowVectorXd();
  for (const Subset subset : {Subset::training, Subset::validation}) {
    const std::shared_ptr<SubsetRows> rows = rows_of(subset);
    read_in_order(*rows, most, [&](std::int64_t first, StandardisedRows& piece) {
      require_going(storage.stop);
      if (m > 0 && shared) piece.d.rowwise() -= shift;
      for (Index row = 0; row < piece.count() && !shared; ++row)
        piece.d.row(row) -= (piece.A.middleRows(row * m, m) * mean).transpose();
      if (!shared) piece.A = piece.A * scale.asDiagonal();
      piece.y = ((piece.y.rowwise() - mean.transpose()).array().rowwise() / scale.transpose().array()).matrix();
      rows->write(first, piece);
    });
  }
}

std::shared_ptr<SubsetRows> TrainingData::rows_of(Subset subset) {
  const bool of_training = subset == Subset::training;
  if (const auto& file = of_training ? training_file : validation_file) return file;
  return std::make_shared<RowsInMemory>(of_training ? training : validation);
}

}  // namespace lavoisier::detail
