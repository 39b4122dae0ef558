// lavoisier: the command line. One file a subcommand.

#include "artefact.hpp"
#include "commands.hpp"
#ifndef LAVOISIER_WITHOUT_TRAINING
#include "processes.hpp"
#endif

#include <lavoisier/ensemble_writer.hpp>
#include <lavoisier/layout.hpp>
#include <lavoisier/status.hpp>

#include <fmt/format.h>

#include <cerrno>
#include <cstdio>
#include <cstring>
#include <new>
#include <string>
#include <system_error>
#include <vector>

#include <unistd.h>

namespace {

using namespace lavoisier;
using namespace lavoisier::cli;

struct Subcommand {
  const Command& (*command)();
  int (*run)(const Arguments&);
};

std::vector<Subcommand> subcommands() {
  return {
#ifndef LAVOISIER_WITHOUT_TRAINING
      {train_command, run_train},
#endif
      {generate_command, run_generate}, {validate_command, run_validate},
#ifndef LAVOISIER_WITHOUT_TRAINING
      {compare_command, run_compare},
#endif
      {backtest_command, run_backtest}, {inspect_command, run_inspect},
      {domains_command, run_domains}};
}

void print_overview() {
  fmt::print("lavoisier {}: generative surrogates whose every sample obeys conservation laws exactly\n\n", version());
  fmt::print("Usage: lavoisier SUBCOMMAND [options]\n\n");
  for (const Subcommand& subcommand : subcommands()) {
    const Command& command = subcommand.command();
    fmt::print("  {:<10}{}\n", command.name, command.summary);
  }
  fmt::print(
      "\n  lavoisier SUBCOMMAND --help   its options and an example\n"
      "  lavoisier --version\n\n"
      "Example\n"
      "  lavoisier train --domain ocean_heat_budget --data esku_heat_budget.cdf --output ocean.safetensors\n"
      "  lavoisier generate --model ocean.safetensors --inputs esku_heat_budget.cdf --subset test --members 50 "
      "--output ensemble\n"
      "  lavoisier validate --domain ocean_heat_budget --candidate ensemble --reference esku_heat_budget.cdf "
      "--subset test --html report.html\n");
}

int run(int count, char** words) {
  if (count < 2) {
    print_overview();
    return exit_usage;
  }
  const std::string first = words[1];
  if (first == "--help" || first == "-h" || first == "help") {
    print_overview();
    return exit_ok;
  }
  if (first == "--version") {
    fmt::print("lavoisier {}\n", version());
    return exit_ok;
  }
  std::vector<std::string> names;
  for (const Subcommand& subcommand : subcommands()) {
    const Command& command = subcommand.command();
    names.push_back(command.name);
    if (command.name != first) continue;
    Arguments arguments;
    if (!parse(command, count - 2, words + 2, arguments)) return exit_ok;
    return subcommand.run(arguments);
  }
  throw UsageError(fmt::format("unknown subcommand '{}'", first) + suggestion(first, names) +
                   fmt::format("; there are {}", fmt::join(names, ", ")));
}

bool further_process() {
#ifdef LAVOISIER_WITHOUT_TRAINING
  return false;
#else
  return is_further_process();
#endif
}

/// The exit code of a failure that other processes of the command do not know of: they are ended.
int alone(int code) {
#ifndef LAVOISIER_WITHOUT_TRAINING
  end_other_processes(code);
#endif
  return code;
}

int guarded(int count, char** words) {
  const std::string name = count > 1 ? fmt::format("lavoisier {}: ", words[1]) : "lavoisier: ";
  try {
    return run(count, words);
  } catch (const UsageError& error) {
    // Several processes have one command line.
    if (!further_process()) fmt::print(stderr, "{}{}\n", name, error.what());
    return exit_usage;
#ifndef LAVOISIER_WITHOUT_TRAINING
  } catch (const AgreedError& error) {
    if (!further_process()) fmt::print(stderr, "{}{}\n", name, error.what());
    return error.status() == Status::law_violated ? exit_check : exit_failure;
#endif
  } catch (const Error& error) {
    fmt::print(stderr, "{}{}\n", name, error.what());
    return alone(error.status() == Status::law_violated ? exit_check : exit_failure);
  } catch (const std::bad_alloc&) {
    fmt::print(stderr, "{}out of memory\n", name);
    return alone(exit_failure);
  } catch (const std::system_error& error) {  // what fmt::print throws where the terminal's place is a full disk
    fmt::print(stderr, "{}cannot write the output: {}\n", name, error.what());
    return alone(exit_failure);
  } catch (const std::exception& error) {
    fmt::print(stderr, "{}{} (a defect of Lavoisier: please report it)\n", name, error.what());
    return alone(exit_failure);
  }
}

}  // namespace

int main(int count, char** words) {
  int code = guarded(count, words);
  if (std::fflush(stdout) != 0 || std::ferror(stdout) != 0) {
    fmt::print(stderr, "lavoisier: cannot write the output: {}\n", std::strerror(errno));
    if (code == exit_ok) code = exit_failure;
  }
  std::fflush(nullptr);
#ifndef LAVOISIER_WITHOUT_TRAINING
  leave_processes();
#endif
  // HDF5's exit handlers can crash after a failed write (a full disk): everything of ours is closed by now.
  if (lavoisier::hdf5_write_failed()) _exit(code == exit_ok ? exit_failure : code);
  return code;
}
