// The options of `train`: every strategy and loss has its word, and those that do not go together are refused.

#include <commands.hpp>
#include <training_options.hpp>

#include <lavoisier/status.hpp>
#include <lavoisier/strategy.hpp>

#include <gtest/gtest.h>

#include <string>
#include <vector>

namespace {

using namespace lavoisier::cli;

TEST(TrainOptions, NameEveryStrategyAndLoss) {
  const std::string help = help_text(train_command());
  for (const lavoisier::StrategyDescriptor& entry : lavoisier::strategies())
    EXPECT_NE(help.find(entry.name), std::string::npos) << entry.name;
  for (const lavoisier::Loss loss : lavoisier::losses()) EXPECT_NE(help.find(to_string(loss)), std::string::npos);
  EXPECT_NE(help.find("--penalty-weight"), std::string::npos);
  EXPECT_NE(help.find("--dependent"), std::string::npos);
  EXPECT_EQ(strategy_words().size(), lavoisier::strategies().size());
  EXPECT_EQ(loss_words(), (std::vector<std::string>{"likelihood", "crps", "squared_error"}));
}

TEST(TrainOptions, ThatDoNotGoTogetherAreRefused) {
  const auto refused_by_train = [](std::vector<const char*> words) -> std::string {
    Arguments arguments;
    words.insert(words.end(), {"--domain", "none", "--data", "none", "--output", "none"});
    try {
      parse(train_command(), static_cast<int>(words.size()), words.data(), arguments);
      run_train(arguments);
    } catch (const UsageError& error) {
      return error.what();
    } catch (const lavoisier::Error& error) {
      return std::string("not a usage error: ") + error.what();
    }
    return "accepted";
  };
  EXPECT_EQ(refused_by_train({"--penalty-weight", "2"}), "--penalty-weight: only --strategy penalty has one, found 'conditional'");
  EXPECT_EQ(refused_by_train({"--strategy", "projection", "--dependent", "y"}),
            "--dependent: only --strategy completion has dependent outputs, found 'projection'");
  EXPECT_NE(refused_by_train({"--strategy", "variance"}).find("variance_projection"), std::string::npos);
  EXPECT_NE(refused_by_train({"--loss", "squared"}).find("squared_error"), std::string::npos);
}

}  // namespace
