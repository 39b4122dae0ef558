#include "reference_run.hpp"

#include "head_loss.hpp"
#include "network.hpp"
#include "operation_shapes.hpp"
#include "sampling_table.hpp"
#include "training_data.hpp"

#include <lavoisier/metric_projection.hpp>
#include <lavoisier/random.hpp>
#include <lavoisier/status.hpp>

#include <algorithm>
#include <numeric>

namespace lavoisier::detail {
namespace {

using Eigen::Index;
using FloatRows = Eigen::Matrix<float, Eigen::Dynamic, Eigen::Dynamic, Eigen::RowMajor>;

class ReferenceRun {
 public:
  ReferenceRun(const ModelFile& model, const SampleSet& samples, const random::Key& key, std::uint64_t member)
      : model_(model),
        samples_(samples),
        key_(key),
        member_(member),
        rows_(samples.samples),
        constraints_(model.description.layout, model.description.laws, model.description.constants) {
    const Eigen::Map<const RowMatrix> inputs(samples.inputs.data(), rows_, samples.input_elements());
    values_["inputs"] = inputs;
    const Index laws = constraints_.rows(), n = model.description.layout.elements(Role::output);
    A_.resize(0, n);
    d_.resize(rows_, laws);
    if (laws == 0) return;
    d_ = constraints_.right_hand_side(inputs);
    if (constraints_.shared()) {
      A_ = constraints_.A();
      return;
    }
    A_.resize(rows_ * laws, n);
    for (Index row = 0; row < rows_; ++row)
      A_.middleRows(row * laws, laws) =
          constraints_.A({inputs.data() + row * inputs.cols(), static_cast<std::size_t>(inputs.cols())});
  }

  RowMatrix run() {
    for (const GraphOperation& operation : model_.description.graph) step(operation);
    return values_.at("outputs");
  }

  HeadMoments head() {
    const std::vector<GraphOperation>& graph = model_.description.graph;
    const auto draw =
        std::find_if(graph.rbegin(), graph.rend(), [](const auto& one) { return one.op == "gaussian_draw"; });
    if (draw == graph.rend() || draw->inputs.size() != 3)
      throw Error(Status::unsupported, "model file: the graph has no 'gaussian_draw', and so no moments of it");
    for (const GraphOperation& operation : graph) {
      if (operation.op == "normal_noise" || operation.op == "sample") {
        if (operation.outputs.at(0) == draw->inputs[2]) continue;
        throw Error(Status::unsupported, "model file: noise ('" + operation.outputs.at(0) +
                                             "') goes through a network: the outputs have no moments in closed form");
      }
      if (&operation == &*draw) break;
      step(operation);
    }
    return {operand(*draw, 0), operand(*draw, 1)};
  }

 private:
  Eigen::VectorXd vector_of(const GraphOperation& operation, const char* operand) const {
    const auto values = model_.tensor(operation.tensors.at(operand)).f64();
    return Eigen::Map<const Eigen::VectorXd>(values.data(), static_cast<Index>(values.size()));
  }
  const RowMatrix& operand(const GraphOperation& operation, std::size_t i) const {
    const auto found = values_.find(operation.inputs.at(i));
    if (found == values_.end())
      throw Error(Status::invalid_format, "model file: '" + operation.op + "' reads '" + operation.inputs[i] + "', which nothing has made");
    return found->second;
  }
  RowMatrix normals(Index columns, std::uint64_t site) const {
    RowMatrix e(rows_, columns);
    for (Index i = 0; i < rows_; ++i)
      for (Index j = 0; j < columns; ++j)
        e(i, j) = random::normal(key_, {.column = samples_.column[static_cast<std::size_t>(i)],
                                        .step = samples_.step[static_cast<std::size_t>(i)],
                                        .member = member_,
                                        .site = site,
                                        .element = static_cast<std::uint64_t>(j)});
    return e;
  }
  /// A network that reads the named values side by side.
  struct Loaded {
    Network<float> network;
    explicit Loaded(NetworkPlan plan, const std::vector<float>& weights) : network(std::move(plan)) {
      std::copy(weights.begin(), weights.end(), network.weights().begin());
    }
    RowMatrix operator()(const FloatRows& x) const {
      FloatRows h(x.rows(), network.plan().outputs);
      network.evaluate(x.data(), x.rows(), h.data());
      return h.cast<double>();
    }
  };
  Loaded load(std::span<const GraphOperation> nodes, const std::vector<Port>& ports, const std::string& output) const {
    std::vector<float> weights;
    NetworkPlan plan = plan_of(nodes, ports, output, model_, weights);
    return Loaded(std::move(plan), weights);
  }

