#include "description.hpp"

#include "strict_json.hpp"

#include <lavoisier/status.hpp>

#include <nlohmann/json.hpp>

#include <array>
#include <cmath>
#include <functional>
#include <set>

namespace lavoisier::detail {

namespace {

using Ordered = nlohmann::ordered_json;

// Words of the postfix programs, in the order of ExpressionOp, as far as laws may use them.
constexpr std::array<const char*, 8> op_names = {"number", "symbol", "add", "subtract",
                                                 "multiply", "divide", "negate", "sum"};

Ordered program_json(const Expression& expression, std::vector<double>& numbers) {
  Ordered program = Ordered::array();
  LAVOISIER_REQUIRE(!expression.has_functions(), "laws have no functions but sums");
  for (const auto& step : expression.program()) {
    Ordered item = Ordered::array({op_names[static_cast<std::size_t>(step.op)]});
    if (step.op == ExpressionOp::number) {
      item.push_back(numbers.size());
      numbers.push_back(step.number);
    } else if (step.op == ExpressionOp::symbol || step.op == ExpressionOp::sum) {
      item.push_back(step.name);
    }
    program.push_back(std::move(item));
  }
  return program;
}

// Hands out the numbers of laws.numbers: each is used once, in the order of the description.
class Numbers {
 public:
  explicit Numbers(std::span<const double> values) : values_(values) {}

  double at(const Place& place) {
    const std::int64_t index = place.integer();
    if (static_cast<std::uint64_t>(index) != next_ || next_ >= values_.size()) {
      place.fail("expected index " + std::to_string(next_) + " into the " + std::to_string(values_.size()) +
                 " numbers of '" + numbers_tensor + "', found " + std::to_string(index));
    }
    const double value = values_[next_++];
    if (!std::isfinite(value)) place.fail(std::string("that element of '") + numbers_tensor + "' is not finite");
    return value;
  }
  std::size_t used() const { return next_; }

