// `train --log` and `validate --training-log` as a user calls them; runs that are stopped, killed, resumed, or fail.

#include "command.hpp"

#include <lavoisier/model_file.hpp>
#include <lavoisier/random.hpp>

#include <nlohmann/json.hpp>

#include <chrono>
#include <csignal>
#include <thread>

namespace {

using namespace lavoisier::testing;
using nlohmann::json;

std::vector<json> lines_of(const std::filesystem::path& path) {
  std::istringstream text(content(path));
  std::vector<json> lines;
  for (std::string line; std::getline(text, line);) {
    json parsed = json::parse(line, nullptr, false);
    EXPECT_TRUE(parsed.is_object()) << path << ": " << line;
    lines.push_back(std::move(parsed));
  }
  return lines;
}

/// The last line of each epoch, without the times.
std::map<int, json> epochs_of(const std::filesystem::path& path) {
  std::map<int, json> epochs;
  for (json line : lines_of(path)) {
    if (line.value("event", "") != "epoch") continue;
    line.erase("seconds");
    line.erase("seconds_left");
    epochs[line["epoch"]] = line;
  }
  return epochs;
}

std::vector<std::string> train_words(const Folder& folder, const std::string& name, int epochs) {
  return {"train",
          "--domain",
          "ocean_heat_budget",
          "--data",
          ocean_file,
          "--hidden",
          "8",
          "--epochs",
          std::to_string(epochs),
          "--seed",
          "3",
          "--threads",
          "1",
          "--quiet",
          "--output",
          (folder / (name + ".safetensors")).string(),
          "--log",
          (folder / (name + ".jsonl")).string()};
}

std::string joined(const std::vector<std::string>& words, const std::string& more = "") {
  std::string line;
  for (const std::string& word : words) line += word + " ";
  return line + more;
}

/// Starts a training, sends the signal when its log has `epochs` epochs, and returns its exit code (128 + signal).
int stop_at(const std::vector<std::string>& words, const std::filesystem::path& log, std::size_t epochs, int signal,
            const Folder& folder) {
  const std::size_t before = std::filesystem::exists(log) ? content(log).size() : 0;
  const pid_t child = start(words, (folder / "err").string());
  const auto seen = [&] {
    const std::string text = content(log);
    std::size_t count = 0;
    for (std::size_t at = text.find("\"epoch\":", std::min(before, text.size())); at != std::string::npos;
         at = text.find("\"epoch\":", at + 1))
      ++count;
    return count;
  };
  int status = 0;
  for (int k = 0; k < 6000 && seen() < epochs; ++k) {
    if (waitpid(child, &status, WNOHANG) == child) return WEXITSTATUS(status);
    std::this_thread::sleep_for(std::chrono::milliseconds(20));
  }
  kill(child, signal);
  waitpid(child, &status, 0);
  return WIFSIGNALED(status) ? 128 + WTERMSIG(status) : WEXITSTATUS(status);
}

TEST(TrainingRuns, LogEveryEpoch) {
  const Folder folder;
  const auto words = train_words(folder, "m", 3);
  const Outcome outcome = run(joined(words, "--json " + (folder / "m.json").string()));
  ASSERT_EQ(outcome.code, 0) << outcome.err;
  const std::vector<json> lines = lines_of(folder / "m.jsonl");
  ASSERT_EQ(lines.size(), 5U);
  const json result = json::parse(content(folder / "m.json"));
  const json& first = lines[0];
  EXPECT_EQ(first["event"], "start");
  EXPECT_EQ(first["version"], result["version"]);
  EXPECT_EQ(first["options"], result["options"]);
  EXPECT_EQ(first["options"]["hidden"], "8");
  EXPECT_SAYS(first["data"]["files"].get<std::string>(), "esku_heat_budget.cdf sha256:");
  EXPECT_EQ(first["data"]["training"], 13432);
  EXPECT_EQ(first["data"]["validation"], 3597);
  EXPECT_EQ(first["data"]["test"], 2956);
  EXPECT_EQ(first["device"], "cpu");
  EXPECT_EQ(first["threads"], 1);
  EXPECT_GT(first["weights"], 50);
  EXPECT_EQ(first["time"].get<std::string>().size(), 20U);
  for (int i = 1; i <= 3; ++i) {
    const json& line = lines[static_cast<std::size_t>(i)];
    EXPECT_EQ(line["event"], "epoch");
    EXPECT_EQ(line["epoch"], i);
    EXPECT_EQ(line["epochs"], 3);
    EXPECT_EQ(line["training_loss"], result["history"][static_cast<std::size_t>(i - 1)]["training_loss"]);
    EXPECT_EQ(line["validation_loss"], result["history"][static_cast<std::size_t>(i - 1)]["validation_loss"]);
    EXPECT_GT(line["learning_rate"], 0.0);
    EXPECT_LT(line["learning_rate"],
              i == 1 ? 0.002 : lines[static_cast<std::size_t>(i - 1)]["learning_rate"].get<double>());
  }
  EXPECT_EQ(lines[3]["best_epoch"], result["best_epoch"]);
  EXPECT_EQ(lines[3]["seconds_left"], 0.0);
  EXPECT_EQ(lines[4]["event"], "end");
  EXPECT_EQ(lines[4]["status"], "finished");
  EXPECT_EQ(lines[4]["model"], (folder / "m.safetensors").string());
  EXPECT_EQ(lines[4]["sha256"], result["sha256"]);
  EXPECT_SAYS(lines[4]["message"].get<std::string>(), "best validation loss");

  // The next training's log replaces it.
  ASSERT_EQ(run(joined(train_words(folder, "m", 1))).code, 0);
  EXPECT_EQ(lines_of(folder / "m.jsonl").size(), 3U);
}

class KilledTraining : public testing::TestWithParam<const char*> {};

/// kill -9 at moments that nobody chose: what is resumed ends in the weights of a training that ran through.
TEST_P(KilledTraining, EndsInTheSameWeights) {
  const Folder folder;
  const std::string model = GetParam();
  const auto words_for = [&](const std::string& name) {
    auto words = train_words(folder, name, 60);
    words.insert(words.end(), {"--model", model, "--ema", "0.99"});
    return words;
  };
  const auto whole = std::chrono::steady_clock::now();
  ASSERT_EQ(run(joined(words_for("whole"))).code, 0);
  const double seconds = std::chrono::duration<double>(std::chrono::steady_clock::now() - whole).count();
  int killed = 0;
  for (std::uint64_t round = 0; round < 5; ++round) {
    auto call = words_for("killed");
    if (std::filesystem::exists(folder / "killed.safetensors.checkpoint" / "checkpoint.safetensors")) call.push_back("--resume");
    const pid_t child = start(call, (folder / "err").string());
    const auto drawn = lavoisier::random::words({41, 0}, {.column = round, .element = model.size()});
    const double share = lavoisier::random::uniform_open_right(drawn[0]);
    std::this_thread::sleep_for(std::chrono::duration<double>(0.8 * seconds * share));
    kill(child, SIGKILL);
    int status = 0;
    waitpid(child, &status, 0);
    if (WIFSIGNALED(status)) ++killed;
    if (std::filesystem::exists(folder / "killed.safetensors")) break;  // it had ended
  }
  EXPECT_GE(killed, 1);
  if (!std::filesystem::exists(folder / "killed.safetensors")) {
    auto call = words_for("killed");
    if (std::filesystem::exists(folder / "killed.safetensors.checkpoint" / "checkpoint.safetensors")) call.push_back("--resume");
    const Outcome ended = run(joined(call));
    ASSERT_EQ(ended.code, 0) << ended.err;
  }
  const auto expected = lavoisier::ModelFile::read(folder / "whole.safetensors"), found = lavoisier::ModelFile::read(folder / "killed.safetensors");
  ASSERT_EQ(expected.tensors().size(), found.tensors().size());
  for (const auto& tensor : expected.tensors()) {
    const auto& other = found.tensor(tensor.name);
    EXPECT_EQ(tensor.bytes, other.bytes) << tensor.name;
  }
}
INSTANTIATE_TEST_SUITE_P(Generators, KilledTraining, testing::Values("mlp", "vae", "ddpm"));

TEST(TrainingRuns, AnInterruptedAndResumedOneLogsTheSameEpochs) {
  const Folder folder;
  constexpr int epochs = 40;
  const auto log = folder / "m.jsonl";
  auto words = train_words(folder, "m", epochs);
  ASSERT_EQ(stop_at(words, log, 2, SIGINT, folder), 2) << content(folder / "err");
  const json end = lines_of(log).back();
  EXPECT_EQ(end["event"], "end");
  EXPECT_EQ(end["status"], "interrupted");
  EXPECT_TRUE(end["model"].is_null());
  EXPECT_SAYS(end["message"].get<std::string>(), "checkpoint kept in");

  // Forgetting --resume is refused, and the log stays.
  const std::string before = content(log);
  const Outcome forgotten = run(joined(words));
  EXPECT_EQ(forgotten.code, 2);
  EXPECT_SAYS(forgotten.err, "unfinished");
  EXPECT_EQ(content(log), before);

  // Killed, its log has whole lines; then a crash of the machine cuts one short.
  words.push_back("--resume");
  ASSERT_EQ(stop_at(words, log, 3, SIGKILL, folder), 128 + SIGKILL) << content(folder / "err");
  EXPECT_EQ(content(log).back(), '\n');
  EXPECT_EQ(lines_of(log).back()["event"], "epoch");
  std::ofstream(log, std::ios::app) << R"({"event":"epoch","epoch":30,"training_lo)";

