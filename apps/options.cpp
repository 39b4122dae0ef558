#include "options.hpp"

#include <lavoisier/files.hpp>
#include <lavoisier/layout.hpp>
#include <lavoisier/status.hpp>

#include <boost/program_options.hpp>
#include <fmt/format.h>
#include <nlohmann/json.hpp>

#include <algorithm>
#include <charconv>
#include <cmath>
#include <cstdio>
#include <sstream>

namespace lavoisier::cli {
namespace po = boost::program_options;
namespace {

std::vector<Option> with_common(const Command& command) {
  std::vector<Option> options = command.options;
  options.push_back({"config", "FILE", "options as lines `name = value`; the command line wins", "", false});
  options.push_back({"json", "FILE", "write the result as JSON", "", false});
  options.push_back({"quiet", "", "no progress, no tables; errors only", "", false});
  options.push_back({"help", "", "this text", "", false});
  return options;
}

std::vector<std::string> names_of(const std::vector<Option>& options) {
  std::vector<std::string> names;
  for (const Option& option : options) names.push_back(option.name);
  return names;
}

[[noreturn]] void refuse(const std::string& where, const std::string& name, const std::vector<Option>& options) {
  const std::vector<std::string> names = names_of(options);
  std::string message = fmt::format("{}unknown option '{}'", where, name) + suggestion(name, names);
  if (nearest_name(name, names).empty()) message += fmt::format("; legal are {}", fmt::join(names, ", "));
  throw UsageError(message);
}

std::string without_quotes(std::string text) {
  if (text.size() >= 2 && (text.front() == '"' || text.front() == '\'') && text.front() == text.back()) {
    text = text.substr(1, text.size() - 2);
  }
  return text;
}

std::string shell_quoted(const std::string& word) {
  const bool plain = !word.empty() && word.find_first_of(" \t\n'\"$&|;<>()*?[]#~\\`") == std::string::npos;
  if (plain) return word;
  std::string text = "'";
  for (char c : word) text += c == '\'' ? std::string("'\\''") : std::string(1, c);
  return text + "'";
}

std::string folded(const std::string& text, std::size_t indent, std::size_t width) {
  std::istringstream words(text);
  std::string line, word, result;
  while (words >> word) {
    if (!line.empty() && line.size() + 1 + word.size() > width) {
      result += line + "\n" + std::string(indent, ' ');
      line.clear();
    }
    line += (line.empty() ? "" : " ") + word;
  }
  return result + line;
}

}  // namespace

std::string suggestion(const std::string& name, const std::vector<std::string>& known) {
  const std::string nearest = nearest_name(name, known);
  return nearest.empty() ? std::string() : "; did you mean '" + nearest + "'?";
}

std::string help_text(const Command& command) {
  std::string text = fmt::format("lavoisier {}{}: {}\n\n", command.name,
                                 command.positional.empty() ? "" : " [" + command.positional + "]", command.summary);
  text += "Options\n";
  for (const Option& option : with_common(command)) {
    std::string left = "  --" + option.name;
    if (!option.value.empty()) left += " " + option.value + (option.many ? "..." : "");
    std::string help = option.help;
    if (!option.fallback.empty()) help += " (default: " + option.fallback + ")";
    constexpr std::size_t column = 34;
    if (left.size() + 2 > column) {
      text += left + "\n" + std::string(column, ' ');
    } else {
      text += left + std::string(column - left.size(), ' ');
    }
    text += folded(help, column, 84) + "\n";
  }
  text += "\nExit codes: 0 fine, 1 usage, 2 run-time failure, 3 a conservation or quality check failed.\n";
  text += "\nExample\n  " + command.example + "\n";
  return text;
}

bool parse(const Command& command, int count, const char* const* words, Arguments& arguments) {
  const std::vector<Option> options = with_common(command);
  po::options_description description;
  for (const Option& option : options) {
    if (option.value.empty()) {
      description.add_options()(option.name.c_str(), po::bool_switch());
    } else if (option.many) {
      description.add_options()(option.name.c_str(), po::value<std::vector<std::string>>()->multitoken());
    } else {
      description.add_options()(option.name.c_str(), po::value<std::string>());
    }
  }
  // Words that belong to no option are gathered, so that an unknown option before them is what gets named.
  const char* const stray = "word without an option";
  description.add_options()(stray, po::value<std::vector<std::string>>());
  po::positional_options_description positional;
  if (!command.positional.empty()) positional.add(command.positional.c_str(), 1);
  positional.add(stray, -1);

  arguments = Arguments();
  arguments.command_ = command.name;
  arguments.command_line_ = "lavoisier " + command.name;
  std::vector<std::string> list;
  for (int i = 0; i < count; ++i) {
    list.emplace_back(words[i]);
    arguments.command_line_ += " " + shell_quoted(list.back());
    arguments.words_.push_back(list.back());
  }

  po::variables_map map;
  try {
    // No guessing of abbreviations: a shortened name that works today would change its meaning with a new option.
    const auto style = po::command_line_style::default_style & ~po::command_line_style::allow_guessing;
    const po::parsed_options parsed =
        po::command_line_parser(list).options(description).positional(positional).style(style).allow_unregistered().run();
    for (const auto& option : parsed.options) {
      if (option.unregistered) {
        std::string name = option.string_key;
        name.erase(0, name.find_first_not_of('-') == std::string::npos ? name.size() : name.find_first_not_of('-'));
        refuse("", name, options);
      }
    }
    for (const auto& option : parsed.options) {
      if (option.string_key == stray) {
        throw UsageError(fmt::format("unexpected word '{}': options start with --", option.value.front()));
      }
    }
    po::store(parsed, map);
  } catch (const po::error& error) {
    throw UsageError(error.what());
  }

  if (map.count("help") != 0 && map["help"].as<bool>()) {
    std::fputs(help_text(command).c_str(), stdout);
    return false;
  }

  const auto take = [&](const po::variables_map& from) {
    for (const Option& option : options) {
      if (from.count(option.name) == 0 || from[option.name].defaulted() || arguments.given_[option.name]) continue;
      std::vector<std::string>& values = arguments.values_[option.name];
      if (option.value.empty()) {
        values = {from[option.name].as<bool>() ? "true" : "false"};
      } else if (option.many) {
        values = from[option.name].as<std::vector<std::string>>();
      } else {
        values = {from[option.name].as<std::string>()};
      }
      arguments.given_[option.name] = true;
    }
  };
  take(map);

  if (map.count("config") != 0) {
    const std::string path = map["config"].as<std::string>();
    const std::vector<std::byte> bytes = read_file(path);
    std::istringstream stream(std::string(reinterpret_cast<const char*>(bytes.data()), bytes.size()));
    try {
      po::parsed_options parsed = po::parse_config_file(stream, description, true);
      for (auto& option : parsed.options) {
        if (option.unregistered || option.string_key == "config" || option.string_key == "help" ||
            option.string_key == stray) {
          refuse(path + ": ", option.string_key, options);
        }
        for (std::string& value : option.value) value = without_quotes(value);
        for (std::string& value : option.original_tokens) value = without_quotes(value);
      }
      po::variables_map from_file;
      po::store(parsed, from_file);
      take(from_file);
    } catch (const po::error& error) {
      throw UsageError(path + ": " + error.what());
    }
  }

  for (const Option& option : options) {
    if (arguments.given_[option.name]) continue;
    if (option.value.empty()) {
      arguments.values_[option.name] = {"false"};
    } else if (!option.fallback.empty()) {
      arguments.values_[option.name] = {option.fallback};
    }
  }
  return true;
}

bool Arguments::given(const std::string& name) const {
  const auto found = given_.find(name);
  return found != given_.end() && found->second;
}

bool Arguments::has(const std::string& name) const { return values_.count(name) != 0; }

bool Arguments::flag(const std::string& name) const { return has(name) && values_.at(name).front() == "true"; }

const std::vector<std::string>& Arguments::list(const std::string& name) const {
  const auto found = values_.find(name);
  if (found == values_.end() || found->second.empty()) {
    throw UsageError(fmt::format("--{} is needed (lavoisier {} --help shows an example)", name, command_));
  }
  return found->second;
}

const std::string& Arguments::text(const std::string& name) const { return list(name).front(); }

std::string Arguments::text_or(const std::string& name, const std::string& otherwise) const {
  return has(name) ? text(name) : otherwise;
}

std::vector<std::string> Arguments::words(const std::string& name) const {
  std::vector<std::string> result;
  for (const std::string& item : list(name)) {
    std::size_t from = 0;
    while (from <= item.size()) {
      const std::size_t comma = std::min(item.find(',', from), item.size());
      if (comma > from) result.push_back(item.substr(from, comma - from));
      from = comma + 1;
    }
  }
  return result;
}

std::int64_t Arguments::integer(const std::string& name, std::int64_t least, std::int64_t most) const {
  const std::string& value = text(name);
  std::int64_t number = 0;
  const auto [end, error] = std::from_chars(value.data(), value.data() + value.size(), number);
  if (error != std::errc() || end != value.data() + value.size() || number < least || number > most) {
    throw UsageError(fmt::format("--{}: expected a whole number from {} to {}, found '{}'", name, least, most, value));
  }
  return number;
}

std::uint64_t Arguments::unsigned_integer(const std::string& name) const {
  const std::string& value = text(name);
  std::uint64_t number = 0;
  const auto [end, error] = std::from_chars(value.data(), value.data() + value.size(), number);
  if (error != std::errc() || end != value.data() + value.size()) {
    throw UsageError(fmt::format("--{}: expected a whole number from 0 to 18446744073709551615, found '{}'", name, value));
  }
  return number;
}

double Arguments::number(const std::string& name, double least, double most) const {
  const std::string& value = text(name);
  double result = 0.0;
  const auto [end, error] = std::from_chars(value.data(), value.data() + value.size(), result);
  if (error != std::errc() || end != value.data() + value.size() || !(result >= least && result <= most)) {
    throw UsageError(fmt::format("--{}: expected a number from {} to {}, found '{}'", name, least, most, value));
  }
  return result;
}

const std::string& Arguments::choice(const std::string& name, const std::vector<std::string>& legal) const {
  const std::string& value = text(name);
  if (std::find(legal.begin(), legal.end(), value) == legal.end()) {
    throw UsageError(fmt::format("--{}: expected one of {}; found '{}'", name, fmt::join(legal, ", "), value) +
                     suggestion(value, legal));
  }
  return value;
}

std::string Arguments::command_line_without(const std::vector<std::string>& flags,
                                            const std::vector<std::string>& options) const {
  const auto among = [](const std::vector<std::string>& names, const std::string& word) {
    return std::any_of(names.begin(), names.end(), [&](const std::string& name) { return word == "--" + name; });
  };
  std::string line = "lavoisier " + command_;
  for (std::size_t i = 0; i < words_.size(); ++i) {
    const std::string& word = words_[i];
    if (among(flags, word) || among(options, word.substr(0, word.find('=')))) {
      if (among(options, word)) ++i;  // and its value
      continue;
    }
    line += " " + shell_quoted(word);
  }
  return line;
}

std::map<std::string, std::string> Arguments::resolved() const {
  std::map<std::string, std::string> result;
  for (const auto& [name, values] : values_) {
    if (name == "help" || name == "quiet" || values.empty()) continue;
    result[name] = fmt::format("{}", fmt::join(values, " "));
  }
  return result;
}

std::string Arguments::resolved_json() const {
  nlohmann::ordered_json json = nlohmann::ordered_json::object();
  for (const auto& [name, value] : resolved()) json[name] = value;
  return json.dump();
}

}  // namespace lavoisier::cli
