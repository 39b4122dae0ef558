#ifndef LAVOISIER_IO_MONITOR_LOG_READER_HPP
#define LAVOISIER_IO_MONITOR_LOG_READER_HPP

#include <lavoisier/status.hpp>

#include <array>
#include <cstdint>
#include <filesystem>
#include <fstream>
#include <optional>
#include <string>

namespace lavoisier::detail {

/// A row of a monitor's log.
struct MonitorRow {
  std::uint64_t step = 0;
  bool is_law = false, is_host = false;  ///< else of an output, of the emulator
  std::string name, units;
  std::int64_t columns = 0, non_finite = 0;
  std::array<double, 5> numbers{};  ///< of a law max_absolute to tolerance, of an output bias to r_squared
  bool within = false;
  std::optional<std::uint64_t> worst_id;
  std::string terms;
};

/// Reads a log row by row. Errors of its text, "file:line: …": invalid_format.
class MonitorLogReader {
 public:
  explicit MonitorLogReader(const std::filesystem::path& path);
  /// Before the row that `next` gives: where it begins, and its line, from 1.
  struct Place {
    std::streamoff offset = 0;
    std::int64_t line = 1;
  };
  Place place() const noexcept { return place_; }
  void go_to(const Place& place);
  /// False at the end.
  bool next(MonitorRow& row);
  /// Of the row that `next` gave last.
  [[noreturn]] void fail(const std::string& message) const;

 private:
  std::ifstream file_;
  std::filesystem::path path_;
  Place place_;
  std::int64_t line_ = 1;
};

}  // namespace lavoisier::detail

#endif
