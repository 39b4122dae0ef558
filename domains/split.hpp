#ifndef LAVOISIER_DOMAINS_SPLIT_HPP
#define LAVOISIER_DOMAINS_SPLIT_HPP

#include <lavoisier/domain.hpp>

#include "section.hpp"

namespace lavoisier::detail {

/// The table [split] of `top`, which has one.
Split read_split(const Section& top, const std::vector<std::string>& sample_dimensions);

}  // namespace lavoisier::detail

#endif
