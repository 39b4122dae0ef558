#include "training_data.hpp"

#include "options.hpp"

#include <lavoisier/conditional_gaussian.hpp>
#include <lavoisier/files.hpp>
#include <lavoisier/status.hpp>
#include <lavoisier/tolerances.hpp>

#include <algorithm>
#include <cmath>
#include <cstring>

namespace lavoisier::detail {
namespace {

using Eigen::Index;
using ConstRows = Eigen::Map<const RowMatrix>;

void require_shapes(const SampleSet& samples, const LinearConstraints& constraints) {
  for (const Variable& variable : samples.layout.variables())
    if (samples.layout.is_ragged(variable))
      throw Error(Status::unsupported, "variable '" + variable.name + "' is ragged: this release trains fixed layouts only");
  const std::int64_t n = samples.output_elements();
  const auto expected = [&](std::int64_t elements) { return static_cast<std::size_t>(samples.samples * elements); };
  if (samples.inputs.size() != expected(samples.input_elements()))
    throw Error(Status::shape_mismatch, "inputs: expected " + std::to_string(expected(samples.input_elements())) +
                                            " numbers, found " + std::to_string(samples.inputs.size()));
  if (samples.outputs.size() != expected(n))
    throw Error(Status::shape_mismatch, "outputs: expected " + std::to_string(expected(n)) + " numbers, found " +
                                            std::to_string(samples.outputs.size()) + " (training needs a reference)");
  if (samples.input_elements() < 1 || n < 1)
    throw Error(Status::invalid_argument, "training needs at least one input and one output");
  if (constraints.outputs() != n)
    throw Error(Status::shape_mismatch, "laws over " + std::to_string(constraints.outputs()) +
                                            " outputs, samples with " + std::to_string(n));
}

std::vector<std::int64_t> rows_of(const SampleSet& samples, Subset subset, bool split) {
  std::vector<std::int64_t> rows;
  for (std::int64_t row = 0; row < samples.samples; ++row)
    if (split ? samples.subset[static_cast<std::size_t>(row)] == subset : subset == Subset::training) rows.push_back(row);
  return rows;
}

/// Is the column constant up to rounding?
bool constant(double minimum, double maximum) {
  return maximum - minimum <= 1e-13 * std::max(std::abs(minimum), std::abs(maximum));
}

struct Statistics {
  Eigen::VectorXd mean, deviation, minimum, maximum;
};
Statistics statistics(const ConstRows& values, const std::vector<std::int64_t>& rows) {
  const Index columns = values.cols();
  Statistics result{Eigen::VectorXd::Zero(columns), Eigen::VectorXd::Zero(columns), values.row(rows[0]).transpose(),
                    values.row(rows[0]).transpose()};
  for (const std::int64_t row : rows) {
    result.mean += values.row(row).transpose();
    result.minimum = result.minimum.cwiseMin(values.row(row).transpose());
    result.maximum = result.maximum.cwiseMax(values.row(row).transpose());
  }
  result.mean /= static_cast<double>(rows.size());
  for (const std::int64_t row : rows) result.deviation += (values.row(row).transpose() - result.mean).cwiseAbs2();
  result.deviation = (result.deviation / static_cast<double>(rows.size())).cwiseSqrt();
  return result;
}

/// Refuses a reference that breaks a law by more than the law says it may.
void require_lawful(const SampleSet& samples, const LinearConstraints& constraints, const ConstRows& inputs,
                    const ConstRows& outputs, const std::vector<std::int64_t>& rows,
                    const std::vector<Constant>& constants) {
  for (const Law& law : constraints.laws()) {
    const Closure found = closure(law, samples.layout, constants, inputs, outputs);
    for (const std::int64_t row : rows)
      require_closed(law, found.residual[row], found.term_magnitude[row], sample_name(samples, row));
  }
}

/// Laws that only bind constant outputs leave nothing that the model could move; they must be taken out. `A`: all outputs,
/// `active`: its columns that vary. `sample`: empty where all samples share A.
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

std::string digest_of(const SampleSet& samples) {
  std::vector<std::byte> bytes;
  const auto append = [&](const void* data, std::size_t size) {
    const auto* first = static_cast<const std::byte*>(data);
    bytes.insert(bytes.end(), first, first + size);
  };
  append(samples.inputs.data(), samples.inputs.size() * sizeof(double));
  append(samples.outputs.data(), samples.outputs.size() * sizeof(double));
  append(samples.subset.data(), samples.subset.size());
  return sha256(bytes);
}

}  // namespace

RowMatrix spread(const RowMatrix& from, const std::vector<Index>& active, Index outputs) {
  if (static_cast<Index>(active.size()) == outputs) return from;
  RowMatrix to = RowMatrix::Zero(from.rows(), outputs);
  for (Index row = 0; row < from.rows(); ++row)
    for (std::size_t j = 0; j < active.size(); ++j) to(row, active[j]) = from(row, static_cast<Index>(j));
  return to;
}

std::string sample_name(const SampleSet& samples, std::int64_t row) {
  std::string name = "sample " + std::to_string(row);
  const auto at = static_cast<std::size_t>(row);
  if (at < samples.column.size() && at < samples.step.size())
    name += " (column " + std::to_string(samples.column[at]) + ", step " + std::to_string(samples.step[at]) + ")";
  return name;
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
      x[static_cast<std::size_t>(row * columns + j)] = static_cast<float>((inputs[row * columns + j] - mean[j]) / scale[j]);
  return x;
}

TrainingData::TrainingData(const SampleSet& samples, const LinearConstraints& constraints, bool with_validation,
                           const std::string& scaling, const TargetRules& rules) {
  require_shapes(samples, constraints);
  const Index k = static_cast<Index>(samples.input_elements()), n = static_cast<Index>(samples.output_elements());
  const ConstRows inputs(samples.inputs.data(), samples.samples, k);
  const ConstRows outputs(samples.outputs.data(), samples.samples, n);
  const bool split = !samples.subset.empty();
  training.rows = rows_of(samples, Subset::training, split);
  validation.rows = rows_of(samples, Subset::validation, split);
  if (training.rows.empty()) throw Error(Status::invalid_argument, "no sample is in the training subset");
  if (validation.rows.empty() && with_validation)
    throw Error(Status::invalid_argument,
                "no sample is in the validation subset, by which the best epoch is chosen: split the data, or select "
                "the 'last' epoch");
  std::vector<std::int64_t> used = training.rows;
  used.insert(used.end(), validation.rows.begin(), validation.rows.end());
  for (const std::int64_t row : used)
    if (!inputs.row(row).allFinite() || !outputs.row(row).allFinite())
      throw Error(Status::non_finite, sample_name(samples, row) + " holds a value that is not finite");
  digest = digest_of(samples);
  require_lawful(samples, constraints, inputs, outputs, used, constraints.constants());

  const Statistics in = statistics(inputs, training.rows);
  input_mean = in.mean;
  input_scale = in.deviation;
  input_minimum = in.minimum;
  input_maximum = in.maximum;
  const bool by_magnitude = scaling == "max_abs";
  if (by_magnitude) {
    for (std::int64_t row = 0; row < samples.samples; ++row)
      if (!inputs.row(row).allFinite() || !outputs.row(row).allFinite())
        throw Error(Status::non_finite, sample_name(samples, row) + " holds a value that is not finite");
    input_mean.setZero();
    input_scale = inputs.cwiseAbs().colwise().maxCoeff().transpose();
  }
  for (Index j = 0; j < k; ++j)
    if (constant(in.minimum[j], in.maximum[j])) {
      input_mean[j] = in.minimum[j];
      input_scale[j] = 1.0;
    }

  const Statistics out = statistics(outputs, training.rows);
  output_mean = out.mean;
  for (Index i = 0; i < n; ++i) {
    if (constant(out.minimum[i], out.maximum[i]))
      output_mean[i] = out.minimum[i];
    else
      active.push_back(i);
  }
  for (Index place = 0; place < static_cast<Index>(active.size()); ++place)
    if (std::find(rules.unshifted.begin(), rules.unshifted.end(), active[static_cast<std::size_t>(place)]) !=
        rules.unshifted.end())
      unshifted.push_back(place);
  // What the laws may move: under rules that move signed outputs alone, these.
  const auto movable = [&](RowMatrix laws_on_active) {
    if (rules.onto == TargetRules::Onto::orthogonal)
      for (const Index place : unshifted) laws_on_active.col(place).setZero();
    return laws_on_active;
  };
  if (active.empty())
    throw Error(Status::invalid_argument, "every output is constant in training: there is nothing to learn");

  // The laws on the outputs that vary; the others' terms go to the right-hand side.
  const Index m = laws = constraints.rows(), varying = static_cast<Index>(active.size());
  const bool shared = m == 0 || constraints.shared();
  Eigen::VectorXd constants = output_mean;
  for (const Index j : active) constants[j] = 0.0;
  RowMatrix physical(shared ? m : 0, varying);
  if (shared && m > 0) {
    physical = constraints.A()(Eigen::all, active);
    require_rank(constraints.A(), movable(physical), constraints, "");
  }

  const auto gather = [&](StandardisedRows& part) {
    const Index count = static_cast<Index>(part.rows.size());
    RowMatrix chosen(count, k);
    part.y.resize(count, varying);
    for (Index row = 0; row < count; ++row) {
      const std::int64_t from = part.rows[static_cast<std::size_t>(row)];
      chosen.row(row) = inputs.row(from);
      for (Index j = 0; j < varying; ++j) part.y(row, j) = outputs(from, active[static_cast<std::size_t>(j)]);
    }
    part.x = standardise(chosen.data(), count, input_mean.data(), input_scale.data(), k);
    part.d.resize(count, m);
    part.A.resize(shared ? 0 : count * m, varying);
    if (m == 0 || count == 0) return;
    part.d = constraints.right_hand_side(chosen);
    if (shared) part.d.rowwise() -= (constraints.A() * constants).transpose();
    for (Index row = 0; row < count && !shared; ++row) {
      const RowMatrix A_row = constraints.A({chosen.data() + row * k, static_cast<std::size_t>(k)});
      part.A.middleRows(row * m, m) = A_row(Eigen::all, active);
      require_rank(A_row, movable(part.A.middleRows(row * m, m)), constraints,
                   sample_name(samples, part.rows[static_cast<std::size_t>(row)]));
      part.d.row(row) -= (A_row * constants).transpose();
    }
    target_distance =
        std::max(target_distance, move_onto_laws(rules, unshifted, shared ? physical : part.A, part.d, part.y));
  };
  gather(training);
  gather(validation);

  // Standardised units, from the targets as moved.
  output_scale = Eigen::VectorXd::Zero(n);
  Eigen::VectorXd mean(varying), scale(varying);
  mean = training.y.colwise().mean().transpose();
  scale = ((training.y.rowwise() - mean.transpose()).colwise().squaredNorm() / static_cast<double>(training.y.rows()))
              .cwiseSqrt()
              .transpose();
  if (by_magnitude) {
    mean.setZero();
    for (Index j = 0; j < varying; ++j)
      scale[j] = scale[j] > 0.0 ? outputs.col(active[static_cast<std::size_t>(j)]).cwiseAbs().maxCoeff() : 0.0;
  }
  for (const Index j : unshifted) {
    const auto above = training.y.col(j).array().max(0.0);
    mean[j] = 0.0;
    if (rules.counts)
      scale[j] = 1.0;
    else if (!by_magnitude && above.maxCoeff() > 0.0)
      scale[j] = above.sum() / static_cast<double>((above > 0.0).count());
  }
  for (Index j = 0; j < varying; ++j) {
    if (!(scale[j] > 0.0))
      throw Error(Status::invalid_argument, "output " + std::to_string(active[static_cast<std::size_t>(j)]) +
                                                " varies in training, but not once it is moved onto the laws");
    output_mean[active[static_cast<std::size_t>(j)]] = mean[j];
    output_scale[active[static_cast<std::size_t>(j)]] = scale[j];
  }
  A = physical * scale.asDiagonal();
  for (StandardisedRows* part : {&training, &validation}) {
    if (m > 0 && shared) part->d.rowwise() -= (physical * mean).transpose();
    for (Index row = 0; row < part->d.rows() && !shared; ++row)
      part->d.row(row) -= (part->A.middleRows(row * m, m) * mean).transpose();
    if (!shared) part->A = part->A * scale.asDiagonal();
    part->y = ((part->y.rowwise() - mean.transpose()).array().rowwise() / scale.transpose().array()).matrix();
  }
}

}  // namespace lavoisier::detail
