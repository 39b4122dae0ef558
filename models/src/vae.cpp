#include "vae.hpp"

#include "backbones.hpp"
#include "export_model.hpp"
#include "latent_layers.hpp"

#include <lavoisier/random.hpp>

#include <cmath>
#include <numeric>

namespace lavoisier::detail {
namespace {

using Eigen::Index;

std::string latent_name(std::size_t layer) { return "latent" + std::to_string(layer + 1); }

template <class Real>
std::vector<NetworkPlan> plans_of(const typename LatentModel<Real>::Shape& shape, const TrainingOptions& options) {
  const FieldOptions& fields = options.generator.fields;
  const std::vector<std::int64_t>& latents = shape.latents;
  const std::vector<Port> x = shape.inputs > 0 ? std::vector<Port>{{"x0", shape.inputs}} : std::vector<Port>{};
  const std::int64_t all = std::accumulate(latents.begin(), latents.end(), std::int64_t{0});
  std::vector<NetworkPlan> plans;
  plans.push_back(plan_backbone(options.network, fields, {{{"y", shape.outputs}}, x, "", 2 * all, "posterior", "encoder.", false}));
  const auto behind = [&](std::size_t layer) {
    std::vector<Port> ports = x;
    ports.push_back({latent_name(layer), latents[layer]});
    return ports;
  };
  plans.push_back(plan_backbone(options.network, fields, {{}, behind(0), "", 2 * shape.outputs, "head", "decoder.", true}));
  if (options.network.deviation == "shared") plans.back().share_deviations();
  for (std::size_t layer = latents.size() - 1; layer-- > 0;) {
    const std::string name = "prior" + std::to_string(layer + 1);
    plans.push_back(plan_mlp(options.network, fields, {{}, behind(layer + 1), "", 2 * latents[layer], name, name + ".", true}));
  }
  return plans;
}

/// Rows of x and of a matrix side by side.
template <class Real>
std::vector<Real> beside(const std::vector<Real>& x, const RowMatrix& z) {
  const std::size_t rows = static_cast<std::size_t>(z.rows()), k = x.size() / rows, n = static_cast<std::size_t>(z.cols());
  std::vector<Real> joined(rows * (k + n));
  for (std::size_t row = 0; row < rows; ++row) {
    std::copy_n(x.data() + row * k, k, joined.data() + row * (k + n));
    std::transform(z.data() + row * n, z.data() + (row + 1) * n, joined.data() + row * (k + n) + k,
                   [](double value) { return static_cast<Real>(value); });
  }
  return joined;
}

template <class Real>
RowMatrix matrix_of(const Real* values, Index rows, Index columns) {
  return Eigen::Map<const Eigen::Matrix<Real, Eigen::Dynamic, Eigen::Dynamic, Eigen::RowMajor>>(values, rows, columns)
      .template cast<double>();
}

DiagonalGaussian zeros(Index rows, Index columns) { return {RowMatrix::Zero(rows, columns), RowMatrix::Zero(rows, columns)}; }

}  // namespace

/// One evaluation of the loss: what all layers share.
template <class Real>
struct LatentModel<Real>::Pass {
  const std::vector<Real>& x;
  const RawLoss& decoder_loss;
  double weight;                   ///< of a divergence
  const DrawAddress& at;
  random::Key key;
  bool with_gradient;
  RowMatrix posterior, posterior_bar;
  Eigen::VectorXd each;

