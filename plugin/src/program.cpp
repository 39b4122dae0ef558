#include "host_constants.hpp"
#include "program_compiler.hpp"

#include <lavoisier/status.hpp>

#include <algorithm>

namespace lavoisier::detail {

Program Compiler::run() {
  layout();
  ranges();
  heads();
  graph();  // before the laws: it ties the number of outputs to what the file holds
  const OperationKind last = program_.operations.back().kind;
  program_.enforces = last == OperationKind::constrain || last == OperationKind::dirichlet_draw ||
                      last == OperationKind::multinomial_draw;
  program_.coordinates = read_coordinates(file_);
  laws();
  arena();
  return std::move(program_);
}

Program Compiler::run_laws() {
  laws();
  return std::move(program_);
}

void Compiler::laws() {
  program_.laws = compile_laws(description_, program_.coordinates, program_.minimum, program_.maximum);
  for (const Operation& operation : program_.operations) require_groups(operation);
  for (const Operation& operation : program_.operations)
    if (operation.loop >= 0) standardise_laws(operation, program_.loops[static_cast<std::size_t>(operation.loop)]);
}

void Compiler::fail(Status status, const std::string& message) const { throw Error(status, where_ + message); }

void Compiler::layout() {
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
  if (program_.input_elements > most_elements || program_.output_elements > most_elements)
    fail(Status::unsupported, "more elements a column than this library can address");
}

void Compiler::ranges() {
  program_.minimum = doubles("input.minimum", program_.input_elements);
  program_.maximum = doubles("input.maximum", program_.input_elements);
}

void Compiler::heads() const {
  const std::set<std::string> known = {"gaussian_diagonal", "sampled", "positive_signed", "gamma", "poisson"};
  for (const auto& head : description_.heads)
    if (!known.count(head.family))
      fail(Status::unsupported,
           "head '" + head.name + "': the family '" + head.family +
               "' (this release runs gaussian_diagonal, sampled, positive_signed, gamma, poisson)");
}

void Compiler::graph() {
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

namespace {

template <class Function>
void each_input(const Operation& operation, Function&& function) {
  for (const int v : operation.input)
    if (v >= 0) function(v);
  for (const int v : operation.inputs) function(v);
}
template <class Function>
void each_output(const Operation& operation, Function&& function) {
  for (const int v : operation.output)
    if (v >= 0) function(v);
}

}  // namespace

// Slots of the values in a tile's arena. A slot is free again behind the last operation that reads its value. Time
// counts the operations, those of a subgraph once, between the beginning and the end of what calls it.
void Compiler::arena() {
  std::vector<std::size_t> last(program_.values.size(), 0);
  const auto use = [&](int v, std::size_t now) {
    last[static_cast<std::size_t>(v)] = std::max(last[static_cast<std::size_t>(v)], now);
  };
  std::size_t now = 0;
  for (const Operation& operation : program_.operations) {
    if (operation.n < 0) fail(Status::invalid_format, "a noise operation whose numbers nobody uses");
    std::size_t end = now;
    if (operation.loop >= 0) {
      const SampleLoop& loop = program_.loops[static_cast<std::size_t>(operation.loop)];
      use(loop.state, now);
      use(loop.time, now);
      for (const Operation& inner : loop.operations) {
        ++end;
        each_input(inner, [&](int v) { use(v, end); });
        each_output(inner, [&](int v) { use(v, end); });
      }
      use(loop.prediction, ++end);
    }
    each_input(operation, [&](int v) { use(v, end); });  // for a loop: alive in every round
    each_output(operation, [&](int v) { use(v, end); });
    now = end + 1;
  }
  use(0, now);  // right-hand sides read the inputs behind the graph too
  use(program_.result, now);
  struct Block {
    std::size_t begin, size;
    std::size_t until;  ///< busy up to and with this operation
  };
  std::vector<Block> blocks;
  std::size_t bytes = 0;
  const auto place = [&](int v, std::size_t at) {
    Value& made = program_.values[static_cast<std::size_t>(v)];
    const std::size_t raw = made.bytes_a_column() * static_cast<std::size_t>(tile_columns);
    const std::size_t size = (std::max<std::size_t>(raw, 1) + cache_line - 1) / cache_line * cache_line;
    for (auto& block : blocks)
      if (block.until < at && block.size >= size && block.size <= 2 * size) {
        block.until = last[static_cast<std::size_t>(v)];
        made.slot = block.begin;
        return;
      }
    blocks.push_back({bytes, size, last[static_cast<std::size_t>(v)]});
    made.slot = bytes;
    bytes += size;
  };
  place(0, 0);
  now = 0;
  for (const Operation& operation : program_.operations) {
    if (operation.loop >= 0) {
      const SampleLoop& loop = program_.loops[static_cast<std::size_t>(operation.loop)];
      place(loop.state, now);
      place(loop.time, now);
      for (const Operation& inner : loop.operations) {
        ++now;
        each_output(inner, [&](int v) { place(v, now); });
      }
      ++now;
    }
    each_output(operation, [&](int v) { place(v, now); });
    ++now;
  }
  program_.arena_bytes = bytes;
}

Program compile(const ModelFile& file) { return Compiler(file).run(); }

Program recompile_laws(const Program& program, const ModelDescription& description, Coordinates coordinates) {
  ModelFile file;  // without tensors: they are compiled
  file.description = description;
  Program copy = program;
  copy.coordinates = std::move(coordinates);
  return Compiler(file, std::move(copy)).run_laws();
}

}  // namespace lavoisier::detail
