#ifndef LAVOISIER_APPS_PROTOCOL_HPP
#define LAVOISIER_APPS_PROTOCOL_HPP

#include <lavoisier/domain.hpp>
#include <lavoisier/sample_set.hpp>
#include <lavoisier/training.hpp>

#include <filesystem>
#include <string>
#include <vector>

namespace lavoisier::cli {

/// What `compare` trains, alike for every strategy: network, budget, seeds; and which strategies under which losses.
struct Protocol {
  std::string name, description, domain, digest;
  std::string text, file;                         ///< as read: of the table [split] which depends on the domain
  TrainingOptions training;                       ///< strategy, loss and seed are set a run
  bool calibrate = false;                         ///< deviations, on the validation samples, of every model
  std::vector<std::uint64_t> seeds = {0, 1, 2, 3, 4};
  Subset subset = Subset::test;                   ///< what is scored
  struct Row {
    Strategy strategy = Strategy::none;
    Loss loss = Loss::crps;
  };
  std::vector<Row> rows;
};

/// Puts the protocol's [split], if it has one, in the place of the domain's.
void use_split(const Protocol& protocol, Domain& domain);

/// Every strategy under every loss it admits.
std::vector<Protocol::Row> admissible_rows();

/// Reads a protocol (TOML), a path or the name of a shipped one. Unknown keys are refused with the nearest legal one.
/// Errors: not_found, invalid_format (file, line, key).
Protocol load_protocol(const std::string& name_or_file);

}  // namespace lavoisier::cli

#endif
