#include "program.hpp"

#include <lavoisier/status.hpp>

#include <algorithm>
#include <charconv>
#include <cmath>
#include <map>
#include <set>

namespace lavoisier::detail {
namespace {

std::string list(const std::vector<std::int64_t>& shape) {
  std::string text = "[";
  for (std::size_t i = 0; i < shape.size(); ++i) text += (i ? ", " : "") + std::to_string(shape[i]);
  return text + "]";
}

class Compiler {
 public:
  explicit Compiler(const ModelFile& file) : file_(file), description_(file.description) {}

  Program run() {
    layout();
    ranges();
    heads();
    graph();  // before the laws: it ties the number of outputs to what the file holds
    program_.laws = compile_laws(description_, program_.minimum, program_.maximum);
    arena();
    return std::move(program_);
  }

 private:
  [[noreturn]] void fail(Status status, const std::string& message) const { throw Error(status, where_ + message); }

  void layout() {
    for (const auto& dimension : description_.layout.dimensions())
      if (dimension.ragged)
        fail(Status::unsupported, "the ragged dimension '" + dimension.name + "': this release runs fixed layouts only");
    for (const auto& variable : description_.layout.variables()) {
      if (variable.role == Role::diagnostic) continue;
      ProgramVariable entry;
      entry.name = variable.name;
      entry.units = variable.units;
      entry.long_name = variable.long_name;
      entry.accepted_units = variable.accepted_units;
      entry.elements = description_.layout.elements(variable);
      entry.offset = description_.layout.offset(variable.name);
      (variable.role == Role::input ? program_.inputs : program_.outputs).push_back(std::move(entry));
    }
    program_.input_elements = description_.layout.elements(Role::input);
    program_.output_elements = description_.layout.elements(Role::output);
    if (program_.outputs.empty()) fail(Status::invalid_format, "a model without outputs");
    // Elements are addressed with 32 bits in the kernels.
    if (program_.input_elements > INT32_MAX / 64 || program_.output_elements > INT32_MAX / 64)
      fail(Status::unsupported, "more elements a column than this library can address");
  }

  void ranges() {
    program_.minimum = doubles("input.minimum", program_.input_elements);
    program_.maximum = doubles("input.maximum", program_.input_elements);
  }

  void heads() const {
    for (const auto& head : description_.heads)
      if (head.family != "gaussian_diagonal")
        fail(Status::unsupported,
             "head '" + head.name + "': the family '" + head.family + "' (this release runs gaussian_diagonal)");
  }

  const Tensor& tensor(const std::string& name) const {
    if (!file_.has_tensor(name)) fail(Status::invalid_format, "the tensor '" + name + "' is missing");
    return file_.tensor(name);
  }

  void shape(const Tensor& found, const std::vector<std::int64_t>& expected) const {
    if (found.shape != expected)
      fail(Status::invalid_format, "tensor '" + found.name + "': expected shape " + list(expected) + ", found " +
                                       list(found.shape));
  }

  std::vector<double> doubles(const std::string& name, std::int64_t length) const {
    const Tensor& found = tensor(name);
    shape(found, {length});
    const auto view = found.f64();
    for (const double x : view)
      if (!std::isfinite(x)) fail(Status::non_finite, "tensor '" + name + "' holds a number that is not finite");
    return {view.begin(), view.end()};
  }

  std::span<const float> floats(const std::string& name, const std::vector<std::int64_t>& expected) const {
    const Tensor& found = tensor(name);
    shape(found, expected);
    const auto view = found.f32();
    for (const float x : view)
      if (!std::isfinite(x)) fail(Status::non_finite, "tensor '" + name + "' holds a number that is not finite");
    return view;
  }

