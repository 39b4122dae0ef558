#include <lavoisier/predicted_law.hpp>

#include "network.hpp"
#include "output_head.hpp"
#include "predict.hpp"
#include "training_data.hpp"

#include <lavoisier/conditional_counts.hpp>
#include <lavoisier/conditional_gamma.hpp>
#include <lavoisier/conditional_gaussian.hpp>
#include <lavoisier/positive_parameters.hpp>
#include <lavoisier/projected_losses.hpp>
#include <lavoisier/status.hpp>

#include <algorithm>
#include <cmath>

namespace lavoisier {
namespace {

using Eigen::Index;

/// The families whose law an operation draws; none: another operation. Gammas without laws are positive outputs, all of
/// them.
std::vector<std::string> families_of(const GraphOperation& one) {
  if (one.op == "positive_draw") return {"positive_signed", "gamma"};
  if (one.op == "dirichlet_draw") return {"gamma"};
  if (one.op == "poisson_draw" || one.op == "multinomial_draw") return {"poisson"};
  return {};
}

/// The operation that draws, and -1 or where it is in the graph.
std::ptrdiff_t place_of_draw(const ModelFile& model) {
  const std::vector<GraphOperation>& graph = model.description.graph;
  const auto at = std::find_if(graph.begin(), graph.end(),
                               [](const GraphOperation& one) { return !families_of(one).empty(); });
  return at == graph.end() ? -1 : at - graph.begin();
}

const std::string& entry(const std::map<std::string, std::string>& from, const char* name) {
  const auto at = from.find(name);
  if (at == from.end()) throw Error(Status::invalid_format, std::string("model file: the head lacks '") + name + "'");
  return at->second;
}

/// The network's values, FP64 of FP32, by the nodes between `standardize` and what makes `name`.
RowMatrix raw_of(const ModelFile& model, const SampleSet& samples, const std::string& name) {
  detail::require_same_inputs(model, samples);
  const std::vector<GraphOperation>& graph = model.description.graph;
  const auto made = std::find_if(graph.begin(), graph.end(), [&](const GraphOperation& one) {
    return std::find(one.outputs.begin(), one.outputs.end(), name) != one.outputs.end();
  });
  if (graph.front().op != "standardize" || graph.front().outputs.size() != 1 || made == graph.end() ||
      made == graph.begin())
    throw Error(Status::invalid_format, "model file: the graph must begin with 'standardize' and make '" + name + "'");
  const Eigen::VectorXd mean = detail::vector_of(model, entry(graph.front().tensors, "mean"));
  const Eigen::VectorXd scale = detail::vector_of(model, entry(graph.front().tensors, "scale"));
  if (mean.size() != samples.input_elements() || scale.size() != mean.size())
    throw Error(Status::invalid_format, "model file: 'standardize' has another width than the inputs");
  std::vector<float> weights;
  detail::Network<float> network(
      detail::plan_of(std::span(graph).subspan(1, static_cast<std::size_t>(made - graph.begin())),
                      {{graph.front().outputs[0], mean.size()}}, name, model, weights));
  std::copy(weights.begin(), weights.end(), network.weights().begin());
  const std::vector<float> x =
      detail::standardise(samples.inputs.data(), samples.samples, mean.data(), scale.data(), mean.size());
  Eigen::Matrix<float, Eigen::Dynamic, Eigen::Dynamic, Eigen::RowMajor> h(samples.samples, network.plan().outputs);
  network.evaluate(x.data(), samples.samples, h.data());
  return h.cast<double>();
}

void read_positive(const ModelFile& model, const GraphOperation& draw, const RowMatrix& h, PredictedLaw& found) {
  const Index n = model.description.layout.elements(Role::output);
  const bool exponential = entry(draw.attributes, "parametrization") == "exp";
  const double floor = detail::vector_of(model, entry(draw.tensors, "floor"))[0];
  const Eigen::VectorXd unit = detail::vector_of(model, entry(draw.tensors, "scale"));
  const auto elements = model.tensor(entry(draw.tensors, "elements")).i64();
  const std::string& words = entry(draw.attributes, "laws");
  std::vector<detail::PositiveOutput> positive;
  std::size_t begin = 0;
  for (const std::int64_t element : elements) {
    const std::size_t end = std::min(words.find(',', begin), words.size());
    positive.push_back(
        {element, detail::positive_law_from(words.substr(std::min(begin, end), end - std::min(begin, end)))});
    found.positive.push_back(element);
    found.law.families.push_back(positive.back().law);
    begin = end + 1;
  }
  for (Index element = 0; element < n; ++element)
    if (std::find(found.positive.begin(), found.positive.end(), element) == found.positive.end())
      found.signed_outputs.push_back(element);
  detail::PositiveValues values = detail::positive_values(h, positive, n, exponential, floor);
  for (std::size_t i = 0; i < positive.size(); ++i) {
    const Index at = static_cast<Index>(i);
    const bool gamma = positive[i].law == PositiveFamily::gamma || positive[i].law == PositiveFamily::hurdle_gamma;
    if (gamma)
      values.b.col(at) /= unit[at];
    else
      values.a.col(at).array() += std::log(unit[at]);
  }
  found.law.a = std::move(values.a);
  found.law.b = std::move(values.b);
  found.law.zero = std::move(values.zero);
  found.law.mean = found.law.standard_deviation = RowMatrix(h.rows(), static_cast<Index>(found.signed_outputs.size()));
  if (found.signed_outputs.empty()) return;
  const auto gaussian = std::find_if(model.description.graph.begin(), model.description.graph.end(),
                                     [](const GraphOperation& one) { return one.op == "gaussian_head"; });
  if (gaussian == model.description.graph.end())
    throw Error(Status::invalid_format, "model file: the signed outputs have no 'gaussian_head'");
  const Eigen::VectorXd mean = detail::vector_of(model, entry(gaussian->tensors, "output_mean"));
  const Eigen::VectorXd scale = detail::vector_of(model, entry(gaussian->tensors, "output_scale"));
  MlpOptions options;
  options.parametrization = entry(gaussian->attributes, "parametrization");
  options.floor = detail::vector_of(model, entry(gaussian->tensors, "floor"))[0];
  const detail::HeadValues head = detail::head_values(h.leftCols(2 * n), found.signed_outputs, options);
  for (Index j = 0; j < head.mean.cols(); ++j) {
    const Index element = found.signed_outputs[static_cast<std::size_t>(j)];
    found.law.mean.col(j) = (scale[element] * head.mean.col(j)).array() + mean[element];
    found.law.standard_deviation.col(j) = scale[element] * head.standard_deviation.col(j);
  }
}

RowMatrix inputs_of(const SampleSet& samples) {
  return Eigen::Map<const RowMatrix>(samples.inputs.data(), samples.samples, samples.input_elements());
}

/// Of signed outputs given the positive ones.
Eigen::VectorXd signed_density(const ModelFile& model, const PredictedLaw& found, const RowMatrix& A,
                               const RowMatrix& d, const RowMatrix& q) {
  const RowMatrix &mean = found.law.mean, &deviation = found.law.standard_deviation;
  const GraphOperation& last = model.description.graph.back();
  if (last.op != "constrain" || A.rows() == 0) return null_space_log_density(A, mean, deviation, q);
  const std::string& metric = entry(last.attributes, "metric");
  if (metric == "covariance") return conditional_log_density(A, mean, deviation, d, q, false).value;
  if (metric != "scale") return {};
  const Eigen::VectorXd scale = detail::vector_of(model, entry(last.tensors, "scale"));
  const RowMatrix own = scale.transpose()(Eigen::all, found.signed_outputs);
  return -projected_likelihood_loss(A, own, mean, deviation, d, q).value;
}

}  // namespace

void detail::require_family_of_draw(const ModelFile& model) {
  const std::ptrdiff_t at = place_of_draw(model);
  if (at < 0) return;
  const GraphOperation& draw = model.description.graph[static_cast<std::size_t>(at)];
  const std::vector<std::string> families = families_of(draw);
  for (const Head& head : model.description.heads)
    if (std::find(families.begin(), families.end(), head.family) == families.end())
      throw Error(Status::invalid_format, "model file: head '" + head.name + "' has the family '" + head.family +
                                              "'; expected '" + families.front() +
                                              (families.size() > 1 ? "' or '" + families.back() : "") +
                                              "', which the graph draws by '" + draw.op + "'");
}

bool has_predicted_law(const ModelFile& model) { return place_of_draw(model) >= 0; }

PredictedLaw predict_law(const ModelFile& model, const LinearConstraints& constraints, const SampleSet& samples) {
  const std::ptrdiff_t at = place_of_draw(model);
  if (at < 0)
    throw Error(Status::unsupported, "model file: expected a head of the family positive_signed, gamma or poisson");
  detail::require_family_of_draw(model);
  const GraphOperation& draw = model.description.graph[static_cast<std::size_t>(at)];
  if (draw.inputs.empty()) throw Error(Status::invalid_format, "model file: '" + draw.op + "' reads nothing");
  PredictedLaw found;
  found.draw = draw.op;
  const RowMatrix h = raw_of(model, samples, draw.inputs[0]);
  if (draw.op == "positive_draw") {
    read_positive(model, draw, h, found);
    const Index rows = constraints.rows();
    found.law.A = RowMatrix(rows, h.rows() > 0 ? constraints.outputs() : 0);
    found.law.d = RowMatrix(h.rows(), rows);
    if (rows > 0) {
      const RowMatrix A = constraints.A();
      found.law.A << RowMatrix(A(Eigen::all, found.positive)), RowMatrix(A(Eigen::all, found.signed_outputs));
      found.law.d = constraints.right_hand_side(inputs_of(samples));
    }
  } else if (draw.op == "dirichlet_draw") {
    const bool exponential = entry(draw.attributes, "parametrization") == "exp";
    const double floor = detail::vector_of(model, entry(draw.tensors, "floor"))[0];
    found.concentration = h.unaryExpr([&](double raw) { return positive::above(exponential, floor, raw); });
  } else {
    const Eigen::VectorXd scale = detail::vector_of(model, entry(draw.tensors, "scale"));
    found.log_rate = h.rowwise() + scale.array().log().matrix().transpose();
  }
  return found;
}

Eigen::VectorXd negative_log_density(const ModelFile& model, const LinearConstraints& constraints,
                                     const SampleSet& samples, double* distance) {
  const PredictedLaw found = predict_law(model, constraints, samples);
  const RowMatrix y = Eigen::Map<const RowMatrix>(samples.outputs.data(), samples.samples, samples.output_elements());
  const bool laws = constraints.rows() > 0;
  const RowMatrix A = laws ? constraints.A() : RowMatrix(0, y.cols());
  const RowMatrix d = laws ? constraints.right_hand_side(inputs_of(samples)) : RowMatrix(y.rows(), 0);
  double moved = 0.0;
  if (distance) *distance = 0.0;
  if (found.draw == "poisson_draw")
    return laws ? Eigen::VectorXd() : Eigen::VectorXd(-poisson_log_density(found.log_rate, y, false).value);
  if (found.draw == "multinomial_draw") return -poisson_given_sum_log_density(A, found.log_rate, d, y, false).value;
  if (found.draw == "dirichlet_draw") {
    GammaGivenSum law;
    law.A = A;
    law.d = d;
    law.concentration = found.concentration;
    RowMatrix shares = y;
    for (Index row = 0; row < y.rows(); ++row)
      for (Index k = 0; k < A.rows(); ++k) {
        const double factor = d(row, k) / A.row(k).dot(y.row(row));
        for (Index j = 0; j < y.cols() && factor > 0.0 && std::isfinite(factor); ++j)
          if (A(k, j) != 0.0) shares(row, j) *= factor;
      }
    if (distance) *distance = (shares - y).rowwise().norm().maxCoeff();
    return -gamma_given_sum_log_density(law, shares, GammaGivenSumMeasure::surface, false).value;
  }
  const RowMatrix p = y(Eigen::all, found.positive);
  RowMatrix q = y(Eigen::all, found.signed_outputs);
  const Eigen::VectorXd of_positive = positive_log_density(found.law, p, false).value;
  if (found.signed_outputs.empty()) return laws ? Eigen::VectorXd() : Eigen::VectorXd(-of_positive);
  const RowMatrix A_q = A(Eigen::all, found.signed_outputs);
  const RowMatrix rest = d - p * RowMatrix(A(Eigen::all, found.positive)).transpose();
  if (laws) moved = project_onto_laws(A_q, rest, q);
  if (distance) *distance = moved;
  const Eigen::VectorXd of_signed = signed_density(model, found, A_q, rest, q);
  return of_signed.size() == 0 ? Eigen::VectorXd() : Eigen::VectorXd(-(of_positive + of_signed));
}

}  // namespace lavoisier
