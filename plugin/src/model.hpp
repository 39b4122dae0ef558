#ifndef LAVOISIER_PLUGIN_MODEL_HPP
#define LAVOISIER_PLUGIN_MODEL_HPP

#include "program.hpp"

#include <lavoisier/emulator.hpp>

namespace lavoisier::detail {

class ProgramModel final : public Model {
 public:
  explicit ProgramModel(const ModelFile& file);
  /// `other` under laws with these values.
  ProgramModel(const ProgramModel& other, std::vector<ConstantInfo> constants, Coordinates coordinates);

  const std::vector<VariableInfo>& inputs() const override { return inputs_; }
  const std::vector<VariableInfo>& outputs() const override { return outputs_; }
  const std::vector<LawInfo>& laws() const override { return laws_; }
  const std::string& digest() const override { return digest_; }
  const std::string& strategy() const override { return strategy_; }
  std::string provenance(const std::string& key) const override;

  const std::vector<ConstantInfo>& constants() const override { return constants_; }
  std::shared_ptr<const Model> with_constants(const HostConstants& host) const override;

  const Program& program() const noexcept { return program_; }
  const ModelDescription& description() const noexcept { return description_; }
  std::uint64_t default_stream() const noexcept { return stream_; }

 private:
  Program program_;
  std::vector<VariableInfo> inputs_, outputs_;
  std::vector<LawInfo> laws_;
  std::string digest_, strategy_;
  ModelDescription description_;
  std::vector<ConstantInfo> constants_;
  Coordinates file_coordinates_;
  std::uint64_t stream_ = 0;
};

}  // namespace lavoisier::detail

#endif