  /// Runs a network on (x, z): value and adjoint of what it makes, then z_bar.
  template <class Call>
  void through(Network<Real>& network, const RowMatrix& z, RowMatrix* z_bar, Call&& call) {
    const std::vector<Real> in = beside(x, z);
    const Index rows = z.rows(), outputs = network.plan().outputs;
    if (!with_gradient) {
      std::vector<Real> h(static_cast<std::size_t>(rows * outputs));
      network.evaluate(in.data(), rows, h.data());
      RowMatrix unused;
      call(matrix_of(h.data(), rows, outputs), unused);
      return;
    }
    std::vector<Real> in_bar(z_bar ? in.size() : 0);  // nobody asks for the encoder's
    network.differentiate(
        in.data(), rows,
        [&](const Real* h, std::int64_t count, Real* h_bar) {
          RowMatrix bar = RowMatrix::Zero(count, outputs);
          call(matrix_of(h, count, outputs), bar);
          Eigen::Map<Eigen::Matrix<Real, Eigen::Dynamic, Eigen::Dynamic, Eigen::RowMajor>>(h_bar, count, outputs) =
              bar.template cast<Real>();
          return 0.0;
        },
        {}, z_bar ? in_bar.data() : nullptr);
    if (z_bar) *z_bar += matrix_of(in_bar.data(), rows, network.plan().columns()).rightCols(z.cols());
  }
};

template <class Real>
LatentModel<Real>::LatentModel(const Shape& shape, const TrainingOptions& options)
    : shape_(shape), seed_(options.seed), options_(options.network), networks_(plans_of<Real>(shape, options)) {}

template <class Real>
void LatentModel<Real>::initialise(std::uint64_t seed) {
  for (std::size_t i = 0; i < networks_.size(); ++i) {
    networks_.initialise(i, options_, seed, i == 1);
    if (i == 1) {  // the head's
      level_deviations(networks_.plan(i), networks_[i].weights());
      continue;
    }
    const double raw = std::log(std::expm1(1.0 - floor));  // latents: deviations of 1
    std::int64_t at = 0;
    const std::vector<std::int64_t> widths = i == 0 ? shape_.latents : std::vector<std::int64_t>{networks_.plan(i).outputs / 2};
    for (const std::int64_t width : widths) {
      level_rows(networks_.plan(i), networks_[i].weights(), at + width, width, static_cast<Real>(raw));
      at += 2 * width;
    }
  }
}

template <class Real>
void LatentModel<Real>::draw(Pass& pass, std::size_t layer, const DiagonalGaussian& prior, DiagonalGaussian& prior_bar) {
  const Index rows = pass.posterior.rows(), width = shape_.latents[layer];
  const Index first = 2 * std::accumulate(shape_.latents.begin(), shape_.latents.begin() + static_cast<std::ptrdiff_t>(layer), std::int64_t{0});
  const bool top = layer + 1 == shape_.latents.size();
  const DiagonalGaussian found = latent_gaussian(pass.posterior, first, width, floor);
  const DiagonalGaussian q = top ? found : joined(found, prior);
  RowMatrix e(rows, width);
  for (Index i = 0; i < rows; ++i)
    for (Index j = 0; j < width; ++j)
      e(i, j) = random::normal(pass.key, {.column = pass.at.samples[static_cast<std::size_t>(i)],
                                          .step = pass.at.step,
                                          .site = layer,
                                          .element = static_cast<std::uint64_t>(j)});
  const RowMatrix z = q.mean + q.deviation.cwiseProduct(e);
  const Eigen::VectorXd kl = pass.weight * divergence(q, prior);
  RowMatrix z_bar = RowMatrix::Zero(rows, width);
  descend(pass, layer, z, z_bar);
  pass.each += kl;
  if (!pass.with_gradient) return;
  DiagonalGaussian q_bar{z_bar, z_bar.cwiseProduct(e)};
  add_divergence_adjoint(q, prior, pass.weight / static_cast<double>(rows), q_bar, prior_bar);
  if (top) {
    add_latent_adjoint(pass.posterior, first, width, q_bar, pass.posterior_bar);
    return;
  }
  DiagonalGaussian found_bar = zeros(rows, width);
  joined_adjoint(found, prior, q, q_bar, found_bar, prior_bar);
  add_latent_adjoint(pass.posterior, first, width, found_bar, pass.posterior_bar);
}

/// What follows from z of a layer: the layer below, or the decoder.
template <class Real>
void LatentModel<Real>::descend(Pass& pass, std::size_t layer, const RowMatrix& z, RowMatrix& z_bar) {
  if (layer == 0) {
    pass.through(networks_[1], z, &z_bar, [&](const RowMatrix& raw, RowMatrix& raw_bar) {
      pass.each += pass.decoder_loss(raw, pass.with_gradient ? &raw_bar : nullptr);
    });
    return;
  }
  const std::size_t below = layer - 1;
  pass.through(networks_[networks_.size() - 1 - below], z, &z_bar, [&](const RowMatrix& raw, RowMatrix& raw_bar) {
    const Index width = shape_.latents[below];
    const DiagonalGaussian prior = latent_gaussian(raw, 0, width, floor);
    DiagonalGaussian prior_bar = zeros(raw.rows(), width);
    draw(pass, below, prior, prior_bar);
    if (pass.with_gradient) add_latent_adjoint(raw, 0, width, prior_bar, raw_bar);
  });
}

template <class Real>
Eigen::VectorXd LatentModel<Real>::loss(const std::vector<Real>& x, const RowMatrix& y, const RawLoss& decoder_loss,
                                        double weight, const DrawAddress& at, TrainingStream stream, bool with_gradient) {
  const Index rows = y.rows();
  Pass pass{x, decoder_loss, weight, at, {seed_, static_cast<std::uint64_t>(stream)}, with_gradient, {}, {}, Eigen::VectorXd::Zero(rows)};
  // The encoder reads y, then x: columns in its ports' order.
  std::vector<Real> y_real(static_cast<std::size_t>(y.size()));
  std::transform(y.data(), y.data() + y.size(), y_real.begin(), [](double value) { return static_cast<Real>(value); });
  Pass encoder{y_real, decoder_loss, weight, at, pass.key, with_gradient, {}, {}, {}};
  encoder.through(networks_[0], matrix_of(x.data(), rows, shape_.inputs), nullptr, [&](const RowMatrix& raw, RowMatrix& raw_bar) {
    pass.posterior = raw;
    pass.posterior_bar = RowMatrix::Zero(raw.rows(), raw.cols());
    const std::size_t top = shape_.latents.size() - 1;
    const DiagonalGaussian prior{RowMatrix::Zero(rows, shape_.latents[top]), RowMatrix::Ones(rows, shape_.latents[top])};
    DiagonalGaussian ignored = zeros(rows, shape_.latents[top]);
    draw(pass, top, prior, ignored);
    if (with_gradient) raw_bar = pass.posterior_bar;
  });
  return pass.each;
}

template class LatentModel<float>;
template class LatentModel<double>;

namespace {

class Vae final : public Generator {
 public:
  explicit Vae(const GeneratorContext& context)
      : context_(context),
        options_(context.options),
        model_({context.inputs, context.outputs, context.options.generator.latents}, context.options),
        loss_(context.options, context.data.A, context.data.laws, context.data.active, context.dependent, training_threads()) {}

