// What every subcommand shares: help, version, usage errors, config files, domains and inspect.

#include "command.hpp"

#include <nlohmann/json.hpp>

namespace {

using namespace lavoisier::testing;
using nlohmann::json;

TEST(CommandLine, VersionAndHelp) {
  const Outcome version = run("--version");
  EXPECT_EQ(version.code, 0);
  EXPECT_SAYS(version.out, "lavoisier 0.");
  const Outcome overview = run("--help");
  EXPECT_EQ(overview.code, 0);
  for (const char* name : {"train", "generate", "validate", "compare", "inspect", "domains"}) {
    EXPECT_SAYS(overview.out, name);
    const Outcome help = run(std::string(name) + " --help");
    EXPECT_EQ(help.code, 0) << name;
    EXPECT_SAYS(help.out, std::string("lavoisier ") + name);
    EXPECT_SAYS(help.out, "Example");
    EXPECT_SAYS(help.out, "--json FILE");
    EXPECT_SAYS(help.out, "--config FILE");
  }
}

TEST(CommandLine, UsageErrorsExitWithOne) {
  EXPECT_EQ(run("").code, 1);
  const Outcome subcommand = run("tran");
  EXPECT_EQ(subcommand.code, 1);
  EXPECT_SAYS(subcommand.err, "did you mean 'train'?");
  const Outcome option = run("train --epoch 3");
  EXPECT_EQ(option.code, 1);
  EXPECT_SAYS(option.err, "unknown option 'epoch'; did you mean 'epochs'?");
  const Outcome missing = run("train --data " + std::string(ocean_file));
  EXPECT_EQ(missing.code, 1);
  EXPECT_SAYS(missing.err, "--output is needed");
  const Outcome word = run("train --strategy condtional --output x --data y --domain z");
  EXPECT_EQ(word.code, 1);
  EXPECT_SAYS(word.err, "did you mean 'conditional'?");
  const Outcome number = run("generate --model x --inputs y --output z --members many");
  EXPECT_EQ(number.code == 1 || number.code == 2, true);
}

TEST(CommandLine, ConfigFilesAreReadAndChecked) {
  const Folder folder;
  std::ofstream(folder / "train.cfg") << "domain = ocean_heat_budget\nlerning-rate = 0.1\n";
  const Outcome outcome = run("train --config " + (folder / "train.cfg").string());
  EXPECT_EQ(outcome.code, 1);
  EXPECT_SAYS(outcome.err, "did you mean 'learning-rate'?");
}

TEST(Domains, ListsAndPrints) {
  const Folder folder;
  const Outcome list = run("domains --json " + (folder / "list.json").string());
  EXPECT_EQ(list.code, 0) << list.err;
  EXPECT_SAYS(list.out, "ocean_heat_budget");
  EXPECT_FALSE(json::parse(content(folder / "list.json"))["domains"].empty());
  const Outcome one = run("domains ocean_heat_budget --data " + std::string(ocean_file) + " --json " +
                                (folder / "one.json").string());
  EXPECT_EQ(one.code, 0) << one.err;
  EXPECT_SAYS(one.out, "FDR = FSR - FUL");
  EXPECT_SAYS(one.out, "W m-2");
  EXPECT_SAYS(one.out, "2 independent of 2 laws over 6 output elements");
  EXPECT_SAYS(one.out, "19985 complete cells");
  EXPECT_SAYS(one.out, "13432 training, 3597 validation, 2956 test");
  const json report = json::parse(content(folder / "one.json"));
  EXPECT_EQ(report["rank"], 2);
  double largest = 0.0;
  for (const json& law : report["closure"]) largest = std::max(largest, law["max_abs"].get<double>());
  EXPECT_NEAR(largest, 0.01002, 1e-5);
}

TEST(Domains, UnknownNameIsAnError) {
  const Outcome outcome = run("domains ocean_heat_budgt");
  EXPECT_EQ(outcome.code, 2);
  EXPECT_SAYS(outcome.err, "ocean_heat_budget");
}

TEST(Domains, ContradictoryLawsAreRefusedByName) {
  const Folder folder;
  std::string text = content(std::string(LAVOISIER_SOURCE_DIR) + "/domains/ocean_heat_budget.toml");
  const std::size_t place = text.find("[laws]");
  ASSERT_NE(place, std::string::npos);
  text.resize(place);
  std::ofstream(folder / "own.toml") << text << "[laws]\nfirst = \"FDR = FSR - FUL\"\nsecond = \"2*FDR = 2*FSR - 2*FUL\"\n";
  const Outcome redundant = run("domains " + (folder / "own.toml").string());
  EXPECT_EQ(redundant.code, 0) << redundant.err;
  EXPECT_SAYS(redundant.out, "1 independent of 2 laws");
  EXPECT_SAYS(redundant.out, "second follows from first");
  std::ofstream(folder / "own.toml") << text << "[laws]\nfirst = \"FDR = FSR - FUL\"\nsecond = \"FDR - FSR + FUL = FDR - FSR + FUL\"\n";
  const Outcome empty = run("domains " + (folder / "own.toml").string());
  EXPECT_EQ(empty.code, 2) << empty.out;
  EXPECT_SAYS(empty.err, "second");
  std::ofstream(folder / "own.toml") << text << "[laws]\nfirst = \"FDR = FSR\"\nsecond = \"FDR = FSR - FLOW\"\n";
  const Outcome unknown = run("domains " + (folder / "own.toml").string());
  EXPECT_EQ(unknown.code, 2) << unknown.out;
  EXPECT_SAYS(unknown.err, "FLOW");
}

TEST(Inspect, SaysWhatAModelHolds) {
  const Folder folder;
  const Outcome outcome = run("inspect " + small_model().string() + " --json " + (folder / "i.json").string());
  EXPECT_EQ(outcome.code, 0) << outcome.err;
  for (const char* word : {"digest holds", "FDR = FSR - FUL", "conditional", "constrain", "gaussian_diagonal", "learning-rate"}) {
    EXPECT_SAYS(outcome.out, word);
  }
  const json report = json::parse(content(folder / "i.json"));
  EXPECT_EQ(report["kind"], "model");
  EXPECT_EQ(report["digest_holds"], true);
  EXPECT_EQ(report["provenance"]["domain"], "ocean_heat_budget");
  EXPECT_EQ(json::parse(report["provenance"]["options"].get<std::string>())["epochs"], "3");
}

TEST(Inspect, SaysWhatADataSetHolds) {
  const Outcome outcome = run("inspect " + std::string(ocean_file) + " --domain ocean_heat_budget");
  EXPECT_EQ(outcome.code, 0) << outcome.err;
  for (const char* word : {"FDH", "W/M2", "TIME (12)", "Closure under ocean_heat_budget"}) EXPECT_SAYS(outcome.out, word);
}

}  // namespace