  RowMatrix sample(const GraphOperation& operation) {
    const auto found = model_.description.subgraphs.find(operation.attributes.at("subgraph"));
    if (found == model_.description.subgraphs.end()) throw Error(Status::invalid_format, "model file: 'sample' names no subgraph");
    const Eigen::VectorXd mean = vector_of(operation, "output_mean"), scale = vector_of(operation, "output_scale");
    std::vector<Port> ports{{"state", mean.size()}};
    for (std::size_t i = 0; i < operation.inputs.size(); ++i) ports.push_back({operation.inputs[i], operand(operation, i).cols()});
    ports.push_back({"time", 1});
    const Loaded denoiser = load(found->second, ports, "prediction");
    FloatRows in(rows_, denoiser.network.plan().columns());
    Index column = mean.size();
    for (std::size_t i = 0; i < operation.inputs.size(); ++i) {
      in.middleCols(column, operand(operation, i).cols()) = operand(operation, i).cast<float>();
      column += operand(operation, i).cols();
    }
    const auto numbers = model_.tensor(operation.tensors.at("schedule")).f64();
    const SamplingTable table{operation.attributes.at("method"), operation.attributes.at("projection"),
                              Eigen::Map<const RowMatrix>(numbers.data(), static_cast<Index>(numbers.size()) / SamplingTable::columns,
                                                           SamplingTable::columns)};
    const std::int64_t site = integer_attribute(operation, "site");
    // The laws in standardised units: A diag(scale) y = d - A mean.
    const RowMatrix A = A_ * scale.asDiagonal();
    RowMatrix d = d_;
    const Index laws = d_.cols();
    for (Index row = 0; row < rows_; ++row)
      for (Index i = 0; i < laws; ++i) d(row, i) -= A_.row(A_.rows() == laws ? i : row * laws + i).dot(mean);
    const RowMatrix y = run_sampling(
        table, A, d, [&](std::int64_t k) { return normals(mean.size(), static_cast<std::uint64_t>(site + k)); },
        [&](const RowMatrix& x, double time) {
          in.leftCols(mean.size()) = x.cast<float>();
          in.rightCols(1).setConstant(static_cast<float>(time));
          return denoiser(in);
        });
    return (y * scale.asDiagonal()).rowwise() + mean.transpose();
  }

  RowMatrix constrained(const GraphOperation& operation) {
    const std::string& metric = operation.attributes.at("metric");
    RowMatrix scale;
    if (metric == "covariance") {
      scale = operand(operation, 1);
    } else if (metric == "scale") {
      const RowMatrix own = vector_of(operation, "scale").transpose();
      scale = own;
      // An output of deviation 0 stays where it is.
      if (operation.inputs.size() > 1)
        scale = (operand(operation, 1).array() == 0.0)
                    .select(RowMatrix::Zero(rows_, own.cols()), own.replicate(rows_, 1));
    } else {
      throw Error(Status::unsupported, "model file: 'constrain' with the metric '" + metric + "'");
    }
    ProjectedBatch found = metric_projection(A_, scale, operand(operation, 0), d_);
    for (std::size_t row = 0; row < found.status.size(); ++row)
      if (found.status[row] != Status::ok)
        throw Error(found.status[row], "'constrain' fails for " + sample_name(samples_, static_cast<std::int64_t>(row)));
    return std::move(found.y);
  }

