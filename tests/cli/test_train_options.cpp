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
  for (const std::string& word : estimator_words()) EXPECT_NE(help.find(word), std::string::npos) << word;
  EXPECT_EQ(estimator_words().size(), 6U);
  EXPECT_NE(help.find("--draws"), std::string::npos);
  for (const char* word : {"--head", "--positive", "mixed", "poisson", "log_normal", "hurdle_log_normal", "hurdle_gamma"})
    EXPECT_NE(help.find(word), std::string::npos) << word;
  EXPECT_EQ(loss_words(), (std::vector<std::string>{"likelihood", "crps", "squared_error", "energy"}));
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
  EXPECT_EQ(refused_by_train({"--draws", "4"}), "--draws: --estimator exact has none");
  EXPECT_EQ(refused_by_train({"--estimator", "pathwise", "--loss", "likelihood"}),
            "--estimator: loss 'likelihood' has exact alone; crps and energy have sampled ones");
  EXPECT_NE(refused_by_train({"--estimator", "pathwise", "--strategy", "projection"}).find("conditional"), std::string::npos);
  EXPECT_NE(refused_by_train({"--strategy", "projection", "--loss", "energy"}).find("likelihood, crps, squared_error"),
            std::string::npos);
  EXPECT_NE(refused_by_train({"--strategy", "variance"}).find("variance_projection"), std::string::npos);
  EXPECT_EQ(refused_by_train({"--model", "ddpm", "--latents", "3"}), "--latents: only vae, ladder_vae or graph_vae has it, found --model ddpm");
  EXPECT_EQ(refused_by_train({"--steps", "3"}), "--steps: only ddpm or flow_matching has it, found --model mlp");
  EXPECT_EQ(refused_by_train({"--model", "vae", "--loss", "crps"}), "generator 'vae' does not admit the loss 'crps'; legal: likelihood");
  EXPECT_EQ(refused_by_train({"--model", "vae", "--channels", "3"}), "--channels: --backbone mlp has none");
  EXPECT_EQ(refused_by_train({"--model", "vae", "--backbone", "unet"}), "--backbone unet: expected --field-size H,W");
  EXPECT_EQ(refused_by_train({"--positive", "y=gamma"}), "--positive: only --head mixed has it, found --head gaussian");
  EXPECT_EQ(refused_by_train({"--model", "vae", "--head", "gamma"}), "--head: only mlp has it, found --model vae");
  EXPECT_NE(refused_by_train({"--head", "mixd"}).find("did you mean 'mixed'"), std::string::npos);
  EXPECT_NE(refused_by_train({"--head", "mixed"}).find("expected positive outputs (NAME=LAW)"), std::string::npos);
  EXPECT_NE(refused_by_train({"--head", "mixed", "--positive", "y=beta"}).find("log_normal, gamma, hurdle_log_normal, hurdle_gamma"),
            std::string::npos);
  EXPECT_EQ(refused_by_train({"--head", "mixed", "--positive", "y=gamma", "--loss", "energy"}),
            "head 'mixed' has no loss 'energy'; legal: likelihood, crps");
  EXPECT_EQ(refused_by_train({"--head", "poisson", "--strategy", "projection"}),
            "head 'poisson' has no strategy 'projection'; legal: none, conditional");
  EXPECT_NE(refused_by_train({"--head", "gamma", "--draws", "4"}).find("--draws"), std::string::npos);
  EXPECT_NE(refused_by_train({"--model", "vaee"}).find("did you mean 'vae'"), std::string::npos);
  EXPECT_NE(refused_by_train({"--schedule", "plateau", "--selection", "last"}).find("legal with them: best"), std::string::npos);
  EXPECT_NE(refused_by_train({"--loss", "squared"}).find("squared_error"), std::string::npos);
}

}  // namespace
