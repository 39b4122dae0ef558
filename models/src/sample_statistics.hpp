#ifndef LAVOISIER_MODELS_SAMPLE_STATISTICS_HPP
#define LAVOISIER_MODELS_SAMPLE_STATISTICS_HPP

#include <lavoisier/files.hpp>
#include <lavoisier/linear_constraints.hpp>
#include <lavoisier/sample_source.hpp>
#include <lavoisier/status.hpp>

#include <cstdint>
#include <optional>
#include <string>
#include <vector>

namespace lavoisier::detail {

using ConstRows = Eigen::Map<const RowMatrix>;
inline ConstRows inputs_of(const SampleSet& piece) {
  return {piece.inputs.data(), piece.samples, piece.input_elements()};
}
inline ConstRows outputs_of(const SampleSet& piece) {
  return {piece.outputs.data(), piece.samples, piece.output_elements()};
}

/// "sample 17 (column 204, step 3)": the piece's row that has index 17 among all samples.
std::string sample_name(const SampleSet& piece, std::int64_t row, std::int64_t index);

/// Of columns, over rows in their order: sums have the same bits however the rows are cut into pieces.
struct ColumnStatistics {
  explicit ColumnStatistics(Eigen::Index columns) : mean(Eigen::VectorXd::Zero(columns)) {}
  Eigen::VectorXd mean, minimum, maximum;
  std::int64_t rows = 0;
  void add(const ConstRows& values, Eigen::Index row) {
    const Eigen::VectorXd value = values.row(row).transpose();
    mean += value;
    minimum = rows == 0 ? value : minimum.cwiseMin(value);
    maximum = rows == 0 ? value : maximum.cwiseMax(value);
    ++rows;
  }
  void finish() { mean /= static_cast<double>(rows); }
};

/// Everything that the first reading of the samples finds. Errors: non_finite (of a sample for training or validation;
/// of any with `all_finite`), law_violated; both name the sample.
struct FirstLook {
  FirstLook(const SampleSource& samples, const LinearConstraints& constraints, bool all_finite);
  ColumnStatistics inputs, outputs;                   ///< of the training samples
  Eigen::VectorXd input_magnitude, output_magnitude;  ///< largest |value| of all samples
  std::string digest;

 private:
  void look(const SampleSet& piece, std::int64_t first, const LinearConstraints& constraints, bool all_finite);
  std::vector<std::optional<Error>> broken_;  ///< by law: its first sample that is too far from it
  Sha256 inputs_hash_, outputs_hash_, subsets_hash_;
};

/// Root mean square distance of the training samples' inputs from their mean.
Eigen::VectorXd input_deviation(const SampleSource& samples, const Eigen::VectorXd& mean);

}  // namespace lavoisier::detail

#endif
