#include "diffusion.hpp"

#include "backbones.hpp"
#include "export_model.hpp"

#include <lavoisier/random.hpp>

#include <algorithm>
#include <cmath>

namespace lavoisier::detail {

using Eigen::Index;

namespace {

template <class Real>
NetworkPlan plan_of_denoiser(const typename DenoisingModel<Real>::Shape& shape, const TrainingOptions& options) {
  const std::vector<Port> x = shape.inputs > 0 ? std::vector<Port>{{"x0", shape.inputs}} : std::vector<Port>{};
  return plan_backbone(options.network, options.generator.fields,
                       {{{"state", shape.outputs}}, x, "time", shape.outputs, "prediction", "denoiser.", true});
}

}  // namespace

std::string projection_of(const TrainingOptions& options, bool has_laws) {
  return has_laws && options.strategy == Strategy::conditional ? options.generator.projection : "none";
}

template <class Real>
DenoisingModel<Real>::DenoisingModel(const Shape& shape, const TrainingOptions& options)
    : shape_(shape), seed_(options.seed), networks_({plan_of_denoiser<Real>(shape, options)}) {}

template <class Real>
Eigen::VectorXd DenoisingModel<Real>::loss(const std::vector<Real>& x, const RowMatrix& y, const RowMatrix& A, Index laws,
                                           const DrawAddress& at, TrainingStream stream, bool with_gradient) {
  const Index rows = y.rows(), n = shape_.outputs, k = shape_.inputs, columns = networks_.plan(0).columns();
  const random::Key key{seed_, static_cast<std::uint64_t>(stream)};
  const NullSpace null_space(A, shape_.projection == "none" ? 0 : laws);
  RowMatrix e(rows, n);
  for (Index i = 0; i < rows; ++i)
    for (Index j = 0; j < n; ++j)
      e(i, j) = random::normal(key, {.column = at.samples[static_cast<std::size_t>(i)],
                                     .step = at.step,
                                     .element = static_cast<std::uint64_t>(j)});
  // y is on the laws: its part outside their null space is A^+ d, which the network is shown and the loss leaves out.
  if (shape_.projection == "null_space") e = null_space.project(e);
  const bool flow = shape_.method == "flow";
  const std::uint64_t lead = at.batch > 0 ? at.lead : at.samples[0];
  const double start = random::uniform_open_right(random::words(key, {.column = lead, .step = at.step, .site = 1})[0]);
  const auto batch = static_cast<double>(at.batch > 0 ? at.batch : rows);
  RowMatrix target(rows, n);
  std::vector<Real> in(static_cast<std::size_t>(rows * columns));
  for (Index i = 0; i < rows; ++i) {
    double t = start + static_cast<double>(at.first + i) / batch;
    t = (t - std::floor(t)) * (flow ? 1.0 : largest_time(shape_.prediction));
    t = static_cast<double>(static_cast<float>(t));
    const auto [a, s] = flow ? straight_process(t) : cosine_process(t);
    if (flow)
      target.row(i) = y.row(i) - e.row(i);
    else if (shape_.prediction == "noise")
      target.row(i) = e.row(i);
    else if (shape_.prediction == "data")
      target.row(i) = y.row(i);
    else
      target.row(i) = a * e.row(i) - s * y.row(i);
    Real* row = in.data() + i * columns;
    for (Index j = 0; j < n; ++j) row[j] = static_cast<Real>(a * y(i, j) + s * e(i, j));
    std::copy_n(x.data() + i * k, k, row + n);
    row[n + k] = static_cast<Real>(t);
  }
  using Rows = Eigen::Matrix<Real, Eigen::Dynamic, Eigen::Dynamic, Eigen::RowMajor>;
  Eigen::VectorXd each;
  const auto judge = [&](const Real* h, Real* h_bar) {
    const RowMatrix rest = null_space.project(Eigen::Map<const Rows>(h, rows, n).template cast<double>() - target);
    each = rest.rowwise().squaredNorm() / static_cast<double>(n);
    if (h_bar)
      Eigen::Map<Rows>(h_bar, rows, n) = (rest * (2.0 / static_cast<double>(n * rows))).template cast<Real>();
    return each.mean();
  };
  if (with_gradient) {
    networks_[0].differentiate(in.data(), rows, [&](const Real* h, std::int64_t, Real* h_bar) { return judge(h, h_bar); });
  } else {
    std::vector<Real> h(static_cast<std::size_t>(rows * n));
    networks_[0].evaluate(in.data(), rows, h.data());
    judge(h.data(), nullptr);
  }
  return each;
}

template class DenoisingModel<float>;
template class DenoisingModel<double>;

namespace {

class Denoiser final : public Generator {
 public:
  explicit Denoiser(const GeneratorContext& context)
      : context_(context),
        flow_(context.options.generator.name == "flow_matching"),
        projection_(projection_of(context.options, context.has_laws())),
        model_({context.inputs, context.outputs, flow_ ? "flow" : "ddpm", context.options.generator.prediction, projection_},
               context.options),
        A_(spread(context.data.A, context.data.active, context.outputs)) {}

