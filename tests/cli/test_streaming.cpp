// `train --buffer-size`: data larger than the buffer, to the same model file as without; how much memory that takes.

#include "command.hpp"

#include <cstdint>
#include <cstdio>
#include <map>

#include <sys/resource.h>

namespace {

using namespace lavoisier::testing;

constexpr int inputs = 40;

/// 40 inputs, and outputs with a + b = x0.
std::string domain() {
  std::string text =
      "format = 1\nname = \"wide\"\ntitle = \"Wide\"\n[samples]\ntable = true\n"
      "[split]\nkind = \"sequential\"\nvalidation = 0.2\ntest = 0.1\n";
  for (int i = 0; i < inputs; ++i) text += "[inputs.x" + std::to_string(i) + "]\nunits = \"1\"\n";
  for (const char* name : {"a", "b"}) text += std::string("[outputs.") + name + "]\nunits = \"1\"\n";
  return text + "[laws]\nbalance = { equation = \"a + b = x0\", tolerance = 1e-9 }\n";
}

void write_table(const std::filesystem::path& path, int rows) {
  std::ofstream file(path);
  for (int i = 0; i < inputs; ++i) file << 'x' << i << ',';
  file << "a,b\n";
  std::uint64_t state = 7;
  for (int row = 0; row < rows; ++row) {
    double x0 = 0.0, x1 = 0.0;
    char number[64];
    for (int i = 0; i < inputs; ++i) {
      state = state * 6364136223846793005ULL + 1442695040888963407ULL;
      const double value = static_cast<double>(state >> 40) / 16777216.0;  // exact in eight digits behind the point
      if (i == 0) x0 = value;
      if (i == 1) x1 = value;
      std::snprintf(number, sizeof number, "%.9f,", value);
      file << number;
    }
    const double a = 0.5 * x0 + 0.1 * x1;
    std::snprintf(number, sizeof number, "%.17g,%.17g\n", a, x0 - a);
    file << number;
  }
}

/// The largest resident memory, in KiB, that any child so far has had: of rising runs, that of the last.
long largest_child() {
  rusage usage{};
  getrusage(RUSAGE_CHILDREN, &usage);
  return usage.ru_maxrss;
}

const std::string clock = "SOURCE_DATE_EPOCH=1 OMP_NUM_THREADS=1";

TEST(Buffer, BoundsTheMemoryOfATrainingOnMoreData) {
  const Folder folder;
  std::ofstream(folder / "wide.toml") << domain();
  write_table(folder / "small.csv", 400);
  write_table(folder / "large.csv", 120000);
  ASSERT_GT(std::filesystem::file_size(folder / "large.csv"), 55'000'000U);
  const auto train = [&](const std::string& name, const std::string& data, const std::string& more) {
    const Outcome outcome =
        run("train --quiet --domain ./wide.toml --data " + data +
                ".csv --hidden 8 --epochs 2 --batch 512 --threads 1 --output " + name + ".safetensors " + more,
            "cd " + folder.path().string() + " && " + clock);
    EXPECT_EQ(outcome.code, 0) << outcome.err;
    return largest_child();
  };
  const long small = train("small", "small", "");
  const long bounded = train("model", "large", "--buffer-size 4");
  const std::string streamed = content(folder / "model.safetensors");
  const long unbounded = train("model", "large", "");
  // Beside the buffer: a batch, pieces, the order of the samples and what the reader knows of each row.
  constexpr long buffer = 4 * 1024, beside = 14 * 1024;
  std::printf(
      "peak memory: %ld MiB of 400 rows; of 120000 (%ld MiB in FP64) %ld MiB more by a buffer of 4 MiB, %ld MiB more "
      "without\n",
      small / 1024, 120000L * (inputs + 2) * 8 / 1048576, (bounded - small) / 1024, (unbounded - small) / 1024);
  EXPECT_LT(bounded - small, buffer + beside);
  EXPECT_GT(unbounded - small, 2 * (buffer + beside));  // else the bound above says nothing
  EXPECT_TRUE(streamed == content(folder / "model.safetensors"));
}

/// The words of a training on the ocean's heat budget (NetCDF), land left out.
std::string ocean(const std::string& more) {
  return "train --quiet --domain ocean_heat_budget --data " + std::string(ocean_file) +
         " --epochs 2 --hidden 16 --threads 1 --output ocean.safetensors " + more;
}

TEST(Buffer, GivesTheSameModelFile) {
  for (const std::string model : {"--model mlp", "--model vae --loss likelihood --latents 2"}) {
    const Folder folder;
    const std::string at = "cd " + folder.path().string() + " && " + clock;
    ASSERT_EQ(run(ocean(model), at).code, 0);
    const std::string expected = content(folder / "ocean.safetensors");
    // A different order of words and a config file: where the rows lay is not part of the model.
    const Outcome outcome = run(ocean(model + " --buffer-size=1 --scratch elsewhere"), at);
    EXPECT_EQ(outcome.code, 0) << outcome.err;
    EXPECT_TRUE(expected == content(folder / "ocean.safetensors")) << model;
    EXPECT_TRUE(std::filesystem::is_empty(folder / "elsewhere"));
  }
}

TEST(Buffer, IsAKeyOfTheConfigAndRefusesNonsense) {
  const Folder folder;
  const std::string at = "cd " + folder.path().string() + " && " + clock;
  std::ofstream(folder / "config") << "buffer-size = 2\nscratch = .\n";
  EXPECT_EQ(run(ocean("--config config"), at).code, 0);
  const auto refused = [&](const std::string& words, const std::string& fragment, int code = 1) {
    const Outcome outcome = run(ocean(words), at);
    EXPECT_EQ(outcome.code, code) << words;
    EXPECT_SAYS(outcome.err, fragment);
  };
  refused("--buffer-size 0", "--buffer-size: expected a whole number from 1");
  refused("--buffer-size much", "found 'much'");
  refused("--buffer-size -3", "buffer-size");
  refused("--scratch .", "--scratch: only a training with --buffer-size has scratch files");
  refused("--buffer-size 1 --batch 100000", "MiB", 2);
  refused("--buffer-size 1 --scratch /proc/nowhere", "/proc/nowhere", 2);
}

TEST(Buffer, AnInterruptedTrainingKeepsItsCheckpointAndNoFile) {
  const Folder folder;
  const std::string output = (folder / "ocean.safetensors").string();
  const std::vector<std::string> words = {"train",    "--domain", "ocean_heat_budget", "--data", ocean_file,
                                          "--hidden", "8",        "--epochs",          "100000", "--threads",
                                          "1",        "--quiet",  "--buffer-size",     "1",      "--output",
                                          output};
  const pid_t child = start(words, (folder / "err").string());
  for (int i = 0; i < 600 && !std::filesystem::exists(output + ".checkpoint"); ++i) usleep(50000);
  kill(child, SIGINT);
  int status = 0;
  waitpid(child, &status, 0);
  ASSERT_TRUE(WIFEXITED(status));
  EXPECT_EQ(WEXITSTATUS(status), 2);
  EXPECT_SAYS(content(folder / "err"), "resume with");
  for (const std::string& name : folder.names()) EXPECT_EQ(name.find(".lavoisier-scratch"), std::string::npos) << name;
}

}  // namespace
