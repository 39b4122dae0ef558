#ifndef LAVOISIER_APPS_GENERATOR_OPTIONS_HPP
#define LAVOISIER_APPS_GENERATOR_OPTIONS_HPP

#include "options.hpp"

#include <lavoisier/training.hpp>

#include <vector>

namespace lavoisier::cli {

/// --model and what only some generators have: --latents, --backbone, --steps, ...
const std::vector<Option>& generator_options();

/// Which generator is trained, its options, and the loss that it has where none was asked for (`loss` of `options` is set).
/// UsageError for an option that the generator does not have.
void read_generator(const Arguments& arguments, TrainingOptions& options);

}  // namespace lavoisier::cli

#endif
