#ifndef LAVOISIER_MODELS_TRAINING_DATA_HPP
#define LAVOISIER_MODELS_TRAINING_DATA_HPP

#include "subset_rows.hpp"

#include <lavoisier/linear_constraints.hpp>
#include <lavoisier/sample_source.hpp>

#include <atomic>
#include <cstdint>
#include <filesystem>
#include <functional>
#include <memory>
#include <string>
#include <vector>

namespace lavoisier::detail {

/// Where standardised rows are kept.
struct RowStorage {
  bool in_file = false;                      ///< in scratch files, else in memory
  std::filesystem::path scratch;             ///< their folder
  const std::atomic<bool>* stop = nullptr;   ///< asks to give up; looked at between two pieces
};

/// How a head that is not Gaussian has its targets, and which inputs the network does not see.
struct TargetRules {
  enum class Onto {
    orthogonal,  ///< the outputs that have a mean are moved, orthogonally
    shares,      ///< the outputs of a law are scaled by one factor
    nothing
  };
  std::vector<Eigen::Index> unshifted;  ///< outputs that have no mean taken off; their scale is the mean of those above 0
  Onto onto = Onto::orthogonal;
  bool counts = false;  ///< scale 1
  std::vector<Eigen::Index> unseen;  ///< inputs that have mean 0 and scale 1e300: 0 in FP32
};

/// What training needs of a sample set. All statistics are of the training rows alone, but for the scaling "max_abs": no
/// shift, and the largest |value| over all rows, test rows included, as published protocols have it.
///
/// An input that is constant in training has scale 1. An output that is constant in training is left out: it is no
/// column of y and A, its scale is 0, and the model generates its value with deviation 0. Targets are moved
/// orthogonally (physical units) onto the laws, the constant outputs staying where they are.
struct TrainingData {
  TrainingData() = default;  ///< empty: others fill it in
  /// Errors: law_violated (a target beyond a law's physics tolerance: law and sample named), rank_deficient (laws among
  /// the constant outputs, or that lose rank for a sample: named), non_finite (row named), invalid_argument, unsupported.
  TrainingData(const SampleSet& samples, const LinearConstraints& constraints, bool with_validation,
               const std::string& scaling = "standard", const TargetRules& rules = {});
  /// The same from samples that are read a piece at a time (samples_of_piece), with the same bits: all sums are over the
  /// samples in their order. Error(interrupted) where storage.stop turned true.
  TrainingData(const SampleSource& samples, const LinearConstraints& constraints, bool with_validation,
               const std::string& scaling, const RowStorage& storage, const TargetRules& rules = {});

  /// The rows of `training` or `validation`, wherever they are; refers to this object.
  std::shared_ptr<SubsetRows> rows_of(Subset subset);

  Eigen::VectorXd input_mean, input_scale, input_minimum, input_maximum;
  Eigen::VectorXd output_mean, output_scale;
  std::vector<Eigen::Index> active;  ///< outputs that vary
  std::vector<Eigen::Index> unshifted;  ///< places among these, of TargetRules
  RowMatrix A;                       ///< laws x active outputs, standardised units; 0 x active where samples differ
  Eigen::Index laws = 0;
  StandardisedRows training, validation;  ///< empty where they are in files
  std::shared_ptr<RowsInFile> training_file, validation_file;
  std::int64_t row_bytes = 0;        ///< of one row of them
  double target_distance = 0.0;      ///< largest move of a target, physical units
  std::string digest;                ///< SHA-256 of inputs, outputs and subsets
};

/// Error(law_violated) if a reference misses a law by more than the law says it may.
void require_closed(const Law& law, double residual, double term_magnitude, const std::string& sample);

/// Error(shape_mismatch) unless the set has the numbers that its layout says, outputs too; unsupported where it is
/// ragged.
void require_numbers(const SampleSet& samples);

/// All rows in the order of their places, `most` at a time.
void read_in_order(const SubsetRows& rows, std::int64_t most,
                   const std::function<void(std::int64_t first, StandardisedRows& piece)>& take);

/// (x - mean) / scale in FP64, rounded once.
std::vector<float> standardise(const double* inputs, std::int64_t rows, const double* mean, const double* scale,
                               std::int64_t columns);

/// Columns of the active outputs among all; the others are 0.
RowMatrix spread(const RowMatrix& from, const std::vector<Eigen::Index>& active, Eigen::Index outputs);

/// "sample 17 (column 204, step 3)": how messages name a row of a sample set.
std::string sample_name(const SampleSet& samples, std::int64_t row);
std::string sample_name(const SampleSource& samples, std::int64_t row);

}  // namespace lavoisier::detail

#endif
