// mpirun -n R lavoisier train: the same model file for every R; stopped by one number of processes and resumed by
// another; a failure of one ends all.

#include "command.hpp"

#include <chrono>
#include <cmath>
#include <csignal>
#include <cstdint>
#include <thread>

#include <fcntl.h>

namespace {

using namespace lavoisier::testing;

const std::string domain = R"(format = 1
name = "split"
title = "A flow that parts"
[samples]
table = true
[split]
kind = "sequential"
validation = 0.2
test = 0.2
[inputs.feed]
units = "mol s-1"
[inputs.share]
units = "1"
[outputs.left]
units = "mol s-1"
[outputs.right]
units = "mol s-1"
[laws]
balance = { equation = "feed = left + right", tolerance = 1e-9 }
)";

/// `odd`: how one number of the table is written.
std::string table(const std::string& odd = "") {
  std::string text = "feed,share,left,right\n";
  std::uint64_t state = 777;
  const auto uniform = [&] {
    state = state * 6364136223846793005ULL + 1442695040888963407ULL;
    return static_cast<double>(state >> 11) * 0x1.0p-53;
  };
  for (int row = 0; row < 400; ++row) {
    const double feed = 1 + 4 * uniform(), share = uniform();
    const double left = feed * (0.2 + 0.6 * share * share) + 0.1 * (uniform() + uniform() - 1);
    char line[200];
    std::snprintf(line, sizeof line, "%.17g,%.17g,%.17g,%.17g\n", feed, share, left, feed - left);
    text += row == 17 && !odd.empty() ? odd + "\n" : line;
  }
  return text;
}

class SeveralProcesses : public testing::Test {
 protected:
  SeveralProcesses() {
    std::ofstream(folder_ / "split.toml") << domain;
    std::ofstream(folder_ / "flows.csv") << table();
    setenv("OMPI_ALLOW_RUN_AS_ROOT", "1", 1);
    setenv("OMPI_ALLOW_RUN_AS_ROOT_CONFIRM", "1", 1);
    setenv("OMP_NUM_THREADS", "1", 1);
    setenv("SOURCE_DATE_EPOCH", "0", 1);
    setenv("ASAN_OPTIONS", "detect_leaks=0", 0);  // of MPI itself, in a sanitized build
  }
  std::string file(const std::string& name) const { return (folder_ / name).string(); }
  std::string words(const std::string& data, int epochs = 4) const {
    return "train --domain " + file("split.toml") + " --data " + file(data) +
           " --hidden 8,8 --batch 60 --seed 3 " + "--epochs " + std::to_string(epochs) + " --output " +
           file("m.safetensors");
  }
  static std::string mpirun(int processes) {
    return "timeout -k 5 120 '" LAVOISIER_MPIRUN "' --oversubscribe -n " + std::to_string(processes);  // 124: it hung
  }
  /// Trains to the end; the model file, which is then removed.
  std::string trained(int processes, const std::string& more = "", int epochs = 4) {
    const Outcome outcome = run(words("flows.csv", epochs) + more, mpirun(processes));
    EXPECT_EQ(outcome.code, 0) << outcome.err;
    EXPECT_SAYS(outcome.out, std::to_string(processes) + " processes share 8 micro-batches a batch");
    EXPECT_EQ(outcome.out.find("wrote"), outcome.out.rfind("wrote")) << outcome.out;  // one of them speaks
    const std::string model = content(folder_ / "m.safetensors");
    EXPECT_FALSE(model.empty());
    EXPECT_FALSE(std::filesystem::exists(file("m.safetensors.checkpoint")));
    std::filesystem::remove(file("m.safetensors"));
    return model;
  }
  /// Three processes with the table and one with another: all must end with this code and one message.
  void expect_end_of_all(const std::string& other, int code, const std::string& message) {
    const Outcome outcome = run(words("flows.csv") + " : -n 1 '" + executable() + "' " + words(other), mpirun(3));
    EXPECT_EQ(outcome.code, code) << outcome.err;
    EXPECT_SAYS(outcome.err, "lavoisier train: process 3: " + message);
    EXPECT_EQ(outcome.err.find("lavoisier train:"), outcome.err.rfind("lavoisier train:")) << outcome.err;
    EXPECT_FALSE(std::filesystem::exists(file("m.safetensors")));
  }

