#include "sample_statistics.hpp"

#include "training_data.hpp"

#include <algorithm>

namespace lavoisier::detail {

using Eigen::Index;

std::string sample_name(const SampleSet& piece, std::int64_t row, std::int64_t index) {
  std::string name = "sample " + std::to_string(index);
  const auto at = static_cast<std::size_t>(row);
  if (at < piece.column.size() && at < piece.step.size())
    name += " (column " + std::to_string(piece.column[at]) + ", step " + std::to_string(piece.step[at]) + ")";
  return name;
}

FirstLook::FirstLook(const SampleSource& samples, const LinearConstraints& constraints, bool all_finite)
    : inputs(samples.layout().elements(Role::input)),
      outputs(samples.layout().elements(Role::output)),
      input_magnitude(Eigen::VectorXd::Zero(inputs.mean.size())),
      output_magnitude(Eigen::VectorXd::Zero(outputs.mean.size())),
      broken_(constraints.laws().size()) {
  const std::int64_t most = samples_of_piece(samples.layout());
  for (std::int64_t first = 0; first < samples.samples(); first += most)
    look(samples.read(first, std::min(most, samples.samples() - first)), first, constraints, all_finite);
  for (const std::optional<Error>& error : broken_)
    if (error) throw *error;
  inputs.finish();
  outputs.finish();
  const std::string digests = inputs_hash_.digits() + outputs_hash_.digits() + subsets_hash_.digits();
  digest = sha256(std::as_bytes(std::span(digests)));
}

void FirstLook::look(const SampleSet& piece, std::int64_t first, const LinearConstraints& constraints,
                     bool all_finite) {
  const ConstRows x = inputs_of(piece), y = outputs_of(piece);
  const auto of = [&](std::int64_t row) {
    return piece.subset.empty() ? Subset::training : piece.subset[static_cast<std::size_t>(row)];
  };
  for (std::int64_t row = 0; row < piece.samples; ++row) {
    if ((all_finite || of(row) != Subset::test) && (!x.row(row).allFinite() || !y.row(row).allFinite()))
      throw Error(Status::non_finite, sample_name(piece, row, first + row) + " holds a value that is not finite");
    input_magnitude = input_magnitude.cwiseMax(x.row(row).transpose().cwiseAbs());
    output_magnitude = output_magnitude.cwiseMax(y.row(row).transpose().cwiseAbs());
    if (of(row) != Subset::training) continue;
    inputs.add(x, row);
    outputs.add(y, row);
  }
  inputs_hash_.add(std::as_bytes(std::span(piece.inputs)));
  outputs_hash_.add(std::as_bytes(std::span(piece.outputs)));
  subsets_hash_.add(std::as_bytes(std::span(piece.subset)));
  for (std::size_t l = 0; l < broken_.size(); ++l) {
    const Law& law = constraints.laws()[l];
    if (broken_[l] || law.scope == LawScope::global) continue;  // over all columns: not of a sample
    const Closure found = closure(law, piece.layout, constraints.constants(), x, y);
    for (std::int64_t row = 0; row < piece.samples && !broken_[l]; ++row) {
      if (of(row) == Subset::test) continue;
      try {
        require_closed(law, found.residual[row], found.term_magnitude[row], sample_name(piece, row, first + row));
      } catch (const Error& error) {
        broken_[l] = error;
      }
    }
  }
}

Eigen::VectorXd input_deviation(const SampleSource& samples, const Eigen::VectorXd& mean) {
  Eigen::VectorXd sum = Eigen::VectorXd::Zero(mean.size());
  for_each_piece(samples, Subset::training, [&](const SampleSet& piece, const std::vector<std::int64_t>&) {
    const ConstRows x = inputs_of(piece);
    for (Index row = 0; row < x.rows(); ++row) sum += (x.row(row).transpose() - mean).cwiseAbs2();
  });
  return (sum / static_cast<double>(samples.count(Subset::training))).cwiseSqrt();
}

}  // namespace lavoisier::detail
