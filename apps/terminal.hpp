#ifndef LAVOISIER_APPS_TERMINAL_HPP
#define LAVOISIER_APPS_TERMINAL_HPP

#include <chrono>
#include <string>
#include <vector>

namespace lavoisier::cli {

bool stdout_is_terminal();
bool stderr_is_terminal();

/// A table of text: the first column to the left, the others to the right. Columns are as wide as their widest cell.
class Table {
 public:
  explicit Table(std::vector<std::string> header) : rows_{std::move(header)} {}
  void add(std::vector<std::string> row) { rows_.push_back(std::move(row)); }
  /// Columns set to the left beside the first.
  void left(std::size_t column) { left_.push_back(column); }
  std::string text(std::size_t indent = 2) const;

 private:
  std::vector<std::vector<std::string>> rows_;
  std::vector<std::size_t> left_;
};

/// Progress of long work on stderr: one line that is written over on a terminal, plain lines (one in five seconds at
/// most, later one in a hundredth of the time so far, up to a minute; the last always) elsewhere.
class Progress {
 public:
  explicit Progress(bool quiet) : quiet_(quiet), terminal_(stderr_is_terminal()) {}
  ~Progress() { clear(); }
  Progress(const Progress&) = delete;
  Progress& operator=(const Progress&) = delete;
  void update(const std::string& line, bool last = false);
  void clear();

 private:
  using Clock = std::chrono::steady_clock;
  bool quiet_, terminal_, shown_ = false;
  Clock::time_point first_{}, latest_{};
};

/// "ok" in green or "FAILED" in red on a terminal, plain elsewhere.
std::string verdict(bool pass);
std::string bold(const std::string& text);

/// Numbers for people.
std::string significant(double value, int digits = 4);  ///< "-" for NaN
std::string scientific(double value);                   ///< 1.2e-16, 0
std::string duration(double seconds);                   ///< 12 s, 3 min 05 s
std::string coordinate(double value, const std::string& units);  ///< 42 N, 20 E

}  // namespace lavoisier::cli

#endif
