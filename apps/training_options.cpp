#include "training_options.hpp"

#include "artefact.hpp"
#include "terminal.hpp"

#include <lavoisier/files.hpp>
#include <lavoisier/image_reader.hpp>
#include <lavoisier/status.hpp>

#include <fmt/format.h>

#include <algorithm>
#include <charconv>
#include <filesystem>

namespace lavoisier::cli {

const std::vector<std::string>& strategy_words() {
  static const std::vector<std::string> words = [] {
    std::vector<std::string> names;
    for (const StrategyDescriptor& entry : strategies()) names.emplace_back(entry.name);
    return names;
  }();
  return words;
}

const std::vector<std::string>& loss_words() {
  static const std::vector<std::string> words = [] {
    std::vector<std::string> names;
    for (const Loss loss : losses()) names.emplace_back(to_string(loss));
    return names;
  }();
  return words;
}

const std::vector<std::string>& estimator_words() {
  static const std::vector<std::string> words = [] {
    // The conditional law admits them all.
    const auto all = descriptor(Strategy::conditional).estimators;
    return std::vector<std::string>(all.begin(), all.end());
  }();
  return words;
}

std::vector<std::int64_t> widths_from(const std::vector<std::string>& words, const std::string& name) {
  std::vector<std::int64_t> widths;
  for (const std::string& word : words) {
    std::int64_t width = 0;
    const auto [end, error] = std::from_chars(word.data(), word.data() + word.size(), width);
    if (error != std::errc() || end != word.data() + word.size() || width < 1 || width > 1048576) {
      throw UsageError(fmt::format("{}: expected widths such as 128,128, found '{}'", name, word));
    }
    widths.push_back(width);
  }
  return widths;
}

void fit_to_domain(TrainingOptions& options, const Domain& domain) {
  options.unseen = domain.unseen;
  const bool on_graphs = options.generator.name == "mpnn" || options.generator.name == "graph_vae";
  if (on_graphs != domain.graphs.has_value())
    throw UsageError(fmt::format("--model {}: samples of domain '{}' are {}", options.generator.name, domain.name,
                                 domain.graphs ? "graphs: expected mpnn or graph_vae" : "no graphs ([samples] graphs = \"...\")"));
  if (!on_graphs) return;
  options.generator.graph.categories = domain.graphs->categories;
  if (options.buffer_bytes > 0) throw UsageError("--buffer-size: graphs are trained in memory");
}

std::map<std::string, std::string> provenance_of(const Domain& domain, const std::vector<std::string>& files) {
  std::map<std::string, std::string> provenance;
  provenance["version"] = version();
  provenance["created"] = timestamp();
  const std::vector<std::string> shipped = shipped_domains();
  const bool known = std::find(shipped.begin(), shipped.end(), domain.name) != shipped.end() &&
                     load_domain(domain.name).digest == domain.digest;
  provenance["domain"] = known ? domain.name : std::filesystem::absolute(domain.file).string();
  provenance["domain_digest"] = domain.digest;
  std::string data;
  for (const std::string& file : files) {
    std::filesystem::path path = std::filesystem::path(file).lexically_normal();
    if (!path.has_filename()) path = path.parent_path();  // a folder of images with a slash at its end
    data += (data.empty() ? "" : "; ") + path.filename().string() + " sha256:" + sha256_of_data(path);
  }
  provenance["data"] = data;
  return provenance;
}

namespace {

/// What `load` finds, with the command's word for what a refused row needs.
template <class Load>
auto loaded(bool drop_incomplete, const Load& load) {
  LoadOptions options;
  options.drop_incomplete = drop_incomplete;
  try {
    return load(options);
  } catch (const Error& error) {
    if (error.status() != Status::non_finite) throw;
    throw Error(error.status(), std::string(error.what()) + ": --drop-incomplete");
  }
}

void require_split(const Domain& domain, const SampleSource& samples) {
  if (!samples.has_split()) {
    throw Error(Status::invalid_argument,
                fmt::format("domain '{}' has no split: training needs training and validation samples", domain.name));
  }
  for (Subset subset : {Subset::training, Subset::validation}) {
    if (samples.count(subset) == 0) {
      throw Error(Status::invalid_argument, fmt::format("no {} samples in {}", to_string(subset), samples.source()));
    }
  }
}

}  // namespace

SampleSet load_training_data(const Domain& domain, const std::vector<std::string>& files, bool drop_incomplete,
                             LoadReport* report) {
  const std::vector<std::filesystem::path> paths(files.begin(), files.end());
  SampleSet samples =
      loaded(drop_incomplete, [&](const LoadOptions& options) { return load_samples(domain, paths, options, report); });
  require_split(domain, SampleSetSource(samples));
  return samples;
}

TrainingSamples::TrainingSamples(const Domain& domain, const std::vector<std::string>& files, bool drop_incomplete,
                                 const std::filesystem::path& scratch) {
  if (scratch.empty()) {
    set_ = load_training_data(domain, files, drop_incomplete, &report_);
    memory_.emplace(set_);
    return;
  }
  const std::vector<std::filesystem::path> paths(files.begin(), files.end());
  file_.emplace(loaded(drop_incomplete, [&](const LoadOptions& options) {
    return load_sample_file(domain, paths, scratch, options, &report_);
  }));
  require_split(domain, *file_);
}

std::string progress_line(const TrainingProgress& progress) {
  return fmt::format("epoch {:>{}}/{}, {} left  loss {}  validation {} (best {}, epoch {})", progress.epoch,
                     fmt::format("{}", progress.epochs).size(), progress.epochs, duration(progress.seconds_left),
                     fmt::format("{:.5g}", progress.training_loss), fmt::format("{:.5g}", progress.validation_loss),
                     fmt::format("{:.5g}", progress.best_validation_loss), progress.best_epoch);
}

}  // namespace lavoisier::cli
