#include "named_paths.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <filesystem>

namespace lavoisier::cli {

std::pair<std::string, std::string> named(const std::string& word) {
  const std::size_t equal = word.find('=');
  if (equal == std::string::npos || equal == 0 || word.substr(0, equal).find('/') != std::string::npos ||
      std::filesystem::exists(word)) {
    return {"", word};
  }
  return {word.substr(0, equal), word.substr(equal + 1)};
}

std::vector<NamedPaths> candidates_from(const Arguments& arguments) {
  std::vector<NamedPaths> result;
  NamedPaths candidate;
  for (const std::string& word : arguments.list("candidate")) {
    const auto [name, path] = named(word);
    if (!name.empty() && !candidate.name.empty() && name != candidate.name) {
      throw UsageError(fmt::format("--candidate: one candidate a call, found '{}' and '{}'; others go to --baseline",
                                   candidate.name, name));
    }
    if (!name.empty()) candidate.name = name;
    candidate.paths.emplace_back(path);
  }
  if (candidate.name.empty()) candidate.name = "candidate";
  result.push_back(candidate);
  if (!arguments.has("baseline")) return result;
  for (const std::string& word : arguments.list("baseline")) {
    auto [name, path] = named(word);
    if (name.empty()) name = std::filesystem::path(path).lexically_normal().filename().string();
    const auto same = std::find_if(result.begin() + 1, result.end(), [&n = name](const NamedPaths& c) { return c.name == n; });
    if (name == candidate.name) throw UsageError(fmt::format("--baseline: '{}' is the candidate's name", name));
    if (same != result.end()) {
      same->paths.emplace_back(path);
    } else {
      result.push_back({name, {path}});
    }
  }
  return result;
}

}  // namespace lavoisier::cli
