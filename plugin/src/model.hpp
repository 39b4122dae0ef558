#ifndef LAVOISIER_PLUGIN_MODEL_HPP
#define LAVOISIER_PLUGIN_MODEL_HPP

#include "program.hpp"

#include <lavoisier/emulator.hpp>

#include <map>

namespace lavoisier::detail {

class ProgramModel final : public Model {
 public:
  explicit ProgramModel(const ModelFile& file);

  const std::vector<VariableInfo>& inputs() const override { return inputs_; }
  const std::vector<VariableInfo>& outputs() const override { return outputs_; }
  const std::vector<LawInfo>& laws() const override { return laws_; }
  const std::string& digest() const override { return digest_; }
  const std::string& strategy() const override { return strategy_; }
  std::string provenance(const std::string& key) const override;

  const Program& program() const noexcept { return program_; }
  std::uint64_t default_stream() const noexcept { return stream_; }

 private:
  Program program_;
  std::vector<VariableInfo> inputs_, outputs_;
  std::vector<LawInfo> laws_;
  std::string digest_, strategy_;
  std::map<std::string, std::string> provenance_;
  std::uint64_t stream_ = 0;
};

}  // namespace lavoisier::detail

#endif
