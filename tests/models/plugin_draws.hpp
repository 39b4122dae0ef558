#ifndef LAVOISIER_TESTS_MODELS_PLUGIN_DRAWS_HPP
#define LAVOISIER_TESTS_MODELS_PLUGIN_DRAWS_HPP

#include <plugin_draw.hpp>

#include <lavoisier/linear_constraints.hpp>
#include <lavoisier/model_file.hpp>
#include <lavoisier/sample_set.hpp>

#include <gtest/gtest.h>

#include <vector>

namespace lavoisier::test {

/// Draws through the plugin; the largest relative residual that it reports.
inline RowMatrix plugin_draws(const ModelFile& file, const SampleSet& samples, std::uint64_t seed, std::uint64_t member,
                              double* largest) {
  const std::vector<double> values = cli::PluginDraws(file, samples, {.seed = seed, .stream = 0}).draw(member, largest);
  EXPECT_EQ(static_cast<std::int64_t>(values.size()), samples.samples * samples.output_elements());
  return Eigen::Map<const RowMatrix>(values.data(), samples.samples, samples.output_elements());
}

}  // namespace lavoisier::test

#endif