  const NetworkPlan& parameters() const override { return model_.networks().joined(); }
  std::span<float> weights() override { return model_.networks().weights(); }
  std::span<float> gradient() override { return model_.networks().gradient(); }
  void initialise(std::uint64_t seed) override { model_.initialise(seed); }
  const char* engine() const override { return "libtorch"; }

  double differentiate(const GeneratorRows& rows, Eigen::VectorXd& each) override {
    each = run(rows, kl_weight(rows), true);
    parameters().hold_fixed(gradient());
    return each.mean();
  }
  Eigen::VectorXd evaluate(const GeneratorRows& rows, std::span<const float> weights) override {
    const std::vector<float> kept(model_.networks().weights().begin(), model_.networks().weights().end());
    std::copy(weights.begin(), weights.end(), model_.networks().weights().begin());
    Eigen::VectorXd each = run(rows, 1.0, false);
    std::copy(kept.begin(), kept.end(), model_.networks().weights().begin());
    return each;
  }

  void append_to(ModelFile& model, std::span<const float> weights) const override {
    const NetworkSet<float>& networks = model_.networks();
    const std::vector<std::int64_t>& latents = options_.generator.latents;
    std::vector<GraphOperation>& graph = model.description.graph;
    const std::size_t layers = latents.size();
    std::string floor;
    if (layers > 1) {
      floor = "latent.floor";
      add_vector(model, floor, Eigen::VectorXd::Constant(1, LatentModel<float>::floor));
    }
    for (std::size_t layer = layers; layer-- > 0;) {
      const std::string name = latent_name(layer), site = std::to_string(layers - 1 - layer);
      if (layer + 1 == layers) {
        graph.push_back({"normal_noise", {}, {name + ".noise"}, {}, {{"site", site}, {"length", std::to_string(latents[layer])}}});
        graph.push_back({"single", {name + ".noise"}, {name}, {}, {}});
        continue;
      }
      const std::size_t network = networks.size() - 1 - layer;
      append_plan(model, graph, networks.plan(network), networks.part(network, weights));
      add_vector(model, name + ".mean", Eigen::VectorXd::Zero(latents[layer]));
      add_vector(model, name + ".scale", Eigen::VectorXd::Ones(latents[layer]));
      graph.push_back({"gaussian_head",
                       {networks.plan(network).output},
                       {name + ".mean", name + ".deviation"},
                       {{"output_mean", name + ".mean"}, {"output_scale", name + ".scale"}, {"floor", floor}},
                       {{"parametrization", "softplus"}}});
      graph.push_back({"normal_noise", {}, {name + ".noise"}, {}, {{"site", site}}});
      graph.push_back({"gaussian_draw", {name + ".mean", name + ".deviation", name + ".noise"}, {name + ".draw"}, {}, {}});
      graph.push_back({"single", {name + ".draw"}, {name}, {}, {}});
    }
    append_plan(model, graph, networks.plan(1), networks.part(1, weights));
    append_gaussian_head(model, context_, "head", layers);
  }

 private:
  double kl_weight(const GeneratorRows& rows) const {
    const GeneratorOptions& generator = options_.generator;
    if (generator.kl_warm_up == 0) return generator.kl_weight;
    return generator.kl_weight * std::min(1.0, static_cast<double>(rows.epoch + 1) / static_cast<double>(generator.kl_warm_up));
  }
  Eigen::VectorXd run(const GeneratorRows& rows, double weight, bool with_gradient) {
    const RawLoss decoder = [&](const RowMatrix& raw, RowMatrix* raw_bar) {
      return loss_(raw, rows.y, rows.d, raw_bar, rows.A, rows.at);
    };
    return model_.loss(rows.x, spread(rows.y, context_.data.active, context_.outputs), decoder, weight, rows.at,
                       rows.judging ? TrainingStream::judging : TrainingStream::latent, with_gradient);
  }

  GeneratorContext context_;
  const TrainingOptions& options_;
  LatentModel<float> model_;
  HeadLoss loss_;
};

}  // namespace

std::unique_ptr<Generator> make_vae(const GeneratorContext& context) { return std::make_unique<Vae>(context); }

}  // namespace lavoisier::detail
