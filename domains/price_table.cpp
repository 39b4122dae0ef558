#include <lavoisier/price_table.hpp>

#include <lavoisier/layout.hpp>
#include <lavoisier/status.hpp>

#include <fmt/format.h>

#include <algorithm>
#include <cmath>
#include <limits>
#include <map>

namespace lavoisier {
namespace {

constexpr double nan = std::numeric_limits<double>::quiet_NaN();

std::int64_t day_at(const CsvReader& table, std::int64_t row, std::size_t column) {
  const std::string text = table.text(row, column);
  if (const auto day = day_from(text)) return *day;
  throw Error(Status::invalid_format,
              fmt::format("{}: column \"{}\": expected a date such as 2004-08-31 or Aug 31 2004, found \"{}\"",
                          table.place(row, column), table.columns()[column], text));
}

double price_at(const CsvReader& table, std::int64_t row, std::size_t column) {
  const double price = table.read({column}, row, 1).front();
  if (price <= 0.0)
    throw Error(Status::out_of_range, fmt::format("{}: column \"{}\": expected a price above 0, found {}", table.place(row, column),
                                                  table.columns()[column], price));
  return price;
}

[[noreturn]] void out_of_order(const CsvReader& table, std::int64_t row, std::size_t column, std::int64_t day, std::int64_t before,
                               const std::string& of) {
  throw Error(Status::invalid_format,
              fmt::format("{}: expected dates{} in ascending order, found {}", table.place(row, column), of,
                          day == before ? fmt::format("{} twice", date_text(day))
                                        : fmt::format("{} behind {}", date_text(day), date_text(before))));
}

bool within(const SeriesOptions& options, std::int64_t day) {
  return (!options.from || day >= *options.from) && (!options.until || day <= *options.until);
}

}  // namespace

PriceTable::PriceTable(const std::filesystem::path& path, const CsvOptions& csv, const SeriesOptions& options,
                       std::vector<std::string> assets)
    : path_(path), assets_(std::move(assets)) {
  const CsvReader table(path, csv);
  if (options.asset.empty())
    read_wide(table, options);
  else
    read_long(table, options);
  if (dates() < 2)
    throw Error(Status::shape_mismatch,
                fmt::format("{}: expected prices at two dates or more{}, found {}", path_.string(),
                            options.from || options.until ? " from \"from\" to \"until\"" : "", dates()));
  for (std::int64_t date = 0; date < dates(); ++date) {
    bool all = true;
    for (std::size_t a = 0; a < assets_.size(); ++a) all = all && std::isfinite(price(date, a));
    complete_.push_back(all ? 1 : 0);
  }
}

void PriceTable::read_long(const CsvReader& table, const SeriesOptions& options) {
  const std::size_t date_column = table.column(options.date), key = table.column(options.asset), value = table.column(options.price);
  struct At {
    std::int64_t line;
    std::vector<double> prices;
  };
  std::map<std::int64_t, At> found;
  std::vector<std::optional<std::int64_t>> last(assets_.size());
  std::vector<std::string> others;
  for (std::int64_t row = 0; row < table.rows(); ++row) {
    const std::string name = table.text(row, key);
    const auto asset = static_cast<std::size_t>(std::find(assets_.begin(), assets_.end(), name) - assets_.begin());
    if (asset == assets_.size()) {
      if (others.size() < 64 && std::find(others.begin(), others.end(), name) == others.end()) others.push_back(name);
      continue;
    }
    const std::int64_t day = day_at(table, row, date_column);
    if (last[asset] && day <= *last[asset]) out_of_order(table, row, date_column, day, *last[asset], " of " + name);
    last[asset] = day;
    if (!within(options, day)) continue;
    const double price = price_at(table, row, value);
    auto [at, fresh] = found.try_emplace(day, At{table.line(row), {}});
    if (fresh) at->second.prices.assign(assets_.size(), nan);
    at->second.prices[asset] = price;
  }
  for (std::size_t a = 0; a < assets_.size(); ++a) {
    if (last[a]) continue;
    const std::string near = nearest_name(assets_[a], others);
    throw Error(Status::not_found, fmt::format("{}: column \"{}\" has no row with \"{}\"{}", path_.string(), options.asset, assets_[a],
                                               near.empty() ? "" : "; did you mean \"" + near + "\"?"));
  }
  for (const auto& [day, at] : found) {
    days_.push_back(day);
    lines_.push_back(at.line);
    prices_.insert(prices_.end(), at.prices.begin(), at.prices.end());
  }
}

void PriceTable::read_wide(const CsvReader& table, const SeriesOptions& options) {
  const std::size_t date_column = table.column(options.date);
  std::vector<std::size_t> columns;
  for (const std::string& asset : assets_) columns.push_back(table.column(asset));
  std::optional<std::int64_t> last;
  for (std::int64_t row = 0; row < table.rows(); ++row) {
    const std::int64_t day = day_at(table, row, date_column);
    if (last && day <= *last) out_of_order(table, row, date_column, day, *last, "");
    last = day;
    if (!within(options, day)) continue;
    days_.push_back(day);
    lines_.push_back(table.line(row));
    for (const std::size_t column : columns) {
      prices_.push_back(price_at(table, row, column));
      if (std::isfinite(prices_.back())) continue;
      places_.resize(prices_.size());
      places_.back() = table.place(row, column);
    }
  }
}

std::string PriceTable::missing(std::int64_t date) const {
  for (std::size_t a = 0; a < assets_.size(); ++a) {
    if (std::isfinite(price(date, a))) continue;
    const std::size_t at = static_cast<std::size_t>(date) * assets_.size() + a;
    return fmt::format("{}: no price of {} on {}", at < places_.size() && !places_[at].empty() ? places_[at] : path_.string(), assets_[a],
                       date_text(day(date)));
  }
  return {};
}

double PriceTable::periods_per_year() const {
  return static_cast<double>(dates() - 1) / (static_cast<double>(days_.back() - days_.front()) / 365.25);
}

}  // namespace lavoisier
