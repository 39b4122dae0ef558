#include "model.hpp"

#include "floating_point_environment.hpp"
#include "host_constants.hpp"

#include <algorithm>

namespace lavoisier {
namespace detail {

ProgramModel::ProgramModel(const ModelFile& file)
    : program_(compile(file)),
      digest_(file.digest()),
      description_(file.description),
      file_coordinates_(program_.coordinates),
      stream_(file.default_stream()) {
  for (const auto& constant : description_.constants)
    constants_.push_back({constant.name, constant.units, constant.value, constant.value});
  for (const auto& variable : program_.inputs) {
    VariableInfo info;
    info.name = variable.name;
    info.units = variable.units;
    info.long_name = variable.long_name;
    info.elements = variable.elements;
    const auto first = static_cast<std::ptrdiff_t>(variable.offset);
    const auto last = static_cast<std::ptrdiff_t>(variable.offset + variable.elements);
    if (variable.elements > 0) {
      info.minimum = *std::min_element(program_.minimum.begin() + first, program_.minimum.begin() + last);
      info.maximum = *std::max_element(program_.maximum.begin() + first, program_.maximum.begin() + last);
    }
    inputs_.push_back(std::move(info));
  }
  for (const auto& variable : program_.outputs) {
    VariableInfo info;
    info.name = variable.name;
    info.units = variable.units;
    info.long_name = variable.long_name;
    info.elements = variable.elements;
    outputs_.push_back(std::move(info));
  }
  for (const auto& law : program_.laws.laws) laws_.push_back({law.name, law.equation, law.units, law.physics_tolerance});
  for (const auto& head : file.description.heads)
    if (strategy_.empty())
      strategy_ = head.strategy;
    else if (strategy_ != head.strategy)
      strategy_ += ", " + head.strategy;
}

ProgramModel::ProgramModel(const ProgramModel& other, std::vector<ConstantInfo> constants, Coordinates coordinates)
    : ProgramModel(other) {
  constants_ = std::move(constants);
  for (std::size_t i = 0; i < constants_.size(); ++i) description_.constants[i].value = constants_[i].value;
  program_ = recompile_laws(other.program_, description_, std::move(coordinates));
}

std::shared_ptr<const Model> ProgramModel::with_constants(const HostConstants& host) const {
  const DefaultFloatingPoint environment;
  std::vector<ConstantInfo> constants = constants_;
  Coordinates coordinates = program_.coordinates;
  register_constants(host, description_.layout, constants);
  register_coordinates(host, description_.layout, file_coordinates_, coordinates);
  return std::make_shared<const ProgramModel>(*this, std::move(constants), std::move(coordinates));
}

std::string ProgramModel::provenance(const std::string& key) const {
  const auto at = description_.provenance.find(key);
  return at == description_.provenance.end() ? std::string() : at->second;
}

namespace {

void require_initialized() {
  if (!is_initialized())
    throw Error(Status::not_initialized, "lavoisier::initialize() (lav_initialize) was not called before a model was made");
}

}  // namespace
}  // namespace detail

std::shared_ptr<const Model> Model::load(const std::string& path) {
  detail::require_initialized();
  const detail::DefaultFloatingPoint environment;
  return std::make_shared<const detail::ProgramModel>(ModelFile::read(path));
}

std::shared_ptr<const Model> Model::parse(const void* bytes, std::size_t size, const std::string& origin) {
  detail::require_initialized();
  if (bytes == nullptr) throw Error(Status::invalid_argument, origin + ": null instead of a model file's bytes");
  const detail::DefaultFloatingPoint environment;
  return std::make_shared<const detail::ProgramModel>(
      ModelFile::parse({static_cast<const std::byte*>(bytes), size}, origin));
}

}  // namespace lavoisier