  void step(const GraphOperation& operation) {
    const std::string& op = operation.op;
    if (op == "gaussian_head") {
      const Eigen::VectorXd mean = vector_of(operation, "output_mean"), scale = vector_of(operation, "output_scale");
      MlpOptions head;
      head.parametrization = operation.attributes.at("parametrization");
      head.floor = vector_of(operation, "floor")[0];
      std::vector<Index> all(static_cast<std::size_t>(mean.size()));
      std::iota(all.begin(), all.end(), Index{0});
      const HeadValues values = head_values(operand(operation, 0), all, head);
      values_[operation.outputs.at(0)] = (values.mean * scale.asDiagonal()).rowwise() + mean.transpose();
      values_[operation.outputs.at(1)] = values.standard_deviation * scale.asDiagonal();
      return;
    }
    RowMatrix result;
    if (op == "standardize") {
      const Eigen::VectorXd mean = vector_of(operation, "mean"), scale = vector_of(operation, "scale");
      const std::vector<float> x = standardise(operand(operation, 0).data(), rows_, mean.data(), scale.data(), mean.size());
      result = Eigen::Map<const FloatRows>(x.data(), rows_, mean.size()).cast<double>();
    } else if (op == "normal_noise") {
      // Without a length of its own: that of the values it goes with.
      Index length = model_.description.layout.elements(Role::output);
      if (operation.attributes.count("length"))
        length = integer_attribute(operation, "length", 1);
      else
        for (const GraphOperation& other : model_.description.graph)
          if (other.op == "gaussian_draw" && other.inputs.at(2) == operation.outputs.at(0)) length = operand(other, 0).cols();
      result = normals(length, static_cast<std::uint64_t>(integer_attribute(operation, "site")));
    } else if (op == "gaussian_draw") {
      result = operand(operation, 0) + operand(operation, 1).cwiseProduct(operand(operation, 2));
    } else if (op == "select") {
      result = operand(operation, 0)
                   .middleCols(integer_attribute(operation, "begin"), integer_attribute(operation, "length", 1));
    } else if (op == "mask") {
      result = operand(operation, 0);
      for (Index row = 0; row < rows_; ++row) {
        const auto present =
            static_cast<Index>(operand(operation, 1)(row, 0)) * integer_attribute(operation, "features", 1);
        result.row(row).tail(result.cols() - present).setZero();
      }
    } else if (op == "single") {
      result = operand(operation, 0).cast<float>().cast<double>();
    } else if (op == "identity") {
      result = operand(operation, 0);
    } else if (op == "sample") {
      result = sample(operation);
    } else if (op == "constrain") {
      result = constrained(operation);
    } else {
      std::vector<Port> ports;
      Index columns = 0;
      for (std::size_t i = 0; i < operation.inputs.size(); ++i) {
        const Port port{operation.inputs[i], operand(operation, i).cols()};
        if (std::find(ports.begin(), ports.end(), port) != ports.end()) continue;
        ports.push_back(port);
        columns += port.width;
      }
      FloatRows in(rows_, columns);
      columns = 0;
      for (const Port& port : ports) {
        in.middleCols(columns, port.width) = values_.at(port.name).cast<float>();
        columns += port.width;
      }
      result = load({&operation, 1}, ports, operation.outputs.at(0))(in);
    }
    values_[operation.outputs.at(0)] = std::move(result);
  }

  const ModelFile& model_;
  const SampleSet& samples_;
  random::Key key_;
  std::uint64_t member_;
  Index rows_;
  LinearConstraints constraints_;
  RowMatrix A_, d_;
  std::map<std::string, RowMatrix> values_;
};

}  // namespace

RowMatrix reference_draw(const ModelFile& model, const SampleSet& samples, const random::Key& key, std::uint64_t member) {
  return ReferenceRun(model, samples, key, member).run();
}

HeadMoments reference_head(const ModelFile& model, const SampleSet& samples) {
  return ReferenceRun(model, samples, {}, 0).head();
}

}  // namespace lavoisier::detail
