#include <lavoisier/price_table.hpp>

#include <fmt/format.h>

#include <array>
#include <cctype>
#include <charconv>
#include <chrono>
#include <string_view>

namespace lavoisier {
namespace {

constexpr std::array<std::string_view, 12> months = {"january", "february", "march",     "april",   "may",      "june",
                                                     "july",    "august",   "september", "october", "november", "december"};

std::optional<unsigned> number(std::string_view text, std::size_t least, std::size_t most) {
  unsigned value = 0;
  if (text.size() < least || text.size() > most) return {};
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), value);
  if (error != std::errc() || end != text.data() + text.size()) return {};
  return value;
}

/// 1 to 12 of a month's name or its first three letters.
std::optional<unsigned> month_from(std::string_view word) {
  std::string lower;
  for (const char c : word) lower += static_cast<char>(std::tolower(static_cast<unsigned char>(c)));
  for (unsigned m = 0; m < months.size(); ++m)
    if (lower == months[m] || lower == months[m].substr(0, 3)) return m + 1;
  return {};
}

std::optional<std::int64_t> day_of(std::optional<unsigned> year, std::optional<unsigned> month, std::optional<unsigned> day) {
  if (!year || !month || !day) return {};
  const std::chrono::year_month_day date(std::chrono::year(static_cast<int>(*year)), std::chrono::month(*month), std::chrono::day(*day));
  if (!date.ok()) return {};
  return std::chrono::sys_days(date).time_since_epoch().count();
}

}  // namespace

std::optional<std::int64_t> day_from(const std::string& text) {
  if (text.size() == 10 && text[4] == '-' && text[7] == '-')
    return day_of(number(text.substr(0, 4), 4, 4), number(text.substr(5, 2), 2, 2), number(text.substr(8, 2), 2, 2));
  std::vector<std::string> words;
  bool comma = false;  // one may stand behind the day
  for (const char c : text) {
    if (c == ' ' || (c == ',' && words.size() == 2 && !comma)) {
      comma = comma || c == ',';
      if (!words.empty() && !words.back().empty()) words.emplace_back();
    } else {
      if (words.empty()) words.emplace_back();
      words.back() += c;
    }
  }
  if (words.size() != 3) return {};
  if (const auto month = month_from(words[0])) return day_of(number(words[2], 4, 4), month, number(words[1], 1, 2));
  return comma ? std::nullopt : day_of(number(words[2], 4, 4), month_from(words[1]), number(words[0], 1, 2));
}

std::string date_text(std::int64_t day) {
  const std::chrono::year_month_day date{std::chrono::sys_days{std::chrono::days{day}}};
  return fmt::format("{:04}-{:02}-{:02}", static_cast<int>(date.year()), static_cast<unsigned>(date.month()),
                     static_cast<unsigned>(date.day()));
}

}  // namespace lavoisier
