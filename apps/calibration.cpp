#include "calibration.hpp"

#include "graph_scores.hpp"
#include "plugin_draw.hpp"
#include "scores.hpp"

#include <lavoisier/random.hpp>
#include <lavoisier/status.hpp>
#include <lavoisier/training.hpp>

#include <fmt/format.h>

#include <algorithm>
#include <cmath>
#include <cstring>
#include <set>

namespace lavoisier::cli {
namespace {

/// Where a model keeps what makes its deviations.
struct DeviationHead {
  std::size_t head = 0;  ///< `gaussian_head` in the graph
  std::string weight, bias;  ///< of the dense node that makes its raw values, means of all outputs first, or the means alone
  std::int64_t means = 0, width = 0;  ///< rows of the weight that make means; its columns
  std::int64_t outputs = 0;
  std::set<std::int64_t> positive;  ///< outputs whose raw values the head does not read
};

[[noreturn]] void refuse(const std::string& found) {
  throw Error(Status::unsupported, "expected a model whose network makes the deviations of Gaussian outputs (mlp, head "
                                   "gaussian or mixed; mpnn), to calibrate them; found " + found);
}

const GraphOperation* maker_of(const std::vector<GraphOperation>& graph, const std::string& value) {
  const auto found = std::find_if(graph.begin(), graph.end(), [&](const GraphOperation& one) {
    return std::find(one.outputs.begin(), one.outputs.end(), value) != one.outputs.end();
  });
  return found == graph.end() ? nullptr : &*found;
}

DeviationHead deviation_head(const ModelFile& model) {
  const std::vector<GraphOperation>& graph = model.description.graph;
  const auto is_head = [](const GraphOperation& one) { return one.op == "gaussian_head"; };
  const auto heads = std::count_if(graph.begin(), graph.end(), is_head);
  if (heads != 1) refuse(heads == 0 ? "none" : "several");
  DeviationHead found;
  const auto head = std::find_if(graph.begin(), graph.end(), is_head);
  found.head = static_cast<std::size_t>(head - graph.begin());
  const GraphOperation* maker = maker_of(graph, head->inputs.at(0));
  if (maker != nullptr && maker->op == "slice" && maker->attributes.at("begin") == "0")
    maker = maker_of(graph, maker->inputs.at(0));
  // Of nodes of graphs: one row makes the means of all, another one their deviations.
  const bool apart = maker != nullptr && maker->op == "concat" && maker->inputs.size() == 2;
  if (apart) maker = maker_of(graph, maker->inputs.at(0));
  if (maker == nullptr || maker->op != "dense") refuse(maker == nullptr ? "nothing" : "the operation '" + maker->op + "'");
  if (std::any_of(graph.begin(), graph.end(), [](const GraphOperation& one) { return one.op == "sample"; }))
    refuse("a sampling loop");
  found.weight = maker->tensors.at("weight");
  found.bias = maker->tensors.at("bias");
  found.outputs = model.tensor(head->tensors.at("output_scale")).elements();
  const Tensor& weight = model.tensor(found.weight);
  found.means = apart && !weight.shape.empty() ? weight.shape[0] : found.outputs;
  if (weight.shape.size() != 2 || (!apart && weight.shape[0] < 2 * found.outputs) || model.tensor(found.bias).elements() != weight.shape[0])
    refuse(fmt::format("'{}' of other extents", found.weight));
  found.width = weight.shape[1];
  for (const GraphOperation& one : graph)
    if (one.op == "positive_draw")
      for (const std::int64_t element : model.tensor(one.tensors.at("elements")).i64()) found.positive.insert(element);
  return found;
}

/// In [0, 1): of a value's place alone.
double uniform_of(std::int64_t sample, std::int64_t output) {
  return random::uniform_open_right(random::words({.seed = 0, .stream = 0x63616c6962726174},
                                                  {.column = static_cast<std::uint64_t>(sample),
                                                   .element = static_cast<std::uint64_t>(output)})[0]);
}

/// The elements of all samples' outputs that are judged.
using Places = std::vector<std::size_t>;

double coverage_of(const ModelFile& model, const SampleSet& samples, int members, const Places& places) {
  PluginDrawOptions options;
  options.stream = 0;  // the same noise whatever the factor
  PluginDraws drawing(model, samples, options);
  std::vector<std::vector<double>> draws;
  for (int member = 0; member < members; ++member) draws.push_back(drawing.draw(static_cast<std::uint64_t>(member)));
  const auto n = static_cast<std::size_t>(samples.output_elements());
  std::vector<double> sorted(static_cast<std::size_t>(members));
  std::int64_t inside = 0;
  for (const std::size_t at : places) {
    for (std::size_t m = 0; m < draws.size(); ++m) sorted[m] = draws[m][at];
    std::sort(sorted.begin(), sorted.end());
    const double u = uniform_of(static_cast<std::int64_t>(at / n), static_cast<std::int64_t>(at % n));
    const double pit = randomised_pit(rank_of(sorted, samples.outputs[at]), members, u);
    inside += pit > 0.05 && pit < 0.95 ? 1 : 0;
  }
  return static_cast<double>(inside) / static_cast<double>(places.size());
}

/// Of outputs that vary and whose law the factor touches.
Places varying_outputs(const SampleSet& samples, const DeviationHead& head) {
  const std::int64_t n = samples.output_elements();
  std::vector<std::int64_t> found;
  for (std::int64_t j = 0; j < n; ++j)
    for (std::int64_t s = 1; s < samples.samples && !head.positive.contains(j); ++s)
      if (samples.outputs[static_cast<std::size_t>(s * n + j)] != samples.outputs[static_cast<std::size_t>(j)]) {
        found.push_back(j);
        break;
      }
  Places places;
  for (std::int64_t s = 0; s < samples.samples; ++s)
    for (const std::int64_t j : found) places.push_back(static_cast<std::size_t>(s * n + j));
  return places;
}

Calibration calibrate(ModelFile& model, const SampleSet& samples, const Places& places, int members) {
  LAVOISIER_REQUIRE(members >= 2, "coverage needs members");
  if (places.empty()) throw Error(Status::invalid_argument, "expected samples whose outputs vary, to calibrate deviations on");
  // Of a Gaussian, coverage grows by 2 z phi(z) = 0.339 times the change of the factor's logarithm, z the 95 % quantile.
  constexpr double wanted = 0.9, near = 2e-4, widest = 4.0, slope = 0.339;
  constexpr int most = 12;
  Calibration found;
  found.before = found.after = coverage_of(with_scaled_deviations(model, 1.0), samples, members, places);
  ModelFile made;
  double low = std::log(1.0 / widest), high = std::log(widest), at = 0.0;
  for (int round = 0; round < most && std::abs(found.after - wanted) > near; ++round) {
    (found.after < wanted ? low : high) = at;
    const double next = at + (wanted - found.after) / slope;
    at = next > low && next < high ? next : 0.5 * (low + high);
    made = with_scaled_deviations(model, std::exp(at));
    found.after = coverage_of(made, samples, members, places);
  }
  found.factor = std::exp(at);
  if (found.factor != 1.0) model = std::move(made);
  return found;
}

}  // namespace

ModelFile with_scaled_deviations(const ModelFile& model, double factor) {
  LAVOISIER_REQUIRE(factor > 0.0 && std::isfinite(factor), "a factor of deviations is positive");
  const DeviationHead head = deviation_head(model);
  // The head's scale multiplies means too: their raw values are divided.
  constexpr const char* scale_name = "calibrated.scale";
  ModelFile made;
  made.description = model.description;
  GraphOperation& operation = made.description.graph[head.head];
  std::vector<double> scales;
  for (const double scale : model.tensor(operation.tensors.at("output_scale")).f64()) scales.push_back(factor * scale);
  operation.tensors["output_scale"] = scale_name;
  for (const Tensor& tensor : model.tensors()) {
    if (tensor.name == scale_name) continue;
    const bool weight = tensor.name == head.weight;
    if (!weight && tensor.name != head.bias) {
      made.add(tensor);
      continue;
    }
    const std::int64_t width = weight ? head.width : 1;
    const std::span<const float> old = tensor.f32();
    std::vector<float> values(old.begin(), old.end());
    for (std::int64_t j = 0; j < head.means; ++j)
      if (!head.positive.contains(j))
        for (std::int64_t i = 0; i < width; ++i) {
          float& value = values[static_cast<std::size_t>(j * width + i)];
          value = static_cast<float>(value / factor);
        }
    made.add(Tensor::from(tensor.name, tensor.shape, std::span<const float>(values)));
  }
  made.add(Tensor::from(scale_name, {head.outputs}, std::span<const double>(scales)));
  return made;
}

Calibration calibrate_deviations(ModelFile& model, const SampleSet& samples, int members) {
  return calibrate(model, samples, varying_outputs(samples, deviation_head(model)), members);
}

Calibration calibrate_deviations(ModelFile& model, const SampleSet& samples, const Graphs& graphs) {
  deviation_head(model);  // others are refused before they are run
  const PredictedMarginals p = predict(model, samples);
  const std::vector<std::int64_t> nodes = node_counts(graphs, samples);
  std::vector<double> ratios;
  for (std::size_t s = 0; s < nodes.size(); ++s)
    for (Eigen::Index i = 0; i < nodes[s]; ++i) {
      const auto row = static_cast<Eigen::Index>(s);
      const double y = samples.outputs[s * static_cast<std::size_t>(samples.output_elements()) + static_cast<std::size_t>(i)];
      if (!determined(p.variance(row, i), p.network_standard_deviation(row, i))) ratios.push_back(std::abs(y - p.mean(row, i)) / std::sqrt(p.variance(row, i)));
    }
  if (ratios.empty()) throw Error(Status::invalid_argument, "expected graphs with nodes that vary, to calibrate deviations on");
  std::sort(ratios.begin(), ratios.end());
  constexpr double wanted = 0.9, widest = 4.0, z90 = 1.6448536269514722;  // 0.95 quantile of the standard normal
  const auto covered = [&](double factor) {
    const auto end = std::upper_bound(ratios.begin(), ratios.end(), factor * z90);
    return static_cast<double>(end - ratios.begin()) / static_cast<double>(ratios.size());
  };
  Calibration found;
  found.before = covered(1.0);
  found.factor = std::clamp(quantile(ratios, wanted) / z90, 1.0 / widest, widest);
  found.after = covered(found.factor);
  model = with_scaled_deviations(model, found.factor);
  return found;
}

Calibration calibrate_deviations(ModelFile& model, const SampleSource& samples, int members) {
  constexpr std::int64_t most = 16384;
  SampleSet some;
  for_each_piece(samples, Subset::validation, [&](const SampleSet& piece, const std::vector<std::int64_t>&) {
    if (some.samples >= most) return;
    if (some.samples == 0) {
      some = piece;
      return;
    }
    some.samples += piece.samples;
    some.inputs.insert(some.inputs.end(), piece.inputs.begin(), piece.inputs.end());
    some.outputs.insert(some.outputs.end(), piece.outputs.begin(), piece.outputs.end());
    some.column.insert(some.column.end(), piece.column.begin(), piece.column.end());
    some.step.insert(some.step.end(), piece.step.begin(), piece.step.end());
    some.subset.insert(some.subset.end(), piece.subset.begin(), piece.subset.end());
  });
  return calibrate_deviations(model, some, members);
}

}  // namespace lavoisier::cli