  const Outcome resumed = run(joined(words));
  ASSERT_EQ(resumed.code, 0) << resumed.err;
  std::string text = content(log);
  const std::size_t cut = text.find("\"training_lo\n");
  ASSERT_NE(cut, std::string::npos);
  const std::size_t line = text.rfind('\n', cut) + 1;
  text.erase(line, text.find('\n', line) + 1 - line);
  std::ofstream(log) << text;
  std::size_t starts = 0;
  for (const json& entry : lines_of(log)) starts += entry["event"] == "start" ? 1 : 0;
  EXPECT_EQ(starts, 3U);
  EXPECT_EQ(lines_of(log).back()["status"], "finished");

  ASSERT_EQ(run(joined(train_words(folder, "whole", epochs))).code, 0);
  const auto whole = epochs_of(folder / "whole.jsonl");
  EXPECT_EQ(whole.size(), static_cast<std::size_t>(epochs));
  EXPECT_EQ(epochs_of(log), whole);
}

TEST(TrainingRuns, AnEarlyStopIsSaid) {
  const Folder folder;
  auto words = train_words(folder, "m", 2000);
  words.erase(std::find(words.begin(), words.end(), "--quiet"));
  const Outcome outcome = run(joined(words, "--stop-after 2 --learning-rate 0.05 --schedule constant"));
  ASSERT_EQ(outcome.code, 0) << outcome.err;
  const std::vector<json> lines = lines_of(folder / "m.jsonl");
  const json& end = lines.back();
  const json& last = lines[lines.size() - 2];
  EXPECT_EQ(end["status"], "stopped early");
  EXPECT_LT(last["epoch"], 2000);
  EXPECT_EQ(last["epoch"].get<int>() - last["best_epoch"].get<int>(), 2);
  const std::string message = end["message"];
  EXPECT_SAYS(message, "at epoch " + std::to_string(last["best_epoch"].get<int>()));
  EXPECT_SAYS(message, "stopped early: no better one for 2 epochs");
  EXPECT_SAYS(outcome.out, message);
}

