#ifndef LAVOISIER_PRICE_TABLE_HPP
#define LAVOISIER_PRICE_TABLE_HPP

// Prices of assets by date, of a table of text, and what a domain whose samples are dates makes of them.

#include <lavoisier/csv_reader.hpp>

#include <cstdint>
#include <filesystem>
#include <optional>
#include <string>
#include <vector>

namespace lavoisier {

/// Days since 1970-01-01 of "2004-08-31", "Aug 31 2004", "August 31, 2004" or "31 Aug 2004" (Gregorian, English names of
/// months, any case); nothing of what is no such date.
std::optional<std::int64_t> day_from(const std::string& text);
/// "2004-08-31".
std::string date_text(std::int64_t day);

/// Which weights of the assets would have been best over the periods that follow a date (docs/portfolio.md). Of R, the simple
/// returns of the h periods, with mean m and covariance S (divided by h), to which `ridge` times its mean variance is added
/// on the diagonal:
///   growth             largest mean of log(1 + w R)
///   minimum_variance   least w S w
///   mean_variance      largest w m - risk_aversion / 2 w S w
/// all under the domain's laws, and w >= 0 where there are no short sales. Then w becomes (1 - share) w + share c, where c
/// are weights as equal as the laws allow.
struct PortfolioTarget {
  enum class Objective { growth, minimum_variance, mean_variance };
  Objective objective = Objective::growth;
  bool short_sales = false;
  double risk_aversion = 0.0;
  double ridge = 0.0;
  double equal_share = 0.0;
};

/// How dates of a table of prices make samples: inputs are returns up to a date, outputs what would have been best over
/// the `horizon` periods behind it.
struct SeriesOptions {
  std::string date;                          ///< column
  std::string asset, price;                  ///< columns of a long table (a row an asset and date); empty: a column an asset
  std::optional<std::int64_t> from, until;   ///< days, both included; rows beyond are no dates of the table
  std::int64_t horizon = 1;
  PortfolioTarget target;
};

/// Prices of some assets at the dates of a table, in memory. Dates ascend; in a long table those of each asset do, and the
/// table's are those of any of these assets. A long table may hold further assets, a wide one further columns, with
/// anything in them.
/// Errors: those of CsvReader; invalid_format with "file:line:column: " for a date that is none, or not behind the one
/// before it; out_of_range for a price of 0 or less; not_found for an asset without rows.
class PriceTable {
 public:
  /// `assets`: columns, or what the column `options.asset` holds.
  PriceTable(const std::filesystem::path& path, const CsvOptions& csv, const SeriesOptions& options,
             std::vector<std::string> assets);

  const std::filesystem::path& path() const noexcept { return path_; }
  const std::vector<std::string>& assets() const noexcept { return assets_; }
  std::int64_t dates() const noexcept { return static_cast<std::int64_t>(days_.size()); }
  std::int64_t day(std::int64_t date) const { return days_[static_cast<std::size_t>(date)]; }
  /// NaN where there is none.
  double price(std::int64_t date, std::size_t asset) const {
    return prices_[static_cast<std::size_t>(date) * assets_.size() + asset];
  }
  /// Of the period that ends with a date (1 and later): price / price before - 1. NaN where one is missing.
  double simple_return(std::int64_t date, std::size_t asset) const { return price(date, asset) / price(date - 1, asset) - 1.0; }
  bool complete(std::int64_t date) const { return complete_[static_cast<std::size_t>(date)] != 0; }
  /// Where the first missing price of a date is, for messages: "file:line:column: no price of GOOG on 2004-07-01".
  std::string missing(std::int64_t date) const;
  /// Line of the table in which a date is read, the first of several.
  std::int64_t line(std::int64_t date) const { return lines_[static_cast<std::size_t>(date)]; }
  /// Mean number of periods in a year of 365.25 days.
  double periods_per_year() const;

 private:
  void read_long(const CsvReader& table, const SeriesOptions& options);
  void read_wide(const CsvReader& table, const SeriesOptions& options);

  std::filesystem::path path_;
  std::vector<std::string> assets_;
  std::vector<std::int64_t> days_, lines_;
  std::vector<double> prices_;          ///< dates x assets
  std::vector<std::uint8_t> complete_;
  std::vector<std::string> places_;     ///< wide: of each date and asset without a price, "" else; empty: none of the dates lacks one
};

}  // namespace lavoisier

#endif
