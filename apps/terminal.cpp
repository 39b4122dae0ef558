#include "terminal.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <cmath>
#include <cstdio>
#include <cstdlib>

#include <sys/ioctl.h>
#include <unistd.h>

namespace lavoisier::cli {
namespace {

// Columns on the screen: continuation bytes of UTF-8 and colour codes take none.
std::size_t width(const std::string& text) {
  std::size_t columns = 0;
  for (std::size_t i = 0; i < text.size(); ++i) {
    if (text[i] == '\033') {
      while (i < text.size() && text[i] != 'm') ++i;
    } else if ((static_cast<unsigned char>(text[i]) & 0xC0U) != 0x80U) {
      ++columns;
    }
  }
  return columns;
}

bool coloured() { return stdout_is_terminal() && std::getenv("NO_COLOR") == nullptr; }

}  // namespace

bool stdout_is_terminal() { return isatty(STDOUT_FILENO) == 1; }
bool stderr_is_terminal() { return isatty(STDERR_FILENO) == 1; }

std::string Table::text(std::size_t indent) const {
  std::vector<std::size_t> widths;
  for (const auto& row : rows_) {
    widths.resize(std::max(widths.size(), row.size()), 0);
    for (std::size_t i = 0; i < row.size(); ++i) widths[i] = std::max(widths[i], width(row[i]));
  }
  std::string result;
  for (std::size_t r = 0; r < rows_.size(); ++r) {
    std::string line(indent, ' ');
    for (std::size_t i = 0; i < rows_[r].size(); ++i) {
      const std::string& cell = rows_[r][i];
      const std::string space(widths[i] - width(cell), ' ');
      const bool to_left = i == 0 || std::find(left_.begin(), left_.end(), i) != left_.end();
      if (i > 0) line += "  ";
      line += to_left ? cell + space : space + cell;
    }
    line.erase(line.find_last_not_of(' ') + 1);
    result += line + "\n";
    if (r == 0) {
      std::size_t total = widths.empty() ? 0 : 2 * (widths.size() - 1);
      for (std::size_t w : widths) total += w;
      result += std::string(indent, ' ') + std::string(total, '-') + "\n";
    }
  }
  return result;
}

void Progress::update(const std::string& line, bool last) {
  if (quiet_) return;
  const auto now = Clock::now();
  if (terminal_) {
    if (!last && shown_ && now - latest_ < std::chrono::milliseconds(100)) return;
    winsize size{};
    std::string cut = line;
    if (ioctl(STDERR_FILENO, TIOCGWINSZ, &size) == 0 && size.ws_col > 1 && cut.size() >= size.ws_col) {
      cut.resize(size.ws_col - 1U);
    }
    fmt::print(stderr, "\r{}\033[K", cut);
    std::fflush(stderr);
  } else {
    // Five seconds, then longer and longer: a log of a day's work is read as a whole.
    if (!shown_) first_ = now;
    const Clock::duration share = (now - first_) / 100;
    const Clock::duration interval = std::clamp<Clock::duration>(share, std::chrono::seconds(5), std::chrono::minutes(1));
    if (!last && shown_ && now - latest_ < interval) return;
    fmt::print(stderr, "{}\n", line);
  }
  shown_ = true;
  latest_ = now;
}

void Progress::clear() {
  if (quiet_ || !terminal_ || !shown_) return;
  std::fputs("\r\033[K", stderr);
  std::fflush(stderr);
  shown_ = false;
}

std::string verdict(bool pass) {
  const std::string word = pass ? "ok" : "FAILED";
  return coloured() ? (pass ? "\033[32m" : "\033[1;31m") + word + "\033[0m" : word;
}

std::string bold(const std::string& text) { return coloured() ? "\033[1m" + text + "\033[0m" : text; }

std::string significant(double value, int digits) {
  if (std::isnan(value)) return "-";
  return fmt::format("{:.{}g}", value, digits);
}

std::string scientific(double value) {
  if (std::isnan(value)) return "-";
  return value == 0.0 ? "0" : fmt::format("{:.1e}", value);
}

std::string duration(double seconds) {
  if (!(seconds >= 0.0) || !std::isfinite(seconds)) return "-";
  if (seconds < 9.95) return fmt::format("{:.1f} s", seconds);
  if (seconds < 120.0) return fmt::format("{:.0f} s", seconds);
  const auto whole = static_cast<long>(std::lround(seconds));
  if (whole < 7200) return fmt::format("{} min {:02} s", whole / 60, whole % 60);
  return fmt::format("{} h {:02} min", whole / 3600, whole % 3600 / 60);
}

std::string coordinate(double value, const std::string& units) {
  if (units.rfind("degrees_north", 0) == 0 || units == "degree_north") {
    return fmt::format("{:g}\u00b0{}", std::abs(value), value < 0 ? "S" : "N");
  }
  if (units.rfind("degrees_east", 0) == 0 || units == "degree_east") {
    double east = std::fmod(value, 360.0);
    if (east < 0) east += 360.0;
    return east <= 180.0 ? fmt::format("{:g}\u00b0E", east) : fmt::format("{:g}\u00b0W", 360.0 - east);
  }
  return fmt::format("{:g} {}", value, units);
}

}  // namespace lavoisier::cli
