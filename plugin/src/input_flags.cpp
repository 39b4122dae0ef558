#include "input_flags.hpp"

#include "field_binding.hpp"
#include "tile.hpp"

#include <string>

namespace lavoisier::detail {

std::vector<InputFlag> input_flags(const Model& model, const Program& program, const RunArguments& arguments,
                                   std::int64_t column) {
  if (column < 0 || column >= arguments.columns)
    throw Error(Status::out_of_range, "column " + std::to_string(column) + ": the run has columns 0 to " +
                                          std::to_string(arguments.columns - 1));
  std::vector<BoundField> fields(program.inputs.size());
  bind_inputs_to_read(program, arguments, fields);
  std::vector<InputFlag> flags;
  for (std::size_t v = 0; v < fields.size(); ++v) {
    const BoundField& field = fields[v];
    const std::int64_t shift = field.shift(column, arguments.block_columns);
    for (std::int64_t e = 0; e < field.elements; ++e) {
      const std::int64_t at = shift + e * field.element_stride;
      const auto element = static_cast<std::size_t>(field.offset + e);
      InputFlag flag{&model.inputs()[v], e, 0.0, program.minimum[element], program.maximum[element], Status::ok};
      flag.value = field.f32 ? static_cast<double>(static_cast<const float*>(field.data)[at])
                             : static_cast<const double*>(field.data)[at];
      if (!finite(flag.value))
        flag.status = Status::non_finite;
      else if (flag.value < flag.minimum || flag.value > flag.maximum)
        flag.status = Status::out_of_range;
      if (flag.status != Status::ok) flags.push_back(flag);
    }
  }
  return flags;
}

}  // namespace lavoisier::detail