TEST(TrainingRuns, AFailedOneSaysWhy) {
  const Folder folder;
  const auto words = train_words(folder, "m", 50);
  const Outcome outcome = run(joined(words, "--loss likelihood --learning-rate 1000 --schedule constant"));
  ASSERT_EQ(outcome.code, 2) << outcome.out;
  EXPECT_SAYS(outcome.err, "finite");
  const json end = lines_of(folder / "m.jsonl").back();
  EXPECT_EQ(end["event"], "end");
  EXPECT_EQ(end["status"], "failed");
  EXPECT_TRUE(end["model"].is_null());
  EXPECT_SAYS(outcome.err, end["message"].get<std::string>());
}

TEST(TrainingRuns, AFileThatIsNoLogIsRefusedBeforeTraining) {
  const Folder folder;
  std::ofstream(folder / "m.jsonl") << "my notes\n";
  const Outcome outcome = run(joined(train_words(folder, "m", 1)));
  EXPECT_EQ(outcome.code, 2);
  EXPECT_SAYS(outcome.err, "m.jsonl exists and is no training log");
  EXPECT_SAYS(outcome.err, "my notes");
  EXPECT_EQ(content(folder / "m.jsonl"), "my notes\n");
  EXPECT_FALSE(std::filesystem::exists(folder / "m.safetensors"));
  auto words = train_words(folder, "m", 1);
  words.back() = "/proc/lavoisier/log";
  const Outcome nowhere = run(joined(words));
  EXPECT_EQ(nowhere.code, 2);
  EXPECT_SAYS(nowhere.err, "/proc/lavoisier");
}

