#include "monitor_log.hpp"

#include "number_text.hpp"

#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <cstring>
#include <exception>
#include <vector>

namespace lavoisier::detail {
namespace {

const std::string header =
    "step,kind,source,name,units,columns,non_finite,max_absolute,rms,max_relative,tolerance,within,worst_id,terms,bias,"
    "rmse,mean_absolute_error,correlation,r_squared\n";

Status status_of(int error) noexcept {
  switch (error) {
    case ENOENT:
    case ENOTDIR: return Status::not_found;
    case ENOSPC:
    case EDQUOT:
    case EFBIG: return Status::no_space;
    default: return Status::io_error;
  }
}

std::string complaint(const std::string& path, const char* what, int error) {
  return "monitor's log '" + path + "': " + what + ": " + std::strerror(error);
}

/// A field of CSV (RFC 4180) without line breaks.
std::string quoted(const std::string& text) {
  std::string made = "\"";
  for (const char letter : text) {
    if (letter == '"') made += '"';
    made += letter == '\n' || letter == '\r' ? ' ' : letter;
  }
  return made + '"';
}

std::string law_row(const MonitorReport& report, const MonitorLaw& law, const char* source,
                    const MonitorClosure& closure) {
  std::string row = std::to_string(report.step) + ",law," + source + ',' + quoted(law.name) + ',' + quoted(law.units);
  row += ',' + std::to_string(closure.columns) + ',' + std::to_string(closure.non_finite);
  for (const double x : {closure.max_absolute, closure.rms, closure.max_relative, law.tolerance})
    row += ',' + number_text(x);
  row += closure.violated ? ",no," : ",yes,";
  if (closure.worst_column >= 0) row += std::to_string(closure.worst_id) + ',' + quoted(terms_text(closure));
  return row + (closure.worst_column >= 0 ? ",,,,,\n" : ",,,,,,\n");
}

std::string variable_row(const MonitorReport& report, const MonitorSkill& skill) {
  std::string row =
      std::to_string(report.step) + ",variable,emulator," + quoted(skill.name) + ',' + quoted(skill.units);
  row += ',' + std::to_string(skill.columns) + ',' + std::to_string(skill.non_finite) + ",,,,,,,";
  for (const double x : {skill.bias, skill.rmse, skill.mean_absolute_error, skill.correlation, skill.r_squared})
    row += ',' + number_text(x);
  return row + '\n';
}

std::vector<std::string> rows_of(const MonitorReport& report) {
  std::vector<std::string> rows;
  for (const auto& law : report.laws) {
    rows.push_back(law_row(report, law, "emulator", law.emulated));
    if (law.original.columns + law.original.non_finite > 0) rows.push_back(law_row(report, law, "host", law.original));
  }
  for (const auto& variable : report.variables)
    if (variable.columns + variable.non_finite > 0) rows.push_back(variable_row(report, variable));
  return rows;
}

}  // namespace

std::string terms_text(const MonitorClosure& closure) {
  // An element's number where its variable has several.
  std::vector<std::string> several;
  for (const auto& term : closure.terms)
    if (term.element > 0) several.push_back(term.variable);
  std::string text;
  for (const auto& term : closure.terms) {
    text += term.variable;
    if (std::find(several.begin(), several.end(), term.variable) != several.end())
      text += '[' + std::to_string(term.element) + ']';
    text += ' ' + number_text(term.coefficient) + '*' + number_text(term.value) + "; ";
  }
  return text + "= " + number_text(closure.right_hand_side);
}

MonitorLog::MonitorLog(const std::string& path) : path_(path) {
  file_ = ::open(path.c_str(), O_RDWR | O_APPEND | O_CREAT | O_CLOEXEC, 0666);
  if (file_ < 0) throw Error(status_of(errno), complaint(path, "cannot open it", errno));
  try {
    begin();
  } catch (...) {
    ::close(file_);
    throw;
  }
}

MonitorLog::~MonitorLog() { ::close(file_); }

void MonitorLog::begin() {
  struct stat about {};
  if (::fstat(file_, &about) != 0) throw Error(status_of(errno), complaint(path_, "cannot read it", errno));
  std::string found(header.size(), '\0');
  const auto got = ::pread(file_, found.data(), found.size(), 0);
  const auto length = static_cast<std::size_t>(std::max<decltype(got)>(got, 0));
  // A host that was stopped, or a disk that was full, while the header was written: there is no record yet.
  if (length > 0 && length < header.size() && got == about.st_size && header.compare(0, length, found, 0, length) == 0) {
    if (::ftruncate(file_, 0) != 0)
      throw Error(status_of(errno), complaint(path_, "cannot cut off its unfinished header", errno));
    about.st_size = 0;
  }
  if (about.st_size == 0) {
    if (const int error = write_line(header); error != 0)
      throw Error(status_of(error), complaint(path_, "cannot write it", error));
    return;
  }
  if (got < 0 || found.compare(0, length, header) != 0)
    throw Error(Status::invalid_format, "monitor's log '" + path_ + "': expected a file that begins with '" +
                                            header.substr(0, header.size() - 1) + "', found another one");
  // A host that was stopped while it wrote left half a line.
  off_t end = about.st_size;
  for (char last = 0; end > 0; --end)
    if (::pread(file_, &last, 1, end - 1) != 1 || last == '\n') break;
  if (end != about.st_size && ::ftruncate(file_, end) != 0)
    throw Error(status_of(errno), complaint(path_, "cannot cut off its unfinished last line", errno));
}

int MonitorLog::write_line(const std::string& line) noexcept {
  for (;;) {
    const auto written = ::write(file_, line.data(), line.size());
    if (written == static_cast<ssize_t>(line.size())) return 0;
    if (written < 0 && errno == EINTR) continue;
    const int error = written < 0 ? errno : ENOSPC;
    struct stat about {};
    // What cannot be cut off is cut off when the log is opened again.
    if (written > 0 && ::fstat(file_, &about) == 0 && ::ftruncate(file_, about.st_size - written) != 0) return error;
    return error;
  }
}

Status MonitorLog::append(const MonitorReport& report, std::string& message) noexcept {
  try {
    for (const auto& row : rows_of(report)) {
      const int error = write_line(row);
      if (error == 0) continue;
      message = complaint(path_, "cannot write it", error);
      return status_of(error);
    }
    return Status::ok;
  } catch (const std::exception&) {
    return Status::out_of_memory;
  }
}

}  // namespace lavoisier::detail
