#ifndef LAVOISIER_PLUGIN_FIELD_BINDING_HPP
#define LAVOISIER_PLUGIN_FIELD_BINDING_HPP

#include "run_work.hpp"

#include <lavoisier/emulator.hpp>

#include <vector>

namespace lavoisier::detail {

/// Checks a run's fields against the program and binds them, in the program's order, into `inputs` and `outputs`
/// (sized by the caller: nothing is allocated unless an Error is thrown). Nothing that a field points to is touched.
/// Errors: invalid_argument (twice, null, overlapping), not_found (missing, unknown), unit_mismatch, shape_mismatch
/// (elements, columns, memory space, an output whose elements coincide).
void bind_fields(const Program& program, const RunArguments& arguments, bool device_fields_allowed,
                 std::vector<BoundField>& inputs, std::vector<BoundField>& outputs);

/// The inputs alone, in host memory.
void bind_inputs_to_read(const Program& program, const RunArguments& arguments, std::vector<BoundField>& inputs);
/// The same for a run whose fields lie in host memory and are only read: they may overlap.
void bind_fields_to_read(const Program& program, const RunArguments& arguments, std::vector<BoundField>& inputs,
                         std::vector<BoundField>& outputs);
/// And for other outputs of the same columns: those of the host's own scheme.
void bind_originals_to_read(const Program& program, const RunArguments& arguments, const OutputField* fields,
                            std::size_t count, std::vector<BoundField>& outputs);

}  // namespace lavoisier::detail

#endif
