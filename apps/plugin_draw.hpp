#ifndef LAVOISIER_APPS_PLUGIN_DRAW_HPP
#define LAVOISIER_APPS_PLUGIN_DRAW_HPP

#include <lavoisier/emulator.hpp>
#include <lavoisier/model_file.hpp>
#include <lavoisier/sample_set.hpp>

#include <cstdint>
#include <optional>
#include <vector>

namespace lavoisier::cli {

struct PluginDrawOptions {
  std::int64_t chunk = 4096;            ///< samples a run
  std::uint64_t seed = 0;
  std::optional<std::uint64_t> stream;  ///< else the digest's, as `generate` has it
};

/// Draws over a sample set through the plugin, at the samples' columns and steps. Kokkos must be initialised; `samples` is
/// referred to.
class PluginDraws {
 public:
  PluginDraws(const ModelFile& model, const SampleSet& samples, const PluginDrawOptions& options = {});
  /// One member: row-major samples x outputs, physical units. `largest_violation`, if not null, is raised to the largest
  /// relative residual of any law. A sample that fails is an Error that names it.
  std::vector<double> draw(std::uint64_t member, double* largest_violation = nullptr);

 private:
  const SampleSet& samples_;
  std::int64_t chunk_;
  Workspace workspace_;
};

/// The first `members` of an ensemble.
std::vector<std::vector<double>> draws_of(const ModelFile& model, const SampleSet& samples, int members);

/// Draws `members` values a sample through the plugin, as `generate` does, and returns the largest relative residual
/// of any law.
double largest_violation_of_draws(const ModelFile& model, const SampleSet& samples, int members);

}  // namespace lavoisier::cli

#endif