TEST(TrainingRuns, ANamedCheckpointFolderGetsALog) {
  const Folder folder;
  auto words = train_words(folder, "m", 1);
  words.resize(words.size() - 2);
  ASSERT_EQ(run(joined(words)).code, 0);
  EXPECT_EQ(folder.names(), std::vector<std::string>{"m.safetensors"}) << "a log that nobody asked for";
  ASSERT_EQ(run(joined(words, "--checkpoint " + (folder / "c").string())).code, 0);
  EXPECT_EQ(lines_of(folder / "c/training.jsonl").size(), 3U);
}

TEST(TrainingRuns, AreShownInTheReport) {
  const Folder folder;
  ASSERT_EQ(run(joined(train_words(folder, "conditional", 4))).code, 0);
  ASSERT_EQ(run(joined(train_words(folder, "none", 2), "--strategy none")).code, 0);
  ASSERT_EQ(run("generate --model " + (folder / "conditional.safetensors").string() + " --inputs " + ocean_file +
                " --members 2 --subset test --quiet --output " + (folder / "e").string())
                .code,
            0);
  const std::string validate = "validate --domain ocean_heat_budget --candidate " + (folder / "e").string() +
                               " --reference " + ocean_file + " --subset test --json " + (folder / "v.json").string() +
                               " --html " + (folder / "v.html").string();
  std::ofstream(folder / "none.jsonl", std::ios::app) << "{\"event\":";
  const std::string logs =
      " --training-log " + (folder / "conditional.jsonl").string() + " other=" + (folder / "none.jsonl").string();
  const Outcome outcome = run(validate + logs);
  ASSERT_EQ(outcome.code, 0) << outcome.err;
  EXPECT_SAYS(outcome.err, "none.jsonl:5: skipped");
  EXPECT_SAYS(outcome.out, "training other: finished: 2 of 2 epochs");
  const json report = json::parse(content(folder / "v.json"));
  ASSERT_EQ(report["training"].size(), 2U);
  EXPECT_EQ(report["training"][0]["name"], "conditional");
  EXPECT_EQ(report["training"][0]["history"].size(), 4U);
  EXPECT_EQ(report["training"][0]["status"], "finished");
  EXPECT_EQ(report["training"][1]["name"], "other");
  EXPECT_EQ(report["training"][1]["options"]["strategy"], "none");
  const std::string page = content(folder / "v.html");
  const std::size_t at = page.find("<h2>Training</h2>");
  ASSERT_NE(at, std::string::npos);
  EXPECT_SAYS(page.substr(at), "(made candidate)");
  EXPECT_SAYS(page.substr(at), "(of no ensemble here)");
  for (const char* outside : {"<script", "src=", "href=", "url(", "@import"})
    EXPECT_EQ(page.find(outside), std::string::npos) << outside;

  ASSERT_EQ(run(validate).code, 0);
  EXPECT_EQ(content(folder / "v.html").find("<h2>Training</h2>"), std::string::npos);
  EXPECT_FALSE(json::parse(content(folder / "v.json")).contains("training"));

  const auto refused = [&](const std::string& log, int code, const std::string& fragment) {
    const Outcome bad = run(validate + " --training-log " + log);
    EXPECT_EQ(bad.code, code) << bad.err;
    EXPECT_SAYS(bad.err, fragment);
  };
  refused((folder / "missing.jsonl").string(), 2, "missing.jsonl");
  refused(ocean_file, 2, "is no training log");
  refused((folder / "v.json").string(), 2, "is no training log");
  refused((folder / "conditional.jsonl").string() + " " + (folder / "conditional.jsonl").string(), 1, "NAME=FILE");
  const std::string text = content(folder / "conditional.jsonl");
  std::ofstream(folder / "short.jsonl") << text.substr(0, text.find('\n') + 20);
  refused((folder / "short.jsonl").string(), 2, "no complete epoch yet");
}

}  // namespace
