#ifndef LAVOISIER_TESTS_PRICE_TABLES_HPP
#define LAVOISIER_TESTS_PRICE_TABLES_HPP

#include <lavoisier/price_table.hpp>

#include <fmt/format.h>

#include <cmath>
#include <cstdint>
#include <string>
#include <vector>

namespace lavoisier::tests {

/// Debian's package python3-vega-datasets; MSFT, AMZN, IBM, GOOG and AAPL, monthly, January 2000 to March 2010.
inline const char* const stocks_file = "/usr/lib/python3/dist-packages/vega_datasets/_data/stocks.csv";

/// Dates x assets.
using Prices = std::vector<std::vector<double>>;

/// From prices of 100 on, by simple returns (periods x assets).
inline Prices prices_of(const std::vector<std::vector<double>>& returns) {
  Prices prices = {std::vector<double>(returns.front().size(), 100.0)};
  for (const auto& row : returns) {
    std::vector<double> next = prices.back();
    for (std::size_t a = 0; a < next.size(); ++a) next[a] *= 1.0 + row[a];
    prices.push_back(next);
  }
  return prices;
}

/// Random walks whose steps differ in width from asset to asset and with time; the same each time.
inline Prices random_prices(int dates, int assets) {
  std::uint64_t state = 2463534242;
  const auto uniform = [&] {
    state = state * 6364136223846793005ULL + 1442695040888963407ULL;
    return static_cast<double>(state >> 11) * 0x1.0p-53;
  };
  std::vector<std::vector<double>> returns;
  for (int t = 1; t < dates; ++t) {
    const double market = 0.03 * (uniform() + uniform() + uniform() - 1.5);
    returns.emplace_back();
    for (int a = 0; a < assets; ++a) {
      const double width = 0.04 + 0.03 * a * (1.0 + 0.8 * std::sin(0.05 * t + a));
      returns.back().push_back(market + width * (uniform() + uniform() - 1.0));
    }
  }
  return prices_of(returns);
}

/// Every seventh day from 2001-01-01 on, in columns A, B, C, ...
inline std::string wide_table(const Prices& prices) {
  std::string text = "day";
  for (std::size_t a = 0; a < prices.front().size(); ++a) text += fmt::format(",{}", static_cast<char>('A' + a));
  text += "\n";
  for (std::size_t t = 0; t < prices.size(); ++t) {
    text += date_text(11323 + 7 * static_cast<std::int64_t>(t));
    for (const double price : prices[t]) text += fmt::format(",{}", price);
    text += "\n";
  }
  return text;
}

/// The same as rows "asset,day,price", all of an asset together; dates as "Jan 8 2001".
inline std::string long_table(const Prices& prices) {
  const char* const months[] = {"Jan", "Feb", "Mar", "Apr", "May", "Jun", "Jul", "Aug", "Sep", "Oct", "Nov", "Dec"};
  std::string text = "name,day,price\n";
  for (std::size_t a = 0; a < prices.front().size(); ++a)
    for (std::size_t t = 0; t < prices.size(); ++t) {
      const std::string iso = date_text(11323 + 7 * static_cast<std::int64_t>(t));
      text += fmt::format("{},{} {} {},{}\n", static_cast<char>('A' + a), months[std::stoi(iso.substr(5, 2)) - 1], std::stoi(iso.substr(8)),
                          iso.substr(0, 4), prices[t][a]);
    }
  return text;
}

/// A domain of `assets` assets A, B, C, ... in a wide table, windows of three periods; the split's text and the laws may be left out.
inline std::string series_domain(int assets, const std::string& samples, const std::string& target, const std::string& laws = {},
                                 const std::string& split = {}) {
  std::string text = "format = 1\nname = \"own\"\ntitle = \"Own assets\"\n[samples]\nseries = true\ndate = \"day\"\n" + samples + "\n[target]\n" + target +
                     "\n" + split + "\n[dimensions]\nlag = { kind = \"lag\", extent = 3 }\n" +
                     fmt::format("asset = {{ kind = \"channel\", extent = {} }}\n", assets) +
                     "[inputs.returns]\nunits = \"1\"\ndimensions = [\"lag\", \"asset\"]\nsource = \"log_return\"\n[outputs]\n";
  std::string sum;
  for (int a = 0; a < assets; ++a) {
    text += fmt::format("w_{0} = {{ units = \"1\", source = \"{0}\" }}\n", static_cast<char>('A' + a));
    sum += fmt::format("{}w_{}", a > 0 ? " + " : "", static_cast<char>('A' + a));
  }
  return text + "[laws]\n" + (laws.empty() ? "budget = \"" + sum + " = 1\"" : laws) + "\n";
}

}  // namespace lavoisier::tests

#endif
