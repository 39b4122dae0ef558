#ifndef LAVOISIER_BENCH_COLUMN_STUDY_HPP
#define LAVOISIER_BENCH_COLUMN_STUDY_HPP

// Trains emulators of a column's physics under one protocol and scores the ensembles that the plugin draws of them.

#include <lavoisier/domain.hpp>
#include <lavoisier/training.hpp>

#include <filesystem>
#include <memory>
#include <string>
#include <vector>

namespace lavoisier::bench {

/// One training and its ensemble.
struct ColumnRun {
  std::string name;                ///< of the row in tables
  TrainingOptions training;
  std::int64_t members = 32;       ///< 3 or more
  bool calibrate = false;          ///< deviations, on the validation columns (train --calibrate)
};

/// Of the columns of one subset; scores of outputs are in units of their standard deviation in training.
struct ColumnScores {
  std::vector<double> crps;          ///< one an output: fair, of the members
  std::vector<double> coverage90;    ///< one an output: randomised PIT within [.05, .95]
  double crps_mean = 0.0;
  double crps_convection = 0.0;      ///< of the tenth of the columns where a fixed model expects most convective rain
  double energy_integrated = 0.0;    ///< fair energy score of column-integrated heating and moistening, W m-2
  double r2_temperature = 0.0, r2_humidity = 0.0;  ///< of the mean, mean over levels
  double max_relative_violation = 0.0;
  double law_rms = 0.0, law_max = 0.0;             ///< of the law named "energy", its own units
  std::int64_t negative_rain = 0;    ///< values below 0 among all members' rain
  std::int64_t without_result = 0;   ///< columns that the plugin flagged and did not draw
  double factor = 1.0;             ///< of calibrated deviations
  double training_seconds = 0.0, sampling_seconds = 0.0;
  std::int64_t best_epoch = 0;
};

/// The data of one domain, read once.
class ColumnStudy {
 public:
  /// `limit`: of the training columns (evenly chosen; 0: all). Fits the fixed model of convective rain.
  ColumnStudy(const std::string& domain, const std::filesystem::path& data, std::int64_t limit, std::int64_t epochs_of_fixed);
  ~ColumnStudy();
  ColumnScores run(const ColumnRun& run, Subset subset) const;
  const std::vector<std::string>& output_names() const;  ///< "tntmp[0]", one an output element

 private:
  struct Implementation;
  std::unique_ptr<Implementation> implementation_;
};

}  // namespace lavoisier::bench

#endif
