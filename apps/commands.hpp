#ifndef LAVOISIER_APPS_COMMANDS_HPP
#define LAVOISIER_APPS_COMMANDS_HPP

#include "options.hpp"

namespace lavoisier::cli {

/// Exit codes (stable).
enum Exit : int { exit_ok = 0, exit_usage = 1, exit_failure = 2, exit_check = 3 };

/// Each subcommand: what it accepts, and what it does. run_… return an exit code and throw UsageError or Error.
const Command& train_command();
int run_train(const Arguments& arguments);
const Command& generate_command();
int run_generate(const Arguments& arguments);
const Command& validate_command();
int run_validate(const Arguments& arguments);
const Command& compare_command();
int run_compare(const Arguments& arguments);
const Command& backtest_command();
int run_backtest(const Arguments& arguments);
const Command& inspect_command();
int run_inspect(const Arguments& arguments);
const Command& domains_command();
int run_domains(const Arguments& arguments);

}  // namespace lavoisier::cli

#endif
