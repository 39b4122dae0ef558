#include "program_compiler.hpp"

#include <charconv>
#include <cmath>

namespace lavoisier::detail {

std::string list(const std::vector<std::int64_t>& shape) {
  std::string text = "[";
  for (std::size_t i = 0; i < shape.size(); ++i) text += (i ? ", " : "") + std::to_string(shape[i]);
  return text + "]";
}

const Tensor& Compiler::tensor(const std::string& name) const {
  if (!file_.has_tensor(name)) fail(Status::invalid_format, "the tensor '" + name + "' is missing");
  return file_.tensor(name);
}

void Compiler::shape(const Tensor& found, const std::vector<std::int64_t>& expected) const {
  if (found.shape != expected)
    fail(Status::invalid_format,
         "tensor '" + found.name + "': expected shape " + list(expected) + ", found " + list(found.shape));
}

std::vector<double> Compiler::doubles(const std::string& name, std::int64_t length) const {
  const Tensor& found = tensor(name);
  shape(found, {length});
  const auto view = found.f64();
  for (const double x : view)
    if (!std::isfinite(x)) fail(Status::non_finite, "tensor '" + name + "' holds a number that is not finite");
  return {view.begin(), view.end()};
}

std::span<const float> Compiler::floats(const std::string& name, const std::vector<std::int64_t>& expected) const {
  const Tensor& found = tensor(name);
  shape(found, expected);
  const auto view = found.f32();
  for (const float x : view)
    if (!std::isfinite(x)) fail(Status::non_finite, "tensor '" + name + "' holds a number that is not finite");
  return view;
}

int Compiler::value(const std::string& name, bool f64, std::int64_t length) const {
  const auto at = index_.find(name);
  if (at == index_.end()) fail(Status::invalid_format, "the value '" + name + "' is not made by an earlier operation");
  const Value& found = program_.values[static_cast<std::size_t>(at->second)];
  if (found.f64 != f64)
    fail(Status::invalid_format,
         "the value '" + name + "' is " + (found.f64 ? "FP64" : "FP32") + ", expected " + (f64 ? "FP64" : "FP32"));
  if (found.length < 0)
    fail(Status::invalid_format,
         "the length of the noise '" + name + "' is not known here: normal_noise needs the attribute 'length'");
  if (length >= 0 && found.length != length)
    fail(Status::invalid_format, "the value '" + name + "' has length " + std::to_string(found.length) + ", expected " +
                                     std::to_string(length));
  return at->second;
}

int Compiler::make_hidden(bool f64, std::int64_t length) {
  if (length > most_elements) fail(Status::unsupported, "more elements a column than this library can address");
  Value made;
  made.f64 = f64;
  made.length = length;
  program_.values.push_back(std::move(made));
  drawn_.push_back(false);
  return static_cast<int>(program_.values.size() - 1);
}

int Compiler::make(const std::string& name, bool f64, std::int64_t length) {
  if (index_.count(name)) fail(Status::invalid_format, "the value '" + name + "' is made twice");
  const int index = make_hidden(f64, length);
  program_.values[static_cast<std::size_t>(index)].name = name;
  index_[name] = index;
  return index;
}

void Compiler::operands(const GraphOperation& node, std::size_t inputs, std::size_t outputs,
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

double Compiler::decimal(const std::string& text, const char* name) const {
  double number = 0.0;
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), number);
  if (error != std::errc{} || end != text.data() + text.size() || !std::isfinite(number))
    fail(Status::invalid_format, std::string("the attribute '") + name + "' is no number: '" + text + "'");
  return number;
}

std::int64_t Compiler::integer(const GraphOperation& node, const char* name, std::int64_t least,
                               std::int64_t most) const {
  const std::string& text = node.attributes.at(name);
  std::int64_t number = 0;
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), number);
  if (error != std::errc{} || end != text.data() + text.size() || number < least || number > most)
    fail(Status::invalid_format, std::string("the attribute '") + name + "': expected a whole number from " +
                                     std::to_string(least) + " to " + std::to_string(most) + ", found '" + text + "'");
  return number;
}

std::int64_t Compiler::rows(const GraphOperation& node) const {
  return node.attributes.count("rows") ? integer(node, "rows", 1, most_elements) : 1;
}

std::array<std::int64_t, 2> Compiler::pair(const GraphOperation& node, const char* name, std::int64_t least) const {
  constexpr std::int64_t most = 1 << 20;
  const std::string& text = node.attributes.at(name);
  const char* const end = text.data() + text.size();
  std::array<std::int64_t, 2> found{};
  const auto first = std::from_chars(text.data(), end, found[0]);
  bool good = first.ec == std::errc{} && first.ptr != end && *first.ptr == ',';
  if (good) {
    const auto second = std::from_chars(first.ptr + 1, end, found[1]);
    good = second.ec == std::errc{} && second.ptr == end;
  }
  for (const std::int64_t number : found) good = good && number >= least && number <= most;
  if (!good)
    fail(Status::invalid_format, std::string("the attribute '") + name + "': expected two whole numbers 'y,x' from " +
                                     std::to_string(least) + " to " + std::to_string(most) + ", found '" + text + "'");
  return found;
}

std::int64_t Compiler::parts(int index, std::int64_t part, const char* what) const {
  const Value& found = program_.values[static_cast<std::size_t>(index)];
  if (part < 1 || found.length % part != 0)
    fail(Status::invalid_format, "the value '" + found.name + "' has length " + std::to_string(found.length) +
                                     ", expected a multiple of " + std::to_string(part) + " (" + what + ")");
  return found.length / part;
}

void Compiler::pack(std::span<const float> weight, std::span<const float> bias, std::int64_t k,
                    SharedBuffer<float>& to_weight, SharedBuffer<float>& to_bias) const {
  const auto n = static_cast<std::int64_t>(bias.size());
  const std::int64_t panels = (n + panel_width - 1) / panel_width;
  to_weight = SharedBuffer<float>(static_cast<std::size_t>(panels * panel_width * k));
  to_bias = SharedBuffer<float>(static_cast<std::size_t>(panels * panel_width));
  for (std::int64_t j = 0; j < n; ++j) {
    const std::int64_t panel = j / panel_width, lane = j % panel_width;
    to_bias[static_cast<std::size_t>(j)] = bias[static_cast<std::size_t>(j)];
    for (std::int64_t i = 0; i < k; ++i)
      to_weight[static_cast<std::size_t>((panel * k + i) * panel_width + lane)] =
          weight[static_cast<std::size_t>(j * k + i)];
  }
}

}  // namespace lavoisier::detail