  Folder folder_;
};

TEST_F(SeveralProcesses, MakeTheSameModelFileWhateverTheirNumber) {
  const std::string one = trained(1);
  EXPECT_SAYS(one, "option.micro_batches\\\":\\\"8\\\"");
  EXPECT_TRUE(trained(2) == one);
  EXPECT_TRUE(trained(4) == one);
  for (const std::string more : {" --model vae --latents 2 --loss likelihood", " --model ddpm --loss squared_error"}) {
    const std::string alone = trained(1, more);
    EXPECT_TRUE(trained(2, more) == alone) << more;
    EXPECT_TRUE(trained(4, more) == alone) << more;
  }
  // A plain run has one micro-batch and never touches MPI.
  const Outcome plain = run(words("flows.csv"));
  EXPECT_EQ(plain.code, 0) << plain.err;
  EXPECT_EQ(plain.out.find("processes"), std::string::npos);
  EXPECT_EQ(content(folder_ / "m.safetensors").find("option.micro_batches"), std::string::npos);
}

TEST_F(SeveralProcesses, StoppedByFourAndResumedByTwoMakeTheSameModelFile) {
  constexpr int epochs = 1500;
  const std::string expected = trained(1, "", epochs);
  const std::string err = file("err"), pid = file("pid");
  // The first process says who it is; the signal goes to it alone.
  std::ofstream(folder_ / "start.sh") << "[ \"$OMPI_COMM_WORLD_RANK\" = 0 ] && echo $$ >'" + pid + "'\nexec '" +
                                             executable() + "' \"$@\"\n";
  const std::string line = "exec " + mpirun(4) + " sh '" + file("start.sh") + "' " + words("flows.csv", epochs) +
                           " >/dev/null 2>'" + err + "' </dev/null";
  const pid_t child = fork();
  if (child == 0) {
    execl("/bin/sh", "sh", "-c", line.c_str(), static_cast<char*>(nullptr));
    _exit(127);
  }
  for (int k = 0; k < 600 && content(err).find("epoch ") == std::string::npos; ++k)
    std::this_thread::sleep_for(std::chrono::milliseconds(100));
  const int first = std::atoi(content(pid).c_str());
  ASSERT_GT(first, 1);
  kill(first, SIGTERM);
  int status = 0;
  waitpid(child, &status, 0);
  EXPECT_TRUE(WIFEXITED(status));
  EXPECT_EQ(WEXITSTATUS(status), 2);
  const std::string message = content(err);
  EXPECT_SAYS(message, "training stopped before step");
  EXPECT_SAYS(message, "mpirun -n 4 lavoisier train");
  EXPECT_SAYS(message, "--resume");
  EXPECT_TRUE(std::filesystem::exists(file("m.safetensors.checkpoint/checkpoint.safetensors")));
  EXPECT_FALSE(std::filesystem::exists(file("m.safetensors")));
  EXPECT_TRUE(trained(2, " --resume", epochs) == expected);
}

TEST_F(SeveralProcesses, EndTogether) {
  std::ofstream(folder_ / "other.csv") << table("2,0.5,1,1");
  expect_end_of_all("other.csv", 2, "expected the samples and options of process 0, found others:\n  data.digest: ");
  expect_end_of_all("none.csv", 2, "no file");
  std::ofstream(folder_ / "nan.csv") << table("nan,0.5,1,1");
  expect_end_of_all("nan.csv", 2, "");
  std::ofstream(folder_ / "unlawful.csv") << table("2,0.5,1,1.5");
  expect_end_of_all("unlawful.csv", 3, "law 'balance'");
}

TEST_F(SeveralProcesses, SayAUsageErrorOnce) {
  const Outcome outcome = run(words("flows.csv") + " --strategy nonsense", mpirun(3));
  EXPECT_EQ(outcome.code, 1) << outcome.err;
  EXPECT_SAYS(outcome.err, "nonsense");
  EXPECT_EQ(outcome.err.find("lavoisier train:"), outcome.err.rfind("lavoisier train:")) << outcome.err;
  const Outcome many = run(words("flows.csv") + " --micro-batches 2", mpirun(3));
  EXPECT_EQ(many.code, 2) << many.err;
  EXPECT_SAYS(many.err, "micro_batches: expected at least the number of processes (3), found 2");
}

}  // namespace
