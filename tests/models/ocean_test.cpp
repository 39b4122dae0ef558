// A few epochs on the real ocean heat budget.

#include <lavoisier/domain.hpp>
#include <lavoisier/linear_constraints.hpp>
#include <lavoisier/training.hpp>

#include <gtest/gtest.h>

#include <filesystem>

namespace lavoisier {
namespace {

const char* const ocean_file = "/usr/share/ferret-vis/data/esku_heat_budget.cdf";

TEST(Ocean, AShortTrainingImprovesAndKeepsTheLaws) {
  ASSERT_TRUE(std::filesystem::exists(ocean_file)) << ocean_file << " (Debian package ferret-datasets) is missing";
  const Domain domain = load_domain("ocean_heat_budget");
  const SampleSet samples = load_samples(domain, {ocean_file});
  const LinearConstraints constraints(domain.layout, domain.laws, domain.constants);
  TrainingOptions options;
  options.network.hidden = {64};
  options.epochs = 4;
  const TrainingResult result = train(samples, constraints, options);
  EXPECT_LT(result.history.back().validation_loss, 0.7 * result.history.front().training_loss);
  EXPECT_GT(result.target_distance, 1e-3);
  EXPECT_LT(result.target_distance, 0.0101);
  const SampleSet test = select(samples, Subset::test);
  ASSERT_EQ(test.samples, 2956);
  const PredictedMarginals found = predict(result.model, test);
  const Eigen::Map<const RowMatrix> x(test.inputs.data(), test.samples, test.input_elements());
  for (const Law& law : domain.laws) {
    const Closure of_mean = closure(law, domain.layout, domain.constants, x, found.mean);
    for (Eigen::Index row = 0; row < x.rows(); ++row)
      ASSERT_LT(std::abs(relative_residual(of_mean.residual[row], of_mean.term_magnitude[row])), 1e-13) << law.name;
  }
}

}  // namespace
}  // namespace lavoisier
