#ifndef LAVOISIER_BENCH_STUDY_OPTIONS_HPP
#define LAVOISIER_BENCH_STUDY_OPTIONS_HPP

// What the programs of studies share: --option=value words, and a file of results, one JSON object a line.

#include <lavoisier/emulator.hpp>
#include <lavoisier/status.hpp>
#include <lavoisier/training.hpp>

#include <nlohmann/json.hpp>

#include <algorithm>
#include <cstdint>
#include <cstdio>
#include <filesystem>
#include <fstream>
#include <functional>
#include <map>
#include <sstream>
#include <string>
#include <vector>

namespace lavoisier::bench {

inline std::vector<std::string> words_of(const std::string& text) {
  std::vector<std::string> words;
  std::istringstream stream(text);
  for (std::string word; std::getline(stream, word, ',');) words.push_back(word);
  return words;
}

inline std::vector<std::int64_t> numbers_of(const std::string& text) {
  std::vector<std::int64_t> numbers;
  for (const std::string& word : words_of(text)) numbers.push_back(std::stoll(word));
  return numbers;
}

/// Gives each word's value (what stands behind "=", or nothing) to its option; Error(invalid_argument) names an unknown
/// one.
inline void read_options(int count, char** words,
                         const std::map<std::string, std::function<void(const std::string&)>>& known) {
  for (int i = 1; i < count; ++i) {
    const std::string word = words[i];
    const std::size_t end = std::min(word.find('='), word.size());
    const auto option = word.starts_with("--") ? known.find(word.substr(2, end - 2)) : known.end();
    if (option == known.end())
      throw Error(Status::invalid_argument, "unknown option '" + word + "'; the source lists them");
    option->second(end < word.size() ? word.substr(end + 1) : "");
  }
}

inline void append(const std::filesystem::path& path, const nlohmann::json& line) {
  if (path.has_parent_path()) std::filesystem::create_directories(path.parent_path());
  std::ofstream file(path, std::ios::app);
  file << line.dump() + "\n" << std::flush;
  if (!file) throw Error(Status::io_error, path.string() + " can't be written");
}

/// A program's whole run: its exit code, 77 where there is no `data` ("--data=FILE names the `what`"). `study` says whether
/// all is well; `otherwise` what is wrong else.
inline int run_study(const std::filesystem::path& data, const char* what, int threads, const std::function<bool()>& study,
                     const char* otherwise) {
  if (!std::filesystem::exists(data)) {
    std::printf("there is no %s: --data=FILE names the %s\n", data.c_str(), what);
    return 77;
  }
  initialize({.threads = threads});
  set_training_threads(threads);
  const bool good = study();
  finalize();
  if (!good) std::fprintf(stderr, "%s\n", otherwise);
  return good ? 0 : 1;
}

}  // namespace lavoisier::bench

#endif
