#include "program_compiler.hpp"

#include <algorithm>
#include <charconv>

namespace lavoisier::detail {
namespace {

struct Word {
  const char* word;
  OperationKind kind;
};
constexpr Word words[] = {
    {"standardize", OperationKind::standardize},
    {"single", OperationKind::single},
    {"select", OperationKind::select},
    {"slice", OperationKind::slice},
    {"concat", OperationKind::concat},
    {"dense", OperationKind::dense},
    {"conv2d", OperationKind::conv2d},
    {"upsample2d", OperationKind::upsample2d},
    {"transpose", OperationKind::transpose},
    {"silu", OperationKind::silu},
    {"relu", OperationKind::relu},
    {"tanh", OperationKind::tanh},
    {"sigmoid", OperationKind::sigmoid},
    {"add", OperationKind::add},
    {"multiply", OperationKind::multiply},
    {"add_channel", OperationKind::add_channel},
    {"layer_norm", OperationKind::layer_norm},
    {"group_norm", OperationKind::group_norm},
    {"time_embedding", OperationKind::time_embedding},
    {"gru", OperationKind::gru},
    {"gather", OperationKind::gather},
    {"scatter_add", OperationKind::scatter_add},
    {"embedding", OperationKind::embedding},
    {"mask", OperationKind::mask},
    {"gaussian_head", OperationKind::gaussian_head},
    {"normal_noise", OperationKind::normal_noise},
    {"gaussian_draw", OperationKind::gaussian_draw},
    {"positive_draw", OperationKind::positive_draw},
    {"dirichlet_draw", OperationKind::dirichlet_draw},
    {"poisson_draw", OperationKind::poisson_draw},
    {"multinomial_draw", OperationKind::multinomial_draw},
    {"sample", OperationKind::sample},
    {"constrain", OperationKind::constrain},
    {"identity", OperationKind::identity},
};

}  // namespace

const char* to_string(OperationKind kind) noexcept {
  for (const Word& word : words)
    if (word.kind == kind) return word.word;
  return "?";
}

void Compiler::operation(const GraphOperation& node) {
  const Word* found = nullptr;
  std::string known;
  for (const Word& word : words) {
    if (node.op == word.word) found = &word;
    known += (known.empty() ? "" : ", ") + std::string(word.word);
  }
  if (found == nullptr) fail(Status::unsupported, "this library does not know it (" + known + ")");
  Operation made;
  made.kind = found->kind;
  switch (found->kind) {
    case OperationKind::standardize:
      standardize(node, made);
      break;
    case OperationKind::single:
      single(node, made);
      break;
    case OperationKind::select:
      select(node, made);
      break;
    case OperationKind::slice:
      slice(node, made);
      break;
    case OperationKind::concat:
      concat(node, made);
      break;
    case OperationKind::dense:
      dense(node, made);
      break;
    case OperationKind::conv2d:
      conv2d(node, made);
      break;
    case OperationKind::transpose:
      transpose(node, made);
      break;
    case OperationKind::upsample2d:
      upsample2d(node, made);
      break;
    case OperationKind::silu:
    case OperationKind::relu:
    case OperationKind::tanh:
    case OperationKind::sigmoid:
      elementwise(node, made);
      break;
    case OperationKind::add:
    case OperationKind::multiply:
      two_operands(node, made);
      break;
    case OperationKind::add_channel:
      add_channel(node, made);
      break;
    case OperationKind::layer_norm:
      layer_norm(node, made);
      break;
    case OperationKind::group_norm:
      group_norm(node, made);
      break;
    case OperationKind::time_embedding:
      time_embedding(node, made);
      break;
    case OperationKind::gru:
      gru(node, made);
      break;
    case OperationKind::gather:
      gather(node, made);
      break;
    case OperationKind::scatter_add:
      scatter_add(node, made);
      break;
    case OperationKind::embedding:
      embedding(node, made);
      break;
    case OperationKind::mask:
      mask(node, made);
      break;
    case OperationKind::gaussian_head:
      gaussian_head(node, made);
      break;
    case OperationKind::normal_noise:
      normal_noise(node, made);
      break;
    case OperationKind::gaussian_draw:
      gaussian_draw(node, made);
      break;
    case OperationKind::positive_draw:
      positive_draw(node, made);
      break;
    case OperationKind::dirichlet_draw:
      dirichlet_draw(node, made);
      break;
    case OperationKind::poisson_draw:
    case OperationKind::multinomial_draw:
      count_draw(node, made);
      break;
    case OperationKind::sample:
      sample(node, made);
      break;
    case OperationKind::constrain:
      constrain(node, made);
      break;
    case OperationKind::identity:
      identity(node, made);
      break;
  }
  // Where noise goes: a network fed with it has no mean that a run without noise would give.
  bool drawn = made.kind == OperationKind::normal_noise || made.kind == OperationKind::sample ||
               made.kind == OperationKind::positive_draw || made.kind == OperationKind::dirichlet_draw ||
               made.kind == OperationKind::poisson_draw || made.kind == OperationKind::multinomial_draw;
  for (const int v : made.input) drawn = drawn || (v >= 0 && drawn_[static_cast<std::size_t>(v)]);
  for (const int v : made.inputs) drawn = drawn || drawn_[static_cast<std::size_t>(v)];
  for (const int v : made.output)
    if (v >= 0 && drawn) {
      drawn_[static_cast<std::size_t>(v)] = true;
      if (!program_.values[static_cast<std::size_t>(v)].f64) program_.has_mean = false;
    }
  if (made.kind == OperationKind::sample) program_.has_mean = false;
  operations_->push_back(std::move(made));
}

void Compiler::standardize(const GraphOperation& node, Operation& made) {
  operands(node, 1, 1, {"mean", "scale"}, {});
  made.input[0] = value(node.inputs[0], true);
  made.n = length(made.input[0]);
  made.first = doubles(node.tensors.at("mean"), made.n);
  made.second = doubles(node.tensors.at("scale"), made.n);
  for (const double scale : made.second)
    if (scale == 0.0) fail(Status::invalid_format, "a scale of zero");
  made.output[0] = make(node.outputs[0], false, made.n);
}

void Compiler::dense(const GraphOperation& node, Operation& made) {
  made.size = rows(node);
  operands(node, 1, 1, {"weight", "bias"}, row_attributes(node));
  made.input[0] = value(node.inputs[0], false);
  made.k = parts(made.input[0], made.size, "rows");
  const Tensor& weight = tensor(node.tensors.at("weight"));
  if (weight.shape.size() != 2 || weight.shape[1] != made.k || weight.shape[0] < 1)
    fail(Status::invalid_format, "tensor '" + weight.name + "': expected shape [n, " + std::to_string(made.k) +
                                     "], found " + list(weight.shape));
  const std::int64_t outputs = weight.shape[0];
  pack(floats(weight.name, {outputs, made.k}), floats(node.tensors.at("bias"), {outputs}), made.k, made.weight,
       made.bias);
  if (outputs > most_elements / made.size)
    fail(Status::unsupported, "more elements a column than this library can address");
  made.n = made.size * outputs;
  made.output[0] = make(node.outputs[0], false, made.n);
}

void Compiler::elementwise(const GraphOperation& node, Operation& made) {
  operands(node, 1, 1, {}, {});
  made.input[0] = value(node.inputs[0], false);
  made.n = length(made.input[0]);
  made.output[0] = make(node.outputs[0], false, made.n);
}

void Compiler::two_operands(const GraphOperation& node, Operation& made) {
  operands(node, 2, 1, {}, {});
  made.input[0] = value(node.inputs[0], false);
  made.n = length(made.input[0]);
  made.input[1] = value(node.inputs[1], false, made.n);
  made.output[0] = make(node.outputs[0], false, made.n);
}

void Compiler::norm_tensors(const GraphOperation& node, std::int64_t channels, Operation& made) {
  made.number = decimal(node.attributes.at("epsilon"), "epsilon");
  const auto weight = floats(node.tensors.at("weight"), {channels});
  const auto bias = floats(node.tensors.at("bias"), {channels});
  made.weight = SharedBuffer<float>(weight.size());
  made.bias = SharedBuffer<float>(bias.size());
  std::copy(weight.begin(), weight.end(), made.weight.data());
  std::copy(bias.begin(), bias.end(), made.bias.data());
}

void Compiler::layer_norm(const GraphOperation& node, Operation& made) {
  operands(node, 1, 1, {"weight", "bias"}, {"epsilon"});
  made.input[0] = value(node.inputs[0], false);
  made.n = length(made.input[0]);
  norm_tensors(node, made.n, made);
  made.output[0] = make(node.outputs[0], false, made.n);
}

void Compiler::gaussian_head(const GraphOperation& node, Operation& made) {
  operands(node, 1, 2, {"output_mean", "output_scale", "floor"}, {"parametrization"});
  made.input[0] = value(node.inputs[0], false);
  const std::int64_t both = length(made.input[0]);
  if (both % 2 != 0) fail(Status::invalid_format, "an input of odd length " + std::to_string(both));
  made.n = both / 2;
  made.first = doubles(node.tensors.at("output_mean"), made.n);
  made.second = doubles(node.tensors.at("output_scale"), made.n);
  for (const double scale : made.second)
    if (scale < 0.0) fail(Status::invalid_format, "a negative output_scale");
  made.number = doubles(node.tensors.at("floor"), 1)[0];
  if (made.number < 0.0) fail(Status::invalid_format, "a negative floor");
  const std::string& parametrization = node.attributes.at("parametrization");
  if (parametrization != "softplus" && parametrization != "exp")
    fail(Status::unsupported, "the parametrization '" + parametrization + "' (softplus, exp)");
  made.exponential = parametrization == "exp";
  made.output[0] = make(node.outputs[0], true, made.n);
  made.output[1] = make(node.outputs[1], true, made.n);
}

void Compiler::take_site(std::uint64_t site) {
  if (!sites_.insert(site).second)
    fail(Status::invalid_format,
         "site " + std::to_string(site) + " is used twice: the draws would be the same numbers");
}

void Compiler::normal_noise(const GraphOperation& node, Operation& made) {
  if (in_subgraph_) fail(Status::unsupported, "in a subgraph, which would draw the same numbers in every step");
  const bool sized = node.attributes.count("length") != 0;
  operands(node, 0, 1, {}, sized ? std::set<std::string>{"site", "length"} : std::set<std::string>{"site"});
  const std::string& text = node.attributes.at("site");
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), made.site);
  if (error != std::errc{} || end != text.data() + text.size() || made.site > 0xffffffffu)
    fail(Status::invalid_format, "the attribute 'site' is no number below 2^32: '" + text + "'");
  take_site(made.site);
  made.n = sized ? integer(node, "length", 1, most_elements) : -1;  // -1: known from its use
  made.output[0] = make(node.outputs[0], true, made.n);
  noise_.push_back(program_.operations.size());
}

