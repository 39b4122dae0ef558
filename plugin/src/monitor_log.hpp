#ifndef LAVOISIER_PLUGIN_MONITOR_LOG_HPP
#define LAVOISIER_PLUGIN_MONITOR_LOG_HPP

#include <lavoisier/monitor.hpp>

#include <string>

namespace lavoisier::detail {

/// The CSV file of a monitor (docs/hosts.md): one row a step and law and source, or variable.
class MonitorLog {
 public:
  /// Opens to append; a new or empty file gets the header, an unfinished last line is cut off, an
  /// unfinished header written anew. Errors as Monitor's.
  explicit MonitorLog(const std::string& path);
  ~MonitorLog();
  MonitorLog(const MonitorLog&) = delete;
  MonitorLog& operator=(const MonitorLog&) = delete;

  /// The rows of a step, each by one write. A row that does not fit is cut off again: lines are whole. On failure its
  /// status, `message` says why, and the step's further rows are not tried.
  Status append(const MonitorReport& report, std::string& message) noexcept;

 private:
  void begin();
  int write_line(const std::string& line) noexcept;  ///< errno, or 0

  std::string path_;
  int file_ = -1;
};

/// "heating[3] 1*2.5; flux -1*2.5; = 0": terms of a law in one column and its right-hand side.
std::string terms_text(const MonitorClosure& closure);

}  // namespace lavoisier::detail

#endif
