#include <lavoisier/linear_constraints.hpp>

#include "law_values.hpp"
#include "law_matrix.hpp"

#include <lavoisier/tolerances.hpp>

#include <algorithm>
#include <cmath>
#include <cstdint>
#include <cstdio>
#include <numeric>

namespace lavoisier {

namespace {

/// Laws that depend on inputs are compared at this many points of input space, the same ones always. Coefficients and
/// right-hand sides are rational functions of the inputs: two that agree at random points are equal, but for a set of
/// points of measure zero.
constexpr std::size_t probes = 5;

/// A fixed sequence (SplitMix64, Steele et al. 2014) of numbers in (-2, -1/2) and (1/2, 2): away from zero, so that
/// quotients stay tame.
class ProbeSequence {
 public:
  double next() noexcept {
    state_ += 0x9E3779B97F4A7C15ull;
    std::uint64_t word = state_;
    word = (word ^ (word >> 30)) * 0xBF58476D1CE4E5B9ull;
    word = (word ^ (word >> 27)) * 0x94D049BB133111EBull;
    word ^= word >> 31;
    const double uniform = static_cast<double>(word >> 12) * 0x1.0p-52;
    return (word & 1u ? -1.0 : 1.0) * (0.5 + 1.5 * uniform);
  }

 private:
  std::uint64_t state_ = 0;
};

/// One law at one probe: its row scaled to unit norm, and the right-hand side on the same scale.
struct ScaledRow {
  Eigen::VectorXd row;
  double right_hand_side = 0.0;
};

/// Orthonormal basis of the rows taken so far at one probe, and what each of them is made of.
struct Basis {
  std::vector<Eigen::VectorXd> directions;
  std::vector<Eigen::VectorXd> parts;  ///< row k = sum of parts[k][q] directions[q]
  std::vector<double> right_hand_sides;

  /// What is left of a row outside the span (Gram-Schmidt, twice: once loses digits where little is left).
  Eigen::VectorXd remainder(const Eigen::VectorXd& row, Eigen::VectorXd& part) const {
    Eigen::VectorXd rest = row;
    part = Eigen::VectorXd::Zero(static_cast<Eigen::Index>(directions.size()));
    for (int pass = 0; pass < 2; ++pass)
      for (std::size_t q = 0; q < directions.size(); ++q) {
        const double component = directions[q].dot(rest);
        rest -= component * directions[q];
        part[static_cast<Eigen::Index>(q)] += component;
      }
    return rest;
  }

  void add(const ScaledRow& scaled, const Eigen::VectorXd& rest, const Eigen::VectorXd& part) {
    const double length = rest.norm();
    Eigen::VectorXd whole(part.size() + 1);
    whole << part, length;
    directions.push_back(rest / length);
    parts.push_back(std::move(whole));
    right_hand_sides.push_back(scaled.right_hand_side);
  }

