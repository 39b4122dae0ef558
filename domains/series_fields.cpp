#include "series_fields.hpp"

#include "series_section.hpp"

#include <lavoisier/status.hpp>

#include <fmt/format.h>

#include <algorithm>
#include <cmath>
#include <limits>

namespace lavoisier {

PriceTable load_prices(const Domain& domain, const std::filesystem::path& file) {
  LAVOISIER_REQUIRE(domain.series.has_value(), "prices are of a domain whose samples are dates");
  return PriceTable(file, domain.table.value_or(CsvOptions()), *domain.series, detail::assets_of(domain));
}

std::vector<double> equal_weights(const Domain& domain) {
  LAVOISIER_REQUIRE(domain.series.has_value(), "weights are of a domain whose samples are dates");
  const Eigen::VectorXd centre =
      detail::portfolio_problem(domain.layout, domain.laws, domain.constants, domain.series->target).centre();
  return {centre.data(), centre.data() + centre.size()};
}

}  // namespace lavoisier

namespace lavoisier::detail {

SeriesFields::SeriesFields(const Domain& domain, const std::filesystem::path& path, bool with_outputs)
    : table_(load_prices(domain, path)),
      horizon_(domain.series->horizon),
      input_elements_(domain.layout.elements(Role::input)),
      with_outputs_(with_outputs),
      problem_(portfolio_problem(domain.layout, domain.laws, domain.constants, domain.series->target)) {
  for (const Variable& input : domain.layout.with_role(Role::input)) {
    if (!domain.sources.at(input.name).is_field()) continue;
    windows_.push_back({domain.layout.offset(input.name), domain.layout.dimension(input.dimensions.front()).extent});
    lags_ = std::max(lags_, windows_.back().lags);
  }
  const std::int64_t behind = with_outputs_ ? horizon_ : 0;
  if (dates() <= lags_ + behind)
    throw Error(Status::invalid_argument,
                fmt::format("\"{}\": expected more than {} dates ({} periods before a date{}), found {}", path.string(), lags_ + behind, lags_,
                            with_outputs_ ? fmt::format(" and {} behind it", horizon_) : std::string(), dates()));
}

std::string SeriesFields::describe(std::int64_t date) const {
  return fmt::format("sample {}, {}", date, date_text(table_.day(date)));
}

std::string SeriesFields::missing(std::int64_t date) const {
  const std::int64_t last = with_outputs_ ? std::min(date + horizon_, dates() - 1) : date;
  for (std::int64_t at = std::max<std::int64_t>(date - lags_, 0); at <= last; ++at)
    if (!table_.complete(at)) return table_.missing(at);
  return {};
}

std::vector<Subset> SeriesFields::subsets(const Split& split) const {
  std::vector<Subset> result;
  for (std::int64_t date = 0; date < dates(); ++date)
    result.push_back(table_.day(date) >= split.test_from         ? Subset::test
                     : table_.day(date) >= split.validation_from ? Subset::validation
                                                                 : Subset::training);
  return result;
}

void SeriesFields::fill(Role role, std::int64_t first, std::int64_t count, std::vector<double>& values) const {
  constexpr double nan = std::numeric_limits<double>::quiet_NaN();
  const std::size_t assets = table_.assets().size();
  for (std::int64_t i = 0; i < count; ++i) {
    const std::int64_t date = first + i;
    if (role == Role::input) {
      for (const Window& window : windows_) {
        double* to = values.data() + i * input_elements_ + window.offset;
        for (std::int64_t at = date - window.lags + 1; at <= date; ++at)
          for (std::size_t a = 0; a < assets; ++a) {
            *to = at < 1 ? nan : std::log(table_.price(at, a) / table_.price(at - 1, a));
            if (std::isinf(*to++)) refuse_return(at, a);
          }
      }
      continue;
    }
    double* const to = values.data() + i * static_cast<std::int64_t>(assets);
    std::fill_n(to, assets, nan);
    if (date < lags_ || date + horizon_ >= dates()) continue;  // no sample
    Eigen::MatrixXd returns(horizon_, static_cast<Eigen::Index>(assets));
    for (std::int64_t k = 0; k < horizon_; ++k)
      for (std::size_t a = 0; a < assets; ++a) returns(k, static_cast<Eigen::Index>(a)) = table_.simple_return(date + 1 + k, a);
    if (returns.array().isInf().any())
      for (std::int64_t k = 0; k < horizon_; ++k)
        for (std::size_t a = 0; a < assets; ++a)
          if (std::isinf(returns(k, static_cast<Eigen::Index>(a)))) refuse_return(date + 1 + k, a);
    if (!returns.allFinite()) continue;
    try {
      Eigen::Map<Eigen::VectorXd>(to, static_cast<Eigen::Index>(assets)) = problem_.solve(returns);
    } catch (const Error& error) {
      throw Error(error.status(), fmt::format("\"{}\", {}: {}", table_.path().string(), describe(date), error.what()));
    }
  }
}

void SeriesFields::refuse_return(std::int64_t date, std::size_t asset) const {
  throw Error(Status::out_of_range, fmt::format("\"{}\", {}: the return of {} is beyond all numbers, from a price of {} to {}", table_.path().string(),
                                                describe(date), table_.assets()[asset], table_.price(date - 1, asset), table_.price(date, asset)));
}

bool SeriesFields::overlaps(std::int64_t date, const std::vector<Subset>& split) const {
  const std::int64_t last = std::min(date + horizon_ - 1, dates() - 1);
  for (std::int64_t other = std::max<std::int64_t>(date - horizon_ + 1, 0); other <= last; ++other)
    if (split[static_cast<std::size_t>(other)] > split[static_cast<std::size_t>(date)]) return true;
  return false;
}

void SeriesFields::judge(std::int64_t first, const std::vector<Subset>& split, std::vector<std::uint8_t>& complete,
                         std::vector<std::uint8_t>& empty) const {
  for (std::size_t i = 0; i < complete.size(); ++i) {
    const std::int64_t date = first + static_cast<std::int64_t>(i), last = with_outputs_ ? date + horizon_ : date;
    empty[i] = date < lags_ || last >= dates() || (with_outputs_ && !split.empty() && overlaps(date, split)) ? 1 : 0;
    if (empty[i] != 0 || !missing(date).empty()) complete[i] = 0;
  }
}

}  // namespace lavoisier::detail
