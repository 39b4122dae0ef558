#include "model.hpp"

#include "floating_point_environment.hpp"

#include <algorithm>

namespace lavoisier {
namespace detail {

ProgramModel::ProgramModel(const ModelFile& file)
    : program_(compile(file)),
      digest_(file.digest()),
      provenance_(file.description.provenance),
      stream_(file.default_stream()) {
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

std::string ProgramModel::provenance(const std::string& key) const {
  const auto at = provenance_.find(key);
  return at == provenance_.end() ? std::string() : at->second;
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
