// Generators on graphs: message passing with one Gaussian head a node, and a variational autoencoder with latents a
// node.

#include "export_model.hpp"
#include "graph_network.hpp"
#include "latent_layers.hpp"
#include "network_set.hpp"
#include "vae.hpp"

#include <lavoisier/random.hpp>
#include <lavoisier/status.hpp>

#include <cmath>
#include <numeric>

namespace lavoisier::detail {
namespace {

using Eigen::Index;

std::vector<NetworkPlan> plans_of(const TrainingOptions& options, const GraphShape& shape) {
  const GraphOptions& graph = options.generator.graph;
  if (options.generator.name == "mpnn") return {plan_graph_network(options.network, graph, shape, {})};
  const std::int64_t latents = options.generator.latents.at(0);
  return {plan_graph_network(options.network, graph, shape, {"encoder.", "y", 1, latents, "posterior"}),
          plan_graph_network(options.network, graph, shape, {"decoder.", "latent", latents, 1, "head"})};
}

/// What both generators share: networks whose plans are those of each batch, the head's loss, the export.
class GraphGenerator : public Generator {
 public:
  GraphGenerator(const GeneratorContext& context, const GraphData& graphs)
      : context_(context),
        options_(context.options),
        data_(graphs),
        networks_(plans_of(context.options, graphs.shape)) {}

  const NetworkPlan& parameters() const override { return networks_.joined(); }
  std::span<float> weights() override { return networks_.weights(); }
  std::span<float> gradient() override { return networks_.gradient(); }
  const char* engine() const override { return "libtorch"; }

  void initialise(std::uint64_t seed) override {
    for (std::size_t i = 0; i < networks_.size(); ++i) {
      networks_.initialise(i, options_.network, seed, false);
      // Deviations begin as the same number for every node: the head's as asked for, latents' as 1.
      const bool head = i + 1 == networks_.size();
      const double above =
          head ? options_.network.initial_deviation - options_.network.floor : 1.0 - LatentModel<float>::floor;
      const bool exponential = head && options_.network.parametrization == "exp";
      const std::vector<Parameter>& all = networks_.plan(i).parameters;
      const std::span<float> weights = part(i, networks_.weights());
      const Parameter &weight = all[all.size() - 2], &bias = all.back();
      std::fill_n(weights.begin() + weight.offset, weight.elements(), 0.0F);
      std::fill_n(weights.begin() + bias.offset, bias.elements(),
                  static_cast<float>(exponential ? std::log(above) : std::log(std::expm1(above))));
    }
  }

  double differentiate(const GeneratorRows& rows, Eigen::VectorXd& each) override {
    each = run(rows, weights(), true);
    return each.mean();
  }
  /// In batches too: the joined graph of a large validation set would not fit.
  Eigen::VectorXd evaluate(const GeneratorRows& rows, std::span<const float> weights) override {
    std::vector<float> own(weights.begin(), weights.end());
    Eigen::VectorXd each(rows.count());
    GeneratorRows some;
    some.epoch = rows.epoch;
    some.judging = rows.judging;
    some.at = rows.at;
    for (Index first = 0; first < rows.count(); first += options_.batch) {
      const Index count = std::min<Index>(options_.batch, rows.count() - first);
      some.at.samples.assign(rows.at.samples.begin() + first, rows.at.samples.begin() + first + count);
      each.segment(first, count) = run(some, own, false);
    }
    return each;
  }

 protected:
  virtual Eigen::VectorXd run(const GeneratorRows& rows, std::span<float> weights, bool with_gradient) = 0;

  std::vector<const Graph*> chosen(const GeneratorRows& rows) const {
    const std::vector<Graph>& all = rows.judging ? data_.validation : data_.training;
    std::vector<const Graph*> graphs;
    for (const std::uint64_t place : rows.at.samples) graphs.push_back(&all.at(place));
    return graphs;
  }

  std::span<float> part(std::size_t i, std::span<float> all) const {
    std::size_t offset = 0;
    for (std::size_t before = 0; before < i; ++before) offset += static_cast<std::size_t>(networks_.plan(before).size);
    return all.subspan(offset, static_cast<std::size_t>(networks_.plan(i).size));
  }

  /// The network of one batch, on weights that may live elsewhere.
  Network<float> network(std::size_t i, const GraphShape& shape, std::span<float> weights) {
    return {plans_of(options_, shape)[i], part(i, weights), part(i, networks_.gradient())};
  }

  /// Runs a network on one joined graph; `call` gets what it makes and, with a gradient, where to write its adjoint.
  /// `x_bar`: as large as x, or null.
  template <class Call>
  static void through(Network<float> network, const std::vector<float>& x, bool with_gradient, float* x_bar,
                      Call&& call) {
    if (with_gradient) {
      network.differentiate(
          x.data(), 1,
          [&](const float* h, std::int64_t, float* h_bar) {
            call(h, h_bar);
            return 0.0;
          },
          {}, x_bar);
      return;
    }
    std::vector<float> h(static_cast<std::size_t>(network.plan().outputs));
    network.evaluate(x.data(), 1, h.data());
    call(h.data(), static_cast<float*>(nullptr));
  }