  const NetworkPlan& parameters() const override { return model_.networks().joined(); }
  std::span<float> weights() override { return model_.networks().weights(); }
  std::span<float> gradient() override { return model_.networks().gradient(); }
  void initialise(std::uint64_t seed) override { model_.networks().initialise(0, context_.options.network, seed, false); }
  const char* engine() const override { return "libtorch"; }

  double differentiate(const GeneratorRows& rows, Eigen::VectorXd& each) override {
    each = run(rows, true);
    return each.mean();
  }
  Eigen::VectorXd evaluate(const GeneratorRows& rows, std::span<const float> weights) override {
    const std::span<float> own = model_.networks().weights();
    const std::vector<float> kept(own.begin(), own.end());
    std::copy(weights.begin(), weights.end(), own.begin());
    Eigen::VectorXd each = run(rows, false);
    std::copy(kept.begin(), kept.end(), own.begin());
    return each;
  }

  void append_to(ModelFile& model, std::span<const float> weights) const override {
    const GeneratorOptions& generator = context_.options.generator;
    const SamplingTable table =
        sampling_table(flow_ ? "flow" : generator.sampler, generator.prediction, projection_, generator.steps);
    model.add(Tensor::from("sampling.schedule", {table.schedule.rows(), table.schedule.cols()},
                           std::span<const double>(table.schedule.data(), static_cast<std::size_t>(table.schedule.size()))));
    append_plan(model, model.description.subgraphs["denoiser"], model_.networks().plan(0), weights);
    std::vector<GraphOperation>& graph = model.description.graph;
    graph.push_back({"sample",
                     context_.inputs > 0 ? std::vector<std::string>{"x0"} : std::vector<std::string>{},
                     {"draw"},
                     {{"schedule", "sampling.schedule"}, {"output_mean", "output.mean"}, {"output_scale", "output.scale"}},
                     {{"subgraph", "denoiser"}, {"method", table.method}, {"site", "0"}, {"projection", projection_}}});
    if (context_.has_laws() && context_.options.strategy != Strategy::none)
      graph.push_back({"constrain", {"draw"}, {"outputs"}, {{"scale", "output.scale"}}, {{"metric", "scale"}}});
    else
      graph.push_back({"identity", {"draw"}, {"outputs"}, {}, {}});
  }

 private:
  Eigen::VectorXd run(const GeneratorRows& rows, bool with_gradient) {
    const std::vector<Index>& active = context_.data.active;
    return model_.loss(rows.x, spread(rows.y, active, context_.outputs),
                       rows.A.rows() > 0 ? spread(rows.A, active, context_.outputs) : A_, context_.data.laws, rows.at,
                       rows.judging ? TrainingStream::judging : TrainingStream::diffusion, with_gradient);
  }

  GeneratorContext context_;
  bool flow_;
  std::string projection_;
  DenoisingModel<float> model_;
  RowMatrix A_;
};

}  // namespace

std::unique_ptr<Generator> make_diffusion(const GeneratorContext& context) { return std::make_unique<Denoiser>(context); }

}  // namespace lavoisier::detail
