#include "field_binding.hpp"

#include "field_lattice.hpp"

#include <lavoisier/layout.hpp>

#include <algorithm>
#include <cstring>
#include <string>

namespace lavoisier::detail {
namespace {

/// An input or output field alike.
struct Field {
  const char *name, *units;
  void* data;
  Precision precision;
  MemorySpace space;
  std::int64_t columns, elements, column_stride, element_stride, block_stride;
};
Field view(const InputField& f) {
  return {f.name,    f.units,    const_cast<void*>(f.data), f.precision, f.space, f.columns,
          f.elements, f.column_stride, f.element_stride, f.block_stride};
}
Field view(const OutputField& f) {
  return {f.name, f.units, f.data, f.precision, f.space, f.columns, f.elements, f.column_stride,
          f.element_stride, f.block_stride};
}

std::string known_names(const std::vector<ProgramVariable>& variables) {
  std::string text;
  for (const auto& variable : variables) text += (text.empty() ? "" : ", ") + variable.name;
  return text;
}

std::int64_t size_of(const Field& f) { return f.precision == Precision::f32 ? 4 : 8; }
FieldLattice lattice(const Field& f, const RunArguments& a) {
  return field_lattice(f.data, size_of(f), f.elements, f.element_stride, f.column_stride, f.block_stride, a.columns,
                       a.block_columns);
}

template <class FieldType>
void bind_role(const std::vector<ProgramVariable>& variables, const char* role, const FieldType* fields, std::size_t count,
               const RunArguments& arguments, bool device_fields_allowed, std::vector<BoundField>& bound) {
  const std::int64_t columns = arguments.columns;
  const std::int64_t blocks =
      arguments.block_columns > 0 ? (columns + arguments.block_columns - 1) / arguments.block_columns : 1;
  if (count > 0 && fields == nullptr)
    throw Error(Status::invalid_argument, std::string("expected ") + std::to_string(count) + " " + role + " fields, found null");
  for (auto& entry : bound) entry.data = nullptr;
  for (std::size_t i = 0; i < count; ++i) {
    const Field f = view(fields[i]);
    if (f.name == nullptr)
      throw Error(Status::invalid_argument, std::string(role) + " field " + std::to_string(i) + " has no name");
    const auto at = std::find_if(variables.begin(), variables.end(),
                                 [&](const ProgramVariable& v) { return v.name == f.name; });
    if (at == variables.end()) {
      std::vector<std::string> names;
      for (const auto& variable : variables) names.push_back(variable.name);
      const std::string near = nearest_name(f.name, names);
      throw Error(Status::not_found, std::string("the model has no ") + role + " '" + f.name + "'" +
                                         (near.empty() ? "" : " (did you mean '" + near + "'?)") + "; it has " +
                                         known_names(variables));
    }
    const ProgramVariable& variable = *at;
    const auto what = [&] { return std::string(role) + " '" + variable.name + "': "; };
    BoundField& entry = bound[static_cast<std::size_t>(at - variables.begin())];
    if (entry.data != nullptr) throw Error(Status::invalid_argument, what() + "given twice");
    if (f.data == nullptr) throw Error(Status::invalid_argument, what() + "its data is null");
    if (f.precision != Precision::f64 && f.precision != Precision::f32)
      throw Error(Status::invalid_argument, what() + "unknown precision " + std::to_string(static_cast<int>(f.precision)));
    if (f.space != MemorySpace::host && f.space != MemorySpace::device)
      throw Error(Status::invalid_argument, what() + "unknown memory space " + std::to_string(static_cast<int>(f.space)));
    if (f.units != nullptr && variable.units != f.units &&
        std::find(variable.accepted_units.begin(), variable.accepted_units.end(), f.units) ==
            variable.accepted_units.end()) {
      std::string accepted = "'" + variable.units + "'";
      for (const auto& spelling : variable.accepted_units) accepted += ", '" + spelling + "'";
      throw Error(Status::unit_mismatch, what() + "expected units " + accepted + ", found '" + f.units + "'");
    }
    if (f.elements != variable.elements)
      throw Error(Status::shape_mismatch, what() + "expected " + std::to_string(variable.elements) +
                                              " elements a column, found " + std::to_string(f.elements));
    if (f.columns < columns)
      throw Error(Status::shape_mismatch, what() + "the run has " + std::to_string(columns) + " columns, the field " +
                                              std::to_string(f.columns));
    if (f.space == MemorySpace::device && !device_fields_allowed)
      throw Error(Status::shape_mismatch, what() + "expected host memory, found device memory (the workspace computes on the host)");
    if (reinterpret_cast<std::uintptr_t>(f.data) % static_cast<std::uintptr_t>(size_of(f)) != 0)
      throw Error(Status::shape_mismatch, what() + "its data is not aligned to its numbers");
    // A span that leaves the address space is a stride gone wrong.
    constexpr std::int64_t far = std::int64_t{1} << 46;
    const auto size = [](std::int64_t x) { return x < 0 ? -(x + 1) : x; };
    if (arguments.block_columns > 0 && size(f.block_stride) > far / std::max<std::int64_t>(blocks, 1))
      throw Error(Status::shape_mismatch,
                  what() + "the stride " + std::to_string(f.block_stride) + " between blocks reaches beyond any memory");
    if (size(f.column_stride) > far / std::max<std::int64_t>(columns, 1) ||
        size(f.element_stride) > far / std::max<std::int64_t>(f.elements, 1))
      throw Error(Status::shape_mismatch, what() + "strides " + std::to_string(f.column_stride) + " and " +
                                              std::to_string(f.element_stride) + " reach beyond any memory");
    entry.data = f.data;
    entry.f32 = f.precision == Precision::f32;
    entry.on_device = f.space == MemorySpace::device;
    entry.elements = variable.elements;
    entry.offset = variable.offset;
    entry.column_stride = f.column_stride;
    entry.element_stride = f.element_stride;
    entry.block_stride = f.block_stride;
  }
  for (std::size_t v = 0; v < variables.size(); ++v)
    if (bound[v].data == nullptr)
      throw Error(Status::not_found, std::string("no field is given for the model's ") + role + " '" +
                                         variables[v].name + "' [" + variables[v].units + "]");
}

}  // namespace

void bind_fields(const Program& program, const RunArguments& arguments, bool device_fields_allowed,
                 std::vector<BoundField>& inputs, std::vector<BoundField>& outputs) {
  bind_role(program.inputs, "input", arguments.inputs, arguments.input_count, arguments, device_fields_allowed, inputs);
  bind_role(program.outputs, "output", arguments.outputs, arguments.output_count, arguments, device_fields_allowed,
            outputs);
  for (std::size_t i = 0; i < arguments.output_count; ++i) {
    const Field output = view(arguments.outputs[i]);
    const FieldLattice place = lattice(output, arguments);
    if (coincides(place))
      throw Error(Status::shape_mismatch,
                  std::string("output '") + output.name + "': with strides " + std::to_string(output.column_stride) +
                      " and " + std::to_string(output.element_stride) +
                      (arguments.block_columns > 0 ? " and " + std::to_string(output.block_stride) + " between blocks" : "") +
                      " two of its numbers lie at one address");
    for (std::size_t j = 0; j < i; ++j)
      if (overlap(place, lattice(view(arguments.outputs[j]), arguments)))
        throw Error(Status::invalid_argument, std::string("outputs '") + arguments.outputs[j].name + "' and '" +
                                                  output.name + "' overlap in memory");
    for (std::size_t j = 0; j < arguments.input_count; ++j)
      if (overlap(place, lattice(view(arguments.inputs[j]), arguments)))
        throw Error(Status::invalid_argument, std::string("output '") + output.name + "' overlaps input '" +
                                                  arguments.inputs[j].name + "' in memory");
  }
}

void bind_inputs_to_read(const Program& program, const RunArguments& arguments, std::vector<BoundField>& inputs) {
  bind_role(program.inputs, "input", arguments.inputs, arguments.input_count, arguments, false, inputs);
}

void bind_fields_to_read(const Program& program, const RunArguments& arguments, std::vector<BoundField>& inputs,
                         std::vector<BoundField>& outputs) {
  bind_inputs_to_read(program, arguments, inputs);
  bind_role(program.outputs, "output", arguments.outputs, arguments.output_count, arguments, false, outputs);
}

void bind_originals_to_read(const Program& program, const RunArguments& arguments, const OutputField* fields,
                            std::size_t count, std::vector<BoundField>& outputs) {
  try {
    bind_role(program.outputs, "output", fields, count, arguments, false, outputs);
  } catch (const Error& error) {
    throw Error(error.status(), std::string("of the host's own scheme: ") + error.what());
  }
}

}  // namespace lavoisier::detail
