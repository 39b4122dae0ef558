#include "artefact.hpp"

#include "terminal.hpp"

#include <lavoisier/files.hpp>
#include <lavoisier/status.hpp>

#include <fmt/format.h>

#include <algorithm>
#include <cerrno>
#include <cmath>
#include <csignal>
#include <cstdlib>
#include <cstring>
#include <ctime>

#include <unistd.h>

namespace lavoisier::cli {
namespace {

std::atomic<bool> interrupt_seen{false};
static_assert(std::atomic<bool>::is_always_lock_free);

extern "C" void on_interrupt(int signal_number) {
  if (interrupt_seen.exchange(true)) {
    std::signal(signal_number, SIG_DFL);
    std::raise(signal_number);
  }
}

bool is_units(const FileAxis& axis, const char* plural, const char* singular) {
  return axis.units.rfind(plural, 0) == 0 || axis.units.rfind(singular, 0) == 0;
}

}  // namespace

const char* version() noexcept { return LAVOISIER_VERSION; }

std::string timestamp() {
  std::time_t now = std::time(nullptr);
  if (const char* fixed = std::getenv("SOURCE_DATE_EPOCH")) now = static_cast<std::time_t>(std::atoll(fixed));
  std::tm utc{};
  gmtime_r(&now, &utc);
  char text[32];
  std::strftime(text, sizeof text, "%Y-%m-%dT%H:%M:%SZ", &utc);
  return text;
}

void write_json(const Arguments& arguments, const std::string& text) {
  if (arguments.has("json")) write_file_atomically(arguments.text("json"), text);
}

void require_writable(const std::filesystem::path& path) {
  const std::filesystem::path folder = path.has_parent_path() ? path.parent_path() : std::filesystem::path(".");
  std::error_code error;
  std::filesystem::create_directories(folder, error);
  if (error) {
    throw Error(Status::io_error, fmt::format("cannot make the folder {}: {}", folder.string(), error.message()));
  }
  if (std::filesystem::is_directory(path)) {
    throw Error(Status::io_error, fmt::format("cannot write {}: it is a folder", path.string()));
  }
  if (access(folder.c_str(), W_OK | X_OK) != 0) {
    throw Error(Status::io_error, fmt::format("cannot write {}: folder {}: {}", path.string(), folder.string(),
                                              std::strerror(errno)));
  }
}

const std::atomic<bool>& interrupted() noexcept { return interrupt_seen; }

void catch_interrupts() {
  struct sigaction action {};
  action.sa_handler = on_interrupt;
  sigemptyset(&action.sa_mask);
  sigaction(SIGINT, &action, nullptr);
  sigaction(SIGTERM, &action, nullptr);
}

void stop_if_interrupted(const std::string& kept) {
  if (interrupt_seen) throw Error(Status::interrupted, "interrupted; " + kept);
}

Grid::Grid(std::vector<FileAxis> axes) : axes_(std::move(axes)) {
  for (std::size_t i = 0; i < axes_.size(); ++i) {
    if (is_units(axes_[i], "degrees_north", "degree_north")) latitude_ = static_cast<int>(i);
    if (is_units(axes_[i], "degrees_east", "degree_east")) longitude_ = static_cast<int>(i);
  }
  if (latitude_ < 0) return;
  const FileAxis& axis = axes_[static_cast<std::size_t>(latitude_)];
  const std::size_t n = axis.values.size();
  const auto sine = [](double degrees) { return std::sin(std::clamp(degrees, -90.0, 90.0) * M_PI / 180.0); };
  for (std::size_t j = 0; j < n; ++j) {
    double low = 0.0, high = 0.0;
    if (axis.bounds.size() == 2 * n) {
      low = axis.bounds[2 * j];
      high = axis.bounds[2 * j + 1];
    } else if (n > 1) {
      const double before = j > 0 ? axis.values[j - 1] : 2 * axis.values[0] - axis.values[1];
      const double after = j + 1 < n ? axis.values[j + 1] : 2 * axis.values[n - 1] - axis.values[n - 2];
      low = 0.5 * (before + axis.values[j]);
      high = 0.5 * (axis.values[j] + after);
    } else {
      low = -90.0;
      high = 90.0;
    }
    band_.push_back(std::abs(sine(high) - sine(low)));
  }
}

std::int64_t Grid::cells() const noexcept {
  std::int64_t product = axes_.empty() ? 0 : 1;
  for (const FileAxis& axis : axes_) product *= static_cast<std::int64_t>(axis.values.size());
  return product;
}

std::vector<std::int64_t> Grid::indices(std::int64_t cell) const {
  std::vector<std::int64_t> result(axes_.size(), 0);
  for (std::size_t i = axes_.size(); i-- > 0;) {
    const auto extent = static_cast<std::int64_t>(axes_[i].values.size());
    result[i] = cell % extent;
    cell /= extent;
  }
  return result;
}

std::string Grid::text(std::int64_t cell) const {
  if (cell < 0) return "-";
  const std::vector<std::int64_t> index = indices(cell);
  std::vector<std::string> parts;
  for (std::size_t i = 0; i < axes_.size(); ++i) {
    const double value = axes_[i].values[static_cast<std::size_t>(index[i])];
    const bool on_sphere = static_cast<int>(i) == latitude_ || static_cast<int>(i) == longitude_;
    // Samples that are rows of their file (of a table, images, graphs) are numbered from 0, as their axis says.
    const auto meaning = axes_[i].attributes.find("long_name");
    const bool row = axes_.size() == 1 && meaning != axes_[i].attributes.end() && meaning->second.ends_with("from 0");
    parts.push_back(on_sphere ? coordinate(value, axes_[i].units)
                              : fmt::format("{} {}", axes_[i].name, index[i] + (row ? 0 : 1)));
  }
  return fmt::format("{}", fmt::join(parts, ", "));
}

std::map<std::string, double> Grid::values(std::int64_t cell) const {
  std::map<std::string, double> result;
  const std::vector<std::int64_t> index = indices(cell);
  for (std::size_t i = 0; i < axes_.size(); ++i) {
    result[axes_[i].name] = axes_[i].values[static_cast<std::size_t>(index[i])];
  }
  return result;
}

double Grid::area(std::int64_t cell) const {
  if (latitude_ < 0) return 1.0;
  return band_[static_cast<std::size_t>(indices(cell)[static_cast<std::size_t>(latitude_)])];
}

}  // namespace lavoisier::cli