  /// Coefficients c with part = sum of c[k] parts[k].
  Eigen::VectorXd combination(Eigen::VectorXd part) const {
    Eigen::VectorXd c(part.size());
    for (Eigen::Index k = part.size(); k-- > 0;) {
      c[k] = part[k] / parts[static_cast<std::size_t>(k)][k];
      for (Eigen::Index q = 0; q <= k; ++q) part[q] -= c[k] * parts[static_cast<std::size_t>(k)][q];
    }
    return c;
  }
};

std::string join(const std::vector<std::string>& names) {
  std::string text;
  for (std::size_t i = 0; i < names.size(); ++i) {
    if (i > 0) text += i + 1 == names.size() ? " and " : ", ";
    text += "'" + names[i] + "'";
  }
  return text;
}

std::string scientific(double number) {
  char text[32];
  std::snprintf(text, sizeof text, "%.3g", number);
  return text;
}

Eigen::VectorXd row_of(const Law& law, const detail::LawValues& values, Eigen::Index outputs) {
  Eigen::VectorXd row = Eigen::VectorXd::Zero(outputs);
  for (const LawTerm& term : law.terms) {
    const std::vector<double> coefficients = values.coefficients(term);
    const Eigen::Index first = values.offset(term);
    for (std::size_t i = 0; i < coefficients.size(); ++i) {
      if (!std::isfinite(coefficients[i]))
        throw Error(Status::non_finite, "law '" + law.name + "': the coefficient of '" + term.variable + "' (element " +
                                            std::to_string(i) + ") is not finite");
      row[first + static_cast<Eigen::Index>(i)] += coefficients[i];
    }
  }
  return row;
}

double right_hand_side_of(const Law& law, const detail::LawValues& values) {
  const double b = values.scalar(law.right_hand_side);
  if (!std::isfinite(b))
    throw Error(Status::non_finite, "law '" + law.name + "': the right-hand side is not finite");
  return b;
}

ScaledRow scaled_row(const Law& law, const detail::LawValues& values, Eigen::Index outputs) {
  ScaledRow scaled{row_of(law, values, outputs), right_hand_side_of(law, values)};
  const double norm = scaled.row.stableNorm();
  if (norm == 0.0)
    throw Error(Status::invalid_argument,
                "law '" + law.name + "': every coefficient is zero, so it says nothing about the outputs");
  scaled.row /= norm;
  scaled.right_hand_side /= norm;
  return scaled;
}

}  // namespace

LinearConstraints::LinearConstraints(const StateLayout& layout, std::vector<Law> laws, std::vector<Constant> constants)
    : layout_(layout), laws_(std::move(laws)), constants_(std::move(constants)) {
  for (const Variable& variable : layout_.variables())
    if (variable.role != Role::diagnostic && layout_.is_ragged(variable))
      throw Error(Status::unsupported, "variable '" + variable.name +
                                           "' is ragged: laws as one matrix need a fixed layout");
  outputs_ = layout_.elements(Role::output);
  const auto inputs = static_cast<std::size_t>(layout_.elements(Role::input));
  detail::LawValues values(layout_, constants_);

  std::vector<const Law*> local;
  std::vector<std::string> names;
  for (const Law& law : laws_) {
    validate_law(law, layout_, constants_);
    if (std::find(names.begin(), names.end(), law.name) != names.end())
      throw Error(Status::invalid_argument, "two laws are named '" + law.name + "'");
    names.push_back(law.name);
    if (law.scope == LawScope::local) local.push_back(&law);
  }
  bool right_hand_sides_shared = true;
  for (const Law* law : local) {
    for (const LawTerm& term : law->terms) shared_ = shared_ && values.is_shared(term.coefficient);
    right_hand_sides_shared = right_hand_sides_shared && values.is_shared(law->right_hand_side);
  }

  std::vector<std::vector<double>> point(shared_ && right_hand_sides_shared ? 1 : probes,
                                          std::vector<double>(inputs));
  ProbeSequence sequence;
  for (auto& values_of_point : point)
    for (double& value : values_of_point) value = sequence.next();

  const double rank = tolerances::identity::rank;
  std::vector<Basis> bases(point.size());
  for (const Law* law : local) {
    const std::size_t points = point.size();
    std::vector<ScaledRow> rows(points);
    std::vector<Eigen::VectorXd> rest(points), part(points);
    LawReport entry{law->name, false, {}, 0.0};
    for (std::size_t p = 0; p < points; ++p) {
      values.set_inputs(point[p]);
      rows[p] = scaled_row(*law, values, outputs_);
      rest[p] = bases[p].remainder(rows[p].row, part[p]);
      entry.scaled_pivot = std::max(entry.scaled_pivot, rest[p].norm());
    }
    // Dependent means at every point: laws that lose rank for some inputs only are a matter of the sample.
    if (entry.scaled_pivot > rank) {
      // A point where this law happens to follow from the others has nothing more to say.
      std::vector<std::vector<double>> kept_points;
      std::vector<Basis> kept_bases;
      for (std::size_t p = 0; p < point.size(); ++p) {
        if (!(rest[p].norm() > rank)) continue;
        bases[p].add(rows[p], rest[p], part[p]);
        kept_points.push_back(std::move(point[p]));
        kept_bases.push_back(std::move(bases[p]));
      }
      point = std::move(kept_points);
      bases = std::move(kept_bases);
      independent_.push_back(*law);
      report_.push_back(std::move(entry));
      continue;
    }
    bool consistent = true;
    double difference = 0.0;
    std::vector<bool> involved(independent_.size(), false);
    for (std::size_t p = 0; p < points; ++p) {
      const Eigen::VectorXd c = bases[p].combination(part[p]);
      double implied = 0.0, magnitude = std::abs(rows[p].right_hand_side);
      for (Eigen::Index k = 0; k < c.size(); ++k) {
        const double b = bases[p].right_hand_sides[static_cast<std::size_t>(k)];
        implied += c[k] * b;
        magnitude += std::abs(c[k] * b);
        if (std::abs(c[k]) > std::sqrt(rank)) involved[static_cast<std::size_t>(k)] = true;
      }
      if (std::abs(rows[p].right_hand_side - implied) > rank * magnitude) {
        consistent = false;
        difference = rows[p].right_hand_side - implied;
      }
    }
    for (std::size_t k = 0; k < involved.size(); ++k)
      if (involved[k]) entry.implied_by.push_back(independent_[k].name);
    if (!consistent)
      throw Error(Status::inconsistent_laws,
                  "law '" + law->name + "' contradicts " + join(entry.implied_by) +
                      ": its left-hand side follows from theirs, its right-hand side does not (scaled rows differ by " +
                      scientific(difference) + (points > 1 ? " at one choice of inputs)" : ")"));
    entry.redundant = true;
    report_.push_back(std::move(entry));
  }

  if (shared_) {
    A_.resize(rows(), outputs_);
    values.set_inputs({});
    for (Eigen::Index k = 0; k < rows(); ++k)
      A_.row(k) = row_of(independent_[static_cast<std::size_t>(k)], values, outputs_).transpose();
  }
}

const RowMatrix& LinearConstraints::A() const {
  if (!shared_)
    throw Error(Status::unsupported, "the laws' coefficients depend on the inputs: ask for A of a sample");
  return A_;
}

RowMatrix LinearConstraints::A(std::span<const double> inputs) const {
  if (static_cast<std::int64_t>(inputs.size()) != layout_.elements(Role::input))
    throw Error(Status::shape_mismatch, "A: " + std::to_string(inputs.size()) + " inputs, expected " +
                                            std::to_string(layout_.elements(Role::input)));
  if (shared_) return A_;
  detail::LawValues values(layout_, constants_);
  values.set_inputs(inputs);
  RowMatrix result(rows(), outputs_);
  for (Eigen::Index k = 0; k < rows(); ++k)
    result.row(k) = row_of(independent_[static_cast<std::size_t>(k)], values, outputs_).transpose();
  return result;
}

RowMatrix LinearConstraints::stacked_A(const Eigen::Ref<const RowMatrix>& inputs, BadRow bad_row) const {
  detail::require_shape("stacked_A", "inputs", inputs.rows(), inputs.cols(), inputs.rows(),
                        layout_.elements(Role::input));
  detail::LawValues values(layout_, constants_);
  const Eigen::Index samples = inputs.rows(), m = rows();
  RowMatrix result = RowMatrix::Zero(samples * m, outputs_);
  const auto at = [&](Eigen::Index s) {
    values.set_inputs({inputs.data() + s * inputs.outerStride(), static_cast<std::size_t>(inputs.cols())});
  };
  for (Eigen::Index k = 0; k < m; ++k)
    for (const LawTerm& term : independent_[static_cast<std::size_t>(k)].terms) {
      const bool shared = values.is_shared(term.coefficient);
      const Eigen::Index first = values.offset(term);
      std::vector<double> coefficients;
      for (Eigen::Index s = 0; s < samples; ++s) {
        if (s == 0 || !shared) {
          at(s);
          coefficients = values.coefficients(term);
        }
        double* const row = result.data() + (s * m + k) * outputs_ + first;
        for (std::size_t i = 0; i < coefficients.size(); ++i) row[i] += coefficients[i];
      }
    }
  if (bad_row == BadRow::keep) return result;
  for (Eigen::Index s = 0; s < samples; ++s)
    for (Eigen::Index k = 0; k < m; ++k) {
      const double* const row = result.data() + (s * m + k) * outputs_;
      const auto where = [&] {
        return "stacked_A: law '" + independent_[static_cast<std::size_t>(k)].name + "' (row " + std::to_string(k) +
               "), sample " + std::to_string(s) + ": ";
      };
      bool zero = true;
      for (Eigen::Index j = 0; j < outputs_; ++j) {
        zero = zero && row[j] == 0.0;
        if (!std::isfinite(row[j]))
          throw Error(Status::non_finite, where() + "the coefficient of output " + std::to_string(j) + " is " +
                                              scientific(row[j]) + ", expected a finite number");
      }
      if (zero)
        throw Error(Status::rank_deficient, where() + "every coefficient is zero, expected the coefficients of a law");
    }
  return result;
}

RowMatrix LinearConstraints::right_hand_side(const Eigen::Ref<const RowMatrix>& inputs) const {
  detail::require_shape("right_hand_side", "inputs", inputs.rows(), inputs.cols(), inputs.rows(),
                        layout_.elements(Role::input));
  detail::LawValues values(layout_, constants_);
  RowMatrix result(inputs.rows(), rows());
  for (Eigen::Index k = 0; k < rows(); ++k) {
    const Expression& expression = independent_[static_cast<std::size_t>(k)].right_hand_side;
    const bool shared = values.is_shared(expression);
    for (Eigen::Index s = 0; s < inputs.rows(); ++s) {
      if (shared && s > 0) {
        result(s, k) = result(0, k);
        continue;
      }
      values.set_inputs({inputs.data() + s * inputs.outerStride(), static_cast<std::size_t>(inputs.cols())});
      result(s, k) = values.scalar(expression);
    }
  }
  return result;
}

}  // namespace lavoisier
