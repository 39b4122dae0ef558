// What the plugin draws from a trained model file, against the same graph run by LibTorch in FP32 and FP64 laws: every
// generator and backbone, laws held.

#include "kokkos_environment.hpp"
#include "plugin_draws.hpp"
#include "reference_run.hpp"
#include "synthetic.hpp"

#include <lavoisier/emulator.hpp>
#include <lavoisier/tolerances.hpp>
#include <lavoisier/training.hpp>

#include <gtest/gtest.h>

#include <cmath>
#include <functional>

namespace lavoisier::test {
namespace {

constexpr std::int64_t side = 8, places = side * side;

/// Smooth fields of 8 x 8 whose halves' sums are the inputs' first two numbers.
struct Fields {
  Fields() {
    std::vector<Variable> variables;
    for (const char* name : {"upper", "lower", "phase"}) variables.push_back(scalar(name, Role::input, "1"));
    for (const char* name : {"top", "bottom"}) {
      Variable half = scalar(name, Role::output, "1");
      half.dimensions = {"y", "x"};
      variables.push_back(half);
    }
    layout = StateLayout({{"y", DimensionKind::y, side / 2}, {"x", DimensionKind::x, side}}, variables);
    for (const auto& [law, output, input] : {std::tuple{"upper_sum", "top", "upper"}, std::tuple{"lower_sum", "bottom", "lower"}}) {
      Law made;
      made.name = made.equation = law;
      made.units = "1";
      made.terms.push_back({output, Expression(1.0)});
      made.right_hand_side = Expression::symbol(input);
      made.physics_tolerance = 1e-8;
      laws.push_back(made);
    }
    samples.layout = layout;
    samples.samples = 240;
    samples.source = "synthetic fields";
    for (std::int64_t row = 0; row < samples.samples; ++row) {
      const auto normal = [&](std::uint64_t element) {
        return random::normal({31, 0}, {.column = static_cast<std::uint64_t>(row), .element = element});
      };
      const double phase = normal(0), slope = normal(1);
      double sum[2] = {0.0, 0.0};
      for (std::int64_t i = 0; i < places; ++i) {
        const double at_y = static_cast<double>(i / side), at_x = static_cast<double>(i % side);
        const double value = 3.0 + std::sin(0.8 * at_y + phase) + 0.2 * slope * at_x + 0.1 * normal(static_cast<std::uint64_t>(2 + i));
        samples.outputs.push_back(value);
        sum[i / (places / 2)] += value;
      }
      samples.inputs.insert(samples.inputs.end(), {sum[0], sum[1], phase});
      samples.subset.push_back(row % 4 == 3 ? Subset::validation : Subset::training);
      samples.column.push_back(static_cast<std::uint64_t>(100 + row));
      samples.step.push_back(static_cast<std::uint64_t>(row % 5));
    }
  }
  StateLayout layout;
  std::vector<Law> laws;
  SampleSet samples;
};

struct Case {
  const char* name;
  const char* generator;
  std::function<void(TrainingOptions&)> change;
};
void PrintTo(const Case& one, std::ostream* out) { *out << one.name; }

class Parity : public testing::TestWithParam<Case> {};

TEST_P(Parity, PluginDrawsWhatLibTorchDraws) {
  const Fields problem;
  TrainingOptions options;
  options.generator.name = GetParam().generator;
  const std::string& name = options.generator.name;
  const bool latent = name == "vae" || name == "ladder_vae";
  options.loss = latent ? Loss::likelihood : name == "mlp" || name == "spectral_temporal" ? Loss::crps : Loss::squared_error;
  options.network.hidden = {24};
  options.generator.latents = name == "vae" ? std::vector<std::int64_t>{3} : std::vector<std::int64_t>{4, 3};
  options.generator.fields.height = options.generator.fields.width = side;
  options.generator.fields.widths = {4, 6};
  options.generator.steps = 6;
  options.epochs = 3;
  options.batch = 60;
  options.threads = 1;
  GetParam().change(options);
  const LinearConstraints constraints(problem.layout, problem.laws, {});
  const ModelFile model = train(problem.samples, constraints, options).model;
  for (const std::uint64_t member : {0U, 3U}) {
    double largest = 0.0;
    const RowMatrix found = plugin_draws(model, problem.samples, 9, member, &largest);
    const RowMatrix expected = detail::reference_draw(model, problem.samples, {9, 0}, member);
    // Relative to the output's scale: the standard deviation of the training samples, or of the draws of a model that is
    // hardly trained.
    const auto scale = model.tensor("output.scale").f64();
    const RowMatrix centred = expected.rowwise() - expected.colwise().mean();
    const Eigen::ArrayXd unit = (centred.colwise().norm().transpose() / std::sqrt(static_cast<double>(centred.rows())))
                                    .cwiseMax(Eigen::Map<const Eigen::VectorXd>(scale.data(), static_cast<Eigen::Index>(scale.size())));
    const RowMatrix difference = (found - expected).array().rowwise() / unit.transpose();
    EXPECT_LT(difference.cwiseAbs().maxCoeff(), 2e-5);
    EXPECT_GT((found - detail::reference_draw(model, problem.samples, {9, 0}, member + 1)).cwiseAbs().maxCoeff(), 1e-2);
    if (options.strategy != Strategy::none) {
      EXPECT_LT(largest, tolerances::identity::relative_fp64);
      const RowMatrix x = Eigen::Map<const RowMatrix>(problem.samples.inputs.data(), problem.samples.samples, 3);
      EXPECT_LT((found.leftCols(places / 2).rowwise().sum() - x.col(0)).cwiseAbs().maxCoeff(), 1e-11);
    } else {
      EXPECT_GT(largest, 1e-5);
    }
  }
}

const auto unet = [](TrainingOptions& o) { o.generator.fields.backbone = "unet"; };
const auto column = [](TrainingOptions& o) {
  o.generator.fields.backbone = "column";
  o.generator.fields.height = 1;
  o.generator.fields.width = places;
};
INSTANTIATE_TEST_SUITE_P(
    Generators, Parity,
    testing::Values(Case{"mlp", "mlp", [](TrainingOptions&) {}}, Case{"mlp_unet", "mlp", unet},
                    Case{"mlp_relu", "mlp", [](TrainingOptions& o) { o.network.activation = "relu"; }},
                    Case{"vae_relu", "vae", [](TrainingOptions& o) { o.network.activation = "relu"; }},
                    Case{"series", "spectral_temporal",
                         [](TrainingOptions& o) {
                           o.generator.series = 1;
                           o.generator.window = 3;
                         }},
                    Case{"vae", "vae", [](TrainingOptions&) {}},
                    Case{"vae_free", "vae", [](TrainingOptions& o) { o.strategy = Strategy::none; }},
                    Case{"vae_projection", "vae", [](TrainingOptions& o) { o.strategy = Strategy::projection; }},
                    Case{"vae_unet", "vae", unet}, Case{"vae_column", "vae", column},
                    Case{"ladder", "ladder_vae", [](TrainingOptions&) {}}, Case{"ladder_unet", "ladder_vae", unet},
                    Case{"ddpm", "ddpm", [](TrainingOptions&) {}}, Case{"ddpm_unet", "ddpm", unet},
                    Case{"ddpm_column", "ddpm", column},
                    Case{"ddpm_ambient", "ddpm", [](TrainingOptions& o) { o.generator.projection = "ambient"; }},
                    Case{"ddpm_free", "ddpm", [](TrainingOptions& o) { o.strategy = Strategy::none; }},
                    Case{"ddpm_post_hoc", "ddpm", [](TrainingOptions& o) { o.strategy = Strategy::post_hoc; }},
                    Case{"ddim_noise", "ddpm",
                         [](TrainingOptions& o) {
                           o.generator.sampler = "ddim";
                           o.generator.prediction = "noise";
                         }},
                    Case{"ddpm_data", "ddpm", [](TrainingOptions& o) { o.generator.prediction = "data"; }},
                    Case{"flow", "flow_matching", [](TrainingOptions&) {}}, Case{"flow_unet", "flow_matching", unet}),
    [](const auto& one) { return std::string(one.param.name); });

}  // namespace
}  // namespace lavoisier::test
