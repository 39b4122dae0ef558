#ifndef LAVOISIER_TESTS_CLI_COMMAND_HPP
#define LAVOISIER_TESTS_CLI_COMMAND_HPP

// Runs the lavoisier executable as a user does, in a folder of its own.

#include <gtest/gtest.h>

#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <sstream>
#include <string>
#include <vector>

#include <fcntl.h>
#include <sys/wait.h>
#include <unistd.h>

namespace lavoisier::testing {

inline const char* const ocean_file = "/usr/share/ferret-vis/data/esku_heat_budget.cdf";

inline std::string executable() {
  const char* other = std::getenv("LAVOISIER_COMMAND");
  return other != nullptr ? other : LAVOISIER_COMMAND;
}

inline std::string content(const std::filesystem::path& path) {
  std::ifstream file(path, std::ios::binary);
  std::ostringstream text;
  text << file.rdbuf();
  return text.str();
}

struct Outcome {
  int code = -1;  ///< 128 + signal where it was killed
  std::string out, err;
};

/// A folder that is removed at the end.
class Folder {
 public:
  Folder() {
    std::string pattern = (std::filesystem::temp_directory_path() / "lavoisier-cli-XXXXXX").string();
    path_ = mkdtemp(pattern.data());
  }
  ~Folder() {
    std::error_code ignored;
    std::filesystem::permissions(path_, std::filesystem::perms::owner_all, ignored);
    std::filesystem::remove_all(path_, ignored);
  }
  Folder(const Folder&) = delete;
  Folder& operator=(const Folder&) = delete;
  std::filesystem::path operator/(const std::string& name) const { return path_ / name; }
  const std::filesystem::path& path() const { return path_; }
  std::vector<std::string> names() const {
    std::vector<std::string> result;
    for (const auto& entry : std::filesystem::directory_iterator(path_)) result.push_back(entry.path().filename().string());
    return result;
  }

 private:
  std::filesystem::path path_;
};

/// `shell`: what stands before the command ("cd x &&", "ulimit ...;"); words go through the shell as they are.
inline Outcome run(const std::string& words, const std::string& shell = "") {
  const Folder folder;
  const std::string out = (folder / "out").string(), err = (folder / "err").string();
  const std::string line = shell + " '" + executable() + "' " + words + " >'" + out + "' 2>'" + err + "' </dev/null";
  const int status = std::system(line.c_str());
  Outcome outcome;
  outcome.code = WIFEXITED(status) ? WEXITSTATUS(status) : 128 + WTERMSIG(status);
  outcome.out = content(out);
  outcome.err = content(err);
  return outcome;
}

/// Starts the command without a shell (which would ignore the signal); stderr to a file.
inline pid_t start(const std::vector<std::string>& words, const std::string& err) {
  const pid_t child = fork();
  if (child != 0) return child;
  const int file = open(err.c_str(), O_CREAT | O_WRONLY | O_TRUNC, 0644);
  dup2(file, STDERR_FILENO);
  dup2(file, STDOUT_FILENO);
  std::vector<char*> arguments;
  std::string program = executable();
  arguments.push_back(program.data());
  std::vector<std::string> copies = words;
  for (std::string& word : copies) arguments.push_back(word.data());
  arguments.push_back(nullptr);
  execv(program.c_str(), arguments.data());
  _exit(127);
}

#define EXPECT_SAYS(text, fragment) \
  EXPECT_NE((text).find(fragment), std::string::npos) << "expected \"" << (fragment) << "\" in:\n" << (text)

/// A model trained for a few epochs on the ocean's heat budget, once a process and strategy.
inline const std::filesystem::path& small_model(const std::string& strategy = "conditional") {
  static Folder folder;
  static std::vector<std::pair<std::string, std::filesystem::path>> made;
  for (const auto& [name, path] : made) {
    if (name == strategy) return path;
  }
  const std::filesystem::path path = folder / (strategy + ".safetensors");
  const Outcome outcome = run("train --domain ocean_heat_budget --data " + std::string(ocean_file) + " --strategy " +
                                    strategy + " --hidden 16 --epochs 3 --seed 1 --quiet --output " + path.string());
  EXPECT_EQ(outcome.code, 0) << outcome.err;
  made.emplace_back(strategy, path);
  return made.back().second;
}

}  // namespace lavoisier::testing

#endif
