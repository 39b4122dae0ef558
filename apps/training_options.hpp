#ifndef LAVOISIER_APPS_TRAINING_OPTIONS_HPP
#define LAVOISIER_APPS_TRAINING_OPTIONS_HPP

#include "options.hpp"

#include <lavoisier/domain.hpp>
#include <lavoisier/sample_file.hpp>
#include <lavoisier/sample_set.hpp>
#include <lavoisier/sample_source.hpp>
#include <lavoisier/training.hpp>

#include <filesystem>
#include <map>
#include <optional>
#include <string>
#include <vector>

namespace lavoisier::cli {

const std::vector<std::string>& strategy_words();
const std::vector<std::string>& loss_words();
const std::vector<std::string>& estimator_words();
/// "128,128" -> widths; UsageError names the option.
std::vector<std::int64_t> widths_from(const std::vector<std::string>& words, const std::string& name);

/// What the domain decides: inputs that the network does not see, categories of graphs. UsageError where the generator is not one
/// of graphs and the samples are, or the other way round, and for what is not to be had of graphs.
void fit_to_domain(TrainingOptions& options, const Domain& domain);

/// What a model file says of where it comes from: version, domain, data and their digests.
std::map<std::string, std::string> provenance_of(const Domain& domain, const std::vector<std::string>& files);

/// Loads the files, refuses a set without training or validation samples.
SampleSet load_training_data(const Domain& domain, const std::vector<std::string>& files, bool drop_incomplete,
                             LoadReport* report = nullptr);

/// What a training reads, in memory or in a scratch file.
class TrainingSamples {
 public:
  /// As load_training_data. `scratch`: the folder of a scratch file; empty: in memory.
  TrainingSamples(const Domain& domain, const std::vector<std::string>& files, bool drop_incomplete,
                  const std::filesystem::path& scratch);
  TrainingSamples(const TrainingSamples&) = delete;
  TrainingSamples& operator=(const TrainingSamples&) = delete;
  /// Of the files' levels.
  const ElementCoordinates& coordinates() const noexcept { return report_.coordinates; }
  const SampleSource& source() const { return file_ ? static_cast<const SampleSource&>(*file_) : *memory_; }
  /// In memory: no scratch folder was given.
  const SampleSet& set() const { return set_; }

 private:
  LoadReport report_;
  SampleSet set_;
  std::optional<SampleSetSource> memory_;
  std::optional<SampleFile> file_;
};

/// "epoch 12/60, 8 s left  loss 0.2131  validation 0.2240 (best 0.2235, epoch 11)": a narrow terminal cuts off the end.
std::string progress_line(const TrainingProgress& progress);

}  // namespace lavoisier::cli

#endif