void Compiler::gaussian_draw(const GraphOperation& node, Operation& made) {
  operands(node, 3, 1, {}, {});
  made.input[0] = value(node.inputs[0], true);
  made.n = length(made.input[0]);
  made.input[1] = value(node.inputs[1], true, made.n);
  const auto e = index_.find(node.inputs[2]);
  if (e != index_.end() && length(e->second) < 0) settle_noise(e->second, made.n);
  made.input[2] = value(node.inputs[2], true, made.n);
  made.output[0] = make(node.outputs[0], true, made.n);
}

void Compiler::constrain(const GraphOperation& node, Operation& made) {
  if (in_subgraph_) fail(Status::unsupported, "in a subgraph; the operation sample projects by itself");
  const auto metric = node.attributes.find("metric");
  if (metric == node.attributes.end()) fail(Status::invalid_format, "the attribute 'metric' is missing");
  if (metric->second != "covariance" && metric->second != "scale")
    fail(Status::unsupported, "the metric '" + metric->second + "' (covariance, scale)");
  made.fixed_metric = metric->second == "scale";
  const bool alone = made.fixed_metric && node.inputs.size() == 1;
  operands(node, alone ? 1 : 2, 1, made.fixed_metric ? std::set<std::string>{"scale"} : std::set<std::string>{},
           {"metric"});
  made.n = program_.output_elements;
  made.input[0] = value(node.inputs[0], true, made.n);
  if (!alone) made.input[1] = value(node.inputs[1], true, made.n);
  if (made.fixed_metric) {
    made.first = doubles(node.tensors.at("scale"), made.n);
    for (double& scale : made.first) scale *= scale;
  }
  made.output[0] = make(node.outputs[0], true, made.n);
}

void Compiler::identity(const GraphOperation& node, Operation& made) {
  operands(node, 1, 1, {}, {});
  made.input[0] = value(node.inputs[0], true);
  made.n = length(made.input[0]);
  made.output[0] = make(node.outputs[0], true, made.n);
}

void Compiler::settle_noise(int index, std::int64_t n) {
  for (const std::size_t at : noise_)
    if (program_.operations[at].output[0] == index) program_.operations[at].n = n;
  program_.values[static_cast<std::size_t>(index)].length = n;
}

}  // namespace lavoisier::detail