  // Operands.
  int value(const std::string& name, bool f64, std::int64_t length = -1) const {
    const auto at = index_.find(name);
    if (at == index_.end()) fail(Status::invalid_format, "the value '" + name + "' is not made by an earlier operation");
    const Value& found = program_.values[static_cast<std::size_t>(at->second)];
    if (found.f64 != f64)
      fail(Status::invalid_format, "the value '" + name + "' is " + (found.f64 ? "FP64" : "FP32") + ", expected " +
                                       (f64 ? "FP64" : "FP32"));
    if (length >= 0 && found.length != length)
      fail(Status::invalid_format, "the value '" + name + "' has length " + std::to_string(found.length) +
                                       ", expected " + std::to_string(length));
    return at->second;
  }
  std::int64_t length(int index) const { return program_.values[static_cast<std::size_t>(index)].length; }
  int make(const std::string& name, bool f64, std::int64_t length) {
    if (index_.count(name)) fail(Status::invalid_format, "the value '" + name + "' is made twice");
    Value made;
    made.name = name;
    made.f64 = f64;
    made.length = length;
    program_.values.push_back(std::move(made));
    const int index = static_cast<int>(program_.values.size() - 1);
    index_[name] = index;
    return index;
  }

  void operands(const GraphOperation& node, std::size_t inputs, std::size_t outputs,
                const std::set<std::string>& tensors, const std::set<std::string>& attributes) const {
    if (node.inputs.size() != inputs || node.outputs.size() != outputs)
      fail(Status::invalid_format, "expected " + std::to_string(inputs) + " inputs and " + std::to_string(outputs) +
                                       " outputs, found " + std::to_string(node.inputs.size()) + " and " +
                                       std::to_string(node.outputs.size()));
    const auto check = [&](const std::map<std::string, std::string>& given, const std::set<std::string>& known,
                           const char* what) {
      for (const auto& name : known)
        if (!given.count(name)) fail(Status::invalid_format, std::string("the ") + what + " '" + name + "' is missing");
      for (const auto& [name, unused] : given)
        if (!known.count(name)) fail(Status::unsupported, std::string("the ") + what + " '" + name + "' is unknown");
    };
    check(node.tensors, tensors, "tensor");
    check(node.attributes, attributes, "attribute");
  }

  double decimal(const std::string& text, const char* name) const {
    double number = 0.0;
    const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), number);
    if (error != std::errc{} || end != text.data() + text.size() || !std::isfinite(number))
      fail(Status::invalid_format, std::string("the attribute '") + name + "' is no number: '" + text + "'");
    return number;
  }

  void graph() {
    make("inputs", true, program_.input_elements);
    const std::size_t count = description_.graph.size();
    if (count == 0) fail(Status::invalid_format, "the graph is empty");
    for (std::size_t i = 0; i < count; ++i) {
      const GraphOperation& node = description_.graph[i];
      where_ = "operation " + std::to_string(i) + " (" + node.op + "): ";
      operation(node);
    }
    where_.clear();
    const auto at = index_.find("outputs");
    if (at == index_.end() || program_.operations.back().output[0] != at->second)
      fail(Status::invalid_format, "the last operation does not make the value 'outputs'");
    program_.result = at->second;
    const Value& result = program_.values[static_cast<std::size_t>(program_.result)];
    if (!result.f64 || result.length != program_.output_elements)
      fail(Status::invalid_format, "'outputs' has " + std::to_string(result.length) + " elements, the layout " +
                                       std::to_string(program_.output_elements));
  }

