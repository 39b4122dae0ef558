#ifndef LAVOISIER_DOMAINS_SERIES_FIELDS_HPP
#define LAVOISIER_DOMAINS_SERIES_FIELDS_HPP

// What a domain whose samples are dates makes of a table of prices.

#include <lavoisier/domain.hpp>

#include "portfolio_target.hpp"

#include <cstdint>
#include <filesystem>
#include <string>
#include <vector>

namespace lavoisier::detail {

/// Samples are the dates of the table. Inputs of a date are made of prices up to and at it, outputs of those behind it, none
/// further than the horizon.
class SeriesFields {
 public:
  /// Errors: those of PriceTable.
  SeriesFields(const Domain& domain, const std::filesystem::path& path, bool with_outputs);

  std::int64_t dates() const noexcept { return table_.dates(); }
  const PriceTable& table() const noexcept { return table_; }
  /// "sample 55, 2004-08-01".
  std::string describe(std::int64_t date) const;
  /// Where the first missing price that a date needs is.
  std::string missing(std::int64_t date) const;

  /// Of a split by dates.
  std::vector<Subset> subsets(const Split& split) const;
  /// Values of the fields of a role, count x elements of the role; what is made of other inputs is left as it is. NaN where a price that is needed
  /// is missing.
  void fill(Role role, std::int64_t first, std::int64_t count, std::vector<double>& values) const;
  /// Dates that are no samples (`empty`): whose window begins before the table, or whose periods end behind it, where outputs are
  /// asked for; then also those for training (validation) whose periods overlap those of a date for validation or test
  /// (for test), by `split`. What lacks a price is not complete.
  void judge(std::int64_t first, const std::vector<Subset>& split, std::vector<std::uint8_t>& complete,
             std::vector<std::uint8_t>& empty) const;

 private:
  [[noreturn]] void refuse_return(std::int64_t date, std::size_t asset) const;
  struct Window {
    std::int64_t offset, lags;  ///< among the inputs
  };
  bool overlaps(std::int64_t date, const std::vector<Subset>& split) const;

  PriceTable table_;
  std::vector<Window> windows_;
  std::int64_t lags_ = 0, horizon_ = 1;
  std::int64_t input_elements_ = 0;
  bool with_outputs_;
  PortfolioProblem problem_;
};

}  // namespace lavoisier::detail

#endif