  /// Each graph's loss of the head's raw values (all means, then all raw deviations); with raw_bar the gradient of
  /// their mean.
  Eigen::VectorXd head_loss(const std::vector<const Graph*>& graphs, const GraphBatch& batch, const float* raw,
                            float* raw_bar) const {
    Eigen::VectorXd each(static_cast<Index>(graphs.size()));
    const std::int64_t all = batch.shape.nodes;
    for (std::size_t i = 0; i < graphs.size(); ++i) {
      const Graph& graph = *graphs[i];
      const Index n = graph.nodes, first = batch.first[i];
      std::vector<Index> active(static_cast<std::size_t>(n));
      std::iota(active.begin(), active.end(), Index{0});
      const HeadLoss loss(options_, graph.A, graph.d.cols(), std::move(active), {}, 1);
      RowMatrix h(1, 2 * n), h_bar;
      for (Index j = 0; j < n; ++j) {
        h(0, j) = static_cast<double>(raw[first + j]);
        h(0, n + j) = static_cast<double>(raw[all + first + j]);
      }
      each[static_cast<Index>(i)] = loss(h, graph.y, graph.d, raw_bar ? &h_bar : nullptr)[0];
      if (!raw_bar) continue;
      const double share = 1.0 / static_cast<double>(graphs.size());
      for (Index j = 0; j < n; ++j) {
        raw_bar[first + j] = static_cast<float>(share * h_bar(0, j));
        raw_bar[all + first + j] = static_cast<float>(share * h_bar(0, n + j));
      }
    }
    return each;
  }

  /// The values that a network's ports name, from the standardised inputs x0 and the inputs as they are.
  void append_ports(ModelFile& model) const {
    const StateLayout& layout = model.description.layout;
    std::vector<GraphOperation>& graph = model.description.graph;
    const auto part_of = [&](const char* op, const char* from, const std::string& variable, const std::string& name) {
      graph.push_back({op,
                       {from},
                       {name},
                       {},
                       {{"begin", std::to_string(layout.offset(variable))},
                        {"length", std::to_string(layout.elements(layout.variable(variable)))}}});
    };
    for (const Variable& variable : data_.layout.node_inputs)
      part_of("slice", "x0", variable.name, "input." + variable.name);
    for (const Variable& variable : data_.layout.categories)
      part_of("select", "inputs", variable.name, "input." + variable.name);
    for (const Variable& variable : data_.layout.edge_inputs)
      part_of("slice", "x0", variable.name, "input." + variable.name);
    part_of("select", "inputs", data_.layout.from, "from");
    part_of("select", "inputs", data_.layout.to, "to");
    part_of("select", "inputs", data_.layout.count(), "count");
  }

  GeneratorContext context_;
  const TrainingOptions& options_;
  const GraphData& data_;
  NetworkSet<float> networks_;  ///< at capacity
};

class Mpnn final : public GraphGenerator {
 public:
  using GraphGenerator::GraphGenerator;

  void append_to(ModelFile& model, std::span<const float> weights) const override {
    append_ports(model);
    append_plan(model, model.description.graph, networks_.plan(0), weights);
    append_gaussian_head(model, context_, "head", 0, "count");
  }

 protected:
  Eigen::VectorXd run(const GeneratorRows& rows, std::span<float> weights, bool with_gradient) override {
    const std::vector<const Graph*> graphs = chosen(rows);
    const GraphBatch batch(data_.shape, graphs);
    Eigen::VectorXd each;
    through(network(0, batch.shape, weights), batch.x, with_gradient, nullptr,
            [&](const float* raw, float* raw_bar) { each = head_loss(graphs, batch, raw, raw_bar); });
    return each;
  }
};

/// q(z_v | graph, y) and p(y | graph, z) are networks of graphs, p(z_v) = N(0, 1); the bound is of each graph (Kingma
/// and Welling 2014, eq. 10), with one draw of z.
class GraphVae final : public GraphGenerator {
 public:
  using GraphGenerator::GraphGenerator;

  void append_to(ModelFile& model, std::span<const float> weights) const override {
    append_ports(model);
    std::vector<GraphOperation>& graph = model.description.graph;
    const std::int64_t numbers = data_.shape.nodes * options_.generator.latents.at(0);
    graph.push_back({"normal_noise", {}, {"latent.noise"}, {}, {{"site", "0"}, {"length", std::to_string(numbers)}}});
    graph.push_back({"single", {"latent.noise"}, {"latent"}, {}, {}});
    append_plan(model, graph, networks_.plan(1), networks_.part(1, weights));
    append_gaussian_head(model, context_, "head", 1, "count");
  }