  void operation(const GraphOperation& node) {
    Operation made;
    if (node.op == "standardize") {
      operands(node, 1, 1, {"mean", "scale"}, {});
      made.kind = OperationKind::standardize;
      made.input[0] = value(node.inputs[0], true);
      made.n = length(made.input[0]);
      made.first = doubles(node.tensors.at("mean"), made.n);
      made.second = doubles(node.tensors.at("scale"), made.n);
      for (const double scale : made.second)
        if (scale == 0.0) fail(Status::invalid_format, "a scale of zero");
      made.output[0] = make(node.outputs[0], false, made.n);
    } else if (node.op == "dense") {
      operands(node, 1, 1, {"weight", "bias"}, {});
      dense(node, made);
    } else if (node.op == "silu") {
      operands(node, 1, 1, {}, {});
      made.kind = OperationKind::silu;
      made.input[0] = value(node.inputs[0], false);
      made.n = length(made.input[0]);
      made.output[0] = make(node.outputs[0], false, made.n);
    } else if (node.op == "add") {
      operands(node, 2, 1, {}, {});
      made.kind = OperationKind::add;
      made.input[0] = value(node.inputs[0], false);
      made.n = length(made.input[0]);
      made.input[1] = value(node.inputs[1], false, made.n);
      made.output[0] = make(node.outputs[0], false, made.n);
    } else if (node.op == "layer_norm") {
      operands(node, 1, 1, {"weight", "bias"}, {"epsilon"});
      made.kind = OperationKind::layer_norm;
      made.input[0] = value(node.inputs[0], false);
      made.n = length(made.input[0]);
      made.number = decimal(node.attributes.at("epsilon"), "epsilon");
      const auto weight = floats(node.tensors.at("weight"), {made.n});
      const auto bias = floats(node.tensors.at("bias"), {made.n});
      made.weight = AlignedBuffer<float>(weight.size());
      made.bias = AlignedBuffer<float>(bias.size());
      std::copy(weight.begin(), weight.end(), made.weight.data());
      std::copy(bias.begin(), bias.end(), made.bias.data());
      made.output[0] = make(node.outputs[0], false, made.n);
    } else if (node.op == "gaussian_head") {
      operands(node, 1, 2, {"output_mean", "output_scale", "floor"}, {"parametrization"});
      made.kind = OperationKind::gaussian_head;
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
    } else if (node.op == "normal_noise") {
      operands(node, 0, 1, {}, {"site"});
      made.kind = OperationKind::normal_noise;
      const std::string& text = node.attributes.at("site");
      const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), made.site);
      if (error != std::errc{} || end != text.data() + text.size() || made.site > 0xffffffffu)
        fail(Status::invalid_format, "the attribute 'site' is no number below 2^32: '" + text + "'");
      if (std::find(sites_.begin(), sites_.end(), made.site) != sites_.end())
        fail(Status::invalid_format, "site " + text + " is used twice: the draws would be the same numbers");
      sites_.push_back(made.site);
      made.n = -1;  // known from its use
      made.output[0] = make(node.outputs[0], true, -1);
      noise_.push_back(program_.operations.size());
    } else if (node.op == "gaussian_draw") {
      operands(node, 3, 1, {}, {});
      made.kind = OperationKind::gaussian_draw;
      made.input[0] = value(node.inputs[0], true);
      made.n = length(made.input[0]);
      made.input[1] = value(node.inputs[1], true, made.n);
      made.input[2] = value(node.inputs[2], true);
      settle_noise(made.input[2], made.n);
      made.output[0] = make(node.outputs[0], true, made.n);
    } else if (node.op == "constrain") {
      constrain(node, made);
    } else if (node.op == "identity") {
      operands(node, 1, 1, {}, {});
      made.kind = OperationKind::identity;
      made.input[0] = value(node.inputs[0], true);
      made.n = length(made.input[0]);
      made.output[0] = make(node.outputs[0], true, made.n);
    } else {
      throw Error(Status::unsupported,
                  where_ + "this library does not know it (standardize, dense, silu, add, layer_norm, gaussian_head, "
                           "normal_noise, gaussian_draw, constrain, identity)");
    }
    program_.operations.push_back(std::move(made));
  }

  void dense(const GraphOperation& node, Operation& made) {
    made.kind = OperationKind::dense;
    made.input[0] = value(node.inputs[0], false);
    made.k = length(made.input[0]);
    const Tensor& weight_tensor = tensor(node.tensors.at("weight"));
    if (weight_tensor.shape.size() != 2 || weight_tensor.shape[1] != made.k || weight_tensor.shape[0] < 1)
      fail(Status::invalid_format, "tensor '" + weight_tensor.name + "': expected shape [n, " +
                                       std::to_string(made.k) + "], found " + list(weight_tensor.shape));
    made.n = weight_tensor.shape[0];
    const auto weight = floats(weight_tensor.name, {made.n, made.k});
    const auto bias = floats(node.tensors.at("bias"), {made.n});
    const std::int64_t panels = (made.n + panel_width - 1) / panel_width;
    made.weight = AlignedBuffer<float>(static_cast<std::size_t>(panels * panel_width * made.k));
    made.bias = AlignedBuffer<float>(static_cast<std::size_t>(panels * panel_width));
    for (std::int64_t j = 0; j < made.n; ++j) {
      const std::int64_t panel = j / panel_width, lane = j % panel_width;
      made.bias[static_cast<std::size_t>(j)] = bias[static_cast<std::size_t>(j)];
      for (std::int64_t k = 0; k < made.k; ++k)
        made.weight[static_cast<std::size_t>((panel * made.k + k) * panel_width + lane)] =
            weight[static_cast<std::size_t>(j * made.k + k)];
    }
    made.output[0] = make(node.outputs[0], false, made.n);
  }

  void constrain(const GraphOperation& node, Operation& made) {
    const auto metric = node.attributes.find("metric");
    if (metric == node.attributes.end()) fail(Status::invalid_format, "the attribute 'metric' is missing");
    if (metric->second != "covariance" && metric->second != "scale")
      fail(Status::unsupported, "the metric '" + metric->second + "' (covariance, scale)");
    made.kind = OperationKind::constrain;
    made.fixed_metric = metric->second == "scale";
    operands(node, 2, 1, made.fixed_metric ? std::set<std::string>{"scale"} : std::set<std::string>{}, {"metric"});
    made.n = program_.output_elements;
    made.input[0] = value(node.inputs[0], true, made.n);
    made.input[1] = value(node.inputs[1], true, made.n);
    if (made.fixed_metric) {
      made.first = doubles(node.tensors.at("scale"), made.n);
      for (double& scale : made.first) scale *= scale;
    }
    made.output[0] = make(node.outputs[0], true, made.n);
  }

  void settle_noise(int index, std::int64_t n) {
    Value& noise = program_.values[static_cast<std::size_t>(index)];
    for (const std::size_t at : noise_) {
      Operation& operation = program_.operations[at];
      if (operation.output[0] != index) continue;
      if (operation.n >= 0 && operation.n != n)
        fail(Status::invalid_format, "the noise '" + noise.name + "' is used with two lengths");
      operation.n = n;
      noise.length = n;
    }
    if (noise.length != n)
      fail(Status::invalid_format, "the value '" + noise.name + "' has length " + std::to_string(noise.length) +
                                       ", expected " + std::to_string(n));
  }

  // Slots of the values in a tile's arena. A slot is free again behind the last operation that reads its value.
  void arena() {
    std::vector<std::size_t> last(program_.values.size(), 0);
    for (std::size_t i = 0; i < program_.operations.size(); ++i) {
      const Operation& operation = program_.operations[i];
      if (operation.n < 0) fail(Status::invalid_format, "a noise operation whose numbers nobody uses");
      for (const int v : operation.input)
        if (v >= 0) last[static_cast<std::size_t>(v)] = i;
      for (const int v : operation.output)
        if (v >= 0) last[static_cast<std::size_t>(v)] = std::max(last[static_cast<std::size_t>(v)], i);
    }
    last[0] = program_.operations.size();  // right-hand sides read the inputs behind the graph too
    last[static_cast<std::size_t>(program_.result)] = program_.operations.size();
    struct Block {
      std::size_t begin, size;
      std::size_t until;  ///< busy up to and with this operation
    };
    std::vector<Block> blocks;
    std::size_t end = 0;
    const auto place = [&](int v, std::size_t now) {
      Value& made = program_.values[static_cast<std::size_t>(v)];
      const std::size_t raw = made.bytes_a_column() * static_cast<std::size_t>(tile_columns);
      const std::size_t size = (std::max<std::size_t>(raw, 1) + cache_line - 1) / cache_line * cache_line;
      for (auto& block : blocks)
        if (block.until < now && block.size >= size && block.size <= 2 * size) {
          block.until = last[static_cast<std::size_t>(v)];
          made.slot = block.begin;
          return;
        }
      blocks.push_back({end, size, last[static_cast<std::size_t>(v)]});
      made.slot = end;
      end += size;
    };
    place(0, 0);
    for (std::size_t i = 0; i < program_.operations.size(); ++i)
      for (const int v : program_.operations[i].output)
        if (v >= 0) place(v, i);
    program_.arena_bytes = end;
  }

  const ModelFile& file_;
  const ModelDescription& description_;
  Program program_;
  std::map<std::string, int> index_;
  std::vector<std::uint64_t> sites_;
  std::vector<std::size_t> noise_;  ///< operations
  std::string where_;
};

}  // namespace

Program compile(const ModelFile& file) { return Compiler(file).run(); }

}  // namespace lavoisier::detail
