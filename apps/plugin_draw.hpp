#ifndef LAVOISIER_APPS_PLUGIN_DRAW_HPP
#define LAVOISIER_APPS_PLUGIN_DRAW_HPP

#include <lavoisier/model_file.hpp>
#include <lavoisier/sample_set.hpp>

#include <vector>

namespace lavoisier::cli {

/// Members of an ensemble over samples through the plugin, at the samples' columns and steps, as `generate` draws them: each
/// row-major samples x outputs, physical units. A sample that fails is an Error. Kokkos must be initialised.
std::vector<std::vector<double>> draws_of(const ModelFile& model, const SampleSet& samples, int members);

/// Draws `members` values a sample through the plugin, as `generate` does, and returns the largest relative residual
/// of any law. Kokkos must be initialised.
double largest_violation_of_draws(const ModelFile& model, const SampleSet& samples, int members);

}  // namespace lavoisier::cli

#endif
