#ifndef LAVOISIER_APPS_ARTEFACT_HPP
#define LAVOISIER_APPS_ARTEFACT_HPP

// What every artefact of the command line carries, and what every subcommand does alike.

#include "options.hpp"

#include <lavoisier/netcdf_reader.hpp>

#include <atomic>
#include <cstdint>
#include <filesystem>
#include <map>
#include <string>
#include <vector>

namespace lavoisier::cli {

const char* version() noexcept;

/// Now in UTC as 2026-11-23T08:00:00Z; SOURCE_DATE_EPOCH, where set, instead of the clock.
std::string timestamp();

/// Writes `text` to the file of --json, if it was asked for.
void write_json(const Arguments& arguments, const std::string& text);

/// Checks before long work that a file can be written at `path` later: its folder exists (or is made) and is writable.
/// Error(io_error) names the folder and the reason.
void require_writable(const std::filesystem::path& path);

/// Turns true at the first SIGINT or SIGTERM after catch_interrupts(); the second one ends the process at once.
const std::atomic<bool>& interrupted() noexcept;
void catch_interrupts();
/// Error(interrupted) if a signal has come; `kept` says what remains.
void stop_if_interrupted(const std::string& kept);

/// Places on the grid of the sample dimensions.
class Grid {
 public:
  Grid() = default;
  explicit Grid(std::vector<FileAxis> axes);
  const std::vector<FileAxis>& axes() const noexcept { return axes_; }
  std::int64_t cells() const noexcept;
  /// Index along each axis of a flat cell.
  std::vector<std::int64_t> indices(std::int64_t cell) const;
  std::string text(std::int64_t cell) const;                         ///< "time 744 hours ..., 42 N, 20 E"
  std::map<std::string, double> values(std::int64_t cell) const;     ///< axis name -> coordinate
  /// Index of the axis of latitudes and of longitudes; -1 if there is none.
  int latitude() const noexcept { return latitude_; }
  int longitude() const noexcept { return longitude_; }
  /// Relative area of a cell on the sphere from its latitude's bounds (midway between centres, clipped at the poles, where the
  /// file has none); 1 everywhere without latitudes.
  double area(std::int64_t cell) const;

 private:
  std::vector<FileAxis> axes_;
  int latitude_ = -1, longitude_ = -1;
  std::vector<double> band_;
};

}  // namespace lavoisier::cli

#endif
