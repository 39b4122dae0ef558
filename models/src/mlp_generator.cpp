// One head behind a network, and which generator the options name.

#include "backbones.hpp"
#include "export_model.hpp"
#include "generator.hpp"
#include "least_squares.hpp"
#include "training_network.hpp"

#include <algorithm>

namespace lavoisier::detail {
namespace {

using Eigen::Index;
using FloatRows = Eigen::Matrix<float, Eigen::Dynamic, Eigen::Dynamic, Eigen::RowMajor>;

NetworkPlan head_plan(const GeneratorContext& context) {
  const GeneratorOptions& generator = context.options.generator;
  const std::int64_t raw = raw_values(context.head, context.outputs);
  if (generator.name == "spectral_temporal") return plan_spectral_temporal(generator, context.inputs, raw);
  if (generator.fields.backbone == "mlp") return plan_mlp(context.options.network, context.inputs, raw);
  return plan_backbone(context.options.network, generator.fields, {{}, {{"x0", context.inputs}}, "", raw, "head", "", true});
}

NetworkPlan plan_for(const GeneratorContext& context) {
  NetworkPlan plan = head_plan(context);
  if (context.options.network.deviation == "shared") plan.share_deviations();
  return plan;
}

class Mlp final : public Generator {
 public:
  explicit Mlp(const GeneratorContext& context)
      : context_(context),
        plan_(plan_for(context)),
        network_(plan_, context.options.batch),
        evaluator_(plan_, context.options.batch),
        loss_(make_row_loss(context_, training_threads())) {}

  const NetworkPlan& parameters() const override { return plan_; }
  std::span<float> weights() override { return network_.weights(); }
  std::span<float> gradient() override { return network_.gradient(); }
  const char* engine() const override { return network_.engine(); }

  void initialise(std::uint64_t seed) override {
    const std::vector<double> start = initial_weights(plan_, context_.options.network, seed);
    const std::span<float> weights = network_.weights();
    for (std::size_t i = 0; i < start.size(); ++i) weights[i] = static_cast<float>(start[i]);
    if (!dense_alone() || context_.options.network.deviation == "shared" || context_.options.network.linear_skip)
      level_deviations(plan_, weights);
    if (context_.options.network.linear_skip) start_from_least_squares(weights);
    start_head(context_, plan_, weights);
    if (plan_.parameters.back().elements() != plan_.outputs) return;  // a field's channels: no weights of one output alone
    for (Index i = 0; i < context_.outputs; ++i)
      if (!(context_.data.output_scale[i] > 0.0)) leave_out(weights, i);
  }

  double differentiate(const GeneratorRows& rows, Eigen::VectorXd& each) override {
    const TrainingNetwork::Function loss = [&](const float* h, std::int64_t count, float* h_bar) {
      raw_ = Eigen::Map<const FloatRows>(h, count, plan_.outputs).cast<double>();
      each = loss_(raw_, rows.y, rows.d, &raw_gradient_, rows.A, rows.at);
      Eigen::Map<FloatRows>(h_bar, count, plan_.outputs) = raw_gradient_.cast<float>();
      return each.mean();
    };
    const double mean = network_.differentiate(
        rows.x.data(), rows.count(), loss,
        {context_.options.network.dropout, context_.options.seed, static_cast<std::int64_t>(rows.at.step), rows.at.first});
    plan_.hold_fixed(network_.gradient());
    return mean;
  }

  Eigen::VectorXd evaluate(const GeneratorRows& rows, std::span<const float> weights) override {
    std::copy(weights.begin(), weights.end(), evaluator_.weights().begin());
    FloatRows h(rows.count(), plan_.outputs);
    evaluator_.evaluate(rows.x.data(), rows.count(), h.data());
    return loss_(h.cast<double>(), rows.y, rows.d, nullptr, rows.A, rows.at);
  }

  void append_to(ModelFile& model, std::span<const float> weights) const override {
    append_plan(model, model.description.graph, plan_, weights);
    append_head(model, context_, plan_.output);
  }

 private:
  /// What is trained starts as zero: the first mean is the least-squares fit.
  void start_from_least_squares(std::span<float> weights) {
    const LinearFit fit = least_squares(context_.data, context_.inputs, context_.outputs);
    const auto put = [&](const Parameter& parameter, const RowMatrix& values) {
      float* const to = weights.data() + parameter.offset;
      std::fill_n(to, parameter.elements(), 0.0F);
      for (Index i = 0; i < values.size(); ++i) to[i] = static_cast<float>(values.data()[i]);
    };
    put(plan_.parameters[0], fit.weight);
    put(plan_.parameters[1], fit.bias);
    level_rows(plan_, weights, 0, context_.outputs, 0.0F);
  }
  bool dense_alone() const { return context_.options.generator.name == "mlp" && context_.options.generator.fields.backbone == "mlp"; }
  /// Weights of a constant output are zero and, having no gradient, stay so.
  void leave_out(std::span<float> weights, Index output) {
    const Parameter& matrix = plan_.parameters[plan_.parameters.size() - 2];
    const Parameter& bias = plan_.parameters.back();
    for (const std::int64_t row : {std::int64_t{output}, output + context_.outputs}) {
      std::fill_n(weights.begin() + matrix.offset + row * matrix.shape[1], matrix.shape[1], 0.0F);
      weights[static_cast<std::size_t>(bias.offset + row)] = 0.0F;
    }
  }

  GeneratorContext context_;
  NetworkPlan plan_;
  TrainingNetwork network_, evaluator_;
  RowLoss loss_;
  RowMatrix raw_, raw_gradient_;
};

}  // namespace

std::unique_ptr<Generator> make_mlp(const GeneratorContext& context) { return std::make_unique<Mlp>(context); }

std::unique_ptr<Generator> make_generator(const GeneratorContext& context) {
  const std::string& name = context.options.generator.name;
  if (name == "vae" || name == "ladder_vae") return make_vae(context);
  if (name == "ddpm" || name == "flow_matching") return make_diffusion(context);
  return make_mlp(context);
}

}  // namespace lavoisier::detail
