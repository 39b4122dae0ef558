#ifndef LAVOISIER_DOMAINS_SERIES_SECTION_HPP
#define LAVOISIER_DOMAINS_SERIES_SECTION_HPP

// What a domain file says of samples that are dates of a table of prices.

#include <lavoisier/domain.hpp>

#include "section.hpp"

#include <string>
#include <vector>

namespace lavoisier::detail {

/// The keys of [samples] of such a domain, those of a table among them.
const std::vector<std::string>& series_keys();

/// [samples] and [target]. Errors give the place.
SeriesOptions read_series(const Section& samples, const Section& top);

/// Checks what inputs, outputs, laws and the split of such a domain are, as far as they are read. Errors give the place.
void check_series(const Domain& domain, const Section& top);

/// The names of the assets in the table: what the outputs' sources name, in their order.
std::vector<std::string> assets_of(const Domain& domain);

/// Error(unsupported) where samples whose periods overlap would be torn apart.
void require_series_split(const Split& split);

/// A date: a text or a date of TOML.
std::int64_t read_day(const Section& section, const std::string& key, const std::string& meaning);

}  // namespace lavoisier::detail

#endif
