#ifndef LAVOISIER_APPS_OPTIONS_HPP
#define LAVOISIER_APPS_OPTIONS_HPP

#include <cstdint>
#include <map>
#include <stdexcept>
#include <string>
#include <vector>

namespace lavoisier::cli {

/// A mistake in how the command was called: exit code 1.
class UsageError : public std::runtime_error {
 public:
  using std::runtime_error::runtime_error;
};

struct Option {
  std::string name;      ///< without dashes
  std::string value;     ///< what stands for its value in the help; empty: a flag
  std::string help;
  std::string fallback;  ///< its default as text; empty: none
  bool many = false;     ///< takes any number of values
};

/// One subcommand: what the help prints and what the parser accepts.
struct Command {
  std::string name, summary, example;
  std::string positional;  ///< the option that words without a dash belong to; empty: none
  std::vector<Option> options;
};

/// The options of one call: command line first, then the config file, then the defaults.
class Arguments {
 public:
  bool given(const std::string& name) const;  ///< on the command line or in the config file
  bool has(const std::string& name) const;    ///< given, or has a default
  bool flag(const std::string& name) const;

  /// The values below throw UsageError, naming the option, for a value that is missing or no such thing.
  const std::string& text(const std::string& name) const;
  std::string text_or(const std::string& name, const std::string& otherwise) const;
  const std::vector<std::string>& list(const std::string& name) const;
  std::vector<std::string> words(const std::string& name) const;  ///< the list, cut at commas too
  std::int64_t integer(const std::string& name, std::int64_t least, std::int64_t most) const;
  std::uint64_t unsigned_integer(const std::string& name) const;
  double number(const std::string& name, double least, double most) const;
  /// One of the words; else UsageError with the nearest.
  const std::string& choice(const std::string& name, const std::vector<std::string>& words) const;

  /// Every option that has a value, defaults included: what goes into artefacts.
  std::map<std::string, std::string> resolved() const;
  std::string resolved_json() const;
  const std::string& command_line() const noexcept { return command_line_; }
  /// The same without some flags and some options with their values.
  std::string command_line_without(const std::vector<std::string>& flags,
                                   const std::vector<std::string>& options) const;
  std::vector<std::string> words_;  ///< of the command line

 private:
  friend bool parse(const Command&, int, const char* const*, Arguments&);
  std::string command_;
  std::string command_line_;
  std::map<std::string, std::vector<std::string>> values_;
  std::map<std::string, bool> given_;
};

/// Parses the words after the subcommand; false: the help was asked for and printed. Throws UsageError (unknown
/// option: nearest named), Error(not_found, invalid_format) for the config file.
bool parse(const Command& command, int count, const char* const* words, Arguments& arguments);

std::string help_text(const Command& command);

/// "; did you mean 'x'?" or nothing.
std::string suggestion(const std::string& name, const std::vector<std::string>& known);

}  // namespace lavoisier::cli

#endif
