#ifndef LAVOISIER_APPS_PLUGIN_DRAW_HPP
#define LAVOISIER_APPS_PLUGIN_DRAW_HPP

#include <lavoisier/model_file.hpp>
#include <lavoisier/sample_set.hpp>

namespace lavoisier::cli {

/// Draws `members` values a sample through the plugin, as `generate` does, and returns the largest relative residual
/// of any law. Kokkos must be initialised.
double largest_violation_of_draws(const ModelFile& model, const SampleSet& samples, int members);

}  // namespace lavoisier::cli

#endif