 private:
  std::span<const double> values_;
  std::size_t next_ = 0;
};

Expression read_program(const Place& place, Numbers& numbers) {
  std::vector<ExpressionStep> program;
  for (const auto& item : place.items()) {
    const auto parts = item.items();
    if (parts.empty()) item.fail("an empty step");
    const std::string& word = parts[0].text();
    std::size_t op = 0;
    while (op < op_names.size() && word != op_names[op]) ++op;
    if (op == op_names.size()) parts[0].fail("unknown operation '" + word + "'");
    ExpressionStep step;
    step.op = static_cast<ExpressionOp>(op);
    const bool named = step.op == ExpressionOp::symbol || step.op == ExpressionOp::sum;
    const std::size_t expected = named || step.op == ExpressionOp::number ? 2 : 1;
    if (parts.size() != expected) {
      item.fail("'" + word + "' takes " + std::to_string(expected - 1) + " operands in its step, found " +
                std::to_string(parts.size() - 1));
    }
    if (step.op == ExpressionOp::number) step.number = numbers.at(parts[1]);
    if (named) step.name = parts[1].text();
    program.push_back(std::move(step));
  }
  try {
    return Expression(std::move(program));
  } catch (const Error& error) {
    place.fail(error.what());
  }
}

std::map<std::string, std::string> read_texts(const Place& place) {
  std::map<std::string, std::string> texts;
  for (const auto& [key, value] : place.members()) texts.emplace(key, value.text());
  return texts;
}

std::vector<GraphOperation> read_nodes(const Place& place) {
  std::vector<GraphOperation> nodes;
  for (const auto& item : place.items()) {
    item.keys({"op", "inputs", "outputs", "tensors", "attributes"});
    nodes.push_back({item.member("op").text(), item.member("inputs").texts(), item.member("outputs").texts(),
                     read_texts(item.member("tensors")), read_texts(item.member("attributes"))});
  }
  return nodes;
}

Ordered nodes_json(const std::vector<GraphOperation>& nodes) {
  Ordered list = Ordered::array();
  for (const auto& node : nodes) {
    Ordered item;
    item["op"] = node.op;
    item["inputs"] = node.inputs;
    item["outputs"] = node.outputs;
    item["tensors"] = node.tensors.empty() ? Ordered::object() : Ordered(node.tensors);
    item["attributes"] = node.attributes.empty() ? Ordered::object() : Ordered(node.attributes);
    list.push_back(std::move(item));
  }
  return list;
}

StateLayout read_layout(const Place& place) {
  place.keys({"dimensions", "variables"});
  std::vector<Dimension> dimensions;
  for (const auto& item : place.member("dimensions").items()) {
    item.keys({"name", "kind", "extent", "ragged"});
    Dimension d;
    d.name = item.member("name").text();
    d.kind = dimension_kind_from(item.member("kind").text());
    d.extent = item.member("extent").integer();
    d.ragged = item.member("ragged").boolean();
    dimensions.push_back(std::move(d));
  }
  std::vector<Variable> variables;
  for (const auto& item : place.member("variables").items()) {
    item.keys({"name", "units", "dimensions", "role", "standard_name", "long_name", "coordinates", "accepted_units"});
    Variable v;
    v.name = item.member("name").text();
    v.units = item.member("units").text();
    v.dimensions = item.member("dimensions").texts();
    v.role = role_from(item.member("role").text());
    v.standard_name = item.member("standard_name").text();
    v.long_name = item.member("long_name").text();
    v.coordinates = item.member("coordinates").texts();
    v.accepted_units = item.member("accepted_units").texts();
    variables.push_back(std::move(v));
  }
  return StateLayout(std::move(dimensions), std::move(variables));
}

Law read_law(const Place& place, Numbers& numbers) {
  place.keys({"name", "equation", "units", "scope", "terms", "right_hand_side", "physics_tolerance"});
  Law law;
  law.name = place.member("name").text();
  law.equation = place.member("equation").text();
  law.units = place.member("units").text();
  const auto scope = place.member("scope");
  if (scope.text() == "global") {
    law.scope = LawScope::global;
  } else if (scope.text() != "local") {
    scope.fail("expected 'local' or 'global', found '" + scope.text() + "'");
  }
  for (const auto& item : place.member("terms").items()) {
    item.keys({"variable", "coefficient"});
    LawTerm term;
    term.variable = item.member("variable").text();
    term.coefficient = read_program(item.member("coefficient"), numbers);
    law.terms.push_back(std::move(term));
  }
  law.right_hand_side = read_program(place.member("right_hand_side"), numbers);
  law.physics_tolerance = numbers.at(place.member("physics_tolerance"));
  return law;
}

}  // namespace

DescriptionText write_description(const ModelDescription& description) {
  DescriptionText result;
  Ordered root;
  root["format"] = "lavoisier-model";
  root["version"] = ModelFile::format_version;

  Ordered dimensions = Ordered::array();
  for (const auto& d : description.layout.dimensions()) {
    dimensions.push_back(
        Ordered{{"name", d.name}, {"kind", to_string(d.kind)}, {"extent", d.extent}, {"ragged", d.ragged}});
  }
  Ordered variables = Ordered::array();
  for (const auto& v : description.layout.variables()) {
    Ordered item;
    item["name"] = v.name;
    item["units"] = v.units;
    item["dimensions"] = v.dimensions;
    item["role"] = to_string(v.role);
    item["standard_name"] = v.standard_name;
    item["long_name"] = v.long_name;
    item["coordinates"] = v.coordinates;
    item["accepted_units"] = v.accepted_units;
    variables.push_back(std::move(item));
  }
  root["layout"]["dimensions"] = std::move(dimensions);
  root["layout"]["variables"] = std::move(variables);

  root["constants"] = Ordered::array();
  for (const auto& c : description.constants) {
    root["constants"].push_back(Ordered{{"name", c.name}, {"units", c.units}});
    result.constants.push_back(c.value);
  }
  root["laws"] = Ordered::array();
  for (const auto& law : description.laws) {
    Ordered item;
    item["name"] = law.name;
    item["equation"] = law.equation;
    item["units"] = law.units;
    item["scope"] = law.scope == LawScope::local ? "local" : "global";
    item["terms"] = Ordered::array();
    for (const auto& term : law.terms) {
      Ordered entry;
      entry["variable"] = term.variable;
      entry["coefficient"] = program_json(term.coefficient, result.numbers);
      item["terms"].push_back(std::move(entry));
    }
    item["right_hand_side"] = program_json(law.right_hand_side, result.numbers);
    item["physics_tolerance"] = result.numbers.size();
    result.numbers.push_back(law.physics_tolerance);
    root["laws"].push_back(std::move(item));
  }
  root["heads"] = Ordered::array();
  for (const auto& head : description.heads) {
    Ordered item;
    item["name"] = head.name;
    item["family"] = head.family;
    item["variables"] = head.variables;
    item["strategy"] = head.strategy;
    root["heads"].push_back(std::move(item));
  }
  root["graph"] = nodes_json(description.graph);
  root["subgraphs"] = Ordered::object();
  for (const auto& [name, nodes] : description.subgraphs) root["subgraphs"][name] = nodes_json(nodes);
  root["provenance"] = description.provenance.empty() ? Ordered::object() : Ordered(description.provenance);
  try {
    result.json = root.dump();
  } catch (const nlohmann::json::exception& error) {
    throw Error(Status::invalid_argument, std::string("a text in the model's description is not UTF-8: ") +
                                              error.what());
  }
  return result;
}

VersionedDescription read_description(const std::string& json, std::span<const double> numbers,
                                      std::span<const double> constants, const std::string& origin) {
  const std::string where = origin + ": description";
  const Json document = parse_json(json, where);
  const Place root(document, where);
  const auto format = root.member("format");
  if (format.text() != "lavoisier-model") {
    format.fail("expected 'lavoisier-model', found '" + format.text() + "'");
  }
  const std::int64_t version = root.member("version").integer();
  // This release reads its own version and the one before; there is none before 1.
  if (version < 1 || version < ModelFile::format_version - 1 || version > ModelFile::format_version) {
    throw Error(Status::unsupported_version, origin + ": the model file has format version " +
                                                 std::to_string(version) + "; this release reads versions " +
                                                 std::to_string(ModelFile::format_version - 1) + " and " +
                                                 std::to_string(ModelFile::format_version));
  }
  if (version == 1) {
    root.keys({"format", "version", "layout", "constants", "laws", "heads", "graph", "provenance"});
  } else {
    root.keys({"format", "version", "layout", "constants", "laws", "heads", "graph", "subgraphs", "provenance"});
  }

  ModelDescription description;
  try {
    description.layout = read_layout(root.member("layout"));
  } catch (const Error& error) {
    const std::string what = error.what();
    if (what.starts_with(where)) throw;
    root.member("layout").fail(what);
  }

  const auto listed = root.member("constants").items();
  if (listed.size() != constants.size()) {
    root.member("constants").fail(std::to_string(listed.size()) + " constants, but '" + constants_tensor + "' has " +
                                  std::to_string(constants.size()) + " values");
  }
  for (std::size_t i = 0; i < listed.size(); ++i) {
    listed[i].keys({"name", "units"});
    description.constants.push_back({listed[i].member("name").text(), listed[i].member("units").text(), constants[i]});
  }

  Numbers source(numbers);
  for (const auto& item : root.member("laws").items()) description.laws.push_back(read_law(item, source));
  if (source.used() != numbers.size()) {
    root.member("laws").fail("'" + std::string(numbers_tensor) + "' has " + std::to_string(numbers.size()) +
                             " numbers, of which the laws use " + std::to_string(source.used()));
  }
  for (const auto& item : root.member("heads").items()) {
    item.keys({"name", "family", "variables", "strategy"});
    description.heads.push_back({item.member("name").text(), item.member("family").text(),
                                 item.member("variables").texts(), item.member("strategy").text()});
  }
  description.graph = read_nodes(root.member("graph"));
  if (version > 1) {
    for (const auto& [name, place] : root.member("subgraphs").members()) {
      description.subgraphs.emplace(name, read_nodes(place));
    }
  }
  description.provenance = read_texts(root.member("provenance"));
  return {std::move(description), static_cast<int>(version)};
}

namespace {

using Refuse = std::function<void(const std::string&)>;

/// Checks one list of nodes. `made`: the names that may be used; those that the nodes make are added. `call` sees each
/// node that names a subgraph.
void check_nodes(const ModelFile& file, const std::vector<GraphOperation>& nodes, const std::string& list,
                 std::set<std::string>& made, const Refuse& refuse,
                 const std::function<void(const GraphOperation&, const std::string&)>& call) {
  for (std::size_t i = 0; i < nodes.size(); ++i) {
    const GraphOperation& node = nodes[i];
    const std::string text = list + "[" + std::to_string(i) + "] ('" + node.op + "')";
    if (node.op.empty()) refuse(text + " has no operation");
    if (node.outputs.empty()) refuse(text + " makes nothing");
    for (const auto& name : node.inputs) {
      if (!made.contains(name)) refuse(text + " uses '" + name + "', which no earlier node makes");
    }
    if (node.attributes.contains("subgraph")) call(node, text);
    for (const auto& name : node.outputs) {
      if (name.empty() || !made.insert(name).second) refuse(text + " makes '" + name + "', which is empty or taken");
    }
    for (const auto& [operand, tensor] : node.tensors) {
      if (!file.has_tensor(tensor)) refuse(text + ": the tensor '" + tensor + "' (" + operand + ") is not in the file");
    }
  }
}

void check_graph(const ModelFile& file, const Refuse& refuse) {
  const ModelDescription& model = file.description;
  std::set<std::string> in_graph = {"inputs"};  // what any node of the graph makes: no subgraph takes these names
  for (const auto& node : model.graph) in_graph.insert(node.outputs.begin(), node.outputs.end());
  std::set<std::string> called;
  const auto inner = [&](const GraphOperation&, const std::string& text) {
    refuse(text + " calls a subgraph from within a subgraph");
  };
  const auto call = [&](const GraphOperation& node, const std::string& text) {
    const std::string& name = node.attributes.at("subgraph");
    const auto at = model.subgraphs.find(name);
    if (at == model.subgraphs.end()) refuse(text + " calls the subgraph '" + name + "', which is not in the file");
    called.insert(name);
    const std::string list = "subgraphs." + name;
    // Visible inside: the calling node's inputs, and the names that it binds.
    std::set<std::string> made(node.inputs.begin(), node.inputs.end());
    for (const char* bound : {"state", "time"}) {
      if (!made.insert(bound).second) refuse(text + " has an input '" + bound + "', a name that its subgraph binds");
    }
    for (std::size_t i = 0; i < at->second.size(); ++i) {
      for (const auto& output : at->second[i].outputs) {
        if (in_graph.contains(output)) {
          refuse(list + "[" + std::to_string(i) + "] ('" + at->second[i].op + "') makes '" + output +
                 "', a name of the graph");
        }
      }
    }
    check_nodes(file, at->second, list, made, refuse, inner);
    if (!made.contains("prediction")) refuse("no node of '" + list + "' makes 'prediction'");
  };
  std::set<std::string> made = {"inputs"};
  check_nodes(file, model.graph, "graph", made, refuse, call);
  if (!model.graph.empty() && !made.contains("outputs")) refuse("no node of the graph makes 'outputs'");
  for (const auto& [name, nodes] : model.subgraphs) {
    if (!called.contains(name)) refuse("no node of the graph calls the subgraph '" + name + "'");
  }
}

}  // namespace

void check_model(const ModelFile& file, const std::string& where) {
  const ModelDescription& model = file.description;
  const auto refuse = [&](const std::string& what) { throw Error(Status::invalid_argument, where + ": " + what); };

  std::set<std::string> names;
  for (const auto& constant : model.constants) {
    if (constant.name.empty()) refuse("a constant has no name");
    if (!names.insert(constant.name).second) refuse("constant '" + constant.name + "' stands twice");
    if (model.layout.has_variable(constant.name)) {
      refuse("'" + constant.name + "' is both a constant and a variable of the layout");
    }
    if (!std::isfinite(constant.value)) refuse("constant '" + constant.name + "' is not finite");
  }
  names.clear();
  for (const auto& law : model.laws) {
    if (!names.insert(law.name).second) refuse("law '" + law.name + "' stands twice");
    try {
      validate_law(law, model.layout, model.constants);
    } catch (const Error& error) {
      throw Error(error.status(), where + ": " + error.what());
    }
  }
  names.clear();
  std::set<std::string> in_heads;
  for (const auto& head : model.heads) {
    if (head.name.empty() || head.family.empty() || head.strategy.empty() || head.variables.empty()) {
      refuse("head '" + head.name + "' needs a name, a family, a strategy and variables");
    }
    if (!names.insert(head.name).second) refuse("head '" + head.name + "' stands twice");
    for (const auto& variable : head.variables) {
      if (!model.layout.has_variable(variable) || model.layout.variable(variable).role != Role::output) {
        refuse("head '" + head.name + "' names '" + variable + "', which is no output of the layout");
      }
      if (!in_heads.insert(variable).second) refuse("output '" + variable + "' stands twice in the heads");
    }
  }
  check_graph(file, refuse);

  const std::int64_t inputs = model.layout.elements(Role::input);
  for (const char* name : {"input.minimum", "input.maximum"}) {
    if (!file.has_tensor(name)) refuse(std::string("the tensor '") + name + "' is not in the file");
    const Tensor& tensor = file.tensor(name);
    if (tensor.type != TensorType::f64 || tensor.shape != std::vector<std::int64_t>{inputs}) {
      refuse(std::string("the tensor '") + name + "' must be F64 of shape [" + std::to_string(inputs) +
             "], one a input element");
    }
  }
  const auto minimum = file.tensor("input.minimum").f64();
  const auto maximum = file.tensor("input.maximum").f64();
  for (std::size_t i = 0; i < minimum.size(); ++i) {
    if (!(minimum[i] <= maximum[i])) {
      refuse("the training range of input element " + std::to_string(i) + " is empty or NaN (" +
             std::to_string(minimum[i]) + " to " + std::to_string(maximum[i]) + ")");
    }
  }
}

}  // namespace lavoisier::detail
