#ifndef LAVOISIER_PLUGIN_INPUT_FLAGS_HPP
#define LAVOISIER_PLUGIN_INPUT_FLAGS_HPP

#include "program.hpp"

#include <lavoisier/emulator.hpp>

#include <vector>

namespace lavoisier::detail {

/// Workspace::input_flags.
std::vector<InputFlag> input_flags(const Model& model, const Program& program, const RunArguments& arguments,
                                   std::int64_t column);

}  // namespace lavoisier::detail

#endif
