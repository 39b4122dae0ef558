#ifndef LAVOISIER_PLUGIN_HOST_CONSTANTS_HPP
#define LAVOISIER_PLUGIN_HOST_CONSTANTS_HPP

#include "law_system.hpp"

#include <lavoisier/emulator.hpp>

#include <vector>

namespace lavoisier::detail {

/// The tensors `coordinates.NAME` of a model file. Errors: invalid_format, non_finite.
Coordinates read_coordinates(const ModelFile& file);

/// Compares the host's constants with the file's and puts them in their place in `constants`. Errors as
/// Model::with_constants.
void register_constants(const HostConstants& host, const StateLayout& layout, std::vector<ConstantInfo>& constants);
/// The same of coordinates, of which the file has `from_file`.
void register_coordinates(const HostConstants& host, const StateLayout& layout, const Coordinates& from_file,
                          Coordinates& coordinates);

}  // namespace lavoisier::detail

#endif
