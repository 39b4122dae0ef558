// Operations that draw outputs which are not Gaussian: positive ones, shares of a sum, counts.

#include "program_compiler.hpp"

#include <lavoisier/elementary.hpp>

#include <algorithm>

namespace lavoisier::detail {
namespace {

struct LawWord {
  const char* word;
  PositiveLaw law;
};
constexpr LawWord law_words[] = {{"log_normal", {false, false}},
                                 {"gamma", {true, false}},
                                 {"hurdle_log_normal", {false, true}},
                                 {"hurdle_gamma", {true, true}}};

}  // namespace

void Compiler::draw_site(const GraphOperation& node, Operation& made) {
  if (in_subgraph_) fail(Status::unsupported, "in a subgraph, which would draw the same numbers in every step");
  made.site = static_cast<std::uint64_t>(integer(node, "site", 0, INT64_C(0xffffffff)));
  take_site(made.site);
}

void Compiler::parametrization(const GraphOperation& node, Operation& made) {
  const std::string& word = node.attributes.at("parametrization");
  if (word != "softplus" && word != "exp")
    fail(Status::unsupported, "the parametrization '" + word + "' (softplus, exp)");
  made.exponential = word == "exp";
  made.number = doubles(node.tensors.at("floor"), 1)[0];
  if (made.number < 0.0) fail(Status::invalid_format, "a negative floor");
}

std::vector<double> Compiler::positive_scale(const GraphOperation& node, std::int64_t length) const {
  std::vector<double> scale = doubles(node.tensors.at("scale"), length);
  for (const double one : scale)
    if (!(one > 0.0)) fail(Status::invalid_format, "a scale that is not positive");
  return scale;
}

void Compiler::positive_draw(const GraphOperation& node, Operation& made) {
  const bool alone = node.inputs.size() == 1;  // no signed outputs
  operands(node, alone ? 1 : 3, alone ? 1 : 2, {"elements", "scale", "floor"}, {"laws", "parametrization", "site"});
  made.n = program_.output_elements;
  const Tensor& elements = tensor(node.tensors.at("elements"));
  if (elements.shape.size() != 1)
    fail(Status::invalid_format, "tensor '" + elements.name + "': expected shape [k], found " + list(elements.shape));
  std::vector<bool> taken(static_cast<std::size_t>(made.n), false);
  for (const std::int64_t element : elements.i64()) {
    if (element < 0 || element >= made.n || taken[static_cast<std::size_t>(element)])
      fail(Status::invalid_format, "tensor '" + elements.name + "': expected different outputs, 0 to " +
                                       std::to_string(made.n - 1) + ", found " + std::to_string(element));
    taken[static_cast<std::size_t>(element)] = true;
    made.elements.push_back(static_cast<std::int32_t>(element));
  }
  const auto count = static_cast<std::int64_t>(made.elements.size());
  if (alone && count != made.n)
    fail(Status::invalid_format, "without a draw of the signed outputs: expected all " + std::to_string(made.n) +
                                     " outputs in '" + elements.name + "', found " + std::to_string(count));
  const std::string& words = node.attributes.at("laws");
  std::int64_t atoms = 0;
  for (std::size_t begin = 0; begin <= words.size();) {
    const std::size_t end = std::min(words.find(',', begin), words.size());
    const std::string word = words.substr(begin, end - begin);
    const LawWord* found = nullptr;
    for (const LawWord& one : law_words)
      if (word == one.word) found = &one;
    if (found == nullptr)
      fail(Status::unsupported, "the law '" + word + "' (log_normal, gamma, hurdle_log_normal, hurdle_gamma)");
    made.laws.push_back(found->law);
    atoms += found->law.atom ? 1 : 0;
    begin = end + 1;
  }
  if (static_cast<std::int64_t>(made.laws.size()) != count)
    fail(Status::invalid_format, "the attribute 'laws': expected " + std::to_string(count) +
                                     " words, one an element, found " + std::to_string(made.laws.size()));
  made.second = positive_scale(node, count);
  parametrization(node, made);
  made.input[0] = value(node.inputs[0], false, 2 * made.n + atoms);
  if (!alone) {
    made.input[1] = value(node.inputs[1], true, made.n);
    made.input[2] = value(node.inputs[2], true, made.n);
  }
  draw_site(node, made);
  made.output[0] = make(node.outputs[0], true, made.n);
  if (!alone) made.output[1] = make(node.outputs[1], true, made.n);
}

void Compiler::dirichlet_draw(const GraphOperation& node, Operation& made) {
  operands(node, 1, 1, {"floor"}, {"parametrization", "site"});
  made.n = program_.output_elements;
  made.input[0] = value(node.inputs[0], false, made.n);
  parametrization(node, made);
  draw_site(node, made);
  made.output[0] = make(node.outputs[0], true, made.n);
}

void Compiler::count_draw(const GraphOperation& node, Operation& made) {
  operands(node, 1, 1, {"scale"}, {"site"});
  made.n = program_.output_elements;
  made.input[0] = value(node.inputs[0], false, made.n);
  for (const double scale : positive_scale(node, made.n)) made.first.push_back(elementary::log(scale));
  draw_site(node, made);
  made.output[0] = make(node.outputs[0], true, made.n);
}

void Compiler::require_groups(const Operation& operation) const {
  if (operation.kind != OperationKind::dirichlet_draw && operation.kind != OperationKind::multinomial_draw) return;
  const std::string where = std::string("operation ") + to_string(operation.kind) + ": ";
  const LawSystem& laws = program_.laws;
  if (laws.varies)
    throw Error(Status::unsupported, where + "weights that vary by column; expected weights that all columns share");
  if (laws.rows() != laws.count())
    throw Error(Status::unsupported, where + "laws that follow from others; expected disjoint groups of outputs");
  for (std::size_t i = 0; i + 1 < laws.column_begin.size(); ++i)
    if (laws.column_begin[i + 1] - laws.column_begin[i] != 1)
      throw Error(Status::unsupported, where + "output element " + std::to_string(i) + " is in " +
                                           std::to_string(laws.column_begin[i + 1] - laws.column_begin[i]) +
                                           " laws; expected each in one");
  for (std::int32_t k = 0; k < laws.rows(); ++k) {
    const auto row = static_cast<std::size_t>(k);
    const auto begin = static_cast<std::size_t>(laws.row_begin[row]),
               end = static_cast<std::size_t>(laws.row_begin[row + 1]);
    const double first = laws.row_coefficient[begin];
    for (std::size_t t = begin; t < end; ++t) {
      const double weight = laws.row_coefficient[t];
      const std::string name = "law '" + laws.laws[static_cast<std::size_t>(laws.row_law[row])].name + "'";
      if (operation.kind == OperationKind::multinomial_draw && weight != first)
        throw Error(Status::unsupported,
                    where + name + " has several weights; expected one (no multinomial otherwise)");
      if ((weight > 0.0) != (first > 0.0))
        throw Error(Status::unsupported, where + name + " has weights of both signs; expected one sign");
    }
  }
}

}  // namespace lavoisier::detail