 protected:
  Eigen::VectorXd run(const GeneratorRows& rows, std::span<float> weights, bool with_gradient) override {
    const std::vector<const Graph*> graphs = chosen(rows);
    const GraphBatch batch(data_.shape, graphs);
    const Index nodes = batch.shape.nodes, width = options_.generator.latents.at(0);
    const double weight = with_gradient ? kl_weight(rows.epoch) : 1.0;
    std::vector<float> x = batch.x;
    for (const Graph* graph : graphs)
      std::transform(graph->y.data(), graph->y.data() + graph->nodes, std::back_inserter(x),
                     [](double y) { return static_cast<float>(y); });
    Eigen::VectorXd each;
    through(
        network(0, batch.shape, weights), x, with_gradient, nullptr, [&](const float* posterior, float* posterior_bar) {
          RowMatrix raw(nodes, 2 * width);  // a row a node: means, raw deviations
          const auto part = [&](const float* from) {
            return Eigen::Map<const FloatMatrix>(from, nodes, width).cast<double>();
          };
          raw << part(posterior), part(posterior + nodes * width);
          const DiagonalGaussian q = latent_gaussian(raw, 0, width, LatentModel<float>::floor);
          const DiagonalGaussian prior{RowMatrix::Zero(nodes, width), RowMatrix::Ones(nodes, width)};
          const RowMatrix e = draws(rows, batch, width), z = q.mean + q.deviation.cwiseProduct(e);
          std::vector<float> in = batch.x;
          std::transform(z.data(), z.data() + z.size(), std::back_inserter(in),
                         [](double value) { return static_cast<float>(value); });
          std::vector<float> in_bar(with_gradient ? in.size() : 0);
          through(network(1, batch.shape, weights), in, with_gradient, with_gradient ? in_bar.data() : nullptr,
                  [&](const float* head, float* head_bar) { each = head_loss(graphs, batch, head, head_bar); });
          const Eigen::VectorXd divergences = weight * divergence(q, prior);
          for (std::size_t i = 0; i < graphs.size(); ++i)
            each[static_cast<Index>(i)] += divergences.segment(batch.first[i], graphs[i]->nodes).sum();
          if (!with_gradient) return;
          const RowMatrix z_bar =
              Eigen::Map<const FloatMatrix>(in_bar.data() + batch.x.size(), nodes, width).cast<double>();
          DiagonalGaussian q_bar{z_bar, z_bar.cwiseProduct(e)},
              ignored{RowMatrix::Zero(nodes, width), RowMatrix::Zero(nodes, width)};
          add_divergence_adjoint(q, prior, weight / static_cast<double>(graphs.size()), q_bar, ignored);
          RowMatrix raw_bar = RowMatrix::Zero(nodes, 2 * width);
          add_latent_adjoint(raw, 0, width, q_bar, raw_bar);
          Eigen::Map<FloatMatrix>(posterior_bar, nodes, width) = raw_bar.leftCols(width).cast<float>();
          Eigen::Map<FloatMatrix>(posterior_bar + nodes * width, nodes, width) = raw_bar.rightCols(width).cast<float>();
        });
    return each;
  }

 private:
  using FloatMatrix = Eigen::Matrix<float, Eigen::Dynamic, Eigen::Dynamic, Eigen::RowMajor>;

  double kl_weight(std::int64_t epoch) const {
    const GeneratorOptions& generator = options_.generator;
    if (generator.kl_warm_up == 0) return generator.kl_weight;
    return generator.kl_weight *
           std::min(1.0, static_cast<double>(epoch + 1) / static_cast<double>(generator.kl_warm_up));
  }

  /// A graph's numbers depend on its place in the subset and the step, not on the batch that it is in.
  RowMatrix draws(const GeneratorRows& rows, const GraphBatch& batch, Index width) const {
    const auto stream = static_cast<std::uint64_t>(rows.judging ? TrainingStream::judging : TrainingStream::latent);
    RowMatrix e(batch.shape.nodes, width);
    for (std::size_t i = 0; i < rows.at.samples.size(); ++i)
      for (Index node = batch.first[i]; node < batch.first[i + 1]; ++node)
        for (Index j = 0; j < width; ++j)
          e(node, j) = random::normal({options_.seed, stream},
                                      {.column = rows.at.samples[i],
                                       .step = rows.at.step,
                                       .element = static_cast<std::uint64_t>((node - batch.first[i]) * width + j)});
    return e;
  }
};

}  // namespace

std::unique_ptr<Generator> make_graph_generator(const GeneratorContext& context, const GraphData& graphs) {
  if (context.options.generator.name == "mpnn") return std::make_unique<Mpnn>(context, graphs);
  return std::make_unique<GraphVae>(context, graphs);
}

}  // namespace lavoisier::detail
