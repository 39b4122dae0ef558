#ifndef LAVOISIER_APPS_NAMED_PATHS_HPP
#define LAVOISIER_APPS_NAMED_PATHS_HPP

#include "candidate.hpp"
#include "options.hpp"

#include <string>
#include <utility>
#include <vector>

namespace lavoisier::cli {

/// "NAME=PATH" where NAME holds no slash and no such file exists as written; else a path without a name.
std::pair<std::string, std::string> named(const std::string& word);

/// The one --candidate first (its name "candidate" where it has none), then those of --baseline (without a name: the
/// path's last part). UsageError.
std::vector<NamedPaths> candidates_from(const Arguments& arguments);

}  // namespace lavoisier::cli

#endif
