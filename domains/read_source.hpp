#ifndef LAVOISIER_DOMAINS_READ_SOURCE_HPP
#define LAVOISIER_DOMAINS_READ_SOURCE_HPP

#include <lavoisier/domain.hpp>
#include <lavoisier/units.hpp>

#include "section.hpp"

#include <string>

namespace lavoisier::detail {

/// Error(unit_mismatch) at its place.
Unit read_unit(const SourceText& text, const std::string& spelling, Position at);

/// The key `source` of a variable's section; without one, the file's field of the same name. `domain`: as far as it is
/// read (samples and dimensions).
Source read_source(const Section& section, const Variable& variable, const Unit& own, const Domain& domain);

}  // namespace lavoisier::detail

#endif
